"""Moments that were stored while a clock was ahead count as now once it is right."""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import JSON, Boolean, Connection, Integer, Table, create_engine, insert, select

from jay.checkout.models import LIFETIME
from jay.db import turns
from jay.db.routing import ROUTED_BY
from jay.db.types import UtcDateTime, metadata
from jay.ops.clocks import AHEAD, CLOCKS_DIFFER, LONGEST_DUE, Ahead, Watch, set_right
from jay.orders.handover import WAITS
from jay.outbox.models import LONGEST_WAIT
from jay.products.models import microseconds
from tests.clock import NOON

WRONG = NOON + timedelta(hours=6)
STATES = {"outbox": "waiting", "checkout_sessions": "open", "movements": "reserved"}
EMPTY = {"done", "ended", "finished", "position", "begun", "unused", "opened", "cancelled"}
NAMES = [each.table.name for each in AHEAD]


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A database without rows, where nothing need be there that another row names."""
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(":memory:"))
    metadata.create_all(engine, [each.table for each in AHEAD])
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def written(table: Table, at: datetime, later: timedelta = timedelta()) -> dict[str, Any]:
    """Return a row as a process writes it whose clock says so.

    :param later: how much later what is still to come is.
    """
    row: dict[str, Any] = {}
    for column in table.columns:
        if column.name in EMPTY:
            continue
        if isinstance(column.type, UtcDateTime):
            past = column.name in {"created", "since", "received", "tried"}
            row[column.name] = at if past else at + later
        elif column.name == "sold_at":
            row[column.name] = microseconds(at)
        elif isinstance(column.type, Boolean):
            row[column.name] = False
        elif isinstance(column.type, JSON):
            row[column.name] = []
        else:
            row[column.name] = 1 if isinstance(column.type, Integer) else "x"
    return row | ({"state": STATES[table.name]} if table.name in STATES else {})


def stored(connection: Connection, ahead: Ahead) -> Any:
    return connection.execute(select(ahead.table)).one()


@pytest.mark.parametrize("ahead", AHEAD, ids=NAMES)
def test_what_a_clock_that_was_ahead_has_written_counts_as_now(
    connection: Connection, ahead: Ahead
) -> None:
    connection.execute(insert(ahead.table).values(written(ahead.table, WRONG)))

    count = set_right(connection, ahead, now=NOON)

    row = stored(connection, ahead)
    told = {"created", "succeeded"} - ahead.right(NOON).keys()  # nobody waits for these
    waited_for = {name: value for name, value in row._mapping.items() if name not in told}
    moments = [value for value in waited_for.values() if isinstance(value, datetime)]
    assert (count, all(moment <= NOON + LIFETIME for moment in moments)) == (1, True)
    assert getattr(row, "due", NOON) == NOON
    assert "lease" not in ahead.right(NOON) or row.lease is None
    assert set_right(connection, ahead, now=NOON) == 0


@pytest.mark.parametrize("ahead", AHEAD, ids=NAMES)
def test_what_is_right_stays(connection: Connection, ahead: Ahead) -> None:
    """Also what another machine has written, whose clock is a little ahead."""
    row = written(ahead.table, NOON + CLOCKS_DIFFER, timedelta(seconds=30))
    connection.execute(insert(ahead.table).values(row))
    before = stored(connection, ahead)

    assert set_right(connection, ahead, now=NOON) == 0
    assert stored(connection, ahead) == before


@pytest.mark.parametrize("ahead", AHEAD, ids=NAMES)
def test_what_is_on_every_server_is_written_in_turn(
    connection: Connection, ahead: Ahead, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Connection] = []
    monkeypatch.setattr(turns, "take", taken.append)

    set_right(connection, ahead, now=NOON)

    assert bool(taken) is (ahead.table.name not in ROUTED_BY)


def test_no_message_waits_longer_than_is_taken_for_wrong() -> None:
    assert max(LONGEST_WAIT, *WAITS) <= LONGEST_DUE


def test_it_is_looked_at_first_now_and_then_and_when_a_clock_was_set_back() -> None:
    passed = 0.0
    watch = Watch(lambda: passed)

    def is_due(seconds: float, ahead: timedelta = timedelta()) -> bool:
        nonlocal passed
        passed += seconds
        return watch.is_due(now=NOON + timedelta(seconds=passed) + ahead)

    assert [is_due(1), is_due(1), is_due(1, timedelta(hours=6))] == [True, False, False]
    assert [is_due(1, timedelta(hours=6)), is_due(1), is_due(1)] == [False, True, False]
    assert [is_due(599), is_due(1)] == [True, False]
