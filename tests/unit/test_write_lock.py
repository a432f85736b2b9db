"""SQLite's write lock, when another process has it."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from jay.db import sqlite, write_queue
from jay.db.database import Database
from jay.errors import Busy
from tests.clock import PATIENCE_SECONDS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (note TEXT)")
    connection.close()
    return path


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{file}")
    yield made
    made.dispose()


@pytest.fixture
def other(file: Path) -> Iterator[sqlite3.Connection]:
    """Another process, which is writing."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    yield connection
    connection.close()


def write(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO notes VALUES ('ours')"))


def test_a_writer_waits_until_the_other_one_is_done(
    database: Database, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    sleep = sqlite.time.sleep

    def asleep(seconds: float) -> None:
        asked.set()
        sleep(seconds)

    monkeypatch.setattr(sqlite.time, "sleep", asleep)
    waiting = threading.Thread(target=write, args=(database,))
    waiting.start()
    assert asked.wait(PATIENCE_SECONDS)
    other.execute("INSERT INTO notes VALUES ('theirs')")
    other.execute("COMMIT")
    waiting.join(PATIENCE_SECONDS)

    assert other.execute("SELECT note FROM notes").fetchall() == [("theirs",), ("ours",)]


def test_a_writer_that_waits_too_long_says_so_and_loses_nothing(
    database: Database, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_WAIT_SECONDS", 0)

    with pytest.raises(Busy):
        write(database)
    other.execute("COMMIT")
    write(database)

    assert other.execute("SELECT note FROM notes").fetchall() == [("ours",)]


def test_single_statements_still_wait_by_themselves(
    database: Database, other: sqlite3.Connection
) -> None:
    other.execute("COMMIT")
    write(database)

    with database.reading() as connection:
        waits = connection.execute(text("PRAGMA busy_timeout")).scalar_one()

    assert waits == sqlite.LOCK_WAIT_SECONDS * 1000


def test_of_many_writers_few_wait_while_nobody_gets_any_further(
    database: Database, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each stands in a thread of the service, and who reads needs one, too.
    monkeypatch.setattr(write_queue, "STUCK_SECONDS", 0.2)
    refused, done = threading.Semaphore(0), threading.Semaphore(0)

    def try_to_write() -> None:
        try:
            write(database)
        except Busy:
            refused.release()
        else:
            done.release()

    writers = [threading.Thread(target=try_to_write) for _ in range(10)]
    for writer in writers:
        writer.start()
    for _ in range(8):
        assert refused.acquire(timeout=PATIENCE_SECONDS)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM notes")).scalar_one() == 0
    assert not done.acquire(blocking=False)
    assert not refused.acquire(blocking=False)

    other.execute("COMMIT")
    for writer in writers:
        writer.join(PATIENCE_SECONDS)

    assert [done.acquire(blocking=False) for _ in range(3)] == [True, True, False]
