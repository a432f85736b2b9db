"""Letting a partner or a merchant go, with all that belongs to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, delete, func, select

from jay.auth import service as auth
from jay.auth.models import api_keys
from jay.baskets.models import baskets
from jay.checkout.comfort import comfort_settings
from jay.checkout.models import checkout_sessions
from jay.db import turns
from jay.db.routing import ROUTED_BY
from jay.events import events
from jay.feeds.models import feed_pulls, product_imports
from jay.legal import models as legal_models
from jay.legal import service as legal
from jay.merchants import service as merchants
from jay.merchants.connectors import merchant_connectors
from jay.merchants.models import merchants as merchants_table
from jay.operators.models import operators
from jay.ops.purge import Write, delete_in_batches
from jay.orders.models import order_parts, orders
from jay.outbox.models import outbox, outbox_addresses
from jay.partners import service as partners
from jay.partners.models import partners as partners_table
from jay.pictures.models import picture_sources
from jay.privacy import erasing
from jay.products.models import products
from jay.products.wanted import wanted_skus
from jay.transfers.models import transfers

BATCH = 1000


@dataclass(frozen=True)
class Belonging:
    """Rows of a table that go with their owner, and what they are for a person."""

    table: Table
    told: str


@dataclass(frozen=True)
class Owner:
    """A kind of owner.

    :ivar column: names it in the tables of what belongs to it.
    :ivar remove: ends its set-up.
    """

    kind: str
    column: str
    table: Table
    belongings: tuple[Belonging, ...]
    remove: Callable[..., None]


PARTNER = Owner(
    "partner",
    "partner_id",
    partners_table,
    (
        Belonging(baskets, "baskets of its viewers, whoever has taken them over"),
        Belonging(comfort_settings, "viewers' settings for a quick checkout"),
        Belonging(transfers, "transfers to a phone or web shop"),
    ),
    partners.remove_partner,
)
MERCHANT = Owner(
    "merchant",
    "merchant_id",
    merchants_table,
    (
        Belonging(operators, "accounts of operators who see its products alone"),
        Belonging(feed_pulls, "feed that is fetched from it"),
        Belonging(product_imports, "imports"),
        Belonging(wanted_skus, "products that it was asked for"),
        Belonging(merchant_connectors, "access to its shop"),
        Belonging(outbox, "messages to it"),
        Belonging(outbox_addresses, "addresses of it that rest"),
        Belonging(products, "products and variants; baskets show that they are gone"),
        Belonging(picture_sources, "addresses of pictures"),
    ),
    merchants.remove_merchant,
)


def belongings(connection: Connection, owner: Owner, identifier: int) -> dict[str, int]:
    """Count what goes with an owner, under the words for it; what there is none of is left out."""
    counts = {
        each.told: connection.execute(
            select(func.count()).where(each.table.c[owner.column] == identifier)
        ).scalar_one()
        for each in owner.belongings
    }
    return {told: count for told, count in counts.items() if count}


def end(connection: Connection, owner: Owner, identifier: int, *, now: datetime) -> int:
    """Close the doors: its keys open nothing, and nothing more is done for it.

    :returns: how many API keys there were.
    """
    owner.remove(connection, identifier, now=now)
    legal.end_all(connection, legal_models.Owner(owner.kind, identifier), now=now)
    return auth.revoke_keys_of(connection, now=now, **{owner.kind: identifier})


def clear(write: Write, owner: Owner, identifier: int) -> int:
    """Delete what belongs to an owner, in small transactions; return how many rows.

    It can be stopped at any moment and begun again.
    """
    return sum(
        deleted
        for each in owner.belongings
        for deleted in delete_in_batches(
            write, each.table, each.table.c[owner.column] == identifier, batch=BATCH
        )
    )


def erase(connection: Connection, owner: Owner, identifier: int) -> None:
    """Delete an owner that never was a real one, and whatever still tells of it.

    Nothing is left that its id could be mistaken in.
    """
    tables = [each.table for each in owner.belongings]
    tables += [api_keys, *((events,) if owner is PARTNER else ())]
    if owner is PARTNER:
        # In the order in which everybody locks them.
        tables.insert(tables.index(transfers), checkout_sessions)
    numbers = _orders_of(connection, owner, identifier)
    if owner is MERCHANT:
        _erase_orders(connection, numbers)
    for table in tables:
        if table is transfers:  # orders are locked between a basket and its transfer
            _erase_orders(connection, numbers)
        if table.name not in ROUTED_BY:
            turns.take(connection)
        connection.execute(delete(table).where(table.c[owner.column] == identifier))
    texts = legal_models.legal_texts
    mine = (texts.c.owner == owner.kind, texts.c.owner_id == identifier)
    connection.execute(delete(texts).where(*mine))
    connection.execute(delete(owner.table).where(owner.table.c.id == identifier))


def _orders_of(connection: Connection, owner: Owner, identifier: int) -> list[str]:
    """Return the numbers of the orders that were placed at a partner, or with a merchant."""
    table = orders if owner is PARTNER else order_parts
    query = select(table.c.order_no).where(table.c[owner.column] == identifier).distinct()
    return list(connection.execute(query).scalars())


def _erase_orders(connection: Connection, numbers: Sequence[str]) -> None:
    for start in range(0, len(numbers), BATCH):
        erasing.erase_orders(connection, numbers[start : start + BATCH], letters=True)
