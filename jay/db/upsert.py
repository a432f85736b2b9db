"""INSERT that knows what to do on a conflict, as each kind of database writes it."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_into(connection: Connection, table: Table) -> Any:
    """Begin an INSERT that knows ``on_conflict_do_update``, as the kind of database writes it."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
