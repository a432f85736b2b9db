"""``make bench``: the service against the limit, in one run on this machine.

Both sides run under the same gunicorn settings on the same database and get the same requests of
10,000 users from wrk. The service does everything: API key, ES256 partner token, validation,
rules, tracking event, ETag. The limit (``limit_app.py``) does the row work alone. The sides take
turns, and the medians are printed: requests a second, p50 and p99 in ms, and the ratio, with the
lowest and the highest one of a round; what a request costs in processor time of the workers and of
PostgreSQL, and that ratio, which is steady also where the machine does something else; how many
times the limit's p99 the service's is, and how many answers were errors. Before and after, a fixed
loop says how fast the machine is.

``--servers granian gevent`` lets the service take its turns under these servers, too, and prints
a line of each below: how many times gunicorn's figures theirs are. ``--save FILE`` adds all rounds
to a file, of which ``tests.load.days`` makes the tables of docs/PERFORMANCE.md, of several days.

What it asks is in ``rows``, of whom in ``seeding``, who answers in ``sides``, how it is sent in
``wrk`` and ``purchases``, what was measured in ``figures``, and where in ``machine``.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tests.load import purchases
from tests.load.days import Saving
from tests.load.figures import LIMIT, SERVICE, Figures, Measured
from tests.load.machine import loop_ms, machine, speed
from tests.load.rows import Row, rows_of, shoppers_of, shoppers_of_limit
from tests.load.seeding import USERS, Seeded, seed, service_environ
from tests.load.sides import SERVERS, both_sides
from tests.load.tv_polling import cpu_seconds
from tests.load.wrk import Request, run_wrk, script_of, warm_up
from tests.servers import Gunicorn, postgres_cluster, processes_of

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

QUICK_USERS = 100
CONNECTIONS = (16, 128)
FIRST_PURCHASES = 20
SHOPPERS_A_SECOND = 400
"""So many carts at most are taken to the checkout in a second, of which each is taken once."""


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
        """Let all sides do a row's work before it counts."""
        if row.flow:
            for side, gunicorn in sides.items():  # the service first: the limit copies its rows
                first = purchases.buy, self.shoppers[side], FIRST_PURCHASES
                purchases.do_first(gunicorn.port, *first)
            return
        for side, gunicorn in reversed(sides.items()):  # the service last: its minute counts
            script, requests = self._script(row, side)
            # What another server can't do is counted later, and ends nothing.
            warm_up(gunicorn.port, script, connections, requests, tolerant=side in SERVERS)

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
        sent = row.against if side == LIMIT and row.against else row.requests
        return script_of(sent, self.seeded, self.folder, merchant=row.merchant), len(sent)


def compare(
    seeded: Seeded, folder: Path, options: argparse.Namespace, cluster: str | None = None
) -> Iterator[Measured]:
    """Yield what a row and a number of connections have come to."""
    kind = seeded.url.split("://")[0].split("+")[0]
    new = shoppers_of(seeded)
    shoppers = {SERVICE: new, **dict.fromkeys(SERVERS, new), LIMIT: shoppers_of_limit(seeded)}
    bench = Bench(seeded, folder, shoppers, options.seconds, cluster)
    names = [row.name for row in rows_of(seeded, "", options.users)]
    for name in names:
        if options.row and not any(part in name for part in options.row):
            continue
        for connections in options.connections:
            # Begun anew, so that no token is known yet. Else those that the rows before have made
            # known would be forgotten, a minute later, in the midst of this one.
            with both_sides(seeded, folder, options.servers) as sides:
                rows = rows_of(seeded, sides[SERVICE].url, options.users)
                row = next(row for row in rows if row.name == name)
                bench.warm_up(row.fresh(), sides, connections)
                found: dict[str, list[Figures]] = {side: [] for side in sides}
                for _ in range(options.rounds):
                    asked = row.fresh()
                    for side, gunicorn in sides.items():
                        found[side].append(bench.measure(asked, side, gunicorn, connections))
                yield Measured(kind, name, row.goal, connections, found)


TITLES = f"{'p50':>8}{'p99':>8}"
HEAD = (
    f"{'':30}{'service':>9}{TITLES}{'limit':>10}{TITLES}{'ratio':>8}  {'of rounds':11}  (goal)"
    f"{'cpu us':>9}{'limit':>8}{'ratio':>7}{'p99 x':>7}{'errors':>8}{'limit':>7}"
)


def lines(measured: Measured) -> Iterator[str]:
    """Yield a line of the service and the limit, and one of each other server."""
    ours, theirs = measured.median(SERVICE), measured.median(LIMIT)
    rate, goal = measured.rate(SERVICE, LIMIT), measured.goal
    yield (
        f"{measured.database:<11}{measured.row:<14}{measured.connections:>5}"
        f"{ours.per_second:>9.0f}{ours.p50_ms:>8.2f}{ours.p99_ms:>8.2f}"
        f"{theirs.per_second:>10.0f}{theirs.p50_ms:>8.2f}{theirs.p99_ms:>8.2f}"
        f"{rate.of_medians:>8.2f}  {rate.least:.2f}-{rate.most:.2f}  "
        f"  {'(no)  ' if goal is None else f'({goal:.2f})'}"
        f"{ours.cpu_us:>9.0f}{theirs.cpu_us:>8.0f}{measured.cpu(LIMIT, SERVICE).of_medians:>7.2f}"
        f"{measured.p99(SERVICE, LIMIT).of_medians:>7.1f}{measured.errors(SERVICE):>8}"
        f"{measured.errors(LIMIT):>7}"
    )
    for server in measured.servers:
        other = measured.median(server)
        yield (
            f"{'':15}under {server:<9}"
            f"{other.per_second:>9.0f}{other.p50_ms:>8.2f}{other.p99_ms:>8.2f}"
            f"   times gunicorn's: {measured.rate(server, SERVICE)} requests/s,"
            f" {measured.p99(server, SERVICE).of_medians:.2f} p99,"
            f" {measured.cpu(server, SERVICE)} processor time; {measured.errors(server)} errors"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of each side")
    parser.add_argument("--seconds", type=int, default=5, help="seconds a round")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--row", nargs="+", help="only rows whose name holds one of these")
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument(
        "--servers", nargs="+", choices=SERVERS, default=[], help="serve it with these, too"
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="add all rounds to it")
    parser.add_argument("--quick", action="store_true", help="see that it works; no figures")
    options = parser.parse_args()
    options.users = USERS
    if options.quick:
        options.users, options.rounds, options.seconds = QUICK_USERS, 1, 1
        options.connections = options.connections[:1]
    runs = options.rounds * len(options.connections) * (1 + len(options.servers))
    users = options.users + SHOPPERS_A_SECOND * options.seconds * runs
    loop = loop_ms()
    print(machine())
    print(speed(loop))
    print(HEAD)
    saving = Saving(options.save)
    saving.begin(loop, options.rounds, options.seconds)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "postgresql":
            seeded = seed(f"sqlite:///{folder / 'bench.sqlite3'}", users)
            _tell(compare(seeded, folder, options), saving)
        if options.only != "sqlite":
            with postgres_cluster() as url:
                _tell(compare(seed(url, users), folder, options, url), saving)
    loop = loop_ms()
    print(speed(loop))
    saving.end(loop)


def _tell(found: Iterator[Measured], saving: Saving) -> None:
    for measured in found:
        print("\n".join(lines(measured)), flush=True)
        saving.add(measured)


if __name__ == "__main__":
    sys.exit(main())
