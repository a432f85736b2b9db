"""``python -m tests.load.many_baskets``: what a basket costs among ten millions, and among 10,000.

Two databases of each kind, one small and one large, are filled in bulk: all baskets hold ten
products. Two services stand on them at the same time and take turns, so that both meet the same
machine; each is asked for 10,000 baskets that lie all over its table. Each of these was asked for
before, so that its pages are in memory; nothing of the filling is left to be written to the disk,
and who comes first changes from round to round. Printed is the median of the rounds' p50 in ms, of
reading a basket and of putting a product into it; and how many times as much processor time it
takes, of the workers and of PostgreSQL, which says whether the rest was waiting for the disk.
"""

import argparse
import itertools
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import create_engine, text

from jay.db.routing import routing_key
from tests.conftest import new_postgres_database
from tests.load.costs import spent
from tests.load.rows import rows_of
from tests.load.seeding import USERS, Seeded, seed, service_environ
from tests.load.wrk import run_wrk, script_of, warm_up
from tests.servers import Gunicorn, free_port, postgres_cluster, processes_of

SMALL, LARGE = USERS, 10_000_000
ROUNDS, SECONDS = 7, 4
CONNECTIONS = 4
GOAL = 1.15

COLUMNS = "entries, version, guest, created, last_changed, expires, offer, claimed"
OTHERS = "ix_baskets_expires", "uq_baskets_id"
"""What is made anew after the rows: in bulk that takes a fraction of the time."""


def fill(seeded: Seeded, size: int) -> float:
    """Put that many baskets into a database that ``seed`` has made; return the seconds it took.

    The baskets that are asked for lie among the others, and not beside each other.
    """
    began = time.monotonic()
    if seeded.url.startswith("sqlite"):
        _fill_sqlite(seeded, size)
    else:
        _fill_postgresql(seeded, size)
    return time.monotonic() - began


def _fill_sqlite(seeded: Seeded, size: int) -> None:
    connection = sqlite3.connect(seeded.url.removeprefix("sqlite:///"), isolation_level=None)
    connection.create_function(
        "route", 1, lambda user: routing_key(seeded.partner, user), deterministic=True
    )
    for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {setting}")
    indexes = [
        connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
        for name in OTHERS
    ]
    for name in OTHERS:
        connection.execute(f"DROP INDEX {name}")
    numbers = (
        f"WITH RECURSIVE numbers (n) AS"
        f" (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {size})"
    )
    connection.execute(
        f"CREATE TEMP TABLE pattern AS SELECT row_number() OVER () - 1 AS p, {COLUMNS} FROM baskets"
    )
    connection.execute("CREATE UNIQUE INDEX temp.of_pattern ON pattern (p)")
    connection.execute("DELETE FROM baskets")
    # In the order of their keys, and the small rows are sorted, not the large ones.
    connection.execute(
        f"CREATE TEMP TABLE routed AS {numbers}"
        " SELECT route('user-' || n) AS bucket, n FROM numbers ORDER BY 1"
    )
    connection.execute(
        f"INSERT INTO baskets (routing_key, partner_id, user_id, id, {COLUMNS})"
        f" SELECT bucket, {seeded.partner}, 'user-' || n, 'basket-' || n, {COLUMNS}"
        f" FROM routed CROSS JOIN pattern ON p = n % {USERS}"
    )
    for sql in indexes:
        connection.execute(sql)
    connection.execute("ANALYZE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _fill_postgresql(seeded: Seeded, size: int) -> None:
    engine = create_engine(seeded.url, isolation_level="AUTOCOMMIT")
    route = (
        f"(SELECT (get_byte(h, 0) * 256 + get_byte(h, 1)) % 4096"
        f" FROM sha256(convert_to('{seeded.partner} user-' || n, 'UTF8')) AS h)"
    )
    with engine.connect() as connection:
        query = text("SELECT indexdef FROM pg_indexes WHERE indexname = :name")
        indexes = [str(connection.scalar(query, {"name": name})) for name in OTHERS]
        for statement in (
            "SET statement_timeout = 0",
            "SET maintenance_work_mem = '1GB'",
            *(f"DROP INDEX {name}" for name in OTHERS),
            f"CREATE TEMP TABLE pattern AS SELECT row_number() OVER () - 1 AS p, {COLUMNS}"
            " FROM baskets",
            "CREATE UNIQUE INDEX ON pattern (p)",
            "TRUNCATE baskets",
            f"INSERT INTO baskets (routing_key, partner_id, user_id, id, {COLUMNS})"
            f" SELECT {route}, {seeded.partner}, 'user-' || n, 'basket-' || n, {COLUMNS}"
            f" FROM generate_series(0, {size - 1}) AS n JOIN pattern ON p = n % {USERS}",
            *indexes,
            "VACUUM ANALYZE baskets",
            "CHECKPOINT",
        ):
            connection.execute(text(statement))
    engine.dispose()


def check(seeded: Seeded, size: int) -> str:
    """Return how large the table is in which so many baskets lie, each where it is looked for.

    :raises RuntimeError: they do not.
    """
    engine = create_engine(seeded.url)
    with engine.connect() as connection:
        count = connection.scalar(text("SELECT count(*) FROM baskets"))
        user = list(seeded.tokens)[USERS // 3]
        key = connection.scalar(
            text("SELECT routing_key FROM baskets WHERE user_id = :user LIMIT 1"), {"user": user}
        )
        if seeded.url.startswith("sqlite"):
            query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        else:
            query = "SELECT pg_total_relation_size('baskets')"
        octets = int(connection.scalar(text(query)) or 0)
    engine.dispose()
    if (count, key) != (size, routing_key(seeded.partner, user)):
        raise RuntimeError(f"{count} baskets, {user} in the bucket {key}")
    return f"{octets / 1e9:.2f} GB"


def measure(
    sides: list[Seeded], folder: Path, options: argparse.Namespace, cluster: str | None
) -> Iterator[str]:
    """Yield the lines of one kind of database."""
    kind = sides[0].url.split("://")[0].split("+")[0]
    server = processes_of(cluster)[:1] if cluster else []
    with ExitStack() as stack:
        services = []
        for seeded in sides:
            environ = {**service_environ(seeded.url, folder), "PORT": str(free_port())}
            services.append(stack.enter_context(Gunicorn(environ)))
        pairs = [
            list(itertools.islice(rows_of(seeded, service.url), 2))
            for seeded, service in zip(sides, services, strict=True)
        ]
        for rows in zip(*pairs, strict=True):
            for seeded, service, row in zip(sides, services, rows, strict=True):
                script = script_of(row.requests, seeded, folder, merchant=False)
                warm_up(service.port, script, CONNECTIONS, USERS * 2 // 3)
            p50: list[list[float]] = [[], []]
            cpu: list[list[float]] = [[], []]
            for number in range(options.rounds):
                for side in (0, 1) if number % 2 else (1, 0):
                    service, seeded = services[side], sides[side]
                    script = script_of(rows[side].requests, seeded, folder, merchant=False)
                    masters = [service._process.pid, *server]
                    before = sum(map(spent, masters))
                    found = run_wrk(service.port, script, CONNECTIONS, SECONDS)
                    p50[side].append(found.p50_ms)
                    cpu[side].append((sum(map(spent, masters)) - before) / found.requests)
            small, large = (statistics.median(values) for values in p50)
            ratios = [b / a for a, b in zip(*p50, strict=True)]
            more = statistics.median(cpu[1]) / statistics.median(cpu[0])
            verdict = "" if large / small <= GOAL else "  over"
            yield (
                f"{kind:<12}{rows[0].name:<14}{small:>9.2f}{large:>9.2f}{large / small:>8.2f}"
                f"  {min(ratios):.2f}-{max(ratios):.2f}  processor {more:.2f}{verdict}"
            )


def run(
    urls: list[str], folder: Path, options: argparse.Namespace, cluster: str | None = None
) -> None:
    """Fill two databases of a kind, and print what a request to each of them costs.

    :param cluster: the PostgreSQL that both are in.
    """
    url, other = urls
    sides = [seed(url), seed(other, every=options.size // USERS)]
    for seeded, size in zip(sides, (SMALL, options.size), strict=True):
        seconds = fill(seeded, size)
        octets = check(seeded, size)
        print(f"{size:,} baskets in {seconds:.0f} s: {octets}", flush=True)
    # Else the first checkpoint of the large one waits until all of its filling is on the disk.
    os.sync()
    if options.wait:
        print("filled; Enter goes on", flush=True)
        sys.stdin.readline()
    for line in measure(sides, folder, options, cluster):
        print(line, flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=LARGE, help="baskets in the large database")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument(
        "--wait", action="store_true", help="wait for Enter before measuring, on a quiet machine"
    )
    options = parser.parse_args()
    print(f"{'':26}{SMALL:>9,}{options.size:>12,}   ratio   goal: {GOAL}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "postgresql":
            files = [folder / f"{size}.sqlite3" for size in ("small", "large")]
            run([f"sqlite:///{file}" for file in files], folder, options)
            for file in folder.glob("*.sqlite3*"):
                file.unlink()
        if options.only != "sqlite":
            with postgres_cluster() as cluster:
                urls = [new_postgres_database(cluster, f"jay_{size}") for size in ("s", "l")]
                run(urls, folder, options, cluster)


if __name__ == "__main__":
    sys.exit(main())
