"""A product with sizes can be put in without one: it is chosen, and changed, on the phone."""

import re

import pytest
from flask import Flask

from tests.api.browser import Browser, text_of
from tests.api.test_two_devices import fields
from tests.builders import Shop, User

SHIRT, SMALL, MEDIUM, LARGE = (
    f"mugshop/de-DE/{sku}" for sku in ("shirt", "shirt-s", "shirt-m", "shirt-l")
)


@pytest.fixture
def phone(app: Flask, alice: User, shop: Shop) -> Browser:
    """A phone with a shirt without a size, and a medium one of two other kinds."""
    variants = [
        {"sku": sku, "type": "size", "value": sku[-1].upper(), "stock_count": stock}
        for sku, stock in (("shirt-s", 5), ("shirt-m", 5), ("shirt-l", 0))
    ]
    shop.product("shirt", name="Shirt", variants=variants)
    alice.put(shop.product("mug"), 1)
    browser = Browser(app)
    browser.take(alice.transfer())
    return browser


def choose(phone: Browser, product_id: str, size: str) -> str:
    form = {**fields(phone.get("/basket"), product_id), "action": "size", "size": size}
    phone.post("/basket/items", **form)
    return text_of(phone.get("/basket"))


def options(phone: Browser) -> list[str]:
    html = phone.get("/basket").get_data(as_text=True)
    return re.findall(r"<option[^>]*>([^<]+)<", html)


def test_a_size_that_is_missing_is_asked_for(phone: Browser, alice: User) -> None:
    alice.put(SHIRT, 2)

    assert "Choose which one you want." in text_of(phone.get("/basket"))
    assert options(phone) == ["Please choose", "S", "M", "L (sold out)"]


def test_it_is_chosen_there_and_keeps_count_and_place(phone: Browser, alice: User) -> None:
    alice.put(SHIRT, 2)
    alice.put("mugshop/de-DE/mug", 3)

    said = choose(phone, SHIRT, MEDIUM)

    assert alice.cart() == {"mugshop/de-DE/mug": 3, MEDIUM: 2}
    assert "Choose which one you want." not in said


def test_and_changed_later(phone: Browser, alice: User) -> None:
    alice.put(MEDIUM, 2)
    assert options(phone) == ["S", "M", "L (sold out)"]

    choose(phone, MEDIUM, SMALL)

    assert alice.cart() == {"mugshop/de-DE/mug": 1, SMALL: 2}


def test_two_that_become_one_add_up(phone: Browser, alice: User) -> None:
    alice.put(SMALL, 1)
    alice.put(MEDIUM, 2)

    choose(phone, MEDIUM, SMALL)

    assert alice.cart() == {"mugshop/de-DE/mug": 1, SMALL: 3}


def test_a_saved_one_stays_saved(phone: Browser, alice: User) -> None:
    alice.put(MEDIUM, 0)

    choose(phone, MEDIUM, SMALL)

    assert alice.saved() == [SMALL]


@pytest.mark.parametrize("size", ["", "unknown", "mugshop/de-DE/mug", SHIRT, "\0", "x" * 3000])
def test_nothing_but_a_size_of_it_is_taken(size: str, phone: Browser, alice: User) -> None:
    alice.put(MEDIUM, 2)
    before = alice.cart()

    choose(phone, MEDIUM, size)

    assert alice.cart() == before


def test_a_sold_out_one_is_told(phone: Browser, alice: User) -> None:
    alice.put(MEDIUM, 2)

    assert "sold out at the moment" in choose(phone, MEDIUM, LARGE)
    assert MEDIUM in alice.cart()


def test_more_than_there_are_is_told(alice: User, shop: Shop, phone: Browser) -> None:
    cup = shop.product("cup", stock_count=12)
    alice.put(cup, 500)

    assert "Only 12 left, and you have 500" in text_of(phone.get("/basket"))
