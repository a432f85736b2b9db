"""``DELETE /v2/baskets/users/{userId}/products/{productId}``."""

import pytest
from flask import Flask

from jay.errors import NotInBasket, PreconditionFailed
from tests.api.checks import assert_refused, rows
from tests.builders import Shop, User
from tests.clock import MovedClock


@pytest.mark.parametrize("count", [0, 2])
def test_the_product_leaves_cart_and_saved_list(count: int, alice: User, shop: Shop) -> None:
    mug, hat, pen = shop.product("mug"), shop.product("hat"), shop.product("pen")
    alice.put(hat, 3)
    alice.put(mug, count)
    alice.put(pen, 0)

    response = alice.product("DELETE", mug)

    assert response.status_code == 200
    assert response.json["data"] == alice.basket()
    assert alice.cart() == {hat: 3}
    assert alice.saved() == [pen]


def test_a_removal_is_a_change(alice: User, shop: Shop, clock: MovedClock) -> None:
    mug = shop.product("mug")
    before = alice.put(mug)
    clock.move(60)

    after = alice.product("DELETE", mug)

    assert after.json["data"]["lastChanged"] == "2025-06-04T12:01:00Z"
    assert after.headers["ETag"] != before.headers["ETag"]


def test_what_is_not_there_is_not_found(app: Flask, alice: User, shop: Shop) -> None:
    assert_refused(alice.product("DELETE", shop.product("mug")), NotInBasket)
    assert_refused(alice.product("DELETE", "unknown"), NotInBasket)
    assert rows(app, "baskets") == 0


def test_the_second_removal_is_not_found(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug)
    alice.product("DELETE", mug)

    assert_refused(alice.product("DELETE", mug), NotInBasket)


def test_other_users_keep_theirs(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    bob = alice.platform.user("bob")
    alice.put(mug)
    bob.put(mug)

    alice.product("DELETE", mug)

    assert bob.cart() == {mug: 1}


def test_a_stale_if_match_is_refused_and_keeps_the_product(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    stale = alice.put(mug, 1).headers["ETag"]
    current = alice.put(mug, 2).headers["ETag"]

    refused = alice.product("DELETE", mug, headers={"If-Match": stale})

    assert_refused(refused, PreconditionFailed)
    assert alice.cart() == {mug: 2}
    assert alice.product("DELETE", mug, headers={"If-Match": current}).status_code == 200
