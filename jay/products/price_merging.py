"""What prices in history can be told as one, so that a product keeps few of them.

Some shops change a price every few minutes. Of what was asked on one day only the lowest price is
ever asked for again, but where a reduction that may still go on began has to stay as it was.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby, pairwise

from jay.products.prices import LOOKED_BACK, State

MOST_KEPT = 100
"""So many prices of before a product has at most; merging them leaves about two of a day."""

_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1) // _MICROSECOND
_LOOKED_BACK = LOOKED_BACK // _MICROSECOND


def merged(history: Sequence[State]) -> list[State]:
    """Tell the history of a product in as few states as say the same.

    Before the last moment at which no reduction can have gone on, one state for each day keeps the
    lowest price. Since then each price is at most the one before it, and the lower one stays.

    :param history: all there is of it, at least one, in any order.
    """
    rows = sorted(history, key=lambda one: one.since)
    ends = [place for place, pair in enumerate(pairwise(rows), 1) if _ends_reduction(*pair)]
    first = max(ends, default=0)
    now = _end(rows[-1])
    if not _may_be_reduced(rows[-1]):
        first = len(rows)
    began = rows[first].since if first < len(rows) else now
    past, going_on = rows[:first], rows[first + 1 :]
    return [
        *_by_day(past, [_lowest(one) for one in past], began),
        *rows[first : first + 1],  # what a reduction began with is compared with what was before
        *_by_day(going_on, [_steady(one) for one in going_on], now),
    ]


def _by_day(rows: Sequence[State], simple: Sequence[State | None], end: int) -> list[State]:
    """Merge what is alike on a day, or more than 30 days before a moment."""

    def kind(place: int) -> tuple[object, ...]:
        row, told = rows[place], simple[place]
        if told is None:
            return (place,)
        is_old = _end(row) <= end - _LOOKED_BACK
        day = None if is_old else row.since // _DAY
        on_sale = told.sale_price is not None
        return day, told.price is None, on_sale, told.currency, told.rrp

    found = []
    for _, places in groupby(range(len(rows)), kind):
        first, *others = places
        alike = [one for place in (first, *others) if (one := simple[place]) is not None]
        if not others:
            found.append(rows[first])
            continue
        lowest = min(reversed(alike), key=_asked)
        found.append(lowest._replace(since=rows[first].since, until=rows[others[-1]].until))
    return found


def _end(row: State) -> int:
    assert row.until is not None  # noqa: S101 - for the type checker
    return row.until


def _asked(row: State) -> int:
    return (row.price if row.sale_price is None else row.sale_price) or 0


def _ends_reduction(before: State, after: State) -> bool:
    """Tell whether no reduction went on from one state to the next, not even a variant's."""
    if before.until != after.since:
        return True
    if before.price is None or after.price is None:
        return False
    asked = [
        one.sale_price if one.is_on_sale(at) else one.price
        for one, at in ((before, before.until - 1), (after, after.since))
    ]
    return not _may_be_reduced(before) or (asked[0] or 0) < (asked[1] or 0)


def _may_be_reduced(row: State) -> bool:
    """Tell whether it was reduced at its end, if what it compares with is not recommended."""
    if row.price is None or row.is_on_sale(_end(row) - 1):
        return True
    return row.org_price is not None and row.org_price > row.price


def _lowest(row: State) -> State:
    """Tell a state as its lowest price, and of no reduction."""
    price, sale, starts, ends = row[2:6]
    if price is not None and sale is not None and sale < price:
        begins = row.since if starts is None else max(row.since, starts)
        stops = _end(row) if ends is None else min(_end(row), ends)
        price = sale if begins < stops else price
    return State(row.since, row.until, price, currency=row.currency, rrp=row.rrp)


def _steady(row: State) -> State | None:
    """Tell a state without the times of its sale; None where these lie within it."""
    if row.price is None:
        return None
    if row.sale_price is not None and any(
        at is not None and row.since < at < _end(row) for at in (row.sale_from, row.sale_until)
    ):
        return None
    sale = row.sale_price if row.is_on_sale(row.since) else None
    return row._replace(sale_price=sale, sale_from=None, sale_until=None)
