"""How rows of the catalogue are written: new, or over what is there, field by field as it is news.

On PostgreSQL a batch comes as one JSON document, which is several times as fast as row by row; on
SQLite the driver's ``executemany`` is. Most rows of a feed say the same few fields, and most that
are stored again change nothing that an index holds: statements that name no more than these take
half the time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import JSON, Connection, Text, bindparam, case, cast, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from jay.db.prepared import Prepared
from jay.products.bulk_sql import INDEXED
from jay.products.models import AS_OF, SALE, VOLATILE, products

_COMMON = ("merchant_id", "created", "updated")
"""The columns that all rows of a batch have in common."""

_ALL = tuple(column.name for column in products.columns if column.name not in _COMMON)
_FLAGS = {"position": 0, "stock_set": False, "taken": 0, "not_shoppable": False, "removed": False}
_EMPTY: dict[str, Any] = dict.fromkeys(_ALL) | _FLAGS

_ZERO: Any = literal_column(
    "0"
)  # a parameter of its own for each field would cost as much as the row

_WITH_DESCRIPTION = (
    *("name", "not_shoppable", "description", "rrp", "search", "removed"),
    *("main_id", "position", "variant_type", "variant_value"),
)
"""What the time of the description counts for, too."""

FEW = 20
"""Rows for which it is not worth while to compile a statement of their own."""


def _bind(name: str) -> Any:
    return bindparam(name, type_=products.c[name].type)


_GROUPS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in VOLATILE},
    "description": _WITH_DESCRIPTION,
    "stock_count": ("stock_count", "stock_set"),
    "price": ("price", *SALE),
}
"""What is written with each field that has a time of observation of its own."""


@dataclass(frozen=True)
class Kind:
    """What the rows of a statement have in common; the less they change, the less it costs.

    :ivar names: what they say, without what all rows of a batch have in common; what they don't
        say is empty where they are new, and stays where it belongs to a field that they don't say.
    :ivar always: they count whatever is stored, even if they are older news.
    :ivar moves: they may become variants of another product, or none: the index of variants is
        written, and the reference checked.
    :ivar stays: what products are found and listed by is stored as they say it, so that no index
        is written.
    """

    names: tuple[str, ...]
    always: bool
    moves: bool = False
    stays: bool = False


def _with_changes(insert: Any, kind: Kind) -> Prepared:
    """Let an INSERT change what is there: each field that is given and not older news."""
    new, changes = insert.excluded, {"updated": insert.excluded.updated}
    if "priced_since" in kind.names:
        # Only what costs something else now says it: see repricing.py.
        changes["priced_since"] = func.coalesce(new.priced_since, products.c.priced_since)
    left = set() if kind.moves else {"main_id"}
    if kind.stays:
        left.update(INDEXED)
    for field, as_of in AS_OF.items():
        if as_of not in kind.names:
            continue
        is_news = new[as_of] >= func.coalesce(products.c[as_of], _ZERO)
        if kind.always:
            is_news = new[as_of].is_not(None)
        for name in (*_GROUPS[field], as_of):
            if name not in left:
                changes[name] = case((is_news, new[name]), else_=products.c[name])
    return Prepared(insert.on_conflict_do_update(index_elements=["id"], set_=changes))


@lru_cache(maxsize=200)
def _row_by_row(kind: Kind) -> Prepared:
    """Return what stores one row; its parameters are the columns that it says."""
    row = {name: _bind(name) for name in (*kind.names, *_COMMON)}
    return _with_changes(sqlite.insert(products).values(row), kind)


@lru_cache(maxsize=200)
def _at_once(kind: Kind) -> Prepared:
    """Return the same with all rows as one JSON document, ``rows``; what one lacks is null."""
    document = cast(bindparam("rows", type_=Text), JSON)
    own = [products.c[name] for name in kind.names]
    given = func.json_to_recordset(document).table_valued(*own)
    row = given.render_derived(name="given", with_types=True).c
    values = [
        func.coalesce(row[name], _FLAGS[name]) if name in _FLAGS else row[name]
        for name in kind.names
    ]
    # In the order of ids, as everybody does who locks several products: nobody deadlocks.
    source = select(*values, *map(_bind, _COMMON)).order_by(row.id)
    insert = postgresql.insert(products).from_select([*kind.names, *_COMMON], source)
    return _with_changes(insert, kind)


def upsert(
    connection: Connection,
    rows: Sequence[dict[str, Any]],
    stored: Mapping[str, Any],
    *,
    merchant: int,
    now: datetime,
    always: bool,
) -> None:
    """Write rows of one merchant; they are changed by it.

    :param rows: main products before their variants, as these refer to them.
    :param stored: what is there of them, by id, with ``bulk_sql.INDEXED``; it must not change
        meanwhile.
    :param always: whether they count whatever is stored.
    """
    common = {"merchant_id": merchant, "created": now, "updated": now}
    if connection.dialect.name == "sqlite":
        mains = [row for row in rows if "main_id" not in row]
        variants = [row for row in rows if "main_id" in row]
        for each in (mains, variants):
            for kind, alike in _by_kind(each, stored, always=always):
                _row_by_row(kind).many_alike(connection, alike, common)
        return
    document = orjson.dumps(rows).decode()
    moves, stays = _ways(rows, stored)
    kind = Kind(_names_of(rows), always, moves, stays)
    _at_once(kind).rowcount(connection, {**common, "rows": document})


def _by_kind(
    rows: Iterable[dict[str, Any]], stored: Mapping[str, Any], *, always: bool
) -> Iterator[tuple[Kind, list[dict[str, Any]]]]:
    """Sort rows by the statement that they take."""
    alike: dict[tuple[tuple[str, ...], tuple[bool, bool]], list[dict[str, Any]]] = {}
    for row in rows:
        alike.setdefault((tuple(row), _way(row, stored)), []).append(row)
    rest: list[dict[str, Any]] = []
    for (names, way), some in alike.items():
        if len(some) < FEW:
            rest += some
        else:
            yield Kind(names, always, *way), some
    if rest:
        yield Kind(_ALL, always, *_ways(rest, stored)), [_EMPTY | row for row in rest]


def _names_of(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    if len(rows) < FEW:
        return _ALL
    said = set().union(*rows)
    return tuple(name for name in _ALL if name in said)


def _ways(rows: Iterable[dict[str, Any]], stored: Mapping[str, Any]) -> tuple[bool, bool]:
    ways = {_way(row, stored) for row in rows}
    return any(moves for moves, _ in ways), all(stays for _, stays in ways)


def _way(row: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[bool, bool]:
    """Tell whether a row moves, and whether all that an index holds stays as it is."""
    there, get = stored.get(row["id"]), row.get
    if there is None:
        return False, True
    if there.main_id != get("main_id"):
        return True, False
    return False, (
        not there.removed
        and there.search == get("search")
        and there.position == get("position", 0)
        and there.not_shoppable == get("not_shoppable", False)
    )
