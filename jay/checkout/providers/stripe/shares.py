"""Merchants' shares of a payment: one charge of the operator's, and a transfer to each of them.

The operator is who the shopper pays, so neither ``on_behalf_of`` nor ``transfer_data`` is set.
"""

from collections.abc import Mapping
from typing import Any

from stripe import Transfer as StripeTransfer

from jay.checkout.providers.interface import Intent, Transfer, refund_name
from jay.checkout.providers.stripe.amounts import to_stripe
from jay.checkout.providers.stripe.calls import MOST, REASON, SHARE, Calls, marked
from jay.checkout.providers.stripe.reading import transfer_of
from jay.errors import PaymentRefused

NOT_CAPTURED, NO_TRANSFER = "not_captured", "no_such_transfer"


class Shares:
    """The transfers of one account in one mode."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._api = calls, calls.api

    def send(self, found: Intent, part: str, account: str, amount: int) -> Transfer:
        """Send a merchant its share of what was captured, once for each part."""
        charge = self._charge_of(found.payment or found.id)
        written = to_stripe(amount, found.currency)

        def made() -> StripeTransfer | None:
            # To whatever account: a merchant may have told another one since.
            every = self._calls.read(
                lambda: self._api.transfers.list({"transfer_group": found.reference, "limit": MOST})
            )
            return marked(every, SHARE, part)

        sent = self._calls.once(
            f"{part}-transfer",
            lambda options: self._api.transfers.create(
                {
                    "amount": written,
                    "currency": found.currency.lower(),
                    "destination": account,
                    # It arrives when the payment's own money does.
                    "source_transaction": charge,
                    "transfer_group": found.reference,
                    "metadata": {SHARE: part},
                },
                options,
            ),
            made=made,
        )
        return transfer_of(sent.to_dict())

    def _charge_of(self, payment: str) -> str:
        """Return the charge of a payment whose money has moved.

        :raises PaymentRefused: it has not.
        """
        told = self._calls.read(lambda: self._api.payment_intents.retrieve(payment))
        if told is None or told.status != "succeeded":
            raise PaymentRefused(NOT_CAPTURED)
        charge = told.latest_charge
        return charge if isinstance(charge, str) else str(charge and charge.id)

    def take_back(self, transfer: str, amount: int, reason: str) -> Transfer:
        """Take a share back, or some of it, once for each reason."""
        sent = self._transfer(transfer)
        name = refund_name(reason)
        written = to_stripe(amount, str(sent["currency"]).upper())

        def made() -> object | None:
            every = self._calls.read(
                lambda: self._api.transfers.reversals.list(transfer, {"limit": MOST})
            )
            return marked(every, REASON, name)

        self._calls.once(
            f"{transfer}-{name}-reversal",
            lambda options: self._api.transfers.reversals.create(
                transfer, {"amount": written, "metadata": {REASON: name}}, options
            ),
            made=made,
        )
        return transfer_of(self._transfer(transfer))

    def _transfer(self, transfer: str) -> Mapping[str, Any]:
        told = self._calls.read(lambda: self._api.transfers.retrieve(transfer))
        if told is None:
            raise PaymentRefused(NO_TRANSFER)
        return told.to_dict()
