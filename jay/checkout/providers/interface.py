"""What the checkout asks of a payment service provider, whichever it is.

A payment intent is the provider's row of one payment: authorised by the shopper, then captured by
us. What a webhook says about one is never believed; it only says when to ask (``find``).
Amounts are integers in minor units.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from jay.db.types import OpenEnum

AUTHENTICATION_REQUIRED = "authentication_required"
"""Why a stored payment fails of which the bank asks the shopper for a second step."""


def refund_name(reason: str) -> str:
    """Return what a refund is called at a provider: never what somebody has typed."""
    return hashlib.sha256(reason.encode()).hexdigest()[:32]


class IntentStatus(OpenEnum):
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
    :ivar capture_before: until when the money is held; None where the provider does not say.
    :ivar disputed: whether the shopper's bank takes the money back, or tries to.
    :ivar failed_refunds: the names (``refund_name``) of refunds whose money has come back to us;
        told only where it is asked for.
    :ivar payment: the id that webhooks name it by, where that is another one than ``id``: a hosted
        page is opened first, and makes its payment when the shopper pays.
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
    capture_before: datetime | None = None
    disputed: bool = False
    failed_refunds: frozenset[str] = frozenset()
    payment: str | None = None

    def is_same_as(self, other: "Intent") -> bool:
        """Tell whether both are the same payment, whichever of its ids each was asked by."""
        return (self.payment or self.id) == (other.payment or other.id)


@dataclass(frozen=True)
class Opened:
    """A payment intent that was made, and how the shopper pays it.

    :ivar client_secret: lets whoever knows it pay this intent, and do nothing else.
    :ivar payment_url: a page where it is paid.
    :ivar methods: the ways to pay that the provider offers for it.
    """

    id: str
    client_secret: str = field(repr=False)
    payment_url: str = field(repr=False)
    publishable_key: str
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class Transfer:
    """A merchant's share of a payment, sent to its own account at the provider.

    :ivar amount: how much was sent; ``reversed`` how much of it has come back.
    """

    id: str
    amount: int
    reversed: int = 0


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
    :ivar test: whether it is about the provider's test mode.
    """

    id: str
    kind: str
    intent: str | None
    test: bool = True


class Provider(Protocol):
    """A payment service provider.

    Each call may raise ``PaymentProviderUnavailable``: then it is not known what has happened, and
    the same call with the same reference does it once. ``PaymentUnavailable``: it is not set up for
    this, and nothing has happened.
    """

    name: str

    def is_ready(self, *, test: bool) -> bool:
        """Tell whether it is set up for payments of this mode."""
        ...

    def open(self, purchase: Purchase) -> Opened:
        """Make the intent of a purchase, or return the one that was made for its reference.

        :raises PaymentRefused: there will be none, however often it is asked.
        """
        ...

    def find(self, intent: str, *, test: bool) -> Intent | None:
        """Return an intent as it is now; None where the provider has no such one."""
        ...

    def takes_stored(self, *, test: bool) -> bool:
        """Tell whether what a shopper has stored here can pay without the shopper."""
        ...

    def pay_stored(
        self, intent: str, *, customer: str, token: str, return_url: str, test: bool
    ) -> Intent:
        """Let what a shopper has stored here pay, without the shopper.

        :param customer: the shopper's number, and ``token`` the stored way to pay, at the provider.
        :param return_url: where the shopper comes back to whom the bank wants to ask.
        :returns: the intent as it is then, whatever that is; of one that is open still ``failure``
            says why. One that is paid already stays as it is.
        :raises PaymentRefused: the provider does not know what is stored, or takes no such thing.
        """
        ...

    def forget_customer(self, customer: str, *, test: bool) -> bool:
        """Delete a shopper's number with every stored way to pay that belongs to it.

        Payments that were made stay there: the provider has to keep them by law.

        :returns: whether there was such a one; asked again, there is none.
        """
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
        :raises PaymentRefused: the provider does not do it, and no money has moved.
        """
        ...

    def failed_refunds(self, intent: str, *, test: bool) -> frozenset[str]:
        """Return the names of refunds that were made, and whose money has come back to us."""
        ...

    def transfer(
        self, intent: str, *, part: str, account: str, amount: int, test: bool
    ) -> Transfer:
        """Send a merchant its share of a captured payment.

        :param part: names the share, so that it is sent once.
        :param account: the merchant's own at the provider.
        :raises PaymentRefused: the provider does not do it, and no money has moved.
        """
        ...

    def reverse(self, transfer: str, *, amount: int, reason: str, test: bool) -> Transfer:
        """Take a share back, or some of it.

        :param reason: names this reversal among others of the transfer, so that it is made once.
        :raises PaymentRefused: the provider does not do it, as where the merchant's account has not
            enough; no money has moved.
        """
        ...

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> ProviderNotice:
        """Verify a webhook.

        :raises WebhookRefused: it is not the provider's.
        """
        ...
