"""``python -m tests.load.hanging``: what clients wait while the database has stopped to answer.

PostgreSQL: all processes of a private cluster are stopped by a signal, and go on later. SQLite:
another process holds the write lock. Printed are, for each kind of request, the statuses and the
longest time, and when a basket could be written again.
"""

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from tests.conftest import new_postgres_database
from tests.demo import demo_service
from tests.servers import postgres_cluster, processes_of, stopped

KEY = "demo-basket-key"
SECRET = "a secret of 32 bytes, for benchmarks"
PRODUCT = "demo-shop%2Fen-GB%2FTEEW-MUG-07"
PATIENCE_SECONDS = 90
EVERY_SECONDS = 0.2


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the write lock."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


def requests(port: int) -> dict[str, bytes]:
    """Make a guest, and return a request of each kind."""
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}/v2/baskets/guests"
    with urlopen(Request(url, b"{}", headers), timeout=PATIENCE_SECONDS) as answer:
        guest = json.load(answer)["data"]
    path = f"/v2/baskets/users/{guest['userId']}"
    common = (
        f"Host: localhost\r\nConnection: close\r\nX-API-Key: {KEY}\r\n"
        f"Authorization: Bearer {guest['token']}\r\n"
    )
    body = '{"count": 1}'
    write = (
        f"POST {path}/products/{PRODUCT} HTTP/1.1\r\n{common}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )
    return {
        "write": write.encode(),
        "read": f"GET {path} HTTP/1.1\r\n{common}\r\n".encode(),
        "healthz": b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    }


async def ask(port: int, request: bytes) -> tuple[str, float]:
    """Return the status of an answer, and the seconds that it took."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            status = (await reader.read())[9:12].decode() or "cut"
            writer.close()
    except TimeoutError:
        status = "none"
    except OSError:
        status = "cut"
    return status, time.monotonic() - began


async def during(port: int, asked: dict[str, bytes], seconds: float) -> list[str]:
    """Send requests of every kind for a while, and tell how they fared."""
    tasks: dict[str, list[asyncio.Task[tuple[str, float]]]] = {kind: [] for kind in asked}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for kind, request in asked.items():
            tasks[kind].append(asyncio.create_task(ask(port, request)))
        await asyncio.sleep(EVERY_SECONDS)
    lines = []
    for kind, ones in tasks.items():
        answers = await asyncio.gather(*ones)
        statuses = Counter(status for status, _ in answers)
        longest = max(took for _, took in answers)
        lines.append(f"  {kind:8} {dict(statuses)}, longest {longest:.1f} s")
    return lines


async def measure(port: int, asked: dict[str, bytes], fault: object, seconds: float) -> None:
    """Print what happens during a fault, and how long it lasts afterwards."""
    with fault:  # type: ignore[attr-defined]
        running = asyncio.create_task(during(port, asked, seconds))
        await asyncio.sleep(seconds)
    over = time.monotonic()
    while (await ask(port, asked["write"]))[0] != "200":
        await asyncio.sleep(0.1)
    again = time.monotonic() - over
    print("\n".join([*await running, f"  written again {again:.1f} s after it"]), flush=True)


def main() -> None:
    """Show it on both databases."""
    parser = argparse.ArgumentParser(description="What clients wait while the database hangs.")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with demo_service(folder) as service:
            print("SQLite, its write lock held by another process:", flush=True)
            asked = requests(service.port)
            asyncio.run(
                measure(service.port, asked, locked(folder / "jay.sqlite3"), options.seconds)
            )
        with postgres_cluster() as cluster:
            url = new_postgres_database(cluster, "jay_hanging")
            with demo_service(folder, JAY_DATABASE_URL=url, JAY_SECRET_KEY=SECRET) as service:
                print("PostgreSQL, stopped:", flush=True)
                asked = requests(service.port)
                asyncio.run(
                    measure(service.port, asked, stopped(*processes_of(cluster)), options.seconds)
                )


if __name__ == "__main__":
    sys.exit(main())
