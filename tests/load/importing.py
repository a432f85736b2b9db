"""``python -m tests.load.importing``: the import of a catalogue against the bare driver.

The limit is the driver's batch upsert of the same rows, which are in memory already: the same
tables and indexes, the same batches and transactions, no checks. On PostgreSQL it is the faster of
``executemany`` and one statement for the batch. Both sides take turns on fresh databases; the
medians are printed: rows of the catalogue a second, once into an empty catalogue and once over the
same products.
"""

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import alembic.command
import orjson
import psycopg
from sqlalchemy import select

from jay.clock import system_clock
from jay.db.database import Database
from jay.feeds import checkpoints, importing
from jay.feeds.files import FeedFile
from jay.feeds.importing import BATCH_ROWS
from jay.feeds.report import Reports
from jay.feeds.sources import Source
from jay.merchants import service as merchants
from jay.ops.cli import alembic_config
from jay.products.models import microseconds, products
from tests.servers import postgres_cluster

HEADER = (
    *("sku", "name", "stockCount", "price", "orgPrice", "currency", "vat", "brand", "description"),
    *("gender", "material", "colour", "url", "images", "variantOf", "type", "value"),
)
COLUMNS = tuple("".join(column.name) for column in products.columns)
Rows = Sequence[tuple[Any, ...]]


class Figures(NamedTuple):
    """Rows a second, into an empty catalogue and over the same products."""

    first: float
    again: float


def write_catalogue(path: Path, count: int) -> None:
    """Write products with texts, prices, stock and a picture; each fourth has three sizes."""
    text = "Made of thick cotton, brushed inside, with a hood that keeps its shape. " * 4
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(count):
            sku, price = f"TO-{number * 7919 % count:07}", 990 + number % 20_000
            writer.writerow(
                (
                    *(sku, f"Hoodie number {number}", number % 50, price, price + 500, "EUR", "19"),
                    *("Hafenlicht", text, number % 4 + 1, "100% cotton", "navy"),
                    *(f"https://shop.example/p/{sku}", f"https://shop.example/i/{sku}.jpg"),
                    *("", "", ""),
                )
            )
            if number % 4 == 0:
                for size in ("S", "M", "L"):
                    row = dict.fromkeys(HEADER, "")
                    row |= {"sku": f"{sku}-{size}", "stockCount": "5", "variantOf": sku}
                    row |= {"type": "size", "value": size}
                    writer.writerow(row.values())


@contextmanager
def fresh(kind: str, folder: Path, cluster: str | None) -> Iterator[Database]:
    """Make an empty database with one merchant."""
    name = f"bench{time.monotonic_ns()}"
    if cluster is None:
        url = f"sqlite:///{folder / name}.sqlite3"
    else:
        with psycopg.connect(dsn(cluster), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        url = cluster.rsplit("/", 1)[0] + "/" + name
    alembic.command.upgrade(alembic_config(url), "head")
    database = Database(url)
    with database.transaction() as connection:
        locale = {"lang": "de", "country": "DE", "currency": "EUR"}
        merchants.add_merchant(connection, name="shop", now=datetime.now(UTC), **locale)
    yield database
    database.dispose()


def dsn(url: str) -> str:
    """Return the URL as the driver takes it."""
    return url.replace("+psycopg", "")


def import_once(database: Database, path: Path) -> float:
    """Import the file as the command does; return the seconds."""
    begun = time.perf_counter()
    with database.reading() as connection:
        merchant = merchants.merchant_by_id(
            connection, merchants.merchant_id(connection, "shop") or 0
        )
    now = datetime.now(UTC)
    feed = FeedFile(path)
    source = Source(feed, None)
    source.survey()
    with database.transaction() as connection:
        import_, _ = checkpoints.begin(
            connection,
            merchant,
            fingerprint=feed.fingerprint(),
            file=path.name,
            as_of=microseconds(now),
            now=now,
        )
    steps = importing.run(
        database.write,
        merchant,
        import_,
        source.records("DE", now),
        Reports.beside(path),
        clock=system_clock,
        still_valid=feed.check_unchanged,
        ahead=not database.is_sqlite,
    )
    *_, import_ = steps
    assert import_.refused == 0
    importing.finish(database.write, merchant, import_, parted=True, clock=system_clock)
    feed.close()
    return time.perf_counter() - begun


def stored_rows(database: Database) -> Rows:
    """Return the catalogue as the driver is given it, main products before their variants."""
    query = select(products).order_by(products.c.created, products.c.main_id.is_not(None))
    with database.reading() as connection:
        result = connection.exec_driver_sql(str(query.compile(database.engine)))
        return [tuple(row) for row in result]


def batches(rows: Rows) -> Iterator[Rows]:
    """Cut the rows as the import does."""
    for start in range(0, len(rows), BATCH_ROWS):
        yield rows[start : start + BATCH_ROWS]


def upsert(placeholders: str) -> str:
    """Return the statement that replaces whole rows."""
    changes = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name != "id")
    return (
        f"INSERT INTO products ({', '.join(COLUMNS)}) {placeholders}"
        f" ON CONFLICT (id) DO UPDATE SET {changes}"
    )


def bare_sqlite(database: Database, rows: Rows) -> float:
    """Write the rows with the driver alone; return the seconds."""
    statement = upsert(f"VALUES ({', '.join('?' * len(COLUMNS))})")
    with database.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        begun = time.perf_counter()
        for batch in batches(rows):
            driver.execute("BEGIN IMMEDIATE")
            driver.executemany(statement, batch)
            driver.execute("COMMIT")
        return time.perf_counter() - begun


def bare_postgresql_rows(database: Database, rows: Rows) -> float:
    """Write the rows with ``executemany``; return the seconds."""
    statement = upsert(f"VALUES ({', '.join(['%s'] * len(COLUMNS))})")
    as_json = [COLUMNS.index("description"), COLUMNS.index("shipping")]
    given = [
        tuple(
            psycopg.types.json.Json(value) if place in as_json and value is not None else value
            for place, value in enumerate(row)
        )
        for row in rows
    ]
    return _on_postgresql(
        database, given, lambda cursor, batch: cursor.executemany(statement, batch)
    )


def bare_postgresql_batch(database: Database, rows: Rows) -> float:
    """Write the rows with one statement for each batch; return the seconds."""
    types = (column.type.compile(database.engine.dialect) for column in products.columns)
    defined = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, types, strict=True))
    statement = upsert(f"SELECT * FROM json_to_recordset(%s::json) AS r({defined})")
    given = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    return _on_postgresql(
        database,
        given,
        lambda cursor, batch: cursor.execute(statement, (orjson.dumps(batch).decode(),)),
    )


def _on_postgresql(database: Database, rows: Any, write: Callable[[Any, Any], Any]) -> float:
    url = dsn(database.url.render_as_string(hide_password=False))
    with psycopg.connect(url, autocommit=True) as connection:
        begun = time.perf_counter()
        for batch in batches(rows):
            with connection.transaction():
                write(connection.cursor(), batch)
        return time.perf_counter() - begun


LIMITS = {
    "sqlite": {"bare driver, executemany": bare_sqlite},
    "postgresql": {
        "bare driver, executemany": bare_postgresql_rows,
        "bare driver, one statement a batch": bare_postgresql_batch,
    },
}


def measure(kind: str, path: Path, rounds: int, cluster: str | None) -> None:
    """Let both sides take turns and print the medians."""
    runs: dict[str, list[Figures]] = {name: [] for name in ("import", *LIMITS[kind])}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            with fresh(kind, Path(folder), cluster) as database:
                seconds = [import_once(database, path) for _ in range(2)]
                rows = stored_rows(database)
            runs["import"].append(Figures(*(len(rows) / took for took in seconds)))
            for name, limit in LIMITS[kind].items():
                with fresh(kind, Path(folder), cluster) as database:
                    seconds = [limit(database, rows) for _ in range(2)]
                runs[name].append(Figures(*(len(rows) / took for took in seconds)))
    medians = {
        name: Figures(*(statistics.median(column) for column in zip(*figures, strict=True)))
        for name, figures in runs.items()
    }
    for name, figures in medians.items():
        print(f"{kind:<11} {name:<36} {figures.first:>9,.0f} {figures.again:>9,.0f}")
    best = Figures(*(max(medians[n][i] for n in LIMITS[kind]) for i in range(2)))
    ratios = [ours / limit for ours, limit in zip(medians["import"], best, strict=True)]
    print(f"{kind:<11} {'ratio':<36} {ratios[0]:>9.2f} {ratios[1]:>9.2f}")


def main() -> None:
    """Measure both kinds of database."""
    parser = argparse.ArgumentParser(description="The import against the bare driver.")
    parser.add_argument("--products", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", choices=tuple(LIMITS), action="append")
    options = parser.parse_args()
    print(f"{'rows a second':<48} {'new':>9} {'again':>9}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalogue.csv"
        write_catalogue(path, options.products)
        for kind in options.database or LIMITS:
            if kind == "sqlite":
                measure(kind, path, options.rounds, None)
            else:
                with postgres_cluster() as cluster:
                    measure(kind, path, options.rounds, cluster)


if __name__ == "__main__":
    main()
