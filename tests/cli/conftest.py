"""Commands as an operator types them, and databases that are still empty."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from jay import create_app
from tests.clock import MovedClock
from tests.conftest import Apps, new_postgres_database, settings

Run = Callable[..., Result]
_numbers = itertools.count()


def runner_of(app: Flask) -> Run:
    """Return a function that types a command: ``run("key", "issue", "--partner", "kino")``."""

    def run(*words: str) -> Result:
        result = app.test_cli_runner().invoke(args=list(words))
        # A command ends by itself or says what is wrong: a traceback is neither.
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    return run


@pytest.fixture
def run(app: Flask) -> Run:
    """Commands on the app of the test."""
    return runner_of(app)


@pytest.fixture
def demo_app(app: Flask, apps: Apps, database_url: str) -> Callable[..., Flask]:
    """Have an app in demo mode on the database of ``app``; the public URL can be chosen."""

    def have(**changes: Any) -> Flask:
        return apps.on(database_url, **{"demo": True, **changes})

    return have


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Make a database without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    return new_postgres_database(request.getfixturevalue("postgres"), f"jay_cli_{next(_numbers)}")


@pytest.fixture
def empty_app(empty_database_url: str, clock: MovedClock, tmp_path: Path) -> Iterator[Flask]:
    """An app on a database without any table."""
    made = create_app(settings(empty_database_url, tmp_path / "data", demo=True), clock=clock)
    yield made
    made.extensions["jay.db"].dispose()


@pytest.fixture
def new_app(new_database_url: str, clock: MovedClock, tmp_path: Path) -> Iterator[Flask]:
    """An app on a migrated database that nobody has used yet."""
    made = create_app(settings(new_database_url, tmp_path / "data", demo=True), clock=clock)
    yield made
    made.extensions["jay.db"].dispose()


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, object], str]:
    """Write a file, as JSON unless it is bytes, and return its path."""

    def write(name: str, content: object) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return write
