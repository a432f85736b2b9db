"""Paying by one call: with what is stored, with consent, and with the household's PIN."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from jay import db
from jay.checkout import pins
from jay.checkout.comfort import comfort_settings
from jay.checkout.models import SessionState
from jay.errors import (
    AuthenticationRequired,
    CartEmpty,
    GuestNotAllowed,
    InternalError,
    PaymentDeclined,
    PaymentNotStored,
    PinLocked,
    PinRefused,
    PriceChanged,
)
from jay.web import stored_answers
from jay.web.stored_answers import LEASE
from tests.api.buying import ASKS, Till, checkout_of, in_stock
from tests.api.checks import assert_refused, dump, field_errors
from tests.builders import Platform, Shop, User
from tests.clock import MovedClock

PATH = "/checkout/sessions/pay"
PIN = "2468"


@pytest.fixture
def mug(shop: Shop) -> str:
    return shop.product("mug")


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pins, "_METHOD", "scrypt:256:8:1")


def keep(user: User, card: str = "4242", **more: Any) -> dict[str, bool]:
    stored = {"customerId": "C-1", "paymentToken": f"pm_sandbox_{card}"}
    answer = user.call("PATCH", "/comfort", json={**stored, "consent": {"version": "1"}, **more})
    assert answer.status_code == 200, answer.json
    data: dict[str, bool] = answer.json["data"]
    return data


def pay(user: User, **body: Any) -> TestResponse:
    return user.call("POST", PATH, json=body or None)


def test_one_call_pays(till: Till, alice: User, mug: str) -> None:
    assert all(keep(alice, pin=PIN).values())
    alice.put(mug, 2)
    log = till.start(alice)

    paid = pay(alice, pin=PIN, fullPrice=2500, email="zoe@example.org")

    assert paid.status_code == 200, paid.json
    assert (paid.json["data"]["state"], paid.json["data"]["orderNo"]) == ("paid", log["orderNo"])
    assert paid.json["data"]["requirements"] == ["ADDRESS"]
    assert till.intents() == [("captured", 2500, 0)]
    assert (alice.cart(), checkout_of(alice), in_stock(alice, mug)) == ({}, {}, 8)
    assert_refused(pay(alice, pin=PIN), CartEmpty)


def test_a_repeated_call_pays_once(till: Till, alice: User, mug: str) -> None:
    keep(alice)
    alice.put(mug)
    start = threading.Barrier(4)

    def press(_number: int) -> TestResponse:
        start.wait()
        headers = {"Idempotency-Key": "press-1"}
        return alice.call("POST", PATH, headers=headers)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(press, range(4)))
    last = alice.call("POST", PATH, headers={"Idempotency-Key": "press-1"})

    assert {answer.status_code for answer in answers} <= {200, 409}
    assert (last.status_code, last.json["data"]["state"]) == (200, "paid")
    assert till.intents() == [("captured", 1250, 0)]


@pytest.mark.one_database
def test_a_call_that_has_died_after_paying_is_answered_as_paid(
    till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(alice)
    alice.put(mug)
    headers = {"Idempotency-Key": "press-1"}

    def die(*_args: Any, **_more: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(stored_answers, "finish", die)
        patched.setattr(stored_answers, "release", lambda *_args, **_more: None)
        assert_refused(alice.call("POST", PATH, headers=headers), InternalError)
    alice.put(mug)
    till.clock.move(LEASE.total_seconds())

    again = alice.call("POST", PATH, headers=headers)

    assert (again.status_code, again.json["data"]["state"]) == (200, "paid")
    assert (till.intents(), alice.cart()) == ([("captured", 1250, 0)], {mug: 1})


@pytest.mark.one_database
@pytest.mark.parametrize(
    "left", [{"customerId": None}, {"paymentToken": None}, {"consent": None}], ids=str
)
def test_nothing_is_paid_without_all_that_it_takes(
    till: Till, alice: User, mug: str, left: dict[str, None]
) -> None:
    alice.put(mug)
    assert_refused(pay(alice), PaymentNotStored)
    keep(alice)
    alice.call("PATCH", "/comfort", json=left)

    assert_refused(pay(alice), PaymentNotStored)
    assert (alice.cart(), till.intents()) == ({mug: 1}, [])


@pytest.mark.one_database
def test_consent_is_kept_with_its_time_and_what_stood_on_it_goes_with_it(
    app: Flask, alice: User, clock: MovedClock
) -> None:
    keep(alice, pin=PIN)
    with app.app_context(), db.reading() as connection:
        row = connection.execute(select(comfort_settings)).one()
    assert (row.consent_version, row.consent_at) == ("1", clock())

    state = alice.call("PATCH", "/comfort", json={"consent": None}).json["data"]
    assert state == {
        "consentSet": False,
        "customerIdSet": False,
        "paymentTokenSet": False,
        "pinSet": True,
    }


def test_guests_pay_with_nothing_stored(alice: User, platform: Platform, mug: str) -> None:
    keep(alice)
    guest = platform.guest((mug, 1))
    phone = platform.redeem(alice.transfer()["jayToken"]).json["data"]

    assert_refused(pay(guest), GuestNotAllowed)
    assert_refused(pay(User(platform, phone["userId"], phone["token"])), GuestNotAllowed)
    assert_refused(guest.call("PATCH", "/comfort", json={"pin": PIN}), GuestNotAllowed)


def test_a_declined_card_leaves_a_checkout_that_is_paid_otherwise(
    till: Till, alice: User, mug: str
) -> None:
    keep(alice, "9995")
    alice.put(mug)

    refused = pay(alice)

    assert_refused(refused, PaymentDeclined)
    assert refused.json["error"]["details"]["reason"] == "insufficient_funds"
    started = till.start(alice)
    till.pay(started)
    till.hear()
    assert till.state(started) is SessionState.PAID


def test_a_second_step_leads_to_the_phone(till: Till, alice: User, mug: str) -> None:
    keep(alice, "3155")
    alice.put(mug)

    refused = pay(alice)

    assert_refused(refused, AuthenticationRequired)
    started = till.start(alice)
    details = refused.json["error"]["details"]
    assert details["paymentUrl"] == started["psp"]["paymentUrl"]
    assert till.client.get(details["paymentUrl"]).status_code == 200
    till.pay(started, ASKS, step="approve")
    till.hear()
    assert till.intents() == [("captured", 1250, 0)]


def test_what_costs_more_by_now_is_not_paid(till: Till, alice: User, shop: Shop, mug: str) -> None:
    keep(alice)
    alice.put(mug)
    shop.product("mug", price=1300)

    refused = pay(alice, fullPrice=1250)

    assert_refused(refused, PriceChanged)
    assert refused.json["error"]["details"]["fullPrice"] == 1300
    assert till.intents() == [("open", 0, 0)]


# --- the PIN


@pytest.mark.one_database
@pytest.mark.parametrize("pin", ["123", "123456789", "12a4", "\u0661\u0662\u0663\u0664", "1234\n"])
def test_what_is_no_pin(alice: User, pin: str) -> None:
    refused = alice.call("PATCH", "/comfort", json={"pin": pin})
    assert field_errors(refused) == {"pin": ["Must be 4 to 8 digits."]}


def test_after_five_wrong_pins_nothing_is_tried_for_a_while(
    till: Till, alice: User, mug: str
) -> None:
    keep(alice, pin=PIN)
    alice.put(mug)
    assert_refused(pay(alice), PinRefused)  # none at all is no try
    for pin in ("0000", "x", "1111", "24680"):
        assert_refused(pay(alice, pin=pin), PinRefused)

    till.clock.move(60)
    assert pay(alice, pin=PIN).status_code == 200  # the fifth, and the counting begins anew
    alice.put(mug)
    for _ in range(5):
        assert_refused(pay(alice, pin="0000"), PinRefused)
    for seconds in (0, 899):
        till.clock.move(seconds)
        locked = pay(alice, pin=PIN)
        assert_refused(locked, PinLocked)
        assert (locked.status_code, locked.headers["Retry-After"]) == (429, "900")
    till.clock.move(1)
    assert pay(alice, pin=PIN).status_code == 200


def test_tries_at_once_are_no_more_than_five(alice: User, mug: str) -> None:
    keep(alice, pin=PIN)
    alice.put(mug)
    start = threading.Barrier(8)

    def guess(number: int) -> int:
        start.wait()
        return pay(alice, pin=f"000{number}").status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(guess, range(8))) == [403] * 5 + [429] * 3


def test_a_try_that_is_counted_late_does_not_begin_the_count_anew(
    till: Till, alice: User, mug: str
) -> None:
    keep(alice, pin=PIN)
    alice.put(mug)
    for _ in range(5):
        assert_refused(pay(alice, pin="0000"), PinRefused)

    till.clock.move(-1)  # it began before the last one, or another server's clock is behind
    assert_refused(pay(alice, pin="1111"), PinLocked)


def test_a_pin_is_stored_hashed_and_sealed_and_can_be_taken_away(
    app: Flask, alice: User, mug: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(alice, pin=PIN)
    alice.put(mug)
    pay(alice, pin="8642")
    everything = dump(app) + capsys.readouterr().out
    assert PIN not in everything.replace("2025-", "")
    assert "scrypt" not in everything
    assert "pm_sandbox" not in everything

    keep(alice, pin=None)
    assert pay(alice).status_code == 200


@pytest.mark.parametrize("pin", [None, "1357"])
def test_who_does_not_know_the_pin_gets_no_further_by_setting_another_one(
    alice: User, mug: str, pin: str | None
) -> None:
    keep(alice, pin=PIN)
    alice.put(mug)

    state = alice.call("PATCH", "/comfort", json={"pin": pin}).json["data"]

    assert (state["paymentTokenSet"], state["pinSet"]) == (False, pin is not None)
    assert_refused(pay(alice, pin=pin or "0000"), PaymentNotStored)
