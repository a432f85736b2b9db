"""The database: the doors to it, its types, and what differs between SQLite and PostgreSQL."""

from jay.db.database import (
    Conflict,
    Database,
    UtcDateTime,
    database,
    endure,
    init_app,
    insert_into,
    joined,
    locks,
    metadata,
    reading,
    transaction,
    write,
    write_row,
)

__all__ = [
    "Conflict",
    "Database",
    "UtcDateTime",
    "database",
    "endure",
    "init_app",
    "insert_into",
    "joined",
    "locks",
    "metadata",
    "reading",
    "transaction",
    "write",
    "write_row",
]
