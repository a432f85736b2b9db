"""``python -m tests.load.memory``: does a worker stay small while ever new users come?

Each caller is a user of whom nobody has heard, with a token that nobody has seen: he reads his
basket, puts a product into it, asks for its details, starts a transfer whose state is asked for,
and a guest comes along. For ten minutes the memory of each of gunicorn's workers (RSS) is printed
every minute. It must stay below 130 MB, and not grow once what is remembered is full. At the end
its part is printed, too, where what processes share is divided among them (PSS).
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

import urllib3
from joserfc import jwt
from sqlalchemy import make_url

from tests.conftest import new_postgres_database
from tests.load.machine import speed
from tests.load.seeding import PRODUCTS, Seeded, seed, service_environ
from tests.load.wrk import TRACKING
from tests.servers import Gunicorn, free_port, postgres_cluster

SECONDS, USERS_A_SECOND = 600, 40
FIRST_USERS = 45_000
"""Come at once and before: until each worker remembers as many tokens as it ever does."""

MOST_MB = 130
GROWS_MB = 2
"""So much the last third may lie above the second one, by the medians: what an allocator does."""

LOOK_SECONDS = 2
CALLERS = 4


class Crowd:
    """Callers, each of them somebody new."""

    def __init__(self, url: str, known: Seeded) -> None:
        self.url, self.known = url, known
        self.users = self.requests = 0
        self._http = urllib3.PoolManager(maxsize=CALLERS, retries=False)
        self._ends = int(time.time()) + 86400

    def look(self, number: int) -> None:
        """Have a new user read a basket.

        :raises RuntimeError: it is not answered with 200.
        """
        user, mine = self._somebody(number)
        self._ask("GET", f"/v2/baskets/users/{user}", mine)

    def call(self, number: int) -> None:
        """Have a new user use the service.

        :raises RuntimeError: something is not answered with 200.
        """
        user, mine = self._somebody(number)
        base, product = f"/v2/baskets/users/{user}", self.known.products[number % PRODUCTS]
        self._ask("GET", base, mine)
        self._ask("POST", f"{base}/products/{quote(product, safe='')}", mine, {"count": 1})
        self._ask("POST", "/v2/baskets/products/details", mine, [product])
        offer = self._ask("POST", f"{base}/transfer?qr=true", mine)
        self._ask("GET", urlsplit(offer.json()["data"]["statusUrl"]).path)
        self._ask("POST", "/v2/baskets/guests")
        self.users += 1

    def _somebody(self, number: int) -> tuple[str, dict[str, str]]:
        user = f"user-{number}-{time.time_ns():x}"
        claims = {"iss": "https://id.example", "aud": "basket", "exp": self._ends, "sub": user}
        token = jwt.encode({"alg": "ES256", "kid": "bench"}, claims, self.known.key)
        return user, {"Authorization": f"Bearer {token}"}

    def _ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: object = None
    ) -> urllib3.BaseHTTPResponse:
        sent = {"X-API-Key": self.known.api_key, "X-JAY-Tracking": TRACKING, **(headers or {})}
        answer = self._http.request(method, self.url + path, headers=sent, json=body)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data[:300]!r}")
        self.requests += 1
        return answer


def resident_mb(pid: int) -> float:
    """Return how much memory a process holds, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


def proportional_mb(pid: int) -> float:
    """Return how much of it is a process's part (PSS), where others share it, in MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(rollup.split("Pss:")[1].split()[0]) * 1024 / 1e6


def watch(service: Gunicorn, crowd: Crowd, options: argparse.Namespace) -> Iterator[str]:
    """Let users come at an even pace, and yield what the workers hold, every minute and at last."""
    workers = service.workers()
    held: dict[int, list[float]] = {pid: [] for pid in workers}
    looked = told = 0
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(crowd.look, range(options.first)))
        shown = "".join(f"{resident_mb(pid):>9.1f}" for pid in workers)
        yield f"{'at first':>10}{options.first:>9,}{crowd.requests:>10,}{shown}"
        began = time.monotonic()
        for second in range(options.seconds):
            # Who is late is not made up for: the pace is what the machine bears.
            list(pool.map(crowd.call, range(second * options.rate, (second + 1) * options.rate)))
            time.sleep(max(0.0, second + 1 - (time.monotonic() - began)))
            passed = int(time.monotonic() - began)
            if passed // LOOK_SECONDS > looked:
                looked = passed // LOOK_SECONDS
                for pid in workers:
                    held[pid].append(resident_mb(pid))
            if passed // 60 > told:
                told = passed // 60
                shown = "".join(f"{values[-1]:>9.1f}" for values in held.values())
                yield f"{told:>6} min{crowd.users:>9,}{crowd.requests:>10,}{shown}"
            if passed >= options.seconds:
                break
    if service.workers() != workers:
        raise RuntimeError("a worker has ended")
    for pid, values in held.items():
        third = len(values) // 3
        grown = statistics.median(values[-third:]) - statistics.median(values[third : 2 * third])
        verdict = "" if max(values) < MOST_MB and grown <= GROWS_MB else "  over"
        yield (
            f"a worker: at most {max(values):.1f} MB, from the second third to the last"
            f" {grown:+.1f} MB, its part at the end {proportional_mb(pid):.1f} MB{verdict}"
        )


def main() -> None:
    """Print the table of each database."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--rate", type=int, default=USERS_A_SECOND, help="new users a second")
    parser.add_argument("--first", type=int, default=FIRST_USERS, help="users who come before")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    print(speed())
    print(f"{'':10}{'users':>9}{'requests':>10}{'MB':>9}   goal: below {MOST_MB} MB, not growing")
    with tempfile.TemporaryDirectory() as name:
        if options.only != "postgresql":
            run(f"sqlite:///{Path(name) / 'memory.sqlite3'}", Path(name), options)
        if options.only != "sqlite":
            with postgres_cluster() as cluster:
                run(new_postgres_database(cluster, "jay_memory"), Path(name), options)


def run(url: str, folder: Path, options: argparse.Namespace) -> None:
    """Print what one database's service holds."""
    known = seed(url, 1)
    # Of the tests' own packages the service would load one that no operator has.
    absent = folder / "absent"
    absent.mkdir(exist_ok=True)
    (absent / "rich.py").write_text("raise ImportError('it is not in requirements.txt')\n")
    environ = {
        **service_environ(url, folder),
        "PYTHONPATH": str(absent),
        "PORT": str(free_port()),
    }
    with Gunicorn(environ) as service:
        print(make_url(url).get_backend_name())
        for line in watch(service, Crowd(service.url, known), options):
            print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
