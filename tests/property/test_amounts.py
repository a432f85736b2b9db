"""Amounts in every notation and currency: what was meant comes back, or it is refused."""

import re
from collections.abc import Iterator
from fractions import Fraction

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from jay.feeds.amounts import MAX_WRITTEN, Money, Unreadable, read_money
from jay.i18n import CURRENCIES, MINOR_DIGITS
from jay.web.schema import MAX_AMOUNT
from tests.depth import few_or_all

NNBSP, NBSP, THIN = "\u202f", "\xa0", "\u2009"
LONG = 3600
"""Seconds: the deep run may share its machine."""

SYMBOLS = {"EUR": ["€", "euro"], "USD": ["$", "US$"], "GBP": ["£"], "JPY": ["¥"], "PLN": ["zł"]}


def read(text: str, currency: str | None = None) -> Money | str:
    """Return what is read, or why it is refused."""
    try:
        return read_money(text, currency)
    except Unreadable as error:
        return str(error)


@pytest.mark.parametrize(
    ("text", "minor", "currency"),
    [
        ("1.290,00 EUR", 129000, "EUR"),
        ("12.340,00 EUR", 1234000, "EUR"),
        ("1,290.00 EUR", 129000, "EUR"),
        ("129,90 EUR", 12990, "EUR"),
        ("19,9 EUR", 1990, "EUR"),
        ("0,5 EUR", 50, "EUR"),
        ("1299,5 EUR", 129950, "EUR"),
        (f"1{NBSP}290,00 €", 129000, "EUR"),
        (f"1{NNBSP}290,00€", 129000, "EUR"),
        (f"1{THIN}290 EUR", 129000, "EUR"),
        ("CHF 1'290.00", 129000, "CHF"),
        ("1’290.00 chf", 129000, "CHF"),  # noqa: RUF001
        ("$1,290", None, None),
        ("$1,290.00", 129000, "USD"),
        ("CA$ 12.50", 1250, "CAD"),
        ("EUR 12.50 EUR", 1250, "EUR"),
        ("20 EUR", 2000, "EUR"),
        ("20,- €", 2000, "EUR"),
        ("1.290,-- €", 129000, "EUR"),
        ("34.5000 EUR", 3450, "EUR"),
        ("1.234.567 EUR", 123456700, "EUR"),
        ("12,34,567.50 INR", 123456750, "INR"),
        ("1500.500 KWD", 1500500, "KWD"),
        ("0,500 KWD", 500, "KWD"),
        ("1,500 JPY", 1500, "JPY"),
        ("25000000 IDR", 2500000000, "IDR"),
        (".99 EUR", 99, "EUR"),
        ("0 EUR", 0, "EUR"),
    ],
)
def test_an_amount_that_is_plain_is_read(text: str, minor: int, currency: str) -> None:
    if minor is None:
        assert "can be read as 1.29 and as 1290 USD" in str(read(text))
    else:
        assert read(text) == (minor, currency)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1.200 EUR", "can be read as 1.2 and as 1200 EUR"),
        ("1,500 KWD", "can be read as 1.5 and as 1500 KWD"),
        ("12,345 EUR", "can be read as 12.345 and as 12345 EUR"),
        ("1,000 JPY", "can be read as 1 and as 1000 JPY"),
        ("1,2345 EUR", "too many decimal places for EUR"),
        ("0.5 JPY", "too many decimal places for JPY"),
        ("19.90 EUR 21.50 USD", "is not an amount"),
        ("EUR 19.90 USD", "two currencies: EUR and USD"),
        ("€ 19.90 $", "two currencies: EUR and USD"),
        ("19.90", "has no currency"),
        ("19.90 DEM", "no currency DEM"),
        ("19.90 HRK", "no currency HRK"),
        ("199 kr", "kr may be DKK or ISK or NOK or SEK"),
        ("-5 EUR", "below zero"),
        ("EUR -5", "below zero"),
        ("1.29.00 EUR", "is not an amount"),
        ("1 29,00 EUR", "is not an amount"),
        ("19\n290 EUR", "is not an amount"),
        ("1  290 EUR", "is not an amount"),
        ("19⁹⁹ EUR", "is not an amount"),
        ("19.90 EUR/kg", "is not an amount"),
        ("1e3 EUR", "is not an amount"),
        ("free", "is not an amount"),
        ("", "is not an amount"),
        (",", "is not an amount"),
        ("9" * 10**6, "too long for an amount"),
        ("10000000001 EUR", "more than 1,000,000,000,000 minor units"),
    ],
)
def test_what_is_no_single_amount_is_refused_with_its_readings(text: str, reason: str) -> None:
    assert reason in str(read(text))


def test_a_dollar_sign_in_a_shop_with_other_dollars_is_refused() -> None:
    assert "$ may be USD or CAD" in str(read("$12.50", "CAD"))
    assert read("$12.50", "USD") == (1250, "USD")
    assert read("$12.50", "EUR") == (1250, "USD")
    assert read("12.50", "CAD") == (1250, "CAD")


def grouped(whole: str, sign: str, first: int) -> str:
    """Part a number in groups: of three, or first of three and then of ``first`` (lakhs)."""
    if len(whole) <= 3 or not sign:
        return whole
    head, tail = whole[:-3], whole[-3:]
    while len(head) > first:
        head, tail = head[:-first], f"{head[-first:]}{sign}{tail}"
    return f"{head}{sign}{tail}"


@st.composite
def notations(draw: st.DrawFn) -> tuple[str, int, str]:
    """Write an amount in one of the notations of this world; with what was meant."""
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    digits = MINOR_DIGITS[currency]
    minor = draw(
        st.integers(0, MAX_AMOUNT) | st.integers(0, 5000) | st.sampled_from([1000, 100000, 1290000])
    )
    whole, part = divmod(minor, 10**digits)
    decimal, sign = draw(
        st.sampled_from(
            [
                *((".", ""), (",", ""), (".", ","), (",", "."), (",", " "), (".", " ")),
                *((".", "'"), (".", "’"), (",", NBSP), (",", NNBSP)),  # noqa: RUF001
            ]
        )
    )
    decimals = f"{part:0{digits}}" if digits else ""
    shown = draw(st.sampled_from(["all", "none when zero", "short", "four"]))
    if shown == "short" or (shown == "none when zero" and part == 0):
        decimals = decimals.rstrip("0")
    elif shown == "four":
        decimals = decimals.ljust(4, "0")
    lakhs = sign == "," and draw(st.booleans())
    number = grouped(str(whole), sign, 2 if lakhs else 3)
    number += decimal + decimals if decimals else draw(st.sampled_from(["", "", f"{decimal}-"]))
    blank = draw(st.sampled_from(["", " ", NBSP, NNBSP, "  "]))
    unit = draw(st.sampled_from([currency, currency.lower(), *SYMBOLS.get(currency, [])]))
    text = f"{unit}{blank}{number}" if draw(st.booleans()) else f"{number}{blank}{unit}"
    return f"{draw(st.sampled_from(['', ' ']))}{text}", minor, currency


@pytest.mark.timeout(LONG)
@settings(max_examples=few_or_all(500, 20_000))
@given(notations())
def test_every_notation_comes_back_or_is_refused(written: tuple[str, int, str]) -> None:
    text, minor, currency = written

    found = read(text)

    assert isinstance(found, str) or found == (minor, currency), text
    if isinstance(found, str):
        assert "can be read as" in found, (text, found)


def all_readings(number: str) -> Iterator[Fraction]:
    """Yield all that a number can mean, told by rules of their own: try each place for the sign."""
    number = re.sub(r"[\s’]", "'", number)  # noqa: RUF001
    places = [None, *(at for at, sign in enumerate(number) if sign in ".,")]
    for at in places:
        whole, part = (number, "") if at is None else (number[:at], number[at + 1 :])
        if part and not part.isdigit():
            continue
        groups = re.split(r"[.,']", whole)
        signs = set(re.findall(r"[.,']", whole))
        three = [len(group) for group in groups[1:]]
        if not all(group.isdigit() for group in groups if group != "" or len(groups) > 1):
            continue
        if signs and (len(signs) > 1 or (at is not None and number[at] in signs)):
            continue
        lakhs = signs == {","} and three[-1:] == [3] and set(three[:-1]) <= {2}
        if signs and (whole.startswith("0") or not (set(three) == {3} or lakhs)):
            continue
        if signs and not 1 <= len(groups[0]) <= (2 if set(three) != {3} else 3):
            continue
        if whole or part:
            yield Fraction("".join(groups) or "0") + Fraction(int(part or 0), 10 ** len(part))


@pytest.mark.timeout(LONG)
@settings(max_examples=few_or_all(500, 20_000))
@given(st.text("0123456789.,' ", min_size=1, max_size=12), st.sampled_from(["EUR", "JPY", "KWD"]))
@example("1.200", "EUR")
@example("1,000", "JPY")
@example("00.500", "KWD")
@example("1  000", "JPY")
def test_whatever_is_read_has_no_other_reading(number: str, currency: str) -> None:
    found = read(f"{number} {currency}")

    if isinstance(found, Money):
        units = 10 ** MINOR_DIGITS[currency]
        readings = {value * units for value in all_readings(number.strip())}
        if units > 1:
            assert readings == {Fraction(found.amount)}
        else:
            whole = {value for value in readings if value.denominator == 1}
            assert whole == {Fraction(found.amount)}


@pytest.mark.timeout(LONG)
@settings(max_examples=few_or_all(500, 20_000))
@given(st.text(max_size=MAX_WRITTEN + 2), st.none() | st.sampled_from(sorted(CURRENCIES)))
def test_no_text_is_too_strange(text: str, currency: str | None) -> None:
    found = read(text, currency)

    assert isinstance(found, str) or 0 <= found.amount <= MAX_AMOUNT
