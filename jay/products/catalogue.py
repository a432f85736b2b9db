"""The catalogue as people look through it: searched, filtered, page by page, sorted by name.

A page is read by keyset along one index, so the last one costs what the first one does. What that
index does not know is whether something is sold out: for that products are looked at, in portions,
and a page ends after so many of them, however few it has found.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Select,
    Text,
    cast,
    exists,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)

from jay.merchants.models import merchants
from jay.products import service
from jay.products.models import AS_OF, Product, available, moment_of, products
from jay.products.search import Query

PER_PAGE = 20
PORTIONS = (400, 4_000)
"""How many products are looked at at once: first few, as most pages are full by then."""

MOST_LOOKED_AT = 20_000
MOST_CHOICES = 200

_LANG, _COUNTRY = literal_column("lang", Text), literal_column("country", Text)
_variant = products.alias("variant")


class Shown(Enum):
    """What a product can be looked for by, besides words."""

    SOLD_OUT = "sold-out"
    NOT_SHOPPABLE = "not-shoppable"


@dataclass(frozen=True)
class Filters:
    """Which products are asked for. ``only`` is the merchant that somebody may see at all."""

    query: Query = field(default_factory=Query)
    merchant: str | None = None
    lang: str | None = None
    country: str | None = None
    state: Shown | None = None
    only: int | None = None


@dataclass(frozen=True)
class Stored:
    """A product or variant as it is sold, with what else is stored of it.

    ``stock_known`` tells "without limit" from "not set"; ``observed`` when the merchant has
    observed each field that counts for it, where the merchant has said so.
    """

    product: Product
    stock_known: bool
    observed: Mapping[str, datetime]
    created: datetime
    updated: datetime


@dataclass(frozen=True)
class Item:
    """A main product with its variants, in their merchant's order."""

    main: Stored
    variants: Sequence[Stored] = ()


@dataclass(frozen=True)
class Page:
    """A page of products. ``before`` and ``after`` are the ids to go on with, None at the ends.

    ``partly`` tells that it ends because so many products were looked at.
    """

    items: Sequence[Item] = field(default=())
    before: str | None = None
    after: str | None = None
    partly: bool = False


class _Found(NamedTuple):
    """The products of a page, and the id of the last one that was looked at if there is more."""

    ids: list[str]
    end: str | None
    partly: bool = False


def find_page(
    connection: Connection,
    filters: Filters,
    *,
    now: datetime,
    before: str | None = None,
    after: str | None = None,
) -> Page:
    """Return a page of products.

    :param before: the id of the product that the page ends before; wins over ``after``.
    :param after: the id of the product that the page begins after. Without either, or where there
        is no such product any more, it is the first page.
    """
    query = _matching(connection, filters)
    if query is None:
        return Page()
    start = _position(connection, before or after, filters.only)
    backwards = bool(before) and start is not None
    find = _find_sold_out if filters.state is Shown.SOLD_OUT else _find
    found = find(connection, query, start, backwards=backwards)
    if backwards and found.end is None:
        # The beginning is reached: a whole first page instead of what is left of it.
        return find_page(connection, filters, now=now)
    ids = found.ids[::-1] if backwards else found.ids
    back, on = (ids[0] if ids else before or after), found.end
    if backwards:
        back, on = found.end, ids[-1] if ids else before
    return Page(
        _items(connection, ids, now=now),
        before=back if start is not None else None,
        after=on,
        partly=found.partly,
    )


def find_item(
    connection: Connection, identifier: str, *, now: datetime, only: int | None = None
) -> Item | None:
    """Return a product with its variants; for a variant's id, its main product.

    :param only: the id of the merchant whose products may be seen; None: all.
    """
    found = service.find(connection, identifier, now=now)
    if found is None or only not in {None, found.merchant_id}:
        return None
    items = _items(connection, [found.main_id or found.id], now=now)
    return items[0] if items else None


def locales(connection: Connection, *, only: int | None = None) -> list[tuple[str, str]]:
    """Return the languages and countries that products are in.

    Each is found by one look-up behind the one before: reading all products would take too long.
    """
    # Else SQLite would go through all main products and sort them.
    by_wall = connection.dialect.name == "sqlite" and only is None
    table = text("products INDEXED BY ix_products_wall" if by_wall else "products")
    query = (
        select(_LANG, _COUNTRY)
        .select_from(table)
        .where(text("main_id IS NULL"), ~literal_column("removed", Boolean))
    )
    if only is not None:
        query = query.where(literal_column("merchant_id") == only)
    query = query.order_by(_LANG, _COUNTRY).limit(1)
    found: list[tuple[str, str]] = []
    row = connection.execute(query).first()
    while row is not None and len(found) < MOST_CHOICES:
        found.append((row.lang, row.country))
        # Not both columns at once: SQLite would read everything that has the same two.
        behind = connection.execute(query.where(row.lang == _LANG, row.country < _COUNTRY)).first()
        row = behind or connection.execute(query.where(row.lang < _LANG)).first()
    return found


def _plain(column: Column[Any]) -> ColumnElement[Any]:
    # A cast to the type that it has. SQLite would else take the index that this column leads, and
    # sort everything that it finds there for each page. PostgreSQL sees through it and may choose.
    return cast(column, column.type)


def _matching(connection: Connection, filters: Filters) -> Select[Any] | None:
    """Return the query for what is asked for, without its order; None where nothing can match."""
    asked = filters.query
    query = select(products.c.search, products.c.id).where(products.c.search.is_not(None))
    for word in asked.words:
        query = query.where(products.c.search.contains(word, autoescape=True))
    for column, values in (
        (products.c.lang, {filters.lang, asked.lang}),
        (products.c.country, {filters.country, asked.country}),
    ):
        query = query.where(*(_plain(column) == value for value in values if value))
    if filters.state is Shown.NOT_SHOPPABLE:
        query = query.where(products.c.not_shoppable)
    allowed = {filters.only} - {None}
    for name in {filters.merchant, asked.merchant} - {None}:
        found = select(merchants.c.id).where(merchants.c.name == name)
        identifier = connection.execute(found).scalar()
        if identifier is None:
            return None
        allowed.add(identifier)
    if len(allowed) > 1:
        return None
    return query.where(*(_plain(products.c.merchant_id) == one for one in allowed))


def _position(
    connection: Connection, identifier: str | None, only: int | None
) -> tuple[str, str] | None:
    if not identifier or "\0" in identifier:
        return None
    query = select(products.c.search, products.c.id).where(
        products.c.id == identifier, products.c.search.is_not(None)
    )
    if only is not None:
        query = query.where(products.c.merchant_id == only)
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.search, row.id)


def _along(
    connection: Connection,
    query: Select[Any],
    position: tuple[str, str] | None,
    limit: int,
    *,
    backwards: bool,
) -> Sequence[Any]:
    """Return the keys of the next products, going away from the position."""
    key = tuple_(products.c.search, products.c.id)
    order = [products.c.search, products.c.id]
    if position is not None:
        query = query.where(key < tuple_(*position) if backwards else key > tuple_(*position))
    query = query.order_by(*(column.desc() for column in order) if backwards else order)
    return connection.execute(query.limit(limit)).all()


def _find(
    connection: Connection,
    query: Select[Any],
    position: tuple[str, str] | None,
    *,
    backwards: bool,
) -> _Found:
    rows = _along(connection, query, position, PER_PAGE + 1, backwards=backwards)
    return _page_of([row.id for row in rows])


def _find_sold_out(
    connection: Connection,
    query: Select[Any],
    position: tuple[str, str] | None,
    *,
    backwards: bool,
) -> _Found:
    found: list[str] = []
    looked_at, portion = 0, PORTIONS[0]
    while looked_at < MOST_LOOKED_AT:
        rows = _along(connection, query, position, portion, backwards=backwards)
        sold_out = _sold_out(connection, [row.id for row in rows])
        found.extend(row.id for row in rows if row.id in sold_out)
        if len(rows) < portion or len(found) > PER_PAGE:
            return _page_of(found)
        position = (rows[-1].search, rows[-1].id)
        looked_at, portion = looked_at + portion, PORTIONS[1]
    return _Found(found, end=position and position[1], partly=True)


def _page_of(ids: list[str]) -> _Found:
    page = ids[:PER_PAGE]
    return _Found(page, page[-1] if len(ids) > PER_PAGE else None)


def _sold_out(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Return those of the products that are sold out, or have a variant that is."""
    if not ids:
        return set()
    variant = exists().where(
        _variant.c.main_id == products.c.id, ~_variant.c.removed, available(_variant) <= 0
    )
    query = select(products.c.id).where(
        products.c.id.in_(ids), or_(available(products) <= 0, variant)
    )
    return set(connection.execute(query).scalars())


def _items(connection: Connection, ids: Sequence[str], *, now: datetime) -> list[Item]:
    mains = service.find_many(connection, ids, now=now)
    variants = service.variants_of(connection, mains, now=now)
    rows = _rows(connection, mains)
    return [
        Item(
            _stored(mains[one], rows[one], None),
            [_stored(each, rows[each.id], rows[one]) for each in variants[one] if each.id in rows],
        )
        for one in ids
        # What vanishes between two statements is no longer shown.
        if one in mains and one in rows
    ]


def _rows(connection: Connection, ids: Iterable[str]) -> dict[str, Any]:
    wanted = list(ids)
    if not wanted:
        return {}
    names = ("id", "stock_set", "stock_count", *_OWN, *AS_OF.values(), "created", "updated")
    query = select(*(products.c[name] for name in dict.fromkeys(names))).where(
        or_(products.c.id.in_(wanted), products.c.main_id.in_(wanted))
    )
    return {row.id: row for row in connection.execute(query)}


_OWN = ("price", "currency", "vat", "shipping")


def _stored(product: Product, row: Any, main: Any) -> Stored:
    observed = {}
    for name, column in AS_OF.items():
        # What a variant takes from its main product was observed there.
        source = row if main is None or _sets(row, name) else main
        moment = getattr(source, column)
        if moment is not None:
            observed[name] = moment_of(moment)
    return Stored(
        product=product,
        stock_known=bool(row.stock_set or (main is not None and main.stock_set)),
        observed=observed,
        created=row.created,
        updated=row.updated,
    )


def _sets(row: Any, name: str) -> bool:
    """Tell whether a variant has this field of its own, or takes it from its main product."""
    if name == "stock_count":
        return bool(row.stock_set)
    if name == "org_price":
        return row.price is not None
    return name in _OWN and getattr(row, name) is not None
