"""What the checkout's pages say of what has happened, in the page's language."""

from dataclasses import dataclass

from flask import current_app

from jay.web.pages import gettext as _


@dataclass(frozen=True)
class Halt:
    """Why it does not go on, and what to do next."""

    title: str
    text: str
    next: str
    again: bool = False
    """Whether the same thing may be tried again."""


def ways_to_pay() -> list[str]:
    """Return the ways to pay that a basket's page tells; none where nothing can be paid."""
    psp = current_app.extensions["jay.psp"]
    if psp is None:
        return []
    if psp.name == "sandbox":
        return [_("Card (trial, no money moves)")]
    return [_("Card and what else your bank offers")]


def told(note: str | None) -> str | None:
    """Return what a note says at the head of the summary."""
    if note is None:
        return None
    return {
        "changed": _(
            "Something has changed since you saw this. Nothing was ordered: please check it again."
        ),
        "expired": _(
            "What was reserved for you is free again, because the time was up. Nothing was"
            " ordered. This is what there is now."
        ),
        "unpaid": _("You have not paid yet. Nothing was ordered."),
        "card_declined": _(
            "Your card was declined, and nothing was charged. Try it again, or with another card."
        ),
        "insufficient_funds": _(
            "There was not enough money on the card, and nothing was charged. Try another one."
        ),
        "authentication_failed": _(
            "Your bank did not confirm the payment, and nothing was charged. Try it again."
        ),
    }.get(
        note,
        _("The payment did not work, and nothing was charged. Try again, or pay in another way."),
    )


def halted(reason: str) -> Halt:
    """Return what the page says that ends the way to the payment."""
    return {
        "nothing": Halt(
            _("Nothing here can be bought"),
            _("Nothing of your basket can be bought at the moment."),
            _("It stays in your basket. Have a look at what there is."),
        ),
        "mixed": Halt(
            _("Two currencies at once"),
            _("Your basket has prices in different currencies, so it can't be paid in one go."),
            _("Save what has another currency for later, and check out what is left."),
        ),
        "away": Halt(
            _("No way to pay just now"),
            _("We can't reach the payment service. Nothing was ordered, nothing was charged."),
            _("Try it again in a minute. Your basket is safe."),
            again=True,
        ),
        "unavailable": Halt(
            _("Paying is not possible here"),
            _("Nothing can be paid at the moment. Nothing was ordered, nothing was charged."),
            _("Your basket is safe. Try it again later."),
            again=True,
        ),
        "paying": Halt(
            _("It is being paid for"),
            _("Somebody is paying for this basket at the moment, perhaps you on another device."),
            _("Finish it there, or come back in a minute."),
            again=True,
        ),
        "no-cookies": Halt(
            _("Your browser sent no cookie"),
            _(
                "To pay, this page has to know that it is still you. Allow cookies for this"
                " address in your browser's settings, or use another browser."
            ),
            _("Then show the code on the TV once more and scan it."),
        ),
    }[reason]
