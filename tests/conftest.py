"""Fixtures that all tests share: databases of both kinds, and the app on top of one."""

import contextlib
import gc
import itertools
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import alembic.command
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Connection, create_engine, text

from jay import create_app, make_ready
from jay.auth.guest_keys import _Known
from jay.config import Settings
from jay.db import database
from jay.db.types import metadata
from jay.operators import models as operator_models
from jay.operators import service as operator_service
from jay.ops.cli import alembic_config
from tests import depth, left_open, patience, sharing, statements
from tests.clock import NOON, MovedClock
from tests.servers import postgres_cluster

SECRET = "a secret of 32 bytes, for tests only"
KEPT_TABLES = {"signing_keys"}


def pytest_addoption(parser: pytest.Parser) -> None:
    depth.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    depth.configure(config)
    left_open.watch()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    depth.on_one_database(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    left_out = depth.left_out(items)
    items[:] = [item for item in items if item not in left_out]
    sharing.order(items)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep all tests out of the garbage collector, which would look at each of them again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one more than there are processors: tests wait for servers, databases and browsers."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: sharing.Producer) -> sharing.Sharing:
    return sharing.scheduler(config, log)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return depth.told(config)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for line in depth.told(config):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patience.give(patch)
        yield


@pytest.fixture
def real_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service waits in this test as long as it does."""
    patience.take(monkeypatch)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a private PostgreSQL cluster, once."""
    with postgres_cluster() as url:
        yield url


class NewDatabase(Protocol):
    """Makes a migrated database: a further one, or the one of a name anew."""

    def __call__(self, name: str | None = None) -> str: ...


class Copies:
    """Databases of both kinds that are copies of others, which nobody is connected to."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request, self._folder = request, folder
        self._numbers = itertools.count()

    def of(self, original: str | None, kind: str, name: str | None = None) -> str:
        """Return the URL of a copy.

        :param original: the URL of what is copied; None for an empty database.
        :param name: of a database that is made anew for each test; else it is a further one.
        """
        called = name or f"jay_{next(self._numbers)}"
        if kind == "sqlite":
            return self._file(original, self._folder / f"{called}.sqlite3")
        cluster = self._request.getfixturevalue("postgres")
        template = "template1" if original is None else original.rpartition("/")[2]
        return new_postgres_database(cluster, called, template=template, anew=name is not None)

    @staticmethod
    def _file(original: str | None, path: Path) -> str:
        for ending in ("", "-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        if original is not None:
            with (
                contextlib.closing(sqlite3.connect(original.removeprefix("sqlite:///"))) as source,
                contextlib.closing(sqlite3.connect(path)) as target,
            ):
                source.backup(target)
        return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def copies(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Copies:
    """Copies of databases."""
    return Copies(request, tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def _new_sqlite(copies: Copies) -> NewDatabase:
    original = migrated(copies.of(None, "sqlite"))
    return lambda name=None: copies.of(original, "sqlite", name)


@pytest.fixture(scope="session")
def _new_postgresql(copies: Copies) -> NewDatabase:
    original = migrated(copies.of(None, "postgresql"))
    return lambda name=None: copies.of(original, "postgresql", name)


@pytest.fixture(scope="session")
def _sqlite_url(_new_sqlite: NewDatabase) -> str:
    return _new_sqlite()


@pytest.fixture(scope="session")
def _postgresql_url(request: pytest.FixtureRequest) -> str:
    # One that somebody has prepared and does not need: distributed over several servers, say.
    given = os.environ.get("JAY_TESTS_DATABASE_URL")
    if given:
        return given
    new: NewDatabase = request.getfixturevalue("_new_postgresql")
    return new()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database that nobody has used yet, for one test: a copy of one made once."""
    new: NewDatabase = request.getfixturevalue(f"_new_{request.param}")
    return new()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database: each test that needs one runs on both kinds (see ``tests/depth.py``)."""
    url: str = request.getfixturevalue(f"_{request.param}_url")
    return url


def migrated(url: str) -> str:
    """Make all tables in a database, and return its URL."""
    alembic.command.upgrade(alembic_config(url), "head")
    return url


def new_postgres_database(
    cluster: str, name: str, *, template: str = "template1", anew: bool = False
) -> str:
    """Create a database in the cluster, as a copy of another one, and return its URL.

    :param anew: instead of the one of that name, if there is one.
    """
    engine = create_engine(cluster, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if anew:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
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
        "psp": "sandbox",
        "port": 8000,
        "workers": 2,
        "threads": 4,
        "trusted_proxies": 0,
        **changes,
    }
    return Settings(**values)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _quick_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    # They are slow on purpose, and what is tested is seldom that.
    if "real_passwords" not in request.fixturenames:
        quick = "scrypt:256:8:1"
        nobody = operator_models._HASH_OF_NOBODY.replace(operator_models._METHOD, quick)
        monkeypatch.setattr(operator_models, "_METHOD", quick)
        monkeypatch.setattr(operator_service, "_HASH_OF_NOBODY", nobody)


@pytest.fixture
def real_passwords() -> None:
    """Operators' passwords cost in this test what they cost in the service."""


@pytest.fixture(scope="session")
def clock() -> MovedClock:
    """The clock of all apps; it stands at noon when a test begins."""
    return MovedClock()


@pytest.fixture(autouse=True)
def _noon(clock: MovedClock) -> None:
    clock.now = NOON


class Apps:
    """Apps on the databases of the tests: to make one takes longer than most tests do."""

    def __init__(self, clock: MovedClock, data_dir: Path, compiled: Path) -> None:
        self._clock, self._data_dir = clock, data_dir
        self._made: dict[tuple[object, ...], Flask] = {}
        # Else each app would compile all templates anew.
        self._templates = FileSystemBytecodeCache(str(compiled))

    def on(self, database_url: str, process: str = "", **changes: Any) -> Flask:
        """Return an app as it is when its process begins: it remembers nothing.

        :param process: a name, to have the same app another time.
        :param changes: settings that are not those of all tests.
        """
        key = (database_url, process, *sorted(changes.items()))
        if key not in self._made:
            config = settings(database_url, self._data_dir, **changes)
            self._made[key] = create_app(config, clock=self._clock)
            self._made[key].jinja_env.bytecode_cache = self._templates
        made = self._made[key]
        if process or changes:
            # Other tests end connections at the server; a process that begins has none yet, and
            # its database may be another one.
            made.extensions["jay.db"].dispose()
            made.extensions["jay.auth"].tokens.guest_keys._known = _Known({}, {}, "", None)
        made.extensions["jay.auth"].forget()
        made.extensions["jay.origins"].clear()
        made.extensions["jay.legal"].clear()
        for rate in made.extensions["jay.rates"].values():
            rate.forget()
        return made

    def close(self, database_url: str | None = None) -> None:
        """Close all connections, or those to one database."""
        for key, app in self._made.items():
            if database_url in {None, key[0]}:
                app.extensions["jay.db"].dispose()


@pytest.fixture(scope="session")
def apps(clock: MovedClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """The apps of all tests, each made once."""
    made = Apps(clock, tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("templates"))
    yield made
    made.close()


@pytest.fixture
def app(apps: Apps, database_url: str) -> Iterator[Flask]:
    """The app on an empty database, at noon. Its statements keep to the rules."""
    made = apps.on(database_url)
    if "tests.statements" not in made.extensions:
        made.extensions["tests.statements"] = statements.watch(made)
        make_ready(made)
    with made.app_context(), database().transaction() as connection:
        empty(connection)
    watched = made.extensions["tests.statements"]
    watched.broken.clear()
    yield made
    assert watched.broken == []


def empty(connection: Connection) -> None:
    """Delete all rows but those that a first start makes; most tables have none."""
    emptied = [table.name for table in reversed(metadata.sorted_tables)]
    emptied = [name for name in emptied if name not in KEPT_TABLES]
    asked = [f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in emptied]
    filled = set(connection.exec_driver_sql(" UNION ALL ".join(asked)).scalars())
    deletions = [f'DELETE FROM "{name}"' for name in emptied if name in filled]
    if deletions and connection.dialect.name == "postgresql":
        # Without a way there and back for each.
        deletions = [f"DO $$ BEGIN {'; '.join(deletions)}; END $$"]
    for deletion in deletions:
        connection.exec_driver_sql(deletion)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client that keeps no cookies between tests."""
    return app.test_client()
