"""What a file leaves open, stretch by stretch: variants that it has no more, stock never said."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, tuple_

from jay.db import statistics
from jay.feeds.checkpoints import Import
from jay.merchants.models import Merchant
from jay.products.bulk import remove_unseen
from jay.products.models import products
from jay.products.prices import price_history

SCANNED = 20_000
"""Rows that are looked through at once."""

Place = tuple[str, str, str]
"""Language, country and SKU behind which a stretch of the catalogue begins."""

START: Place = ("", "", "")

_KEY = (products.c.lang, products.c.country, products.c.sku)


def look_anew(connection: Connection) -> None:
    """Let the database look anew at how many products and former prices there are, and which."""
    for table in (products, price_history):
        statistics.renew(connection, table)


def remove_page(
    connection: Connection, merchant: Merchant, import_: Import, after: Place, now: datetime
) -> tuple[int, Place | None]:
    """Take out the variants of one stretch of the catalogue that an import has not met.

    :returns: how many were taken out, and where the next stretch begins; None at the end.
    """
    within, following = _stretch(connection, merchant, after)
    unseen = select(products.c.id).where(
        *within,
        products.c.main_id.is_not(None),
        ~products.c.removed,
        func.coalesce(products.c.described_as_of, 0) < import_.as_of,
    )
    identifiers = connection.execute(unseen).scalars().all()
    count = 0
    if identifiers:
        count = remove_unseen(connection, merchant, identifiers, now=now, as_of=import_.as_of)
    return count, following


_main, _variant = products.alias("main"), products.alias("variant")
_HAS_VARIANTS = (
    select(_variant.c.id)
    .where(_variant.c.main_id == products.c.id, ~_variant.c.removed)
    .correlate(products)
    .exists()
)
_MAIN_HAS_NONE = (
    select(_main.c.id)
    .where(_main.c.id == products.c.main_id, ~_main.c.stock_set)
    .correlate(products)
    .exists()
)


def count_without_stock(
    connection: Connection, merchant: Merchant, import_: Import, after: Place
) -> tuple[int, Place | None]:
    """Count what an import has described in one stretch, and nobody has ever said a stock of.

    That are products without variants, and variants whose main product has none, either.

    :returns: how many there are, and where the next stretch begins; None at the end.
    """
    within, following = _stretch(connection, merchant, after)
    alone = and_(products.c.main_id.is_(None), ~_HAS_VARIANTS)
    query = select(func.count()).where(
        *within,
        products.c.described_as_of == import_.as_of,
        *(~products.c.removed, ~products.c.stock_set),
        or_(alone, _MAIN_HAS_NONE),
    )
    return connection.execute(query).scalar_one(), following


def _stretch(
    connection: Connection, merchant: Merchant, after: Place
) -> tuple[Sequence[ColumnElement[bool]], Place | None]:
    """Return which products are in a stretch, and where the next one begins."""
    mine, beyond = products.c.merchant_id == merchant.id, tuple_(*_KEY) > tuple_(*after)
    last = connection.execute(
        select(*_KEY).where(mine, beyond).order_by(*_KEY).offset(SCANNED - 1).limit(1)
    ).one_or_none()
    if last is None:
        return (mine, beyond), None
    end = (last.lang, last.country, last.sku)
    return (mine, beyond, tuple_(*_KEY) <= tuple_(*end)), end
