"""What an address and an e-mail address may be, told field by field."""

from dataclasses import replace

import pytest

from jay.checkout.addresses import (
    NOBODY,
    Address,
    Contact,
    Problem,
    Requirement,
    Wrong,
    checked_address,
    checked_email,
)

GIVEN = {
    "first_name": "Zoë",
    "last_name": "Łuczak",
    "street": "Große Straße",
    "house_number": "7a",
    "zip": "10115",
    "city": "Berlin",
    "country_code": "DE",
}
HOME = Address(**GIVEN)


def problems(**fields: str | None) -> dict[str, Problem]:
    with pytest.raises(Wrong) as refused:
        checked_address({**GIVEN, **fields})
    return dict(refused.value.problems)


def test_an_address_is_stored_as_it_is_written() -> None:
    assert checked_address(GIVEN) == HOME
    assert checked_address({**GIVEN, "addition": " 2.\u00a0Hof "}).addition == "2. Hof"
    assert checked_address({**GIVEN, "city": "Ko\u0308ln"}).city == "Köln"
    assert checked_address({**GIVEN, "country_code": "de"}) == HOME


def test_all_that_is_wrong_is_told_at_once() -> None:
    assert problems(first_name=" ", city=None, country_code="XX", zip="") == {
        "first_name": Problem.MISSING,
        "city": Problem.MISSING,
        "country_code": Problem.NO_COUNTRY,
        "zip": Problem.MISSING,
    }
    assert problems(last_name="x" * 101, street="x" * 10_000) == {
        "last_name": Problem.TOO_LONG,
        "street": Problem.TOO_LONG,
    }


@pytest.mark.parametrize("nothing", ["\u200b", "\u3164 \u2060", "\u2800", "\u00ad", "\u0301"])
def test_what_nobody_can_see_is_missing(nothing: str) -> None:
    assert problems(last_name=nothing, street=nothing) == {
        "last_name": Problem.MISSING,
        "street": Problem.MISSING,
    }
    assert checked_address({**GIVEN, "addition": nothing}) == HOME
    # Within a word they may be what tells how it is written.
    assert checked_address({**GIVEN, "city": "\u0646\u06cc\u200c\u0646"}).city.count("\u200c") == 1


@pytest.mark.parametrize("hidden", ["\n", "\r\nBcc: x@y.de", "\0", "\u2028", "\u202e", "\ud800"])
def test_what_can_not_be_printed_is_refused(hidden: str) -> None:
    assert problems(city=f"Ber{hidden}lin") == {"city": Problem.NOT_PRINTABLE}


@pytest.mark.parametrize(
    ("country", "right", "wrong"),
    [
        ("DE", "10115", "1011"),
        ("AT", "1010", "10100"),
        ("NL", "1012 ab", "1012"),
        ("GB", "SW1A 1AA", "12345"),
        ("PL", "00-950", "950"),
        ("JP", "100-0001", "<b>"),
        ("AE", "", "-"),
    ],
)
def test_postcodes_are_those_of_the_country(country: str, right: str, wrong: str) -> None:
    assert checked_address({**GIVEN, "country_code": country, "zip": right}).zip == right.upper()
    assert problems(country_code=country, zip=wrong) == {"zip": Problem.NO_ZIP}


def test_a_house_number_may_stand_in_the_street() -> None:
    behind = checked_address({**GIVEN, "street": "Große Straße 7a", "house_number": None})
    assert (behind.street, behind.house_number) == ("Große Straße 7a", "")
    assert problems(house_number="") == {"house_number": Problem.MISSING}


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("zoe@example.org", "zoe@example.org"),
        (" Zoe.L+tv@Example.ORG ", "Zoe.L+tv@example.org"),
        ("zoe@käse.example", "zoe@xn--kse-qla.example"),
    ],
)
def test_addresses_of_mail(text: str, stored: str) -> None:
    assert checked_email(text) == stored


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", Problem.MISSING),
        ("zoe", Problem.NO_EMAIL),
        ("zoe@localhost", Problem.NO_EMAIL),
        ("zoe@[127.0.0.1]", Problem.NO_EMAIL),
        ("-oQ/tmp@example.org", Problem.NO_EMAIL),
        ("a@example.org, b@example.org", Problem.NO_EMAIL),
        ("Zoe <zoe@example.org>", Problem.NO_EMAIL),
        ('"zoe b"@example.org', Problem.NO_EMAIL),
        ("zoé@example.org", Problem.NO_EMAIL),
        ("zoe@example.org\r\nBcc: b@example.org", Problem.NOT_PRINTABLE),
        ("z" * 250 + "@example.org", Problem.TOO_LONG),
    ],
)
def test_what_is_no_address_of_mail(text: str, problem: Problem) -> None:
    with pytest.raises(Wrong) as refused:
        checked_email(text)
    assert refused.value.problems == {"email": problem}


def test_what_is_missing() -> None:
    assert NOBODY.missing == [Requirement.ADDRESS, Requirement.EMAIL]
    assert Contact("zoe@example.org", HOME).missing == []
    only = Contact("zoe@example.org", shipping=HOME)
    assert (only.missing, only.billed_to, only.goes_to) == ([], HOME, HOME)
    elsewhere = replace(HOME, city="Hamburg")
    assert replace(only, billing=elsewhere).billed_to == elsewhere
