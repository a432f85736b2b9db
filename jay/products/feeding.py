"""Use cases of the feed: full descriptions, and what changes often.

Who writes several products locks them first, in the order of their ids, so that feeds never
deadlock. What is new can't be locked, so a merchant's descriptions are stored one after the other
(``bulk.lock_merchant``); updates of prices and stock don't wait for that.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    column,
    func,
    null,
    or_,
    select,
    true,
    update,
)

from jay.db import turns
from jay.db.prepared import Prepared, among
from jay.errors import SkuTaken
from jay.merchants.models import Merchant
from jay.products import stock
from jay.products.bulk import Put, put_many
from jay.products.former_prices import (
    Items,
    drop_of_variants,
    dropped_from_update,
    in_another_currency,
)
from jay.products.models import (
    AS_OF,
    SALE,
    VOLATILE,
    StoredProduct,
    Updated,
    is_news,
    microseconds,
    observed,
    product_id,
    products,
)
from jay.products.price_history import Changes
from jay.products.prices import STATE

_STAMPS = tuple(AS_OF[name] for name in VOLATILE)
_PER_PRODUCT = ("stock_count", "price", "org_price")
"""What PATCH gives for each product; the other volatile fields are for all of the call."""

_PRICES = frozenset({"price", "org_price", "currency"})
_STATE_AT = -len(STATE) - 1
"""Where in a row of ``_LOCK`` it stands since when a product costs what."""


_LOCK = Prepared(
    select(
        products.c.id,
        *(products.c[stamp] for stamp in _STAMPS),
        products.c.priced_since,
        *(products.c[name] for name in STATE),
    )
    # An id begins with its merchant's name; asked for the merchant, too, SQLite looks through all
    # of its products.
    .where(among(products.c.id, "ids"), ~products.c.removed)
    .order_by(products.c.id)
    .with_for_update(key_share=True)
)


@cache
def _update(fields: frozenset[str], *, at_once: bool) -> Prepared:
    """Build the statement that writes these volatile fields of products that are locked.

    :param at_once: its parameters are a list of each field, so that it changes all products;
        otherwise it changes one.
    """
    own = {name: products.c[name].type for name in ("id", *_PER_PRODUCT) if name in fields | {"id"}}
    new: Any = {name: bindparam(name, type_=kind) for name, kind in own.items()}
    if at_once:
        lists = [bindparam(name, type_=ARRAY(kind)) for name, kind in own.items()]
        rows = func.unnest(*lists).table_valued(*(column(*each) for each in own.items()))
        new = rows.render_derived(name="new").c
    values = {name: new[name] for name in own if name != "id"}
    for name in (*(fields - own.keys()), "updated"):
        values[name] = bindparam(name, type_=products.c[name].type)
    values |= {
        AS_OF[name]: bindparam("as_of", type_=BigInteger) for name in fields if name in AS_OF
    }
    if "stock_count" in fields:
        values["stock_set"] = true()
    if "price" in fields:
        values |= dict.fromkeys(SALE, null())
    known = and_(products.c.id == new["id"], ~products.c.removed)
    return Prepared(update(products).where(known).values(values))


def count_as_now(connection: Connection, *which: ColumnElement[bool], stamp: int) -> int:
    """Let what is said to have been observed in the future count as observed now.

    It was written while a clock was wrong: true news would be taken for old until then.

    :param which: conditions that name the products.
    :param stamp: now, in microseconds since 1970 UTC.
    :returns: how many products it was.
    """
    stamps = [products.c[name] for name in AS_OF.values()]
    ahead = or_(*(each > stamp for each in stamps))
    values = {each.name: case((each > stamp, stamp), else_=each) for each in stamps}
    return int(connection.execute(update(products).where(*which, ahead).values(values)).rowcount)


def put_product(
    connection: Connection,
    merchant: Merchant,
    *,
    now: datetime,
    sku: str,
    name: str,
    variants: Sequence[Mapping[str, Any]] = (),
    lang: str | None = None,
    country: str | None = None,
    not_shoppable: bool = False,
    type: str | None = None,  # noqa: A002 - the word of the wire
    value: str | None = None,
    volatile: Mapping[str, Any],
    description: Mapping[str, Any],
) -> StoredProduct:
    """Add a product with all its variants, or replace its description and variant set.

    Volatile fields that are absent keep the value that they have ("not set"); those that are given
    count as observed now, as the description does. A variant without currency, VAT or shipping has
    those of the product.

    :param type: with ``value``, which of the variants the product itself is, if it is one of them.
    :param variants: ``sku``, and any of ``type``, ``value``, the volatile fields, and what of the
        ``description`` is different.
    :param volatile: any of ``stock_count, price, org_price, currency, vat, shipping``.
    :param description: the descriptive fields, named as on the wire.
    :raises SkuTaken: a SKU stands for two things; the message says which.
    """
    lang, country = lang or merchant.lang, country or merchant.country
    main = {
        "name": name,
        "not_shoppable": not_shoppable,
        "type": type,
        "value": value,
        "volatile": volatile,
        "description": description,
    }
    put = Put(sku, lang, country, main, variants)
    (outcome,) = put_many(connection, merchant, [put], now=now)
    if isinstance(outcome, str):
        raise SkuTaken(outcome)
    prefix = product_id(merchant.name, lang, country, "")
    listed = [variant["sku"] for variant in variants]
    return StoredProduct(prefix + sku, [(one, prefix + one) for one in listed])


def update_volatile(
    connection: Connection,
    merchant: Merchant,
    *,
    now: datetime,
    items: Sequence[Mapping[str, Any]],
    shared: Mapping[str, Any],
    as_of: datetime | None = None,
    lang: str | None = None,
    country: str | None = None,
) -> Updated:
    """Update stock, prices and the like of main products and variants, by SKU.

    Absent fields stay as they are, but for a former price in another currency, see
    former_prices.py; of a SKU that comes twice, the last one counts.

    :param items: ``{"sku", "stock_count"?, "price"?, "org_price"?}`` each.
    :param shared: ``currency``, ``vat`` and ``shipping`` for all of them, where given.
    :param as_of: when this was observed: a field of which there is newer news is skipped.
        None means now, and nothing is skipped.
    :raises NotYetObserved: ``as_of`` is in the future.
    """
    lang, country = lang or merchant.lang, country or merchant.country
    stamp = microseconds(now) if as_of is None else observed(as_of, now=now)
    prefix = product_id(merchant.name, lang, country, "")
    items_by_id: Items = {prefix + item["sku"]: item for item in items}
    given = {each: _given(item, shared) for each, item in items_by_id.items()}
    common = {**shared, "as_of": stamp, "updated": now}
    turns.take(connection)
    # SQLite has one writer: it need not look first at what it writes over, unless one is unknown
    # or the history of prices is to be told of what was there.
    look_first = (
        as_of is not None
        or connection.dialect.name != "sqlite"
        or any(fields & _PRICES for fields in given.values())
    )
    if not look_first and _write(connection, items_by_id, given, common) == len(given):
        return Updated(len(given), [], 0)
    stored = {row.id: row for row in _LOCK.all(connection, {"ids": list(given)})}
    news = {each: given[each] for each in stored}
    if as_of is not None:
        limit = microseconds(now)
        if any((moment or 0) > limit for row in stored.values() for moment in row[1:_STATE_AT]):
            count_as_now(connection, products.c.id.in_(list(stored)), stamp=limit)
            stored = {row.id: row for row in _LOCK.all(connection, {"ids": list(stored)})}
        news = {
            each: frozenset(
                name for name in fields if is_news(getattr(stored[each], AS_OF[name]), stamp)
            )
            for each, fields in news.items()
        }
    changes = Changes(now)
    common["priced_since"] = changes.stamp
    items_by_id, written = dropped_from_update(
        connection,
        merchant,
        items=items_by_id,
        stored=stored,
        news=news,
        currency=shared.get("currency"),
        stamp=None if as_of is None else stamp,
    )
    drop_of_variants(
        connection,
        in_another_currency(merchant, stored=stored, news=news, currency=shared.get("currency")),
        but=stored,
        now=now,
        stamp=stamp,
        always=as_of is None,
    )
    changed = _priced(changes, items_by_id, stored, written, common)
    changes.write(connection)
    _write(connection, items_by_id, changed, common)
    return Updated(
        updated=sum(bool(news[each]) or not given[each] for each in stored),
        unknown_skus=[item["sku"] for each, item in items_by_id.items() if each not in stored],
        stale=sum(len(given[each]) - len(news[each]) for each in stored),
    )


def _priced(
    changes: Changes,
    items: Mapping[str, Mapping[str, Any]],
    stored: Mapping[str, Any],
    news: Mapping[str, frozenset[str]],
    common: Mapping[str, Any],
) -> dict[str, frozenset[str]]:
    """Take what is to cost something else from now on into the history of prices.

    :returns: the fields of products that are news, since when it costs that among them.
    """
    written = dict(news)
    for each, fields in news.items():
        if not fields & _PRICES:
            continue
        before = stored[each][_STATE_AT + 1 :]
        price, *sale, org_price, currency, rrp = before
        if "price" in fields:
            price, sale = items[each]["price"], [None] * len(SALE)
        if "org_price" in fields:
            org_price = items[each]["org_price"]
        if "currency" in fields:
            currency = common["currency"]
        if (price, *sale, org_price, currency, rrp) != before:
            changes.change(each, stored[each].priced_since, before)
            written[each] = fields | {"priced_since"}
    return written


def _given(item: Mapping[str, Any], shared: Mapping[str, Any]) -> frozenset[str]:
    return frozenset((*shared, *(name for name in _PER_PRODUCT if name in item)))


def _write(
    connection: Connection,
    items: Mapping[str, Mapping[str, Any]],
    news: Mapping[str, frozenset[str]],
    common: Mapping[str, Any],
) -> int:
    """Write those fields of products that are news, both by id; return how many were written."""
    # Products that get the same fields are written together.
    together: dict[frozenset[str], list[str]] = {}
    for each, fields in news.items():
        if fields:
            together.setdefault(fields, []).append(each)
    written = 0
    for fields, ids in together.items():
        # SQLite is quicker row by row, PostgreSQL at once.
        if connection.dialect.name == "sqlite":
            rows = [{**items[each], "id": each} for each in ids]
            written += _update(fields, at_once=False).many(connection, rows, common)
        else:
            lists: dict[str, Any] = {"id": ids}
            for name in fields.intersection(_PER_PRODUCT):
                lists[name] = [items[each][name] for each in ids]
            written += _update(fields, at_once=True).rowcount(connection, {**common, **lists})
    recounted = [each for each, fields in news.items() if "stock_count" in fields]
    stock.counted(connection, recounted, as_of=common["as_of"])
    return written
