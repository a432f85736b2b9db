"""Who takes turns in ``make bench``: the service, the limit, and the service under other servers.

All have two workers, stand on the same database, and run at the same time.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.load.figures import LIMIT, SERVICE
from tests.load.seeding import Seeded, service_environ
from tests.servers import Gunicorn, free_port

GREENLET_CONNECTIONS = "16"


class Granian(Gunicorn):
    """The service under Granian's WSGI mode, with as many workers and threads."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__(environ, app="tests.load.granian_app:app")

    def _command(self, app: str) -> list[str]:
        return [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"),
            *("--port", str(self.port), "--workers", "2", "--blocking-threads", "4"),
            *("--http", "1", "--no-ws", app),
        ]


class Gevent(Gunicorn):
    """The service under gunicorn's gevent worker, with as many workers.

    Each client has a greenlet, so more than four requests are at work at once, and there are more
    connections to the database for them: as many as the service has with so many threads.
    """

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__({**environ, "JAY_THREADS": GREENLET_CONNECTIONS})

    def _command(self, app: str) -> list[str]:
        return [sys.executable, "-m", "gunicorn", "-c", "tests/load/gevent_conf.py", app]


SERVERS = {"granian": Granian, "gevent": Gevent}
"""Other servers than ours that the service can take its turns under."""


@contextmanager
def both_sides(
    seeded: Seeded, folder: Path, servers: Iterable[str] = ()
) -> Iterator[dict[str, Gunicorn]]:
    """Run the service and the limit under the same gunicorn settings.

    :param servers: of ``SERVERS``, those under which the service runs beside that.
    """
    common = {
        **service_environ(seeded.url, folder),
        "BENCH_PARTNER": str(seeded.partner),
        "JAY_DEMO": "1",  # the sandbox's
    }

    def environ() -> dict[str, str]:
        return {**common, "PORT": str(free_port())}

    with ExitStack() as stack:
        sides = {
            SERVICE: stack.enter_context(Gunicorn(environ())),
            LIMIT: stack.enter_context(Gunicorn(environ(), app="tests.load.limit_app:app")),
        }
        for name in servers:
            sides[name] = stack.enter_context(SERVERS[name](environ()))
        yield sides
