"""``PATCH /v2/baskets/users/{userId}/products/{productId}``."""

from typing import Any

import pytest
from flask import Flask

from jay.errors import (
    CartFull,
    NotInBasket,
    OrderLimit,
    OutOfStock,
    PreconditionFailed,
)
from tests.api.checks import assert_refused, field_errors, rows
from tests.builders import Shop, User
from tests.clock import MovedClock


def test_a_count_changes_the_product(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 1)

    response = alice.product("PATCH", mug, json={"count": 4})

    assert response.status_code == 200
    assert response.json["data"]["cart"] == [{"productId": mug, "count": 4}]
    assert alice.cart() == {mug: 4}


def test_zero_saves_the_product(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)

    alice.product("PATCH", mug, json={"count": 0})

    assert alice.cart() == {}
    assert alice.saved() == [mug]


def test_a_count_brings_a_saved_product_into_the_cart(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 0)

    alice.product("PATCH", mug, json={"count": 1})

    assert alice.cart() == {mug: 1}
    assert alice.saved() == []


@pytest.mark.parametrize("count", [0, 2])
def test_minus_one_removes_the_product(count: int, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, count)

    assert alice.product("PATCH", mug, json={"count": -1}).status_code == 200

    assert alice.cart() == {}
    assert alice.saved() == []


@pytest.mark.parametrize("body", [{"json": {"count": None}}, {"json": {}}, {}])
@pytest.mark.parametrize("count", [0, 2])
def test_null_or_nothing_keeps_everything(
    body: dict[str, Any], count: int, alice: User, shop: Shop, clock: MovedClock
) -> None:
    mug = shop.product("mug")
    before = alice.put(mug, count)
    clock.move(60)

    response = alice.product("PATCH", mug, **body)

    assert response.status_code == 200
    assert response.json == before.json
    assert response.headers["ETag"] == before.headers["ETag"]
    assert alice.call("GET").json == before.json


def test_a_product_that_is_not_in_the_basket_is_not_found(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")

    for count in (1, 0, -1, None):
        assert_refused(alice.product("PATCH", mug, json={"count": count}), NotInBasket)

    assert rows(app, "baskets") == 0


def test_a_removed_product_is_not_found(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug)
    alice.put(mug, -1)

    assert_refused(alice.product("PATCH", mug, json={"count": 1}), NotInBasket)


@pytest.mark.one_database
@pytest.mark.parametrize("count", [-2, 1000, "1", 1.0, True, [], {}])
def test_a_count_is_null_or_a_json_integer_in_its_limits(
    count: Any, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)

    response = alice.product("PATCH", mug, json={"count": count})

    assert list(field_errors(response)) == ["count"]
    assert alice.cart() == {mug: 2}


def test_an_unknown_field_is_named(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)

    assert list(field_errors(alice.product("PATCH", mug, json={"amount": 1}))) == ["amount"]


def test_the_rules_of_buying_hold_and_change_nothing(alice: User, shop: Shop) -> None:
    mug = shop.product("mug", shipping={"orderLimit": 3})
    alice.put(mug, 2)

    assert_refused(alice.product("PATCH", mug, json={"count": 4}), OrderLimit)
    shop.product("mug", stock_count=0)
    assert_refused(alice.product("PATCH", mug, json={"count": 3}), OutOfStock)

    assert alice.cart() == {mug: 2}
    assert alice.product("PATCH", mug, json={"count": 0}).status_code == 200


def test_a_saved_product_does_not_fit_into_a_full_cart(alice: User, shop: Shop) -> None:
    hat = shop.product("hat")
    alice.put(hat, 0)
    for number in range(20):
        alice.put(shop.product(f"mug-{number}"))

    assert_refused(alice.product("PATCH", hat, json={"count": 1}), CartFull)

    assert alice.saved() == [hat]


def test_a_changed_product_keeps_its_place(alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    alice.put(mug)
    alice.put(hat)

    alice.product("PATCH", mug, json={"count": 9})

    assert list(alice.cart()) == [mug, hat]


def test_a_stale_if_match_is_refused(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    stale = alice.put(mug, 1).headers["ETag"]
    alice.put(mug, 2)

    for body in ({"count": 3}, {"count": None}):
        response = alice.product("PATCH", mug, json=body, headers={"If-Match": stale})
        assert_refused(response, PreconditionFailed)

    assert alice.cart() == {mug: 2}
