"""Variants that a file has no more, stretch by stretch."""

from datetime import datetime

from sqlalchemy import Connection, func, select, true, tuple_

from jay.feeds.checkpoints import Import
from jay.merchants.models import Merchant
from jay.products.bulk import remove_unseen
from jay.products.models import products

SCANNED = 20_000
"""Rows that are looked through at once for variants that the file has no more."""

_KEY = (products.c.lang, products.c.country, products.c.sku)


def remove_page(
    connection: Connection,
    merchant: Merchant,
    import_: Import,
    after: tuple[str, str, str],
    now: datetime,
) -> tuple[int, tuple[str, str, str] | None]:
    """Take out the variants of one stretch of the catalogue that an import has not met.

    :param after: language, country and SKU behind which the stretch begins.
    :returns: how many were taken out, and where the next stretch begins; None at the end.
    """
    mine, beyond = products.c.merchant_id == merchant.id, tuple_(*_KEY) > tuple_(*after)
    last = connection.execute(
        select(*_KEY).where(mine, beyond).order_by(*_KEY).offset(SCANNED - 1).limit(1)
    ).one_or_none()
    within = true() if last is None else tuple_(*_KEY) <= tuple_(*last)
    unseen = select(products.c.id).where(
        *(mine, beyond, within),
        products.c.main_id.is_not(None),
        ~products.c.removed,
        func.coalesce(products.c.described_as_of, 0) < import_.as_of,
    )
    identifiers = connection.execute(unseen).scalars().all()
    count = 0
    if identifiers:
        count = remove_unseen(connection, merchant, identifiers, now=now, as_of=import_.as_of)
    return count, None if last is None else (last.lang, last.country, last.sku)
