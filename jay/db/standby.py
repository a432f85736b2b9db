"""A standby that may answer what bears to be some seconds old, as long as it is not older.

How far it is behind is known from a row that the workers write twice a second. One that no
longer gets anything, and so would say that it has everything, is found out as well.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from jay.db.database import Database
from jay.db.readiness import readiness
from jay.db.upsert import insert_into
from jay.errors import Busy

LATEST = timedelta(seconds=5)
"""How old that may be which a standby answers."""

LOOKED_SECONDS = 1.0
"""How often each process looks."""

_NAME = "beat"


def beat(connection: Connection, *, now: datetime) -> None:
    """Write the row that tells standbys how late they are."""
    connection.execute(
        insert_into(connection, readiness)
        .values(name=_NAME, checked=now)
        .on_conflict_do_update(index_elements=["name"], set_={"checked": now})
    )


class Standby:
    """The way to a standby, or to several behind one address."""

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.database = database
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._looked_again = 0.0
        self._fresh = False

    def is_fresh(self, *, now: datetime) -> bool:
        """Tell whether it may be asked: it answers, and is not late."""
        with self._lock:
            if self._monotonic() < self._looked_again:
                return self._fresh
            # One looks, the others go by what was seen before.
            self._looked_again = self._monotonic() + LOOKED_SECONDS
        try:
            self._fresh = self._look(now)
        except Busy:
            self._fresh = False
        return self._fresh

    def leave_alone(self) -> None:
        """Go to the primary until it is looked again."""
        self._fresh = False

    def _look(self, now: datetime) -> bool:
        query = select(readiness.c.checked).where(readiness.c.name == _NAME)
        with self.database.reading() as connection:
            checked = connection.execute(query).scalar()
        return checked is not None and abs(now - checked) <= LATEST


def lately(
    primary: Database, standby: Standby | None, *, now: datetime
) -> AbstractContextManager[Connection]:
    """Open a connection for reading what may be some seconds old: the standby's, if it is fresh.

    :raises Busy: the database can't be reached.
    """
    if standby is None or not standby.is_fresh(now=now):
        return primary.reading()
    return _reading_from(standby)


@contextmanager
def _reading_from(standby: Standby) -> Iterator[Connection]:
    try:
        with standby.database.reading() as connection:
            yield connection
    except Busy:
        standby.leave_alone()
        raise
