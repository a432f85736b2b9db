"""When a basket is gone."""

from flask import Flask

from jay.errors import TokenRevoked
from tests.api.checks import assert_refused
from tests.builders import Platform, Shop, User
from tests.clock import MovedClock

DAY = 86400


def long_lived(platform: Platform) -> User:
    return User(platform, "alice", platform.token("alice", expires_in=1000 * DAY))


def test_a_users_basket_is_gone_365_days_after_its_last_change(
    platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.put(mug)

    clock.move(365 * DAY - 1)
    assert alice.cart() == {mug: 1}

    clock.move(1)
    assert alice.cart() == {}


def test_a_change_lets_it_live_for_another_365_days(
    platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.put(mug, 1)
    clock.move(300 * DAY)
    alice.put(mug, 2)

    clock.move(364 * DAY)

    assert alice.cart() == {mug: 2}
    assert alice.basket()["expires"] == "2027-03-31T12:00:00Z"


def test_looking_does_not_make_it_live_longer(
    platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.put(mug)
    clock.move(300 * DAY)
    alice.basket()
    alice.product("PATCH", mug, json={"count": None})

    clock.move(65 * DAY)

    assert alice.cart() == {}


def test_a_guests_basket_is_gone_30_days_after_its_creation(
    platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    mug = shop.product("mug")
    guest = platform.guest((mug, 1))
    clock.move(29 * DAY)
    changed = guest.put(mug, 2).json["data"]
    assert changed["expires"] == "2025-07-04T12:00:00Z"

    clock.move(DAY - 1)
    assert guest.cart() == {mug: 2}

    clock.move(1)  # its token still has the leeway of 30 seconds
    assert guest.cart() == {}


def test_after_expiry_the_basket_begins_anew(
    platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug, hat = long_lived(platform), shop.product("mug"), shop.product("hat")
    alice.put(mug, 3)
    clock.move(365 * DAY)

    alice.put(hat)

    assert alice.cart() == {hat: 1}


def test_a_taken_over_credential_does_not_open_what_comes_after_an_expired_basket(
    platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    guest = platform.guest((shop.product("mug"), 1))
    clock.move(50)
    offer = guest.transfer()
    clock.move(20)
    data = platform.redeem(offer["jayToken"]).json["data"]
    phone = User(platform, data["userId"], data["token"])
    assert phone.cart() == guest.cart()

    clock.move(30 * DAY - 60)

    assert_refused(phone.call("GET"), TokenRevoked)
    assert_refused(phone.put(shop.product("hat")), TokenRevoked)


def test_an_expired_basket_can_no_longer_be_taken_over(
    app: Flask, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    guest = platform.guest((shop.product("mug"), 1))
    clock.move(30 * DAY - 10)
    offer = guest.transfer()

    clock.move(10)

    assert platform.redeem(offer["jayToken"]).status_code == 410
