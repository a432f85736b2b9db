"""What is asked of a merchant's shop, whichever system it runs on.

Each call may raise ``Problem``: then it is not known whether it was done, unless it says so.
Neither system knows idempotency keys, so that an order is looked for before it is made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from jay.checkout.addresses import Contact
from jay.i18n import in_major_units

SOURCE = "Jay Basket"

UNSURE_FOR = timedelta(minutes=2)
"""How long it may take until what was made is found: after an answer that did not come."""

NOT_THERE = "its order does not lie in the shop"


class Problem(Exception):
    """A shop has not done what it was asked for.

    :ivar failure: one sentence without secrets and without anything personal.
    :ivar hold: the shop takes nothing else either.
    :ivar wait: how long it asks to wait.
    """

    def __init__(self, failure: str, *, hold: bool = False, wait: timedelta | None = None) -> None:
        super().__init__(failure)
        self.failure, self.hold, self.wait = failure, hold, wait


@dataclass(frozen=True)
class DraftLine:
    """Some pieces of a product; amounts in minor units, tax included, ``tax`` of all of them."""

    sku: str
    name: str
    count: int
    price: int
    vat: float
    tax: int


@dataclass(frozen=True)
class Draft:
    """A part as a shop gets it. ``tax``: contained in all of it, shipping included."""

    part_no: str
    created: datetime
    test: bool
    currency: str
    lines: Sequence[DraftLine]
    shipping: int
    tax: int
    total: int
    payment: str
    contact: Contact = field(repr=False)

    @property
    def shipping_tax(self) -> int:
        """The tax that is contained in shipping."""
        return max(0, self.tax - sum(line.tax for line in self.lines))

    def major(self, amount: int) -> str:
        """Write an amount in major units, as both systems take it."""
        return in_major_units(amount, self.currency)


@dataclass(frozen=True)
class Sent:
    """A parcel that has left; ``pieces`` by SKU, None: all that are left."""

    id: str
    pieces: Mapping[str, int] | None
    carrier: str | None = None
    number: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)


def amount_of(text: str) -> Decimal:
    """Read an amount in major units.

    :raises ArithmeticError: ValueError: it is none.
    """
    amount = Decimal(text)
    if not amount.is_finite():
        raise ValueError("an amount has an end")
    return amount


@dataclass(frozen=True)
class GivenBack:
    """A refund that the merchant has noted in its shop; ``amount`` in major units.

    :ivar note: what the merchant has written to it.
    """

    id: str
    amount: Decimal
    currency: str
    note: str = field(default="", repr=False)


@dataclass(frozen=True)
class InShop:
    """An order as the merchant's shop has it; ``part_no``: the part that it was made for.

    :ivar odd: why it can't be read: then nothing but its id is known.
    """

    id: str
    part_no: str | None
    cancelled: bool
    sent: Sequence[Sent]
    given_back: Sequence[GivenBack]
    odd: str | None = None


UNKNOWN_FORM = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What taking an answer apart may raise that is not as it is documented."""


def each_read(orders: Iterable[Any], read: Callable[[Mapping[str, Any]], InShop]) -> list[InShop]:
    """Read orders one by one, so that one in an unknown form does not hide the others."""
    found = []
    for one in orders:
        if not one:
            continue  # it is gone
        try:
            found.append(read(one))
        except UNKNOWN_FORM as error:
            odd = f"its order is in an unknown form: {type(error).__name__}"
            found.append(InShop(str(one["id"]), None, False, (), (), odd))
    return found


class Shop(Protocol):
    """A merchant's shop."""

    def check(self) -> str:
        """Return what the shop is called.

        :raises Problem: it can't be reached, or the credentials don't allow what is needed.
        """
        ...

    def find(self, part_no: str, *, since: datetime) -> str | None:
        """Return the id of the order that was made for a part; None where there is none."""
        ...

    def create(self, draft: Draft) -> str:
        """Make an order that is paid already, and return its id."""
        ...

    def cancel(self, identifier: str) -> None:
        """Cancel an order without moving money; one that is cancelled stays so."""
        ...

    def note(self, identifier: str, text: str) -> None:
        """Show the merchant what has happened to an order."""
        ...

    def read(self, identifiers: Sequence[str]) -> Iterable[InShop]:
        """Return orders as they are now, as they come; those that are gone are left out."""
        ...
