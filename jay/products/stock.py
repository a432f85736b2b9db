"""Stock: what is reserved for those who are paying, and what was sold since it was observed.

What is available is ``stock_count - taken``: the merchant's number, less what open checkouts have
reserved and what was sold since the merchant has counted. ``taken`` is the sum of the rows here,
kept with the product, so that reading it costs nothing. It changes by the difference, in the
transaction that changes the rows, so that it never drifts, whoever else changes the product.

A reservation is made for a reference, that of a checkout, before that one is stored: it lies
elsewhere. So it has an end of its own, which is put off once the checkout is there.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Text,
    Update,
    bindparam,
    column,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from jay.db import turns
from jay.db.prepared import Prepared, among
from jay.db.types import UtcDateTime
from jay.db.upsert import insert_into
from jay.products.bulk_sql import LOCK
from jay.products.models import Product, microseconds, products, stock_reservations

_rows = stock_reservations.c
_RETURNED = (_rows.product_id, _rows.count)
_OF_REFERENCE = _rows.reference == bindparam("of", type_=_rows.reference.type)
_IS_OPEN = _rows.sold_at.is_(None)
_MOMENT = bindparam("moment", type_=UtcDateTime())


def _taking(key: ColumnElement[str], wanted: ColumnElement[int]) -> Update:
    left = products.c.stock_count - products.c.taken
    is_enough = or_(products.c.stock_count.is_(None), left >= wanted)
    return (
        update(products)
        .where(products.c.id == key, ~products.c.removed, is_enough)
        .values(taken=products.c.taken + wanted)
    )


_TAKE = Prepared(_taking(bindparam("key"), bindparam("wanted")))
_lists = func.unnest(bindparam("ids", type_=ARRAY(Text)), bindparam("counts", type_=ARRAY(Integer)))
_given = _lists.table_valued(column("id", Text), column("count", Integer)).render_derived("wanted")
_TAKE_ALL = Prepared(_taking(_given.c.id, _given.c.count).returning(products.c.id))
_RESERVE = Prepared(
    insert(stock_reservations), columns=("product_id", "reference", "count", "expires")
)
_ADD = Prepared(
    update(products)
    .where(products.c.id == bindparam("key"))
    .values(taken=products.c.taken + bindparam("difference"))
)
_RELEASE = Prepared(delete(stock_reservations).where(_OF_REFERENCE, _IS_OPEN).returning(*_RETURNED))
_OVERDUE = Prepared(select(_rows.product_id).where(_IS_OPEN, _rows.expires <= _MOMENT))
_RUN_OUT = Prepared(
    delete(stock_reservations).where(_IS_OPEN, _rows.expires <= _MOMENT).returning(*_RETURNED)
)
_RUN_OUT_OF = Prepared(
    delete(stock_reservations)
    .where(_rows.product_id == bindparam("key"), _IS_OPEN, _rows.expires <= _MOMENT)
    .returning(*_RETURNED)
)
_EXTEND = Prepared(
    update(stock_reservations)
    .where(_OF_REFERENCE, _IS_OPEN, _rows.expires > _MOMENT)
    .values(expires=bindparam("until", type_=UtcDateTime()))
)
_SELL = Prepared(
    update(stock_reservations)
    .where(_OF_REFERENCE, _IS_OPEN)
    .values(sold_at=bindparam("stamp", type_=BigInteger))
    .returning(*_RETURNED)
)
_SOLD = (_rows.product_id == bindparam("key"), _OF_REFERENCE, _rows.sold_at.is_not(None))
_RESTORE = Prepared(
    update(stock_reservations)
    .where(*_SOLD, _rows.count > bindparam("pieces"))
    .values(count=_rows.count - bindparam("pieces"))
)
_RESTORE_ALL = Prepared(
    delete(stock_reservations).where(*_SOLD, _rows.count == bindparam("pieces"))
)
_BEGINNING = bindparam("beginning", type_=Text())
_RESERVED_FOR = Prepared(
    select(_rows.reference).where(
        _rows.product_id == bindparam("key"),
        _IS_OPEN,
        func.substr(_rows.reference, 1, func.length(_BEGINNING)) == _BEGINNING,
    )
)
_COUNTED = Prepared(
    delete(stock_reservations)
    .where(among(_rows.product_id, "ids"), _rows.sold_at <= bindparam("as_of", type_=BigInteger))
    .returning(*_RETURNED)
)


def reserve(
    connection: Connection,
    reference: str,
    wanted: Iterable[tuple[Product, int]],
    *,
    until: datetime,
    now: datetime,
) -> list[str]:
    """Reserve pieces of products for a reference that has none reserved yet.

    Products are locked first, in the order in which feeds do, so that nobody waits for another one
    who waits for him.
    Reservations of the same product that have run out are ended first where they are in the way.

    :param until: when it runs out by itself.
    :returns: the ids of the products of which there is not enough; nothing of these is reserved.
    """
    missing = []
    taken: dict[str, int] = {}
    positions = list(wanted)
    turns.take(connection)
    _lock(connection, {product.stock_id for product, _ in positions})
    found = _take_all(connection, positions)
    for product, count in positions:
        if product.stock_id in found or _take(connection, product.stock_id, count, now):
            taken[product.stock_id] = taken.get(product.stock_id, 0) + count
        else:
            missing.append(product.id)
    rows = [{"product_id": each, "count": count} for each, count in taken.items()]
    if rows:
        _RESERVE.many_alike(connection, rows, {"reference": reference, "expires": until})
    return missing


def _take_all(connection: Connection, positions: Sequence[tuple[Product, int]]) -> set[str]:
    """Take of all products that have enough, in one statement; return the ids of their stocks.

    It may do nothing, where one by one is as quick: SQLite has no round trips.
    """
    wanted = {product.stock_id: count for product, count in positions}
    # Of one stock, each has to see what the one before has left.
    if connection.dialect.name == "sqlite" or len(wanted) < len(positions):
        return set()
    given = {"ids": [*wanted], "counts": [*wanted.values()]}
    return {row.id for row in _TAKE_ALL.all(connection, given)}


def _take(connection: Connection, stock_id: str, count: int, now: datetime) -> bool:
    given = {"key": stock_id, "wanted": count}
    if _TAKE.rowcount(connection, given):
        return True
    ended = _RUN_OUT_OF.all(connection, {"key": stock_id, "moment": now})
    _give_back(connection, ended)
    return bool(ended) and _TAKE.rowcount(connection, given) == 1


def extend(connection: Connection, reference: str, *, until: datetime, now: datetime) -> int:
    """Put off the end of what is reserved for a reference.

    :returns: how many stocks something is reserved of that has not run out.
    """
    turns.take(connection)
    given = {"of": reference, "until": until, "moment": now}
    return _EXTEND.rowcount(connection, given)


def release(connection: Connection, reference: str) -> None:
    """Let go of what is reserved for a reference; what was sold stays sold."""
    turns.take(connection)
    _give_back(connection, _RELEASE.all(connection, {"of": reference}))


def sell(
    connection: Connection, reference: str, bought: Mapping[str, int], *, now: datetime
) -> None:
    """Turn what is reserved for a reference into what was sold.

    A payment may win over a reservation that has run out: what of ``bought`` is not reserved any
    more is sold all the same, and there is less than nothing until the merchant counts anew.

    :param bought: by the id of the stock, ``Product.stock_id``, how many pieces.
    """
    turns.take(connection)
    stamp = microseconds(now)
    sold = {row.product_id for row in _SELL.all(connection, {"of": reference, "stamp": stamp})}
    left = bought.keys() - sold
    # Of a product that went with its merchant nothing is kept; who has paid has bought it anyway.
    for each in _lock(connection, left):
        row = {"product_id": each, "reference": reference, "count": bought[each]}
        made = connection.execute(
            insert_into(connection, stock_reservations)
            .values(row | {"expires": now, "sold_at": stamp})
            .on_conflict_do_nothing()
            .returning(_rows.product_id)
        ).one_or_none()
        if made is not None:  # else it was sold before
            _ADD.rowcount(connection, {"key": each, "difference": bought[each]})


def restore(connection: Connection, reference: str, back: Mapping[str, int]) -> None:
    """Let pieces be sold again that were sold for a reference.

    Nothing happens where the merchant has counted since: its next number says what came back.

    :param back: by the id of the stock, how many pieces.
    """
    turns.take(connection)
    for each in _lock(connection, back):
        given = {"key": each, "of": reference, "pieces": back[each]}
        if _RESTORE.rowcount(connection, given) or _RESTORE_ALL.rowcount(connection, given):
            _ADD.rowcount(connection, {"key": each, "difference": -back[each]})


def counted(connection: Connection, stock_ids: Iterable[str], *, as_of: int) -> None:
    """Forget what was sold until a merchant has counted its stock: its number says so already.

    :param as_of: when that was, in microseconds since 1970 UTC.
    """
    wanted = list(stock_ids)
    if wanted:
        _give_back(connection, _COUNTED.all(connection, {"ids": wanted, "as_of": as_of}))


def is_reserved(connection: Connection, stock_id: str, *, beginning: str) -> bool:
    """Tell whether pieces are reserved, not sold, for a reference that begins like this."""
    return bool(_RESERVED_FOR.all(connection, {"key": stock_id, "beginning": beginning}))


def is_overdue(connection: Connection, *, now: datetime) -> bool:
    """Tell whether a reservation has run out."""
    query = select(exists().where(_IS_OPEN, _rows.expires <= now))
    return bool(connection.execute(query).scalar_one())


def end_overdue(connection: Connection, *, now: datetime) -> int:
    """End reservations that have run out, of checkouts that were never stored.

    :returns: how many there were.
    """
    turns.take(connection)
    # First the products, as who reserves does: else each would wait for the other one.
    _lock(connection, {row.product_id for row in _OVERDUE.all(connection, {"moment": now})})
    ended = _RUN_OUT.all(connection, {"moment": now})
    _give_back(connection, ended)
    return len(ended)


def _give_back(connection: Connection, rows: Iterable[Any]) -> None:
    back: dict[str, int] = {}
    for row in rows:
        back[row.product_id] = back.get(row.product_id, 0) + row.count
    _lock(connection, back)
    for each, count in back.items():
        _ADD.rowcount(connection, {"key": each, "difference": -count})


def _lock(connection: Connection, stock_ids: Collection[str]) -> list[str]:
    """Lock products, in an order that the database chooses for everybody; return what is there."""
    if not stock_ids:
        return []
    return [row.id for row in LOCK.all(connection, {"ids": list(stock_ids)})]
