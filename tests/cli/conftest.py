"""Commands as an operator types them, and databases that are still empty."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jay import db
from jay.products.models import products
from tests import statements
from tests.builders import add_shop
from tests.clock import MovedClock
from tests.conftest import Apps, Copies

Run = Callable[..., Result]
DATA = Path(__file__).parents[1] / "data" / "feed"


def runner_of(app: Flask) -> Run:
    """Return a function that types a command: ``run("key", "issue", "--partner", "kino")``."""

    def run(*words: str) -> Result:
        with statements.working():
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
def empty_database_url(request: pytest.FixtureRequest, copies: Copies, apps: Apps) -> Iterator[str]:
    """Make a database without any table."""
    url = copies.of(None, request.param, "jay_empty")
    yield url
    apps.close(url)


@pytest.fixture
def empty_app(empty_database_url: str, apps: Apps) -> Flask:
    """An app on a database without any table."""
    return apps.on(empty_database_url, demo=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, apps: Apps) -> Iterator[str]:
    """Make a migrated database that nobody has used yet."""
    url = request.getfixturevalue(f"_new_{request.param}")("jay_new")
    yield url
    apps.close(url)


@pytest.fixture
def new_app(new_database_url: str, apps: Apps) -> Flask:
    """An app on a migrated database that nobody has used yet."""
    return apps.on(new_database_url, demo=True)


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, object], str]:
    """Write a file, as JSON unless it is bytes, and return its path."""

    def write(name: str, content: object) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return str(path)

    return write


class Imported(NamedTuple):
    """What has become of a file: the rows by SKU, the reasons of what was refused, the answer."""

    rows: dict[str, Any]
    refused: dict[str, str]
    notes: dict[str, str]
    result: Result


@pytest.fixture
def imported(
    app: Flask, client: FlaskClient, run: Run, tmp_path: Path, clock: MovedClock
) -> Callable[..., Imported]:
    """Import a file of the data, as the command does, each a second after the one before."""
    add_shop(app, client)

    def put(name: str, *options: str) -> Imported:
        clock.move(1)
        path = tmp_path / name
        shutil.copy(DATA / name, path)
        result = run("products", "import", "mugshop", str(path), *options)
        with app.app_context(), db.reading() as connection:
            rows = {row.sku: row for row in connection.execute(select(products))}
        return Imported(rows, _report(path, "refused"), _report(path, "notes"), result)

    return put


def _report(path: Path, kind: str) -> dict[str, str]:
    report = path.with_name(f"{path.name}.{kind}.csv")
    if not report.exists():
        return {}
    with report.open(newline="", encoding="utf-8-sig") as file:
        return {sku or line: reason for line, sku, reason in list(csv.reader(file))[1:]}
