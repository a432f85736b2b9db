"""Distributing the tables over several servers with Citus: each row by its routing key.

What is of no shopper is small or seldom written, and lies on every server as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, text

from jay.db.routing import ROUTED_BY

SHARDS = 64
"""Into how many pieces a table falls: it can have so many servers at most, and rather too many."""

_TOGETHER = "baskets"
"""The table that all lie with that are routed by the same number."""


class NotDistributable(Exception):
    """Why the tables of a database can't be distributed, in one line."""


@dataclass(frozen=True)
class Step:
    """One statement, and what it does to which table.

    :ivar key: the column that says where a row lies; None for a table that is on every server.
    """

    table: str
    key: str | None
    sql: str

    def __str__(self) -> str:
        return f"{self.table}: {f'by {self.key}' if self.key else 'on every server'}"


def plan(
    tables: Sequence[Table], there: Mapping[str, str | None], shards: int = SHARDS
) -> list[Step]:
    """Return what is still to be done, in an order in which it can be done.

    :param tables: what is referred to comes before what refers to it.
    :param there: the tables that are distributed already, with the column each.
    :raises NotDistributable: one is distributed by another column.
    """
    for table, key in there.items():
        if table in {each.name for each in tables} and key != ROUTED_BY.get(table):
            raise NotDistributable(
                f"the table {table} lies {_where(key)}, and has to lie {_where(ROUTED_BY[table])}"
                if table in ROUTED_BY
                else f"the table {table} is distributed by {key}, and has to be on every server"
            )
    missing = [table.name for table in tables if table.name not in there]
    everywhere = [
        Step(name, None, f"SELECT create_reference_table('{name}')")
        for name in missing
        if name not in ROUTED_BY
    ]
    # The first of a kind is the one that the others lie with.
    routed = sorted((name for name in missing if name in ROUTED_BY), key=lambda n: n != _TOGETHER)
    return [*everywhere, *(_distributed(name, shards) for name in routed)]


def _distributed(table: str, shards: int) -> Step:
    key = ROUTED_BY[table]
    lies = f"colocate_with => 'none', shard_count => {shards}"
    if table != _TOGETHER and key == ROUTED_BY[_TOGETHER]:
        lies = f"colocate_with => '{_TOGETHER}'"
    return Step(table, key, f"SELECT create_distributed_table('{table}', '{key}', {lies})")


def _where(key: str | None) -> str:
    return f"by {key}" if key else "on every server"


def distributed(connection: Connection) -> dict[str, str | None]:
    """Return the tables that are distributed, by which column; None for those on every server.

    :raises NotDistributable: the database has no Citus.
    """
    if connection.dialect.name != "postgresql":
        raise NotDistributable("SQLite is one file: only PostgreSQL with Citus can be distributed")
    if connection.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'citus'")) is None:
        raise NotDistributable(
            "this database has no Citus: CREATE EXTENSION citus, on each of its servers"
        )
    rows = connection.execute(
        text(
            "SELECT table_name::text AS name, distribution_column AS key FROM citus_tables"
            " WHERE citus_table_type IN ('distributed', 'reference')"
        )
    )
    return {row.name: None if row.key == "<none>" else row.key for row in rows}


def be_patient(connection: Connection) -> None:
    """Let the statements of a connection take as long as there are rows to be moved."""
    connection.execute(text("SET statement_timeout = 0"))


def take(connection: Connection, step: Step) -> None:
    """Do one step; its rows are moved, and nobody can write into the table meanwhile."""
    connection.execute(text(step.sql))


def leftovers(connection: Connection) -> list[str]:
    """Return the distributed tables of which the first server still holds the rows of before."""
    found = []
    for name in distributed(connection):
        # Of a distributed table, only the rows of before lie in the table's own file.
        if connection.scalar(
            text("SELECT pg_relation_size(CAST(:name AS regclass))"), {"name": name}
        ):
            found.append(name)
    return found


def clear(connection: Connection, table: str) -> None:
    """Give the room back that the rows of before take."""
    connection.execute(
        text("SELECT truncate_local_data_after_distributing_table(CAST(:name AS regclass))"),
        {"name": table},
    )
