"""Who sells: not without its legal details, where it delivers, and under the terms shown."""

import hashlib
from typing import Any

import pytest

from jay.errors import CartEmpty
from tests.api.buying import Till, checkout_of
from tests.api.checks import assert_refused, field_errors
from tests.api.test_checkout_contact import HOME, MAIL, ZOE, contact_of
from tests.builders import LEGAL, Shop, User


@pytest.fixture
def mug(shop: Shop) -> str:
    return shop.product("mug")


def tell(shop: Shop, **changes: Any) -> None:
    answer = shop.call("PATCH", "/shops/config", json=changes)
    assert answer.status_code == 200, answer.json


WITHOUT = [
    *({"legal": {name: None}} for name in ("name", "street", "zip", "city", "countryCode")),
    {"legal": {"email": None}},
    {"texts": [{"kind": "terms", "lang": "de", "text": None}]},
    {"texts": [{"kind": "withdrawal", "lang": "de", "text": None}]},
]


@pytest.mark.one_database
@pytest.mark.parametrize("change", WITHOUT, ids=str)
def test_who_is_not_known_by_law_sells_nothing(
    till: Till, alice: User, shop: Shop, mug: str, change: dict[str, Any]
) -> None:
    tell(shop, **change)

    assert alice.put(mug).status_code == 200
    refused = alice.call("POST", "/checkout/sessions")

    assert_refused(refused, CartEmpty)
    assert refused.json["error"]["details"] == [{"product": mug, "reason": "MERCHANT_NOT_LIVE"}]
    assert alice.cart() == {mug: 1}


def test_the_rest_can_be_bought(
    till: Till, alice: User, shop: Shop, other_shop: Shop, mug: str
) -> None:
    book = other_shop.product("book")
    tell(other_shop, legal={"email": None})
    alice.put(mug)
    alice.put(book)

    started = till.start(alice)

    assert started["novalidProducts"] == [{"productId": book, "reason": "MERCHANT_NOT_LIVE"}]
    assert (alice.cart(), checkout_of(alice)) == ({book: 1}, {mug: 1})


def test_the_terms_are_those_that_were_shown(till: Till, alice: User, shop: Shop, mug: str) -> None:
    alice.put(mug)
    english = {"kind": "terms", "lang": "en", "text": "What stands here holds."}
    tell(shop, texts=[english], withdrawalDays=30, returnCosts="merchant")

    started = till.start(alice, language="en")
    tell(shop, texts=[{**english, "text": "Changed."}], legal={"name": "X"}, withdrawalDays=14)

    [part] = till.session(started["orderNo"]).parts
    assert part.texts == [
        {
            "kind": "terms",
            "lang": "en",
            "version": 1,
            "sha256": hashlib.sha256(b"What stands here holds.").hexdigest(),
        },
        {
            "kind": "withdrawal",
            "lang": "de",
            "version": 1,
            "sha256": hashlib.sha256("Sie können widerrufen.".encode()).hexdigest(),
        },
    ]
    assert (part.seller, part.withdrawal_days, part.return_costs) == (LEGAL, 30, "merchant")


def test_it_goes_only_where_all_merchants_deliver(
    till: Till, alice: User, shop: Shop, other_shop: Shop, mug: str
) -> None:
    tell(shop, deliveryCountries=["DE", "AT"])
    alice.put(mug)
    vienna = {**ZOE, "countryCode": "AT", "zip": "1010", "city": "Wien"}
    bern = {**vienna, "countryCode": "CH", "city": "Bern"}
    told = ["A merchant of the cart does not deliver to this country."]

    at_start = alice.call("POST", "/checkout/sessions", json={"billing": bern})
    assert field_errors(at_start) == {"billing": {"countryCode": told}}
    assert alice.cart() == {mug: 1}
    started = till.start(alice, email=MAIL, billing=vienna)
    later = alice.call("POST", "/checkout/sessions", json={"shipping": bern})
    assert field_errors(later) == {"shipping": {"countryCode": told}}

    # With something of another merchant, who delivers in Germany alone.
    alice.put(other_shop.product("book"))
    assert till.start(alice)["requirements"] == ["ADDRESS"]
    last = till.start(alice, billing=bern, shipping=ZOE)
    assert (last["requirements"], contact_of(till, last).goes_to) == ([], HOME)
    assert last["orderNo"] != started["orderNo"]
