"""Who writes to SQLite: the threads of a process one after the other, and its log kept short.

SQLite has one writer. Threads queue here instead of in its busy-wait, which is unfair and burns the
processor; other processes are met by ``begin_on_sqlite``.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from jay.db.prepared import execute
from jay.db.sqlite import LOCK_WAIT_SECONDS, SHORTEST_PAUSE_SECONDS, begin_on_sqlite
from jay.errors import Busy

STUCK_SECONDS = 1.0
"""After that long without a step, few may go on to wait for SQLite's write lock."""

LONGEST_LOG = 32 * 2**20
"""Bytes of the write-ahead log, after which it is written back and begun anew."""

LOOK_EVERY = 32
"""After the first transaction of this process, and so many more, it is looked how long it is."""

LARGE_SECONDS = 0.02
"""After one that took longer it is looked, too: it may have written much."""

BEGIN_ANEW_SECONDS = 0.1
"""How long it is tried to begin it anew, beside writers of other processes and those who read."""

PUT_OFF_SECONDS = 5.0
"""After that was in vain: nobody in this process writes meanwhile, and a backup takes minutes."""

_HEADER, _FRAME_HEADER = 32, 24  # bytes, see https://sqlite.org/fileformat2.html#walformat


class WriteQueue:
    """The queue of a process for one database.

    :param file: the database's; None where it is in memory.
    :param threads: how many the process has.
    """

    def __init__(self, file: str | None, threads: int) -> None:
        self._gate = threading.Lock()
        self._entered = 0.0  # when the one whose turn it is came to it
        # With the one whose turn it is, half of the threads may wait for another process.
        self._patient = threading.Semaphore(max(0, threads // 2 - 1))
        self._log = None if file is None else Path(f"{file}-wal")
        self._written = 0
        self._shortening = threading.Lock()
        self._put_off_until = 0.0

    @contextmanager
    def turn(self, connection: Connection) -> Iterator[None]:
        """Wait for the turn to write, which lasts until the end of the block.

        :param connection: what writes, and has committed by the end of the block.
        :raises Busy: it took too long, or enough others wait already.
        """
        self._take_turn()
        self._entered = time.monotonic()
        try:
            yield
            large = time.monotonic() - self._entered >= LARGE_SECONDS
            looks = large or self._written % LOOK_EVERY == 0
            self._written += 1
        finally:
            self._gate.release()
        if self._log is not None and looks:
            self._shorten(self._log, connection)

    def _take_turn(self) -> None:
        """Wait for the turn to write; not many do so while nobody gets any further.

        Threads must stay for those who read.
        """
        end = time.monotonic() + LOCK_WAIT_SECONDS
        while not self._gate.acquire(timeout=STUCK_SECONDS / 4):
            now = time.monotonic()
            if now >= end:
                raise Busy
            if now - self._entered < STUCK_SECONDS:
                continue
            if not self._patient.acquire(blocking=False):
                raise Busy
            try:
                if self._gate.acquire(timeout=end - now):
                    return
                raise Busy
            finally:
                self._patient.release()

    def _shorten(self, log: Path, connection: Connection) -> None:
        """Write the log back to the database where it is long, so that it begins anew.

        Most of it while others write on, as the disk is waited for. What they have written by then
        is written back while nobody writes. SQLite's own checkpoints leave it, so the log never
        begins anew while several processes write without a pause, and they are a part of the
        commit that meets them: all who are queued here would wait for the disk.
        """
        if not self._is_long(log) or not self._shortening.acquire(blocking=False):
            return
        try:
            # It is committed, whatever becomes of this: a disk that is full tells the next one.
            with suppress(sqlite3.OperationalError, Busy):
                others_do, *_ = execute(connection, "PRAGMA wal_checkpoint(PASSIVE)").fetchone()
                if others_do:
                    return
                self._take_turn()
                self._entered = time.monotonic()
                try:
                    self._begin_anew(log, connection)
                finally:
                    self._gate.release()
        finally:
            self._shortening.release()

    def _is_long(self, log: Path) -> bool:
        return time.monotonic() >= self._put_off_until and _reaches(log, LONGEST_LOG)

    def _begin_anew(self, log: Path, connection: Connection) -> None:
        """Let the next transaction write to the log's beginning.

        While somebody else writes, or reads what is in it, SQLite writes back what it can, and this
        asks again: it would keep all others from writing while it waits. The file stays as long as
        it is: to cut it off, and to find room for it again, takes the disk several times as long.
        """
        end = time.monotonic() + BEGIN_ANEW_SECONDS
        while self._is_long(log):  # no other process was quicker
            in_vain, *_ = execute(connection, "PRAGMA wal_checkpoint(RESTART)").fetchone()
            if not in_vain:
                return
            if time.monotonic() >= end:
                self._put_off_until = time.monotonic() + PUT_OFF_SECONDS
                return
            time.sleep(SHORTEST_PAUSE_SECONDS)


def _reaches(log: Path, length: int) -> bool:
    """Tell whether a log has got that long since it began anew: its file may have been longer.

    What was written since then says the same two numbers as its header, the salts.
    """
    try:
        with log.open("rb", buffering=0) as file:
            header = file.read(_HEADER)
            size = _FRAME_HEADER + int.from_bytes(header[8:12])
            file.seek(_HEADER + length // size * size)
            frame = file.read(_FRAME_HEADER)
    except OSError:  # there is none, or too many other files are open
        return False
    return len(frame) == _FRAME_HEADER and frame[8:16] == header[16:24]


@contextmanager
def atomic(connection: Connection) -> Iterator[None]:
    """Make what is written in the block one transaction on SQLite, if it is in none yet.

    :raises Busy: as ``WriteQueue.turn``.
    """
    driver: Any = connection.connection.driver_connection
    if driver.in_transaction:
        yield
        return
    queue: WriteQueue = connection.get_execution_options()["jay_queue"]
    with queue.turn(connection):
        begin_on_sqlite(connection)
        try:
            yield
            execute(connection, "COMMIT")
        except BaseException:
            driver.rollback()
            raise
