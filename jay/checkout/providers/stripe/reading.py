"""What Stripe tells of payments, in the words of the checkout."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from jay.checkout.providers.interface import AUTHENTICATION_REQUIRED, Intent, IntentStatus, Transfer
from jay.checkout.providers.stripe.amounts import from_stripe
from jay.checkout.providers.stripe.webhooks import REFERENCE

_STATUS = {
    "requires_payment_method": IntentStatus.OPEN,
    "requires_confirmation": IntentStatus.OPEN,
    "requires_action": IntentStatus.OPEN,
    "processing": IntentStatus.PROCESSING,
    "requires_capture": IntentStatus.AUTHORISED,
    "canceled": IntentStatus.CANCELLED,
    "succeeded": IntentStatus.CAPTURED,
}

Told = Mapping[str, Any]


def intent_of(payment: Told) -> Intent:
    """Read a payment intent, with its charge in it."""
    currency = str(payment["currency"]).upper()
    charge: Told = payment.get("latest_charge") or {}
    details: Told = charge.get("payment_method_details") or {}
    method = details.get("type")
    until = (details.get(method) or {}).get("capture_before") if method else None
    return Intent(
        id=payment["id"],
        reference=_reference(payment),
        # A status that is new to us is waited for, not guessed at.
        status=_STATUS.get(payment["status"], IntentStatus.PROCESSING),
        amount=from_stripe(payment["amount"], currency),
        currency=currency,
        captured=from_stripe(payment["amount_received"], currency),
        refunded=from_stripe(charge.get("amount_refunded", 0), currency),
        method=method,
        failure=(payment.get("last_payment_error") or {}).get("code") or _asked(payment),
        capture_before=datetime.fromtimestamp(until, UTC) if until else None,
        disputed=bool(charge.get("disputed")),
    )


def _asked(payment: Told) -> str | None:
    return AUTHENTICATION_REQUIRED if payment["status"] == "requires_action" else None


def intent_of_page(page: Told) -> Intent:
    """Read a checkout session, which is a payment once the shopper has begun to pay."""
    over = page["status"] == "expired"
    if page["payment_intent"] is None:
        currency = str(page["currency"]).upper()
        return Intent(
            id=page["id"],
            reference=_reference(page),
            status=IntentStatus.CANCELLED if over else IntentStatus.OPEN,
            amount=from_stripe(page["amount_total"], currency),
            currency=currency,
        )
    paid = intent_of(page["payment_intent"])
    # Nobody can go on with what was declined on a page that is over.
    status = IntentStatus.CANCELLED if over and paid.status is IntentStatus.OPEN else paid.status
    return replace(paid, id=page["id"], payment=paid.id, status=status)


def _reference(told: Told) -> str:
    return str((told.get("metadata") or {}).get(REFERENCE, ""))


def transfer_of(transfer: Told) -> Transfer:
    """Read a transfer."""
    currency = str(transfer["currency"]).upper()
    return Transfer(
        transfer["id"],
        from_stripe(transfer["amount"], currency),
        from_stripe(transfer["amount_reversed"], currency),
    )
