"""``python -m tests.load.costs``: what a request costs a node, and what it costs PostgreSQL.

The requests of ``make bench``, to the service alone. Printed is the processor time (user and
system) of gunicorn's processes and of PostgreSQL's, in ms a request, by the median of some rounds:
the figures that ``docs/SCALING.md`` reckons with. What sends the requests does not count, and other
work on the machine makes them a little larger only.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.load.machine import speed
from tests.load.rows import Row, rows_of
from tests.load.seeding import Seeded, seed, service_environ
from tests.load.tv_polling import TICKS_A_SECOND, cpu_seconds
from tests.load.wrk import run_wrk, script_of, warm_up
from tests.servers import Gunicorn, children_of, free_port, postgres_cluster, processes_of

CONNECTIONS, ROUNDS, SECONDS = 16, 3, 5


def spent(parent: int) -> float:
    """Return the processor time of a process and its children, with those that have ended."""
    stat = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()
    seconds = (int(stat[13]) + int(stat[14])) / TICKS_A_SECOND
    for process in (parent, *children_of(parent)):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has gone meanwhile
            seconds += cpu_seconds(process)
    return seconds


def measure(service: Gunicorn, cluster: str, seeded: Seeded, row: Row, folder: Path) -> str:
    """Return the line of one kind of request."""
    script = script_of(row.requests, seeded, folder, merchant=row.merchant)
    warm_up(service.port, script, CONNECTIONS, len(row.requests))
    parents = service._process.pid, processes_of(cluster)[0]
    found: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        before = [spent(each) for each in parents]
        sent = run_wrk(service.port, script, CONNECTIONS, SECONDS).requests
        after = [spent(each) for each in parents]
        node, server = (1000 * (b - a) / sent for a, b in zip(before, after, strict=True))
        found.append((node, server))
    node, server = (statistics.median(column) for column in zip(*found, strict=True))
    spread = f"{min(found)[0]:.2f}-{max(found)[0]:.2f}"
    return f"{row.name:<16}{node:>8.2f}{server:>12.2f}   {spread}"


def lines(cluster: str, folder: Path, only: str | None) -> Iterator[str]:
    """Yield the table."""
    seeded = seed(cluster)
    environ = {**service_environ(seeded.url, folder), "PORT": str(free_port())}
    with Gunicorn(environ) as service:
        for row in rows_of(seeded, service.url):
            if row.flow is None and (only is None or only in row.name):
                sent = row.fresh()
                yield measure(service, cluster, seeded, sent, folder)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--row", help="only rows whose name holds this")
    options = parser.parse_args()
    print(speed())
    print(f"{'ms a request':<16}{'a node':>8}{'PostgreSQL':>12}   a node's rounds")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name, postgres_cluster() as cluster:
        for line in lines(cluster, Path(name), options.row):
            print(line, flush=True)
    print(f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}; {speed()}")


if __name__ == "__main__":
    sys.exit(main())
