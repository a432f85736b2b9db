"""A PostgreSQL that has stopped to answer, for real: its processes are stopped by a signal."""

import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from psycopg import waiting
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from jay.db import postgresql
from jay.db.causes import cause_of
from jay.db.database import Database, optimistic
from jay.db.prepared import execute
from jay.errors import Busy, OutcomeUnknown
from jay.net import names
from tests.clock import PATIENCE_SECONDS, wait_until
from tests.conftest import new_postgres_database
from tests.servers import stopped

Work = Callable[[Connection], None]


@pytest.fixture(scope="module")
def url(postgres: str) -> str:
    return new_postgres_database(postgres, "jay_hangs")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    yield made
    made.dispose()


def server_process(connection: Connection) -> int:
    """Return which process answers this connection; it is a child of the tests' own cluster."""
    return int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_an_answer_that_does_not_come_is_an_outage_and_the_next_connection_is_a_new_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.reading() as connection:
        process = server_process(connection)
    monkeypatch.setattr(postgresql, "HANG_SECONDS", 0.2)

    with stopped(process):
        with pytest.raises(Busy), database.reading() as connection:
            connection.execute(text("SELECT 1"))
        monkeypatch.undo()
        with database.reading() as connection:
            assert server_process(connection) != process


@pytest.fixture
def notes(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS notes (note text)"))
        connection.execute(text("DELETE FROM notes"))
        connection.execute(text("INSERT INTO notes VALUES ('')"))


def change(connection: Connection) -> None:
    execute(connection, "UPDATE notes SET note = 'changed'")


def look(connection: Connection) -> None:
    execute(connection, "SELECT note FROM notes")


def nothing(_connection: Connection) -> None:
    pass


@pytest.mark.parametrize(
    ("before", "after", "transaction", "error"),
    [
        # The commit is not answered, or the statement that is one by itself.
        (change, nothing, True, OutcomeUnknown),
        (nothing, change, False, OutcomeUnknown),
        # What is not committed is undone, and who only looks changes nothing.
        (nothing, change, True, Busy),
        (nothing, look, False, Busy),
    ],
)
def test_it_is_told_whether_a_change_may_have_been_made(
    *,
    database: Database,
    notes: None,
    monkeypatch: pytest.MonkeyPatch,
    before: Work,
    after: Work,
    transaction: bool,
    error: type[Busy],
) -> None:
    processes = []

    def work(connection: Connection) -> None:
        before(connection)
        processes.append(server_process(connection))
        os.kill(processes[0], signal.SIGSTOP)
        monkeypatch.setattr(postgresql, "HANG_SECONDS", 0.2)
        after(connection)

    try:
        with pytest.raises(Busy) as raised:
            database.write(work if transaction else optimistic(work))
    finally:
        os.kill(processes[0], signal.SIGCONT)

    assert raised.type is error


def test_a_server_that_takes_no_connections_is_an_outage(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sys.modules["jay.db.database"], "LOCK_WAIT_SECONDS", 2
    )  # libpq knows no less
    database = Database(url)
    with database.reading() as connection:
        server = parent_of(server_process(connection))
    database.dispose()

    with stopped(server), pytest.raises(Busy), database.reading() as connection:
        connection.execute(text("SELECT 1"))

    def answers() -> bool:
        with suppress(Busy), database.reading() as connection:
            return connection.scalar(text("SELECT 1")) == 1
        return False

    wait_until(answers)  # within the two seconds, once it has come to itself
    database.dispose()


def test_where_there_is_no_file_for_a_connection_it_is_an_outage(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_file() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    database = Database(url)
    with monkeypatch.context() as patch:
        patch.setattr(waiting, "DefaultSelector", no_file)
        with pytest.raises(Busy) as told, database.reading():
            pass
    assert "Too many open files" in (cause_of(told.value.__cause__) or "")

    with database.reading() as connection:
        assert execute(connection, "SELECT 1").fetchone() == (1,)
    database.dispose()


def test_while_one_tries_a_server_that_hangs_the_others_are_told_at_once_until_it_answers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.reading() as connection:
        process = server_process(connection)
    server = parent_of(process)
    monkeypatch.setattr(postgresql, "HANG_SECONDS", 0.2)
    with stopped(process), pytest.raises(Busy), database.reading() as connection:
        connection.execute(text("SELECT 1"))
    monkeypatch.undo()
    entered, asked, done = threading.Event(), threading.Event(), threading.Event()
    enter, answers = database.breaker.enter, list[int | None]()

    def enter_and_tell() -> bool:
        tries = enter()
        if tries:
            entered.set()
        return tries

    def try_it() -> None:
        with database.transaction():
            asked.set()
            assert done.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(database.breaker, "enter", enter_and_tell)
    trying = threading.Thread(target=try_it)
    with stopped(server):
        trying.start()
        assert entered.wait(PATIENCE_SECONDS)
        for door in (database.reading, database.transaction):
            with pytest.raises(Busy), door():
                pass

    assert asked.wait(PATIENCE_SECONDS)
    for door in (database.reading, database.transaction):  # though the first has not ended
        with door() as connection:
            answers.append(connection.scalar(text("SELECT 1")))
    done.set()
    trying.join(PATIENCE_SECONDS)
    assert answers == [1, 1]


class Resolver:
    """Knows one name, or hangs."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.release = addresses, threading.Event()

    def __call__(self, host: str, port: int | None, **_more: Any) -> list[tuple[Any, ...]]:
        if not self.addresses:
            self.release.wait(PATIENCE_SECONDS)
        return [(socket.AF_INET, 1, 6, "", (address, 0)) for address in self.addresses]


def by_name(url: str, monkeypatch: pytest.MonkeyPatch, resolver: Resolver) -> Database:
    look_up = names.look_up
    monkeypatch.setattr(names, "look_up", lambda host, port: look_up(host, port, resolver))
    named = make_url(url).set(host="database.example")
    return Database(named.render_as_string(hide_password=False))


def test_a_host_with_a_name_is_looked_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    database = by_name(url, monkeypatch, Resolver("127.0.0.2", "127.0.0.1"))

    with database.reading() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    database.dispose()


def test_a_look_up_that_hangs_is_an_outage(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "RESOLVE_SECONDS", 0.01)
    resolver = Resolver()
    database = by_name(url, monkeypatch, resolver)

    with pytest.raises(Busy), database.reading():
        pass

    resolver.release.set()


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"host": "a.example", "port": "5"}, {"host": "a.example,a.example", "port": "5,5"}),
        ({"host": "a.example"}, {"host": "a.example,a.example"}),
        ({"host": "127.0.0.9,a.example", "port": "1,2"},
         {"host": "127.0.0.9,a.example,a.example", "port": "1,2,2",
          "hostaddr": "127.0.0.9,127.0.0.1,::1"}),
        ({"host": "127.0.0.1"}, {}),
        ({"host": "::1"}, {}),
        ({"host": "/run/postgresql"}, {}),
        ({"host": "/run/postgresql,a.example"}, {}),
        ({"host": "a.example", "hostaddr": "127.0.0.1"}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_names_become_addresses_and_all_else_is_left_alone(
    options: dict[str, str], given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "look_up", lambda *_: Resolver("127.0.0.1", "::1")("", None))

    expected = {"hostaddr": "127.0.0.1,::1", **given} if given else {}
    assert postgresql._addresses(options) == expected
