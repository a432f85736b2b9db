"""What transfers know of a basket, and note in it: they name it by where it lies and its id."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, select, update

from jay.baskets.models import Basket, baskets, row_of
from jay.db.database import locks


def basket_by_id(
    connection: Connection, routing_key: int, identifier: str, *, now: datetime
) -> Basket | None:
    """Return the basket that a transfer names, locked where the connection can lock.

    None when it is gone.
    """
    query = select(baskets).where(*_named(routing_key, identifier))
    if locks(connection):
        query = query.with_for_update()
    return Basket.alive(connection.execute(query).one_or_none(), now)


def is_kept(connection: Connection, routing_key: int, identifier: str) -> bool:
    """Tell whether there still is the basket that a transfer names, an expired one, too."""
    query = select(baskets.c.id).where(*_named(routing_key, identifier))
    return connection.execute(query).one_or_none() is not None


def note_claim(
    connection: Connection, routing_key: int, identifier: str, *, now: datetime
) -> Basket | None:
    """Note that another device takes the basket over, and return it, locked; None: it is gone."""
    statement = update(baskets).where(*_named(routing_key, identifier)).values(claimed=True)
    row = connection.execute(statement.returning(*baskets.c)).one_or_none()
    return Basket.alive(row, now)


def note_offer(connection: Connection, basket: Basket, offer: str) -> None:
    """Note the latest transfer of an opened basket."""
    connection.execute(update(baskets).where(*row_of(basket)).values(offer=offer))
    basket.offer = offer


Withdraw = Callable[..., None]
_withdrawing: set[Withdraw] = set()


def withdraws_offers(work: Withdraw) -> Withdraw:
    """Have a function called when a basket is deleted that was offered to another device.

    ``work(connection, offer, now=now)``: transfers stand right of baskets, which can't call them.
    """
    _withdrawing.add(work)
    return work


def withdraw(connection: Connection, offer: str | None, *, now: datetime) -> None:
    """Cancel the latest transfer of a basket that is deleted, where it was ever offered."""
    if offer is not None:
        for work in _withdrawing:
            work(connection, offer, now=now)


End = Callable[..., None]
_ending: set[End] = set()


def ends_with_basket(work: End) -> End:
    """Have a function called before a basket goes.

    ``work(connection, basket, now=now)``: the checkout stands right of baskets. It may refuse.
    """
    _ending.add(work)
    return work


def end_with(connection: Connection, basket: Basket, *, now: datetime) -> None:
    """Tell whom it concerns that a basket goes."""
    for work in _ending:
        work(connection, basket, now=now)


def _named(routing_key: int, identifier: str) -> tuple[ColumnElement[bool], ...]:
    return baskets.c.routing_key == routing_key, baskets.c.id == identifier
