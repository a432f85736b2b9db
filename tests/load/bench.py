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
import itertools
import json
import math
import os
import platform
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import alembic.command
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import insert

from jay.auth import service as auth
from jay.baskets.models import baskets
from jay.db.database import Database
from jay.db.routing import routing_key
from jay.merchants import service as merchants
from jay.ops.cli import alembic_config
from jay.partners import service as partners
from jay.products import feeding
from tests.builders import complete
from tests.load import purchases
from tests.load.tv_polling import cpu_seconds
from tests.servers import (
    Granian,
    Gunicorn,
    free_port,
    postgres_cluster,
    processes_of,
)

USERS = 10_000
QUICK_USERS = 600
PRODUCTS = 200
CONNECTIONS = (16, 128)
WARM_UP_ROUNDS = 3
"""How often each request is sent before it counts, so that both workers know each token."""

SLOW_USERS = 1000
"""Of operations that take longer: no worker would know more tokens for the minute that it does."""

FIRST_PURCHASES = 20
CHUNK_SECONDS = 2
PATCHED = 50
STOCK = 2_000_000
DETAILED = 10
SCREENS = 50
LIMITS = (
    *("JAY_GUESTS_PER_KEY", "JAY_GUESTS_PER_ADDRESS", "JAY_TRANSFERS_PER_USER"),
    *("JAY_POLLS_PER_SCREEN", "JAY_REQUESTS_PER_KEY", "JAY_REQUESTS_PER_USER"),
)
TRACKING = (
    "eyJzZXNzaW9uX2lkIjoiZXhhbXBsZS1zZXNzaW9uLWlkLTEyMzQiLCJzdGFydF90aW1lIjoiMjAyNS0wMS0wMVQxMjow"
    "MDowMC4wMDAwMDAiLCJzb3VyY2UiOiJqYXkuYXBpLnBsYXlvdXQuZXhhbXBsZSJ9"
)


class Figures(NamedTuple):
    """What one run of wrk has measured."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int = 0
    errors: int = 0
    cpu_us: float = 0.0


class Seeded(NamedTuple):
    """A filled database and what callers need to know."""

    url: str
    partner: int
    api_key: str
    merchant_key: str
    tokens: dict[str, str]
    products: list[str]
    key: ECKey
    """Signs the tokens."""


def seed(url: str, number_of_users: int | None = None, *, every: int = 1) -> Seeded:
    """Migrate, and make a partner, 200 products and 10,000 users with ten products each.

    :param number_of_users: instead of 10,000.
    :param every: of how many users one is made: their numbers are that far apart.
    """
    alembic.command.upgrade(alembic_config(url), "head")
    now = datetime.now(UTC)
    key = ECKey.generate_key("P-256", {"kid": "bench"})
    users = [f"user-{number * every}" for number in range(number_of_users or USERS)]
    database = Database(url)
    with database.transaction() as connection:
        partner = partners.add_partner(
            connection,
            name="bench",
            jwks=dict(KeySet([key]).as_dict(private=False)),
            algorithms=["ES256"],
            issuer="https://id.example",
            audience="basket",
            now=now,
        )
        api_key = auth.issue_key(connection, partner=partner, now=now)
        shop = merchants.add_merchant(
            connection, name="shop", lang="de", country="DE", currency="EUR", now=now
        )
        merchant = merchants.merchant_by_id(connection, shop)
        ids = [
            feeding.put_product(
                connection,
                merchant,
                now=now,
                sku=f"SKU-{number}",
                name=f"Product {number}",
                volatile={"price": 1250, "stock_count": STOCK, "currency": "EUR", "vat": 19.0},
                description={"brand": "Brand", "images": [{"url": "https://shop.example/p.jpg"}]},
            ).id
            for number in range(PRODUCTS)
        ]
        merchant_key = auth.issue_key(connection, merchant=shop, now=now)
        complete(connection, shop)
        rows = [
            {
                "routing_key": routing_key(partner, user),
                "partner_id": partner,
                "user_id": user,
                "id": f"basket-{number}",
                "guest": False,
                "entries": [
                    {
                        "id": ids[(number + k) % PRODUCTS],
                        "count": k,
                        "price": 1250,
                        "currency": "EUR",
                    }
                    for k in range(DETAILED)
                ],
                "version": 1,
                "created": now,
                "last_changed": now,
                "expires": now + timedelta(days=365),
            }
            for number, user in enumerate(users)
        ]
        connection.execute(insert(baskets), rows)
    database.dispose()
    claims = {"iss": "https://id.example", "aud": "basket", "exp": int(now.timestamp()) + 86400}
    tokens = {
        user: jwt.encode({"alg": "ES256", "kid": "bench"}, {**claims, "sub": user}, key)
        for user in users
    }
    return Seeded(url, partner, api_key, merchant_key, tokens, ids, key)


class Request(NamedTuple):
    """A request that wrk sends."""

    method: str
    path: str
    token: str = ""
    body: str = ""


class Row(NamedTuple):
    """A line of the table.

    :ivar goal: the ratio to reach at least; None where none was asked for.
    :ivar against: what the limit is asked instead.
    :ivar again: makes the requests anew for each number of connections, as they grow old.
    :ivar flow: what one shopper after the other does instead, once each.
    """

    name: str
    goal: float | None
    requests: list[Request]
    against: list[Request] | None = None
    merchant: bool = False
    again: Callable[[], list[Request]] | None = None
    flow: purchases.Flow | None = None


def rows_of(seeded: Seeded, service: str) -> Iterator[Row]:
    """Yield what is measured, and at least which part of the limit each is to reach."""
    users = list(seeded.tokens.items())
    ids = seeded.products
    base = "/v2/baskets/users"
    reads = [Request("GET", f"{base}/{user}", token) for user, token in users]
    yield Row("GET basket", 0.75, reads)
    puts = [
        Request(
            "POST",
            f"{base}/{user}/products/{quote(ids[n * 7 % PRODUCTS], safe='')}",
            token,
            f'{{"count": {n % 5 + 1}}}',
        )
        for n, (user, token) in enumerate(users)
    ]
    yield Row("POST product", 0.85, puts)
    details = [
        Request(
            "POST",
            "/v2/baskets/products/details",
            token,
            json.dumps([ids[(n + k) % PRODUCTS] for k in range(DETAILED)]),
        )
        for n, (_, token) in enumerate(users)
    ]
    yield Row("POST details", 0.4, details)
    yield Row("POST guests", 0.4, [Request("POST", "/v2/baskets/guests")])
    slow = users[:SLOW_USERS]
    transfers = [Request("POST", f"{base}/{user}/transfer?qr=true", token) for user, token in slow]
    yield Row("POST transfer", 0.5, transfers)
    yield Row("TV poll", 0.8, [], reads[:SLOW_USERS], again=lambda: polls_of(seeded, service))
    patches = [
        Request("PATCH", "/v1/shops/products", body=json.dumps(_update(ids, first)))
        for first in range(PRODUCTS - PATCHED)
    ]
    yield Row("PATCH 50 SKUs", 0.6, patches, merchant=True)
    yield Row("checkout", None, [], flow=purchases.begin)
    yield Row("purchase", None, [], flow=purchases.buy)


def _update(ids: list[str], first: int) -> dict[str, object]:
    # By id, as the service locks them: the limit takes them as they come, and one side's last
    # requests must not end in a deadlock with the other's first.
    numbers = sorted(range(first, first + PATCHED), key=lambda number: ids[number])
    items = [
        {"sku": f"SKU-{number}", "price": 1000 + number, "stockCount": STOCK + first}
        for number in numbers
    ]
    return {"products": items, "currency": "EUR", "vat": 19}


def polls_of(seeded: Seeded, service: str) -> list[Request]:
    """Start transfers, and return what their TVs ask; after a minute they have ended."""
    found = []
    for user, token in list(seeded.tokens.items())[:SCREENS]:
        asked = urllib.request.Request(
            f"{service}/v2/baskets/users/{user}/transfer",
            method="POST",
            headers={"X-API-Key": seeded.api_key, "Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(asked) as answer:
            found.append(Request("GET", urlsplit(json.load(answer)["data"]["statusUrl"]).path))
    return found


SCRIPT = """
local requests = {{}}
local at = {start}
init = function()
  for line in io.open("{requests}"):lines() do
    local method, path, token, body = line:match("^(%S+)\\t(%S+)\\t(%S*)\\t(.*)$")
    local headers = {{["X-API-Key"] = "{api_key}", ["X-JAY-Tracking"] = "{tracking}"}}
    if token ~= "" then headers["Authorization"] = "Bearer " .. token end
    if body ~= "" then headers["Content-Type"] = "application/json" end
    requests[#requests + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def script_of(requests: list[Request], seeded: Seeded, folder: Path, *, merchant: bool) -> Path:
    """Write what wrk sends."""
    listed, script = folder / "requests", folder / "script.lua"
    listed.write_text("".join("\t".join(request) + "\n" for request in requests))
    start = int.from_bytes(os.urandom(4)) % len(requests)
    key = seeded.merchant_key if merchant else seeded.api_key
    script.write_text(SCRIPT.format(requests=listed, api_key=key, tracking=TRACKING, start=start))
    return script


def run_wrk(
    port: int, script: Path, connections: int, seconds: int, *, tolerant: bool = False
) -> Figures:
    """Let wrk send what a script says; every answer must be a success.

    :param tolerant: count those that are none instead.
    """
    run = subprocess.run(
        [
            *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"),
            *("-s", str(script), f"http://127.0.0.1:{port}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", run.stdout)
    broken = re.search(r"Socket errors: (.*)", run.stdout)
    errors = int(refused[1]) if refused else 0
    errors += sum(map(int, re.findall(r"\d+", broken[1]))) if broken else 0
    if errors and not tolerant:
        raise RuntimeError(run.stdout)
    count = int(re.search(r"(\d+) requests in", run.stdout)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)[1])  # type: ignore[index]
    return Figures(rate, _percentile(run.stdout, 50), _percentile(run.stdout, 99), count, errors)


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", text)
    if found is None:
        raise RuntimeError(text)
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


def service_environ(url: str, folder: Path) -> dict[str, str]:
    """Return the settings of a service that is measured."""
    return {
        "JAY_DATABASE_URL": url,
        "JAY_DATA_DIR": str(folder),
        "JAY_SECRET_KEY": "a secret of 32 bytes, for benchmarks",
        "JAY_PUBLIC_URL": "http://127.0.0.1:8000",
        # What is measured is what a request costs, and not that many are refused.
        **dict.fromkeys(LIMITS, "1000000000"),
    }


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


def shoppers_of(seeded: Seeded) -> Iterator[purchases.Shopper]:
    """Yield all users, those who have set nothing last: each can buy its cart once."""
    for user, token in reversed(seeded.tokens.items()):
        headers = {"X-API-Key": seeded.api_key, "Authorization": f"Bearer {token}"}
        yield purchases.Shopper(user, {**headers, "X-JAY-Tracking": TRACKING})


def shoppers_of_limit(seeded: Seeded) -> Iterator[purchases.Shopper]:
    """Yield users without end, who have the baskets of those that there are."""
    for number, user in enumerate(itertools.cycle(seeded.tokens)):
        yield purchases.Shopper(f"{user}~{number}", {})


def warm_up(port: int, script: Path, connections: int, requests: int) -> None:
    """Send each request a few times: what is remembered of it is remembered by both workers."""
    left = WARM_UP_ROUNDS * requests
    while left > 0:
        left -= run_wrk(port, script, connections, CHUNK_SECONDS).requests


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


def machine() -> str:
    """Say what machine it is."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    release = platform.freedesktop_os_release()["PRETTY_NAME"]
    return (
        f"{model[1] if model else platform.machine()}, {memory:.0f} GiB, {release},"
        f" Linux {platform.release()}, SQLite {sqlite3.sqlite_version}"
    )


def speed() -> str:
    """Say how fast the machine is at the moment, by a loop that is always the same."""
    began = time.perf_counter()
    sum(number * number for number in range(3_000_000))
    processors = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{processors} processors, load {load:.1f}, Python {sys.version.split()[0]}:"
        f" the fixed loop took {(time.perf_counter() - began) * 1000:.0f} ms"
    )


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
