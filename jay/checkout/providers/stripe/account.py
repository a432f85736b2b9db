"""Payments of one Stripe account in one mode: made, read, captured, cancelled, refunded."""

from collections.abc import Callable
from typing import Any

from stripe import RequestOptions

from jay.checkout.order_numbers import grouped
from jay.checkout.providers.interface import (
    Intent,
    IntentStatus,
    Opened,
    Purchase,
    Transfer,
    refund_name,
)
from jay.checkout.providers.stripe.amounts import to_stripe
from jay.checkout.providers.stripe.calls import MOST, REASON, Calls, marked
from jay.checkout.providers.stripe.reading import intent_of, intent_of_page
from jay.checkout.providers.stripe.shares import Shares
from jay.checkout.providers.stripe.webhooks import REFERENCE
from jay.config import HOSTED, StripeKeys
from jay.errors import PaymentProviderUnavailable, PaymentRefused
from jay.i18n import texts

HELD_FIRST = ("card", "klarna", "paypal")
"""Ways to pay whose money is held until it is decided that there is an order.

Others move it at once, and it goes back where there is none."""

TOO_SLOW = (
    *("acss_debit", "au_becs_debit", "bacs_debit", "boleto", "customer_balance", "konbini"),
    *("multibanco", "nz_bank_account", "oxxo", "sepa_debit", "us_bank_account"),
)
"""Ways to pay that take days are not offered: what is bought is reserved for half an hour."""

PAGE_LANGUAGES = ("de", "en")

_HELD: Any = {method: {"capture_method": "manual"} for method in HELD_FIRST}
_FINAL = (IntentStatus.CAPTURED, IntentStatus.CANCELLED)
_CHARGE, _PAGE_CHARGE = ["latest_charge"], ["payment_intent.latest_charge"]
_PAYABLE = ("requires_payment_method", "requires_confirmation")
_PAGE = "cs_"


class Account:
    """One account in one mode."""

    def __init__(self, keys: StripeKeys, page: str, address: str | None = None) -> None:
        self._keys, self._page = keys, page
        self._calls = Calls(keys.secret, address)
        self._api = self._calls.api
        self._shares = Shares(self._calls)

    def open(self, purchase: Purchase, payment_url: str) -> Opened:
        """Make the intent of a purchase.

        :param payment_url: of our page with Stripe's form; a hosted page has its own.
        """
        amount = to_stripe(purchase.amount, purchase.currency)
        if self._page == HOSTED:
            return self._open_page(purchase, amount)
        payment = self._calls.once(
            f"{purchase.reference}-open",
            lambda options: self._api.payment_intents.create(
                {
                    "amount": amount,
                    "currency": purchase.currency.lower(),
                    "automatic_payment_methods": {"enabled": True},
                    "excluded_payment_method_types": list(TOO_SLOW),
                    "payment_method_options": _HELD,
                    "transfer_group": purchase.reference,
                    "metadata": {REFERENCE: purchase.reference},
                },
                options,
            ),
        )
        return Opened(
            id=payment.id,
            client_secret=str(payment.client_secret),
            payment_url=payment_url,
            publishable_key=self._keys.publishable,
            methods=tuple(payment.payment_method_types),
        )

    def _open_page(self, purchase: Purchase, amount: int) -> Opened:
        name = texts(purchase.lang).gettext("Order number")
        page = self._calls.once(
            f"{purchase.reference}-page",
            lambda options: self._api.checkout.sessions.create(
                {
                    "mode": "payment",
                    "ui_mode": "hosted_page",
                    "line_items": [
                        {
                            "quantity": 1,
                            "price_data": {
                                "currency": purchase.currency.lower(),
                                "unit_amount": amount,
                                "product_data": {"name": f"{name} {grouped(purchase.reference)}"},
                            },
                        }
                    ],
                    "excluded_payment_method_types": list(TOO_SLOW),
                    "payment_method_options": _HELD,
                    "payment_intent_data": {
                        "transfer_group": purchase.reference,
                        "metadata": {REFERENCE: purchase.reference},
                    },
                    # Else it is paid in another currency than the order's.
                    "adaptive_pricing": {"enabled": False},
                    "metadata": {REFERENCE: purchase.reference},
                    "locale": purchase.lang if purchase.lang in PAGE_LANGUAGES else "auto",
                    "success_url": purchase.return_url,
                    "cancel_url": purchase.return_url,
                },
                options,
            ),
        )
        return Opened(
            id=page.id,
            client_secret="",  # whoever has the page's address can pay
            payment_url=str(page.url),
            publishable_key=self._keys.publishable,
            methods=tuple(page.payment_method_types),
        )

    def find(self, intent: str) -> Intent | None:
        """Return an intent as it is now; None where there is none."""
        if intent.startswith(_PAGE):
            page = self._calls.read(
                lambda: self._api.checkout.sessions.retrieve(intent, {"expand": _PAGE_CHARGE})
            )
            return None if page is None else intent_of_page(page.to_dict())
        payment = self._calls.read(
            lambda: self._api.payment_intents.retrieve(intent, {"expand": _CHARGE})
        )
        return None if payment is None else intent_of(payment.to_dict())

    def _known(self, intent: str) -> Intent:
        found = self.find(intent)
        if found is None:
            raise PaymentProviderUnavailable
        return found

    def pay_stored(self, intent: str, customer: str, token: str, return_url: str) -> Intent:
        """Let a customer's stored payment method pay, of which the customer is not asked.

        Where the bank wants to ask, or declines, the payment stays open, and its failure shows.

        :param return_url: Stripe confirms nothing without it that could lead elsewhere.
        :raises PaymentRefused: for another reason, which the payment does not show.
        """
        told = self._calls.read(lambda: self._api.payment_intents.retrieve(intent))
        if told is None:
            raise PaymentProviderUnavailable
        if told.status in _PAYABLE:
            # After a failure it is another try, which Stripe would answer as the one before.
            before = (told.to_dict().get("last_payment_error") or {}).get("charge") or "first"
            name = refund_name(f"{customer} {token} {before}")
            self._calls.move(
                f"{intent}-{name}-customer",
                lambda options: self._api.payment_intents.update(
                    intent, {"customer": customer}, options
                ),
            )
            self._calls.move(
                f"{intent}-{name}-confirm",
                lambda options: self._api.payment_intents.confirm(
                    intent,
                    {"payment_method": token, "off_session": True, "return_url": return_url},
                    options,
                ),
            )
        return self._known(intent)

    def capture(self, intent: str) -> Intent:
        """Take the money that is held; what has lapsed, or was done before, shows afterwards."""
        found = self._known(intent)
        if found.status is not IntentStatus.AUTHORISED:
            return found
        payment = found.payment or found.id
        self._move(
            f"{payment}-capture",
            lambda options: self._api.payment_intents.capture(payment, {}, options),
        )
        return self._known(intent)

    def cancel(self, intent: str) -> Intent:
        """Let go of the money that is held; a page takes none any more, either."""
        found = self._known(intent)
        if intent.startswith(_PAGE) and found.status not in _FINAL:
            self._move(
                f"{intent}-{found.status}-expire",
                lambda options: self._api.checkout.sessions.expire(intent, {}, options),
            )
            found = self._known(intent)
        payment = found.payment or found.id
        if found.status not in _FINAL and not payment.startswith(_PAGE):
            # What was not possible when it stood otherwise has another key than what is now.
            self._move(
                f"{payment}-{found.status}-cancel",
                lambda options: self._api.payment_intents.cancel(payment, {}, options),
            )
            found = self._known(intent)
        return found

    def _move(self, step: str, work: Callable[[RequestOptions], object]) -> None:
        """Move something on, which may have moved otherwise: where it stands then shows.

        Not all of that has a code of its own, as with a page that is not open any more.
        """
        try:
            self._calls.once(step, work)
        except PaymentRefused:
            return

    def refund(self, intent: str, amount: int, reason: str) -> Intent:
        """Send money back, once for each reason."""
        found = self._known(intent)
        payment, name = found.payment or found.id, refund_name(reason)
        written = to_stripe(amount, found.currency)

        def made() -> object | None:
            every = self._calls.read(
                lambda: self._api.refunds.list({"payment_intent": payment, "limit": MOST})
            )
            return marked(every, REASON, name)

        self._calls.once(
            f"{payment}-{name}-refund",
            lambda options: self._api.refunds.create(
                {"payment_intent": payment, "amount": written, "metadata": {REASON: name}},
                options,
            ),
            made=made,
        )
        return self._known(intent)

    def failed_refunds(self, intent: str) -> frozenset[str]:
        """Return the names of refunds whose money has come back."""
        found = self._known(intent)
        every = self._calls.read(
            lambda: self._api.refunds.list(
                {"payment_intent": found.payment or found.id, "limit": MOST}
            )
        )
        told = [one.to_dict() for one in every.auto_paging_iter()] if every is not None else []
        return frozenset(
            str((one.get("metadata") or {}).get(REASON, ""))
            for one in told
            if one.get("status") in {"failed", "canceled"}
        )

    def forget_customer(self, customer: str) -> bool:
        """Delete a customer: no payment method of it can be used any more."""
        # Without a key of ours: one that is deleted is not there at the next call.
        return self._calls.read(lambda: self._api.customers.delete(customer)) is not None

    def transfer(self, intent: str, part: str, account: str, amount: int) -> Transfer:
        """Send a merchant its share of what was captured, once for each part."""
        return self._shares.send(self._known(intent), part, account, amount)

    def reverse(self, transfer: str, amount: int, reason: str) -> Transfer:
        """Take a share back, or some of it, once for each reason."""
        return self._shares.take_back(transfer, amount, reason)
