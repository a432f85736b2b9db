"""Amounts as people and programs write them: ``1.290,00 EUR``, ``$1,290``, ``19,9``.

One reader for all formats. What can be read in two ways is refused, and both readings are named:
a price that is wrong by a factor of a thousand is worse than a product that comes later.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from functools import cache, lru_cache
from typing import NamedTuple

from babel.numbers import get_currency_symbol

from jay.i18n import CURRENCIES, minor_digits
from jay.web.schema import MAX_AMOUNT

MAX_WRITTEN = 60
"""Characters of the longest amount that is looked at."""


class Unreadable(ValueError):
    """This is no amount, or more than one; the message says why, for the merchant."""


class Ambiguous(Unreadable):
    """This is an amount, but nobody can tell which of two."""


class Money(NamedTuple):
    """An amount in minor units of its currency."""

    amount: int
    currency: str


_BLANK = re.compile(r"[^\S\r\n]")
_NO_WIDTH = re.compile(r"[\u200b\u2060\ufeff]")
_SIGNS = ".,'\u2019 "
# A point behind letters is that of an abbreviation: Fr. 19.90
_NUMBER = re.compile(rf"(?:(?<![^\W\d_])[.,])?[0-9][0-9{_SIGNS}]*")
# A price without cents ends in a dash in German, Swiss, Dutch, Swedish and Indian shops:
# 19,- and 19.-- and 19:- and 19/-
_NO_CENTS = re.compile(r"(?P<whole>[0-9.,]*[0-9])[.,:/][-\u2013\u2014]{1,2}(?![0-9])")
# In Arabic other signs part the decimals and group the digits.
_ARABIC = str.maketrans({"\u066b": ".", "\u066c": "'"})

_OTHER_SYMBOLS = {
    symbol: code
    for symbol, _, code in (
        pair.partition(" ")
        for pair in (
            *("US$ USD", "C$ CAD", "S$ SGD", "EURO EUR", "EUROS EUR", "FR. CHF", "SFR. CHF"),
            *("SFR CHF", "ZŁ PLN", "ZL PLN", "KČ CZK", "FT HUF", "LEI RON", "₽ RUB", "РУБ. RUB"),
            *("₺ TRY", "₴ UAH", "Đ VND", "RP IDR", "RP. IDR", "円 JPY", "元 CNY", "￥ CNY/JPY"),
            *("SR SAR/SCR", "د.إ AED", "ر.س SAR"),
            *("KR DKK/ISK/NOK/SEK", "KR. DKK/ISK/NOK/SEK"),
            *("RS INR/LKR/MUR/NPR/PKR/SCR", "RS. INR/LKR/MUR/NPR/PKR/SCR"),
        )
    )
}


def _each(codes: str) -> frozenset[str]:
    return frozenset(codes.split())


_SHARED = {
    "$": _each(
        "ARS AUD BBD BMD BND BSD BZD CAD CLP COP DOP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD SGD"
        " SRD TTD TWD USD UYU XCD"
    ),
    "£": _each("EGP FKP GBP GIP LBP SDG SHP SSP SYP"),
    "¥": _each("CNY JPY"),
}
"""Whose people write it at home, though abroad it stands for one of them."""


@lru_cache(maxsize=4096)
def read_money(text: str, currency: str | None = None) -> Money:
    """Read an amount and its currency, in whichever notation it is plain.

    :param currency: of an amount that names none.
    :raises Unreadable: it is none, it can be read in two ways, or its currency is missing, not in
        force or not the only one.
    """
    if len(text) > MAX_WRITTEN:
        raise Unreadable(f"{text[:20]!r}... is too long for an amount.")
    # Tables often have what was meant for a web page: 19,90&nbsp;&euro;
    plain = html.unescape(text) if "&" in text else text
    written = _NO_CENTS.sub(_with_cents, _in_latin(plain).strip())
    number = _NUMBER.search(written)
    if number is None:
        raise Unreadable(f"{text!r} is not an amount.")
    before, behind = written[: number.start()].strip(), written[number.end() :].strip()
    if before[-1:] in {"-", "\u2212"}:
        raise Unreadable(f"{text!r} is below zero.")
    parts = [part for side in (before, behind) for part in _parts(side)]
    code = _currency(parts, text, currency)
    return Money(_minor(number[0].strip(), code, text), code)


def _in_latin(text: str) -> str:
    """Write digits and decimal signs of all scripts as Latin ones."""
    plain = _BLANK.sub(" ", _NO_WIDTH.sub("", text))
    if plain.isascii():
        return plain
    digits = (str(unicodedata.decimal(one)) if one.isdecimal() else one for one in plain)
    return "".join(digits).translate(_ARABIC)


def _with_cents(found: re.Match[str]) -> str:
    whole = found["whole"]
    return f"{whole}{',' if '.' in whole else '.'}00"


@cache
def _symbols() -> dict[str, str]:
    """Return the code of each symbol; several, parted by a slash, where nobody can tell."""
    in_english = {get_currency_symbol(code, "en").upper(): code for code in CURRENCIES}
    return {**in_english, **_OTHER_SYMBOLS}


_CODE_AND_SYMBOL = re.compile(r"([A-Z]{3}) ?([^\w\s]{1,2})|(\S{1,4}) ([A-Z]{3})|(US) (\$)")


def _parts(side: str) -> list[str]:
    """Part what stands on one side of a number: ``USD $`` is a code and a symbol."""
    if side.upper() in _symbols():
        return [side]
    found = _CODE_AND_SYMBOL.fullmatch(side.upper())
    if found is None:
        return [side] if side else []
    parts = [part for part in found.groups() if part]
    return ["US$"] if parts == ["US", "$"] else parts


def _currency(parts: Sequence[str], text: str, default: str | None) -> str:
    """Return the currency that a number has around it, else the default.

    A code decides, where the symbol beside it is one of its own, as in ``$19.90 CAD``.
    """
    named = [_codes(part, text) for part in parts]
    codes = list(dict.fromkeys(each[0] for each in named if len(each) == 1))
    certain = [part.upper() for part in parts if part.upper() in CURRENCIES]
    if certain and all(
        certain[0] in each or certain[0] in _SHARED.get(part.upper(), ())
        for part, each in zip(parts, named, strict=True)
    ):
        return certain[0]
    if len(codes) > 1:
        raise Unreadable(f"{text!r} has two currencies: {codes[0]} and {codes[1]}.")
    if not named:
        if default is None:
            raise Unreadable(f"{text!r} has no currency, such as 19.99 EUR.")
        return default
    (part, candidates), *_ = zip(parts, named, strict=True)
    if default in candidates:
        return default
    # In a shop that sells for Canadian dollars, $ is hardly a US dollar, but who knows.
    if default and default in _SHARED.get(part, ()):
        candidates = (*candidates, default)
    if len(candidates) > 1:
        raise Ambiguous(f"{text!r}: {part} may be {' or '.join(candidates)}.")
    return candidates[0]


def _codes(part: str, text: str) -> tuple[str, ...]:
    """Return the currencies that a code or a symbol stands for."""
    written = part.upper()
    if written in CURRENCIES:
        return (written,)
    code = _symbols().get(written)
    if code is not None:
        return tuple(code.split("/"))
    if re.fullmatch(r"[A-Z]{3}", written):
        raise Unreadable(f"{text!r}: there is no currency {written} in ISO 4217.")
    raise Unreadable(f"{text!r} is not an amount with its currency, such as 19.99 EUR.")


def _minor(number: str, currency: str, text: str) -> int:
    values, digits = _readings(number), minor_digits(currency)
    if not values:
        raise Unreadable(f"{text!r} is not an amount.")
    scaled = [value.scaleb(digits) for value in values]
    whole = [int(minor) for minor in scaled if minor == minor.to_integral_value()]
    # Where there are no smaller units, 1,500 has one meaning. Elsewhere it may be a price that
    # was calculated to three places.
    if len(values) > 1 and (len(whole) > 1 or digits):
        one, other = (f"{value.normalize():f}" for value in values)
        raise Ambiguous(f"{text!r} can be read as {one} and as {other} {currency}.")
    if not whole:
        raise Unreadable(f"{text!r} has too many decimal places for {currency}.")
    if whole[0] > MAX_AMOUNT:
        raise Unreadable(f"{text!r} is more than {MAX_AMOUNT:,} minor units.")
    return whole[0]


def _readings(number: str) -> Sequence[Decimal]:
    """Return what a number can mean: nothing, one value or two."""
    found = [_decimal(*split) for split in _splits(number)]
    return sorted({value for value in found if value is not None})


def _splits(number: str) -> Sequence[tuple[str, str]]:
    """Yield where the decimal sign may be: what is before it and behind it."""
    signs = [sign for sign in number if not sign.isdigit()]
    if not signs:
        return [(number, "")]
    last = signs[-1]
    whole, _, part = number.rpartition(last)
    alone = last in ".," and signs.count(last) == 1
    if not alone:
        return [(number, "")]
    if len(signs) > 1 or len(part) != 3:
        return [(whole, part)] if part else []
    return [(whole, part), (number, "")]


def _decimal(whole: str, part: str) -> Decimal | None:
    digits = _ungrouped(whole)
    return None if digits is None else Decimal(f"{digits}.{part or 0}")


_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?P<sign>[.,' \u2019])[0-9]{3}(?:(?P=sign)[0-9]{3})*")
# As in India: 12,34,567.
_IN_LAKHS = re.compile(r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")


def _ungrouped(whole: str) -> str | None:
    if not whole or whole.isdigit():
        return whole or "0"
    if _GROUPED.fullmatch(whole) or _IN_LAKHS.fullmatch(whole):
        return re.sub(r"[^0-9]", "", whole)
    return None
