"""Who buys and where it goes, told at the start of a checkout or later."""

from typing import Any

import pytest

from jay import db
from jay.auth.models import User as Known
from jay.checkout import contacts, flow, sessions
from jay.checkout.addresses import NOBODY, Address, Contact
from jay.errors import CheckoutPaying
from tests.api.buying import Till
from tests.api.checks import assert_refused, field_errors
from tests.builders import Shop, User
from tests.conftest import SECRET

ZOE = {
    "firstName": "Zoë",
    "lastName": "Łuczak",
    "street": "Große Straße",
    "houseNumber": "7a",
    "zip": "10115",
    "city": "Berlin",
    "countryCode": "DE",
}
HOME = Address("Zoë", "Łuczak", "Große Straße", "7a", "10115", "Berlin", "DE")
MAIL = "zoe@example.org"


@pytest.fixture
def mug(shop: Shop) -> str:
    return shop.product("mug")


def contact_of(till: Till, started: dict[str, Any]) -> Contact:
    with till.app.app_context(), db.reading() as connection:
        return contacts.find(connection, started["orderNo"], secret=SECRET)


def test_what_is_missing_is_told_until_it_is_said(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)

    first = till.start(alice, email=MAIL)
    assert first["requirements"] == ["ADDRESS"]
    second = till.start(alice, billing=ZOE)
    assert second == {**first, "requirements": []}
    assert alice.call("GET", "/checkout/sessions/active").json["data"] == second
    assert contact_of(till, first) == Contact(MAIL, HOME)

    elsewhere = {**ZOE, "city": "Bonn", "addition": "c/o Fritz", "houseNumber": "8"}
    till.start(alice, shipping=elsewhere)
    assert contact_of(till, first).goes_to == Address(
        "Zoë", "Łuczak", "Große Straße", "8", "10115", "Bonn", "DE", "c/o Fritz"
    )
    assert till.start(alice, shipping=None, email=None)["requirements"] == ["EMAIL"]
    assert contact_of(till, first) == Contact(None, HOME)


def test_a_client_that_says_nothing_pays_all_the_same(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    assert started["requirements"] == ["ADDRESS", "EMAIL"]

    till.pay(started)
    till.hear()

    assert till.state(started).value == "paid"
    assert contact_of(till, started) == NOBODY


def test_another_cart_goes_to_the_same_people(
    till: Till, alice: User, shop: Shop, mug: str
) -> None:
    alice.put(mug)
    first = till.start(alice, email=MAIL, billing=ZOE)
    alice.put(shop.product("hat", price=500))

    second = till.start(alice)

    assert second["orderNo"] != first["orderNo"]
    assert contact_of(till, second) == Contact(MAIL, HOME)


def test_all_that_is_wrong_stands_at_its_field(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    body = {
        "email": "-x@example.org",
        "billing": {**ZOE, "zip": "1", "city": " ", "countryCode": "DE"},
        "shipping": {**ZOE, "firstName": "a\nb"},
    }

    refused = alice.call("POST", "/checkout/sessions", json=body)

    assert field_errors(refused) == {
        "email": ["Not a valid e-mail address."],
        "billing": {"zip": ["Not a postcode of this country."], "city": ["Must not be blank."]},
        "shipping": {"firstName": ["Must not contain control characters."]},
    }
    assert alice.cart() == {mug: 1}


def test_nothing_changes_once_it_is_being_paid(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice, email=MAIL)
    with till.app.app_context():
        db.write(sessions.begin_paying, started["orderNo"], now=till.clock())

    assert till.start(alice, email=MAIL)["state"] == "paying"
    other = alice.call("POST", "/checkout/sessions", json={"email": "eve@example.org"})
    assert_refused(other, CheckoutPaying)
    assert contact_of(till, started) == Contact(MAIL)


def test_the_phone_goes_on_with_what_the_tv_has_started(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice, language="en")
    partner = till.session(started["orderNo"]).partner_id
    user = Known(partner, alice.id, guest=False, basket=None, expires=0)
    with till.app.app_context():
        found = flow.start(user, sessions.Asked(test=False, lang="de"), go_on=True)
        told = flow.tell(user, {"email": MAIL, "billing": HOME})

    assert found.session.order_no == told.session.order_no == started["orderNo"]
    assert (told.contact, told.contact.missing) == (Contact(MAIL, HOME), [])
    assert MAIL not in repr(told)
