"""What every payment provider must do, asked of each of them alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from jay import db
from jay.checkout.order_numbers import new_order_no
from jay.checkout.providers.interface import (
    AUTHENTICATION_REQUIRED,
    Intent,
    IntentStatus,
    Provider,
    Purchase,
    refund_name,
)
from jay.checkout.providers.stripe.provider import Stripe
from jay.checkout.sandbox import service as sandbox
from jay.checkout.sandbox.models import CARDS, card_of
from jay.errors import PaymentRefused, PaymentUnavailable
from tests.api import stripes
from tests.clock import MovedClock
from tests.conftest import SECRET
from tests.stripe_api import StripeApi

pytestmark = pytest.mark.one_database  # what is in one is tested by the whole checkout


class Bank:
    """A provider, and what its shoppers do on its pages."""

    provider: Provider

    def __init__(self) -> None:
        self.purchase = Purchase(
            new_order_no(7), 2500, "EUR", lang="de", test=True, return_url="http://localhost/back"
        )

    def open(self, **changes: Any) -> str:
        return self.provider.open(replace(self.purchase, **changes)).id

    def find(self, intent: str) -> Intent:
        found = self.provider.find(intent, test=True)
        assert found is not None
        return found

    def paid(self) -> str:
        """Return a payment whose money has moved."""
        intent = self.open()
        self.pay(intent)
        assert self.provider.capture(intent, test=True).status is IntentStatus.CAPTURED
        return intent

    def pay(self, intent: str) -> None:
        raise NotImplementedError

    def decline(self, intent: str) -> None:
        raise NotImplementedError

    def fail_refund(self, intent: str, reason: str) -> None:
        raise NotImplementedError

    stored: dict[str, str]
    """What the customer ``cus_1`` has stored: what pays, what asks, what is declined."""

    def pay_stored(self, intent: str, what: str) -> Intent:
        token = self.stored[what]
        back = self.purchase.return_url
        return self.provider.pay_stored(
            intent, customer="cus_1", token=token, return_url=back, test=True
        )


class SandboxBank(Bank):
    stored = {  # noqa: RUF012
        "pays": "pm_sandbox_4242",
        "asks": "pm_sandbox_3155",
        "redirects": "pm_sandbox_3155",
        "declined": "pm_sandbox_0002",
    }

    def __init__(self, app: Flask) -> None:
        super().__init__()
        self.app, self.provider = app, app.extensions["jay.psp"]
        with app.app_context():
            self.database = db.database()

    def pay(self, intent: str) -> None:
        self._with("4242424242424242", intent)

    def decline(self, intent: str) -> None:
        self._with("4000000000000002", intent)

    def fail_refund(self, intent: str, reason: str) -> None:
        with self.app.app_context():
            now = self.app.extensions["jay.clock"]()
            db.write(sandbox.fail_refund, intent, reason, now=now)

    def _with(self, number: str, intent: str) -> None:
        found = card_of(number)
        assert found is not None
        assert number in CARDS
        with self.app.app_context():
            db.write(sandbox.pay, intent, *found, now=self.app.extensions["jay.clock"]())


class StripeBank(Bank):
    stored = {what: f"pm_{what}" for what in ("pays", "asks", "redirects", "declined")}  # noqa: RUF012

    def __init__(self, api: StripeApi, clock: MovedClock, page: str) -> None:
        super().__init__()
        self.api = api
        self.provider = Stripe(stripes.settings(api, page), clock, SECRET, "http://localhost")

    def pay(self, intent: str) -> None:
        self.api.pay(intent)

    def decline(self, intent: str) -> None:
        self.api.decline(intent)

    def fail_refund(self, intent: str, reason: str) -> None:
        self.api.fail_refund(intent, refund_name(reason))


@pytest.fixture(params=["sandbox", "elements", "hosted"])
def bank(
    request: pytest.FixtureRequest, app: Flask, stripe_api: StripeApi, clock: MovedClock
) -> Bank:
    if request.param == "sandbox":
        return SandboxBank(app)
    return StripeBank(stripe_api, clock, request.param)


def at_once(work: Callable[[], Any], times: int = 4) -> list[Any]:
    with ThreadPoolExecutor(times) as pool:
        return [one.result() for one in [pool.submit(work) for _ in range(times)]]


def test_a_purchase_has_one_intent_however_often_it_is_opened(bank: Bank) -> None:
    opened = at_once(lambda: bank.provider.open(bank.purchase))

    assert len({one.id for one in opened}) == 1
    assert len({one.payment_url for one in opened}) == 1
    found = bank.find(opened[0].id)
    assert (found.status, found.reference) == (IntentStatus.OPEN, bank.purchase.reference)
    assert (found.amount, found.currency, found.captured) == (2500, "EUR", 0)


def test_its_secrets_are_in_no_text_of_it(bank: Bank) -> None:
    opened = bank.provider.open(bank.purchase)

    assert opened.payment_url not in repr(opened)
    assert not opened.client_secret or opened.client_secret not in repr(opened)


def test_what_is_not_there_is_none(bank: Bank) -> None:
    assert bank.provider.find("pi_unknown", test=True) is None
    assert bank.provider.find("cs_unknown", test=True) is None


def test_money_is_held_first_and_then_taken_once(bank: Bank) -> None:
    intent = bank.open()
    bank.pay(intent)
    held = bank.find(intent)
    assert (held.status, held.captured, held.method) == (IntentStatus.AUTHORISED, 0, "card")

    taken = at_once(lambda: bank.provider.capture(intent, test=True))

    assert {(one.status, one.captured) for one in taken} == {(IntentStatus.CAPTURED, 2500)}


def test_what_nobody_has_paid_is_not_taken(bank: Bank) -> None:
    intent = bank.open()

    assert bank.provider.capture(intent, test=True).status is IntentStatus.OPEN


def test_a_declined_card_leaves_it_open(bank: Bank) -> None:
    intent = bank.open()
    bank.decline(intent)

    found = bank.find(intent)
    assert (found.status, found.failure) == (IntentStatus.OPEN, "card_declined")
    bank.pay(intent)
    found = bank.find(intent)
    assert (found.status, found.failure) == (IntentStatus.AUTHORISED, None)


@pytest.mark.parametrize("before", ["nothing", "declined", "held"])
def test_what_is_cancelled_is_paid_by_nobody(bank: Bank, before: str) -> None:
    intent = bank.open()
    if before == "declined":
        bank.decline(intent)
    if before == "held":
        bank.pay(intent)

    for _ in range(2):
        assert bank.provider.cancel(intent, test=True).status is IntentStatus.CANCELLED
    bank.pay(intent)
    assert bank.provider.capture(intent, test=True).status is IntentStatus.CANCELLED


def test_money_that_has_moved_is_not_cancelled(bank: Bank) -> None:
    intent = bank.paid()

    cancelled = bank.provider.cancel(intent, test=True)
    assert (cancelled.status, cancelled.captured) == (IntentStatus.CAPTURED, 2500)


def test_a_refund_is_made_once_for_each_reason(bank: Bank) -> None:
    intent = bank.paid()

    def refund(reason: str, amount: int) -> Intent:
        return bank.provider.refund(intent, amount=amount, reason=reason, test=True)

    assert {one.refunded for one in at_once(lambda: refund("J2-1/1", 1000))} == {1000}
    assert refund("J2-1/2", 500).refunded == 1500
    assert refund("J2-1/1", 1000).refunded == 1500


def test_what_is_stored_pays_once_without_the_shopper(bank: Bank) -> None:
    if not bank.provider.takes_stored(test=True):
        with pytest.raises(PaymentUnavailable):
            bank.pay_stored(bank.open(), "pays")
        return
    intent = bank.open()

    paid = at_once(lambda: bank.pay_stored(intent, "pays"))

    assert {(one.status, one.failure) for one in paid} == {(IntentStatus.AUTHORISED, None)}
    taken = bank.provider.capture(intent, test=True)
    assert (taken.status, taken.captured) == (IntentStatus.CAPTURED, 2500)
    assert bank.pay_stored(intent, "pays").captured == 2500


@pytest.mark.parametrize("what", ["asks", "redirects", "declined"])
def test_what_is_stored_and_does_not_pay_leaves_it_open(bank: Bank, what: str) -> None:
    if not bank.provider.takes_stored(test=True):
        return
    intent = bank.open()

    for _ in range(2):
        found = bank.pay_stored(intent, what)
        assert found.status is IntentStatus.OPEN
        asks = AUTHENTICATION_REQUIRED if what != "declined" else "card_declined"
        assert found.failure == asks
    if what == "declined":
        assert bank.pay_stored(intent, "pays").status is IntentStatus.AUTHORISED


def test_a_refund_whose_money_comes_back_is_told(bank: Bank) -> None:
    intent = bank.paid()
    bank.provider.refund(intent, amount=500, reason="one", test=True)
    bank.provider.refund(intent, amount=700, reason="two", test=True)
    assert bank.provider.failed_refunds(intent, test=True) == frozenset()

    bank.fail_refund(intent, "one")

    assert bank.provider.failed_refunds(intent, test=True) == {refund_name("one")}
    assert bank.find(intent).refunded == 700


def test_no_more_is_refunded_than_has_moved(bank: Bank) -> None:
    intent = bank.paid()
    bank.provider.refund(intent, amount=2000, reason="one", test=True)

    with pytest.raises(PaymentRefused):
        bank.provider.refund(intent, amount=501, reason="two", test=True)
    assert bank.find(intent).refunded == 2000
    assert bank.provider.refund(intent, amount=500, reason="three", test=True).refunded == 2500


def test_each_merchant_gets_its_share_once(bank: Bank) -> None:
    intent = bank.paid()

    def share(part: str, amount: int, account: str = "acct_mug") -> Any:
        return bank.provider.transfer(intent, part=part, account=account, amount=amount, test=True)

    first = at_once(lambda: share("J2-1", 2000))
    assert len({one.id for one in first}) == 1
    assert (first[0].amount, first[0].reversed) == (2000, 0)
    with pytest.raises(PaymentRefused):
        share("J2-2", 501)
    # The merchant has changed its account since, and the first answer was lost.
    assert share("J2-1", 2000, "acct_new").id == first[0].id
    assert share("J2-3", 500).id != first[0].id


def test_nothing_is_shared_out_before_the_money_has_moved(bank: Bank) -> None:
    intent = bank.open()
    bank.pay(intent)

    with pytest.raises(PaymentRefused):
        bank.provider.transfer(intent, part="J2-1", account="acct_mug", amount=1, test=True)


def test_a_share_is_taken_back_once_for_each_reason(bank: Bank) -> None:
    intent = bank.paid()
    share = bank.provider.transfer(intent, part="J2-1", account="acct_mug", amount=2000, test=True)

    def reverse(reason: str, amount: int) -> int:
        return bank.provider.reverse(share.id, amount=amount, reason=reason, test=True).reversed

    assert set(at_once(lambda: reverse("J2-1/1", 1500))) == {1500}
    with pytest.raises(PaymentRefused):
        reverse("J2-1/2", 501)
    assert reverse("J2-1/3", 500) == 2000
