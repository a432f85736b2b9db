"""The statements that store products, written once for both kinds of database.

On PostgreSQL a batch comes as one JSON document, which is several times as fast as row by row; on
SQLite the driver's ``executemany`` is.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from jay.db.prepared import Prepared, among
from jay.merchants.models import merchants
from jay.products.models import AS_OF, SALE, VOLATILE, products

_COMMON = ("merchant_id", "created", "updated")
"""The columns that all rows of a batch have in common."""

_ZERO: Any = literal_column(
    "0"
)  # a parameter of its own for each field would cost as much as the row

_FLAGS = {"position": 0, "stock_set": False, "taken": 0, "not_shoppable": False, "removed": False}
_OWN = tuple(column.name for column in products.columns if column.name not in _COMMON)
CONVERTED = ("description", "shipping")
"""The columns whose values each row has to say, for SQLite: these are converted."""

EMPTY: dict[str, Any] = {
    name: value for name, value in (dict.fromkeys(_OWN) | _FLAGS).items() if name not in CONVERTED
}
"""What a row does not say, for SQLite."""

_WITH_DESCRIPTION = (
    *("name", "not_shoppable", "description", "search", "removed"),
    *("main_id", "position", "variant_type", "variant_value"),
)
"""What the time of the description counts for, too."""


class listed(among):  # noqa: N801 - it stands for an operator
    """``among`` for long lists: PostgreSQL uses the index, whatever it knows of the table."""

    inherit_cache = False


@compiles(listed, "postgresql")
def _listed_on_postgresql(element: listed, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, texts = (compiler.process(part, **kwargs) for part in (element.column, element.texts))
    return f"{column} = ANY (ARRAY(SELECT unnest({texts})))"


def _bind(name: str) -> Any:
    return bindparam(name, type_=products.c[name].type)


def _with_changes(insert: Any, *, always: bool, moves: bool) -> Prepared:
    """Let an INSERT change what is there: each field that is given and not older news.

    :param always: older or not.
    :param moves: rows may become variants of another product, or none; it costs more, as the index
        of variants is written, and the reference checked.
    """
    groups: dict[str, tuple[str, ...]] = {name: (name,) for name in VOLATILE}
    groups |= {"description": _WITH_DESCRIPTION, "stock_count": ("stock_count", "stock_set")}
    groups["price"] = ("price", *SALE)
    new, changes = insert.excluded, {"updated": insert.excluded.updated}
    for field, as_of in AS_OF.items():
        is_news = new[as_of] >= func.coalesce(products.c[as_of], _ZERO)
        if always:
            is_news = new[as_of].is_not(None)
        for name in (*groups[field], as_of):
            if name == "main_id" and not moves:
                continue
            changes[name] = case((is_news, new[name]), else_=products.c[name])
    return Prepared(insert.on_conflict_do_update(index_elements=["id"], set_=changes))


def _row_by_row(*, always: bool, moves: bool) -> Prepared:
    row = {column.name: _bind(column.name) for column in products.c}
    return _with_changes(sqlite.insert(products).values(row), always=always, moves=moves)


def _at_once(*, always: bool, moves: bool) -> Prepared:
    document = cast(bindparam("rows", type_=Text), JSON)
    given = func.json_to_recordset(document).table_valued(*(products.c[name] for name in _OWN))
    row = given.render_derived(name="given", with_types=True).c
    values = [func.coalesce(row[n], _FLAGS[n]) if n in _FLAGS else row[n] for n in _OWN]
    # In the order of ids, as everybody does who locks several products: nobody deadlocks.
    source = select(*values, *map(_bind, _COMMON)).order_by(row.id)
    insert = postgresql.insert(products).from_select([*_OWN, *_COMMON], source)
    return _with_changes(insert, always=always, moves=moves)


_KINDS = [(always, moves) for always in (False, True) for moves in (False, True)]

ROW_BY_ROW = {(a, m): _row_by_row(always=a, moves=m) for a, m in _KINDS}
"""Stores one row, by whether it counts whatever is stored, and whether it may move; its parameters
are the columns."""

AT_ONCE = {(a, m): _at_once(always=a, moves=m) for a, m in _KINDS}
"""The same with all rows as one JSON document, ``rows``; what is absent in a row is null."""

LOCK_MERCHANT = Prepared(
    select(merchants.c.id)
    .where(merchants.c.id == bindparam("merchant"), merchants.c.removed.is_(None))
    .with_for_update(key_share=True)
)
LOCK = Prepared(
    select(products.c.id)
    .where(listed(products.c.id, "ids"))
    .order_by(products.c.id)
    .with_for_update(key_share=True)
)
LOOK_UP = Prepared(
    select(
        *(products.c[name] for name in ("id", "main_id", "described_as_of", "removed", "position"))
    ).where(listed(products.c.id, "ids"))
)
FAMILIES = Prepared(
    select(*(products.c[name] for name in ("main_id", "id", "sku", "position", "described_as_of")))
    .where(listed(products.c.main_id, "ids"), ~products.c.removed)
    .order_by(products.c.main_id, products.c.position)
)
DESCRIBED = Prepared(
    select(*(products.c[name] for name in ("id", "sku", "name", "description", "search"))).where(
        listed(products.c.id, "ids")
    )
)
GROUPS = Prepared(
    select(
        *(products.c[name] for name in ("id", "sku", "lang", "country", "name", "description")),
        *(products.c[name] for name in ("not_shoppable", "variant_type", "variant_value")),
    ).where(listed(products.c.id, "ids"))
)
_child = products.alias("child")
REMOVE_ABANDONED = Prepared(
    update(products)
    .where(
        listed(products.c.id, "ids"),
        ~products.c.removed,
        ~products.c.stock_set,
        products.c.main_id.is_(None),
        func.coalesce(products.c.described_as_of, 0) < bindparam("as_of"),
        ~select(_child.c.id)
        .where(_child.c.main_id == products.c.id, ~_child.c.removed)
        .correlate(products)
        .exists(),
    )
    .values(removed=true(), search=None, updated=bindparam("now", type_=products.c.updated.type))
)
"""Takes out main products that have lost their last variant, and were never sold themselves."""

SET_SEARCH = Prepared(
    update(products).where(products.c.id == bindparam("key")).values(search=bindparam("found_by"))
)
REMOVE = Prepared(
    update(products)
    .where(listed(products.c.id, "ids"))
    .values(removed=true(), updated=bindparam("now", type_=products.c.updated.type))
)
FORGET = Prepared(
    update(products)
    .where(listed(products.c.id, "ids"))
    .values(search=None, described_as_of=bindparam("as_of", type_=BigInteger))
)
_main = products.alias("main")
REMOVE_UNSEEN = Prepared(
    update(products)
    .where(
        listed(products.c.id, "ids"),
        ~products.c.removed,
        func.coalesce(products.c.described_as_of, 0) < bindparam("as_of"),
        products.c.main_id.in_(
            select(_main.c.id).where(_main.c.described_as_of == bindparam("as_of"))
        ),
    )
    .values(removed=true(), updated=bindparam("now", type_=products.c.updated.type))
    .returning(products.c.main_id)
)


def is_sqlite(connection: Connection) -> bool:
    """Tell whether a connection is to SQLite."""
    return connection.dialect.name == "sqlite"
