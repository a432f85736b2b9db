"""The three doors to the database, on both kinds."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.adapt import PyFormat
from psycopg.pq import Format
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError

from jay.db import postgresql
from jay.db.database import Conflict, Database, locks, optimistic
from jay.db.lending import Lender
from jay.db.prepared import execute
from jay.db.sqlite import READERS_CACHE_KIB
from jay.errors import Busy
from tests.clock import PATIENCE_SECONDS


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    found = Database(new_database_url)
    with found.transaction() as connection:
        connection.execute(text("CREATE TABLE notes (id integer PRIMARY KEY, note text)"))
        connection.execute(text("INSERT INTO notes VALUES (1, ''), (2, '')"))
    yield found
    found.dispose()


def set_note(connection: Connection, note: str, *, number: int = 1) -> str:
    connection.execute(
        text("UPDATE notes SET note = :note WHERE id = :id"), {"note": note, "id": number}
    )
    return note


def notes(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.scalars(text("SELECT note FROM notes ORDER BY id")))


Run = Callable[[Connection, str], Any]


def through_sqlalchemy(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))


def through_the_driver(connection: Connection, statement: str) -> None:
    execute(connection, statement)


@pytest.mark.parametrize(
    "statement",
    ["INSERT INTO notes VALUES (3, '')", "UPDATE notes SET note = 'x'", "DELETE FROM notes"],
)
@pytest.mark.parametrize("run", [through_sqlalchemy, through_the_driver])
def test_nothing_is_written_through_the_door_that_reads(
    database: Database, statement: str, run: Run
) -> None:
    # A fault of ours, and no outage: it is not answered with 503.
    with pytest.raises((DBAPIError, sqlite3.Error, psycopg.Error)), database.reading() as reader:
        run(reader, statement)

    assert notes(database) == ["", ""]


def test_who_reads_from_sqlite_keeps_few_pages_and_who_writes_those_of_a_transaction(
    tmp_path: Path,
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'jay.sqlite3'}")
    size = "PRAGMA cache_size"  # below 0 in KiB

    with database.transaction() as writer, database.reading() as reader:
        sizes = [one.exec_driver_sql(size).scalar_one() for one in (reader, writer)]

    database.dispose()
    assert sizes == [-READERS_CACHE_KIB, -2000]


def test_write_hands_on_the_arguments_and_what_the_work_returns(database: Database) -> None:
    assert database.write(set_note, "two", number=2) == "two"

    assert notes(database) == ["", "two"]


def test_write_undoes_a_try_that_met_a_conflict_and_tries_again(database: Database) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        set_note(connection, f"try {len(tries)}", number=len(tries))
        if len(tries) == 1:
            raise Conflict

    database.write(work)

    assert notes(database) == ["", "try 2"]


def test_write_gives_up_when_the_conflicts_do_not_end(database: Database) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        set_note(connection, "never")
        raise Conflict

    with pytest.raises(Busy):
        database.write(work)

    assert (len(tries), notes(database)) == (5, ["", ""])


def test_an_optimistic_work_runs_under_locks_after_a_conflict(database: Database) -> None:
    locked: list[bool] = []

    @optimistic
    def work(connection: Connection) -> None:
        locked.append(locks(connection))
        if len(locked) == 1:
            raise Conflict
        set_note(connection, "done")

    database.write(work)

    assert locked == [False, True]
    assert notes(database) == ["done", ""]


def cross(database: Database) -> dict[str, Any]:
    """Let two threads lock two rows the other way round."""
    met, done = threading.Barrier(2), threading.Event()
    tries: dict[str, int] = {"a": 0, "b": 0}
    failures: list[BaseException] = []

    def work(connection: Connection, name: str, first: int, second: int) -> None:
        tries[name] += 1
        # The other one may be slow on a busy machine.
        for limit in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {limit} = '{PATIENCE_SECONDS}s'"))
        if tries[name] > 1:
            # Else it may have its first row again before the one that waits for that has woken up,
            # and so they would meet once more.
            done.wait(PATIENCE_SECONDS)
        set_note(connection, name, number=first)
        if tries[name] == 1:
            met.wait(PATIENCE_SECONDS)  # both have their first row
        set_note(connection, name, number=second)

    def run(*arguments: Any) -> None:
        try:
            database.write(work, *arguments)
            done.set()
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [
        threading.Thread(target=run, args=arguments) for arguments in (("a", 1, 2), ("b", 2, 1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    return {"tries": sum(tries.values()), "failures": failures}


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_who_loses_a_deadlock_is_tried_once_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "HANG_SECONDS", PATIENCE_SECONDS)

    seen = cross(database)

    assert seen == {"tries": 3, "failures": []}
    assert len(set(notes(database))) == 1


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_second_deadlock_is_told_as_busy(database: Database) -> None:
    tries: list[int] = []

    def work(connection: Connection) -> None:
        tries.append(1)
        connection.execute(
            text("DO $$ BEGIN RAISE EXCEPTION 'as if' USING ERRCODE = 'deadlock_detected'; END $$")
        )

    with pytest.raises(Busy):
        database.write(work)

    assert len(tries) == 2


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("run", [through_sqlalchemy, through_the_driver])
def test_a_connection_to_a_server_that_was_demoted_goes(database: Database, run: Run) -> None:
    with database.transaction() as connection:
        before = connection.scalar(text("SELECT pg_backend_pid()"))
        # As on a standby, for as long as this connection lives.
        connection.execute(text("SET SESSION default_transaction_read_only = on"))

    with pytest.raises(Busy), database.transaction() as connection:
        run(connection, "UPDATE notes SET note = 'lost'")
    database.write(set_note, "kept")

    assert notes(database) == ["kept", ""]
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) != before


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_readers_notice_with_the_writers_that_a_server_has_gone(database: Database) -> None:
    with database.reading() as connection:
        before = connection.scalar(text("SELECT pg_backend_pid()"))
    with database.transaction() as connection:
        connection.execute(text("SET SESSION default_transaction_read_only = on"))

    with pytest.raises(Busy):
        database.write(set_note, "lost")

    with database.reading() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) != before


def test_what_the_driver_or_the_options_know_of_does_not_wait_for_the_next_one(
    new_database_url: str,
) -> None:
    engine = create_engine(new_database_url, isolation_level="AUTOCOMMIT")
    lender = Lender(engine, most=1, patience=0, keep=2)

    connection = lender.lend(engine)
    execute(connection, "BEGIN")
    lender.take_back(connection, good=True)
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]

    connection = lender.lend(engine)
    execute(connection, "BEGIN")  # the pool has ended the other one
    execute(connection, "COMMIT")
    connection.execution_options(jay_transaction=True)
    lender.take_back(connection, good=True)
    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]

    connection = lender.lend(engine)
    assert "jay_transaction" not in connection.get_execution_options()
    lender.take_back(connection, good=True)
    assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    lender.give_up()
    engine.dispose()


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_single_statements_read_and_write_json_as_all_others(database: Database) -> None:
    with database.reading() as connection:
        driver: Any = connection.connection.driver_connection
        assert driver.single is not None
        kinds = [
            [
                one.adapters.get_loader(psycopg.postgres.types["jsonb"].oid, Format.TEXT),
                one.adapters.get_dumper(Jsonb, PyFormat.AUTO),
            ]
            for one in (driver.single, driver.cursor())
        ]
    assert kinds[0] == kinds[1]
