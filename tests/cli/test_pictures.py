"""``products pictures`` says how it stands; ``purge`` takes what nothing names any more."""

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection

from jay import db
from jay.pictures import purging, service, tidying
from jay.pictures.models import Need, Reason
from jay.pictures.purging import KEPT_FOR
from jay.pictures.showing import store
from jay.pictures.store import place
from jay.products.models import products
from tests import photos
from tests.api.feed import post
from tests.builders import Shop, add_shop
from tests.cli.conftest import Run
from tests.clock import MovedClock
from tests.pictures import failed, fetched

URL = "https://images.shop.example/{}.jpg"


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    return add_shop(app, client)


def offer(shop: Shop, *numbers: int, sku: str = "mug") -> None:
    post(shop, sku=sku, name="Mug", images=[{"url": URL.format(number)} for number in numbers])


def test_a_merchants_pictures_are_counted_and_what_is_missing_is_listed(
    app: Flask, shop: Shop, run: Run
) -> None:
    offer(shop, 1, 2, 3, 4)
    offer(shop, 3, sku="cup")
    fetched(app, URL.format(1))
    failed(app, URL.format(2), Reason.NOT_FOUND)
    failed(app, URL.format(3), Reason.SVG)

    output = run("products", "pictures", "mugshop").stdout

    assert "1 shown, 1 wait to be fetched." in output
    assert "1 NOT_FOUND: There is nothing at this address (404)." in output
    assert f"{URL.format(2)}\n    NOT_FOUND, again 2025-06-04" in output
    assert "; mugshop/de-DE/cup and 1 more" in output
    assert URL.format(1) not in output
    assert URL.format(4) not in output


def test_an_import_says_how_it_stands_with_pictures(
    app: Flask, shop: Shop, run: Run, tmp_path: Path
) -> None:
    offer(shop, 1, 2, 3)
    fetched(app, URL.format(1))
    failed(app, URL.format(2), Reason.SVG)
    file = tmp_path / "more.jsonl"
    images = [{"url": URL.format(number)} for number in (4, 5)]
    news = {"sku": "bowl", "name": "Bowl", "price": 900, "vat": 19, "currency": "EUR"}
    file.write_bytes(orjson.dumps({**news, "lang": "de", "country": "DE", "images": images}))

    output = run("products", "import", "mugshop", str(file)).stdout

    assert (
        "Pictures: 1 shown; 1 wait to be fetched; 1 are missing (1 SVG);"
        " those of 1 products are looked for by the worker next." in output
    ), output


def test_an_import_without_pictures_says_nothing_of_them(
    shop: Shop, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "few.jsonl"
    news = {"sku": "bowl", "name": "Bowl", "price": 900, "vat": 19, "currency": "EUR"}
    file.write_bytes(orjson.dumps({**news, "lang": "de", "country": "DE"}))

    assert "Pictures" not in run("products", "import", "mugshop", str(file)).stdout


def test_all_can_be_listed_or_a_few(app: Flask, shop: Shop, run: Run) -> None:
    offer(shop, 1, 2, 3)
    fetched(app, URL.format(1))

    everything = run("products", "pictures", "mugshop", "--all").stdout
    assert everything.count("https://") == 3
    assert f"{URL.format(1)}\n    shown; mugshop/de-DE/mug" in everything
    assert run("products", "pictures", "mugshop", "--all", "--most", "2").stdout.count("://") == 2


def test_an_unknown_merchant_is_an_error(run: Run) -> None:
    assert run("products", "pictures", "nobody").exit_code == 1


def purged(run: Run) -> dict[str, int]:
    lines = (line.rsplit(": ", 1) for line in run("baskets", "purge").stdout.splitlines())
    found = {name: int(count) for name, count in lines}
    return {name: found[name] for name in ("addresses of pictures", "pictures")}


def note(app: Flask, clock: MovedClock) -> None:
    """Look at what products name, as the worker does."""
    with app.app_context(), db.transaction() as connection:
        rows = service.of_products(connection, products.c.id.is_not(None), limit=10)
        service.note(connection, rows, own="http://localhost/", first=Need.REST, now=clock())


def test_what_no_product_names_goes_after_a_grace_time(
    app: Flask, clock: MovedClock, shop: Shop, run: Run
) -> None:
    offer(shop, 1)
    fetched(app, URL.format(1))
    offer(shop, 2)
    note(app, clock)

    assert purged(run) == {"addresses of pictures": 0, "pictures": 0}
    clock.move((KEPT_FOR - timedelta(minutes=1)).total_seconds())
    assert purged(run) == {"addresses of pictures": 0, "pictures": 0}
    clock.move(60)
    assert purged(run) == {"addresses of pictures": 1, "pictures": 0}
    purged(run)  # from here on it is known that nothing uses the picture
    clock.move(KEPT_FOR.total_seconds())
    assert purged(run) == {"addresses of pictures": 0, "pictures": 1}


def test_what_is_named_again_stays(app: Flask, clock: MovedClock, shop: Shop, run: Run) -> None:
    offer(shop, 1)
    fetched(app, URL.format(1))
    for number in (2, 1):
        offer(shop, number)
        note(app, clock)
    clock.move(2 * KEPT_FOR.total_seconds())

    assert purged(run) == {"addresses of pictures": 1, "pictures": 0}


def test_files_of_nothing_go_when_they_are_old(
    app: Flask, clock: MovedClock, shop: Shop, run: Run
) -> None:
    offer(shop, 1)
    kept = fetched(app, URL.format(1), photos.saved(photos.halves(), "PNG")).files("webp")[0].name
    left, young = ("cd" * 20 + f"-{size}.webp" for size in (160, 320))
    with app.app_context():
        files = store()
        for name in (left, young):
            files.put(name, b"left over")
        folder: Path = files._folder
        draft = folder / f"{place(kept)}.0123.unfinished"
        draft.write_bytes(b"ha")
        before = (clock() - timedelta(days=2)).timestamp()
        for path in (folder / place(kept), folder / place(left), draft):
            os.utime(path, (before, before))

        run("baskets", "purge")

        assert files.get(kept) is not None
        assert (files.get(left), files.get(young)) == (None, b"left over")
        assert not draft.exists()
        files.delete(young)


def test_files_that_are_stored_again_while_old_ones_are_looked_for_stay(
    app: Flask, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, left = ("ef" * 20 + f"-{size}.webp" for size in (160, 320))
    with app.app_context():
        files, known = store(), purging.known
        for name in (again, left):
            files.put(name, b"before")
            before = (clock() - timedelta(days=2)).timestamp()
            os.utime(files._folder / place(name), (before, before))

        def sent_again(connection: Connection, digests: Iterable[str]) -> set[str]:
            found = known(connection, digests)
            files.put(again, b"again")
            return found

        monkeypatch.setattr(purging, "known", sent_again)
        tidying.delete_leftovers()

        assert (files.get(again), files.get(left)) == (b"again", None)
        files.delete(again)
