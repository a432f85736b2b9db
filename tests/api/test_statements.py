"""What watches the statements of all these tests does notice what it is there for."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text, update

from jay import db
from jay.auth.models import User as Caller
from jay.baskets import service as baskets
from jay.baskets.models import baskets as table
from jay.transfers.models import transfers
from tests.clock import NOON
from tests.statements import LOCK_ORDER, Statements

ANYBODY = Caller(1, "alice", guest=False, basket=None, expires=0)


@pytest.fixture
def watched(app: Flask) -> Iterator[Statements]:
    found: Statements = app.extensions["tests.statements"]
    with app.app_context():
        yield found
    found.broken.clear()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_get_that_writes_is_noticed(app: Flask, watched: Statements, method: str) -> None:
    with app.test_request_context("/basket", method=method), db.transaction() as connection:
        connection.execute(update(table).values(version=2))

    (line,) = watched.broken
    assert line.startswith(f"{method} /basket writes: UPDATE baskets")


def test_a_post_may_write(app: Flask, watched: Statements) -> None:
    with app.test_request_context("/basket", method="POST"), db.transaction() as connection:
        connection.execute(update(table).values(version=2))

    assert watched.broken == []


def test_a_basket_that_is_locked_after_a_transfer_is_noticed(watched: Statements) -> None:
    with db.transaction() as connection:
        connection.execute(update(transfers).values(pair="fox"))
        baskets.open_for_writing(connection, ANYBODY, now=NOON)

    # SQLite locks no rows; there writing is what tells the order.
    expected = ["baskets is locked after transfers"]
    assert watched.broken == ([] if connection.dialect.name == "sqlite" else expected)


def test_a_basket_that_is_written_after_a_transfer_is_noticed(watched: Statements) -> None:
    with db.transaction() as connection:
        connection.execute(update(transfers).values(pair="fox"))
        connection.execute(update(table).values(version=2))

    assert watched.broken == ["baskets is locked after transfers"]


def test_each_transaction_begins_anew(watched: Statements) -> None:
    for changed in (transfers.update().values(pair="fox"), table.update().values(version=2)):
        with db.transaction() as connection:
            connection.execute(changed)

    assert watched.broken == []


def test_reading_locks_nothing(watched: Statements) -> None:
    with db.transaction() as connection:
        connection.execute(update(transfers).values(pair="fox"))
        connection.execute(text("SELECT count(*) FROM baskets"))

    assert watched.broken == []


def test_the_order_begins_with_the_basket() -> None:
    assert LOCK_ORDER[0] == "baskets"
    assert LOCK_ORDER.index("baskets") < LOCK_ORDER.index("transfers")
