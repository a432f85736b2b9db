"""``python -m tests.load.sku_paging``: does the last of a million SKUs cost what the first does?

One merchant has so many products in four locales, each with variants between them, and one in a
hundred is only wanted. All pages are walked once through the API, every SKU must come once; then
the first, the middle and the last page take turns, and the medians are printed in ms. With a
language or a country, too: neither may read what it does not list.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import alembic.command
from sqlalchemy import insert, make_url, text

from jay import create_app, make_ready
from jay.auth import service as auth
from jay.db.database import Database
from jay.merchants import service as merchants
from jay.ops.cli import alembic_config
from jay.products.models import product_id, products
from jay.products.wanted import wanted_skus
from tests.builders import Shop
from tests.conftest import settings
from tests.servers import postgres_cluster

LOCALES = (("de", "AT"), ("de", "DE"), ("en", "GB"), ("fr", "FR"))
ONE_WANTED_OF = 100
BATCH = 10_000
GOAL = 1.2


def seed(url: str, skus: int, variants: int) -> str:
    """Fill a database and return the merchant's API key."""
    alembic.command.upgrade(alembic_config(url), "head")
    database, now = Database(url), datetime.now(UTC)
    with database.transaction() as connection:
        merchant = merchants.add_merchant(
            connection, name="shop", lang="de", country="DE", currency="EUR", now=now
        )
        key = auth.issue_key(connection, merchant=merchant, now=now)
    for start in range(0, skus, BATCH):
        sent, wanted = [], []
        for number in range(start, min(start + BATCH, skus)):
            lang, country = LOCALES[number * len(LOCALES) // skus]
            sku = f"SKU-{number:07}"
            common = {"merchant_id": merchant, "lang": lang, "country": country}
            if number % ONE_WANTED_OF == 0:
                wanted.append({**common, "sku": sku, "wanted": now})
                continue
            main = product_id("shop", lang, country, sku)
            times = {"created": now, "updated": now}
            sent.append({**common, **times, "id": main, "sku": sku, "name": sku, "main_id": None})
            for size in range(variants):
                own = {"id": f"{main}-{size}", "sku": f"{sku}-{size}", "name": None}
                sent.append({**common, **times, **own, "main_id": main})
        with database.transaction() as connection:
            connection.execute(insert(products), sent)
            connection.execute(insert(wanted_skus), wanted)
    with database.reading() as connection:
        connection.execute(text("ANALYZE"))
    database.dispose()
    return key


def measure(url: str, folder: Path, skus: int, variants: int, rounds: int) -> Iterator[str]:
    """Yield the lines of one database."""
    key = seed(url, skus, variants)
    app = make_ready(create_app(settings(url, folder)))
    shop = Shop(app, app.test_client(), "shop", key)
    for query, count in (("", skus), ("?lang=de", skus // 2), ("?country=DE", skus // 4)):
        queries, found = [query], set[tuple[str, str, str]]()
        while True:
            page = fetch(shop, queries[-1])
            found |= {
                (block["lang"], block["country"], sku)
                for block in page["blocks"]
                for sku in block["skus"]
            }
            if "nextToken" not in page:
                break
            queries.append(f"?next_token={quote(page['nextToken'])}")
        if len(found) != count:
            raise RuntimeError(f"{len(found)} SKUs were listed, not {count}")
        # The very last page may be short.
        chosen = {"first": queries[0], "middle": queries[len(queries) // 2], "last": queries[-1]}
        times: dict[str, list[float]] = {name: [] for name in chosen}
        for _ in range(rounds):
            for name, one in chosen.items():
                began = time.perf_counter()
                fetch(shop, one)
                times[name].append((time.perf_counter() - began) * 1000)
        medians = {name: statistics.median(values) for name, values in times.items()}
        ratio = medians["last"] / medians["first"]
        shown = "".join(f"{medians[name]:>9.2f}" for name in chosen)
        verdict = "" if ratio <= GOAL else "  over"
        kind = make_url(url).get_backend_name()
        yield f"{kind:<12}{query:<12}{len(queries):>7}{shown}{ratio:>8.2f}{verdict}"
    app.extensions["jay.db"].dispose()


def fetch(shop: Shop, query: str) -> dict[str, Any]:
    """Get one page."""
    response = shop.call("GET", f"/shops/products{query}")
    if response.status_code != 200:
        raise RuntimeError(response.text)
    data: dict[str, Any] = response.json["data"]
    return data


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--skus", type=int, default=1_000_000)
    parser.add_argument("--variants", type=int, default=1, help="of each product")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    sizes = (options.skus, options.variants, options.rounds)
    print(f"{'':24}{'pages':>7}{'first':>9}{'middle':>9}{'last':>9}{'ratio':>8}   goal: {GOAL}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "postgresql":
            for line in measure(f"sqlite:///{folder / 'skus.sqlite3'}", folder, *sizes):
                print(line, flush=True)
        if options.only != "sqlite":
            with postgres_cluster() as url:
                for line in measure(url, folder, *sizes):
                    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
