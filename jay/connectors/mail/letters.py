"""What merchants are told of their orders by mail, in words and with the part attached.

It is written when it is sent, so that nothing personal lies in the outbox. What has gone wrong with
money may go to the address of the imprint, which many read: it names no shopper, and has nothing
attached.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from jay import i18n
from jay.checkout.addresses import Contact
from jay.orders import schemas
from jay.orders.mails import ACCENT, counts_of
from jay.orders.models import Actor, Happening, OrderEvent, OrderPart
from jay.orders.showing import ShownPart, day, lines_of
from jay.outbox import rendering
from jay.outbox.letters import Attachment, Letter

ATTACHED = "order.json"

TROUBLES = {Happening.REFUND_FAILED: "refund-failed", Happening.DISPUTED: "disputed"}
"""What merchants are told by mail alone, whichever way their orders go."""

COLOURS: dict[str, Any] = {"accent": ACCENT.accent, "on_accent": ACCENT.text, "ink": ACCENT.ink}


@dataclass(frozen=True)
class About:
    """What a mail about an order is about, read in the transaction in which it was taken."""

    part: OrderPart
    event: OrderEvent
    contact: Contact = field(repr=False)
    shown: ShownPart = field(repr=False)
    sold_on: str
    lang: str
    api: str

    def letter(self) -> Letter:
        """Write the letter; its subject names nobody."""
        attached = self._attached()
        return rendering.letter(
            "part",
            lang=self.lang,
            attachments=attached,
            attached=bool(attached),
            shown={"test": self.part.order.test},
            part=self.shown,
            facts=self._facts(),
            goes_to=lines_of(self.contact.goes_to, self.lang),
            billed_to=lines_of(self._billed_elsewhere(), self.lang),
            created=self.event.kind is Happening.CREATED,
            api=self.api,
            sender=self.sold_on,
            **COLOURS,
            **_TELL[self.event.kind](self),
        )

    def _attached(self) -> list[Attachment]:
        if self.event.kind in TROUBLES:
            return []
        told = schemas.part_view(self.part, self.contact)
        written = orjson.dumps(told, option=orjson.OPT_INDENT_2)
        return [Attachment(ATTACHED, "application/json", written)]

    def _billed_elsewhere(self) -> Any:
        billing = self.contact.billing
        return None if billing == self.contact.goes_to else billing

    def _facts(self) -> list[tuple[str, str]]:
        _ = i18n.texts(self.lang).gettext
        order = self.part.order
        found = [
            (_("Order number"), str(self.part.part_no)),
            (_("Ordered on"), i18n.minute(order.created, self.lang, order.country)),
        ]
        if self.event.kind in {Happening.REFUNDED, Happening.REFUND_FAILED}:
            amount, currency = int(self.event.details.get("amount", 0)), order.currency
            found.append((_("Amount"), i18n.money(amount, currency, self.lang)))
        if self.event.kind is Happening.DISPUTED:
            total = i18n.money(self.part.total, order.currency, self.lang)
            found.append((_("Amount"), total))
        due = day(self.part.still_due, self.lang)
        if self.event.kind is Happening.WITHDRAWN and due is not None:
            found.append((_("To be refunded by"), due))
        if self.contact.email:
            found.append((_("E-mail of the shopper"), self.contact.email))
        return found

    def said(self, subject: str, *paragraphs: str) -> dict[str, Any]:
        """Return what the template says of it; the subject holds the number of the part."""
        return {
            "subject": subject % {"number": self.part.part_no},
            "paragraphs": paragraphs,
            "counts": counts_of(self.event.details),
        }


def _created(about: About) -> dict[str, Any]:
    _ = i18n.texts(about.lang).gettext
    return about.said(
        _("New order %(number)s"),
        _(
            "It is paid. Please accept it and, once it is sent, say so over the API:"
            " then the shopper gets a mail."
        ),
    )


def _cancelled(about: About) -> dict[str, Any]:
    _ = i18n.texts(about.lang).gettext
    by_shopper = about.event.by is Actor.SHOPPER
    return about.said(
        _("Cancelled: order %(number)s"),
        _("The shopper has cancelled this before it was accepted.")
        if by_shopper
        else _("This was cancelled."),
        _("Please do not send it. What was paid for it goes back."),
    )


def _withdrawn(about: About) -> dict[str, Any]:
    _ = i18n.texts(about.lang).gettext
    return about.said(
        _("Withdrawal: order %(number)s"),
        _("The shopper withdraws from the contract, and we have acknowledged it."),
        _(
            "What has not been sent yet must not be sent. The money has to go back within 14 days;"
            " you may wait until the goods, or proof that they were sent, have arrived."
        ),
    )


def _refunded(about: About) -> dict[str, Any]:
    _ = i18n.texts(about.lang).gettext
    return about.said(_("Refund: order %(number)s"), _("This money has gone back to the shopper."))


def _refund_failed(about: About) -> dict[str, Any]:
    _ = i18n.texts(about.lang).gettext
    return about.said(
        _("Refund failed: order %(number)s"),
        _("The payment provider could not send this money back, so the shopper does not have it."),
        _("The platform has been told. You can ask for the refund again over the API."),
    )


def _disputed(about: About) -> dict[str, Any]:
    _ = i18n.texts(about.lang).gettext
    return about.said(
        _("Payment disputed: order %(number)s"),
        _("The shopper's bank takes the payment back, or tries to."),
        _("Please keep what proves the delivery; the platform will ask for it."),
    )


_TELL: Mapping[Happening, Callable[[About], dict[str, Any]]] = {
    Happening.CREATED: _created,
    Happening.CANCELLED: _cancelled,
    Happening.WITHDRAWN: _withdrawn,
    Happening.REFUNDED: _refunded,
    Happening.REFUND_FAILED: _refund_failed,
    Happening.DISPUTED: _disputed,
}
