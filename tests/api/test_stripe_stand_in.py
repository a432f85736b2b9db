"""The stand-in refuses what Stripe refuses: else what is tested against it would mean little."""

from typing import Any

import pytest
import stripe

from jay.checkout.providers.stripe.calls import Calls
from tests.stripe_api import StripeApi

pytestmark = pytest.mark.one_database

GOOD: dict[str, Any] = {
    "amount": 1250,
    "currency": "eur",
    "automatic_payment_methods": {"enabled": True},
}


def create(api: StripeApi, key: str = "one", secret: str = "sk_test_jay", **changes: Any) -> str:
    calls = Calls(secret, api.url)
    return calls.api.payment_intents.create({**GOOD, **changes}, {"idempotency_key": key}).id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported"),
        ({"automatic_payment_method": {"enabled": True}}, "parameter_unknown"),
        ({"automatic_payment_methods": {"enable": True}}, "parameter_unknown"),
        ({"payment_method_options": {"card": {"capture": "manual"}}}, "parameter_unknown"),
        ({"payment_method_options": {"card": {"capture_method": "late"}}}, "parameter_unknown"),
        ({"amount": 49}, "amount_too_small"),
        ({"amount": "12.50"}, "parameter_unknown"),
        ({"currency": "xyz"}, "currency_not_supported"),
        ({"currency": "isk"}, "invalid_amount"),
        ({"currency": "kwd", "amount": 1251}, "invalid_amount"),
    ],
)
def test_what_the_pinned_version_does_not_take(
    stripe_api: StripeApi, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        create(stripe_api, **changes)

    assert str(refused.value.code).startswith(code)
    assert stripe_api.objects == {}


def test_a_key_is_for_one_request(stripe_api: StripeApi) -> None:
    first = create(stripe_api)

    assert create(stripe_api) == first
    with pytest.raises(stripe.IdempotencyError):
        create(stripe_api, amount=999)
    assert create(stripe_api, "two") != first


def test_a_revoked_key_and_the_other_mode_see_nothing(stripe_api: StripeApi) -> None:
    made = create(stripe_api)

    with pytest.raises(stripe.AuthenticationError):
        create(stripe_api, "two", "sk_test_revoked")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        Calls("sk_live_jay", stripe_api.url).api.payment_intents.retrieve(made)
    assert refused.value.http_status == 404


def test_what_is_over_is_not_captured(stripe_api: StripeApi) -> None:
    held = {"payment_method_options": {"card": {"capture_method": "manual"}}}
    calls = Calls("sk_test_jay", stripe_api.url).api.payment_intents
    cancelled, late = create(stripe_api, "a", **held), create(stripe_api, "b", **held)
    for each in (cancelled, late):
        assert stripe_api.pay(each)
    calls.cancel(cancelled, {}, {"idempotency_key": "cancel"})
    stripe_api.clock.move(7 * 86400)

    for each, code in (
        (cancelled, "payment_intent_unexpected_state"),
        (late, "charge_expired_for_capture"),
    ):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            calls.capture(each, {}, {"idempotency_key": f"capture {each}"})
        assert refused.value.code == code
