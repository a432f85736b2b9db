"""The list of a merchant's SKUs, page by page: what it has sent, and what is wanted of it.

Both sources are read from where the page begins, along their keys, so the last page costs what the
first one does. They are merged by the database, whose order of texts is the only one that counts.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select, tuple_, union_all

from jay.merchants.models import Merchant
from jay.products.models import SkuBlock, products
from jay.products.wanted import is_open, wanted_skus

SKUS_PER_PAGE = 1000

Position = tuple[str, str, str]
"""Language, country and SKU of an entry."""


def list_skus(
    connection: Connection,
    merchant: Merchant,
    *,
    lang: str | None = None,
    country: str | None = None,
    after: Position | None = None,
) -> tuple[list[SkuBlock], Position | None]:
    """Return one page of the SKUs that matter to a merchant, in blocks per locale.

    These are its main products, and what editors have asked for and it has not sent yet.

    :param after: the last entry of the page before.
    :returns: the blocks, and the page's last entry, None where no page follows.
    """
    rows: list[Any] = []
    # A country alone would be looked for in every row: so one language after the other.
    langs = _languages(connection, merchant, after) if country and not lang else [lang]
    for each in langs:
        begin = after if after is not None and each in {None, after[0]} else None
        query = _page(merchant, each, country, begin, limit=SKUS_PER_PAGE + 1 - len(rows))
        rows += connection.execute(query).all()
        if len(rows) > SKUS_PER_PAGE:
            break
    blocks: dict[tuple[str, str], list[str]] = {}
    for row in rows[:SKUS_PER_PAGE]:
        blocks.setdefault((row.lang, row.country), []).append(row.sku)
    page = [SkuBlock(*locale, skus) for locale, skus in blocks.items()]
    if len(rows) <= SKUS_PER_PAGE:
        return page, None
    last = rows[SKUS_PER_PAGE - 1]
    return page, (last.lang, last.country, last.sku)


def _page(
    merchant: Merchant, lang: str | None, country: str | None, after: Position | None, limit: int
) -> Select[Any]:
    """Return the query of a page; a country comes with a language only."""

    def along_its_key(table: Table) -> Select[Any]:
        key = (table.c.lang, table.c.country, table.c.sku)
        fixed = [name for name in (lang, country) if name]
        query = select(*key).where(table.c.merchant_id == merchant.id)
        query = query.where(*(column == name for column, name in zip(key, fixed, strict=False)))
        if after is not None:
            # Without what is fixed: with it, SQLite would read on where the language has ended.
            free = slice(len(fixed), None)
            query = query.where(tuple_(*key[free]) > tuple_(*after[free]))
        return query.order_by(*key).limit(limit)

    sent = along_its_key(products).where(products.c.main_id.is_(None), ~products.c.removed)
    asked = along_its_key(wanted_skus).where(is_open())
    both = union_all(select(sent.subquery()), select(asked.subquery())).subquery()
    return select(both).order_by(both.c.lang, both.c.country, both.c.sku).limit(limit)


def _languages(connection: Connection, merchant: Merchant, after: Position | None) -> Iterator[str]:
    """Yield the languages of a merchant from a position on, each found by one look into a key."""
    found = after[0] if after else None
    if found is not None:
        yield found
    while True:
        firsts = []
        for table in (products, wanted_skus):
            first = select(func.min(table.c.lang)).where(table.c.merchant_id == merchant.id)
            if found is not None:
                first = first.where(table.c.lang > found)
            firsts.append(first)
        both = union_all(*firsts).subquery()
        found = connection.execute(select(func.min(both.c[0]))).scalar()
        if found is None:
            return
        yield found
