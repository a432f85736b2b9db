"""The doors to the current app's database, for routes, pages, commands and workers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import Any, Concatenate

import psycopg
from flask import Flask, current_app, g
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from jay.db.database import Database, P, T, driver_error, retry
from jay.db.outages import is_undone
from jay.db.readiness import Readiness
from jay.db.standby import Standby, lately
from jay.errors import Busy


def init_app(app: Any, database: Database, standby: Standby | None = None) -> None:
    """Make the database known to the doors of this app, and a standby where there is one."""
    app.extensions["jay.db"] = database
    app.extensions["jay.standby"] = standby
    app.extensions["jay.readiness"] = Readiness(database)


def database() -> Database:
    """Return the current app's database."""
    # Looked up once: each use of the proxy costs as much as a small function.
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    found: Database = app.extensions["jay.db"]
    return found


def _joined() -> Connection | None:
    """Return the connection of the transaction that all of this request join, if it has one."""
    found: Connection | None = vars(g._get_current_object()).get("joined_connection")
    return found


def check_writable(*, now: datetime) -> None:
    """See that the current app's database can be written.

    :raises Busy: it can't.
    """
    found: Readiness = current_app.extensions["jay.readiness"]
    found.check(now=now)


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
    connection = _joined()
    if connection is not None:
        yield connection
        return
    with database().transaction() as connection:
        yield connection


def reading() -> AbstractContextManager[Connection]:
    """Open a connection for reading on the current app's database."""
    connection = _joined()
    return database().reading() if connection is None else nullcontext(connection)


def reading_lately(*, now: datetime) -> AbstractContextManager[Connection]:
    """Open a connection for reading what may be some seconds old, see ``jay.db.standby``."""
    connection = _joined()
    if connection is not None:
        return nullcontext(connection)
    return lately(database(), current_app.extensions["jay.standby"], now=now)


def write(work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``work(connection, *args, **kwargs)``, see ``Database.write``."""
    connection = _joined()
    if connection is None:
        return database().write(work, *args, **kwargs)

    def attempt() -> T:
        # What is interrupted is undone, and its locks are let go, before the next try.
        try:
            with connection.begin_nested():
                return work(connection, *args, **kwargs)
        except (DBAPIError, psycopg.Error) as error:
            if is_undone(driver_error(error)):
                raise Busy from error
            raise

    return retry(attempt)
