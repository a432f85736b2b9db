"""Pictures in a bucket: a real server that speaks S3, there and away."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from jay import db, web
from jay.net.addresses import LOOPBACK
from jay.net.buckets import bucket_of
from jay.pictures import filling
from jay.pictures.bucket import BucketStore
from jay.pictures.filling import filler
from jay.pictures.models import Picture, Reason, picture_sources, pictures
from jay.pictures.store import FolderStore, StoreAway, place, store_of
from tests import photos
from tests.api.browser import Browser
from tests.api.feed import post
from tests.builders import Shop, add_shop
from tests.clock import MovedClock
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
    store.delete(NAME)
    store.delete(NAME)
    assert store.get(NAME) is None
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


def test_a_store_that_is_away_is_not_asked_again_at_once(server: S3Server) -> None:
    store = BucketStore(bucket_of(server.address))
    server.stop()
    with pytest.raises(StoreAway, match="Error"):
        store.get(NAME)
    server.start()

    with pytest.raises(StoreAway, match="a moment ago"):
        store.get(NAME)
    store._rests_until = 0.0
    assert store.get(NAME) is None


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
