"""What things have cost: prices as intervals, and the lowest one before a reduction.

Who tells of a reduction has to tell the lowest price of the 30 days before it began (PAngV 11,
Directive 98/6/EC 6a). Prices come as states: what a merchant has set, which may hold a sale for a
time. What is set now is with the product, what was set before is history: one row for each time
that something about the price has changed.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Table, Text

from jay.db.types import metadata
from jay.products.models import AMOUNT, SALE

LOOKED_BACK = timedelta(days=30)
"""How long before a reduction the lowest price is looked for (PAngV 11)."""

LONGEST_REDUCTION = timedelta(days=370)
"""So long a reduction is told of: what it began from is forgotten then."""

STATE = ("price", *SALE, "org_price", "currency", "rrp")
"""The columns of a product that make up what it costs, and that are kept of it."""

price_history = Table(
    "price_history",
    metadata,
    Column("product_id", Text, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    # From when until before when the merchant had set what follows: microseconds since 1970 in
    # UTC, by the clock of this service, as it is about what was shown.
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    Column("until", BigInteger, nullable=False),
    # As a product has them. None as a price is that of its main product.
    Column("price", AMOUNT),
    Column("sale_price", AMOUNT),
    Column("sale_from", BigInteger),
    Column("sale_until", BigInteger),
    Column("org_price", AMOUNT),
    Column("currency", Text),
    Column("rrp", Boolean),
    Index("ix_price_history_until", "until"),
)


class State(NamedTuple):
    """What a merchant had set from one moment to another; ``until`` is None while it still holds.

    Moments in microseconds since 1970 UTC, amounts in minor units.
    """

    since: int
    until: int | None
    price: int | None = None
    sale_price: int | None = None
    sale_from: int | None = None
    sale_until: int | None = None
    org_price: int | None = None
    currency: str | None = None
    rrp: bool | None = None

    def is_on_sale(self, at: int) -> bool:
        """Tell whether a sale for a time lowers the price at a moment."""
        return (
            self.price is not None
            and self.sale_price is not None
            and self.sale_price < self.price
            and (self.sale_from is None or self.sale_from <= at)
            and (self.sale_until is None or at < self.sale_until)
        )


class Offer(NamedTuple):
    """What something costs at a moment, and whether that is told to be less than before."""

    price: int
    currency: str
    reduced: bool


class Home(NamedTuple):
    """What is known of a shop."""

    currency: str
    """Of what comes without one."""
    since: int | None = None
    """From when on, in microseconds since 1970 UTC; None: always."""
    prices_since: int | None = None
    """From when on it is known what was there then has cost; None: always."""


class Timeline:
    """What a product or variant has cost.

    :param own: its states, in any order; they don't overlap.
    :param main: those of its main product, which a variant takes from what it does not set.
    """

    def __init__(self, own: Sequence[State], main: Sequence[State], home: Home) -> None:
        self._own, self._main = sorted(own, key=_in_time), sorted(main, key=_in_time)
        self._starts = [one.since for one in self._own], [one.since for one in self._main]
        self._home = home

    def offer(self, at: int) -> Offer | None:
        """Return what it costs at a moment; None: it had no price, or in a currency not known."""
        own = _holding(self._own, self._starts[0], at)
        if own is None:
            return None
        main = _holding(self._main, self._starts[1], at)
        set_by = own if own.price is not None else main
        if set_by is None or set_by.price is None:
            return None
        currency = own.currency or (main and main.currency) or self._home_currency(at)
        if currency is None:
            return None
        rrp = own.rrp if own.rrp is not None or main is None else main.rrp
        sale = set_by.is_on_sale(at)
        price = set_by.sale_price if sale else set_by.price
        assert price is not None  # noqa: S101 - for the type checker
        struck = set_by.org_price is not None and set_by.org_price > price and not rrp
        return Offer(price, currency, sale or struck)

    def lowest_before_reduction(self, now: int) -> int | None:
        """Return the lowest price in the 30 days before the reduction that holds now began.

        A reduction begins when one is told of, and goes on as long as the price does not rise: a
        reduction in steps counts from its first one (PAngV 11, 2).

        :returns: minor units; None when nothing is reduced, nothing is known of before, or it goes
            on longer than is remembered.
        """
        offer = self.offer(now)
        if offer is None or not offer.reduced:
            return None
        moments = self._moments(now)
        offers = [self.offer(at) for at in moments]
        first = len(offers) - 1
        while first > 0 and _continues(offers[first - 1], offers[first]):
            first -= 1
        began = moments[first]
        if began <= now - LONGEST_REDUCTION // timedelta(microseconds=1):
            return None
        earliest = began - LOOKED_BACK // timedelta(microseconds=1)
        known = self._home.prices_since
        if known is not None and self._own[0].since <= known and earliest < known:
            return None  # it may have cost less before
        before = [
            one.price
            for one, end in zip(offers[:first], moments[1:], strict=False)
            if one is not None and one.currency == offer.currency and end > earliest
        ]
        return min(before, default=None)

    def _moments(self, now: int) -> list[int]:
        """Return when something may have changed until now, in order."""
        found = {now} if self._home.since is None else {now, self._home.since}
        for one in (*self._own, *self._main):
            found.add(one.since)
            if one.until is not None:
                found.add(one.until)
            if one.sale_price is not None:
                end = now if one.until is None else one.until
                found |= {at for at in one[4:6] if at is not None and one.since < at < end}
        return sorted(at for at in found if at <= now)

    def _home_currency(self, at: int) -> str | None:
        since = self._home.since
        return self._home.currency if since is None or since <= at else None


def _in_time(one: State) -> tuple[int, bool]:
    """Order by start; of two of one moment, as a clock went back, what still holds is the last."""
    return one.since, one.until is None


def _holding(states: Sequence[State], starts: Sequence[int], at: int) -> State | None:
    place = bisect_right(starts, at)
    if not place:
        return None
    state = states[place - 1]
    return state if state.until is None or at < state.until else None


def _continues(before: Offer | None, after: Offer | None) -> bool:
    """Tell whether a reduction goes on from one moment to the next one."""
    return (
        before is not None
        and after is not None
        and before.reduced
        and before.currency == after.currency
        and before.price >= after.price
    )


def closed(product_id: str, since: int | None, now: int, state: Sequence[Any]) -> dict[str, Any]:
    """Return the row of history for what was set until now.

    :param since: when that was; None: it is not known, and a moment ago counts. So does what lies
        in the future: the clock was wrong then.
    :param state: in the order of ``STATE``.
    """
    begun = now - 1 if since is None or since > now else since
    values = dict(zip(STATE, state, strict=True))
    return {"product_id": product_id, "since": begun, "until": now, **values}


def is_rrp(description: Mapping[str, Any] | None) -> bool | None:
    """Tell whether ``orgPrice`` is a recommended price; None: the description doesn't say it."""
    kind = (description or {}).get("orgPriceKind")
    return None if kind is None else kind == "rrp"
