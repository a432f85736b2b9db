"""Which pictures new guests' baskets need: begun with products in them, they tell of no event."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from jay.baskets.models import GUEST_LIFETIME, Basket, baskets
from jay.pictures import leases
from jay.pictures.leases import Sweep
from jay.pictures.sweeping import BASKETS_EVERY, PAGE, want


def sweep_guests(connection: Connection, sweep: Sweep, *, own: str, now: datetime) -> bool:
    """Let what guests began with be fetched first; tell whether there is more.

    They are found by when they expire, which is a fixed time after they were made.
    """
    since = sweep.since or now - GUEST_LIFETIME
    query = (
        select(baskets)
        .where(
            baskets.c.expires > since + GUEST_LIFETIME,
            baskets.c.expires <= now + GUEST_LIFETIME + _A_MOMENT,
            baskets.c.guest,
        )
        .order_by(baskets.c.expires)
        .limit(PAGE)
    )
    rows = connection.execute(query).all()
    found = [Basket.from_row(row) for row in rows]
    wanted = [entry.product_id for one in found for entry in (*one.cart, *one.saved)]
    want(connection, wanted, own=own, now=now)
    more = len(rows) == PAGE
    seen = rows[-1].expires - GUEST_LIFETIME if rows else since
    due = now if more else now + BASKETS_EVERY
    leases.end_sweep(connection, sweep, since=min(seen, now), due=due)
    return more


_A_MOMENT = timedelta(minutes=5)
"""Clocks differ."""
