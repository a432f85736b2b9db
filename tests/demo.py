"""The service as ``make run`` starts it: demo data and gunicorn, on a free port."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jay import create_app
from jay.config import settings_from
from jay.ops.demo_catalogue import FILE
from tests.servers import ROOT, Gunicorn, free_port


def catalogue(lang: str | None = None) -> list[dict[str, Any]]:
    """Return the demo products as the file has them, in one language or in all."""
    bodies = [json.loads(line) for line in FILE.read_text().splitlines()]
    return [body for body in bodies if lang in (None, body["lang"])]


def flask_command(environ: dict[str, str], *arguments: str, typed: str = "") -> str:
    """Type a command of ``flask --app app`` and return what it prints on stdout.

    :param typed: what it reads from standard input.
    """
    return flask_commands(environ, arguments, typed=typed)[0]


def flask_commands(
    environ: dict[str, str], *commands: tuple[str, ...], typed: str = "", code: Path = ROOT
) -> list[str]:
    """Type commands one after the other, and return what each prints on stdout.

    They have an app of their own, in this process: another one takes longer to start than most
    commands take to run.

    :param environ: what the app finds in its environment besides.
    :param typed: what each reads from standard input.
    :param code: where the service lies; that of another release has a process of its own.
    """
    if code != ROOT:
        return _of_another_release(code, environ, commands)
    app = create_app(settings_from({**os.environ, **environ}))
    try:
        answers = [app.test_cli_runner().invoke(args=words, input=typed) for words in commands]
    finally:
        app.extensions["jay.db"].dispose()
    assert [answer.output for answer in answers if answer.exit_code] == []
    return [answer.stdout for answer in answers]


_ALL = """
import json, sys
from app import app
answers = [app.test_cli_runner().invoke(args=words) for words in json.load(sys.stdin)]
wrong = [answer.output for answer in answers if answer.exit_code]
json.dump(wrong or [answer.stdout for answer in answers], sys.stdout)
sys.exit(bool(wrong))
"""


def _of_another_release(
    code: Path, environ: dict[str, str], commands: tuple[tuple[str, ...], ...]
) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", _ALL],
        cwd=code,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        input=json.dumps(commands),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    printed: list[str] = json.loads(run.stdout)
    return printed


@contextlib.contextmanager
def demo_service(data_dir: Path, *, app: str = "wsgi:app", **environ: str) -> Iterator[Gunicorn]:
    """Migrate, load the demo data and run gunicorn until the block ends."""
    port = free_port()
    variables = {"JAY_DEMO": "1", "JAY_DATA_DIR": str(data_dir), "PORT": str(port), **environ}
    flask_commands(variables, ("db", "upgrade"), ("demo", "load"))
    with Gunicorn(variables, app=app) as service:
        yield service
