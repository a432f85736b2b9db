"""What the checkout asks of a payment service provider, whichever it is.

A payment intent is the provider's row of one payment: authorised by the shopper, then captured by
us. What a webhook says about one is never believed; it only says when to ask (``find``).
Amounts are integers in minor units.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class IntentStatus(enum.StrEnum):
    """How far a payment is."""

    OPEN = "open"
    """Nothing has been paid yet; a declined card leaves it so."""
    PROCESSING = "processing"
    AUTHORISED = "authorised"
    """The money is held for us, and none has moved."""
    CAPTURED = "captured"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Intent:
    """A payment intent as the provider tells it.

    :ivar reference: what it was made for, the order number.
    :ivar captured: how much has moved; ``refunded`` how much of it has moved back.
    :ivar failure: why the last attempt to pay failed, the provider's code.
    """

    id: str
    reference: str
    status: IntentStatus
    amount: int
    currency: str
    captured: int = 0
    refunded: int = 0
    method: str | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Opened:
    """A payment intent that was made, and how the shopper pays it.

    :ivar client_secret: lets whoever knows it pay this intent, and do nothing else.
    :ivar payment_url: a page where it is paid.
    """

    id: str
    client_secret: str = field(repr=False)
    payment_url: str = field(repr=False)
    publishable_key: str


@dataclass(frozen=True)
class Purchase:
    """What an intent is to be made for."""

    reference: str
    amount: int
    currency: str
    lang: str
    test: bool
    return_url: str = field(repr=False)


@dataclass(frozen=True)
class ProviderNotice:
    """What a webhook says: something has happened to an intent.

    :ivar id: of the event; the same each time that it is sent.
    :ivar intent: None where it is about something else.
    """

    id: str
    kind: str
    intent: str | None


class Provider(Protocol):
    """A payment service provider.

    Each call may raise ``PaymentProviderUnavailable``: then it is not known what has happened, and
    the same call with the same reference does it once.
    """

    name: str

    def open(self, purchase: Purchase) -> Opened:
        """Make the intent of a purchase, or return the one that was made for its reference."""
        ...

    def find(self, intent: str, *, test: bool) -> Intent | None:
        """Return an intent as it is now; None where the provider has no such one."""
        ...

    def capture(self, intent: str, *, test: bool) -> Intent:
        """Take the money that is held; return the intent as it is then, whatever that is."""
        ...

    def cancel(self, intent: str, *, test: bool) -> Intent:
        """Let go of the money that is held; return the intent as it is then, whatever that is."""
        ...

    def refund(self, intent: str, *, amount: int, reason: str, test: bool) -> Intent:
        """Send money back.

        :param reason: names this refund among others of the intent, so that it is made once.
        """
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> ProviderNotice:
        """Verify a webhook.

        :raises WebhookRefused: it is not the provider's.
        """
        ...
