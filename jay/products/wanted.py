"""What editors want and a merchant has not sent yet.

A wish shows in the merchant's SKU list and ends when the merchant sends the product, as a main
product or as a variant.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    select,
)

from jay.db import turns
from jay.db.prepared import Prepared, among
from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into
from jay.merchants.models import Merchant
from jay.outbox import webhooks
from jay.outbox.webhooks import ADD_PRODUCT
from jay.products.models import products

wanted_skus = Table(
    "wanted_skus",
    metadata,
    Column("merchant_id", Integer, ForeignKey("merchants.id"), primary_key=True),
    Column("lang", Text, primary_key=True),
    Column("country", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("wanted", UtcDateTime, nullable=False),
)


@dataclass(frozen=True)
class Asked:
    """What has become of wishes: each SKU is new, was there already, or was asked for before.

    :ivar deliveries: ids of the webhooks that announce the new ones.
    """

    new: Sequence[str]
    there: Sequence[str]
    before: Sequence[str]
    deliveries: Sequence[int]


def is_open() -> ColumnElement[bool]:
    """Return the condition that a wish is still open.

    A wish and its product may be stored at the same moment, neither seeing the other: then the
    wish stays behind, and says nothing.
    """
    product = (products.c.merchant_id, products.c.lang, products.c.country, products.c.sku)
    wish = (
        wanted_skus.c.merchant_id,
        wanted_skus.c.lang,
        wanted_skus.c.country,
        wanted_skus.c.sku,
    )
    same = and_(*(one == other for one, other in zip(product, wish, strict=True)))
    # A look by the whole key for each wish. As EXISTS, PostgreSQL would make a join of it, which
    # reads the catalogue once a wish where it does not know yet how much has been imported.
    sent = select(products.c.id).where(same, ~products.c.removed).correlate(wanted_skus)
    return sent.scalar_subquery().is_(None)


def want(
    connection: Connection,
    merchant: Merchant,
    lang: str,
    country: str,
    skus: Iterable[str],
    *,
    now: datetime,
) -> Asked:
    """Ask a merchant for SKUs, and announce the new wishes to its add-product webhook.

    Nothing is announced that is there already or was asked for before, nor where it has no webhook.

    :param skus: at most a few hundred, as they stand in one statement.
    """
    # In one order by everybody, so that two editors at once can't deadlock.
    asked = sorted(set(skus))
    locale = {"merchant_id": merchant.id, "lang": lang, "country": country}
    there = set(
        connection.execute(
            select(products.c.sku).where(
                products.c.sku.in_(asked),
                ~products.c.removed,
                *(products.c[name] == value for name, value in locale.items()),
            )
        ).scalars()
    )
    missing = [sku for sku in asked if sku not in there]
    new = _insert(connection, [{**locale, "sku": sku, "wanted": now} for sku in missing])
    bodies = {
        _subject(lang, country, sku): _body(lang, country, sku) for sku in missing if sku in new
    }
    deliveries = webhooks.enqueue(connection, merchant.id, ADD_PRODUCT, bodies, now=now)
    return Asked(
        new=[sku for sku in asked if sku in new],
        there=[sku for sku in asked if sku in there],
        before=[sku for sku in missing if sku not in new],
        deliveries=deliveries,
    )


def _insert(connection: Connection, rows: Sequence[dict[str, Any]]) -> set[str]:
    if not rows:
        return set()
    turns.take(connection)
    statement = insert_into(connection, wanted_skus).values(rows).on_conflict_do_nothing()
    return set(connection.execute(statement.returning(wanted_skus.c.sku)).scalars())


def unwant(
    connection: Connection, merchant: Merchant, lang: str, country: str, skus: Iterable[str]
) -> list[str]:
    """Take wishes back, and what was not announced yet; return the SKUs that were wished for."""
    asked = sorted(set(skus))
    statement = delete(wanted_skus).where(
        wanted_skus.c.merchant_id == merchant.id,
        wanted_skus.c.lang == lang,
        wanted_skus.c.country == country,
        wanted_skus.c.sku.in_(asked),
    )
    turns.take(connection)
    gone = connection.execute(statement.returning(wanted_skus.c.sku)).scalars().all()
    subjects = [_subject(lang, country, sku) for sku in gone]
    webhooks.cancel(connection, merchant.id, ADD_PRODUCT, subjects)
    return sorted(gone)


_OF_LOCALE = (
    wanted_skus.c.merchant_id == bindparam("merchant"),
    wanted_skus.c.lang == bindparam("lang"),
    wanted_skus.c.country == bindparam("country"),
)
_ANY = Prepared(select(wanted_skus.c.sku).where(*_OF_LOCALE).limit(1))
_FULFIL = Prepared(delete(wanted_skus).where(*_OF_LOCALE, among(wanted_skus.c.sku, "skus")))


def fulfilled(
    connection: Connection, merchant: Merchant, lang: str, country: str, skus: Iterable[str]
) -> None:
    """End the wishes for SKUs, main products or variants, that the merchant has sent.

    Called in the transaction that stores the products. Most merchants have no wishes open, which
    is told by one look-up; else it is one statement for all of them.
    """
    locale = {"merchant": merchant.id, "lang": lang, "country": country}
    if _ANY.one_or_none(connection, locale) is not None:
        _FULFIL.rowcount(connection, {**locale, "skus": list(skus)})


def open_wishes(connection: Connection, merchant: Merchant) -> Sequence[Any]:
    """Return lang, country, sku and wanted of what the merchant has not sent yet."""
    query = select(
        wanted_skus.c.lang, wanted_skus.c.country, wanted_skus.c.sku, wanted_skus.c.wanted
    ).where(wanted_skus.c.merchant_id == merchant.id, is_open())
    order = (wanted_skus.c.lang, wanted_skus.c.country, wanted_skus.c.sku)
    return connection.execute(query.order_by(*order)).all()


def _subject(lang: str, country: str, sku: str) -> str:
    return f"{lang}-{country}/{sku}"


def _body(lang: str, country: str, sku: str) -> str:
    return orjson.dumps({"sku": sku, "lang": lang, "country": country}).decode()
