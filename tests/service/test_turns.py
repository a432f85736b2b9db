"""Turns of those who write to what is on every server."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from jay.db import turns
from jay.db.database import Database
from jay.db.routing import ROUTED_BY
from jay.db.types import metadata
from jay.errors import Busy


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database that is taken for several servers."""
    made = Database(database_url)
    monkeypatch.setattr(turns, "is_distributed", lambda _connection: True)
    yield made
    made.dispose()


def impatiently(connection: Connection) -> None:
    connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
    turns.take(connection)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_one_after_the_other(database: Database) -> None:
    with database.transaction() as connection:
        turns.take(connection)
        turns.take(connection)  # it is still the same one's
        with pytest.raises(Busy):
            database.write(impatiently)

    database.write(impatiently)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_turn_is_asked_for_of_what_is_on_every_server(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Citus numbers a transaction with its first such statement, and takes all without a number
    # for one: who waits between two of them would be given up as a part of a deadlock.
    asked: list[str] = []
    execute = turns.execute
    monkeypatch.setattr(
        turns, "execute", lambda connection, sql: asked.append(sql) or execute(connection, sql)
    )

    database.write(turns.take)

    (sql,) = asked
    everywhere = {name for name in metadata.tables if name not in ROUTED_BY}
    assert everywhere.intersection(sql.split())


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_on_one_server_nobody_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "is_distributed", lambda _connection: False)

    with database.transaction() as connection:
        turns.take(connection)
        database.write(impatiently)
