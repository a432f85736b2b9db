"""Fixtures that all tests share: databases of both kinds, and the app on top of one."""

from collections.abc import Iterator
from pathlib import Path

import alembic.command
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, delete, text

from jay import create_app, make_ready
from jay.config import Settings
from jay.db import database, metadata
from jay.ops.cli import alembic_config
from tests.clock import NOON, MovedClock
from tests.servers import postgres_cluster

SECRET = "a secret of 32 bytes, for tests only"
KEPT_TABLES = {"signing_keys"}


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a private PostgreSQL cluster, once."""
    with postgres_cluster() as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make an empty, migrated database: each test that needs one runs on both kinds."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('sqlite') / 'jay.sqlite3'}"
    else:
        url = new_postgres_database(request.getfixturevalue("postgres"), "jay_tests")
    alembic.command.upgrade(alembic_config(url), "head")
    return url


def new_postgres_database(cluster: str, name: str) -> str:
    """Create a database in the cluster and return its URL."""
    engine = create_engine(cluster, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return cluster.rsplit("/", 1)[0] + "/" + name


def settings(
    database_url: str, data_dir: Path, *, demo: bool = False, **changes: object
) -> Settings:
    """Build settings for a test."""
    values: dict[str, object] = {
        "database_url": database_url,
        "data_dir": data_dir,
        "public_url": "http://localhost",
        "secret_key": SECRET,
        "demo": demo,
        "port": 8000,
        "workers": 2,
        "threads": 4,
        "trusted_proxies": 0,
        **changes,
    }
    return Settings(**values)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def clock() -> MovedClock:
    """The clock of all apps; it stands at noon when a test begins."""
    return MovedClock()


@pytest.fixture(scope="session")
def _app(
    database_url: str, clock: MovedClock, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    app = create_app(settings(database_url, tmp_path_factory.mktemp("data")), clock=clock)
    yield make_ready(app)
    app.extensions["jay.db"].engine.dispose()


@pytest.fixture
def app(_app: Flask, clock: MovedClock) -> Flask:
    """The app on an empty database, at noon."""
    clock.now = NOON
    with _app.app_context(), database().transaction() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name not in KEPT_TABLES:
                connection.execute(delete(table))
    _app.extensions["jay.auth"].forget()
    for rate in _app.extensions["jay.rates"].values():
        rate.forget()
    return _app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client that keeps no cookies between tests."""
    return app.test_client()
