"""The three doors: ``reading()``, ``transaction()`` and ``write()``.

Only routes, pages, commands and workers open them; services get the connection handed in and never
commit, so that they compose.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson
import psycopg
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jay.db.breaker import Breaker
from jay.db.lending import Lender, Lent
from jay.db.outages import breaks_off, is_outage, is_read_only, is_undone, leads_nowhere
from jay.db.postgresql import NotAnswered, connect, prepare
from jay.db.prepared import execute
from jay.db.sqlite import (
    LOCK_WAIT_SECONDS,
    begin_on_sqlite,
    in_memory,
    keep_private,
    set_up_readers,
    set_up_writers,
)
from jay.db.write_queue import WriteQueue
from jay.errors import Busy, OutcomeUnknown

P = ParamSpec("P")
T = TypeVar("T")
STATEMENT_SECONDS = 10
"""How long a single statement may take before it is given up."""

CONFLICTS_RETRIED = 5
"""How often a write is tried: after the first conflict under locks, so the second one decides."""


class Conflict(Exception):
    """Someone else has changed the row meanwhile: nothing was written, try again."""


def optimistic(
    work: Callable[Concatenate[Connection, P], T],
) -> Callable[Concatenate[Connection, P], T]:
    """Mark a use case that reads, and then writes in one statement guarded by what it has read.

    ``write`` tries it without a transaction first, as hardly ever two devices change one basket at
    the same moment: two round trips less on PostgreSQL, and nothing is locked while rules are
    checked, which SQLite gains from as well, as it locks all. That is 1.2 to 1.3 times as many
    writes a second.
    """
    vars(work)["optimistic"] = True
    return work


def unseen(
    work: Callable[Concatenate[Connection, P], T],
) -> Callable[Concatenate[Connection, P], T]:
    """Mark an optimistic use case that makes what only its answer tells of.

    Where the database breaks off, the caller may do it again without a doubt: what may have been
    made has a name that nobody was told, so ``write`` says ``Busy``, and not ``OutcomeUnknown``.
    """
    vars(work)["unseen"] = True
    return work


class Database:
    """The one way to the database: short transactions for writing, single statements for reading.

    Readers have connections of their own, which the database itself keeps from writing; so they
    may one day lead to a standby.

    The driver is in autocommit mode on both kinds, so that reading needs no BEGIN and COMMIT,
    which halves the round trips; a transaction says BEGIN itself.

    :param url: SQLAlchemy URL, ``sqlite:///...`` or ``postgresql+psycopg://...``.
    :param pool_size: as many connections of each kind are kept as the process has threads; for a
        moment, some more may be in use.
    """

    def __init__(self, url: str, pool_size: int = 4) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._queue = self._made_queue(pool_size) if self.is_sqlite else None
        self.engine = self._engine(pool_size, reads=False)
        self.readers = self._engine(pool_size, reads=True)
        self._lent = self._lender(self.engine, pool_size + 1, keep=pool_size)
        # A thread may need a second one, to look up a key in the middle of its work.
        self._lent_to_read = self._lender(self.readers, 2 * pool_size, keep=pool_size)
        self.breaker = Breaker()
        self._writers: Engine = self.engine.execution_options(jay_transaction=True)

    def _made_queue(self, threads: int) -> WriteQueue:
        file = self.url.database or ""
        # SQLite keeps its log beside the file that a link leads to.
        return WriteQueue(None if in_memory(file) else os.path.realpath(file), threads)

    def _engine(self, pool_size: int, *, reads: bool) -> Engine:
        options: dict[str, Any] = {
            "json_serializer": lambda value: orjson.dumps(value).decode(),
            "json_deserializer": orjson.loads,
            "isolation_level": "AUTOCOMMIT",
            # Parameters are user ids and hashes: they stay out of messages, and so out of logs.
            "hide_parameters": True,
            "pool_size": pool_size,
            "max_overflow": -1,  # how many there are is for those that lend them
        }
        if self.is_sqlite:
            options["connect_args"] = {"check_same_thread": False}
            options["execution_options"] = {"jay_queue": self._queue}
        else:
            options["connect_args"] = {
                "connect_timeout": LOCK_WAIT_SECONDS,
                "options": f"-c lock_timeout={LOCK_WAIT_SECONDS}s -c timezone=UTC"
                f" -c statement_timeout={STATEMENT_SECONDS}s"
                f" -c idle_in_transaction_session_timeout={3 * STATEMENT_SECONDS}s"
                # Of Citus, which otherwise asks all servers at once, and then can't write into a
                # table that is on each of them. Any other PostgreSQL takes it for a name of ours.
                " -c citus.multi_shard_modify_mode=sequential"
                # Said with the connection, it costs no round trip later.
                f"{' -c default_transaction_read_only=on' if reads else ''}",
                # A server that has gone silent is given up, too (milliseconds and seconds).
                "tcp_user_timeout": STATEMENT_SECONDS * 1000,
                "keepalives_idle": STATEMENT_SECONDS,
                "keepalives_interval": 2,
                "keepalives_count": 3,
            }
        engine = create_engine(self.url, **options)
        if self.is_sqlite:
            event.listen(engine, "do_connect", keep_private)
            event.listen(engine, "connect", set_up_readers if reads else set_up_writers)
        else:
            event.listen(engine, "do_connect", connect)
            event.listen(engine, "connect", prepare)
        event.listen(engine, "handle_error", _give_up)
        return engine

    def _lender(self, engine: Engine, most: int, *, keep: int) -> Lender:
        # On SQLite a connection is an open file, and not a process on a server.
        return Lender(engine, None if self.is_sqlite else most, LOCK_WAIT_SECONDS, keep)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open a transaction that commits at the end of the block and rolls back on an error.

        :raises Busy: the database can't be reached or another writer held its lock too long.
        :raises OutcomeUnknown: it broke off at the end, and nobody knows whether it was committed.
        """
        stake = _Stake()
        # First a connection, then the turn, in every place: the other way round, one that waits
        # for its turn with the last connection would wait for one that waits for a connection.
        with (
            _Work(self, self._lent, self._writers, stake) as connection,
            self._queue.turn(connection) if self._queue else nullcontext(),
            connection.begin(),
        ):
            if self.is_sqlite:
                begin_on_sqlite(connection)
            else:
                execute(connection, "BEGIN")
            yield connection
            stake.committing = True

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a connection that the database lets read, and never write.

        There is no transaction: each statement sees what is committed by then.

        :raises Busy: the database can't be reached.
        """
        return _Work(self, self._lent_to_read, self.readers, _READS)

    def write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``work(connection, *args, **kwargs)`` in a transaction and return what it returns.

        It is run again, a few times, when it meets a ``Conflict``, and once when the database has
        undone it in favour of another one (a deadlock): it must change nothing but the database.
        What is marked as ``optimistic`` may be run without a transaction first.

        :raises Busy: the database can't be reached, another writer held its lock too long, or the
            conflicts don't end.
        :raises OutcomeUnknown: as ``transaction``.
        """
        if getattr(work, "optimistic", False):
            stake = _UNSEEN if getattr(work, "unseen", False) else _EACH_COMMITS
            try:
                with _Work(self, self._lent, self.engine, stake) as connection:
                    return work(connection, *args, **kwargs)
            except Conflict:
                pass

        def attempt() -> T:
            with self.transaction() as connection:
                return work(connection, *args, **kwargs)

        return retry(attempt)

    def dispose(self) -> None:
        """Close the connections that nobody uses; the next ones are made anew."""
        self._lent.give_up()
        self._lent_to_read.give_up()


@dataclass(slots=True)
class _Stake:
    """What may be written by the moment at which the database breaks off.

    :ivar committing: the work is done, and only the answer to the COMMIT is missing.
    :ivar each_commits: each statement is a transaction of its own.
    """

    reads: bool = False
    committing: bool = False
    each_commits: bool = False

    def may_be_written(self, error: BaseException) -> bool:
        """Tell whether what broke off with an error may have been done."""
        statement: str | None = getattr(error, "statement", None)
        only_read = statement is not None and statement.startswith("SELECT")
        return self.committing or (self.each_commits and not only_read)


_READS = _Stake(reads=True)
_EACH_COMMITS = _Stake(each_commits=True)
_UNSEEN = _Stake()


class _Work:
    """A connection for a piece of work, which tells an outage of the database as ``Busy``.

    It is a class and no generator: this happens several times in a request.
    """

    __slots__ = ("_connection", "_database", "_engine", "_lender", "_stake", "_tries")

    def __init__(self, database: Database, lender: Lender, engine: Engine, stake: _Stake) -> None:
        self._database, self._lender = database, lender
        self._engine, self._stake = engine, stake

    def __enter__(self) -> Connection:
        breaker = self._database.breaker
        # Whether this caller is the one that tries a server that has not answered.
        self._tries = breaker.enter()
        connection: Lent | None = None
        try:
            connection = self._lender.lend(self._engine)
            if self._tries:
                # What follows may wait for locks: the others don't wait for the end of it.
                execute(connection, "SELECT 1")
                breaker.close()
        except BaseException as error:
            if connection is not None:
                self._lender.take_back(connection, good=False)
            self._end(error, connected=False)
            raise
        self._connection = connection
        return connection

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        try:
            self._lender.take_back(self._connection, good=error is None)
        except BaseException as later:
            self._end(later)
            raise
        self._end(error)

    def _end(self, error: BaseException | None, *, connected: bool = True) -> None:
        """Tell the breaker how the server has answered.

        :raises Busy: ``error`` is an outage.
        :raises OutcomeUnknown: it is one, and what was written by then may be there.
        """
        answers: bool | None = True
        try:
            if isinstance(error, PoolTimeoutError):
                answers = None
                raise Busy from error
            if not isinstance(error, DBAPIError | sqlite3.Error | psycopg.Error):
                return
            cause = _outage_behind(error) or driver_error(error)
            answers = not isinstance(cause, NotAnswered)
            # Writing through a door that reads is a fault of ours, and no outage.
            if not is_outage(cause) or (self._stake.reads and is_read_only(cause)):
                return
            if leads_nowhere(cause):
                # The others have broken with it, most likely: don't try them one by one.
                self._database.dispose()
            if breaks_off(cause) and connected and self._stake.may_be_written(error):
                raise OutcomeUnknown from error
            raise Busy from error
        finally:
            self._database.breaker.leave(answers=answers, tried=self._tries)


def locks(connection: Connection) -> bool:
    """Tell whether rows that are read in this connection can be locked until its end."""
    return bool(connection.get_execution_options().get("jay_transaction"))


def retry(attempt: Callable[[], T]) -> T:
    """Do something again while it meets a ``Conflict``, and once after a deadlock.

    :raises Busy: the conflicts don't end.
    """
    undone = False
    for _ in range(CONFLICTS_RETRIED):
        try:
            return attempt()
        except Conflict:
            continue
        except Busy as busy:
            if undone or not is_undone(driver_error(busy.__cause__)):
                raise
            undone = True
    raise Busy


def driver_error(error: BaseException | None) -> BaseException | None:
    """Return the driver's own error, where SQLAlchemy has wrapped it."""
    return error.orig if isinstance(error, DBAPIError) else error


def _outage_behind(error: BaseException | None) -> BaseException | None:
    """Return the outage that an error, or what it came up in handling of, is.

    Where its disk is full, SQLite undoes all of a transaction: undoing a part of it then fails as
    if there were no such part.
    """
    while error is not None:
        cause = driver_error(error)
        if is_outage(cause):
            return cause
        error = error.__context__
    return None


def _give_up(context: ExceptionContext) -> None:
    # SQLAlchemy then takes the connection out of the pool.
    if leads_nowhere(context.original_exception):
        context.is_disconnect = True
