"""Engine and doors: ``transaction()``, ``reading()`` and ``write()``.

Only routes, pages, commands and workers open them; services get the connection handed in and never
commit, so that they compose.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson
import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jay.db.prepared import execute
from jay.db.sqlite import LOCK_WAIT_SECONDS, _begin_on_sqlite, _set_up_sqlite
from jay.errors import Busy

T = TypeVar("T")
STATEMENT_SECONDS = 10
"""How long a single statement may take before it is given up."""

CONFLICTS_ENDURED = 5
"""How often a write is tried: after the first conflict under locks, so the second one decides."""

# PostgreSQL's SQLSTATEs for "try again": serialization failure, deadlock, lock not available,
# query cancelled by a timeout, too many connections, shutting down, starting up.
TRANSIENT_SQLSTATES = ("40001", "40P01", "55P03", "57014", "53300", "57P01", "57P02", "57P03")


class Conflict(Exception):
    """Someone else has changed the row meanwhile: nothing was written, try again."""


class Database:
    """The one way to the database: short transactions for writing, single statements for reading.

    The driver is in autocommit mode on both kinds, so that reading needs no BEGIN and COMMIT,
    which halves the round trips; a transaction says BEGIN itself.

    :param url: SQLAlchemy URL, ``sqlite:///...`` or ``postgresql+psycopg://...``.
    :param pool_size: as many connections as the process has threads.
    """

    def __init__(self, url: str, pool_size: int = 4) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {
            "json_serializer": lambda value: orjson.dumps(value).decode(),
            "json_deserializer": orjson.loads,
            "isolation_level": "AUTOCOMMIT",
            # Parameters are user ids and hashes: they stay out of messages, and so out of logs.
            "hide_parameters": True,
            "pool_size": pool_size,
            # A thread may need a second one, to look up a key in the middle of its transaction.
            "max_overflow": pool_size,
            "pool_timeout": LOCK_WAIT_SECONDS,
        }
        if self.is_sqlite:
            options["connect_args"] = {"check_same_thread": False}
            options["max_overflow"] = -1  # an open file, not a process on a server
        else:
            options["connect_args"] = {
                "connect_timeout": LOCK_WAIT_SECONDS,
                "options": f"-c lock_timeout={LOCK_WAIT_SECONDS}s -c timezone=UTC"
                f" -c statement_timeout={STATEMENT_SECONDS}s"
                f" -c idle_in_transaction_session_timeout={3 * STATEMENT_SECONDS}s",
                # A server that has gone silent is given up, too (milliseconds and seconds).
                "tcp_user_timeout": STATEMENT_SECONDS * 1000,
                "keepalives_idle": STATEMENT_SECONDS,
                "keepalives_interval": 2,
                "keepalives_count": 3,
            }
        self.engine = create_engine(self.url, **options)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)
        event.listen(self.engine, "begin", _begin)
        self._writers: Engine = self.engine.execution_options(jay_transaction=True)
        # SQLite has one writer. Threads queue here instead of in its busy-wait, which is unfair
        # and burns the processor; other processes are met by busy_timeout.
        self._gate = threading.Lock() if self.is_sqlite else None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction that commits at the end of the block and rolls back on an error.

        :raises Busy: the database can't be reached or another writer held its lock too long.
        """
        # First a connection, then the turn, in every place: the other way round, one that waits
        # for its turn with the last connection would wait for one that waits for a connection.
        with (
            _busy_if_unavailable(),
            self._writers.connect() as connection,
            self._turn(),
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection for reading; each statement sees what is committed by then.

        :raises Busy: the database can't be reached.
        """
        with _busy_if_unavailable(), self.engine.connect() as connection:
            yield connection

    def ping(self) -> None:
        """Ask the database for an answer.

        :raises Busy: there is none.
        """
        with self.reading() as connection:
            connection.execute(select(1))

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a transaction, and again when it meets a ``Conflict``.

        :raises Busy: the database can't be reached, another writer held its lock too long, or the
            conflicts don't end.
        """

        def attempt() -> T:
            with self.transaction() as connection:
                return work(connection)

        return endure(attempt)

    def write_row(self, work: Callable[[Connection], T]) -> T:
        """Run ``work``, which reads and then writes once, guarded by a version.

        First without a transaction, as hardly ever two devices change one basket at the same
        moment: nothing is locked while rules are checked. After a conflict under locks.

        :raises Busy: as ``write``.
        """
        try:
            with self.reading() as connection:
                return work(connection)
        except Conflict:
            return self.write(work)

    @contextmanager
    def together(self, connection: Connection) -> Iterator[None]:
        """Make the few statements of the block one transaction, if they are not in one."""
        if locks(connection):
            yield
            return
        with self._turn():
            if self.is_sqlite:
                _begin_on_sqlite(connection)
            else:
                execute(connection, "BEGIN")
            try:
                yield
            except BaseException:
                execute(connection, "ROLLBACK")
                raise
            execute(connection, "COMMIT")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._gate is None:
            yield
            return
        if not self._gate.acquire(timeout=LOCK_WAIT_SECONDS):
            raise Busy
        try:
            yield
        finally:
            self._gate.release()


def locks(connection: Connection) -> bool:
    """Tell whether rows that are read in this connection can be locked until its end."""
    return bool(connection.get_execution_options().get("jay_transaction"))


def endure(work: Callable[[], T]) -> T:
    """Do something again while it meets a ``Conflict``.

    :raises Busy: the conflicts don't end.
    """
    for _ in range(CONFLICTS_ENDURED):
        try:
            return work()
        except Conflict:
            continue
    raise Busy


@contextmanager
def _busy_if_unavailable() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise Busy from error
    except DBAPIError as error:
        if error.orig is not None and _is_transient(error.orig):
            raise Busy from error
        raise
    except (sqlite3.Error, psycopg.Error) as error:
        # From a statement that went to the driver directly.
        if _is_transient(error):
            raise Busy from error
        raise


def _is_transient(error: BaseException) -> bool:
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is not None:
        return sqlstate in TRANSIENT_SQLSTATES
    # Without a SQLSTATE: no connection could be made, it broke, or SQLite says that it is locked.
    text = str(error).lower()
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or (
        isinstance(error, sqlite3.OperationalError)
        and any(word in text for word in ("locked", "unable to open", "disk"))
    )


def _begin(connection: Connection) -> None:
    # A reader begins nothing: each statement of it is a transaction of its own.
    if not locks(connection):
        return
    if connection.dialect.name == "sqlite":
        _begin_on_sqlite(connection)
    else:
        connection.exec_driver_sql("BEGIN")
