"""Ctrl-C in the terminal of ``make run``: everything ends by itself, and nothing sounds broken."""

import os
import signal
from pathlib import Path

from tests.clock import PATIENCE_SECONDS
from tests.demo import flask_command
from tests.e2e.test_concurrency import children_of
from tests.servers import Gunicorn, free_port


def ignores_ctrl_c(pid: int) -> bool:
    """Tell whether a process has set SIGINT to be ignored (proc(5), ``SigIgn``)."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigIgn:")]
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


def test_ctrl_c_ends_master_and_workers_without_a_kill(tmp_path: Path) -> None:
    environ = {"JAY_DEMO": "1", "JAY_DATA_DIR": str(tmp_path), "PORT": str(free_port())}
    flask_command(environ, "db", "upgrade")
    service = Gunicorn(environ)
    # Workers are told by the master alone. One that hears of it twice may re-enter its handler just
    # where that holds a lock, and then hangs until it is killed.
    workers = children_of(service._process.pid)
    assert [ignores_ctrl_c(pid) for pid in workers] == [True, True]
    assert not ignores_ctrl_c(service._process.pid)

    # As a terminal does it: to every process of the group.
    os.killpg(service._process.pid, signal.SIGINT)

    status = service._process.wait(PATIENCE_SECONDS)
    said = service.log()
    service.stop()
    assert (status, "SIGKILL" in said, "memory" in said) == (0, False, False), said
