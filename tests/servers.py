"""Real servers that tests start for themselves, on loopback, and stop again."""

import contextlib
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from sqlalchemy import create_engine, text

from tests.clock import PATIENCE_SECONDS

ROOT = Path(__file__).parent.parent

WORKERS = 2
"""How many processes of the service answer."""


PORTS_GIVEN_AWAY = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""The first and the last of those that the system gives to whom it likes."""

MOST_WORKERS, PORTS_OF_EACH = 16, 500
_turns = itertools.count(random.randrange(PORTS_OF_EACH))


def free_port() -> int:
    """Return a TCP port that nobody listens on, nor will until a server of ours does.

    The system may give one that it has just given to us to somebody else: it is below those that it
    gives away by itself, and each worker of the tests has ports of its own.
    """
    above, ours = int(PORTS_GIVEN_AWAY.read_text().split()[0]), MOST_WORKERS * PORTS_OF_EACH
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MOST_WORKERS
    for turn in _turns:
        port = above - 1 - worker - turn % PORTS_OF_EACH * MOST_WORKERS
        with contextlib.suppress(OSError), socket.socket() as probe:
            # Where the system has all ports to give away, none is safe.
            probe.bind(("127.0.0.1", port if above > 2 * ours else 0))
            return int(probe.getsockname()[1])
    raise AssertionError("there is always another turn")


@contextlib.contextmanager
def postgres_cluster() -> Iterator[str]:
    """Run a private PostgreSQL cluster and yield the SQLAlchemy URL of its maintenance database."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    folder = Path(tempfile.mkdtemp(prefix="jay-postgres-"))
    # PostgreSQL refuses to run as root: Debian's package brings its own user along.
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
    identity: dict[str, Any] = {}
    if user is not None:
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    if user is not None:
        os.chown(folder, user.pw_uid, user.pw_gid)
    port = free_port()

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **identity)

    run(
        *(str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "jay"),
        *("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"),
    )
    options = (
        f"-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        " -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=200"
    )
    control = (str(binaries / "pg_ctl"), "-D", str(folder / "data"), "-t", str(PATIENCE_SECONDS))
    try:
        run(*control, "-w", "-l", str(folder / "log"), "-o", options, "start")
        yield f"postgresql+psycopg://jay@127.0.0.1:{port}/postgres"
    finally:
        run(*control, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def processes_of(cluster: str) -> list[int]:
    """Return the processes of a cluster that ``postgres_cluster`` runs, its server first."""
    engine = create_engine(cluster)
    with engine.connect() as connection:
        folder = Path(str(connection.scalar(text("SHOW data_directory"))))
    engine.dispose()
    server = int((folder / "postmaster.pid").read_text().split()[0])
    return [server, *children_of(server)]


class Redis:
    """A private Redis that keeps nothing, and can be killed and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"--port {self.port} --bind 127.0.0.1 --save  --appendonly no --daemonize no"
        self.process = subprocess.Popen(
            ["redis-server", *options.split(" ")], cwd="/", stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection,
            ):
                connection.sendall(b"PING\r\n")
                if connection.recv(100).startswith(b"+PONG"):
                    return
            time.sleep(0.02)
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def redis_server() -> Iterator[Redis]:
    """Run a private Redis."""
    server = Redis()
    try:
        server.start()
        yield server
    finally:
        server.kill()


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextlib.contextmanager
def stopped(*processes: int) -> Iterator[None]:
    """Let processes of ours stand still, and go on at the end, those that are still there."""
    try:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


class Gunicorn:
    """The service as it runs for real: gunicorn with two workers.

    :param app: ``wsgi:app``, or a module of the tests that moves the clock.
    """

    def __init__(self, environ: dict[str, str], *, app: str = "wsgi:app") -> None:
        self.port = int(environ["PORT"])
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            self._command(app),
            cwd=ROOT,
            env={**os.environ, "WEB_CONCURRENCY": str(WORKERS), **environ},
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _command(self, app: str) -> list[str]:
        return [sys.executable, "-m", "gunicorn", app]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with (
                contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError),
                urllib.request.urlopen(f"{self.url}/readyz", timeout=10),
            ):
                # urlopen raises for every status but success. Workers of a master that was killed
                # may answer there, before ours listens; and the first of ours before the second
                # is there.
                if "Listening at" in self.log() and len(self.workers()) >= WORKERS:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"gunicorn did not start:\n{self.log()}")

    def workers(self) -> list[int]:
        """Return the process ids of its workers."""
        return children_of(self._process.pid)

    def kill(self) -> None:
        """End its master as a crash does; its workers notice it, and end."""
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """Return everything that the service has printed."""
        # It shares its place in the file with us: to read from there would end, or leave something
        # out, whenever the service writes meanwhile.
        file = self._log.fileno()
        return os.pread(file, os.fstat(file).st_size, 0).decode(errors="replace")

    def stop(self) -> None:
        """End it as an operator would, and wait for it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._log.close()
