"""A refund in a merchant's shop that was made here already: its money must not go back twice.

The shop's own payment has nothing to send back, so that a refund there is made here when it is read
back. But who was told of a refund of ours may note it in the shop, too, for the books to be right.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from jay.i18n import in_major_units
from jay.orders.models import Happening, Movement, MovementState, OrderPart

REASON = "Refunded in the merchant's shop"
"""What stands at the refunds that were made for those in the shop."""

_TAG = re.compile(r"jay-refunded-([0-9]+)")


@dataclass(frozen=True)
class Same:
    """What is like a refund in the shop.

    :ivar refunds: which were made here, and it is no other one.
    :ivar told: what the operator has to look at; None where there is no doubt.
    :ivar owed: it is to be made here.
    """

    refunds: Sequence[Movement] = ()
    told: str | None = None
    owed: bool = False


def mark_of(refund: Movement) -> str:
    """Return what is kept with a part of a refund that a refund in the shop stands for."""
    return f"same {refund.id}"


def find(
    part: OrderPart, note: str, amount: int, seen: Collection[str], *, since: datetime
) -> Same:
    """Look for what a refund in the shop may be.

    :param note: what the merchant has written to it: it may name a refund, or its tag.
    :param amount: minor units.
    :param seen: what is kept with the part.
    :param since: when the part came into this shop: what was made before for one in a shop may be
        for this one, as after a move.
    """
    free = [
        one
        for one in part.refunds
        if one.state is not MovementState.FAILED
        and (one.reason != REASON or one.created <= since)
        and mark_of(one) not in seen
    ]
    called = _named_in(note, part)
    known = [one for one in part.refunds if one.id in called]
    named = [one for one in free if one.id in called]
    if known and not named:
        return Same(told=f"not paid, as it names {_why_not(known)}")
    same = named or next(([one] for one in free if one.amount == amount), free)
    ids = ", ".join(one.id for one in same)
    if same and sum(one.amount for one in same) == amount:
        doubt = f"not paid, as so much went back here already ({ids}); if it is for something else"
        return Same(same, None if named else f"{doubt}, refund that here")
    if named:
        return Same(named, f"not paid, as it names {ids}, whose amount is another one")
    if free:
        before = in_major_units(sum(one.amount for one in free), part.order.currency)
        told = f"paid, though {before} {part.order.currency} went back here before; if that was"
        return Same(told=f"{told} for the same, settle it with the merchant", owed=True)
    return Same(owed=True)


def _why_not(known: Sequence[Movement]) -> str:
    """Say of refunds that a note names why it can be none of them."""
    failed = MovementState.FAILED
    said = (
        f"{one.id}, which {'has failed' if one.state is failed else 'is in the shop already'}"
        for one in known
    )
    return f"{', '.join(said)}; if it is owed, refund it here"


def _named_in(note: str, part: OrderPart) -> set[str]:
    numbers = {int(number) for number in _TAG.findall(note)}
    told = (one for one in part.events if one.kind is Happening.REFUNDED)
    tagged = {str(one.details.get("refund")) for one in told if one.number in numbers}
    return tagged | {one.id for one in part.refunds if one.id in note}
