"""Stripe as a provider; its library is imported when it is first called."""

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING

from jay.checkout.pay_links import pay_token
from jay.checkout.providers.interface import (
    Intent,
    Opened,
    ProviderNotice,
    Purchase,
    Transfer,
)
from jay.checkout.providers.stripe import webhooks
from jay.clock import Clock
from jay.config import ELEMENTS, StripeSettings
from jay.errors import PaymentUnavailable

if TYPE_CHECKING:
    from jay.checkout.providers.stripe.account import Account

NAME = "stripe"


class Stripe:
    """Payments at Stripe, of a live and a test mode that know nothing of each other.

    :param public_url: where our page with Stripe's form is reached.
    """

    name = NAME

    def __init__(
        self, settings: StripeSettings, clock: Clock, secret: str, public_url: str
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._secret = secret
        self._public_url = public_url
        self._keys = {False: settings.live, True: settings.test}

    def is_ready(self, *, test: bool) -> bool:
        """Tell whether there are keys of this mode."""
        return self._keys[test] is not None

    @cached_property
    def _accounts(self) -> "Mapping[bool, Account]":
        made = import_module("jay.checkout.providers.stripe.account").Account
        page, address = self._settings.page, self._settings.address
        return {
            test: made(keys, page, address) for test, keys in self._keys.items() if keys is not None
        }

    def _account(self, *, test: bool) -> "Account":
        if not self.is_ready(test=test):
            raise PaymentUnavailable
        return self._accounts[test]

    def open(self, purchase: Purchase) -> Opened:
        """Make the intent of a purchase, or return the one that was made for its reference."""
        token = pay_token(purchase.reference, self._secret)
        url = f"{self._public_url}/checkout/pay/{token}"
        return self._account(test=purchase.test).open(purchase, url)

    def find(self, intent: str, *, test: bool) -> Intent | None:
        """Return an intent as it is now; None where there is none."""
        return self._account(test=test).find(intent)

    def takes_stored(self, *, test: bool) -> bool:
        """Tell whether what is stored can pay: not on Stripe's own page, where the shopper must."""
        return self.is_ready(test=test) and self._settings.page == ELEMENTS

    def pay_stored(
        self, intent: str, *, customer: str, token: str, return_url: str, test: bool
    ) -> Intent:
        """Let what a shopper has stored pay.

        :raises PaymentUnavailable: the shopper pays on Stripe's own page here.
        :raises PaymentRefused: PaymentProviderUnavailable
        """
        if not self.takes_stored(test=test):
            raise PaymentUnavailable
        return self._account(test=test).pay_stored(intent, customer, token, return_url)

    def forget_customer(self, customer: str, *, test: bool) -> bool:
        """Delete a customer with its stored ways to pay; whether there was such a one."""
        return self._account(test=test).forget_customer(customer)

    def capture(self, intent: str, *, test: bool) -> Intent:
        """Take the money that is held."""
        return self._account(test=test).capture(intent)

    def cancel(self, intent: str, *, test: bool) -> Intent:
        """Let go of the money that is held."""
        return self._account(test=test).cancel(intent)

    def refund(self, intent: str, *, amount: int, reason: str, test: bool) -> Intent:
        """Send money back."""
        return self._account(test=test).refund(intent, amount, reason)

    def failed_refunds(self, intent: str, *, test: bool) -> frozenset[str]:
        """Return the names of refunds whose money has come back."""
        return self._account(test=test).failed_refunds(intent)

    def transfer(
        self, intent: str, *, part: str, account: str, amount: int, test: bool
    ) -> Transfer:
        """Send a merchant its share."""
        return self._account(test=test).transfer(intent, part, account, amount)

    def reverse(self, transfer: str, *, amount: int, reason: str, test: bool) -> Transfer:
        """Take a share back, or some of it."""
        return self._account(test=test).reverse(transfer, amount, reason)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> ProviderNotice:
        """Verify a webhook of either mode, each with its own secrets."""
        return webhooks.read(headers, body, self._keys, self._verify, now=self._clock())

    @cached_property
    def _verify(self) -> webhooks.Verify:
        verify: webhooks.Verify = import_module(
            "jay.checkout.providers.stripe.calls"
        ).verify_signature
        return verify
