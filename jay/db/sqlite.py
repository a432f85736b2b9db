"""What SQLite needs: its settings, and its write lock asked for in short steps."""

import os
import sqlite3
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection

from jay.db.prepared import execute

LOCK_WAIT_SECONDS = 5
"""How long a writer waits for another one before the request is answered with 503."""

SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.0002, 0.002
"""How long a process waits before it asks again for SQLite's write lock; longer each time."""

LARGEST_LOG_FILE = 256 * 2**20
"""Bytes that the file of the log keeps on the disk once it begins anew. It is cut off only after
who reads for long, as a backup does, or a large import: nobody writes while that takes its time."""

READERS_CACHE_KIB = 512
"""Of pages, in each connection that reads. SQLite's default of 2 MB is no quicker: a connection
forgets them all once another one has written, and the system has them in memory, too. Who writes
keeps the default: what does not fit is written twice in a large transaction."""


def in_memory(file: str | None) -> bool:
    """Tell whether a database, by the name that a URL has for it, is no file of its own."""
    return not file or file.startswith((":", "file:"))


def keep_private(_dialect: Any, _record: Any, arguments: Any, _options: Any) -> None:
    """Make a new database its owner's alone; SQLite gives the files beside it the same mode."""
    if in_memory(arguments[0]):
        return
    with suppress(OSError):  # it is there already, or SQLite itself says why it can't be
        os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL, 0o600))


def set_up_readers(connection: Any, _record: Any) -> None:
    """Let a connection read, and never write."""
    _set_up(connection)
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA cache_size = -{READERS_CACHE_KIB}")


def set_up_writers(connection: Any, _record: Any) -> None:
    """Let a connection wait for the write lock as ``begin_on_sqlite`` does, and never by itself."""
    _set_up(connection)
    connection.execute("PRAGMA busy_timeout = 0")


def _set_up(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # NORMAL in WAL mode survives a killed process; only a power cut may lose the last commits.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    # Who writes sees to it that the log begins anew, see WriteQueue, and no commit waits for that.
    # It does not find that of a database which is named by a URI: pages of 4 KiB.
    cursor.execute(f"PRAGMA wal_autocheckpoint = {LARGEST_LOG_FILE // 4096}")
    cursor.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG_FILE}")
    cursor.close()


def begin_on_sqlite(connection: Connection) -> None:
    """Take the write lock at once: upgrading a read lock later fails instead of waiting.

    SQLite itself waits longer each time, up to 100 ms, only to find that the process which never
    waited was quicker again: two processes together wrote less than one alone.
    """
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    pause = SHORTEST_PAUSE_SECONDS
    while not _take_write_lock(connection, last=time.monotonic() >= deadline):
        time.sleep(pause)
        pause = min(pause * 1.2, LONGEST_PAUSE_SECONDS)


def _take_write_lock(connection: Connection, *, last: bool) -> bool:
    try:
        execute(connection, "BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        # The lower byte is the kind; what is above it says why.
        if last or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True
