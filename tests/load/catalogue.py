"""``python -m tests.load.catalogue``: what the catalogue costs with a million products.

A generated catalogue of ten merchants, one of them small, is stored in each kind of database.
Printed are the medians of whole requests to ``/catalogue`` in ms, in one process, after one that
warms up: the first page, one in the middle, the last; searches for words that are common, rare and
nowhere, for ids, and the filters. A search in vain is the worst one: it is one pass over an index.
"""

import argparse
import io
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from itertools import islice
from pathlib import Path
from typing import Any

import alembic.command
from flask import Flask
from sqlalchemy import insert, select, text

from jay import create_app
from jay.db.database import Database
from jay.merchants import service as merchant_service
from jay.ops.cli import alembic_config
from jay.products.models import product_id, products
from jay.products.search import search_text
from tests.clock import NOON
from tests.conftest import new_postgres_database, settings
from tests.servers import postgres_cluster

PRODUCTS = 1_000_000
SMALL = 1_000
RUNS = 5
BATCH = 5_000
KINDS = ("Kapuzenpullover", "Sneaker", "Regenmantel", "Becher", "Leselampe", "Rucksack", "Kappe")
WORDS = ("Hafenlicht", "Abendrot", "Deich", "Pendler", "Riviera", "Lichtung", "Waldrand", "Nord")
BRANDS = ("Nordhalm", "Teewig", "Lumenau", "Sohlinde", "Regenfritz", "Tragolin", "Sonnhild")
DESCRIPTION = "Bequem vom ersten Schritt an und auffällig genug für den roten Teppich. " * 5


def rows(count: int, merchants: list[int]) -> Iterator[dict[str, Any]]:
    """Yield products: the last merchant has few, one in twenty is sold out, none has variants."""
    chance = random.Random(1)
    for number in range(count):
        small = number < SMALL
        which = len(merchants) - 1 if small else number % (len(merchants) - 1)
        brand = chance.choice(BRANDS)
        name = f"{chance.choice(KINDS)} {chance.choice(WORDS)} {number % 997}"
        sku = f"{brand[:4].upper()}-{number:07d}"
        yield {
            "id": product_id(f"shop-{which}", "de", "DE", sku),
            "merchant_id": merchants[which],
            "sku": sku,
            "lang": "de",
            "country": "DE",
            "name": name,
            "search": search_text(name=name, brand=brand, sku=sku),
            "price": 1990,
            "stock_count": chance.choice((0, *range(1, 20))),
            "stock_set": True,
            "description": {"brand": brand, "description": DESCRIPTION},
            "created": NOON,
            "updated": NOON,
        }


def fill(url: str, count: int) -> None:
    """Store the catalogue."""
    alembic.command.upgrade(alembic_config(url), "head")
    database = Database(url)
    with database.transaction() as connection:
        merchants = [
            merchant_service.add_merchant(
                connection, name=f"shop-{n}", lang="de", country="DE", currency="EUR", now=NOON
            )
            for n in range(10)
        ]
    made = rows(count, merchants)
    while batch := list(islice(made, BATCH)):
        with database.transaction() as connection:
            connection.execute(insert(products), batch)
    if not database.is_sqlite:
        with database.reading() as connection:
            # As autovacuum does within minutes.
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM ANALYZE products"))
    database.dispose()


def questions(app: Flask, count: int) -> dict[str, str]:
    """Return what is asked, by what it is called."""
    order = (products.c.search, products.c.id)
    query = select(products.c.id).where(products.c.search.is_not(None))
    backwards = (column.desc() for column in order)
    with app.extensions["jay.db"].reading() as connection:
        middle = connection.execute(query.order_by(*order).offset(count // 2).limit(1)).scalar_one()
        last = connection.execute(query.order_by(*backwards).offset(20).limit(1)).scalar_one()
    sku = middle.rpartition("/")[2]
    return {
        "first page": "/catalogue",
        "page in the middle": f"/catalogue?after={middle}",
        "page before it": f"/catalogue?before={middle}",
        "last page": f"/catalogue?after={last}",
        "common word": "/catalogue?q=sneaker",
        "three common words": "/catalogue?q=sneaker+nord+42",
        "rare word": f"/catalogue?q={sku[-5:]}",
        "SKU": f"/catalogue?q={sku}",
        "product id": f"/catalogue?q={middle}",
        "word that is nowhere": "/catalogue?q=zeppelin",
        "small merchant": "/catalogue?merchant=shop-9",
        "rare word of small merchant": "/catalogue?merchant=shop-9&q=zeppelin",
        "locale": "/catalogue?locale=de-DE",
        "locale that is empty": "/catalogue?locale=de-AT",
        "sold out": "/catalogue?state=sold-out",
        "sold out, and nowhere": "/catalogue?state=sold-out&q=zeppelin",
        "not for sale: none": "/catalogue?state=not-shoppable",
        "a product": f"/catalogue/{middle}",
    }


def measure(url: str, folder: Path, count: int) -> None:
    """Print a line for each question."""
    app = create_app(settings(url, folder, demo=True))
    client = app.test_client()
    asked = questions(app, count)
    asked["sold out: none yet"] = "/catalogue?state=sold-out"
    for name, path in asked.items():
        if name == "sold out: none yet":
            # Nothing stops such a search before the end: the worst that can be asked for.
            with app.extensions["jay.db"].transaction() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(products.update().values(stock_count=5))
        took = []
        for _ in range(RUNS + 1):
            began = time.perf_counter()
            with redirect_stdout(io.StringIO()):  # the service's log
                response = client.get(path)
            took.append(1000 * (time.perf_counter() - began))
            if response.status_code != 200:
                raise RuntimeError(f"{path}: {response.status_code}")
        found = response.get_data(as_text=True).count('<li class="item">')
        print(
            f"  {name:<28} {statistics.median(took[1:]):8.1f} ms"
            f"   (first {took[0]:8.1f}, {found} products)",
            flush=True,
        )
    app.extensions["jay.db"].dispose()


def main() -> None:
    """Measure on both kinds of database."""
    parser = argparse.ArgumentParser(description="Measure the catalogue's pages.")
    parser.add_argument("--products", type=int, default=PRODUCTS)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.only != "postgresql":
            run("sqlite", f"sqlite:///{name}/jay.sqlite3", Path(name), options.products)
        if options.only != "sqlite":
            with postgres_cluster() as cluster:
                url = new_postgres_database(cluster, "jay_catalogue")
                run("postgresql", url, Path(name), options.products)


def run(kind: str, url: str, folder: Path, count: int) -> None:
    """Fill a database and measure it."""
    began = time.perf_counter()
    fill(url, count)
    seconds = time.perf_counter() - began
    print(f"{kind}: {count} products stored in {seconds:.0f} s", flush=True)
    measure(url, folder, count)


if __name__ == "__main__":
    main()
