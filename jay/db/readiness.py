"""Whether the database can be written, found by writing.

A server that was demoted, or whose disk is full, answers every question and takes no basket.
"""

import tempfile
import threading
from datetime import datetime
from pathlib import Path

from sqlalchemy import Column, Connection, Table, Text, text
from sqlalchemy.exc import DBAPIError

from jay.db.database import Database
from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into
from jay.errors import Busy

ROOM_BYTES = 1_000_000
"""How much room there must be on the disk: a row may still fit where a page does not."""

readiness = Table(
    "readiness",
    metadata,
    Column("name", Text, primary_key=True),
    Column("checked", UtcDateTime, nullable=False),
)

_NAME = "last"
"""There is one row, that all processes write."""

# Rows of a function are kept in memory up to work_mem, then in a file beside the tables. A row
# takes 20 bytes or more; the file is gone with the statement, and leaves nothing to clean up.
_SPILL = text(f"SELECT count(*) FROM generate_series(1, {ROOM_BYTES // 20})")  # noqa: S608 - our number


class Readiness:
    """Tries the database, for one asker at a time: many at once cost no more than one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._begun = 0
        self._failure: Exception | None = None

    def check(self, *, now: datetime) -> None:
        """Write a row, and see that there is room on the disk.

        :raises Busy: the database can't be reached or written, is older than this program, or has
            no room left.
        """
        begun = self._begun
        with self._lock:
            # Who waited while a check began that is younger than the question takes its answer.
            if self._begun == begun:
                self._begun += 1
                self._failure = self._try(now)
            if self._failure is not None:
                raise Busy from self._failure

    def _try(self, now: datetime) -> Exception | None:
        try:
            with self._database.transaction() as connection:
                _write_a_row(connection, now)
                if not self._database.is_sqlite:
                    connection.execute(text("SET LOCAL work_mem = '64kB'"))
                    connection.execute(_SPILL)
            if self._database.is_sqlite:
                _write_a_file_beside(Path(self._database.url.database or ""))
        except (Busy, DBAPIError, OSError) as error:
            return error
        return None


def _write_a_row(connection: Connection, now: datetime) -> None:
    connection.execute(
        insert_into(connection, readiness)
        .values(name=_NAME, checked=now)
        .on_conflict_do_update(index_elements=["name"], set_={"checked": now})
    )


def _write_a_file_beside(database: Path) -> None:
    # What is written into the log may take the place of older pages, and so need no room.
    with tempfile.TemporaryFile(dir=database.parent, buffering=0) as file:
        file.write(bytes(ROOM_BYTES))
