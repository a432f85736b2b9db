"""What a screen learns of a basket that was taken over from it: paying, or ordered."""

from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from jay.transfers.models import CLAIM_WINDOW, FOLLOWED_FOR, RENEWABLE_FOR
from tests.api.browser import Browser, text_of
from tests.api.buying import PAYS, Till
from tests.builders import Shop, User
from tests.clock import MovedClock


def status(client: FlaskClient, offer: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = client.get(offer["statusUrl"]).json["data"]
    return data


def headline(app: Flask, offer: dict[str, Any]) -> str:
    """Return which of its states the TV's page shows."""
    page = Browser(app).get(offer["displayUrl"]).get_data(as_text=True)
    return page.partition('data-state="')[2].partition('"')[0]


def claimed(alice: User, shop: Shop) -> dict[str, Any]:
    alice.put(shop.product("mug"))
    offer = alice.transfer()
    assert alice.platform.redeem(offer["jayToken"]).status_code == 200
    return offer


def test_a_screen_follows_the_purchase(
    app: Flask, client: FlaskClient, alice: User, shop: Shop, till: Till
) -> None:
    offer = claimed(alice, shop)
    assert status(client, offer) == {
        "state": "claimed",
        "secondsLeft": 0,
        "pollSeconds": 5,
        "purchase": "none",
    }

    session = till.start(alice)
    assert (status(client, offer)["purchase"], headline(app, offer)) == ("paying", "paying")
    shown = text_of(Browser(app).get(offer["displayUrl"]))
    assert "Mug" in shown  # what is being paid for, though it has left the cart

    till.pay(session, PAYS)
    till.hear()

    assert (status(client, offer)["purchase"], headline(app, offer)) == ("ordered", "ordered")
    assert "nothing in your basket" not in text_of(Browser(app).get(offer["displayUrl"]))


def test_a_purchase_that_is_given_up_is_none(
    app: Flask, client: FlaskClient, alice: User, shop: Shop, till: Till
) -> None:
    offer = claimed(alice, shop)
    till.start(alice)

    alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": False})

    assert (status(client, offer)["purchase"], headline(app, offer)) == ("none", "claimed")


def test_a_code_that_nobody_has_taken_tells_nothing(
    client: FlaskClient, alice: User, shop: Shop, till: Till
) -> None:
    alice.put(shop.product("mug"))
    offer = alice.transfer()
    till.start(alice)

    assert "purchase" not in status(client, offer)


def test_a_screen_is_answered_for_as_long_as_it_asks(
    app: Flask, client: FlaskClient, alice: User, shop: Shop, clock: MovedClock
) -> None:
    # One that was renewed at the end of its hour, and claimed in its last second.
    alice.put(shop.product("mug"))
    first = alice.transfer()
    clock.move((RENEWABLE_FOR - timedelta(seconds=1)).total_seconds())
    screen = Browser(app).post(first["displayUrl"]).headers["location"]
    token = screen.rpartition("/")[2]
    clock.move((CLAIM_WINDOW - timedelta(seconds=1)).total_seconds())
    code = Browser(app).get(screen).get_data(as_text=True)
    typed = code.partition('class="typed">')[2].partition("<strong")[2].partition(">")[2][:9]
    phone = Browser(app)
    phone.take({"url": phone.submit("/code", user_code=typed).headers["location"]})

    clock.move((FOLLOWED_FOR - timedelta(seconds=1)).total_seconds())

    asked = client.get(f"/v2/transfers/{token}/status")
    assert asked.json["data"]["purchase"] == "none"
