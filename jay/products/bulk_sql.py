"""The statements that write many products at once, for each kind of database.

On PostgreSQL a batch comes as one JSON document, which is several times as fast as row by row; on
SQLite the driver's ``executemany`` is.
"""

from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Select, TextClause, Update, bindparam, select, text, update
from sqlalchemy.dialects import postgresql, sqlite

from jay.db import UtcDateTime
from jay.products.models import AS_OF, VOLATILE, products

COLUMNS = tuple(column.name for column in products.columns)
EMPTY = dict.fromkeys(COLUMNS) | {
    "position": 0,
    "stock_set": False,
    "not_shoppable": False,
    "removed": False,
}
in_order = itemgetter(*COLUMNS)

_DESCRIBED = (
    *("name", "not_shoppable", "description", "removed"),
    *("position", "variant_type", "variant_value", "search"),
)
_CONSTANT = {"merchant_id": ":merchant", "created": ":now", "updated": ":now"}


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements for one kind of database; ``moment`` converts a moment for SQLite's driver."""

    look_up: TextClause
    upsert: TextClause
    remove_others: TextClause
    remove_unseen: TextClause
    families: TextClause
    described: Select[Any]
    set_search: Update
    moment: Any


@cache
def statements(dialect_name: str) -> Statements:
    """Build the statements once for each kind of database."""
    on_postgresql = dialect_name == "postgresql"
    # An array of its own makes PostgreSQL use the index, whatever it knows of the table.
    among = (
        "{} = ANY(ARRAY(SELECT json_array_elements_text(CAST(:{} AS json))))"
        if on_postgresql
        else "{} IN (SELECT value FROM json_each(:{}))"
    ).format
    now = bindparam("now", type_=UtcDateTime())
    dialect: Dialect = (postgresql if on_postgresql else sqlite).dialect()
    process = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
    return Statements(
        look_up=text(
            "SELECT id, main_id, described_as_of, removed, position FROM products"  # noqa: S608
            f" WHERE {among('id', 'ids')}"
        ),
        upsert=text(_upsert_sql(on_postgresql)).bindparams(*([now] if on_postgresql else [])),
        remove_others=text(
            "UPDATE products SET removed = true, updated = :now"  # noqa: S608
            f" WHERE {among('main_id', 'mains')} AND NOT removed"
            f" AND NOT {among('id', 'listed')} AND coalesce(described_as_of, 0) <= :as_of"
        ).bindparams(now),
        remove_unseen=text(
            "UPDATE products SET removed = true, updated = :now"  # noqa: S608
            f" WHERE {among('id', 'ids')} AND NOT removed"
            " AND coalesce(described_as_of, 0) < :as_of AND main_id IN"
            " (SELECT main.id FROM products AS main WHERE main.described_as_of = :as_of)"
            " RETURNING main_id"
        ).bindparams(now),
        families=text(
            "SELECT main_id, sku, position, described_as_of FROM products"  # noqa: S608
            f" WHERE {among('main_id', 'ids')} AND NOT removed ORDER BY main_id, position"
        ),
        described=select(
            *(products.c[name] for name in ("id", "sku", "name", "description", "search"))
        ).where(text(f"{among('products.id', 'ids')}")),
        set_search=update(products)
        .where(products.c.id == bindparam("identifier"))
        .values(search=bindparam("found_by")),
        moment=process,
    )


def _upsert_sql(on_postgresql: bool) -> str:
    columns = ", ".join(COLUMNS)
    same = "IS NOT DISTINCT FROM" if on_postgresql else "IS"
    if on_postgresql:
        types = {column.name: column.type for column in products.columns}
        dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        defined = ", ".join(
            f"{name} {types[name].compile(dialect)}" for name in COLUMNS if name not in _CONSTANT
        )
        flags = {"position": "0", "stock_set": "false", "not_shoppable": "false"}
        values = ", ".join(
            _CONSTANT.get(name)
            or ("false" if name == "removed" else "")
            or (f"coalesce(r.{name}, {flags[name]})" if name in flags else f"r.{name}")
            for name in COLUMNS
        )
        # In the order of ids, as everybody does who locks several products: nobody deadlocks.
        source = (
            f"SELECT {values} FROM json_to_recordset(CAST(:rows AS json)) AS r({defined})"  # noqa: S608
            " ORDER BY r.id"
        )
    else:
        source = f"VALUES ({', '.join('?' * len(COLUMNS))})"
    return (
        f"INSERT INTO products ({columns}) {source} ON CONFLICT (id) DO UPDATE SET"
        f" {', '.join(_assignments())}, updated = excluded.updated"
        # Looked at before; but somebody may have added it just now, as something else.
        f" WHERE products.main_id {same} excluded.main_id"
    )


def _assignments() -> list[str]:
    """Return what sets each field that was not observed later already."""
    columns: dict[str, tuple[str, ...]] = {name: (name,) for name in VOLATILE}
    columns |= {"description": _DESCRIBED, "stock_count": ("stock_count", "stock_set")}
    return [
        f"{column} = CASE WHEN excluded.{as_of} >= coalesce(products.{as_of}, 0)"
        f" THEN excluded.{column} ELSE products.{column} END"
        for name, as_of in AS_OF.items()
        for column in (*columns[name], as_of)
    ]
