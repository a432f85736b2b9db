"""``make bench``: the service against the limit, in one run on this machine.

Both sides run under the same gunicorn settings on the same database and get the same requests of
10,000 users from wrk. The service does everything: API key, ES256 partner token, validation,
rules, tracking event, ETag. The limit (``limit_app.py``) does the row work alone. The sides take
turns, and the medians are printed: requests a second, p50 and p99 in ms, and the ratio, with the
lowest and the highest one of a round; what a request costs in processor time of the workers and of
PostgreSQL, and that ratio, which is steady also where the machine does something else; how many
times the limit's p99 the service's is, and how many answers were errors. Before and after, a fixed
loop says how fast the machine is. ``--granian`` lets the service take its turns under Granian too,
and says how many times gunicorn's requests a second that gives.
"""

import argparse
import math
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.load import purchases
from tests.load.figures import Figures
from tests.load.machine import machine, speed
from tests.load.rows import Row, rows_of, shoppers_of, shoppers_of_limit
from tests.load.seeding import USERS, Seeded, seed, service_environ
from tests.load.tv_polling import cpu_seconds
from tests.load.wrk import Request, run_wrk, script_of, warm_up
from tests.servers import (
    Granian,
    Gunicorn,
    free_port,
    postgres_cluster,
    processes_of,
)

__all__ = [
    "Request",
    "machine",
    "rows_of",
    "run_wrk",
    "script_of",
    "seed",
    "service_environ",
    "speed",
]

QUICK_USERS = 600
CONNECTIONS = (16, 128)
FIRST_PURCHASES = 20


@contextmanager
def both_sides(
    seeded: Seeded, folder: Path, *, granian: bool = False
) -> Iterator[dict[str, Gunicorn]]:
    """Run the service and the limit under the same gunicorn settings.

    :param granian: and the service under Granian, with as many workers and threads.
    """
    common = {
        **service_environ(seeded.url, folder),
        "BENCH_PARTNER": str(seeded.partner),
        "JAY_DEMO": "1",  # the sandbox's
    }
    sides = {
        "service": Gunicorn({**common, "PORT": str(free_port())}),
        "limit": Gunicorn({**common, "PORT": str(free_port())}, app="tests.load.limit_app:app"),
    }
    if granian:
        sides["granian"] = Granian({**common, "PORT": str(free_port())})
    try:
        yield sides
    finally:
        for side in sides.values():
            side.stop()


class Bench(NamedTuple):
    """What all rows on a database are measured with.

    :ivar shoppers: those who have not bought yet, of each side.
    """

    seeded: Seeded
    folder: Path
    shoppers: dict[str, Iterator[purchases.Shopper]]
    seconds: int
    cluster: str | None

    def warm_up(self, row: Row, sides: dict[str, Gunicorn], connections: int) -> None:
        """Let both sides do a row's work before it counts."""
        for side, gunicorn in sides.items():  # the service first: the limit copies its rows
            if row.flow:
                first = purchases.buy, self.shoppers[side], FIRST_PURCHASES
                purchases.do_first(gunicorn.port, *first)
                continue
            script, requests = self._script(row, side)
            warm_up(gunicorn.port, script, connections, requests)

    def measure(self, row: Row, side: str, gunicorn: Gunicorn, connections: int) -> Figures:
        """Measure a row once at one of the sides."""
        before = self._processor_seconds(gunicorn)
        found = self._run(row, side, gunicorn.port, connections)
        took = self._processor_seconds(gunicorn) - before
        return found._replace(cpu_us=took * 1e6 / max(1, found.requests))

    def _processor_seconds(self, gunicorn: Gunicorn) -> float:
        database = processes_of(self.cluster) if self.cluster else ()
        taken = 0.0
        for process in (*gunicorn.workers(), *database):
            with suppress(FileNotFoundError, ProcessLookupError):  # one that has gone meanwhile
                taken += cpu_seconds(process)
        return taken

    def _run(self, row: Row, side: str, port: int, connections: int) -> Figures:
        seconds = self.seconds
        if row.flow:
            return Figures(
                *purchases.run(port, row.flow, self.shoppers[side], connections, seconds)
            )
        script, _ = self._script(row, side)
        return run_wrk(port, script, connections, seconds, tolerant=True)

    def _script(self, row: Row, side: str) -> tuple[Path, int]:
        sent = row.against if side == "limit" and row.against else row.requests
        return script_of(sent, self.seeded, self.folder, merchant=row.merchant), len(sent)


def compare(
    seeded: Seeded, folder: Path, options: argparse.Namespace, cluster: str | None = None
) -> Iterator[str]:
    """Yield a line a request kind and number of connections: both sides' medians and the ratio."""
    kind = seeded.url.split("://")[0].split("+")[0]
    new = shoppers_of(seeded)
    shoppers = {"service": new, "granian": new, "limit": shoppers_of_limit(seeded)}
    bench = Bench(seeded, folder, shoppers, options.seconds, cluster)
    with both_sides(seeded, folder, granian=options.granian) as sides:
        for row in rows_of(seeded, sides["service"].url):
            if options.row and not any(name in row.name for name in options.row):
                continue
            for number, connections in enumerate(options.connections):
                measured = row._replace(requests=row.again()) if row.again else row
                if number == 0:
                    bench.warm_up(measured, sides, connections)
                found: dict[str, list[Figures]] = {side: [] for side in sides}
                for _ in range(options.rounds):
                    for side, gunicorn in sides.items():
                        found[side].append(bench.measure(measured, side, gunicorn, connections))
                line = _line(kind, row, connections, found["service"], found["limit"])
                yield line + (_granian(found) if options.granian else "")


def _line(
    kind: str, row: Row, connections: int, service: list[Figures], limit: list[Figures]
) -> str:
    ours, theirs = _median(service), _median(limit)
    ratios = _ratios(service, limit)
    return (
        f"{kind:<11}{row.name:<14}{connections:>5}"
        f"{ours.per_second:>9.0f}{ours.p50_ms:>8.2f}{ours.p99_ms:>8.2f}"
        f"{theirs.per_second:>10.0f}{theirs.p50_ms:>8.2f}{theirs.p99_ms:>8.2f}"
        f"{ours.per_second / theirs.per_second:>8.2f}  {min(ratios):.2f}-{max(ratios):.2f}"
        f"  {'(no)  ' if row.goal is None else f'({row.goal:.2f})'}"
        f"{ours.cpu_us:>9.0f}{theirs.cpu_us:>8.0f}{theirs.cpu_us / ours.cpu_us:>7.2f}"
        f"{ours.p99_ms / theirs.p99_ms:>7.1f}{sum(one.errors for one in service):>8}"
        f"{sum(one.errors for one in limit):>7}"
    )


def _granian(found: dict[str, list[Figures]]) -> str:
    ours, other = _median(found["service"]), _median(found["granian"])
    ratios = _ratios(found["granian"], found["service"])
    return (
        f"{other.per_second:>10.0f}{other.p50_ms:>8.2f}{other.p99_ms:>8.2f}"
        f"{other.per_second / ours.per_second:>8.2f}  {min(ratios):.2f}-{max(ratios):.2f}"
    )


def _ratios(first: list[Figures], second: list[Figures]) -> list[float]:
    pairs = zip(first, second, strict=True)
    return [a.per_second / b.per_second if b.per_second else math.inf for a, b in pairs]


def _median(figures: list[Figures]) -> Figures:
    return Figures(*(statistics.median(column) for column in zip(*figures, strict=True)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of each side")
    parser.add_argument("--seconds", type=int, default=5, help="seconds a round")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--row", nargs="+", help="only rows whose name holds one of these")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--granian", action="store_true", help="and the service under Granian")
    parser.add_argument("--quick", action="store_true", help="see that it works; no figures")
    options = parser.parse_args()
    users = USERS
    if options.quick:
        users, options.rounds, options.seconds, options.connections = QUICK_USERS, 1, 1, [16]
    print(machine())
    print(speed())
    titles = f"{'p50':>8}{'p99':>8}"
    print(
        f"{'':30}{'service':>9}{titles}{'limit':>10}{titles}{'ratio':>8}  {'of rounds':9}  (goal)"
        f"{'cpu us':>9}{'limit':>8}{'ratio':>7}"
        f"{'p99 x':>7}{'errors':>8}{'limit':>7}"
        + (f"{'granian':>10}{titles}{'x':>8}  of rounds" if options.granian else "")
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "postgresql":
            seeded = seed(f"sqlite:///{folder / 'bench.sqlite3'}", users)
            for line in compare(seeded, folder, options):
                print(line, flush=True)
        if options.only != "sqlite":
            with postgres_cluster() as url:
                for line in compare(seed(url, users), folder, options, url):
                    print(line, flush=True)
    print(speed())


if __name__ == "__main__":
    sys.exit(main())
