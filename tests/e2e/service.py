"""A running service with demo data, its command line and, where a test moves it, its clock."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.demo import demo_service, flask_commands
from tests.servers import Gunicorn

SECRET = "a secret of 32 bytes, for the browser tests"


@dataclass
class Service:
    """The service as its users and its operator reach it."""

    gunicorn: Gunicorn
    database_url: str
    environ: dict[str, str]

    @property
    def url(self) -> str:
        """The address that people open."""
        return self.gunicorn.url

    def add_partner(self, name: str, *options: str) -> str:
        """Register a partner and return its API key."""
        add, issue = ("partner", "add", name, *options), ("key", "issue", "--partner", name)
        return flask_commands(self.environ, add, issue)[-1].strip()

    def move_clock(self, seconds: float) -> None:
        """Set how far the clock is ahead, where ``tests.e2e.moved_app`` runs."""
        _set_clock(self.environ, seconds)


@contextlib.contextmanager
def running(
    folder: Path, *, database_url: str | None = None, app: str = "wsgi:app"
) -> Iterator[Service]:
    """Run the service until the block ends.

    :param folder: an empty one, for everything that it stores.
    :param database_url: an empty database; None for SQLite in ``folder``.
    :param app: what gunicorn runs.
    """
    database_url = database_url or f"sqlite:///{folder / 'jay.sqlite3'}"
    environ = {
        "JAY_DATABASE_URL": database_url,
        "JAY_SECRET_KEY": SECRET,
        "JAY_TEST_CLOCK": str(folder / "clock"),
    }
    _set_clock(environ, 0)
    with demo_service(folder, app=app, **environ) as gunicorn:
        commands = {**environ, "JAY_DATA_DIR": str(folder), "JAY_DEMO": "1"}
        yield Service(gunicorn, database_url, commands)


def _set_clock(environ: dict[str, str], seconds: float) -> None:
    path = Path(environ["JAY_TEST_CLOCK"])
    draft = path.with_suffix(".draft")
    draft.write_text(str(seconds))
    draft.replace(path)  # at once: the service never reads a half-written number
