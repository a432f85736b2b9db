"""``python -m tests.load.days FILE...``: the tables of ``make bench``, of several days.

Each file is what ``make bench ARGS='--save FILE'`` has written on a day. Printed is Markdown for
docs/PERFORMANCE.md: the ratios of all days beside each other, with those of the lowest and the
highest round, and what other servers would have gained.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from tests.load.figures import LIMIT, SERVICE, Measured
from tests.load.machine import commit, machine, speed

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SERVERS = {"granian": "Granian", "gevent": "gevent"}
ROWS = {
    "GET basket": ("`GET basket`, 10 products", "the same read"),
    "POST product": ("`POST product`", "the same read and write"),
    "POST details": ("`POST details`, 10 products", "the same query"),
    "POST guests": ("`POST guests`", "one insert"),
    "POST transfer": (
        "`POST transfer`, PNG included",
        "qrcode's and pillow's defaults, one insert",
    ),
    "TV poll": ("`TV poll`", "its `GET basket`"),
    "PATCH 50 SKUs": ("`PATCH 50 SKUs`", "one `executemany`"),
    "checkout": ("`checkout`: the start of one, 9 products", "the same rows, one transaction"),
    "purchase": (
        "`purchase` in the sandbox: three requests",
        "the same rows, three transactions",
    ),
}
"""How the rows are called among people, and what the limit does."""


class Saving:
    """Adds lines of JSON to a file: the beginning of a run, its rows, and its end.

    :param file: None if nothing is to be saved.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def begin(self, loop_ms: float, rounds: int, seconds: int) -> None:
        """Say when, where and of what it is."""
        self._write(
            {
                "began": datetime.now(UTC).isoformat(timespec="seconds"),
                "commit": commit(),
                "machine": machine(),
                "speed": speed(loop_ms),
                "loop_ms": loop_ms,
                "rounds": rounds,
                "seconds": seconds,
            }
        )

    def add(self, measured: Measured) -> None:
        """Add a row."""
        self._write(measured.to_json())

    def end(self, loop_ms: float) -> None:
        """Say that it is over."""
        self._write({"ended": datetime.now(UTC).isoformat(timespec="seconds"), "loop_ms": loop_ms})

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            with self._file.open("a") as file:
                file.write(json.dumps(line) + "\n")


@dataclass
class Day:
    """What was measured on a day, perhaps in several runs: of a row, the last one holds.

    :ivar under: the rows that were measured under other servers, too.
    """

    name: str
    runs: list[dict[str, Any]] = field(default_factory=list)
    loops_ms: list[float] = field(default_factory=list)
    rows: dict[tuple[str, str, int], Measured] = field(default_factory=dict)
    under: dict[tuple[str, str, int], Measured] = field(default_factory=dict)

    def told(self) -> str:
        """Say what the figures are of, as an item of a list."""
        run = self.runs[-1]
        commits = ", ".join(dict.fromkeys(f"`{one['commit']}`" for one in self.runs))
        began = datetime.fromisoformat(self.runs[0]["began"])
        errors = sum(one.errors(side) for one in self.rows.values() for side in one.sides)
        return (
            f"- {began:%-d %B %Y, %H:%M} UTC, {commits}: {run['machine']}; {run['speed']}."
            f" Before and after the runs the loop took {min(self.loops_ms):.0f} to"
            f" {max(self.loops_ms):.0f} ms. {run['rounds']} rounds of {run['seconds']} seconds;"
            f" {errors or 'no'} errors."
        )


def read(file: Path) -> Day:
    """Return what was measured on a day.

    :raises ValueError: the file holds no run.
    """
    day = Day("")
    for line in file.read_text().splitlines():
        saved = json.loads(line)
        if "loop_ms" in saved:
            day.loops_ms.append(saved["loop_ms"])
        if "began" in saved:
            day.runs.append(saved)
        elif "sides" in saved:
            measured = Measured.from_json(saved)
            key = measured.database, measured.row, measured.connections
            day.rows[key] = measured
            if measured.servers:
                day.under[key] = measured
    if not day.runs:
        raise ValueError(f"{file}: no run of make bench")
    day.name = f"{datetime.fromisoformat(day.runs[0]['began']):%-d %b}"
    return day


def ratios(days: list[Day]) -> Iterator[str]:
    """Yield a table for each database: the service's requests a second, of the limit's."""
    for database, keys in _by_database(key for day in days for key in day.rows):
        counts = sorted({connections for _, connections in keys})
        columns = [(connections, day) for connections in counts for day in days]
        yield (
            f"\n| {DATABASES[database]} | the limit does | goal |"
            + "".join(f" {connections}: {day.name} |" for connections, day in columns)
            + f" p99 at {counts[-1]}, times the limit's |"
        )
        yield "|---" * (4 + len(columns)) + "|"
        for row in dict.fromkeys(row for row, _ in keys):
            found = [day.rows.get((database, row, connections)) for connections, day in columns]
            goal = next(one.goal for one in found if one)
            cells = [str(one.rate(SERVICE, LIMIT)) if one else "" for one in found]
            p99 = [one.p99(SERVICE, LIMIT) for one in found[-len(days) :] if one]
            name, limit = ROWS.get(row, (row, ""))
            cells = [
                *(name, limit, "" if goal is None else f"{goal:.2f}"),
                *(*cells, ", ".join(f"{times.of_medians:.1f}" for times in p99)),
            ]
            yield f"| {' | '.join(cells)} |"


def speeds(day: Day) -> Iterator[str]:
    """Yield a table for each database: what the service answers, and the limit."""
    for database, keys in _by_database(day.rows):
        yield (
            f"\n| {DATABASES[database]}, {day.name} | requests/s | the limit's | p50, p99 in ms"
            " | the limit's | processor time in us | the limit's |"
        )
        yield "|---" * 7 + "|"
        for row, connections in keys:
            one = day.rows[database, row, connections]
            ours, theirs = one.median(SERVICE), one.median(LIMIT)
            cells = [f"{ROWS.get(row, (row,))[0]}, {connections}"]
            cells += [f"{each.per_second:,.0f}" for each in (ours, theirs)]
            cells += [f"{each.p50_ms:.1f}, {each.p99_ms:.1f}" for each in (ours, theirs)]
            cells += [f"{each.cpu_us:,.0f}" for each in (ours, theirs)]
            yield f"| {' | '.join(cells)} |"


def servers(day: Day) -> Iterator[str]:
    """Yield a table for each database: what the service would gain under other servers."""
    for database, keys in _by_database(day.under):
        names = list(
            dict.fromkeys(name for key in keys for name in day.under[database, *key].servers)
        )
        yield f"\n| {DATABASES[database]}, {day.name} | gunicorn: requests/s | p50, p99 in ms |" + (
            "".join(
                f" {SERVERS[name]}: times its requests/s | p50, p99 | times its processor time |"
                f" errors |"
                for name in names
            )
        )
        yield "|---" * (3 + 4 * len(names)) + "|"
        for row, connections in keys:
            one = day.under[database, row, connections]
            ours = one.median(SERVICE)
            cells = [f"{ROWS.get(row, (row,))[0]}, {connections}", f"{ours.per_second:,.0f}"]
            cells.append(f"{ours.p50_ms:.1f}, {ours.p99_ms:.1f}")
            for name in names:
                if name not in one.sides:
                    cells += [""] * 4
                    continue
                other = one.median(name)
                cells += [str(one.rate(name, SERVICE)), f"{other.p50_ms:.1f}, {other.p99_ms:.1f}"]
                cells += [f"{one.cpu(name, SERVICE).of_medians:.2f}", str(one.errors(name))]
            yield f"| {' | '.join(cells)} |"


def _by_database(
    places: Iterable[tuple[str, str, int]],
) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    order = {name: number for number, name in enumerate(ROWS)}
    keys = sorted(
        set(places), key=lambda key: (-(key[0] == "sqlite"), order.get(key[1], 99), key[2])
    )
    for database, group in groupby(keys, key=lambda key: key[0]):
        yield database, [(row, connections) for _, row, connections in group]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", nargs="+", type=Path)
    parser.add_argument("--speeds", action="store_true", help="and the last day's figures")
    options = parser.parse_args()
    days = [read(file) for file in options.file]
    if len({day.name for day in days}) < len(days):
        for day in days:
            day.name = f"{datetime.fromisoformat(day.runs[0]['began']):%-d %b, %H:%M}"
    for line in ratios(days):
        print(line)
    print()
    for day in days:
        print(day.told())
    if options.speeds:
        for line in speeds(days[-1]):
            print(line)
    for day in days:
        for line in servers(day):
            print(line)


if __name__ == "__main__":
    sys.exit(main())
