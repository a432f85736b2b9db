"""Languages: texts through gettext, money and names through Babel.

A language is one file, ``translations/<code>.po``; English is what the code says.
"""

import gettext
import io
import unicodedata
from collections.abc import Iterable
from copy import copy
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.core import get_global, negotiate_locale
from babel.dates import format_date, format_time, get_timezone_gmt, get_timezone_name
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import NumberPattern, format_decimal, format_percent, get_currency_precision
from iso4217 import Currency, raw_xml

SOURCE_LANGUAGE = "en"

LANGUAGES = frozenset(code for code in map(str, Locale("en").languages) if len(code) == 2)
COUNTRIES = frozenset(
    code
    for code in map(str, Locale("en").territories)
    if len(code) == 2 and code.isalpha() and code not in get_global("territory_aliases")
) - {"ZZ", "EU", "EZ", "UN", "QO", "XA", "XB"}
# What no shop asks for: funds, which ISO 4217 marks, and the units of account that it does not.
_FUNDS = frozenset(
    entry.findtext("Ccy")
    for entry in raw_xml.iter("CcyNtry")
    if entry.find("CcyNm[@IsFund]") is not None
)
_UNITS_OF_ACCOUNT = frozenset({"UYW", "XAD"})
MINOR_DIGITS = {
    currency.code: currency.exponent
    for currency in Currency
    if currency.exponent is not None and currency.code not in _FUNDS | _UNITS_OF_ACCOUNT
}
"""Decimal places of the currencies in force, by ISO 4217, list one: EUR 2, JPY 0, IQD 3.

CLDR, which Babel has, tells how many are shown: none of the dinar's three in Iraq.
"""
CURRENCIES = frozenset(MINOR_DIGITS)

_FOLDER = Path(__file__).parent / "translations"


@cache
def languages() -> tuple[tuple[str, str], ...]:
    """Return code and own name of each language that the pages speak."""
    codes = sorted({SOURCE_LANGUAGE, *(path.stem for path in _FOLDER.glob("*.po"))})
    return tuple((code, (Locale(code).get_display_name() or code).capitalize()) for code in codes)


@cache
def texts(lang: str) -> gettext.NullTranslations:
    """Return the texts of a language. The ``.po`` file is read as it is: nothing to compile."""
    path = _FOLDER / f"{lang}.po"
    if not path.exists():
        return gettext.NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=lang)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def choose(wanted: Iterable[str], *, refused: Iterable[str] = ()) -> str:
    """Return the first wanted language that the pages speak, English when there is none.

    :param refused: languages that are not acceptable (``q=0``: RFC 9110, 12.4.2); where nothing
        else is left, English all the same.
    """
    never = {tag.lower() for tag in refused}  # DE is de (RFC 5646, 2.1.1)
    spoken = [code for code, _ in languages() if code not in never] or [SOURCE_LANGUAGE]
    tags = [tag.lower() for tag in wanted]
    default = SOURCE_LANGUAGE if SOURCE_LANGUAGE in spoken else spoken[0]
    return negotiate_locale(tags, spoken, sep="-") or default


def money(amount: int, currency: str, lang: str) -> str:
    """Write an amount in minor units as people read it: 2799, EUR, de gives ``27,99 €``."""
    digits = minor_digits(currency)
    value = Decimal(amount).scaleb(-digits)
    pattern = _money_pattern(lang, digits)
    written: str = pattern.apply(value, lang, currency=currency, currency_digits=False)
    return written


@cache
def _money_pattern(lang: str, digits: int) -> NumberPattern:
    pattern: NumberPattern = copy(Locale(lang).currency_formats["standard"])
    pattern.frac_prec = (digits, digits)
    return pattern


def minor_digits(currency: str) -> int:
    """Return how many decimal places a currency has, also one that was withdrawn since."""
    known = MINOR_DIGITS.get(currency)
    return get_currency_precision(currency) if known is None else known


def in_major_units(amount: int, currency: str) -> str:
    """Write an amount in minor units as other programs read it: 2799, EUR gives ``27.99``."""
    return f"{Decimal(amount).scaleb(-minor_digits(currency)):f}"


def number(value: float, lang: str) -> str:
    """Write a number as people read it: 1250, de gives ``1.250``."""
    return format_decimal(value, locale=lang)


def percent(value: float, lang: str) -> str:
    """Write percent as people read them: 7.5, en gives ``7.5%``."""
    share = Decimal(str(value)) / 100
    return format_percent(share, locale=lang, decimal_quantization=False)


def day(moment: datetime, lang: str) -> str:
    """Write the day of a moment, in UTC."""
    return format_date(moment.astimezone(UTC).date(), "medium", locale=_dates(lang))


def minute(moment: datetime, lang: str, country: str | None = None) -> str:
    """Write a moment to the minute, and in which time: ``04.06.2025, 14:00 MESZ``.

    :param country: whose clocks it is read from. In UTC without one, and where a country's clocks
        show several times.
    """
    return _written(moment, "short", lang, country)


def second(moment: datetime, lang: str, country: str | None = None) -> str:
    """Write a moment to the second, as ``minute`` does."""
    return _written(moment, "medium", lang, country)


def _written(moment: datetime, width: Literal["short", "medium"], lang: str, at: str | None) -> str:
    local, locale = _on_clocks_of(at, moment), _dates(lang)
    date = format_date(local.date(), "medium", locale=locale)
    name = get_timezone_name(local, "short", locale=locale)
    if local.tzinfo is UTC:
        name = "UTC"
    elif name[0] in "+-":  # what has no name in this language
        name = get_timezone_gmt(local, "long", locale=locale)
    return f"{date}, {format_time(local, width, local.tzinfo, locale)} {name}"


def _dates(lang: str) -> str:
    """Return the locale that a language's dates follow: the pages' English is British."""
    return {"en": "en_GB"}.get(lang, lang)


def _on_clocks_of(country: str | None, moment: datetime) -> datetime:
    try:
        zones = [ZoneInfo(name) for name in get_global("territory_zones").get(country or "", ())]
    except ZoneInfoNotFoundError:  # a system without the time zone database
        zones = []
    times = [moment.astimezone(zone) for zone in zones]
    alike = len({time.utcoffset() for time in times}) == 1
    return times[0] if alike else moment.astimezone(UTC)


def home(lang: str) -> str:
    """Return the country whose language the pages speak: DE for ``de``, as CLDR has it."""
    locale = _dates(lang)
    return (get_global("likely_subtags").get(locale) or locale).rpartition("_")[2]


def country(code: str, in_lang: str) -> str:
    """Name a country in a language."""
    return str(Locale(in_lang).territories.get(code, code))


def place(lang: str, country: str, in_lang: str) -> str:
    """Name the language and the country of a locale in another language."""
    locale = Locale(in_lang)
    return f"{locale.languages.get(lang, lang)}, {locale.territories.get(country, country)}"


# Embeddings, overrides and isolates: a name that leaves one open turns round what follows.
_CONTROLS = str.maketrans(dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def without_controls(text: str) -> str:
    """Return a foreign text without what could reorder the words around it (UAX 9)."""
    return text.translate(_CONTROLS)


_UNSEEN = frozenset({"Cc", "Cf", "Mn", "Zl", "Zp", "Zs"})
# Letters and a symbol by their category, which are drawn as a blank: Hangul fillers, empty Braille.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def is_blank(text: str) -> bool:
    """Tell whether nothing of a text can be seen, whatever it is made of."""
    return all(one in _FILLERS or unicodedata.category(one) in _UNSEEN for one in text)


def isolated(text: str) -> str:
    """Return a foreign text for the middle of a sentence: what it is written in stays inside it."""
    text = without_controls(text)
    foreign = any(unicodedata.bidirectional(character) in {"R", "AL", "AN"} for character in text)
    return f"\u2068{text}\u2069" if foreign else text
