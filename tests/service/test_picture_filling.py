"""The worker fetches merchants' pictures: the needed ones first, politely, once, with reasons."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jay import db
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.ops.worker import GUESTS
from jay.pictures import fetching, leases, service, tidying
from jay.pictures.filling import Filler
from jay.pictures.leases import LeaseLost
from jay.pictures.models import (
    REFRESH_AFTER,
    Reason,
    picture_hosts,
    picture_sources,
    picture_uses,
    pictures,
)
from jay.pictures.service import Named
from jay.pictures.store import FolderStore
from jay.pictures.sweeping import SOONEST, SWEEPS
from tests import photos, statements
from tests.api.feed import post
from tests.builders import Shop, add_platform, add_shop
from tests.clock import MovedClock
from tests.picture_server import PictureServer, odd_kinds, send, serving_pictures


@pytest.fixture(scope="module")
def server() -> Iterator[PictureServer]:
    with serving_pictures() as running:
        yield running


@pytest.fixture(autouse=True)
def _tidy(server: PictureServer) -> None:
    server.pictures.clear()
    server.forget()


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    return add_shop(app, client)


@pytest.fixture
def filler(app: Flask, clock: MovedClock, tmp_path: Path) -> Filler:
    return filler_of(app, clock, tmp_path)


def filler_of(app: Flask, clock: MovedClock, folder: Path, *, reachable: Any = LOOPBACK) -> Filler:
    return Filler(
        app.extensions["jay.db"],
        Client(reachable),
        FolderStore(folder),
        own="http://localhost/static/",
        clock=clock,
        sweeps=(GUESTS, *SWEEPS),
    )


def offer(shop: Shop, sku: str, *urls: str) -> str:
    return post(shop, sku=sku, name=sku, price=500, images=[{"url": url} for url in urls])


def sources(app: Flask) -> dict[str, Any]:
    with app.app_context(), db.reading() as connection:
        rows = connection.execute(select(picture_sources)).all()
    return {row.url.rpartition("/")[2]: row for row in rows}


def small(number: int = 0) -> bytes:
    return photos.saved(photos.halves((40 + number, 40)), "PNG")


def test_what_a_product_names_is_fetched_once_and_shown(
    app: Flask, server: PictureServer, shop: Shop, filler: Filler, tmp_path: Path
) -> None:
    url = server.put("/mug.jpg", photos.jpeg(400, 300))
    offer(shop, "A", url)
    offer(shop, "B", url)

    filler.fill_due()
    filler.fill_due()

    assert server.asked == ["/mug.jpg"]
    with app.app_context(), db.reading() as connection:
        [(_named, picture)] = service.find(connection, [Named(_merchant(app), url)]).items()
    assert (picture.width, picture.height) == (400, 300)
    store = FolderStore(tmp_path)
    for kind in ("webp", "jpg"):
        assert all(store.get(file.name) for file in picture.files(kind))


def test_what_is_on_every_server_is_written_in_turn(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, filler: Filler
) -> None:
    offer(shop, "A", server.put("/mug.jpg", small()))
    with statements.working():
        filler.fill_due()
    offer(shop, "A", server.put("/cup.jpg", small(1)))
    clock.move(SOONEST.total_seconds())

    with statements.working():
        filler.fill_due()
        with app.app_context():
            tidying.mark_unused()

    assert server.asked == ["/mug.jpg", "/cup.jpg"]
    assert app.extensions["tests.statements"].broken == []


def _merchant(app: Flask) -> int:
    return next(iter(sources(app).values())).merchant_id


def test_each_odd_kind_ends_as_a_picture_or_with_its_reason(
    app: Flask,
    server: PictureServer,
    shop: Shop,
    filler: Filler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetching, "LIMITS", replace(fetching.LIMITS, most=4 << 20))
    kinds = odd_kinds(server)
    (slow, _), exchange = kinds["slow"], Client.exchange

    def exchange_quickly(client: Client, method: str, url: str, **more: Any) -> Any:
        if url == slow:  # there nothing comes; all else comes sooner or later
            more["limits"] = replace(more["limits"], read=0.3)
        return exchange(client, method, url, **more)

    monkeypatch.setattr(Client, "exchange", exchange_quickly)
    for name, (url, _reason) in kinds.items():
        offer(shop, name, url)

    filler.fill_due()

    found = {name: row.reason and Reason(row.reason) for name, row in sources(app).items()}
    expected = {name: reason for name, (_, reason) in kinds.items()}
    assert found == expected
    shown = {name for name, row in sources(app).items() if row.digest}
    assert shown == {name for name, reason in expected.items() if reason is None}
    assert {name.rpartition(".")[2] for name, _ in filler._store.names()} == {"webp", "jpg"}


def test_what_lies_in_baskets_comes_first_then_what_is_new(
    app: Flask,
    clock: MovedClock,
    server: PictureServer,
    shop: Shop,
    filler: Filler,
) -> None:
    for name in ("old", "old-too", "wished", "added"):
        offer(shop, name, server.put(f"/{name}", small()), server.put(f"/{name}-2", small(1)))
    clock.move((timedelta(days=2)).total_seconds())
    offer(shop, "new", server.put("/new", small()), server.put("/new-2", small(1)))
    guest = add_platform(app, shop.client).guest(("mugshop/de-DE/wished", 1))
    assert guest.put("mugshop/de-DE/added", 1).status_code == 200

    filler.fill_due()

    order = [path.strip("/") for path in server.asked]
    assert (set(order[:2]), order[2]) == ({"wished", "added"}, "new")
    assert len(order) == 10


def test_what_hangs_on_a_kiosks_wall_comes_first(
    app: Flask,
    clock: MovedClock,
    server: PictureServer,
    shop: Shop,
    filler: Filler,
) -> None:
    offer(shop, "there", server.put("/there", small()))
    filler.fill_due()
    assert sources(app)["there"].need > 0

    add_platform(app, shop.client, kiosk=True, country="DE")
    clock.move((timedelta(minutes=2)).total_seconds())
    filler.fill_due()

    assert sources(app)["there"].need == 0


def test_a_picture_is_asked_for_again_only_when_it_has_changed(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, filler: Filler
) -> None:
    offer(shop, "A", server.put("/a", small()))
    filler.fill_due()
    before = sources(app)["a"].digest

    clock.move((REFRESH_AFTER).total_seconds())
    filler.fill_due()
    assert server.header("If-None-Match") is not None
    assert sources(app)["a"].digest == before

    server.put("/a", small(9))
    clock.move((REFRESH_AFTER).total_seconds())
    filler.fill_due()
    assert sources(app)["a"].digest != before


def test_a_picture_that_was_there_stays_when_its_server_loses_it(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, filler: Filler
) -> None:
    offer(shop, "A", server.put("/a", small()))
    filler.fill_due()

    server.pictures.clear()
    clock.move((REFRESH_AFTER).total_seconds())
    filler.fill_due()

    row = sources(app)["a"]
    assert (row.digest is not None, row.reason) == (True, "NOT_FOUND")


def test_what_failed_rests_longer_each_time(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, filler: Filler
) -> None:
    offer(shop, "A", f"{server.origin}/nothing")
    rests = []
    for _ in range(3):
        filler.fill_due()
        rests.append(sources(app)["nothing"].due - clock())
        clock.move((rests[-1]).total_seconds())

    assert rests == [timedelta(hours=12), timedelta(hours=24), timedelta(hours=48)]


def test_a_server_that_asks_for_rest_is_left_alone_with_all_its_pictures(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, filler: Filler
) -> None:
    for number in range(5):
        path = f"/{number}"
        url = server.put(path, lambda handler: send(handler, b"", 429, Retry_After="7200"))
        offer(shop, f"S{number}", url)

    filler.fill_due()
    assert len(server.asked) == 1
    clock.move((timedelta(minutes=119)).total_seconds())
    filler.fill_due()
    assert len(server.asked) == 1
    clock.move((timedelta(minutes=2)).total_seconds())
    filler.fill_due()
    assert len(server.asked) == 2


def test_a_new_address_of_a_picture_is_fetched_and_the_old_one_is_unused(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, filler: Filler
) -> None:
    offer(shop, "A", server.put("/old", small()))
    filler.fill_due()
    clock.move((timedelta(minutes=20)).total_seconds())
    offer(shop, "A", server.put("/new", small(3)))
    filler.fill_due()

    assert sources(app)["new"].digest is not None
    assert (sources(app)["old"].unused, sources(app)["new"].unused) == (clock(), None)

    clock.move((timedelta(minutes=20)).total_seconds())
    offer(shop, "A", f"{server.origin}/old")
    filler.fill_due()
    assert sources(app)["old"].unused is None


def test_two_processes_never_ask_one_server_at_once(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, tmp_path: Path
) -> None:
    offer(shop, "A", server.put("/a", small()))
    one, other = (filler_of(app, clock, tmp_path) for _ in range(2))
    while one.sweep():
        pass
    with app.app_context():
        taken = db.write(leases.take_host, now=clock())
        assert taken is not None
        assert not other.fill()

        clock.move((leases.LEASE).total_seconds())  # who has taken it has died
        other.fill_due()
        assert sources(app)["a"].digest is not None
        with pytest.raises(LeaseLost):
            db.write(leases.record, taken, [], now=clock())


def test_what_is_lost_from_the_disk_is_not_named(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, filler: Filler
) -> None:
    # Another process has purged it between the look and the record.
    offer(shop, "A", server.put("/a", small()))
    filler.fill_due()
    with app.app_context(), db.transaction() as connection:
        known = connection.execute(select(pictures.c.digest)).scalar_one()
        assert service.missing(connection, {known, "0" * 40}) == {"0" * 40}


def test_nothing_of_this_service_is_fetched(app: Flask, shop: Shop, filler: Filler) -> None:
    offer(shop, "A", "http://localhost/static/demo/mug.svg")

    filler.fill_due()

    assert sources(app) == {}


def test_a_removed_product_names_nothing_more(
    app: Flask, clock: MovedClock, server: PictureServer, shop: Shop, filler: Filler
) -> None:
    offer(shop, "A", server.put("/a", small()))
    filler.fill_due()
    clock.move((timedelta(minutes=20)).total_seconds())
    shop.call("DELETE", "/shops/products/A")
    filler.fill_due()

    assert sources(app)["a"].unused == clock()
    with app.app_context(), db.reading() as connection:
        assert connection.execute(select(picture_uses)).all() == []


def test_a_server_that_can_not_be_reached_rests_longer_each_time(
    app: Flask, clock: MovedClock, shop: Shop, filler: Filler
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    for number in range(3):
        offer(shop, f"S{number}", f"http://127.0.0.1:{port}/{number}")
    failures = []
    for _ in range(3):
        filler.fill_due()
        with app.app_context(), db.reading() as connection:
            host = connection.execute(select(picture_hosts)).one()
        failures.append(host.failures)
        clock.move((host.rests - clock()).total_seconds())

    assert failures == [1, 2, 3]
    assert {row.reason for row in sources(app).values()} <= {"UNREACHABLE"}
