"""Connections between two pieces of work: what SQLAlchemy's pool does, for less.

To take one from the pool and give it back costs 50 us each time, which is more than a basket's
statement. What was used by the driver alone, and is as it was, waits here for the next one instead.
"""

import contextlib
import threading
from collections import deque
from typing import Any

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection

_IDLE = TransactionStatus.IDLE


class Lent(Connection):
    """A connection that knows which pool it came from: it is another one once all are given up."""

    def __init__(self, engine: Engine, known: PoolProxiedConnection | None = None) -> None:
        self.pool = engine.pool
        super().__init__(engine, known)


class Lender:
    """Lends the connections of an engine.

    :param most: how many there are at once, None without limit: as many as the pool would give.
    :param patience: how many seconds a caller waits for one.
    :param keep: how many stay open when fewer are in use; not less than its pool keeps.
    """

    def __init__(self, engine: Engine, most: int | None, patience: float, keep: int) -> None:
        self._engine = engine
        self._keep = keep
        self._open: set[int] = set()  # by the identity of the driver's object
        event.listen(engine, "connect", self._opened)
        event.listen(engine, "close", self._closed)
        self._patience = patience
        # The pool does not know which of its connections wait here, so they are counted here.
        self._places = None if most is None else threading.Semaphore(most)
        self._waiting: deque[Lent] = deque()

    def lend(self, lent_by: Engine) -> Lent:
        """Return a connection to be given back.

        :param lent_by: the engine, or one of its kind with other execution options.
        :raises sqlalchemy.exc.TimeoutError: all are in use; and what connecting raises.
        """
        if self._places is not None and not self._places.acquire(timeout=self._patience):
            raise PoolTimeoutError("all connections are in use")
        try:
            while self._waiting:
                try:
                    # The one that has waited longest, so that none idles for hours.
                    known = self._waiting.popleft()
                except IndexError:  # another thread was quicker
                    break
                if known.pool is self._engine.pool:
                    return known if known.engine is lent_by else Lent(lent_by, known.connection)
                known.invalidate()  # its kind was given up meanwhile
            return Lent(lent_by)
        except BaseException:
            self._leave()
            raise

    def take_back(self, connection: Lent, *, good: bool) -> None:
        """Take a connection back.

        :param good: whether the work on it came to its end. Only then it is as it was, and also
            only where SQLAlchemy has begun nothing on it, which it knows how to end, the driver is
            in no transaction either, and it has the options of its engine.
        """
        try:
            if connection.pool is not self._engine.pool:
                # Its kind was given up meanwhile. The pool that it came from would keep it open.
                connection.invalidate()
            if (
                good
                and connection.get_transaction() is None
                and not connection.invalidated
                and _is_as_it_was(connection)
            ):
                self._waiting.append(connection)
            else:
                connection.close()
            while len(self._open) > self._keep and self._waiting:
                self._close_one()
        finally:
            self._leave()

    def give_up(self) -> None:
        """Close those that nobody uses; the next ones are made anew."""
        self._engine.dispose()
        while self._waiting:
            self._close_one()

    def _close_one(self) -> None:
        with contextlib.suppress(IndexError):  # another thread was quicker
            self._waiting.popleft().invalidate()

    def _opened(self, driver: object, _record: object) -> None:
        self._open.add(id(driver))

    def _closed(self, driver: object, _record: object) -> None:
        self._open.discard(id(driver))

    def _leave(self) -> None:
        if self._places is not None:
            self._places.release()


def _is_as_it_was(connection: Connection) -> bool:
    if connection.get_execution_options() is not connection.engine.get_execution_options():
        return False
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return not driver.in_transaction
    return bool(driver.pgconn.transaction_status == _IDLE)
