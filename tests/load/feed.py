"""``python -m tests.load.feed``: the feed against the bare driver, in one run on this machine.

*PATCH*: two gunicorn workers do everything (API key, validation, order of news, unknown SKUs) for
calls of 50 products that wrk sends over 4 connections. The limit is this process, which gives the
driver the same fields of the same SKUs as an ``executemany`` upsert, one transaction for 50, with
nothing else running. Both sides take turns; medians of products a second, and their ratio.

*Details*: wrk asks over one connection, for 50 products and for one, each with four variants;
medians of the median times. The statements of each are counted in this process.
"""

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import alembic.command
import psycopg
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import event, insert, text
from sqlalchemy.engine import make_url

from jay.auth import service as auth
from jay.baskets import service as baskets
from jay.db import prepared
from jay.db.database import Database
from jay.merchants import service as merchants
from jay.ops.cli import alembic_config
from jay.partners import service as partners
from jay.products.models import product_id, products
from tests.load.wrk import Request, run_wrk, script_with
from tests.servers import Gunicorn, free_port, postgres_cluster

MAINS, VARIANTS = 2_000, 4
A_CALL = 50
CALLS = 400
FEEDERS = 4
WARM_UP_SECONDS = 3
DESCRIPTION = {
    "brand": "Hafenlicht",
    "description": "Softfinish innen, Kapuze mit Tunnelzug, elastischer Bund. " * 10,
    "material": "100 % Leinen",
    "images": [{"url": "https://shop.example/p.jpg", "copyrightText": None}],
}
UPSERT = """
INSERT INTO products (id, merchant_id, sku, lang, country, created, updated,
                      stock_count, stock_set, price, org_price)
VALUES ({marks})
ON CONFLICT (id) DO UPDATE SET stock_count = excluded.stock_count, stock_set = excluded.stock_set,
    price = excluded.price, org_price = excluded.org_price, updated = excluded.updated
"""


class Seeded(NamedTuple):
    """A filled database, and who may call the service."""

    url: str
    shop: int
    shop_key: str
    app_key: str
    token: str
    calls: list[list[dict[str, Any]]]


def seed(url: str) -> Seeded:
    """Migrate, and make a partner with a user, a merchant and 10,000 rows of products."""
    alembic.command.upgrade(alembic_config(url), "head")
    now = datetime.now(UTC)
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    keys = dict(KeySet([key]).as_dict(private=False))
    database = Database(url)
    with database.transaction() as connection:
        partner = partners.add_partner(
            connection, name="bench", jwks=keys, algorithms=["ES256"], now=now
        )
        shop = merchants.add_merchant(
            connection, name="shop", lang="de", country="DE", currency="EUR", now=now
        )
        app_key = auth.issue_key(connection, partner=partner, now=now)
        shop_key = auth.issue_key(connection, merchant=shop, now=now)
        connection.execute(insert(products), list(_rows(shop, now)))
        if not database.is_sqlite:
            connection.execute(text("ANALYZE"))  # as the server does by itself after a while
    database.dispose()
    claims = {"sub": "someone", "exp": int(now.timestamp()) + 86400}
    token = jwt.encode({"alg": "ES256", "kid": "bench"}, claims, key)
    return Seeded(url, shop, shop_key, app_key, token, list(_calls()))


def _skus(main: int) -> list[str]:
    return [f"SKU-{main}", *(f"SKU-{main}-{size}" for size in range(VARIANTS))]


def _rows(shop: int, now: datetime) -> Iterator[dict[str, Any]]:
    for main in range(MAINS):
        for position, sku in enumerate(_skus(main)):
            yield {
                "id": product_id("shop", "de", "DE", sku),
                "merchant_id": shop,
                "sku": sku,
                "lang": "de",
                "country": "DE",
                "main_id": product_id("shop", "de", "DE", f"SKU-{main}") if position else None,
                "position": position,
                "variant_type": "size" if position else None,
                "variant_value": str(position) if position else None,
                "name": None if position else f"Product {main}",
                "description": None if position else DESCRIPTION,
                "price": 2799,
                "stock_count": 5,
                "stock_set": True,
                "created": now,
                "updated": now,
            }


def _calls() -> Iterator[list[dict[str, Any]]]:
    chance = random.Random(1)
    skus = [sku for main in range(MAINS) for sku in _skus(main)]
    for _ in range(CALLS):
        yield [
            {
                "sku": sku,
                "stockCount": chance.randrange(1000),
                "price": chance.randrange(100, 100_000),
                "orgPrice": chance.randrange(100, 100_000),
            }
            for sku in chance.sample(skus, A_CALL)
        ]


def bare_upserts(seeded: Seeded, seconds: float) -> float:
    """Return the products a second that the driver alone takes from one process."""
    url = make_url(seeded.url)
    now = datetime.now(UTC)
    rows = [
        [
            (
                *(product_id("shop", "de", "DE", item["sku"]), seeded.shop, item["sku"]),
                *("de", "DE", now.isoformat(" "), now.isoformat(" ")),
                *(item["stockCount"], True, item["price"], item["orgPrice"]),
            )
            for item in call
        ]
        for call in seeded.calls
    ]
    columns = len(rows[0][0])
    connection: Any
    if url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(url.database or "", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        begin, marks = "BEGIN IMMEDIATE", ", ".join("?" * columns)
    else:
        connection = psycopg.connect(
            host=url.host or "", port=url.port, user=url.username, dbname=url.database
        )
        connection.autocommit = True
        begin, marks = "BEGIN", ", ".join(["%s"] * columns)
    statement, cursor = UPSERT.format(marks=marks), connection.cursor()
    done, began = 0, time.perf_counter()
    while (lasted := time.perf_counter() - began) < seconds:
        connection.execute(begin)
        cursor.executemany(statement, rows[done % CALLS])
        connection.execute("COMMIT")
        done += 1
    connection.close()
    return done * A_CALL / lasted


@contextmanager
def service(url: str, folder: Path) -> Iterator[Gunicorn]:
    """Run the service with two workers, as it runs by default."""
    environ = {
        "JAY_DATABASE_URL": url,
        "JAY_DATA_DIR": str(folder),
        "JAY_SECRET_KEY": "a secret of 32 bytes, for benchmarks",
        "JAY_PUBLIC_URL": "http://127.0.0.1:8000",
        "PORT": str(free_port()),
    }
    with Gunicorn(environ) as gunicorn:
        yield gunicorn


def script(folder: Path, seeded: Seeded, method: str, path: str, bodies: list[Any]) -> Path:
    """Write down for wrk what it sends, in turn."""
    api_key = seeded.shop_key if path.startswith("/v1") else seeded.app_key
    written = [json.dumps(body, separators=(",", ":")) for body in bodies]
    return script_with(
        api_key, [Request(method, path, seeded.token, body) for body in written], folder
    )


def compare_patch(seeded: Seeded, folder: Path, rounds: int, seconds: int) -> str:
    """Return the line about PATCH."""
    bodies = [{"lang": "de", "country": "DE", "products": call} for call in seeded.calls]
    feed = script(folder, seeded, "PATCH", "/v1/shops/products", bodies)
    over_http, bare = [], []
    with service(seeded.url, folder) as gunicorn:
        run_wrk(gunicorn.port, feed, FEEDERS, WARM_UP_SECONDS)
        for _ in range(rounds):
            figures = run_wrk(gunicorn.port, feed, FEEDERS, seconds)
            over_http.append(figures.per_second * A_CALL)
            bare.append(bare_upserts(seeded, seconds))
    ours, limit = statistics.median(over_http), statistics.median(bare)
    return f"PATCH of 50   {ours:>10.0f} /s {limit:>10.0f} /s {ours / limit:>8.2f}"


def compare_details(seeded: Seeded, folder: Path, rounds: int, seconds: int) -> str:
    """Return the line about details."""
    ids = [product_id("shop", "de", "DE", f"SKU-{main}") for main in range(MAINS)]
    times: dict[int, list[float]] = {A_CALL: [], 1: []}
    with service(seeded.url, folder) as gunicorn:
        for turn in range(rounds + 1):
            for many, found in times.items():
                bodies = [ids[n : n + many] for n in range(0, 20 * many, many)]
                ask = script(folder, seeded, "POST", "/v2/baskets/products/details", bodies)
                figures = run_wrk(gunicorn.port, ask, 1, seconds)
                if turn:  # the first one warms up
                    found.append(figures.p50_ms)
    many, one = (statistics.median(found) for found in times.values())
    counts = [statements(seeded.url, ids[:number]) for number in times]
    return (
        f"details       {many:>10.2f} ms {one:>10.2f} ms {many / one:>8.2f}"
        f"   statements {counts[0]} and {counts[1]}"
    )


def statements(url: str, ids: list[str]) -> int:
    """Count the statements that the details of these products take."""
    database = Database(url)
    counted = []
    execute: Callable[..., Any] = prepared.execute

    def counting(*args: Any) -> Any:
        counted.append(args)
        return execute(*args)

    with patch.object(prepared, "execute", counting), database.reading() as connection:
        event.listen(connection, "before_cursor_execute", lambda *args: counted.append(args))
        found = baskets.details(connection, ids, now=datetime.now(UTC))
    database.dispose()
    if any(product is None for _, product, _ in found):
        raise RuntimeError("a product is missing")
    return len(counted)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of each side")
    parser.add_argument("--seconds", type=int, default=5, help="seconds a round")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()

    def measure(url: str, folder: Path) -> None:
        kind = make_url(url).get_backend_name()
        seeded = seed(url)
        for compare in (compare_patch, compare_details):
            line = compare(seeded, folder, options.rounds, options.seconds)
            print(f"{kind:<12}{line}", flush=True)

    print(f"{'':26}{'service, or 50':>13} {'bare, or 1':>13}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "postgresql":
            measure(f"sqlite:///{folder / 'feed.sqlite3'}", folder)
        if options.only != "sqlite":
            with postgres_cluster() as url:
                measure(url, folder)


if __name__ == "__main__":
    sys.exit(main())
