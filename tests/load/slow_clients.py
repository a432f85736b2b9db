"""``python -m tests.load.slow_clients``: what a normal request waits while others hold connections.

200 connections say nothing, 50 are slow (silent, half a request line, a header every two seconds,
a byte of a body at a time) and 8 never read their answers. Who is cut off comes back at once.
Meanwhile a basket is read every 50 ms, each time over a new connection. Printed are its times
before and during the attack, and how long a connection of each kind lasted at most.
``--serve`` runs another server than ours: a command with ``{port}``.
"""

import argparse
import asyncio
import itertools
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.demo import flask_commands
from tests.servers import ROOT, free_port

KEY = "demo-basket-key"
IDLE, SLOW, DEAF = 200, 50, 8
BETWEEN_SECONDS = 0.05
PATIENCE_SECONDS = 40
START_SECONDS = 180
"""A busy machine takes its time for it, and it is not what is measured."""
LARGE = "/docs/assets/swagger-ui-bundle.js"
"""An answer of more than a megabyte."""

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _until_closed(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(65536):
            pass


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say nothing."""
    await _until_closed(reader)


async def half_a_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin a request line, and leave it at that."""
    writer.write(b"GET /cod")
    await _until_closed(reader)


async def a_header_now_and_then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a header every two seconds, for ever."""
    writer.write(b"GET /code HTTP/1.1\r\nHost: localhost\r\n")
    for number in itertools.count():
        writer.write(f"X-{number}: 1\r\n".encode())
        await writer.drain()
        await asyncio.sleep(2)


async def a_byte_now_and_then(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send a body byte by byte."""
    writer.write(
        b"POST /v2/baskets/guests HTTP/1.1\r\nHost: localhost\r\nX-API-Key: " + KEY.encode()
        + b"\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
    )  # fmt: skip
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(1)


async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ask for much, and read nothing of it."""
    transport: Any = writer.transport
    transport.pause_reading()
    writer.write(f"GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 20)
    # Reading would be the way to learn of the end: so it is tried to write.
    while True:
        await asyncio.sleep(1)
        writer.write(b"\r\n")
        await writer.drain()


SLOW_KINDS = (silent, half_a_line, a_header_now_and_then, a_byte_now_and_then)


class Attack:
    """The clients, and how long a connection of each kind lasted."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.longest: dict[str, float] = {}
        self.cut = 0

    async def hold(self, kind: Callable[..., Coroutine[Any, Any, None]], name: str) -> None:
        """Hold a connection, and come back whenever it ends."""
        while True:
            began = time.monotonic()
            handle = socket.socket()
            handle.setblocking(False)
            if kind is deaf:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                await asyncio.get_running_loop().sock_connect(handle, ("127.0.0.1", self.port))
                reader, writer = await asyncio.open_connection(sock=handle)
                try:
                    await kind(reader, writer)
                finally:
                    # Also when the run ends: how long it had lasted by then.
                    lasted = time.monotonic() - began
                    self.longest[name] = max(self.longest.get(name, 0), lasted)
                    writer.transport.abort()
            except OSError:
                handle.close()
            self.cut += 1
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Attack until the block ends."""
        tasks = [asyncio.create_task(self.hold(silent, "idle")) for _ in range(IDLE)]
        for number in range(SLOW):
            kind = SLOW_KINDS[number % len(SLOW_KINDS)]
            tasks.append(asyncio.create_task(self.hold(kind, kind.__name__)))
        tasks += [asyncio.create_task(self.hold(deaf, "deaf")) for _ in range(DEAF)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def read_basket(port: int, request: bytes) -> float | None:
    """Return how many milliseconds a normal request takes; None if it fails."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return None
    return (time.monotonic() - began) * 1000 if answer.startswith(b"HTTP/1.1 200") else None


async def sample(port: int, request: bytes, seconds: float) -> list[float | None]:
    """Send a normal request every 50 ms, whatever became of the ones before."""
    asked = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        asked.append(asyncio.create_task(read_basket(port, request)))
        await asyncio.sleep(BETWEEN_SECONDS)
    return list(await asyncio.gather(*asked))


def told(times: list[float | None]) -> str:
    """Write the times as a line."""
    known = sorted(one for one in times if one is not None)
    if not known:
        return f"none of {len(times)} answered"
    at = lambda share: known[min(int(len(known) * share), len(known) - 1)]  # noqa: E731
    return (
        f"p50 {at(0.5):6.1f}  p99 {at(0.99):6.1f}  max {known[-1]:7.1f} ms,"
        f" {len(times) - len(known)} of {len(times)} failed"
    )


def _guest(port: int) -> bytes:
    """Make a guest, and return the request that reads its basket."""
    from urllib.request import Request, urlopen

    url = f"http://127.0.0.1:{port}/v2/baskets/guests"
    headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
    with urlopen(Request(url, b"{}", headers), timeout=PATIENCE_SECONDS) as answer:
        guest = json.load(answer)["data"]
    lines = (
        f"GET /v2/baskets/users/{guest['userId']} HTTP/1.1",
        "Host: localhost",
        f"X-API-Key: {KEY}",
        f"Authorization: Bearer {guest['token']}",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def measure(port: int, seconds: float) -> AsyncIterator[str]:
    """Yield what is found, line by line."""
    request = await asyncio.to_thread(_guest, port)
    yield f"quiet:        {told(await sample(port, request, min(seconds, 5)))}"
    attack = Attack(port)
    async with attack.running():
        await asyncio.sleep(1)
        yield f"under attack: {told(await sample(port, request, seconds))}"
    lasted = ", ".join(f"{name} {most:.0f}" for name, most in attack.longest.items())
    yield f"longest connections in s: {lasted}; {attack.cut} were ended"


async def _print(port: int, seconds: float) -> None:
    async for line in measure(port, seconds):
        print(line, flush=True)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError("the server did not start")


def main() -> None:
    """Start a server with demo data, and measure it."""
    parser = argparse.ArgumentParser(description="What normal requests wait beside slow clients.")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--serve", default=f"{sys.executable} -m gunicorn wsgi:app")
    options = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environ = {"JAY_DEMO": "1", "JAY_DATA_DIR": str(Path(folder)), "PORT": str(port)}
        flask_commands(environ, ("db", "upgrade"), ("demo", "load"))
        with subprocess.Popen(
            shlex.split(options.serve.format(port=port)),
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=subprocess.DEVNULL,
        ) as process:
            try:
                _wait_until_ready(process, port)
                asyncio.run(_print(port, options.seconds))
            finally:
                process.terminate()
                try:
                    process.wait(PATIENCE_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


if __name__ == "__main__":
    main()
