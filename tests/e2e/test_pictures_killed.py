"""kill -9 of what fetches pictures, at any moment: no half picture, and nothing for ever."""

import multiprocessing
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select

from jay import create_app, db
from jay.clock import system_clock
from jay.config import Settings
from jay.pictures.filling import filler
from jay.pictures.leases import BATCH, LEASE
from jay.pictures.models import Picture, picture_sources, pictures
from jay.pictures.showing import store
from jay.pictures.store import place
from tests import photos
from tests.api.feed import post
from tests.builders import add_shop
from tests.clock import PATIENCE_SECONDS
from tests.conftest import settings
from tests.depth import chance, few_or_all
from tests.picture_server import serving_pictures

PICTURES = 12
KILLS = few_or_all(3, 50)

# Processes that start with everything imported.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__])


def fill(given: Settings, late: timedelta) -> None:
    """Fetch all there is, by a clock that is so late."""
    app = create_app(given, clock=lambda: system_clock() + late)
    with app.app_context():
        filler().fill_due()


def start(given: Settings, late: timedelta) -> BaseProcess:
    process = _forks.Process(target=fill, args=(given, late))
    process.start()
    return process


def end(process: BaseProcess) -> None:
    process.join(PATIENCE_SECONDS)
    assert process.exitcode == 0


@pytest.mark.parametrize("new_database_url", ["sqlite"], indirect=True)
def test_a_killed_fetcher_leaves_no_half_picture_and_is_taken_over(
    new_database_url: str, tmp_path: Path
) -> None:
    given = settings(new_database_url, tmp_path, demo=True)
    app = create_app(given)
    shop, draw, late = add_shop(app, app.test_client()), chance(), timedelta()
    with serving_pictures() as server:
        for number in range(PICTURES):
            content = photos.saved(photos.halves((400, 200 + number)), "JPEG")
            address = server.put(f"/{number}.jpg", content)
            post(shop, sku=f"S{number}", images=[{"url": address}])
        for _ in range(KILLS):
            before, more = len(server.asked), draw.randrange(5)
            process = start(given, late)
            while len(server.asked) - before <= more and process.is_alive():
                process.join(0.005)
            process.join(draw.random() * 0.05)
            process.kill()
            process.join()
            assert_whole(app)
            late += LEASE
        end(start(given, late))

        assert_whole(app)
        with app.app_context(), db.reading() as connection:
            rows = connection.execute(select(picture_sources)).all()
        assert [row.url for row in rows if row.digest is None] == []
        assert len(server.asked) <= PICTURES + KILLS * BATCH
        server.forget()
        end(start(given, late + timedelta(hours=1)))
        assert server.asked == []
    app.extensions["jay.db"].dispose()


def assert_whole(app: Flask) -> None:
    """Check that each picture that pages may name is there whole, and so is each single file."""
    with app.app_context():
        folder = store()._folder
        with db.reading() as connection:
            rows = connection.execute(select(pictures)).all()
        for row in rows:
            picture = Picture(row.digest, row.width, row.height, row.colour)
            for file in (*picture.files("webp"), *picture.files("jpg")):
                assert (folder / place(file.name)).is_file()
        for name, _moment in store().names():
            if not name.endswith(".unfinished"):
                with Image.open(folder / place(name)) as image:
                    image.load()
