"""Webhooks of Stripe: its own, of now, and about what is ours; all else is refused or ignored."""

import json
from datetime import timedelta
from typing import Any

import pytest
from stripe import WebhookSignature

from jay.checkout.providers.interface import ProviderNotice
from jay.checkout.providers.stripe import webhooks
from jay.checkout.providers.stripe.calls import verify_signature
from jay.config import StripeKeys
from jay.errors import WebhookRefused
from tests.clock import NOON

LIVE = StripeKeys("sk_live_a", "pk_live_a", ("whsec_old", "whsec_new"))
TEST = StripeKeys("sk_test_a", "pk_test_a", ("whsec_test",))


def event(kind: str = "payment_intent.succeeded", **changes: Any) -> dict[str, Any]:
    subject = {"id": "pi_1", "metadata": {"jay_order": "J2345"}, **changes.pop("object", {})}
    return {
        "id": "evt_1",
        "type": kind,
        "livemode": True,
        "data": {"object": subject},
        **changes,
    }


def read(body: str | bytes, secret: str = "whsec_new", seconds: float = 0) -> ProviderNotice:
    at = int((NOON + timedelta(seconds=seconds)).timestamp())
    text = body if isinstance(body, str) else body.decode("latin-1")
    header = WebhookSignature.generate_signature_header(text, secret, timestamp=at)
    return with_header(body, header)


def with_header(body: str | bytes, header: str) -> ProviderNotice:
    raw = body.encode() if isinstance(body, str) else body
    given = {"Stripe-Signature": header}
    return webhooks.read(given, raw, {False: LIVE, True: TEST}, verify_signature, now=NOON)


def told(**changes: Any) -> str | None:
    return read(json.dumps(event(**changes))).intent


# --- whose it is


def test_each_mode_has_secrets_of_its_own_and_two_while_one_is_replaced() -> None:
    for secret in LIVE.webhooks:
        assert read(json.dumps(event()), secret) == ProviderNotice(
            "evt_1", "payment_intent.succeeded", "pi_1", test=False
        )
    assert read(json.dumps(event(livemode=False)), "whsec_test").test is True
    with pytest.raises(WebhookRefused):
        read(json.dumps(event()), "whsec_of_somebody")


def test_one_that_is_a_little_off_is_taken() -> None:
    for seconds in (-300, 300):
        assert read(json.dumps(event()), seconds=seconds).intent == "pi_1"


@pytest.mark.parametrize("seconds", [-301, 301, 86400])
def test_a_stale_one_and_one_of_the_future_are_refused(seconds: int) -> None:
    with pytest.raises(WebhookRefused):
        read(json.dumps(event()), seconds=seconds)


@pytest.mark.parametrize(
    "header", ["", "t=", "v1=00", "t=1,v1=", "t=x,v1=00", "t=" + "9" * 40, "t=1=2,v1=0", "=,,="]
)
def test_what_is_no_signature_is_refused(header: str) -> None:
    with pytest.raises(WebhookRefused):
        with_header(json.dumps(event()), header)


def test_the_time_that_counts_is_the_one_that_is_signed() -> None:
    body = json.dumps(event())
    stale = int(NOON.timestamp()) - 86400
    header = WebhookSignature.generate_signature_header(body, "whsec_new", timestamp=stale)

    for forged in (f"{header},t={stale + 86400}", f"t={stale + 86400},{header}"):
        with pytest.raises(WebhookRefused):
            with_header(body, forged)


@pytest.mark.parametrize(
    "body",
    [
        *('[{"id": "evt_1"}]', "null", "1", '"text"', "{", "", "{}", "[" * 100_000),
        '{"id": "evt_1", "type": "charge.refunded"}',
        '{"id": "evt_1", "type": "charge.refunded", "data": []}',
        '{"id": "evt_1", "type": "charge.refunded", "data": {"object": [1]}, "livemode": true}',
        b"\xff\xfe",
    ],
)
def test_what_can_not_be_read_is_refused_though_it_is_signed(body: str | bytes) -> None:
    with pytest.raises(WebhookRefused):
        read(body)


# --- what it is about


@pytest.mark.parametrize(
    "kind",
    [
        *("succeeded", "amount_capturable_updated", "processing", "payment_failed", "canceled"),
    ],
)
def test_it_is_about_an_intent_of_ours(kind: str) -> None:
    assert told(kind=f"payment_intent.{kind}") == "pi_1"


@pytest.mark.parametrize("kind", ["refunded", "expired", "dispute.created", "dispute.closed"])
def test_it_is_about_the_intent_of_a_charge(kind: str) -> None:
    assert told(kind=f"charge.{kind}", object={"id": "ch_1", "payment_intent": "pi_2"}) == "pi_2"
    assert told(kind=f"charge.{kind}", object={"id": "ch_1", "payment_intent": None}) is None
    assert told(kind="refund.failed", object={"id": "re_1", "payment_intent": "pi_2"}) == "pi_2"


def test_what_is_about_nothing_of_ours_is_ignored() -> None:
    assert told(object={"metadata": {}}) is None  # of another system on the same account
    assert told(object={"metadata": None}) is None
    assert told(account="acct_of_a_merchant") is None
    assert told(livemode=False) is None
    assert told(kind="payout.paid") is None
    assert told(kind="transfer.reversed") is None
