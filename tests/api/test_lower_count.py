"""The way back below a limit is always open, and what is said about a limit names it."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from jay import db
from jay.errors import NotShoppable, OrderLimit, OutOfStock
from jay.products.models import products
from tests.api.browser import Browser, text_of
from tests.api.checks import assert_refused
from tests.api.test_two_devices import press
from tests.builders import Shop, User


@pytest.fixture
def mug(alice: User, shop: Shop) -> str:
    """A mug, ten times in the basket."""
    identifier = shop.product("mug", stock_count=99)
    alice.put(identifier, 10)
    return identifier


CHANGES: dict[str, tuple[dict[str, Any], Any]] = {
    "lower limit": ({"stock_count": 99, "shipping": {"orderLimit": 5}}, OrderLimit),
    "sold out": ({"stock_count": 0}, OutOfStock),
    "not for sale": ({"not_shoppable": True}, NotShoppable),
    "no price": ({"price": None}, NotShoppable),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_a_lower_count_is_always_allowed_and_a_higher_one_is_not(
    change: str, method: str, alice: User, shop: Shop, mug: str
) -> None:
    state, error = CHANGES[change]
    shop.product("mug", **state)

    for count in (9, 6, 1):
        assert alice.product(method, mug, json={"count": count}).status_code == 200
        assert alice.cart() == {mug: count}
    assert_refused(alice.product(method, mug, json={"count": 7}), error)
    assert alice.cart() == {mug: 1}


def test_so_it_is_when_the_catalogue_has_lost_it(app: Flask, alice: User, mug: str) -> None:
    with app.app_context(), db.transaction() as connection:
        connection.execute(delete(products).where(products.c.id == mug))

    assert alice.put(mug, 9).status_code == 200
    assert alice.put(mug, 10).status_code == 404
    assert alice.cart() == {mug: 9}


def test_a_saved_product_does_not_come_into_the_cart_that_way(
    alice: User, shop: Shop, mug: str
) -> None:
    alice.put(mug, 0)
    shop.product("mug", stock_count=0)

    assert_refused(alice.put(mug, 1), OutOfStock)


def test_message_and_details_name_the_limit(alice: User, shop: Shop, mug: str) -> None:
    shop.product("mug", stock_count=99, shipping={"orderLimit": 5})

    error = alice.put(mug, 11).json["error"]

    assert error["code"] == 2005
    assert error["details"] == {"constant": "ORDER_LIMIT", "limit": 5}
    assert "at most 5" in error["message"]


def test_the_phone_leads_back_below_the_limit(
    app: Flask, alice: User, shop: Shop, mug: str
) -> None:
    phone = Browser(app)
    phone.take(alice.transfer())
    shop.product("mug", stock_count=99, shipping={"orderLimit": 5})

    assert "at most 5" in press(phone, phone.get("/basket"), "plus", mug)
    press(phone, phone.get("/basket"), "minus", mug)

    assert alice.cart() == {mug: 9}
    assert "at most" not in text_of(phone.get("/basket"))
