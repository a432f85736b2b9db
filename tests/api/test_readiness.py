"""``/readyz`` proves that the database can be written, and no write fails with a 500."""

import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from jay import db
from jay.db.database import Database
from jay.errors import Busy
from tests.api.checks import assert_refused
from tests.builders import Shop, User
from tests.clock import PATIENCE_SECONDS

ON_POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Server:
    """A database's settings, changed by its administrator; who is connected is cut off."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT")

    def set(self, setting: str) -> None:
        """Change a setting for all who connect from now on."""
        self._do(f"SET {setting}")

    def reset(self) -> None:
        """Take all changes back; nobody is cut off."""
        self._do("RESET ALL", cut=False)

    def _do(self, what: str, *, cut: bool = True) -> None:
        with self._engine.connect() as connection:
            name = connection.scalar(text("SELECT current_database()"))
            connection.execute(text("SET transaction_read_only = off"))
            connection.execute(text("SET default_transaction_read_only = off"))
            connection.execute(text(f'ALTER DATABASE "{name}" {what}'))
            if cut:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )

    def close(self) -> None:
        self.reset()
        self._engine.dispose()


@pytest.fixture
def server(app: Flask, database_url: str) -> Iterator[Server]:
    made = Server(database_url)
    yield made
    made.close()
    app.extensions["jay.db"].dispose()


def ready(client: FlaskClient) -> int:
    return client.get("/readyz").status_code


def test_who_can_write_is_ready(client: FlaskClient) -> None:
    assert (ready(client), ready(client)) == (200, 200)


@ON_POSTGRESQL
def test_a_server_that_takes_no_writes_is_busy_and_not_ready_until_it_does_again(
    client: FlaskClient, alice: User, shop: Shop, server: Server
) -> None:
    mug = shop.product("mug")
    alice.put(mug)

    server.set("default_transaction_read_only = on")
    ready(client)  # the first one after it meets the connections that were cut off

    assert ready(client) == 503
    for _ in range(3):
        answer = alice.call("POST", f"/products/{mug}", json={"count": 2})
        assert_refused(answer, Busy)
        assert_refused(alice.call("POST", "/transfer"), Busy)
        assert_refused(alice.call("DELETE"), Busy)
    assert alice.cart() == {mug: 1}  # what only reads goes on

    server.reset()  # the connections that are open stay read-only: they must go by themselves
    assert alice.call("POST", f"/products/{mug}", json={"count": 3}).status_code == 200
    assert ready(client) == 200
    assert alice.cart() == {mug: 3}


@ON_POSTGRESQL
def test_a_server_without_room_on_its_disk_is_not_ready(
    client: FlaskClient, server: Server
) -> None:
    server.set("temp_file_limit = '64kB'")  # class 53, as a full disk
    ready(client)

    assert ready(client) == 503

    server.reset()
    client.application.extensions["jay.db"].dispose()
    assert ready(client) == 200


@ON_SQLITE
def test_a_file_without_room_on_its_disk_is_not_ready(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = lambda **_options: open("/dev/full", "wb", buffering=0)  # noqa: E731, PTH123, SIM115
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "TemporaryFile", full)
        assert ready(client) == 503

    assert ready(client) == 200


@ON_SQLITE
def test_a_file_that_can_not_be_written_is_not_ready(client: FlaskClient, app: Flask) -> None:
    database: Database = app.extensions["jay.db"]
    database.dispose()  # so that this one is the only one, and the next to be used
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    assert ready(client) == 503
    assert ready(client) == 200  # a new connection


class WatchedLock:
    """A lock that tells who has come to it."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.came.release()
        self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


@ON_SQLITE
def test_many_who_ask_at_once_share_one_write(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    readiness: Any = app.extensions["jay.readiness"]
    tried: list[int] = []
    begun, go_on, lock = threading.Event(), threading.Event(), WatchedLock()
    original = readiness._try

    def slowly(now: object) -> Any:
        tried.append(1)
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        return original(now)

    monkeypatch.setattr(readiness, "_try", slowly)
    monkeypatch.setattr(readiness, "_lock", lock)

    def ask() -> None:
        with app.app_context():
            db.check_writable(now=app.extensions["jay.clock"]())

    threads = [threading.Thread(target=ask) for _ in range(9)]
    threads[0].start()
    assert lock.came.acquire(timeout=PATIENCE_SECONDS)
    assert begun.wait(PATIENCE_SECONDS)
    for thread in threads[1:]:
        thread.start()
        assert lock.came.acquire(timeout=PATIENCE_SECONDS)
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)

    # The eight came while the first write was under way, which may be older than their question.
    assert len(tried) == 2


@ON_SQLITE
@pytest.mark.parametrize("key", [None, "a-random-key-of-a-request"])
def test_a_write_that_finds_no_room_is_busy(app: Flask, shop: Shop, key: str | None) -> None:
    database: Database = app.extensions["jay.db"]
    database.dispose()  # so that this one is the only one, and the next to be used
    with database.engine.connect() as connection:
        connection.exec_driver_sql("VACUUM")  # no room is left from what other tests have deleted
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    long = "word " * 4_000
    variants = [
        {"sku": f"mug-{n}", "value": str(n), "description": f"{n} {long}"[:20_000]}
        for n in range(30)
    ]
    body = {
        "sku": "mug",
        "name": "Mug",
        "lang": "de",
        "country": "DE",
        "currency": "EUR",
        "price": 1,
        "vat": 19,
        "variants": variants,
    }

    answer = shop.call(
        "POST", "/shops/products", json=body, headers={"Idempotency-Key": key} if key else {}
    )

    assert_refused(answer, Busy)
    database.dispose()
