"""Rows that are added once, and an unfinished checkout that is found by its index."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jay.auth.models import User
from jay.baskets import service as baskets
from jay.checkout.models import checkout_sessions
from jay.checkout.sandbox.models import sandbox_intents
from jay.checkout.sessions import active_of
from jay.db import prepared
from jay.db.database import Database
from jay.db.prepared import Prepared
from jay.db.upsert import AddedOnce
from tests.clock import NOON

ADDED = {
    "id": "one",
    "reference": "first",
    "status": "open",
    "amount": 100,
    "currency": "EUR",
    "lang": "de",
    "return_url": "https://shop.example",
    "created": NOON,
}


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    made = Database(new_database_url)
    yield made
    made.dispose()


def test_a_row_is_added_once_and_returned_as_it_is_stored(database: Database) -> None:
    added = AddedOnce(sandbox_intents, tuple(ADDED))
    with database.transaction() as connection:
        stored = added.add(connection, ADDED)
        assert (stored.reference, stored.created, stored.captured) == ("first", NOON, 0)
        assert added.add(connection, {**ADDED, "amount": 200}) is None
        assert connection.execute(text("SELECT amount FROM sandbox_intents")).scalar_one() == 100


def test_columns_are_set_to_the_parameters_of_their_names(database: Database) -> None:
    added = AddedOnce(sandbox_intents, tuple(ADDED))
    changed = Prepared(sandbox_intents.update(), columns=("amount", "failure"))
    with database.transaction() as connection:
        added.add(connection, ADDED)
        assert changed.rowcount(connection, {"amount": 7, "failure": "declined"}) == 1
        found = connection.execute(text("SELECT amount, failure, status FROM sandbox_intents"))
        assert tuple(found.one()) == (7, "declined", "open")


def test_an_unfinished_checkout_is_found_by_its_index(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, Any]] = []
    execute = prepared.execute

    def kept(connection: Connection, sql: str, parameters: Any = (), **more: Any) -> Any:
        sent.append((sql, parameters))
        return execute(connection, sql, parameters, **more)

    nobody = User(1, "nobody", guest=True, basket=None, expires=0)
    with database.reading() as connection:
        basket = baskets.read(connection, nobody, now=NOON)
        monkeypatch.setattr(prepared, "execute", kept)
        assert active_of(connection, basket) is None
        sql, parameters = sent.pop()
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = execute(connection, f"{explain} {sql}", parameters).fetchall()
    assert checkout_sessions.name in sql
    assert "uq_checkout_sessions_active" in str(plan)
