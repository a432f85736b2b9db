"""Use cases of the basket."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from jay.auth.tokens import User
from jay.baskets.models import Basket, baskets
from jay.errors import PreconditionFailed, TokenRevoked
from jay.products import service as catalogue
from jay.products.models import Product

Precondition = Collection[str]
"""Entity tags, one of which must name the basket's state for a write to go on (``If-Match``)."""


def read(connection: Connection, user: User, *, now: datetime) -> Basket:
    """Return the user's basket, an empty one when there is none.

    :raises TokenRevoked: a credential from a transfer, whose basket is gone.
    """
    row = connection.execute(_row_of(user)).one_or_none()
    return _alive(row, now) or _fresh(user, row, now)


def open_for_writing(
    connection: Connection, user: User, *, now: datetime, if_match: Precondition | None = None
) -> Basket:
    """Return the user's basket, locked until the transaction ends.

    :raises TokenRevoked: a credential from a transfer, whose basket is gone.
    :raises PreconditionFailed: ``if_match`` refuses the current state.
    """
    # On SQLite, the transaction itself holds the write lock.
    query = _row_of(user).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        basket = _fresh(user, None, now)
        # Of several first requests at once, one makes the row and all lock it.
        _insert_if_absent(connection, basket)
        row = connection.execute(query).one()
    basket = _alive(row, now) or _fresh(user, row, now)
    if if_match is not None and not basket.matches(if_match):
        raise PreconditionFailed
    return basket


def save(connection: Connection, basket: Basket) -> None:
    """Store a basket that ``open_for_writing`` returned."""
    connection.execute(
        update(baskets)
        .where(
            baskets.c.partner_id == basket.partner_id,
            baskets.c.user_id == basket.user_id,
        )
        .values(**_values(basket))
    )


def assign(
    connection: Connection,
    user: User,
    product_id: str,
    *,
    count: int,
    now: datetime,
    if_match: Precondition | None = None,
) -> Basket:
    """Put a product into the basket, overwrite its count, save or remove it."""
    basket = open_for_writing(connection, user, now=now, if_match=if_match)
    apply(connection, basket, product_id, count=count, now=now)
    return basket


def apply(
    connection: Connection, basket: Basket, product_id: str, *, count: int, now: datetime
) -> None:
    """Put a product into an opened basket, overwrite its count, save or remove it."""
    basket.assign(product_id, count, catalogue.find(connection, product_id), now=now)
    save(connection, basket)


def change(
    connection: Connection,
    user: User,
    product_id: str,
    *,
    count: int | None,
    now: datetime,
    if_match: Precondition | None = None,
) -> Basket:
    """Change a product that is in the basket; a count of None changes nothing."""
    product = catalogue.find(connection, product_id)
    basket = open_for_writing(connection, user, now=now, if_match=if_match)
    version = basket.version
    basket.update(product_id, count, product, now=now)
    if basket.version != version:
        save(connection, basket)
    return basket


def remove(
    connection: Connection,
    user: User,
    product_id: str,
    *,
    now: datetime,
    if_match: Precondition | None = None,
) -> Basket:
    """Take a product out of the basket."""
    basket = open_for_writing(connection, user, now=now, if_match=if_match)
    basket.remove(product_id, now=now)
    save(connection, basket)
    return basket


def delete_basket(
    connection: Connection, user: User, *, now: datetime, if_match: Precondition | None = None
) -> Basket:
    """Delete the basket, and with it all credentials that transfers gave for it.

    :returns: the now empty basket.
    """
    basket = open_for_writing(connection, user, now=now, if_match=if_match)
    connection.execute(delete(baskets).where(baskets.c.id == basket.id))
    if user.basket is not None:
        # The one who deletes through a claimed credential deletes that credential's basket too:
        # the answer still is the empty basket, the next request is refused.
        return Basket(partner_id=user.partner_id, user_id=user.user_id, guest=True, now=now)
    return _fresh(user, None, now)


def start_guest(
    connection: Connection, user: User, counts: Mapping[str, int], *, now: datetime
) -> Basket:
    """Make a guest's basket with these products.

    :param counts: product id to count, in the order in which they come to the basket.
    """
    basket = Basket(partner_id=user.partner_id, user_id=user.user_id, guest=True, now=now)
    found = catalogue.find_many(connection, counts)
    for product_id, count in counts.items():
        basket.assign(product_id, count, found.get(product_id), now=now)
    basket.version = max(basket.version, 1)
    connection.execute(
        insert(baskets).values(
            partner_id=basket.partner_id, user_id=basket.user_id, **_values(basket)
        )
    )
    return basket


def basket_by_id(connection: Connection, identifier: str, *, now: datetime) -> Basket | None:
    """Return the basket that a transfer names; None when it is gone."""
    row = connection.execute(select(baskets).where(baskets.c.id == identifier)).one_or_none()
    return _alive(row, now)


def details(
    connection: Connection, product_ids: Sequence[str]
) -> list[tuple[str, Product | None, list[Product]]]:
    """Return each product in the asked order with its variants; None for unknown ones."""
    found = catalogue.find_many(connection, dict.fromkeys(product_ids))
    variants = catalogue.variants_of(connection, _main_ids(found.values()))
    return [
        (identifier, product, variants[product.main_id or product.id] if product else [])
        for identifier in product_ids
        for product in (found.get(identifier),)
    ]


def _main_ids(products: Iterable[Product]) -> list[str]:
    return list(dict.fromkeys(product.main_id or product.id for product in products))


def _row_of(user: User) -> Select[Any]:
    if user.basket is not None:
        return select(baskets).where(
            baskets.c.id == user.basket, baskets.c.partner_id == user.partner_id
        )
    return select(baskets).where(
        and_(baskets.c.partner_id == user.partner_id, baskets.c.user_id == user.user_id)
    )


def _alive(row: Row[Any] | None, now: datetime) -> Basket | None:
    if row is None or row.expires <= now:
        return None
    return Basket(
        partner_id=row.partner_id,
        user_id=row.user_id,
        guest=row.guest,
        now=now,
        identifier=row.id,
        entries=row.entries,
        version=row.version,
        created=row.created,
        last_changed=row.last_changed,
    )


def _fresh(user: User, expired: Row[Any] | None, now: datetime) -> Basket:
    """Return an empty basket in place of none or of an expired one.

    It has a new id, so that the credentials of the expired one don't open it.
    """
    if user.basket is not None:
        raise TokenRevoked
    return Basket(
        partner_id=user.partner_id,
        user_id=user.user_id,
        guest=user.guest,
        now=now,
        # Going on with the version keeps it monotone for whoever holds an old entity tag.
        version=expired.version if expired is not None else 0,
    )


def _insert_if_absent(connection: Connection, basket: Basket) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(baskets)
        .values(partner_id=basket.partner_id, user_id=basket.user_id, **_values(basket))
        .on_conflict_do_nothing(index_elements=["partner_id", "user_id"])
    )


def _values(basket: Basket) -> dict[str, Any]:
    return {
        "id": basket.id,
        "guest": basket.guest,
        "entries": basket.stored_entries(),
        "version": basket.version,
        "created": basket.created,
        "last_changed": basket.last_changed,
        "expires": basket.expires,
    }
