"""The doors to the current app's database, for routes, pages, commands and workers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import current_app, g
from sqlalchemy import Connection

from jay.db.database import Database, T, endure


def init_app(app: Any, database: Database) -> None:
    """Make the database known to ``transaction()`` and ``reading()`` of this app."""
    app.extensions["jay.db"] = database


def database() -> Database:
    """Return the current app's database."""
    found: Database = current_app.extensions["jay.db"]
    return found


@contextmanager
def joined() -> Iterator[Connection]:
    """Open a transaction that all others of this request join, and that commits at its end."""
    with database().transaction() as connection:
        g.joined_connection = connection
        try:
            yield connection
        finally:
            del g.joined_connection


@contextmanager
def transaction() -> Iterator[Connection]:
    """Open a transaction on the current app's database, or join the one of the request."""
    if "joined_connection" in g:
        yield g.joined_connection
        return
    with database().transaction() as connection:
        yield connection


@contextmanager
def reading() -> Iterator[Connection]:
    """Open a connection for reading on the current app's database."""
    if "joined_connection" in g:
        yield g.joined_connection
        return
    with database().reading() as connection:
        yield connection


def write(work: Callable[[Connection], T]) -> T:
    """Run ``work`` on the current app's database, see ``Database.write``."""
    if "joined_connection" in g:
        return endure(lambda: _attempt(g.joined_connection, work))
    return database().write(work)


def write_row(work: Callable[[Connection], T]) -> T:
    """Run ``work`` on the current app's database, see ``Database.write_row``."""
    if "joined_connection" in g:
        return write(work)
    return database().write_row(work)


def _attempt(connection: Connection, work: Callable[[Connection], T]) -> T:
    with connection.begin_nested():  # what a conflict interrupts is undone before the next try
        return work(connection)
