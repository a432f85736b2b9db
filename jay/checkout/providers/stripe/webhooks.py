"""Webhooks of Stripe: signed by it, neither old nor from the future, and about an intent of ours.

The library's own check takes any time to come, and lets three kinds of bytes through as errors that
nobody expects; here all that is refused alike.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jay.checkout.providers.interface import ProviderNotice
from jay.config import StripeKeys
from jay.errors import WebhookRefused

SIGNATURE_HEADER = "Stripe-Signature"

TOLERANCE = timedelta(minutes=5)
"""How far a webhook's time may be from ours. Each delivery is signed anew, a late one, too."""

REFERENCE = "jay_order"
"""What an intent of ours has in its metadata: the order number."""

_BY_ID = frozenset(
    f"payment_intent.{what}"
    for what in (
        *("succeeded", "amount_capturable_updated", "processing"),
        *("payment_failed", "canceled"),
    )
)
_BY_PAYMENT = frozenset(
    {
        *("charge.refunded", "charge.expired", "charge.dispute.created", "charge.dispute.closed"),
        # What was given back has come back to us: the shopper's account may be closed.
        "refund.failed",
    }
)

Verify = Callable[[str, str, str], bool]


def read(
    headers: Mapping[str, str],
    body: bytes,
    modes: Mapping[bool, StripeKeys | None],
    verify: Verify,
    *,
    now: datetime,
) -> ProviderNotice:
    """Verify a webhook and say what it is about.

    :param modes: the keys by whether they are those of the test mode.
    :param verify: tells whether a body has a signature of a secret.
    :raises WebhookRefused: it is not Stripe's, is too old or too new, or can't be read.
    """
    given = headers.get(SIGNATURE_HEADER, "")
    try:
        text = body.decode()
        made = datetime.fromtimestamp(_signed_at(given), UTC)
    except (UnicodeDecodeError, ValueError, OverflowError, OSError) as error:
        raise WebhookRefused from error
    test = next(
        (
            test
            for test, keys in modes.items()
            for secret in (keys.webhooks if keys is not None else ())
            if verify(text, given, secret)
        ),
        None,
    )
    if test is None or not now - TOLERANCE <= made <= now + TOLERANCE:
        raise WebhookRefused
    try:
        event = json.loads(text)
        kind, subject = str(event["type"]), event["data"]["object"]
        notice = ProviderNotice(str(event["id"]), kind, _intent(event, kind, subject, test), test)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WebhookRefused from error
    return notice


def _signed_at(header: str) -> int:
    # The first time that the header names is the one that is signed.
    times = [part.partition("=")[2] for part in header.split(",") if part.startswith("t=")]
    return int(times[0]) if times else int("")


def _intent(event: Any, kind: str, subject: Any, test: bool) -> str | None:
    """Return the intent that an event is about; None where it is none that we have made."""
    # Of another mode than it is signed for, or of a merchant's own account.
    if event.get("livemode") is not (not test) or event.get("account") is not None:
        return None
    if kind in _BY_ID:
        ours = REFERENCE in (subject.get("metadata") or {})
        return str(subject["id"]) if ours else None
    if kind in _BY_PAYMENT:
        payment = subject.get("payment_intent")
        return str(payment) if payment else None
    return None
