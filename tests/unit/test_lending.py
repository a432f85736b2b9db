"""Connections between two pieces of work."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jay.db import prepared
from jay.db.lending import Lender
from tests.clock import PATIENCE_SECONDS


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(
        f"sqlite:///{tmp_path / 'some.sqlite3'}", connect_args={"check_same_thread": False}
    )
    yield made
    made.dispose()


@pytest.fixture
def lender(engine: Engine) -> Iterator[Lender]:
    made = Lender(engine, most=2, patience=0, keep=2)
    yield made
    made.give_up()


def driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def used(lender: Lender, engine: Engine, *, good: bool = True) -> Any:
    """Use a connection by the driver, give it back, and return what is behind it."""
    connection = lender.lend(engine)
    prepared.execute(connection, "SELECT 1")
    behind = driver(connection)
    lender.take_back(connection, good=good)
    return behind


def test_a_connection_that_was_used_waits_for_the_next_piece_of_work(
    lender: Lender, engine: Engine
) -> None:
    first = used(lender, engine)

    assert used(lender, engine) is first
    assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]


def test_what_sqlalchemy_has_begun_it_ends_itself(lender: Lender, engine: Engine) -> None:
    connection = lender.lend(engine)
    connection.execute(text("SELECT 1"))
    lender.take_back(connection, good=True)

    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]


def test_after_an_error_a_connection_goes_to_the_pool(lender: Lender, engine: Engine) -> None:
    used(lender, engine, good=False)

    assert engine.pool.checkedin() == 1  # type: ignore[attr-defined]


def test_one_that_is_broken_is_not_lent_again(lender: Lender, engine: Engine) -> None:
    connection = lender.lend(engine)
    broken = driver(connection)
    connection.invalidate()
    lender.take_back(connection, good=True)

    assert used(lender, engine) is not broken


def test_none_that_was_given_up_is_lent_again(lender: Lender, engine: Engine) -> None:
    waiting, in_use = lender.lend(engine), lender.lend(engine)
    old = {driver(waiting), driver(in_use)}
    lender.take_back(waiting, good=True)

    lender.give_up()
    lender.take_back(in_use, good=True)

    now = [lender.lend(engine) for _ in range(2)]
    assert not old & {driver(one) for one in now}
    for one in now:
        lender.take_back(one, good=True)


def test_what_is_given_up_while_it_is_in_use_is_closed_and_no_more_counted(
    lender: Lender, engine: Engine
) -> None:
    in_use = [lender.lend(engine) for _ in range(2)]
    drivers = [driver(one) for one in in_use]
    in_use[0].execute(text("SELECT 1"))

    lender.give_up()
    for one in in_use:
        lender.take_back(one, good=True)

    assert not any(map(is_open, drivers))
    # Else each that comes after would be one too many, and closed after each piece of work.
    assert used(lender, engine) is used(lender, engine)
    assert {used(lender, engine) for _ in range(3)} == {used(lender, engine)}


def test_there_are_no_more_than_may_be(lender: Lender, engine: Engine) -> None:
    lent = [lender.lend(engine) for _ in range(2)]

    with pytest.raises(PoolTimeoutError):
        lender.lend(engine)
    for one in lent:
        lender.take_back(one, good=True)

    used(lender, engine)


def test_who_waits_gets_what_is_given_back(engine: Engine) -> None:
    lender = Lender(engine, most=1, patience=PATIENCE_SECONDS, keep=1)
    only = lender.lend(engine)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lender.lend, engine)
        behind = driver(only)
        lender.take_back(only, good=True)

        assert driver(waiting.result(PATIENCE_SECONDS)) is behind


def test_a_place_is_free_again_where_nothing_can_be_reached(tmp_path: Path) -> None:
    nowhere = create_engine(f"sqlite:///{tmp_path / 'no-such-folder' / 'some.sqlite3'}")
    lender = Lender(nowhere, most=1, patience=0, keep=1)

    for _ in range(2):
        with pytest.raises(Exception, match="unable to open"):
            lender.lend(nowhere)


@pytest.mark.parametrize("begun", [0, 1, 5])
def test_after_a_rush_no_more_are_kept_than_shall_be(tmp_path: Path, begun: int) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'some.sqlite3'}", pool_size=2, max_overflow=-1)
    lender = Lender(engine, most=5, patience=0, keep=2)
    lent = [lender.lend(engine) for _ in range(5)]
    drivers = [driver(one) for one in lent]
    for one in lent[:begun]:
        one.execute(text("SELECT 1"))  # these go to the pool

    for one in lent:
        lender.take_back(one, good=True)

    assert sum(map(is_open, drivers)) == 2
    assert {used(lender, engine) for _ in range(9)} <= set(drivers)
    lender.give_up()
    assert sum(map(is_open, drivers)) == 0


def is_open(behind: sqlite3.Connection) -> bool:
    try:
        behind.cursor()
    except sqlite3.ProgrammingError:
        return False
    return True


def test_the_one_that_has_waited_longest_is_lent_next(lender: Lender, engine: Engine) -> None:
    first, second = lender.lend(engine), lender.lend(engine)
    behind = driver(first)
    for one in (first, second):
        lender.take_back(one, good=True)

    assert used(lender, engine) is behind
