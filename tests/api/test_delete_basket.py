"""``DELETE /v2/baskets/users/{userId}``."""

from flask import Flask

from jay.errors import PreconditionFailed
from tests.api.checks import assert_refused, rows
from tests.builders import Shop, User
from tests.clock import MovedClock


def test_the_answer_is_the_now_empty_basket(app: Flask, alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug"))
    alice.put(shop.product("hat"), 0)

    response = alice.call("DELETE")

    assert response.status_code == 200
    assert response.json["data"] == alice.basket()
    assert response.json["data"]["cart"] == response.json["data"]["saved"] == []
    assert rows(app, "baskets") == 0


def test_deleting_none_succeeds(app: Flask, alice: User) -> None:
    assert alice.call("DELETE").status_code == 200
    assert rows(app, "baskets") == 0


def test_other_baskets_stay(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    bob = alice.platform.user("bob")
    alice.put(mug)
    bob.put(mug, 4)

    alice.call("DELETE")

    assert bob.cart() == {mug: 4}


def test_the_basket_begins_anew(alice: User, shop: Shop, clock: MovedClock) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    alice.put(mug)
    alice.call("DELETE")
    clock.move(60)

    alice.put(hat)

    assert alice.cart() == {hat: 1}
    assert alice.basket()["lastChanged"] == "2025-06-04T12:01:00Z"


def test_tags_of_the_deleted_basket_never_match_again(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    old = [alice.put(mug, count).headers["ETag"] for count in (1, 2, 3)]
    alice.call("DELETE")
    for count in (1, 2, 3):
        alice.put(mug, count)

    for tag in old:
        response = alice.product("POST", mug, json={"count": 9}, headers={"If-Match": tag})
        assert_refused(response, PreconditionFailed)
        assert alice.call("GET", headers={"If-None-Match": tag}).status_code == 200


def test_a_stale_if_match_keeps_the_basket(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    stale = alice.put(mug, 1).headers["ETag"]
    current = alice.put(mug, 2).headers["ETag"]

    assert_refused(alice.call("DELETE", headers={"If-Match": stale}), PreconditionFailed)
    assert_refused(alice.call("DELETE", headers={"If-Match": f"W/{stale}"}), PreconditionFailed)
    assert alice.cart() == {mug: 2}

    assert alice.call("DELETE", headers={"If-Match": current}).status_code == 200
    assert alice.cart() == {}


def test_a_guest_may_delete_its_basket(alice: User, shop: Shop) -> None:
    guest = alice.platform.guest((shop.product("mug"), 2))

    assert guest.call("DELETE").status_code == 200

    assert guest.cart() == {}
