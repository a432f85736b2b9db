"""``make bench``: the service against the limit, in one run on this machine.

Both sides run under the same gunicorn settings on the same database and get the same requests of
10,000 users from wrk. The service does everything: API key, ES256 partner token, validation,
rules, tracking event, ETag. The limit (``limit_app.py``) does the row work alone. The sides take
turns, and the medians are printed: requests a second, p50 and p99 in ms, and the ratio.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

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
from tests.servers import Gunicorn, free_port, postgres_cluster

USERS = 10_000
PRODUCTS = 200
CONNECTIONS = 8
WARM_UP_SECONDS = 15
TRACKING = (
    "eyJzZXNzaW9uX2lkIjoiZXhhbXBsZS1zZXNzaW9uLWlkLTEyMzQiLCJzdGFydF90aW1lIjoiMjAyNS0wMS0wMVQxMjow"
    "MDowMC4wMDAwMDAiLCJzb3VyY2UiOiJqYXkuYXBpLnBsYXlvdXQuZXhhbXBsZSJ9"
)


class Figures(NamedTuple):
    """What one run of wrk has measured."""

    per_second: float
    p50_ms: float
    p99_ms: float


class Seeded(NamedTuple):
    """A filled database and what callers need to know."""

    url: str
    partner: int
    api_key: str
    requests: Path


def seed(url: str, folder: Path) -> Seeded:
    """Migrate, and make a partner, 200 products and 10,000 users with four products each."""
    alembic.command.upgrade(alembic_config(url), "head")
    now = datetime.now(UTC)
    key = ECKey.generate_key("P-256", {"kid": "bench"})
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
                volatile={"price": 1250, "stock_count": 1000, "currency": "EUR", "vat": 19.0},
                description={"brand": "Brand", "images": [{"url": "https://shop.example/p.jpg"}]},
            ).id
            for number in range(PRODUCTS)
        ]
        rows = [
            {
                "routing_key": routing_key(partner, f"user-{number}"),
                "partner_id": partner,
                "user_id": f"user-{number}",
                "id": f"basket-{number}",
                "guest": False,
                "entries": [
                    {
                        "id": ids[(number + k) % PRODUCTS],
                        "count": k,
                        "price": 1250,
                        "currency": "EUR",
                    }
                    for k in range(4)
                ],
                "version": 1,
                "created": now,
                "last_changed": now,
                "expires": now + timedelta(days=365),
            }
            for number in range(USERS)
        ]
        connection.execute(insert(baskets), rows)
    database.dispose()
    claims = {"iss": "https://id.example", "aud": "basket", "exp": int(now.timestamp()) + 86400}
    requests = folder / "requests"
    with requests.open("wb") as file:
        for number in range(USERS):
            token = jwt.encode(
                {"alg": "ES256", "kid": "bench"}, {**claims, "sub": f"user-{number}"}, key
            )
            product = ids[number * 7 % PRODUCTS].replace("/", "%2F")
            file.write(f"user-{number} {product} {token}\n".encode())
    return Seeded(url, partner, api_key, requests)


SCRIPT = """
local file = io.open("{requests}")
local lines = {{}}
for line in file:lines() do lines[#lines + 1] = line end
local at = {start}
local base = {{["X-API-Key"] = "{api_key}", ["Content-Type"] = "application/json",
               ["X-JAY-Tracking"] = "{tracking}"}}
local requests = {{}}
init = function()
  for n, line in ipairs(lines) do
    local user, product, token = line:match("(%S+) (%S+) (%S+)")
    base["Authorization"] = "Bearer " .. token
    if "{method}" == "GET" then
      requests[n] = wrk.format("GET", "/v2/baskets/users/" .. user, base)
    else
      requests[n] = wrk.format("POST", "/v2/baskets/users/" .. user .. "/products/" .. product,
                               base, '{{"count": ' .. (n % 5 + 1) .. '}}')
    end
  end
end
request = function()
  at = at % #requests + 1
  return requests[at]
end
"""


def measure(port: int, seeded: Seeded, method: str, seconds: int, folder: Path) -> Figures:
    """Let wrk send requests for some seconds."""
    script = folder / "script.lua"
    script.write_text(
        SCRIPT.format(
            requests=seeded.requests,
            api_key=seeded.api_key,
            tracking=TRACKING,
            method=method,
            start=int.from_bytes(os.urandom(2)) % USERS,
        )
    )
    return run_wrk(port, script, CONNECTIONS, seconds)


def run_wrk(port: int, script: Path, connections: int, seconds: int) -> Figures:
    """Let wrk send what a script says; every answer must be a success."""
    run = subprocess.run(
        [
            *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"),
            *("-s", str(script), f"http://127.0.0.1:{port}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    if "Non-2xx" in run.stdout or "Socket errors" in run.stdout:
        raise RuntimeError(run.stdout)
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", run.stdout)[1])  # type: ignore[index]
    return Figures(rate, _percentile(run.stdout, 50), _percentile(run.stdout, 99))


def _percentile(text: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", text)
    if found is None:
        raise RuntimeError(text)
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


@contextmanager
def both_sides(seeded: Seeded, folder: Path) -> Iterator[dict[str, Gunicorn]]:
    """Run the service and the limit under the same gunicorn settings."""
    common = {
        "JAY_DATABASE_URL": seeded.url,
        "JAY_DATA_DIR": str(folder),
        "JAY_SECRET_KEY": "a secret of 32 bytes, for benchmarks",
        "JAY_PUBLIC_URL": "http://127.0.0.1:8000",
        "BENCH_PARTNER": str(seeded.partner),
    }
    sides = {
        "service": Gunicorn({**common, "PORT": str(free_port())}),
        "limit": Gunicorn({**common, "PORT": str(free_port())}, app="tests.load.limit_app:app"),
    }
    try:
        yield sides
    finally:
        for side in sides.values():
            side.stop()


def compare(seeded: Seeded, folder: Path, rounds: int, seconds: int) -> Iterator[str]:
    """Yield a line a request kind: both sides' medians and the ratio."""
    with both_sides(seeded, folder) as sides:
        for method, name in (("GET", "GET basket"), ("POST", "POST product")):
            results: dict[str, list[Figures]] = {"service": [], "limit": []}
            for gunicorn in sides.values():
                # Every user has come by once: a verified token is remembered for five minutes.
                measure(gunicorn.port, seeded, method, WARM_UP_SECONDS, folder)
            for _ in range(rounds):
                for side, gunicorn in sides.items():
                    results[side].append(measure(gunicorn.port, seeded, method, seconds, folder))
            service, limit = (_median(results[side]) for side in ("service", "limit"))
            kind = seeded.url.split("://")[0].split("+")[0]
            yield (
                f"{kind:<11}{name:<13}"
                f"{service.per_second:>9.0f}{service.p50_ms:>8.2f}{service.p99_ms:>8.2f}"
                f"{limit.per_second:>10.0f}{limit.p50_ms:>8.2f}{limit.p99_ms:>8.2f}"
                f"{service.per_second / limit.per_second:>8.2f}"
            )


def _median(figures: list[Figures]) -> Figures:
    return Figures(*(statistics.median(column) for column in zip(*figures, strict=True)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of each side")
    parser.add_argument("--seconds", type=int, default=5, help="seconds a round")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    print(f"{'':24}{'service':>9}{'p50':>8}{'p99':>8}{'limit':>10}{'p50':>8}{'p99':>8}{'ratio':>8}")
    print(f"{'':24}{'req/s':>9}{'ms':>8}{'ms':>8}{'req/s':>10}{'ms':>8}{'ms':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "postgresql":
            seeded = seed(f"sqlite:///{folder / 'bench.sqlite3'}", folder)
            for line in compare(seeded, folder, options.rounds, options.seconds):
                print(line, flush=True)
        if options.only != "sqlite":
            with postgres_cluster() as url:
                seeded = seed(url, folder)
                for line in compare(seeded, folder, options.rounds, options.seconds):
                    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
