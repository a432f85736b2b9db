"""Order numbers: they say where the order lies, and a slip is noticed."""

import re
from itertools import pairwise

import pytest

from jay.checkout.order_numbers import (
    beginning_of,
    grouped,
    new_order_no,
    routing_key_of,
    typed_order_no,
)
from jay.transfers.models import CODE_ALPHABET


@pytest.mark.parametrize("key", [0, 1, 30, 31, 960, 961, 4095])
def test_a_number_says_where_the_order_lies(key: int) -> None:
    number = new_order_no(key)

    assert re.fullmatch(f"J[{CODE_ALPHABET}]{{12}}", number)
    assert routing_key_of(number) == key
    assert number.startswith(beginning_of(key))
    assert not number.startswith(beginning_of(key ^ 1))
    assert typed_order_no(number) == number


def test_two_orders_have_two_numbers() -> None:
    assert len({new_order_no(7) for _ in range(1000)}) == 1000


def test_it_is_read_however_it_is_typed() -> None:
    number = new_order_no(7)

    assert re.fullmatch(r"J( \w{4}){3}", grouped(number))
    spaced = grouped(number)
    for typed in (spaced, f" {number.lower()} ", spaced.replace(" ", "-"), f"#{number}."):
        assert typed_order_no(typed) == number
    # As it is pasted, read out by others' keyboards, or written into a form.
    wide = "".join(chr(ord(one) + 0xFEE0) if one != " " else "\u3000" for one in spaced)
    for typed in (f"\u2068{spaced}\u2069", wide, "\u00ad".join(number), f"Bestellung Nr. {spaced}"):
        assert typed_order_no(typed) == number
    assert typed_order_no("\u0408" + number[1:]) == number  # a Cyrillic letter
    for wrong in (f"{number} {number}", f"{number}A", f"{spaced} 100", " " * 100 + number):
        assert typed_order_no(wrong) is None


def test_one_wrong_character_and_two_that_changed_places_are_noticed() -> None:
    number = new_order_no(1234)
    slips = {
        number[:place] + other + number[place + 1 :]
        for place in range(1, 13)
        for other in CODE_ALPHABET
    }
    slips |= {
        number[:place] + b + a + number[place + 2 :]
        for place, (a, b) in enumerate(pairwise(number))
        if place
    }

    assert [slip for slip in slips - {number} if typed_order_no(slip)] == []


@pytest.mark.parametrize("text", ["", "J", "J234", "K234567892345", "J2345678923450", "J😀" * 6])
def test_what_can_be_no_number_is_none(text: str) -> None:
    assert typed_order_no(text) is None


def test_a_number_beyond_the_last_bucket_is_none() -> None:
    digits = [CODE_ALPHABET[-1]] * 11

    assert not any(typed_order_no("J" + "".join(digits) + check) for check in CODE_ALPHABET)
