"""``python -m tests.load.tv_polling``: what 500 TVs cost that poll at the server's interval.

Each TV shows a transfer of its own and asks for its state over a connection that it keeps, as
often as the last answer said. They go on when their minute is up, so that all of them poll all
the time; with ``--renew`` each asks for a new code then, which costs more. Printed is the processor
time of the service's processes (user and system), a poll and as a share of one core, while the
TVs poll.
What the TVs themselves cost does not count. Other work on the machine makes the figure larger.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import new_postgres_database
from tests.demo import demo_service
from tests.servers import Gunicorn, postgres_cluster

TVS = 500
SECONDS = 60
GOAL_PERCENT = 25
BASKET_KEY = "demo-basket-key"
SECRET = "a secret of 32 bytes, for benchmarks"
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
ANSWER_SECONDS = 10


@dataclass
class Tv:
    """A television, with one connection to the service."""

    port: int
    renew: bool = False
    paths: dict[str, str] = field(default_factory=dict)
    waited: list[float] = field(default_factory=list)
    _reader: asyncio.StreamReader | None = None
    _writer: asyncio.StreamWriter | None = None

    async def ask(self, method: str, path: str, *headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request; connect anew where the service has closed the connection."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *headers]
        if method == "POST":
            lines.append("Content-Length: 0")
        request = "\r\n".join([*lines, "", ""]).encode()
        for attempt in (1, 2):
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    return await self._exchange(request)
            except (ConnectionError, asyncio.IncompleteReadError):
                self._writer = None
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    async def _exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writer.write(request)
        status, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = [line.partition(": ") for line in lines if line]
        headers = {name.lower(): value for name, _colon, value in pairs}
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return int(status.split(" ")[1]), headers, body

    def close(self) -> None:
        """Hang up."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    async def show_code(self) -> None:
        """Make a guest with a basket, and start its transfer."""
        key = f"X-API-Key: {BASKET_KEY}"
        _status, _headers, body = await self.ask("POST", "/v2/baskets/guests", key)
        guest = json.loads(body)["data"]
        path = f"/v2/baskets/users/{guest['userId']}/transfer"
        bearer = f"Authorization: Bearer {guest['token']}"
        _status, _headers, body = await self.ask("POST", path, key, bearer)
        offer = json.loads(body)["data"]
        self._follow(offer["displayUrl"].partition("/tv/")[2])

    def _follow(self, display_token: str) -> None:
        self.paths = {
            "status": f"/v2/transfers/{display_token}/status",
            "renew": f"/tv/{display_token}",
        }

    async def poll_until(self, end: float) -> None:
        """Ask for the state at the server's interval."""
        await asyncio.sleep(random.random() * 1.5)
        while time.monotonic() < end:
            asked = time.monotonic()
            status, _headers, body = await self.ask("GET", self.paths["status"])
            self.waited.append(time.monotonic() - asked)
            if status != 200:
                raise RuntimeError(f"{status}: {body.decode()}")
            answer: dict[str, Any] = json.loads(body)["data"]
            if self.renew and answer["state"] != "pending":
                _status, headers, _body = await self.ask("POST", self.paths["renew"])
                self._follow(headers["location"].partition("/tv/")[2])
            await asyncio.sleep(max(0.0, asked + answer["pollSeconds"] - time.monotonic()))


def processes_below(parent: int) -> list[int]:
    """Return a process and all that it has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [parent, *(found for child in children for found in processes_below(int(child)))]


def cpu_seconds(process: int) -> float:
    """Return the user and system time of a process so far."""
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / TICKS_A_SECOND


async def measure(gunicorn: Gunicorn, tvs: int, seconds: int, *, renew: bool) -> str:
    """Let the TVs poll; return the line to print."""
    crowd = [Tv(gunicorn.port, renew) for _ in range(tvs)]
    for start in range(0, tvs, 10):
        await asyncio.gather(*(tv.show_code() for tv in crowd[start : start + 10]))
    found = processes_below(gunicorn._process.pid)
    before, began = sum(map(cpu_seconds, found)), time.monotonic()
    await asyncio.gather(*(tv.poll_until(began + seconds) for tv in crowd))
    took = time.monotonic() - began
    used = sum(map(cpu_seconds, found)) - before
    for tv in crowd:
        tv.close()
    waited = sorted(wait for tv in crowd for wait in tv.waited)
    percent = 100 * used / took
    verdict = "goal reached" if percent < GOAL_PERCENT else "GOAL MISSED"
    return (
        f"{tvs} TVs, {took:.0f} s: {len(waited) / took:.0f} polls/s,"
        f" p50 {1000 * waited[len(waited) // 2]:.1f} ms,"
        f" p99 {1000 * waited[len(waited) * 99 // 100]:.1f} ms,"
        f" {1000 * used / len(waited):.2f} ms of processor a poll,"
        f" {percent:.1f} % of one core ({verdict}: below {GOAL_PERCENT} %)"
    )


def run(folder: Path, options: argparse.Namespace, **environ: str) -> str:
    """Start the service with demo data, and measure it."""
    # All TVs stand at one address here, which in the world they never do.
    more = {"JAY_SECRET_KEY": SECRET, "JAY_GUESTS_PER_ADDRESS": "1000000"}
    with demo_service(folder, **more, **environ) as gunicorn:
        return asyncio.run(measure(gunicorn, options.tvs, options.seconds, renew=options.renew))


def main() -> None:
    """Print a line a database."""
    parser = argparse.ArgumentParser(description="Measure what polling TVs cost.")
    parser.add_argument("--tvs", type=int, default=TVS)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--renew", action="store_true", help="ask for a new code after a minute")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    # A connection is a file here and there.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    with tempfile.TemporaryDirectory() as name:
        if options.only != "postgresql":
            print("sqlite:    ", run(Path(name), options), flush=True)
        if options.only != "sqlite":
            with postgres_cluster() as cluster:
                url = new_postgres_database(cluster, "jay_polling")
                line = run(Path(name), options, JAY_DATABASE_URL=url)
                print("postgresql:", line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
