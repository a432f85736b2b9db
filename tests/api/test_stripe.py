"""The whole checkout at Stripe, and what others got wrong with it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from jay import db, make_ready
from jay.checkout import flow, sessions
from jay.checkout.models import SessionState, checkout_sessions
from jay.checkout.notices import psp_notices
from jay.checkout.providers.stripe import account
from jay.errors import (
    AuthenticationRequired,
    CheckoutPaying,
    NoActiveCheckout,
    PaymentRefused,
    PaymentUnavailable,
)
from jay.orders import service
from tests.api import stripes
from tests.api.checks import assert_refused
from tests.api.stripes import Till
from tests.builders import Shop, User
from tests.conftest import Apps
from tests.stripe_api import CAPTURE_WITHIN, Json, StripeApi

pytestmark = pytest.mark.one_database

PAID = ("succeeded", 1250, 0)
FINISH = "/checkout/sessions/finish-active"


@pytest.fixture(params=["elements", "hosted"])
def page(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def app(app: Flask, apps: Apps, database_url: str, stripe_api: StripeApi, page: str) -> Flask:
    made = apps.on(database_url, psp="stripe", stripe=stripes.settings(stripe_api, page))
    return make_ready(made)


only_elements = pytest.mark.parametrize("page", ["elements"])


@pytest.fixture
def till(app: Flask, stripe_api: StripeApi) -> Till:
    return Till(app, stripe_api)


@pytest.fixture
def mug(shop: Shop) -> str:
    return shop.product("mug")


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The orders that are made, and what each was paid."""
    made: list[tuple[str, int]] = []

    def note(_connection: Any, session: Any, intent: Any, **_more: Any) -> None:
        made.append((session.order_no, intent.captured))

    monkeypatch.setattr(sessions, "_making_orders", {note})
    return made


def lists(user: User) -> tuple[dict[str, int], dict[str, int]]:
    basket = user.basket()
    cart, checkout = (
        {one["productId"]: one["count"] for one in basket[name]} for name in ("cart", "checkout")
    )
    return cart, checkout


# --- the way to an order


def test_a_cart_is_paid(
    till: Till, alice: User, mug: str, orders: list[tuple[str, int]], page: str
) -> None:
    alice.put(mug)
    started = till.start(alice)

    how = started["psp"]
    assert (how["name"], how["publishableKey"], how["testMode"]) == ("stripe", "pk_test_jay", True)
    begins = (
        "http://localhost/checkout/pay/J" if page == "elements" else "https://checkout.stripe.com/"
    )
    assert how["paymentUrl"].startswith(begins)
    till.api.pay(till.intent(started))
    till.hear()

    assert till.state(started) is SessionState.PAID
    assert till.money(started) == PAID
    # Held and taken are told both, and are one payment.
    assert orders == [(started["orderNo"], 1250)]
    assert lists(alice) == ({}, {})


def test_the_ways_to_pay_are_those_that_stripe_says(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    till.start(alice)

    with till.app.app_context(), db.reading() as connection:
        stored = connection.execute(select(checkout_sessions.c.methods)).scalar_one()
    assert stored == ["card", "klarna", "paypal", "ideal"]


def test_webhook_and_return_at_once_make_one_order(
    till: Till, alice: User, mug: str, orders: list[tuple[str, int]]
) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started))

    def settle() -> None:
        with till.app.app_context():
            flow.settle(started["orderNo"])

    with ThreadPoolExecutor(4) as pool:
        for one in [pool.submit(settle) for _ in range(4)]:
            one.result()
    assert till.come_back(started).status_code == 200
    till.hear()

    assert till.money(started) == PAID
    assert orders == [(started["orderNo"], 1250)]


def test_what_no_webhook_tells_is_found(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started), "klarna")

    till.api.clock.move(15)
    till.work()

    assert till.state(started) is SessionState.PAID


def test_a_way_to_pay_that_moves_the_money_at_once(
    till: Till, alice: User, mug: str, orders: list[tuple[str, int]]
) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started), "ideal")
    till.hear()

    assert till.money(started) == PAID
    assert len(orders) == 1


def test_money_that_moves_after_the_end_goes_back(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    found = till.session(started)
    with till.app.app_context():  # as where cancelling comes too late
        db.write(sessions.end, found, SessionState.ABORTED, now=till.api.clock())
    till.api.pay(till.intent(started), "ideal")
    till.hear()

    assert till.money(started) == ("succeeded", 1250, 1250)
    assert till.state(started) is SessionState.ABORTED


@only_elements
def test_a_slow_way_to_pay_is_waited_for(
    till: Till, alice: User, mug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "TOO_SLOW", ())
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started), "sepa_debit")
    till.hear()
    till.api.clock.move(3600)
    till.work()

    assert till.state(started) is SessionState.OPEN
    assert_refused(alice.call("POST", FINISH, json={"ordered": False}), CheckoutPaying)
    till.api.clear(till.intent(started))
    till.hear()
    assert (till.state(started), till.money(started)) == (SessionState.PAID, PAID)


# --- what others got wrong


def test_the_old_intent_can_not_be_paid_after_the_cart_has_changed(
    till: Till, alice: User, shop: Shop, mug: str
) -> None:
    alice.put(mug)
    first = till.start(alice)
    alice.put(shop.product("hat"))

    second = till.start(alice)

    assert second["orderNo"] != first["orderNo"]
    assert not till.api.pay(till.intent(first))
    assert till.state(first) is SessionState.ABORTED
    assert till.api.pay(till.intent(second))


def test_a_reload_charges_nobody_twice(
    till: Till, alice: User, mug: str, orders: list[tuple[str, int]]
) -> None:
    alice.put(mug)
    started = till.start(alice)
    assert till.start(alice)["psp"] == started["psp"]
    assert till.api.pay(till.intent(started))
    assert not till.api.pay(till.intent(started))
    till.hear()

    for _ in range(2):
        assert till.come_back(started).status_code == 200
    assert till.money(started) == PAID
    assert len(orders) == 1
    assert len([one for one in till.api.objects.values() if one["object"] == "charge"]) == 1


def test_what_was_held_for_too_long_is_not_captured(
    till: Till, alice: User, mug: str, orders: list[tuple[str, int]]
) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started))
    with till.app.app_context():
        held = flow.provider().find(till.intent(started), test=True)
    assert held is not None
    assert held.capture_before == till.api.clock() + CAPTURE_WITHIN
    till.api.lapse(till.intent(started))
    till.hear()

    assert till.money(started) == ("canceled", 0, 0)
    assert (till.state(started), orders) == (SessionState.ABORTED, [])
    assert lists(alice) == ({mug: 1}, {})


def test_a_failed_payment_is_heard_without_an_error(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.decline(till.intent(started))
    till.hear()

    assert till.state(started) is SessionState.OPEN
    assert till.api.pay(till.intent(started))
    till.hear()
    assert till.state(started) is SessionState.PAID


@only_elements
def test_events_of_other_systems_on_the_account_are_answered_and_change_nothing(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    before = len(till.api.asked)
    for name, subject in (
        ("payment_intent.succeeded", {"id": "pi_other", "metadata": {}}),
        ("payment_intent.succeeded", {"id": "pi_other", "metadata": {"order": "1"}}),
        ("invoice.paid", {"id": "in_1", "payment_intent": "pi_other"}),
        ("something.new", {"id": "x"}),
    ):
        event = {"id": name, "type": name, "livemode": False, "data": {"object": subject}}
        assert till.tell(event).status_code == 200
    till.work()

    assert len(till.api.asked) == before  # nobody had to be asked
    assert till.state(started) is SessionState.OPEN


def test_another_installations_payment_is_left_alone(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started))
    with till.app.app_context(), db.transaction() as connection:  # it has no such session
        connection.execute(checkout_sessions.delete())
    events = len(till.api.events)
    till.hear()

    assert len(till.api.events) == events


@only_elements
def test_a_second_webhook_secret_does_not_end_the_first(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started))
    for number, secret in enumerate(stripes.TEST.webhooks):
        event = {**till.api.events[0], "id": f"evt_of_{number}"}
        assert till.tell(event, secret).status_code == 200
    assert till.tell(till.api.events[0], "whsec_of_nobody").status_code == 400


def test_a_refund_on_stripes_pages_reaches_the_order(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started))
    till.hear()
    payment = till.api.payment_of(till.intent(started))
    till.api._refund({"payment_intent": payment["id"], "amount": "1250"}, livemode=False)
    till.hear()

    with till.app.app_context(), db.reading() as connection:
        order = service.find(connection, started["orderNo"])
        assert order is not None
        assert order.intent_id == payment["id"]  # not the page's, which is over
        [part] = service.parts_of(connection, order)
    assert (part.refunded, part.state) == (1250, "new")


@only_elements
def test_what_a_merchant_can_not_give_back_is_told_after_the_shopper_has_it(
    till: Till, alice: User, mug: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started))
    till.hear()
    with till.app.app_context():
        psp, intent = flow.provider(), till.intent(started)
        share = psp.transfer(intent, part="J-1", account="acct_mug", amount=1000, test=True)
        till.api.poor.add("acct_mug")

        assert psp.refund(intent, amount=1250, reason="J-1", test=True).refunded == 1250
        with pytest.raises(PaymentRefused) as refused:
            psp.reverse(share.id, amount=1000, reason="J-1", test=True)
        assert refused.value.reason == "balance_insufficient"
        till.api.poor.clear()  # Stripe would repeat for a day that it has not enough
        assert psp.reverse(share.id, amount=1000, reason="J-1", test=True).reversed == 1000
    (sent,) = (one for one in till.api.objects.values() if one["object"] == "transfer")
    assert sent["transfer_group"] == started["orderNo"]
    assert till.api.objects[sent["source_transaction"]]["object"] == "charge"


@only_elements
def test_a_lie_in_a_webhook_is_not_believed(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    started = till.start(alice)
    payment = till.api.payment_of(till.intent(started))
    lie = {"id": "evt_1", "type": "payment_intent.succeeded", "livemode": False}
    lie |= {"data": {"object": {**payment, "status": "succeeded", "amount_received": 1250}}}

    for _ in range(3):
        assert till.tell(lie).status_code == 200
        till.work()

    assert till.state(started) is SessionState.OPEN
    with till.app.app_context(), db.reading() as connection:
        assert len(connection.execute(select(psp_notices)).all()) == 1


# --- modes


def test_each_mode_has_its_own_keys_and_news(till: Till, alice: User, mug: str, page: str) -> None:
    alice.put(mug)
    started = till.start(alice, test=False)
    assert started["psp"]["publishableKey"] == "pk_live_jay"
    assert till.api.objects[till.intent(started)]["livemode"] is True
    till.api.pay(till.intent(started))
    till.hear()

    assert (till.state(started), till.money(started)) == (SessionState.PAID, PAID)


@only_elements
def test_without_live_keys_nothing_is_reserved(
    apps: Apps, database_url: str, alice: User, mug: str, stripe_api: StripeApi
) -> None:
    given = stripes.StripeSettings("elements", None, stripes.TEST, address=stripe_api.url)
    without = apps.on(database_url, psp="stripe", stripe=given)
    alice.put(mug)
    alice.platform.client = without.test_client()

    till = Till(without, stripe_api)
    assert_refused(till.ask(alice, test=False), PaymentUnavailable)
    assert lists(alice) == ({mug: 1}, {})
    assert stripe_api.asked == []
    assert till.start(alice)["psp"]["testMode"] is True


# --- what is refused, and what is not known


@only_elements
def test_what_stripe_refuses_for_good_keeps_nobody_waiting(
    till: Till, alice: User, shop: Shop
) -> None:
    cheap = shop.product("pin", price=49)
    alice.put(cheap)

    refused = till.ask(alice)

    assert refused.status_code == PaymentRefused.status
    assert refused.json["error"]["details"]["reason"] == "amount_too_small"
    assert "Secret words" not in refused.text
    assert lists(alice) == ({cheap: 1}, {})
    alice.put(shop.product("mug"))
    assert till.start(alice)["fullPrice"] == 1299
    assert alice.call("POST", FINISH, json={"ordered": False}).status_code == 200
    assert_refused(alice.call("POST", FINISH, json={"ordered": False}), NoActiveCheckout)


@pytest.mark.parametrize("how", ["500", "cut", "409"])
def test_a_start_whose_answer_was_lost_makes_no_second_payment(
    till: Till, alice: User, mug: str, page: str, how: str
) -> None:
    alice.put(mug)
    path = "/payment_intents" if page == "elements" else "/sessions"
    times = 2 if how == "500" else 1
    for _ in range(times):
        till.api.fail(path, how)
    answers = [till.ask(alice) for _ in range(3)]

    assert answers[-1].status_code == 200
    made = [one for one in till.api.objects.values() if one["object"] != "charge"]
    assert len(made) == 1
    assert answers[0].status_code == (503 if how == "500" else 200)


@pytest.mark.parametrize("how", ["500", "cut"])
def test_a_capture_whose_answer_was_lost_is_found_out(
    till: Till, alice: User, mug: str, how: str
) -> None:
    alice.put(mug)
    started = till.start(alice)
    till.api.pay(till.intent(started))
    till.api.fail("/capture", how)
    till.hear()
    till.api.clock.move(60)
    till.work()

    assert (till.state(started), till.money(started)) == (SessionState.PAID, PAID)


@only_elements
def test_nothing_of_a_key_or_of_what_stripe_says_is_logged(
    till: Till, alice: User, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    alice.put(shop.product("pin", price=49))
    till.ask(alice)
    alice.put(shop.product("mug"))
    till.api.fail("/payment_intents", "500")
    till.ask(alice)
    started = till.start(alice)
    till.client.get(started["psp"]["paymentUrl"])
    till.api.pay(till.intent(started))
    till.hear()

    written = "".join(capsys.readouterr())
    assert "stripe refused" in written
    token = started["psp"]["paymentUrl"].rpartition("/")[2]
    secrets = (started["psp"]["clientSecret"], token, "sk_test", "whsec", "Secret words")
    assert [one for one in secrets if one in written] == []


def test_what_was_sent_is_nothing_personal(till: Till, alice: User, mug: str) -> None:
    alice.put(mug)
    till.start(alice)
    sent: list[Json] = [given for method, _path, given in till.api.asked if method == "POST"]

    assert "alice" not in str(sent)


# --- by one call


def keep(user: User, token: str) -> None:
    stored = {"customerId": "cus_1", "paymentToken": token, "consent": {"version": "1"}}
    assert user.call("PATCH", "/comfort", json=stored).status_code == 200


def pay_by_one_call(user: User) -> Any:
    return user.call("POST", "/checkout/sessions/pay?testMode=true")


def test_one_call_pays_with_what_is_stored_or_reserves_nothing(
    till: Till, alice: User, mug: str, page: str
) -> None:
    keep(alice, "pm_pays")
    alice.put(mug, 2)

    paid = pay_by_one_call(alice)

    if page == "hosted":  # there the shopper has to pay
        assert_refused(paid, PaymentUnavailable)
        assert lists(alice) == ({mug: 2}, {})
        assert till.api.asked == []
        return
    assert paid.json["data"]["state"] == "paid"
    assert till.money(paid.json["data"]) == ("succeeded", 2500, 0)
    assert lists(alice) == ({}, {})


@only_elements
def test_where_the_bank_asks_the_phone_goes_on_with_the_same_payment(
    till: Till, alice: User, mug: str
) -> None:
    keep(alice, "pm_asks")
    alice.put(mug)

    asked = pay_by_one_call(alice)

    assert asked.status_code == AuthenticationRequired.status
    url = asked.json["error"]["details"]["paymentUrl"]
    started = till.start(alice)
    assert started["psp"]["paymentUrl"] == url
    till.api.pay(till.intent(started))
    till.hear()
    assert till.money(started) == ("succeeded", 1250, 0)


@only_elements
def test_what_stripe_does_not_know_is_refused_with_its_reason(
    till: Till, alice: User, mug: str
) -> None:
    keep(alice, "pm_gone")
    alice.put(mug)

    assert_refused(refused := pay_by_one_call(alice), PaymentRefused)

    assert refused.json["error"]["details"]["reason"] == "resource_missing"
    # The phone can go on with it.
    started = till.start(alice)
    till.api.pay(till.intent(started))
    till.hear()
    assert till.money(started) == ("succeeded", 1250, 0)


@only_elements
def test_who_is_asked_by_the_bank_comes_back_to_the_checkout(
    till: Till, alice: User, mug: str
) -> None:
    keep(alice, "pm_redirects")
    alice.put(mug)
    pay_by_one_call(alice)

    (told,) = [given for _, path, given in till.api.asked if path.endswith("/confirm")]
    order_no = till.start(alice)["orderNo"]
    assert told["return_url"] == f"http://localhost/checkout/return/{order_no}"
