"""Rows that may be there already: INSERT that knows a conflict, and names that are given again."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from jay.db.prepared import Prepared


def insert_into(connection: Connection, table: Table) -> Any:
    """Begin an INSERT that knows ``on_conflict_do_update``, as the kind of database writes it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


class AddedOnce:
    """An INSERT that is compiled once, and does nothing where a row is in the way.

    :param columns: those that are given.
    """

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self._statements = {
            name: Prepared(
                dialect.insert(table).on_conflict_do_nothing().returning(*table.c), columns=columns
            )
            for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
        }

    def add(self, connection: Connection, row: Mapping[str, Any]) -> Any:
        """Add a row and return it as it is stored; None where another one is in the way."""
        return self._statements[connection.dialect.name].one_or_none(connection, row)


def add_named(connection: Connection, table: Table, name: str, values: Mapping[str, Any]) -> int:
    """Add a row under a name and return its id.

    One that was removed gets its row back: what bears its name never becomes another one's.
    """
    again = update(table).where(table.c.name == name, table.c.removed.is_not(None))
    found = connection.execute(again.values(**values).returning(table.c.id)).scalar()
    if found is None:
        made = insert(table).values(name=name, **values).returning(table.c.id)
        found = connection.execute(made).scalar_one()
    return int(found)
