"""The sandbox as a provider: what the checkout asks, and the webhooks that it sends."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from jay.checkout.providers.interface import (
    AUTHENTICATION_REQUIRED,
    Intent,
    Opened,
    ProviderNotice,
    Purchase,
    Transfer,
)
from jay.checkout.sandbox import service
from jay.checkout.sandbox.models import (
    CLOCKS_DIFFER,
    EVENT_LIFETIME,
    NAME,
    SIGNATURE_HEADER,
    Card,
    client_secret,
    sign,
    stored_card,
)
from jay.clock import Clock
from jay.db.database import Database
from jay.errors import PaymentProviderUnavailable, WebhookRefused


class Sandbox:
    """The embedded provider; no money moves.

    :param public_url: where its payment page is reached.
    """

    name = NAME

    def __init__(self, database: Database, clock: Clock, secret: str, public_url: str) -> None:
        self._database = database
        self._clock = clock
        self._secret = secret
        self._public_url = public_url

    def is_ready(self, *, test: bool) -> bool:
        """Tell that it is set up: no money moves in either mode."""
        return True

    def open(self, purchase: Purchase) -> Opened:
        """Make the intent of a purchase, or return the one that was made for its reference."""
        made = self._database.write(service.open_intent, purchase, now=self._clock())
        token = client_secret(made, self._secret)
        return Opened(
            id=made,
            client_secret=token,
            payment_url=f"{self._public_url}/psp/sandbox/pay/{token}",
            publishable_key="pk_sandbox",
        )

    def find(self, intent: str, *, test: bool) -> Intent | None:
        """Return an intent as it is now; None where there is none."""
        with self._database.reading() as connection:
            return service.find(connection, intent, now=self._clock())

    def _known(self, intent: str) -> Intent:
        found = self.find(intent, test=True)
        if found is None:
            raise PaymentProviderUnavailable
        return found

    def takes_stored(self, *, test: bool) -> bool:
        """Tell that stored test cards pay."""
        return True

    def pay_stored(
        self, intent: str, *, customer: str, token: str, return_url: str, test: bool
    ) -> Intent:
        """Let a stored test card pay; one that asks for a second step asks for it on the page."""
        last_four, card = stored_card(token)
        if card.asks:
            card = Card(failure=AUTHENTICATION_REQUIRED)
        self._database.write(service.pay, intent, last_four, card, now=self._clock())
        return self._known(intent)

    def forget_customer(self, customer: str, *, test: bool) -> bool:
        """Tell that there was none: a stored test card is its token alone, and is kept nowhere."""
        return False

    def capture(self, intent: str, *, test: bool) -> Intent:
        """Take the money that is held."""
        self._database.write(service.capture, intent, now=self._clock())
        return self._known(intent)

    def cancel(self, intent: str, *, test: bool) -> Intent:
        """Let go of the money that is held."""
        self._database.write(service.cancel, intent, now=self._clock())
        return self._known(intent)

    def refund(self, intent: str, *, amount: int, reason: str, test: bool) -> Intent:
        """Send money back."""
        self._database.write(service.refund, intent, amount, reason, now=self._clock())
        return self._known(intent)

    def failed_refunds(self, intent: str, *, test: bool) -> frozenset[str]:
        """Return the names of refunds whose money has come back."""
        with self._database.reading() as connection:
            return service.failed_refunds(connection, intent)

    def transfer(
        self, intent: str, *, part: str, account: str, amount: int, test: bool
    ) -> Transfer:
        """Send a merchant its share."""
        return self._database.write(service.transfer, intent, part, account, amount)

    def reverse(self, transfer: str, *, amount: int, reason: str, test: bool) -> Transfer:
        """Take a share back, or some of it."""
        return self._database.write(service.reverse, transfer, amount, reason)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> ProviderNotice:
        """Verify a webhook: its signature, and that it is neither old nor from the future."""
        given = headers.get(SIGNATURE_HEADER, "")
        try:
            text = body.decode()
            at = int(given.split(",")[0].removeprefix("t="))
            signed = sign(text, at, self._secret)
            made = datetime.fromtimestamp(at, UTC)
        except (UnicodeDecodeError, ValueError, OverflowError, OSError) as error:
            raise WebhookRefused from error
        if not hmac.compare_digest(signed.encode(), given.encode("utf-8", "surrogateescape")):
            raise WebhookRefused
        now = self._clock()
        if not now - EVENT_LIFETIME <= made <= now + CLOCKS_DIFFER:
            raise WebhookRefused
        try:
            content = orjson.loads(text)
            return ProviderNotice(str(content["id"]), str(content["type"]), str(content["intent"]))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise WebhookRefused from error
