"""Ctrl-C in the terminal of ``make run``: everything ends by itself, and nothing sounds broken."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.clock import PATIENCE_SECONDS, wait_until
from tests.demo import flask_command
from tests.servers import ROOT, Gunicorn, free_port


def ignores_ctrl_c(pid: int) -> bool:
    """Tell whether a process has set SIGINT to be ignored (proc(5), ``SigIgn``)."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")]
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


def test_ctrl_c_ends_master_and_workers_without_a_kill(tmp_path: Path) -> None:
    environ = {"JAY_DEMO": "1", "JAY_DATA_DIR": str(tmp_path), "PORT": str(free_port())}
    flask_command(environ, "db", "upgrade")
    with Gunicorn(environ) as service:
        # Workers are told by the master alone. One that hears of it twice may re-enter its handler
        # just where that holds a lock, and then hangs until it is killed.
        wait_until(lambda: all(ignores_ctrl_c(pid) for pid in service.workers()))
        assert not ignores_ctrl_c(service._process.pid)

        # As a terminal does it: to every process of the group.
        os.killpg(service._process.pid, signal.SIGINT)

        status = service._process.wait(PATIENCE_SECONDS)
        said = service.log()
    assert (status, "SIGKILL" in said, "memory" in said) == (0, False, False), said


def test_after_a_killed_master_the_service_can_be_started_at_once(tmp_path: Path) -> None:
    environ = {"JAY_DEMO": "1", "JAY_DATA_DIR": str(tmp_path), "PORT": str(free_port())}
    flask_command(environ, "db", "upgrade")
    with Gunicorn(environ) as killed:
        workers = killed.workers()
        # One of its workers is about to answer somebody, and can't end at once.
        with socket.create_connection(("127.0.0.1", killed.port), PATIENCE_SECONDS) as client:
            client.sendall(b"GET /code HTTP/1.1\r\nHost: x\r\n")

            killed._process.kill()
            with Gunicorn(environ) as started:  # waits until it answers
                assert set(started.workers()).isdisjoint(workers)


def test_the_worker_beside_the_service_ends_with_it(tmp_path: Path) -> None:
    environ = {"JAY_DEMO": "1", "JAY_DATA_DIR": str(tmp_path)}
    flask_command(environ, "db", "upgrade")
    worker = f"{sys.executable} -m flask --app app worker --while $$"
    # The other process says that it runs by its first line, and is killed in the hardest way.
    with subprocess.Popen(
        ["/bin/sh", "-c", f"{worker} & exec {sys.executable} -c 'print(1, flush=True); input()'"],
        cwd=ROOT,
        env={**os.environ, **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as beside:
        assert beside.stdout is not None
        assert beside.stdout.readline() == b"1\n"
        beside.kill()
        # The worker holds the other end of this pipe until it ends.
        said, _ = beside.communicate(timeout=PATIENCE_SECONDS)

    assert said == b""


def test_make_run_starts_a_worker_that_watches_the_process_it_becomes() -> None:
    recipe = (ROOT / "Makefile").read_text()

    assert "flask --app app worker --while $$$$ & exec $(BIN)/gunicorn" in recipe
