"""Ctrl-C in the terminal of ``make run``: everything ends by itself, and nothing sounds broken."""

import os
import signal
from pathlib import Path

from tests.clock import PATIENCE_SECONDS
from tests.demo import flask_command
from tests.servers import Gunicorn, free_port

TRIES = 6
"""Before it was mended, each third one went wrong."""


def test_ctrl_c_ends_master_and_workers_without_a_kill(tmp_path: Path) -> None:
    environ = {"JAY_DEMO": "1", "JAY_DATA_DIR": str(tmp_path), "PORT": str(free_port())}
    flask_command(environ, "db", "upgrade")
    for _ in range(TRIES):
        service = Gunicorn(environ)
        # As a terminal does it: to every process of the group.
        os.killpg(service._process.pid, signal.SIGINT)

        status = service._process.wait(PATIENCE_SECONDS)
        said = service.log()
        service.stop()

        # What hangs is killed after the graceful timeout, and that is told as an error.
        assert (status, "SIGKILL" in said, "memory" in said) == (0, False, False), said
