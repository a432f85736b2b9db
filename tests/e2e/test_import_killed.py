"""An importer is killed at twenty moments, ten on each database or (in a deep run) all on both:
catalogue and report come out as if it never was."""

import csv
import multiprocessing
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from flask import Flask
from flask.cli import ScriptInfo
from flask.testing import FlaskClient
from sqlalchemy import Connection, select

from jay import create_app, db
from jay.config import Settings
from jay.feeds.models import product_imports
from jay.products.models import products
from tests.builders import add_shop
from tests.conftest import settings
from tests.depth import few_or_all

HINT = "Amounts are in minor units: 1999 is 19.99."
KILLS = few_or_all(10, 20)
PRODUCTS = few_or_all(8_000, 12_000)
SEED = 20251122
LOOK_SECONDS = 0.005
"""Between two looks at how far it is: who looks all the time takes the importer's processor."""
LONGEST_WAIT = 0.01
"""And then until it is killed: within a batch, or between two."""

# Processes that start with everything imported: a test of many starts takes seconds.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__])


def import_products(given: Settings, path: str, kill: tuple[int, float] | None) -> None:
    """Run the command as an operator does, in a process of its own.

    :param kill: where it is killed, see ``kill_at``.
    """
    app = create_app(given)
    if kill is not None:
        threading.Thread(target=kill_at, args=(app, *kill), daemon=True).start()
    words = ["products", "import", "mugshop", path]
    with Path(path).with_suffix(".log").open("a") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        app.cli.main(args=words, obj=ScriptInfo(create_app=lambda: app))


def write_feed(path: Path) -> tuple[dict[str, tuple[str | None, int, int | None]], list[list[str]]]:
    """Write main products, then variants far away from them, some of both wrong.

    Returns main SKU, price and stock by SKU, and the report that is due.
    """
    expected: dict[str, tuple[str | None, int, int | None]] = {}
    due = []
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("sku", "name", "price", "stockCount", "variantOf", "description"))
        line = 1
        for number in range(PRODUCTS):
            line += 1
            # Wrong ones stand also at both ends of the file.
            wrong = number % 401 == 0 or number == PRODUCTS - 1
            main = f"P-{number // 2:06}" if number >= PRODUCTS * 2 // 3 else None
            sku = f"P-{number:06}" if main is None else f"{main}-V{number}"
            price = "twelve" if wrong else str(number)
            writer.writerow((sku, "" if main else "Mug", price, number % 7, main, "Two\nlines"))
            if wrong:
                due.append([str(line), sku, f"price: Not a valid integer. {HINT}"])
            elif main is None or (number // 2) % 401:
                expected[sku] = (main, number, number % 7)
            else:
                due.append(
                    [str(line), sku, f"The main product {main} does not come before its variant."]
                )
            line += 1  # the description's second line
    return expected, due


def records(connection: Connection) -> int:
    """Return how many rows the import has behind it."""
    return connection.execute(select(product_imports.c.records)).scalar_one_or_none() or 0


def kill_at(app: Flask, target: int, wait: float) -> None:
    """Kill this process somewhere behind so many rows: within a batch, or between two.

    It is a thread of the importer that looks: however slow the machine is, it is not done by then.
    """
    with app.app_context(), db.reading() as connection:
        while records(connection) < target:
            time.sleep(LOOK_SECONDS)
    time.sleep(wait)
    os.kill(os.getpid(), signal.SIGKILL)


def test_kills_leave_no_trace(
    app: Flask, client: FlaskClient, database_url: str, tmp_path: Path
) -> None:
    add_shop(app, client)
    path = tmp_path / "feed.csv"
    expected, due = write_feed(path)
    given = settings(database_url, tmp_path)
    chance = random.Random(SEED)

    def run(kill: tuple[int, float] | None = None) -> int | None:
        process = _forks.Process(target=import_products, args=(given, str(path), kill))
        process.start()
        process.join()
        return process.exitcode

    with app.app_context():
        before = [0]
        for number in range(KILLS):
            # Each time a share of what is left: however late a kill comes, there is a next one.
            share = (PRODUCTS - before[-1]) // (KILLS - number + 4)
            ended = run((before[-1] + share, chance.random() * LONGEST_WAIT))
            assert ended == -signal.SIGKILL, path.with_suffix(".log").read_text()
            with db.reading() as connection:
                before.append(records(connection))
        ended = run()

        log = path.with_suffix(".log").read_text()
        assert ended == 1, log  # some rows were refused
        assert before == sorted(before)
        assert len(set(before)) > KILLS // 2
        assert log.count("Going on after line") > KILLS // 2
        assert f"{len(expected):,} added, 0 updated, {len(due)} refused" in log
        with db.reading() as connection:
            assert stored(connection) == expected
    with Path(f"{path}.refused.csv").open(newline="", encoding="utf-8-sig") as file:
        assert list(csv.reader(file))[1:] == due


def stored(connection: Connection) -> dict[str, Any]:
    """Return main SKU, price and stock by SKU."""
    return {
        row.sku: (
            row.main_id and row.main_id.removeprefix("mugshop/de-DE/"),
            row.price,
            row.stock_count,
        )
        for row in connection.execute(select(products))
        if not row.removed
    }
