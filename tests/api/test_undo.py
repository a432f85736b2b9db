"""Undo puts back what was there, whatever the catalogue says by then."""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from jay import db
from jay.products.models import products
from tests.api.browser import Browser, text_of
from tests.api.test_two_devices import fields, press
from tests.builders import Shop, User


@pytest.fixture
def mug(alice: User, shop: Shop) -> str:
    """A mug, ten times in the basket, between two other products."""
    ids = [shop.product(sku) for sku in ("hat", "mug", "pen")]
    for identifier, count in zip(ids, (1, 10, 2), strict=True):
        alice.put(identifier, count)
    return ids[1]


@pytest.fixture
def phone(app: Flask, alice: User, mug: str) -> Browser:
    """A phone that has taken the basket over."""
    browser = Browser(app)
    browser.take(alice.transfer())
    return browser


def remove(phone: Browser, product_id: str) -> Any:
    """Press "Remove", and return the page that offers to undo it."""
    form = {**fields(phone.get("/basket"), product_id), "action": "remove"}
    phone.post("/basket/items", **form)
    return phone.get("/basket")


@pytest.mark.parametrize(
    "change",
    [
        {"stock_count": 0},
        {"stock_count": -5},
        {"not_shoppable": True},
        {"price": None},
        {"shipping": {"orderLimit": 5}},
    ],
    ids=str,
)
def test_what_can_not_be_bought_any_more_comes_back_as_it_was(
    change: dict[str, Any], alice: User, shop: Shop, mug: str, phone: Browser
) -> None:
    before = alice.basket()["cart"]
    page = remove(phone, mug)
    shop.product("mug", **change)

    press(phone, page, "undo", mug)

    assert alice.basket()["cart"] == before


def test_what_the_catalogue_has_lost_comes_back(
    app: Flask, alice: User, mug: str, phone: Browser
) -> None:
    before = alice.basket()["cart"]
    page = remove(phone, mug)
    with app.app_context(), db.transaction() as connection:
        connection.execute(delete(products).where(products.c.id == mug))

    assert "No longer available" in press(phone, page, "undo", mug)

    assert alice.basket()["cart"] == before


def test_a_saved_product_comes_back_to_its_place(
    alice: User, shop: Shop, mug: str, phone: Browser
) -> None:
    for entry in alice.basket()["cart"]:
        alice.put(entry["productId"], 0)
    before = alice.basket()["saved"]
    page = remove(phone, mug)
    shop.product("mug", stock_count=0)

    press(phone, page, "undo", mug)

    assert alice.basket()["saved"] == before


def test_where_the_cart_has_filled_up_meanwhile_it_is_saved(
    alice: User, shop: Shop, mug: str, phone: Browser
) -> None:
    page = remove(phone, mug)
    for number in range(18):
        assert alice.put(shop.product(f"plate-{number}")).status_code == 200

    press(phone, page, "undo", mug)

    assert alice.saved() == [mug]
    assert len(alice.cart()) == 20


def test_the_price_of_then_comes_back_too(
    alice: User, shop: Shop, mug: str, phone: Browser
) -> None:
    page = remove(phone, mug)
    shop.product("mug", price=1500)

    assert "Price changed: €15.00 instead of €12.50" in press(phone, page, "undo", mug)


def test_an_offer_to_undo_of_another_tab_still_works(
    alice: User, shop: Shop, mug: str, phone: Browser
) -> None:
    page = remove(phone, mug)
    other = next(entry["productId"] for entry in alice.basket()["cart"])
    remove(phone, other)
    shop.product("mug", stock_count=0)

    press(phone, page, "undo", mug)

    assert alice.cart()[mug] == 10


def test_without_what_the_page_has_kept_it_is_saved_at_least(
    alice: User, shop: Shop, mug: str, phone: Browser
) -> None:
    page = remove(phone, mug)
    shop.product("mug", stock_count=0)

    press(phone, page, "undo", mug, kept="")

    assert alice.saved() == [mug]


@pytest.mark.parametrize("sent", ["x", "a.b", "{}", "ü", "\0"])
def test_nothing_can_be_put_in_that_was_not_there(
    sent: str, alice: User, shop: Shop, mug: str, phone: Browser
) -> None:
    page = remove(phone, mug)
    other = shop.product("lamp", stock_count=0)

    form = {**fields(page, mug, "toast"), "action": "undo"}
    phone.post("/basket/items", **{**form, "product_id": other})
    phone.post("/basket/items", **{**form, "kept": sent, "count": "0"})

    assert mug not in alice.cart()
    assert other not in alice.cart()


def test_what_was_removed_from_one_basket_does_not_come_into_another(
    app: Flask, platform: Any, shop: Shop, mug: str, phone: Browser
) -> None:
    kept = fields(remove(phone, mug), mug, "toast")["kept"]
    shop.product("mug", stock_count=0)
    bob = platform.user("bob")
    bob.put(shop.product("hat"))
    other = Browser(app)
    other.take(bob.transfer())
    csrf = re.search(r'name="csrf" value="([^"]+)"', other.get("/basket").get_data(as_text=True))
    assert csrf

    form = {"action": "undo", "product_id": mug, "count": "10", "kept": kept}
    other.post("/basket/items", csrf=csrf[1], **form)

    assert mug not in bob.cart()


def test_a_second_press_changes_nothing(alice: User, mug: str, phone: Browser) -> None:
    page = remove(phone, mug)
    press(phone, page, "undo", mug)
    before = alice.call("GET").headers["ETag"]

    press(phone, page, "undo", mug)

    assert alice.call("GET").headers["ETag"] == before
    assert "Not changed" not in text_of(phone.get("/basket"))
