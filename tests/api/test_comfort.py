"""``PATCH /v2/baskets/users/{userId}/comfort``: settings that can be set, but not read."""

import json
import secrets
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from jay import db
from jay.checkout.comfort import comfort_settings
from jay.errors import GuestNotAllowed, NotYourBasket
from jay.sealing import Seal, WrongKey
from tests.api.checks import Log, assert_refused, body, dump, field_errors, rows
from tests.builders import Platform, Shop, User
from tests.conftest import SECRET

CUSTOMER, PAYMENT = "customer-C-10042", "pm_1NxYzToken"


def patch(user: User, **settings: Any) -> dict[str, bool]:
    response = user.call("PATCH", "/comfort", json=settings)
    assert response.status_code == 200, response.json
    data: dict[str, bool] = response.json["data"]
    return data


def state(customer: bool, payment: bool) -> dict[str, bool]:
    unset = {"consentSet": False, "pinSet": False}
    return {"customerIdSet": customer, "paymentTokenSet": payment, **unset}


def stored(app: Flask) -> Any:
    with app.app_context(), db.reading() as connection:
        return connection.execute(select(comfort_settings)).all()


def claimed(owner: User) -> User:
    data = owner.platform.redeem(owner.transfer()["jayToken"]).json["data"]
    return User(owner.platform, data["userId"], data["token"])


def test_at_first_nothing_is_set(alice: User) -> None:
    assert patch(alice) == state(False, False)


def test_both_can_be_set_at_once(alice: User) -> None:
    assert patch(alice, customerId=CUSTOMER, paymentToken=PAYMENT) == state(True, True)
    assert patch(alice) == state(True, True)


def test_each_can_be_set_on_its_own(alice: User) -> None:
    assert patch(alice, customerId=CUSTOMER) == state(True, False)
    assert patch(alice, paymentToken=PAYMENT) == state(True, True)
    assert patch(alice.platform.user("bob"), paymentToken=PAYMENT) == state(False, True)


def test_each_is_removed_with_null_on_its_own(alice: User) -> None:
    patch(alice, customerId=CUSTOMER, paymentToken=PAYMENT)

    assert patch(alice, customerId=None) == state(False, True)
    assert patch(alice, paymentToken=None) == state(False, False)
    assert patch(alice, paymentToken=None) == state(False, False)
    assert patch(alice, customerId=CUSTOMER, paymentToken=None) == state(True, False)


def test_what_was_removed_is_gone_from_the_database(app: Flask, alice: User) -> None:
    patch(alice, customerId=CUSTOMER, paymentToken=PAYMENT)
    patch(alice, customerId=None, paymentToken=None)

    (row,) = stored(app)
    assert (row.customer_id, row.payment_token) == (None, None)


def test_what_is_stored_is_what_was_sent_last(app: Flask, alice: User) -> None:
    for customer in ("first", "zweite Ärztin 🙂", CUSTOMER, "x" * 255):
        patch(alice, customerId=customer, paymentToken=PAYMENT)

        (row,) = stored(app)
        seal = Seal("comfort", SECRET, str(row.partner_id), "alice")
        assert seal.open(row.customer_id).decode() == customer
        assert seal.open(row.payment_token).decode() == PAYMENT


def test_the_basket_is_not_changed(alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug"))
    before = alice.call("GET")

    patch(alice, customerId=CUSTOMER)

    after = alice.call("GET")
    assert (after.data, after.headers["ETag"]) == (before.data, before.headers["ETag"])


# --- who may ---


def test_guests_and_claimed_credentials_may_not(
    app: Flask, platform: Platform, alice: User
) -> None:
    for guest in (platform.guest(), claimed(platform.guest()), claimed(alice)):
        for settings in ({"customerId": CUSTOMER}, {"paymentToken": None}, {}):
            response = guest.call("PATCH", "/comfort", json=settings)
            assert_refused(response, GuestNotAllowed)
    assert rows(app, "comfort_settings") == 0


def test_a_claimed_credential_neither_sees_nor_removes_the_owners(app: Flask, alice: User) -> None:
    patch(alice, customerId=CUSTOMER, paymentToken=PAYMENT)
    phone = claimed(alice)
    before = stored(app)

    for path in (phone, replace(phone, id="alice")):
        response = path.call("PATCH", "/comfort", json={"customerId": None})
        assert response.status_code == 403
        assert "customerIdSet" not in response.get_data(as_text=True)

    assert stored(app) == before


def test_another_users_settings_stay_untouched(
    platform: Platform, alice: User, rival: Platform
) -> None:
    bob, namesake = platform.user("bob"), rival.user("alice")
    patch(alice, customerId=CUSTOMER, paymentToken=PAYMENT)

    assert patch(bob) == patch(namesake) == state(False, False)
    patch(bob, customerId=None, paymentToken="other")
    patch(namesake, customerId="other", paymentToken=None)

    assert patch(alice) == state(True, True)
    assert patch(bob) == state(False, True)
    assert patch(namesake) == state(True, False)


def test_nobody_sets_them_for_somebody_else(app: Flask, platform: Platform) -> None:
    intruder = User(platform, "alice", platform.token("bob"))

    response = intruder.call("PATCH", "/comfort", json={"customerId": CUSTOMER})

    assert_refused(response, NotYourBasket)
    assert rows(app, "comfort_settings") == 0


# --- the values stay here ---


def test_no_answer_holds_a_value(alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug"))
    answers = [
        alice.call("PATCH", "/comfort", json={"customerId": CUSTOMER, "paymentToken": PAYMENT}),
        alice.call("PATCH", "/comfort", json={}),
        alice.call("GET"),
        alice.call("POST", "/transfer"),
        alice.call("PATCH", "/comfort", json={"customerId": CUSTOMER, "wrong": PAYMENT}),
        alice.call("DELETE"),
    ]

    said = "".join(answer.get_data(as_text=True) + str(answer.headers) for answer in answers)

    assert CUSTOMER not in said
    assert PAYMENT not in said


def test_no_value_is_in_the_database_in_clear(app: Flask, alice: User) -> None:
    patch(alice, customerId=CUSTOMER, paymentToken=PAYMENT)

    content = dump(app)

    assert (CUSTOMER in content, PAYMENT in content) == (False, False)


def test_a_value_can_not_be_moved_to_another_user(app: Flask, alice: User) -> None:
    patch(alice, customerId=CUSTOMER)
    (row,) = stored(app)

    for owner in ((str(row.partner_id), "bob"), (str(row.partner_id + 1), "alice")):
        with pytest.raises(WrongKey):
            Seal("comfort", SECRET, *owner).open(row.customer_id)


def test_equal_values_do_not_look_equal(app: Flask, alice: User) -> None:
    patch(alice, customerId="same", paymentToken="same")
    patch(alice.platform.user("bob"), customerId="same")

    sealed = [value for row in stored(app) for value in (row.customer_id, row.payment_token)]

    assert len({value for value in sealed if value}) == 3


def test_no_value_is_in_the_log(
    twin: Flask, alice: User, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = replace(alice, platform=replace(alice.platform, client=twin.test_client()))
    settings = {"customerId": CUSTOMER, "paymentToken": PAYMENT}
    assert there.call("PATCH", "/comfort", json=settings).status_code == 200
    assert there.call("PATCH", "/comfort", json={**settings, "wrong": 1}).status_code == 422

    def crash(*_args: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(secrets, "token_bytes", crash)
    monkeypatch.setattr("jay.checkout.comfort.Seal.close", crash)
    assert there.call("PATCH", "/comfort", json=settings).status_code == 500

    logged = json.dumps(log.lines())

    assert "the disk is full" in logged
    assert (CUSTOMER in logged, PAYMENT in logged) == (False, False)


# --- what can be sent ---


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"customerid": "x"}, "customerid"),
        ({"customer_id": "x"}, "customer_id"),
        ({"customerId": "x", "userId": "bob"}, "userId"),
        ({"customerIdSet": True}, "customerIdSet"),
        ({"changed": "2025-01-01T00:00:00Z"}, "changed"),
        ({"customerId": ""}, "customerId"),
        ({"customerId": 10042}, "customerId"),
        ({"customerId": ["x"]}, "customerId"),
        ({"customerId": "x" * 256}, "customerId"),
        ({"customerId": "a\0b"}, "customerId"),
        ({"paymentToken": ""}, "paymentToken"),
        ({"paymentToken": True}, "paymentToken"),
        ({"paymentToken": "x" * 1001}, "paymentToken"),
        ({"paymentToken": "a\0b"}, "paymentToken"),
    ],
)
def test_what_is_unknown_or_of_the_wrong_shape_is_named_and_nothing_is_set(
    settings: dict[str, Any], field: str, app: Flask, alice: User
) -> None:
    response = alice.call("PATCH", "/comfort", json={"paymentToken": PAYMENT, **settings})

    assert list(field_errors(response)) == [field]
    assert rows(app, "comfort_settings") == 0


@pytest.mark.parametrize("content", ["[]", "null", '"x"', "1"])
def test_a_body_must_be_an_object(content: str, app: Flask, alice: User) -> None:
    assert alice.call("PATCH", "/comfort", **body(content)).status_code == 422
    assert rows(app, "comfort_settings") == 0
