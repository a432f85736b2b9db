"""What tests of Stripe have in common: keys, settings, and the webhooks of the stand-in."""

import json

from stripe import WebhookSignature

from jay.config import StripeKeys, StripeSettings
from tests.clock import MovedClock
from tests.stripe_api import Json, StripeApi

TEST = StripeKeys("sk_test_jay", "pk_test_jay", ("whsec_test", "whsec_test_new"))
LIVE = StripeKeys("sk_live_jay", "pk_live_jay", ("whsec_live",))


def settings(api: StripeApi, page: str = "elements") -> StripeSettings:
    """Return what an installation sets that has both modes."""
    return StripeSettings(page, LIVE, TEST, address=api.url)


def signed(event: Json | str, clock: MovedClock, secret: str | None = None) -> tuple[str, str]:
    """Return a webhook's body and the header that Stripe signs it with."""
    body = event if isinstance(event, str) else json.dumps(event)
    live = isinstance(event, dict) and event["livemode"]
    secret = secret or (LIVE if live else TEST).webhooks[0]
    at = int(clock().timestamp())
    return body, WebhookSignature.generate_signature_header(body, secret, timestamp=at)
