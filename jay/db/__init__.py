"""The database: the doors to it, its types, and what differs between SQLite and PostgreSQL."""

from jay.db.doors import (
    database,
    init_app,
    joined,
    reading,
    transaction,
    write,
    write_row,
)

__all__ = [
    "database",
    "init_app",
    "joined",
    "reading",
    "transaction",
    "write",
    "write_row",
]
