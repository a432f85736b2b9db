"""SQLite's log is kept short, and what belongs together is written together."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jay.db import prepared, write_queue
from jay.db.database import Database
from jay.db.write_queue import atomic
from tests.clock import PATIENCE_SECONDS

PAGE = 4096
NOTES = 40
"""So many are written, each of which fills a page."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.sqlite3"


@pytest.fixture
def database(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(write_queue, "LONGEST_LOG", 10 * PAGE)
    monkeypatch.setattr(write_queue, "LOOK_EVERY", 1)
    monkeypatch.setattr(write_queue, "PUT_OFF_SECONDS", 0.0)
    made = Database(f"sqlite:///{file}")
    with made.transaction() as connection:
        connection.execute(text("CREATE TABLE notes (note TEXT NOT NULL)"))
    yield made
    made.dispose()


def write(database: Database, count: int = 1) -> None:
    for _ in range(count):
        with database.transaction() as connection:
            connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": "x" * PAGE})


def notes(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM notes")) or 0)


def log_of(file: Path) -> int:
    return Path(f"{file}-wal").stat().st_size


def test_the_log_begins_anew_once_it_is_long(file: Path, database: Database) -> None:
    write(database, NOTES)

    assert log_of(file) < 20 * PAGE
    assert notes(database) == NOTES


def test_whoever_still_reads_from_the_log_holds_up_no_writer(
    file: Path, database: Database
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        write(database)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM notes").fetchall() == [(1,)]
        write(database, NOTES)
        assert log_of(file) > NOTES * PAGE
        assert reader.execute("SELECT count(*) FROM notes").fetchall() == [(1,)]
        reader.execute("COMMIT")

        write(database)

    assert log_of(file) == 0
    assert notes(database) == NOTES + 2


def test_who_reads_for_long_makes_all_others_wait_once(
    file: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def execute(connection: Connection, sql: str) -> Any:
        tried.append(sql)
        return prepared.execute(connection, sql)

    monkeypatch.setattr(write_queue, "execute", execute)
    monkeypatch.setattr(write_queue, "PUT_OFF_SECONDS", PATIENCE_SECONDS)
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        write(database)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM notes").fetchall()
        write(database, NOTES)

    assert tried.count("PRAGMA wal_checkpoint(TRUNCATE)") == 1


def test_another_process_that_writes_puts_the_checkpoint_off(
    file: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten = write_queue.WriteQueue._shorten
    with closing(sqlite3.connect(file, isolation_level=None)) as other:

        def while_another_one_writes(queue: Any, log: Path, connection: Connection) -> None:
            other.execute("BEGIN IMMEDIATE")
            other.execute("INSERT INTO notes VALUES ('theirs')")
            shorten(queue, log, connection)
            other.execute("COMMIT")

        monkeypatch.setattr(write_queue.WriteQueue, "_shorten", while_another_one_writes)
        write(database, NOTES)
        assert log_of(file) > NOTES * PAGE
        monkeypatch.undo()
        monkeypatch.setattr(write_queue, "LOOK_EVERY", 1)
        monkeypatch.setattr(write_queue, "LONGEST_LOG", 10 * PAGE)
        monkeypatch.setattr(write_queue, "PUT_OFF_SECONDS", 0.0)

        write(database)

    assert log_of(file) == 0
    assert notes(database) == 2 * NOTES + 1


def test_who_writes_after_a_checkpoint_still_waits_as_before(database: Database) -> None:
    write(database, NOTES)

    with database.transaction() as connection:
        assert connection.scalar(text("PRAGMA busy_timeout")) == 0


def both(connection: Connection, second: str | None) -> None:
    with atomic(connection):
        connection.execute(text("INSERT INTO notes VALUES ('first')"))
        connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": second})


@pytest.mark.parametrize("in_transaction", [True, False])
def test_what_is_atomic_is_written_whole_or_not_at_all(
    database: Database, in_transaction: bool
) -> None:
    def attempt(note: str | None) -> None:
        if in_transaction:
            with database.transaction() as connection:
                both(connection, note)
        else:
            work: Any = both
            work.optimistic = True
            database.write(work, note)

    with pytest.raises(Exception, match="NOT NULL"):
        attempt(None)
    assert notes(database) == 0

    attempt("second")

    assert notes(database) == 2
