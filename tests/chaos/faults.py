"""What happens to a service and its database, one fault after the other."""

import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.chaos.proxy import POINTS, Proxy
from tests.servers import ROOT, Gunicorn, processes_of, stopped

HOUR = 3600
STOPPED_SECONDS = 15  # longer than the service waits
LOCKED_SECONDS = 7  # longer than it waits for a lock
SHORT_SECONDS = 3
BETWEEN_CUTS_SECONDS = 0.3


class Scene:
    """A service with demo data, what is in front of it and behind it.

    :param url: of the database itself; the service may reach it through ``behind``.
    :param small: a folder on a small disk, on which the database lies, or None.
    """

    def __init__(
        self, environ: dict[str, str], url: str, small: Path | None, behind: Proxy | None
    ) -> None:
        self.environ, self.url = environ, url
        self.small, self.behind = small, behind
        self._killed: list[Gunicorn] = []
        self.service = self._started()
        self.worker = Worker(environ)
        self.front = Proxy(self.service.port)

    def _started(self) -> Gunicorn:
        return Gunicorn(self.environ, app="tests.e2e.moved_app:app")

    @property
    def workers(self) -> list[int]:
        """The processes that answer."""
        return self.service.workers()

    def kill_a_worker(self) -> None:
        """As the system does when the memory is full."""
        os.kill(self.workers[0], signal.SIGKILL)
        time.sleep(SHORT_SECONDS)

    def kill_the_master(self) -> None:
        """And start the service again at once."""
        self.service.kill()
        self._killed.append(self.service)  # its workers go on for a moment, and may log something
        self.service = self._started()

    def kill_the_outbox(self) -> None:
        """Kill the process that reconciles payments and delivers webhooks, and start another."""
        self.worker.kill()
        time.sleep(SHORT_SECONDS)
        self.worker.go_on()

    def cut_clients(self) -> None:
        """Cut connections of clients, at each point of a request."""
        _cut(self.front)

    def cut_database(self) -> None:
        """Cut connections to the database, at each point of a statement."""
        if self.behind is not None:
            _cut(self.behind)

    def move_clock(self) -> None:
        """Let the clock be wrong in both directions."""
        for seconds in (6 * HOUR, -HOUR, 0):
            set_clock(self.environ, seconds)
            time.sleep(SHORT_SECONDS)

    def fill_the_disk(self) -> None:
        """Leave no byte free for the database."""
        if self.small is None:
            self._limit_files()
            return
        if self.url.startswith("sqlite"):
            # Its log keeps its size, and there would be room in it for what is written meanwhile.
            _empty_the_log(str(make_url(self.url).database))
        ballast = self.small / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        time.sleep(2 * SHORT_SECONDS)
        ballast.unlink()

    def _limit_files(self) -> None:
        # Without the rights to make a disk: no file may grow.
        if not self.url.startswith("sqlite"):
            return
        before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in self.workers}
        for pid, (_, hard) in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
        time.sleep(SHORT_SECONDS)
        for pid, limits in before.items():
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)

    def errors(self) -> list[str]:
        """Return what the service has logged of faults of its own."""
        services = "".join(one.log() for one in (*self._killed, self.service))
        lines = (services + self.worker.log()).splitlines()
        telling = ("unhandled exception", "Traceback", '"level": "error"')
        return [line for line in lines if any(one in line for one in telling)]

    def close(self) -> None:
        """End the service."""
        self.worker.kill()
        for one in (*self._killed, self.service):
            one.stop()
        self.front.close()
        if self.behind is not None:
            self.behind.close()


class Worker:
    """``flask worker`` with the clock of the scene, as a supervisor keeps it running."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ
        self._log = tempfile.TemporaryFile("a+b")  # noqa: SIM115 - it lives as long as this
        self.go_on()

    def go_on(self) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "tests.e2e.moved_app:app", "worker"],
            cwd=ROOT,
            env={**os.environ, **self._environ},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def look_after(self) -> None:
        """Start it again if it has ended: it does where its database was away at its start."""
        if self._process.poll() is not None:
            self.go_on()

    def kill(self) -> None:
        """As the system does."""
        self._process.kill()
        self._process.wait()

    def log(self) -> str:
        """Return everything that it has printed."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")


def _empty_the_log(database: str) -> None:
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _cut(proxy: Proxy) -> None:
    for point in POINTS:
        proxy.arm(point)
        time.sleep(BETWEEN_CUTS_SECONDS)


def set_clock(environ: dict[str, str], seconds: float) -> None:
    """Set how far the clock is ahead."""
    path = Path(environ["JAY_TEST_CLOCK"])
    draft = path.with_suffix(".draft")
    draft.write_text(str(seconds))
    draft.replace(path)


def lock_sqlite(scene: Scene) -> None:
    """Hold the write lock in another process."""
    database = make_url(scene.url).database
    code = (
        "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None,"
        " timeout=30); c.execute('BEGIN IMMEDIATE'); time.sleep(float(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, str(database), str(LOCKED_SECONDS)], check=True)


def lock_postgresql(scene: Scene) -> None:
    """Hold a lock on the baskets, as a careless migration does."""
    with _connected(scene.url) as run:
        run("BEGIN")
        run("LOCK TABLE baskets IN ACCESS EXCLUSIVE MODE")
        time.sleep(LOCKED_SECONDS)
        run("ROLLBACK")


def stop_postgresql(scene: Scene) -> None:
    """Stop all processes of the cluster, and let them go on."""
    with stopped(*processes_of(scene.url)):
        time.sleep(STOPPED_SECONDS)


def forbid_writing(scene: Scene) -> None:
    """Let the database take no writes, as a standby does after a failover."""
    name = make_url(scene.url).database
    with _connected(scene.url) as run:
        run(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        run(_CUT_OTHERS)
        time.sleep(SHORT_SECONDS)
        run("SET default_transaction_read_only = off")
        run(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')


def restart_postgresql_connections(scene: Scene) -> None:
    """Cut all connections at the server, as its restart does."""
    with _connected(scene.url) as run:
        run(_CUT_OTHERS)
    time.sleep(SHORT_SECONDS)


_CUT_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@contextlib.contextmanager
def _connected(url: str) -> Iterator[Callable[[str], object]]:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield lambda statement: connection.execute(text(statement))
    finally:
        engine.dispose()


COMMON: tuple[Callable[[Scene], None], ...] = (
    Scene.kill_a_worker,
    Scene.cut_clients,
    Scene.kill_the_master,
    Scene.kill_the_outbox,
    Scene.fill_the_disk,
    Scene.move_clock,
)
FAULTS = {
    # A file that nobody may write is one that its owner and root may write all the same.
    "sqlite": (*COMMON, lock_sqlite),
    "postgresql": (
        *COMMON,
        *(Scene.cut_database, lock_postgresql, forbid_writing, restart_postgresql_connections),
        stop_postgresql,
    ),
}


def happen(
    scene: Scene,
    faults: tuple[Callable[[Scene], None], ...],
    seconds: float,
    tell: Callable[[str], None],
    acknowledged: Callable[[], int],
) -> None:
    """Let one fault after the other happen, each at least once, and go on until the time is over.

    After each it is waited until the service has acknowledged something again.
    """
    end = time.monotonic() + seconds
    first = True
    while first or time.monotonic() < end:
        for fault in faults:
            if not first and time.monotonic() >= end:
                return
            began, before = time.monotonic(), acknowledged()
            fault(scene)
            scene.worker.look_after()
            over, meanwhile = time.monotonic(), acknowledged() - before
            _wait_for_more(acknowledged)
            again = time.monotonic() - over
            name = fault.__name__.replace("_", " ")
            tell(
                f"  {name:32}{over - began:5.1f} s, {meanwhile:5} acknowledged meanwhile,"
                f" more {again:4.1f} s after it"
            )
        first = False


def _wait_for_more(acknowledged: Callable[[], int]) -> None:
    before = acknowledged()
    waited = threading.Event()
    for _ in range(1200):
        if acknowledged() > before + 20:
            return
        waited.wait(0.05)
    raise RuntimeError("the service does not come back")
