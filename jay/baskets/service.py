"""Use cases of the basket."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jay.auth.models import User
from jay.baskets.models import REMOVE, Basket, Entry, baskets, entry_from, row_of
from jay.baskets.offered import end_with, withdraw
from jay.db.database import Conflict, locks, optimistic
from jay.db.prepared import Prepared
from jay.db.routing import NOWHERE, of_before
from jay.db.turns import is_distributed
from jay.errors import (
    GuestNotAllowed,
    NothingToMerge,
    PreconditionFailed,
    ProductNotFound,
    TokenRevoked,
)
from jay.events import NOTHING, Event, EventType, Recorded, Tracking, record
from jay.products import service as catalogue
from jay.products.models import Product, Variant

Precondition = Collection[str]
"""Entity tags, one of which must name the basket's state for a write to go on (``If-Match``)."""


@dataclass(frozen=True, slots=True)
class Context:
    """When a basket is changed, on which condition, and from which session."""

    now: datetime
    if_match: Precondition | None = None
    tracking: Tracking = NOTHING

    def event(
        self,
        kind: EventType,
        basket: Basket,
        product_id: str | None = None,
        count: int | None = None,
    ) -> Event:
        """Return the event of a change."""
        return event_of(kind, basket, self.now, self.tracking, product_id=product_id, count=count)


def event_of(
    kind: EventType,
    basket: Basket,
    now: datetime,
    tracking: Tracking = NOTHING,
    *,
    product_id: str | None = None,
    count: int | None = None,
) -> Event:
    """Return the event of a basket; it lies where the basket does."""
    return Event(kind, now, basket.partner_id, basket.routing_key, tracking, product_id, count)


_HERE = baskets.c.routing_key == bindparam("routing_key")
_BY_USER = select(baskets).where(
    _HERE, baskets.c.partner_id == bindparam("partner"), baskets.c.user_id == bindparam("user")
)
_BY_ID = select(baskets).where(
    _HERE, baskets.c.id == bindparam("basket"), baskets.c.partner_id == bindparam("partner")
)
# By whether a credential names the basket, and whether the row is to be locked.
_QUERIES = {
    (False, False): _BY_USER,
    (False, True): _BY_USER.with_for_update(of=baskets),
    (True, False): _BY_ID,
    (True, True): _BY_ID.with_for_update(of=baskets),
}
_LOOK_UP = {how: Prepared(query) for how, query in _QUERIES.items()}
_LOOK_UP_BOTH = {how: catalogue.beside(query, baskets) for how, query in _QUERIES.items()}
_CHANGING = ("id", "guest", "entries", "version", "created", "last_changed", "expires")
_NEW = {name: bindparam(f"new_{name}", type_=baskets.c[name].type) for name in _CHANGING}
# What transfers have noted stays, unless a new basket takes the place of an expired one.
_SAME = baskets.c.id == _NEW["id"]
_UPDATE = Recorded(
    update(baskets)
    .where(
        baskets.c.routing_key == bindparam("key_routing_key"),
        baskets.c.partner_id == bindparam("key_partner_id"),
        baskets.c.user_id == bindparam("key_user_id"),
        baskets.c.version == bindparam("key_version"),
        baskets.c.id == bindparam("key_id"),
    )
    .values({**_NEW, "claimed": baskets.c.claimed & _SAME})
)
_KEY: dict[str, Any] = {
    name: bindparam(f"key_{name}") for name in ("routing_key", "partner_id", "user_id")
}
_INSERT = {
    name: Recorded(dialect.insert(baskets).values({**_KEY, **_NEW}).on_conflict_do_nothing())
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
}


def read(connection: Connection, user: User, *, now: datetime) -> Basket:
    """Return the user's basket, an empty one when there is none.

    :raises TokenRevoked: a credential from a transfer, whose basket is gone.
    """
    row = _row_of(connection, user)
    return Basket.alive(row, now) or _fresh(user, row, now)


def open_for_writing(
    connection: Connection, user: User, *, now: datetime, if_match: Precondition | None = None
) -> Basket:
    """Return the user's basket to be changed and saved, locked where the connection can lock.

    :raises TokenRevoked: a credential from a transfer, whose basket is gone.
    :raises PreconditionFailed: ``if_match`` refuses the current state.
    """
    # On SQLite, the transaction itself holds the write lock.
    row = _row_of(connection, user, locked=locks(connection))
    return _opened(row, user, now, if_match)


def _open_for(
    connection: Connection, user: User, product_id: str, *, count: int | None, context: Context
) -> tuple[Basket, Product | None]:
    """Do the same, and find the product of which a count is wanted, in one round trip of two.

    Who removes it, or changes nothing, needs no product. With several servers they are two: those
    plan each join anew, which costs them more than both look-ups by themselves.
    """
    now = context.now
    needed = count not in {None, REMOVE}
    if not needed or is_distributed(connection):
        basket = open_for_writing(connection, user, now=now, if_match=context.if_match)
        return basket, catalogue.find(connection, product_id, now=now) if needed else None
    query = _LOOK_UP_BOTH[user.basket is not None, locks(connection)]
    parameters = {**_place_of(connection, user), **catalogue.sought(product_id, now=now)}
    found = query.one_or_none(connection, parameters)
    row, sold = found or (None, None)
    basket = _opened(row, user, now, context.if_match)
    if sold is None:  # where there is no basket yet, nothing stands beside it
        return basket, catalogue.find(connection, product_id, now=now)
    return basket, catalogue.from_beside(connection, sold, now=now)


def _opened(row: Any, user: User, now: datetime, if_match: Precondition | None) -> Basket:
    basket = Basket.alive(row, now) or _fresh(user, row, now)
    if if_match is not None and not basket.matches(if_match):
        raise PreconditionFailed
    return basket


def save(connection: Connection, basket: Basket, event: Event | None = None) -> None:
    """Store a basket that ``open_for_writing`` returned, and append the event.

    One statement, guarded by the version that was read: the basket can't have changed meanwhile.

    :raises Conflict: it has.
    """
    statement = _UPDATE
    if basket.stored_version is None:
        # Of several first writers at once, one makes the row.
        statement = _INSERT[connection.dialect.name]
    if not statement.execute(connection, _parameters(basket), event):
        raise Conflict
    basket.stored_version, basket.stored_id = basket.version, basket.id


@optimistic
def assign(
    connection: Connection,
    user: User,
    product_id: str,
    *,
    count: int,
    context: Context,
) -> Basket:
    """Put a product into the basket, overwrite its count, save or remove it."""
    basket, product = _open_for(connection, user, product_id, count=count, context=context)
    _put(connection, basket, product_id, count, context, product=product)
    return basket


def apply(
    connection: Connection,
    basket: Basket,
    product_id: str,
    *,
    count: int,
    now: datetime,
) -> None:
    """Put a product into an opened basket, overwrite its count, save or remove it."""
    product = catalogue.find(connection, product_id, now=now) if count != REMOVE else None
    _put(connection, basket, product_id, count, Context(now), product=product)


def _put(
    connection: Connection,
    basket: Basket,
    product_id: str,
    count: int,
    context: Context,
    *,
    product: Product | None,
) -> None:
    basket.assign(product_id, count, product, now=context.now)
    kind = EventType.PRODUCT_REMOVED if count == REMOVE else EventType.PRODUCT_ASSIGNED
    save(connection, basket, context.event(kind, basket, product_id, count))


def put_back(
    connection: Connection, basket: Basket, entry: Entry, *, place: int, now: datetime
) -> None:
    """Put back into an opened basket what was taken out of it a moment ago."""
    basket.put_back(entry, place=place, now=now)
    assigned = EventType.PRODUCT_ASSIGNED
    event = event_of(assigned, basket, now, product_id=entry.product_id, count=entry.count)
    save(connection, basket, event)


def exchange(
    connection: Connection, basket: Basket, product_id: str, other_id: str, *, now: datetime
) -> None:
    """In an opened basket, replace a product by another variant of the same main product.

    :raises ProductNotFound: there is no such variant; and all that ``Basket.exchange`` raises.
    """
    old = catalogue.find(connection, product_id, now=now)
    other = catalogue.find(connection, other_id, now=now)
    if old is None or other is None or other.main_id != (old.main_id or old.id):
        raise ProductNotFound
    basket.exchange(product_id, other, now=now)
    entry = basket.entry(other.id)
    count = entry.count if entry is not None else 0
    event = event_of(EventType.PRODUCT_ASSIGNED, basket, now, product_id=other.id, count=count)
    save(connection, basket, event)


def join(connection: Connection, user: User, other: User, *, now: datetime) -> Basket:
    """Let another basket's entries join the user's by the rules of ``merge``.

    The other basket stays as it is: somebody else may be using it, and it is the way back.
    """
    source = read(connection, other, now=now)
    basket = open_for_writing(connection, user, now=now)
    if source.id != basket.id:
        basket.take_in([*source.cart, *source.saved], now=now)
        save(connection, basket, event_of(EventType.BASKET_MERGED, basket, now))
    return basket


@optimistic
def change(
    connection: Connection,
    user: User,
    product_id: str,
    *,
    count: int | None,
    context: Context,
) -> Basket:
    """Change a product that is in the basket; a count of None changes nothing."""
    basket, product = _open_for(connection, user, product_id, count=count, context=context)
    basket.update(product_id, count, product, now=context.now)
    if count is not None:
        kind = EventType.PRODUCT_REMOVED if count == REMOVE else EventType.PRODUCT_UPDATED
        save(connection, basket, context.event(kind, basket, product_id, count))
    return basket


def delete_basket(
    connection: Connection,
    user: User,
    *,
    context: Context,
) -> Basket:
    """Delete the basket, and with it all credentials that transfers gave for it.

    :returns: the now empty basket.
    :raises CheckoutPaying: it is being paid for at this moment.
    """
    basket = open_for_writing(connection, user, now=context.now, if_match=context.if_match)
    end_with(connection, basket, now=context.now)
    if basket.stored_version is not None:
        connection.execute(delete(baskets).where(*row_of(basket)))
        record(connection, context.event(EventType.BASKET_DELETED, basket))
        withdraw(connection, basket.offer, now=context.now)
    # Through a credential from a transfer too: the answer is the owner's empty basket, the next
    # request is refused.
    return basket.emptied(now=context.now)


def merge(
    connection: Connection,
    user: User,
    guest: User,
    *,
    context: Context,
) -> Basket:
    """After a log-in, let a guest's entries join the user's basket. Once only.

    The guest's basket is deleted, and with it all credentials that transfers gave for it.

    :raises GuestNotAllowed: the user is a guest.
    :raises NothingToMerge: the guest's basket is gone, merged already, or not a guest's own.
    :raises PreconditionFailed: ``if_match`` refuses the current state of the user's basket.
    """
    if user.guest:
        raise GuestNotAllowed
    # Deleting is what happens only once: of several calls at the same time, one gets the entries.
    condition = baskets.c.id == guest.basket if guest.basket else baskets.c.user_id == guest.user_id
    taken = connection.execute(
        delete(baskets)
        .where(
            baskets.c.routing_key == routing_key_of(connection, guest),
            baskets.c.partner_id == user.partner_id,
            condition,
            baskets.c.guest,
            baskets.c.expires > context.now,
        )
        .returning(*baskets.c)
    ).one_or_none()
    if taken is None:
        raise NothingToMerge
    end_with(connection, Basket.from_row(taken), now=context.now)
    basket = open_for_writing(connection, user, now=context.now, if_match=context.if_match)
    basket.take_in((entry_from(stored) for stored in taken.entries), now=context.now)
    save(connection, basket, context.event(EventType.BASKET_MERGED, basket))
    withdraw(connection, taken.offer, now=context.now)
    return basket


def start_guest(
    connection: Connection,
    user: User,
    counts: Mapping[str, int],
    *,
    now: datetime,
    tracking: Tracking = NOTHING,
) -> Basket:
    """Make a guest's basket with these products.

    :param counts: product id to count, in the order in which they come to the basket.
    """
    basket = Basket.new(user, now=now)
    found = catalogue.find_many(connection, counts, now=now)
    for product_id, count in counts.items():
        basket.assign(product_id, count, found.get(product_id), now=now)
    basket.touch(now)
    save(connection, basket, event_of(EventType.BASKET_CREATED, basket, now, tracking))
    return basket


def details(
    connection: Connection, product_ids: Sequence[str], *, now: datetime
) -> list[tuple[str, Product | None, list[Variant]]]:
    """Return each product in the asked order with its variants; None for unknown ones."""
    wanted = dict.fromkeys(product_ids)
    found, variants = catalogue.find_with_choices(connection, wanted, now=now)
    return [
        (identifier, product, variants.get(product.main_id or product.id, []) if product else [])
        for identifier in product_ids
        for product in (found.get(identifier),)
    ]


def routing_key_of(connection: Connection, user: User) -> int:
    """Return where the basket lies that the user opens."""
    if user.basket is None:
        return user.routing_key
    if user.basket_key is not None:
        return user.basket_key
    query = of_before(select(baskets.c.routing_key)).where(baskets.c.id == user.basket)
    found = connection.execute(query).scalar_one_or_none()
    return NOWHERE if found is None else found


def _row_of(connection: Connection, user: User, *, locked: bool = False) -> Any:
    query = _LOOK_UP[user.basket is not None, locked]
    return query.one_or_none(connection, _place_of(connection, user))


def _place_of(connection: Connection, user: User) -> dict[str, Any]:
    return {
        "routing_key": routing_key_of(connection, user),
        "partner": user.partner_id,
        "basket": user.basket,
        "user": user.user_id,
    }


def _fresh(user: User, expired: Any, now: datetime) -> Basket:
    """Return an empty basket in place of none or of an expired one.

    It has a new id, so that the credentials of the expired one don't open it.
    """
    if user.basket is not None:
        raise TokenRevoked
    if expired is None:
        return Basket.new(user, now=now)
    # Going on with the version keeps it monotone for whoever holds an old entity tag.
    return Basket.new(
        user,
        now=now,
        version=expired.version,
        stored_version=expired.version,
        stored_id=expired.id,
    )


def _parameters(basket: Basket) -> dict[str, Any]:
    return {
        "key_routing_key": basket.routing_key,
        "key_partner_id": basket.partner_id,
        "key_user_id": basket.user_id,
        "key_version": basket.stored_version,
        "key_id": basket.stored_id,
        "new_id": basket.id,
        "new_guest": basket.guest,
        "new_entries": basket.stored_entries(),
        "new_version": basket.version,
        "new_created": basket.created,
        "new_last_changed": basket.last_changed,
        "new_expires": basket.expires,
    }
