"""The service as ``make run`` starts it: demo data and gunicorn, on a free port."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jay.ops.demo_catalogue import FILE
from tests.servers import ROOT, Gunicorn, free_port


def catalogue(lang: str | None = None) -> list[dict[str, Any]]:
    """Return the demo products as the file has them, in one language or in all."""
    bodies = [json.loads(line) for line in FILE.read_text().splitlines()]
    return [body for body in bodies if lang in (None, body["lang"])]


def flask_command(environ: dict[str, str], *arguments: str, typed: str = "") -> str:
    """Run a command of ``flask --app app`` and return what it prints on stdout.

    :param typed: what it reads from standard input.
    """
    run = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "app", *arguments],
        check=True,
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        input=typed,
    )
    return run.stdout


@contextlib.contextmanager
def demo_service(data_dir: Path, *, app: str = "wsgi:app", **environ: str) -> Iterator[Gunicorn]:
    """Migrate, load the demo data and run gunicorn until the block ends."""
    port = free_port()
    variables = {"JAY_DEMO": "1", "JAY_DATA_DIR": str(data_dir), "PORT": str(port), **environ}
    flask_command(variables, "db", "upgrade")
    flask_command(variables, "demo", "load")
    service = Gunicorn(variables, app=app)
    try:
        yield service
    finally:
        service.stop()
