"""The database: the doors to it, its types, and what differs between SQLite and PostgreSQL."""

from jay.db.doors import (
    check_writable,
    database,
    init_app,
    joined,
    reading,
    reading_lately,
    transaction,
    write,
)

__all__ = [
    "check_writable",
    "database",
    "init_app",
    "joined",
    "reading",
    "reading_lately",
    "transaction",
    "write",
]
