"""Reads that bear to be some seconds old go to a standby, and to the primary where it is late."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection, insert

from jay import create_app, db
from jay.db.database import Database
from jay.db.readiness import readiness
from jay.db.standby import LATEST, LOOKED_SECONDS, beat
from jay.errors import Busy
from tests.clock import NOON, MovedClock
from tests.conftest import NewDatabase, settings


class Seconds:
    """A monotonic clock that stands still."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def urls(_new_sqlite: NewDatabase) -> tuple[str, str]:
    """Two databases, each of which knows what it is."""
    made = _new_sqlite(), _new_sqlite()
    for name, url in zip(("primary", "standby"), made, strict=True):
        database = Database(url)
        with database.transaction() as connection:
            connection.execute(insert(readiness).values(name=name, checked=NOON))
            beat(connection, now=NOON)
        database.dispose()
    return made


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@contextmanager
def app_on(primary: str, standby: str, folder: Path) -> Iterator[Flask]:
    """Make an app, and close both databases when the block ends."""
    made = create_app(settings(primary, folder, database_read_url=standby), clock=MovedClock())
    try:
        with made.app_context():
            yield made
    finally:
        for database in (made.extensions["jay.db"], made.extensions["jay.standby"].database):
            database.dispose()


@pytest.fixture
def app(urls: tuple[str, str], tmp_path: Path, seconds: Seconds) -> Iterator[Flask]:
    with app_on(*urls, tmp_path) as made:
        made.extensions["jay.standby"]._monotonic = seconds
        yield made


def name_in(connection: Connection) -> str:
    rows = connection.execute(readiness.select().where(readiness.c.name != "beat"))
    [row] = rows
    return str(row.name)


def asked(late: timedelta = timedelta()) -> str:
    """Return which database answers what bears to be old."""
    with db.reading_lately(now=NOON + late) as connection:
        return name_in(connection)


@pytest.mark.usefixtures("app")
def test_a_fresh_standby_is_asked_for_what_may_be_old_and_for_nothing_else() -> None:
    assert asked() == "standby"
    with db.reading() as connection:
        assert name_in(connection) == "primary"


@pytest.mark.usefixtures("app")
def test_one_that_is_late_is_not_asked(seconds: Seconds) -> None:
    assert asked(LATEST) == "standby"
    seconds.now += LOOKED_SECONDS
    assert asked(LATEST + timedelta(seconds=1)) == "primary"


def test_it_is_asked_again_once_it_has_caught_up(
    urls: tuple[str, str], app: Flask, seconds: Seconds
) -> None:
    late = timedelta(minutes=1)
    assert asked(late) == "primary"
    database = Database(urls[1])
    with database.transaction() as connection:
        beat(connection, now=NOON + late)
    database.dispose()

    assert asked(late) == "primary"  # it is looked at once a second
    seconds.now += LOOKED_SECONDS
    assert asked(late) == "standby"


def test_one_that_breaks_off_is_left_alone(app: Flask) -> None:
    assert asked() == "standby"

    with pytest.raises(Busy), db.reading_lately(now=NOON):
        raise Busy

    assert asked() == "primary"


def test_one_that_is_away_is_not_missed(tmp_path: Path, urls: tuple[str, str]) -> None:
    nobody = "postgresql+psycopg://jay@127.0.0.1:1/jay"

    with app_on(urls[0], nobody, tmp_path):
        assert asked() == "primary"


@pytest.mark.usefixtures("app")
def test_what_belongs_to_a_transaction_is_read_in_it() -> None:
    with db.joined():
        assert asked() == "primary"
