"""Pictures in a bucket: a real server that speaks S3, there and away."""

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from jay import db, web
from jay.net.addresses import LOOPBACK
from jay.net.buckets import bucket_of
from jay.pictures import bucket, filling
from jay.pictures.bucket import READ_AT_ONCE, BucketStore
from jay.pictures.filling import filler
from jay.pictures.models import Picture, Reason, picture_sources, pictures
from jay.pictures.store import FolderStore, StoreAway, place, store_of
from tests import photos
from tests.api.browser import Browser
from tests.api.feed import post
from tests.builders import Shop, add_shop
from tests.clock import PATIENCE_SECONDS, MovedClock
from tests.conftest import Apps, settings
from tests.picture_server import serving_pictures
from tests.s3_server import KEY, SECRET, S3Server, serving_s3

NAME = "ab" + "0" * 38 + "-160.webp"
OTHER = "cd" + "0" * 38 + "-320.jpg"

pytestmark = pytest.mark.one_database


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with serving_s3(tmp_path) as running:
        yield running


def test_files_are_kept_listed_and_deleted(server: S3Server) -> None:
    store = BucketStore(bucket_of(server.address))
    assert store.get(NAME) is None
    store.put(NAME, b"one")
    store.put(NAME, b"one")
    store.put(OTHER, b"two")
    (server.files / "ab" / "a note of the operator").write_bytes(b"")

    assert (store.get(NAME), store.get(OTHER)) == (b"one", b"two")
    assert (server.files / place(NAME)).read_bytes() == b"one"
    found = dict(store.names())
    assert sorted(found) == [NAME, OTHER]
    assert all(abs(datetime.now(UTC) - at) < timedelta(hours=1) for at in found.values())
    assert store.stored(NAME) == found[NAME].replace(microsecond=0)  # as HTTP says it
    store.delete(NAME)
    store.delete(NAME)
    assert store.get(NAME) is store.stored(NAME) is None
    assert [name for name, _at in store.names()] == [OTHER]


def test_who_is_refused_is_told_so_without_a_secret(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    store = BucketStore(bucket_of(server.address))
    for ask in (lambda: store.put(NAME, b"one"), lambda: store.get(NAME), lambda: [*store.names()]):
        with pytest.raises(StoreAway) as raised:
            ask()
        assert "wrong-secret" not in str(raised.value)
    assert not (server.files / place(NAME)).exists()


def test_a_store_that_is_away_is_not_asked_again_at_once(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "REST_SECONDS", 2 * PATIENCE_SECONDS)  # it has to start meanwhile
    store = BucketStore(bucket_of(server.address))
    server.stop()
    with pytest.raises(StoreAway, match="Error"):
        store.get(NAME)
    server.start()

    with pytest.raises(StoreAway, match="a moment ago"):
        store.get(NAME)
    store._rests_until = 0.0
    assert store.get(NAME) is None


class Silent:
    """A store that accepts and says nothing, until it hangs up."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE_SECONDS)
        self._asking: list[socket.socket] = []
        port = self._listening.getsockname()[1]
        self.store = BucketStore(
            bucket_of(f"s3://pictures/shown?endpoint=http://127.0.0.1:{port}&region=eu")
        )

    def await_one(self) -> None:
        """Wait until somebody asks."""
        self._asking.append(self._listening.accept()[0])

    def asked(self) -> int:
        """Return how many asked without being awaited."""
        self._listening.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.await_one()
        return len(self._asking)

    def hang_up(self) -> None:
        for one in [*self._asking, self._listening]:
            one.close()


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    server = Silent()
    yield server
    server.hang_up()


def test_a_silent_store_holds_few_threads(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "PLACE_SECONDS", 0.1)
    with ThreadPoolExecutor(READ_AT_ONCE) as pool:
        waiting = [pool.submit(silent.store.get, NAME) for _ in range(READ_AT_ONCE)]
        for _one in waiting:
            silent.await_one()
        for _ in range(3):
            with pytest.raises(StoreAway, match="others wait"):
                silent.store.get(NAME)
        silent.hang_up()
        for one in waiting:
            assert isinstance(one.exception(PATIENCE_SECONDS), StoreAway)


def test_a_page_asks_once_and_not_long(silent: Silent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "READ_SECONDS", 0.1)
    with pytest.raises(StoreAway, match="Error"):
        silent.store.get(NAME)
    assert silent.asked() == 1


def test_one_tries_a_store_that_was_away_and_its_answer_is_for_all(
    server: S3Server, silent: Silent
) -> None:
    store = silent.store
    store.rest()
    store._rests_until = 0.0
    with ThreadPoolExecutor(1) as pool:
        trying = pool.submit(store.get, NAME)
        silent.await_one()
        for ask in (lambda: store.put(NAME, b""), lambda: store.get(NAME)):
            with pytest.raises(StoreAway, match="a moment ago"):
                ask()
        silent.hang_up()
        assert isinstance(trying.exception(PATIENCE_SECONDS), StoreAway)

    store = BucketStore(bucket_of(server.address))
    store.rest()
    store._rests_until = 0.0
    for _ in range(2):
        assert store.get(NAME) is None


def test_who_stores_keeps_nobody_from_a_store_that_was_away(silent: Silent) -> None:
    store = silent.store
    store.rest()
    store._rests_until = 0.0
    with ThreadPoolExecutor(2) as pool:
        storing = [pool.submit(store.put, f"{name}.webp", b"") for name in (40 * "a", 40 * "b")]
        for _one in storing:
            silent.await_one()
        silent.hang_up()
        for one in storing:
            assert isinstance(one.exception(PATIENCE_SECONDS), StoreAway)


def test_a_folder_stays_the_default_and_costs_no_library(tmp_path: Path) -> None:
    assert isinstance(store_of(settings("sqlite://", tmp_path)), FolderStore)


@pytest.fixture
def merchant(app: Flask) -> Shop:
    return add_shop(app, app.test_client())


def test_pages_and_worker_outlive_a_store_that_goes_away(
    apps: Apps, database_url: str, merchant: Shop, server: S3Server, clock: MovedClock
) -> None:
    app = apps.on(database_url, media=server.address, outbound_allow=LOOPBACK)
    with serving_pictures() as shop, app.app_context():
        for number in range(3):
            address = shop.put(f"/{number}.jpg", photos.jpeg(400, 300, number))
            post(merchant, sku=f"S{number}", images=[{"url": address}])
        server.stop()
        working = filler()
        working.fill_due()

        with db.reading() as connection:
            rows = connection.execute(select(picture_sources)).all()
            assert connection.execute(select(pictures)).all() == []
        told = [row.reason for row in rows if row.reason]
        assert set(told) == {Reason.STORE_AWAY}
        assert len(shop.asked) == len(told) <= filling.DRAWN_AT_ONCE
        assert not working.fill()  # what could not be kept is not fetched either

        server.start()
        store_of(web.settings())._rests_until = 0.0
        working._store_away_until = 0.0
        clock.move(600)
        working.fill_due()
        with db.reading() as connection:
            rows = connection.execute(select(pictures)).all()
        assert len(rows) == 3
    browser = Browser(app)
    for row in rows:
        picture = Picture(row.digest, row.width, row.height, row.colour)
        for file in (*picture.files("webp"), *picture.files("jpg")):
            answer = browser.get(f"/media/{place(file.name)}")
            assert answer.status_code == 200
            assert answer.get_data() == (server.files / place(file.name)).read_bytes()

    server.stop()
    answer = browser.get(f"/media/{place(picture.files('jpg')[0].name)}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "max-age" not in answer.headers["Cache-Control"]
