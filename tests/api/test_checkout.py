"""Checkout over HTTP with the sandbox: from the cart to a paid session, exactly once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, event, select

from jay import db
from jay.checkout import flow, reconciling, sessions
from jay.checkout.models import Session, SessionState
from jay.checkout.notices import psp_notices
from jay.checkout.order_numbers import typed_order_no
from jay.checkout.providers.interface import Intent
from jay.checkout.sandbox import service as sandbox
from jay.checkout.sandbox.models import SIGNATURE_HEADER, sandbox_intents, sign
from jay.checkout.sandbox.provider import Sandbox
from jay.db import turns
from jay.db.database import Database
from jay.errors import (
    CartEmpty,
    CheckoutNotFound,
    CheckoutPaying,
    MixedCurrency,
    NoActiveCheckout,
    PaymentProviderUnavailable,
    PaymentRefused,
    WebhookRefused,
)
from jay.outbox.models import outbox
from jay.products.models import stock_reservations
from tests.api.buying import ASKS, DECLINED, Till, checkout_of, in_stock
from tests.api.checks import assert_refused
from tests.builders import Platform, Shop, User, add_platform
from tests.clock import PATIENCE_SECONDS
from tests.conftest import SECRET

LATE = "4000000000000341"


@pytest.fixture
def mug(shop: Shop) -> str:
    return shop.product("mug")


# --- the way to an order


def test_a_cart_is_paid(till: Till, alice: User, shop: Shop, mug: str) -> None:
    hat = shop.product("hat", price=1000, vat=7.0)
    alice.put(mug, 2)
    alice.put(hat)

    started = till.start(alice)

    assert typed_order_no(started["orderNo"]) == started["orderNo"]
    assert (started["fullPrice"], started["shippingCost"]) == (3500, 0)
    assert (started["fullTax"], started["currency"]) == (399 + 65, "EUR")
    assert started["positions"][0] == {
        "productId": mug,
        "count": 2,
        "price": 1250,
        "orgPrice": 1250,
        "lowestPrice30": None,
        "vat": 19.0,
        "tax": 399,
        "lineTotal": 2500,
        "merchant": "mugshop",
    }
    assert started["merchants"] == [
        {"merchant": "mugshop", "goods": 3500, "shipping": 0, "tax": 464, "total": 3500}
    ]
    assert started["expires"] == "2025-06-04T12:30:00Z"
    assert (alice.cart(), checkout_of(alice)) == ({}, {mug: 2, hat: 1})
    assert in_stock(alice, mug) == 8

    assert till.pay(started).status_code == 303
    till.hear()

    assert till.state(started) is SessionState.PAID
    assert till.intents() == [("captured", 3500, 0)]
    assert (alice.cart(), checkout_of(alice)) == ({}, {})
    assert in_stock(alice, mug) == 8


def test_the_shopper_who_comes_back_is_told_before_any_webhook(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    back = urlsplit(till.pay(started).location).path

    page = till.client.get(back)

    assert page.status_code == 200
    assert till.state(started) is SessionState.PAID
    till.hear()  # late, and all is as it was
    assert till.intents() == [("captured", 1250, 0)]


def test_a_client_that_says_so_has_the_provider_asked(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)

    unpaid = alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": True})
    assert unpaid.json["data"]["checkout"] == [{"productId": mug, "count": 1}]
    assert till.state(started) is SessionState.OPEN

    till.pay(started)
    paid = alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": True})
    assert paid.json["data"]["checkout"] == []
    assert till.state(started) is SessionState.PAID


def test_a_payment_of_which_no_webhook_tells_is_found(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.pay(started, LATE)

    till.hear()
    assert till.state(started) is SessionState.OPEN
    till.clock.move(15)
    till.work()
    assert till.state(started) is SessionState.PAID


def test_the_worker_delivers_the_sandboxs_webhooks(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    till.pay(till.start(alice))

    with till.app.app_context(), db.reading() as connection:
        rows = connection.execute(select(outbox.c.body, outbox.c.due, outbox.c.created)).all()
    assert [orjson.loads(row.body)["type"] for row in rows] == [
        "payment_intent.amount_capturable_updated"
    ]
    assert rows[0].due == rows[0].created


def test_the_worker_works_on_what_it_hears(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.pay(started)
    for body in till.webhooks():
        till.tell(body)
    with till.app.app_context():
        run = reconciling.reconciler()
    stop, deadline = threading.Event(), time.monotonic() + PATIENCE_SECONDS

    working = threading.Thread(target=run, args=(stop,))  # as the worker does, without a context
    working.start()
    while till.state(started) is not SessionState.PAID and time.monotonic() < deadline:
        stop.wait(0.05)
    stop.set()
    working.join()

    assert till.state(started) is SessionState.PAID


# --- what does not go through


def test_a_declined_card_may_be_followed_by_another(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)

    assert till.pay(started, DECLINED).status_code == 402
    assert till.pay(started, "1234").status_code == 422
    till.hear()
    assert till.state(started) is SessionState.OPEN

    till.pay(started)
    till.hear()
    assert till.state(started) is SessionState.PAID


def test_a_bank_may_ask_for_a_second_step(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)

    assert b'name="step"' in till.pay(started, ASKS).data
    assert till.pay(started, ASKS, step="refuse").status_code == 402
    assert till.state(started) is SessionState.OPEN
    assert till.pay(started, ASKS, step="approve").status_code == 303
    till.hear()
    assert till.state(started) is SessionState.PAID


def test_what_can_not_be_bought_stays_in_the_cart(till: Till, alice: User, shop: Shop) -> None:
    mug, hat, cup = shop.product("mug"), shop.product("hat"), shop.product("cup", stock_count=3)
    for each, count in ((mug, 1), (hat, 1), (cup, 3)):
        alice.put(each, count)
    shop.product("hat", not_shoppable=True)
    shop.product("cup", stock_count=2)

    started = till.start(alice)

    assert started["novalidProducts"] == [
        {"productId": hat, "reason": "NOT_SHOPPABLE"},
        {"productId": cup, "reason": "OUT_OF_STOCK"},
    ]
    assert (alice.cart(), checkout_of(alice)) == ({hat: 1, cup: 3}, {mug: 1})
    assert till.start(alice)["orderNo"] == started["orderNo"]


def test_nothing_to_buy(till: Till, alice: User, shop: Shop, mug: str) -> None:
    assert_refused(alice.call("POST", "/checkout/sessions"), CartEmpty)
    alice.put(mug)
    shop.product("mug", not_shoppable=True)
    refused = alice.call("POST", "/checkout/sessions")
    assert refused.status_code == 409
    assert refused.json["error"]["details"] == [{"product": mug, "reason": "NOT_SHOPPABLE"}]
    assert alice.cart() == {mug: 1}


def test_more_than_there_is(till: Till, alice: User, shop: Shop, mug: str) -> None:
    alice.put(mug, 3)
    shop.product("mug", stock_count=2)

    refused = alice.call("POST", "/checkout/sessions")

    assert_refused(refused, CartEmpty)
    assert refused.json["error"]["details"] == [{"product": mug, "reason": "OUT_OF_STOCK"}]
    assert (alice.cart(), in_stock(alice, mug)) == ({mug: 3}, 2)


def test_two_currencies_are_not_paid_at_once(till: Till, alice: User, shop: Shop, mug: str) -> None:
    alice.put(mug)
    alice.put(shop.product("cup", currency="GBP"))

    assert_refused(alice.call("POST", "/checkout/sessions"), MixedCurrency)
    assert in_stock(alice, mug) == 10


# --- ending, and beginning again


def test_an_aborted_checkout_gives_everything_back(till: Till, alice: User, mug: str) -> None:
    alice.put(mug, 3)
    started = till.start(alice)

    ended = alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": False})

    assert ended.json["data"]["cart"] == [{"productId": mug, "count": 3}]
    assert (till.state(started), till.intents()) == (SessionState.ABORTED, [("cancelled", 0, 0)])
    assert in_stock(alice, mug) == 10
    assert_refused(
        alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": False}),
        NoActiveCheckout,
    )
    gone = alice.call("GET", "/checkout/sessions/active")
    assert (gone.status_code, gone.json["error"]["details"]) == (404, "NO_ACTIVE_CHECKOUT")
    assert gone.json["error"]["code"] == CheckoutNotFound.code


def test_the_same_cart_is_the_same_checkout(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    first = till.start(alice)
    till.clock.move(60)

    assert till.start(alice) == first
    assert alice.call("GET", "/checkout/sessions/active").json["data"] == first
    assert in_stock(alice, mug) == 9


def test_a_changed_cart_is_another_one_and_the_old_payment_is_cancelled(
    till: Till, alice: User, shop: Shop, mug: str
) -> None:
    alice.put(mug)
    first = till.start(alice)
    alice.put(shop.product("hat", price=500))

    second = till.start(alice)

    assert second["orderNo"] != first["orderNo"]
    assert (till.state(first), second["fullPrice"]) == (SessionState.ABORTED, 1750)
    assert till.pay(first).status_code == 303  # leads back, and takes nothing
    till.hear()
    assert sorted(till.intents()) == [("cancelled", 0, 0), ("open", 0, 0)]
    assert in_stock(alice, mug) == 9


def test_an_old_payment_that_was_made_already_wins_over_a_changed_cart(
    till: Till, alice: User, shop: Shop, mug: str
) -> None:
    alice.put(mug)
    first = till.start(alice)
    till.pay(first)
    with till.app.app_context():  # the provider has captured it, and we have not heard
        assert db.write(sessions.begin_paying, first["orderNo"], now=till.clock())
        intent = till.session(first["orderNo"]).intent_id
        db.write(sandbox.capture, intent, now=till.clock())
    hat = shop.product("hat", price=500)
    alice.put(hat)

    second = till.start(alice)

    assert till.state(first) is SessionState.PAID
    assert [one["productId"] for one in second["positions"]] == [hat]


def test_a_payment_that_arrives_after_the_end_goes_back(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    found = till.session(started["orderNo"])
    with till.app.app_context():
        # As it were at a provider that captures at once, and cancels nothing any more.
        db.write(sessions.end, found, SessionState.ABORTED, now=till.clock())
        till.pay(started)
        db.write(sandbox.capture, found.intent_id, now=till.clock())

    for _ in range(2):
        till.hear()

    assert till.state(started) is SessionState.ABORTED
    assert till.intents() == [("captured", 1250, 1250)]
    assert (alice.cart(), in_stock(alice, mug)) == ({mug: 1}, 10)


def test_a_payment_of_another_amount_goes_back_and_makes_no_order(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    intent = till.session(started["orderNo"]).intent_id
    till.pay(started)
    with till.app.app_context(), db.transaction() as connection:
        connection.execute(sandbox_intents.update().values(amount=1))
        sandbox.capture(connection, str(intent), now=till.clock())

    till.hear()

    assert till.intents() == [("captured", 1, 1)]
    assert till.state(started) is SessionState.ABORTED
    assert in_stock(alice, mug) == 10


def test_what_the_provider_refuses_for_good_keeps_nobody_waiting(
    till: Till, alice: User, shop: Shop, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.put(mug)

    def refuse(*_args: Any) -> Any:
        raise PaymentRefused("amount_too_small")

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "open", refuse)
        refused = alice.call("POST", "/checkout/sessions")

    assert refused.status_code == PaymentRefused.status
    assert refused.json["error"]["details"] == {
        "constant": "PAYMENT_REFUSED",
        "reason": "amount_too_small",
    }
    assert (alice.cart(), checkout_of(alice), in_stock(alice, mug)) == ({mug: 1}, {}, 10)
    alice.put(shop.product("hat"))
    assert till.start(alice)["fullPrice"] == 2500


def test_a_session_whose_payment_was_refused_is_ended_by_whoever_looks_next(
    till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.put(mug)

    def fail(*_args: Any) -> Any:
        raise PaymentProviderUnavailable

    def refuse(*_args: Any) -> Any:
        raise PaymentRefused

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "open", fail)
        assert alice.call("POST", "/checkout/sessions").status_code == 503
        assert checkout_of(alice) == {mug: 1}  # it is not known what has happened
        patched.setattr(Sandbox, "open", refuse)
        till.clock.move(1800)
        till.work()

    assert (alice.cart(), checkout_of(alice), in_stock(alice, mug)) == ({mug: 1}, {}, 10)


def second_payment(till: Till, started: dict[str, Any], **values: Any) -> None:
    """Let the provider have another payment of the same session, and tell about it."""
    with till.app.app_context(), db.transaction() as connection:
        first = till.session(started["orderNo"]).intent_id
        row = connection.execute(select(sandbox_intents).where(sandbox_intents.c.id == first)).one()
        another = row._asdict() | {"id": "pi_sandbox_second"} | values
        connection.execute(sandbox_intents.insert().values(**another))
    told = {"id": "evt_second", "type": "payment_intent.succeeded", "intent": "pi_sandbox_second"}
    assert till.tell(orjson.dumps(told).decode()).status_code == 200
    till.work()


@pytest.mark.parametrize("ended", ["open", "paid"])
def test_a_second_payment_of_a_session_goes_back(
    till: Till, alice: User, mug: str, ended: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    if ended == "paid":
        till.pay(started)
        till.hear()

    second_payment(till, started, status="captured", captured=1250, card="4242")

    assert till.state(started) == ended
    assert min(till.intents()) == ("captured", 1250, 1250 if ended == "open" else 0)
    assert [one for one in till.intents() if one[2]] == [("captured", 1250, 1250)]


def test_a_second_payment_of_a_session_is_not_captured(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)

    second_payment(till, started, status="authorised", card="4242")

    assert till.state(started) is SessionState.OPEN
    assert sorted(till.intents()) == [("cancelled", 0, 0), ("open", 0, 0)]


def test_what_is_held_no_longer_is_not_captured(
    till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.pay(started)
    find = Sandbox.find

    def lapsed(self: Sandbox, intent: str, *, test: bool) -> Intent | None:
        found = find(self, intent, test=test)
        return found and replace(found, capture_before=till.clock())

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "find", lapsed)
        till.hear()

    assert till.intents() == [("cancelled", 0, 0)]
    assert till.state(started) is SessionState.ABORTED


def test_who_keeps_account_of_a_paid_order_hears_what_the_provider_tells_later(
    till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[str, int]] = []

    def follow(_connection: Connection, session: Session, intent: Intent, *, now: Any) -> None:
        heard.append((session.order_no, intent.refunded))

    monkeypatch.setattr(sessions, "_following", {follow})
    alice.put(mug)
    started = till.start(alice)
    till.pay(started)
    till.hear()
    heard.clear()
    with till.app.app_context():  # somebody gives it back by the provider's own pages
        intent = till.session(started["orderNo"]).intent_id
        db.write(sandbox.refund, intent, 250, "goodwill", now=till.clock())
    till.hear()

    assert set(heard) == {(started["orderNo"], 250)}


def test_a_basket_that_is_deleted_takes_its_checkout_with_it(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    started = till.start(alice)

    assert alice.call("DELETE").status_code == 200
    till.pay(started)
    till.hear()

    assert till.state(started) is SessionState.EXPIRED
    assert till.intents() == [("cancelled", 0, 0)]
    assert (alice.cart(), in_stock(alice, mug)) == ({}, 10)


def test_a_guests_checkout_ends_with_the_merge_and_not_while_it_is_paid(
    till: Till, alice: User, platform: Platform, mug: str
) -> None:
    guest = platform.guest((mug, 2))
    started = till.start(guest)
    with till.app.app_context():
        db.write(sessions.begin_paying, started["orderNo"], now=till.clock())

    merge = {"guestToken": guest.token}
    assert_refused(alice.call("POST", "/merge", json=merge), CheckoutPaying)
    till.clock.move(1800)
    till.work()  # nothing has come of it: its time is over
    assert (till.state(started), guest.cart()) == (SessionState.EXPIRED, {mug: 2})

    again = till.start(guest)
    assert alice.call("POST", "/merge", json=merge).status_code == 200
    till.work()
    assert till.state(again) is SessionState.EXPIRED
    assert (alice.cart(), in_stock(alice, mug)) == ({mug: 2}, 10)


def test_a_basket_that_goes_after_its_products_were_taken_out_of_checkout(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug, 2)
    started = till.start(alice)
    alice.put(mug, 1)  # it is in the cart again, and the payment still open

    assert alice.call("DELETE").status_code == 200
    till.pay(started)
    till.hear()

    assert till.intents() == [("cancelled", 0, 0)]
    assert in_stock(alice, mug) == 10


def test_a_client_that_is_slower_than_the_webhook_is_not_refused(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    till.pay(till.start(alice))
    till.hear()

    told = alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": True})
    assert (told.status_code, told.json["data"]["checkout"]) == (200, [])
    aborted = alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": False})
    assert_refused(aborted, NoActiveCheckout)


def test_a_purchase_without_a_key_writes_as_often_as_it_has_steps(
    till: Till, alice: User, mug: str
) -> None:
    database: Database = till.app.extensions["jay.db"]
    begun: list[Connection] = []
    alice.put(mug)
    event.listen(database.engine, "begin", begun.append)

    started = till.start(alice)
    # What is reserved, the session, the provider's payment, and the session's note of it.
    assert len(begun) == 4

    till.pay(started)
    begun.clear()
    finished = alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": True})
    assert finished.status_code == 200
    # The session is being paid, the provider takes the money, and the order is made.
    assert len(begun) == 3
    assert till.state(started) is SessionState.PAID


def test_a_payment_that_was_cancelled_is_not_handed_out_again(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    first = till.start(alice)
    with till.app.app_context():  # by a stop that died before it could end the session
        db.write(sandbox.cancel, till.session(first["orderNo"]).intent_id, now=till.clock())

    second = till.start(alice)

    assert second["orderNo"] != first["orderNo"]
    assert till.state(first) is SessionState.ABORTED


def test_what_ran_out_before_it_was_frozen_is_reserved_anew(
    till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.put(mug)
    freeze, times = sessions.freeze, []

    def slowly(connection: Connection, *args: Any, **more: Any) -> Any:
        times.append(1)
        if len(times) == 1:  # as it were by somebody who has found that it ran out
            turns.take(connection)
            connection.execute(stock_reservations.delete())
        return freeze(connection, *args, **more)

    with monkeypatch.context() as patched:
        patched.setattr(sessions, "freeze", slowly)
        till.start(alice)

    assert len(times) == 2


def test_what_another_start_of_the_same_user_has_reserved_looks_sold_out_to_others_alone(
    till: Till, alice: User, shop: Shop, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = alice.platform.user("bob")
    shop.product("mug", stock_count=1)
    for each in (alice, bob):
        each.put(mug)
    freeze = sessions.freeze
    left_out: dict[str, list[str]] = {}

    def looked_at(
        connection: Connection, user: Any, draft: Any, order_no: str, asked: Any, **more: Any
    ) -> Any:
        with db.reading() as other:
            for each in (alice, bob):
                found = sessions.draft(
                    other, replace(user, user_id=each.id), asked, now=till.clock()
                )
                left_out[each.id] = [one.product_id for one in found.left_out]
        return freeze(connection, user, draft, order_no, asked, **more)

    monkeypatch.setattr(sessions, "freeze", looked_at)
    till.start(alice)

    assert left_out == {alice.id: [], bob.id: [mug]}


def test_many_starts_for_the_last_piece_are_one_checkout(
    till: Till, alice: User, shop: Shop, mug: str
) -> None:
    shop.product("mug", stock_count=1)
    alice.put(mug)
    alice.put(shop.product("hat"))

    answers = at_once(6, lambda: alice.call("POST", "/checkout/sessions"))

    assert {answer.status_code for answer in answers} == {200}
    assert {len(answer.json["data"]["positions"]) for answer in answers} == {2}


# --- time


def test_after_half_an_hour_all_goes_back(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.clock.move(1799)
    till.work()
    assert till.state(started) is SessionState.OPEN

    till.clock.move(1)
    till.work()

    assert (till.state(started), till.intents()) == (SessionState.EXPIRED, [("cancelled", 0, 0)])
    assert (alice.cart(), in_stock(alice, mug)) == ({mug: 1}, 10)


def test_where_the_worker_is_late_whoever_looks_first_ends_it(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.clock.move(1800)

    assert alice.call("GET", "/checkout/sessions/active").status_code == 404
    assert till.start(alice)["orderNo"] != started["orderNo"]
    assert till.state(started) is SessionState.EXPIRED


def test_an_authorisation_that_comes_after_the_end_takes_no_money(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.clock.move(1799)
    till.pay(started)
    till.clock.move(1)

    till.hear()

    assert till.intents() == [("cancelled", 0, 0)]
    assert till.state(started) is SessionState.EXPIRED


def test_a_start_that_died_halfway_leaves_nothing_reserved(
    till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.put(mug)

    def die(*_args: Any, **_more: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(sessions, "freeze", die)
        patched.setattr("jay.products.stock.release", lambda *_args: None)
        with pytest.raises(SystemExit):
            alice.call("POST", "/checkout/sessions")
    assert in_stock(alice, mug) == 9

    till.clock.move(120)
    till.work()
    assert in_stock(alice, mug) == 10


def test_a_start_that_died_before_the_provider_had_answered_goes_on(
    till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.put(mug)
    with monkeypatch.context() as patched:
        patched.setattr(sessions, "record_intent", _dies)
        with pytest.raises(SystemExit):
            alice.call("POST", "/checkout/sessions")

    started = till.start(alice)
    till.pay(started)
    till.hear()

    assert till.intents() == [("captured", 1250, 0)]
    assert till.state(started) is SessionState.PAID


def _dies(*_args: Any, **_more: Any) -> Any:
    raise SystemExit


# --- only once


def at_once(times: int, work: Callable[[], Any]) -> list[Any]:
    start = threading.Barrier(times)

    def run(_number: int) -> Any:
        start.wait()
        return work()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def test_many_starts_at_once_are_one_checkout(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)

    answers = at_once(6, lambda: alice.call("POST", "/checkout/sessions"))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["data"]["orderNo"] for answer in answers}) == 1
    assert in_stock(alice, mug) == 9


def test_however_many_settle_it_is_paid_once(till: Till, alice: User, mug: str) -> None:
    alice.put(mug, 2)
    started = till.start(alice)
    till.pay(started)

    def settle() -> None:
        with till.app.app_context():
            flow.settle(started["orderNo"])

    at_once(6, settle)

    assert till.intents() == [("captured", 2500, 0)]
    assert till.state(started) is SessionState.PAID
    assert in_stock(alice, mug) == 8


def test_the_last_piece_is_sold_to_one_of_many(
    till: Till, platform: Platform, shop: Shop, mug: str
) -> None:
    shop.product("mug", stock_count=2)
    guests = [platform.guest((mug, 1)) for _ in range(6)]
    waiting = iter(guests)

    answers = at_once(6, lambda: next(waiting).call("POST", "/checkout/sessions"))

    assert sorted(answer.status_code for answer in answers) == [200, 200, 409, 409, 409, 409]
    assert in_stock(guests[0], mug) == 0


def test_a_partner_may_have_nothing_but_tests(
    app: Flask, client: FlaskClient, till: Till, shop: Shop, mug: str
) -> None:
    trial = add_platform(app, client, "trial", test_payments=True).user()
    trial.put(mug)

    for query in ("", "?testMode=false"):
        started = trial.call("POST", f"/checkout/sessions{query}").json["data"]
        assert started["psp"]["testMode"] is True
    assert till.session(started["orderNo"]).test is True


def test_what_is_only_tried_out_keeps_nothing_from_those_who_buy(
    till: Till, alice: User, platform: Platform, shop: Shop, mug: str
) -> None:
    shop.product("mug", stock_count=1)
    guest = platform.guest((mug, 1))
    alice.put(mug)
    tried = alice.call("POST", "/checkout/sessions?testMode=true").json["data"]
    assert (tried["psp"]["testMode"], in_stock(alice, mug)) == (True, 1)

    till.pay(tried)
    till.hear()
    assert (till.state(tried), in_stock(alice, mug)) == (SessionState.PAID, 1)

    bought = till.start(guest)
    assert bought["positions"] != []
    till.pay(bought)
    till.hear()
    assert (till.state(bought), in_stock(alice, mug)) == (SessionState.PAID, 0)


def test_paying_against_aborting_ends_in_one_of_two_ways(
    till: Till, platform: Platform, mug: str
) -> None:
    ends = set()
    for _ in range(5):
        guest = platform.guest((mug, 1))
        started = till.start(guest)
        till.pay(started)

        def settle(order_no: str = started["orderNo"]) -> None:
            with till.app.app_context():
                flow.settle(order_no)

        def abort(user: User = guest) -> None:
            user.call("POST", "/checkout/sessions/finish-active", json={"ordered": False})

        works = iter([settle, abort])
        at_once(2, lambda works=works: next(works)())  # type: ignore[misc]
        till.clock.move(15)
        till.work()
        money, lists = till.intents()[-1], (guest.cart(), checkout_of(guest))
        state = till.state(started)
        ends.add((state, money, lists == ({}, {})))

    assert ends <= {
        (SessionState.PAID, ("captured", 1250, 0), True),
        (SessionState.ABORTED, ("cancelled", 0, 0), False),
    }


# --- webhooks


def test_a_webhook_is_stored_once_and_only_says_when_to_ask(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    intent = till.session(started["orderNo"]).intent_id
    lie = {"id": "evt_1", "type": "payment_intent.succeeded", "intent": intent}

    for _ in range(3):
        assert till.tell(orjson.dumps(lie).decode()).status_code == 200
        till.work()

    assert till.state(started) is SessionState.OPEN
    with till.app.app_context(), db.reading() as connection:
        assert len(connection.execute(select(psp_notices)).all()) == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"id": "evt_1", "type": "x", "intent": "pi"}', {SIGNATURE_HEADER: "t=1,v1=00"}),
        (b'{"id": "evt_1", "type": "x", "intent": "pi"}', {SIGNATURE_HEADER: ""}),
        (b'{"id": "evt_1", "type": "x", "intent": "pi"}', {SIGNATURE_HEADER: "t=9e99"}),
        (b'{"id": "evt_1", "type": "x", "intent": "pi"}', {SIGNATURE_HEADER: "t=" + "9" * 30}),
        (b"\xff\xfe", {}),
        (b"[]", {}),
        (b"{", {}),
        (b"", {}),
    ],
)
def test_what_is_no_webhook_is_refused(till: Till, body: bytes, headers: dict[str, str]) -> None:
    try:
        signed: str | bytes = body.decode() if not headers else body
    except UnicodeDecodeError:
        signed = body
    refused = till.tell(signed, **headers)

    assert refused.status_code == WebhookRefused.status
    with till.app.app_context(), db.reading() as connection:
        assert connection.execute(select(psp_notices)).all() == []


@pytest.mark.parametrize("seconds", [-4 * 86400, 400])
def test_a_stale_webhook_and_one_from_the_future_are_refused(till: Till, seconds: int) -> None:
    body = '{"id": "evt_1", "type": "x", "intent": "pi"}'
    at = int((till.clock() + timedelta(seconds=seconds)).timestamp())

    assert till.tell(body, **{SIGNATURE_HEADER: sign(body, at, SECRET)}).status_code == 400


def test_events_of_other_things_are_answered_and_ignored(till: Till) -> None:
    body = '{"id": "evt_1", "type": "payout.paid", "intent": "pi_of_another_system"}'

    assert till.tell(body).status_code == 200
    till.work()


def test_who_does_not_know_the_address_does_not_pay(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    path = urlsplit(till.start(alice)["psp"]["paymentUrl"]).path

    assert till.client.get(path[:-1] + ("0" if path[-1] != "0" else "1")).status_code == 404
    assert till.client.get("/checkout/return/J234567892345").status_code == 404


@pytest.mark.parametrize("how", ["start", "finish", "expiry"])
def test_a_checkout_at_a_provider_that_is_gone_locks_nobody_out(
    how: str, till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.put(mug)
    old = till.start(alice)
    monkeypatch.setattr(till.app.extensions["jay.psp"], "name", "acme")

    if how == "start":
        new = till.start(alice)
        assert new["orderNo"] != old["orderNo"]
        assert till.session(new["orderNo"]).provider == "acme"
    elif how == "finish":
        done = alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": False})
        assert done.status_code == 200
    else:
        till.clock.move(31 * 60)
        till.work()
    assert till.state(old) is SessionState.ABORTED
    if how != "start":
        assert (alice.cart(), checkout_of(alice), in_stock(alice, mug)) == ({mug: 1}, {}, 10)
