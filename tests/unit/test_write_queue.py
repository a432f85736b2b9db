"""SQLite's log is kept short, and what belongs together is written together."""

import errno
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jay.db import prepared, sqlite, write_queue
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
    monkeypatch.setattr(write_queue, "BEGIN_ANEW_SECONDS", 0.01)
    made = Database(f"sqlite:///{file}")
    with made.transaction() as connection:
        connection.execute(text("CREATE TABLE notes (note TEXT NOT NULL)"))
    yield made
    made.dispose()


def write(database: Database, count: int = 1, *, together: int = 1) -> None:
    for _ in range(count):
        with database.transaction() as connection:
            rows = [{"note": "x" * PAGE}] * together
            connection.execute(text("INSERT INTO notes VALUES (:note)"), rows)


def notes(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM notes")) or 0)


def log_of(file: Path) -> int:
    return Path(f"{file}-wal").stat().st_size


def test_the_log_begins_anew_once_it_is_long(file: Path, database: Database) -> None:
    write(database, NOTES)

    assert log_of(file) < 20 * PAGE
    assert notes(database) == NOTES


def begins_anew(file: Path, database: Database) -> bool:
    """Tell whether a transaction is written over what was in the log before."""
    before = log_of(file)
    write(database)
    return log_of(file) == before


def test_a_command_that_writes_once_and_much_leaves_no_long_log(
    file: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_queue, "LOOK_EVERY", 1000)
    database.dispose()
    command = Database(f"sqlite:///{file}")
    write(command, together=NOTES)

    assert begins_anew(file, command)
    command.dispose()


def test_after_a_large_transaction_it_is_looked_at_once(
    file: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(database)
    monkeypatch.setattr(write_queue, "LOOK_EVERY", 1000)
    monkeypatch.setattr(write_queue, "LARGE_SECONDS", PATIENCE_SECONDS)
    write(database, together=NOTES)
    assert not begins_anew(file, database)

    monkeypatch.setattr(write_queue, "LARGE_SECONDS", 0.0)
    write(database)

    assert begins_anew(file, database)


def test_the_log_of_a_file_that_a_link_leads_to_begins_anew(file: Path, database: Database) -> None:
    link = file.with_name("link")
    link.symlink_to(file)
    linked = Database(f"sqlite:///{link}")
    write(linked, NOTES)
    linked.dispose()

    assert log_of(file) < NOTES * PAGE


def test_a_log_that_can_not_be_looked_at_undoes_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file_is_left(*_args: Any, **_more: Any) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", no_file_is_left)
        write(database)

    assert notes(database) == 1


def test_no_commit_writes_the_log_back(database: Database) -> None:
    with database.transaction() as connection:
        pages = connection.scalar(text("PRAGMA wal_autocheckpoint"))

    assert pages * PAGE > 4 * 32 * 2**20  # which is when it is begun anew


def test_whoever_still_reads_from_the_log_holds_up_no_writer(
    file: Path, database: Database
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        write(database)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM notes").fetchall() == [(1,)]
        write(database, NOTES)
        assert log_of(file) > NOTES * PAGE
        assert not begins_anew(file, database)
        assert reader.execute("SELECT count(*) FROM notes").fetchall() == [(1,)]
        reader.execute("COMMIT")

        write(database)

        assert begins_anew(file, database)
    assert notes(database) == NOTES + 4


def test_what_the_log_took_meanwhile_is_given_back_to_the_disk(
    file: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LARGEST_LOG_FILE", 20 * PAGE)
    database.dispose()
    database = Database(f"sqlite:///{file}")
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM notes").fetchall()
        write(database, NOTES)
        assert log_of(file) > NOTES * PAGE
        reader.execute("COMMIT")

        write(database, 2)

        assert log_of(file) == 20 * PAGE
    database.dispose()


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

    assert tried.count("PRAGMA wal_checkpoint(PASSIVE)") == 1


def test_while_another_process_writes_the_log_back_it_is_left_to_it(
    file: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_queue, "PUT_OFF_SECONDS", PATIENCE_SECONDS)
    write(database)
    with locked(f"{file}-shm", CHECKPOINT_LOCK):
        write(database, NOTES)
        assert log_of(file) > NOTES * PAGE

    write(database)

    assert begins_anew(file, database)


CHECKPOINT_LOCK = 121
"""The byte that SQLite locks for it, see https://sqlite.org/walformat.html#wal_locks."""

LOCK = """
import fcntl, sys
with open(sys.argv[1], "rb+") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, 1, int(sys.argv[2]))
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def locked(file: str, byte: int) -> Iterator[None]:
    """Let another process have a lock, which it loses as it is killed."""
    command = [sys.executable, "-c", LOCK, file, str(byte)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            other.kill()


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

        with monkeypatch.context() as patched:
            patched.setattr(write_queue.WriteQueue, "_shorten", while_another_one_writes)
            write(database, NOTES)
        assert log_of(file) > NOTES * PAGE

        write(database)

        assert begins_anew(file, database)
    assert notes(database) == 2 * NOTES + 2


WRITER = """
import sys
from sqlalchemy import text
from jay.db import sqlite, write_queue
from jay.db.database import Database
sqlite.LOCK_WAIT_SECONDS = write_queue.LOCK_WAIT_SECONDS = write_queue.STUCK_SECONDS = 60
write_queue.LONGEST_LOG, write_queue.LOOK_EVERY = 10 * 4096, 1
write_queue.PUT_OFF_SECONDS = 0.0
database = Database(f"sqlite:///{sys.argv[1]}")
for _ in range(int(sys.argv[2])):
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": "x" * 4096})
"""


def test_the_log_of_processes_that_write_at_the_same_time_begins_anew(
    file: Path, database: Database
) -> None:
    command = [sys.executable, "-c", WRITER, str(file), str(3 * NOTES)]
    with ExitStack() as running:
        others = [running.enter_context(subprocess.Popen(command)) for _ in range(2)]
        for other in others:
            running.callback(other.kill)

        assert [other.wait(PATIENCE_SECONDS) for other in others] == [0, 0]

    assert notes(database) == 6 * NOTES
    assert times_begun(file) > 1


def times_begun(file: Path) -> int:
    """Return how often a log has begun, as its header says."""
    return 1 + int.from_bytes(Path(f"{file}-wal").read_bytes()[12:16])


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
