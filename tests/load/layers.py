"""Where the time of one request goes, layer by layer: a sampling profile, in one process.

``python -m tests.load.layers`` prints the table of ``docs/PERFORMANCE.md``. The shares are steady,
also on a busy machine; what a layer costs in microseconds is not. Without gunicorn, and without
what PostgreSQL itself does.
"""

import contextlib
import io
import itertools
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from werkzeug.test import EnvironBuilder

from jay import create_app, make_ready
from jay.config import settings_from
from tests.load.bench import LIMITS, TRACKING, Request, Seeded, rows_of, seed
from tests.servers import postgres_cluster

REQUESTS = 6000
EVERY_SECONDS = 0.0005

LAYERS = (
    ("the driver: sending the statement, reading rows", "/psycopg"),
    ("SQLAlchemy: a connection taken and given back", "/sqlalchemy/"),
    ("limits, and what is told of them", "/jay/web/rates", "/jay/web/counts", "/limits/"),
    ("headers, access log", "/jay/web/responses", "/jay/web/logs", "/jay/auth/cors"),
    ("guards: API key, token", "/jay/auth/"),
    ("tracking, event", "/jay/web/tracking", "/jay/events"),
    ("the house Blueprint", "/jay/web/"),
    ("the doors to the database", "/jay/db/"),
    ("the feature: route, rules, schema", "/jay/"),
    ("body and validation", "/marshmallow/", "/webargs/"),
    ("Werkzeug: request, response, routing", "/werkzeug/"),
    ("Flask: contexts, dispatching", "/flask/", "/flask_smorest/", "/blinker/"),
)  # fmt: skip


def layer_of(frame: FrameType | None) -> str:
    """Return the layer that is at work: the innermost one that is known."""
    while frame is not None:
        file = frame.f_code.co_filename
        for name, *parts in LAYERS:
            if any(part in file for part in parts):
                return name
        frame = frame.f_back
    return "the rest"


def profile(send: Callable[[], None]) -> Counter[str]:
    """Send requests, and return how often each layer was met at work."""
    met: Counter[str] = Counter()

    def look(_number: int, frame: FrameType | None) -> None:
        met[layer_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
    try:
        for _ in range(REQUESTS):
            send()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return met


def environ_of(request: Request, seeded: Seeded) -> dict[str, Any]:
    """Return a request as a server hands it to the application."""
    headers = {"X-API-Key": seeded.api_key, "X-JAY-Tracking": TRACKING}
    if request.token:
        headers["Authorization"] = f"Bearer {request.token}"
    if request.body:
        headers["Content-Type"] = "application/json"
    made = EnvironBuilder(request.path, method=request.method, headers=headers, data=request.body)
    return made.get_environ()


def sender(app: Any, request_list: list[Request], seeded: Seeded) -> Callable[[], None]:
    """Return what sends the next of these requests to the application."""
    made = [(environ_of(one, seeded), one.body.encode()) for one in request_list]
    requests = itertools.cycle(made)

    def send() -> None:
        environ, body = next(requests)
        statuses: list[str] = []
        asked = {**environ, "wsgi.input": io.BytesIO(body)}
        for _ in app(asked, lambda status, _headers, _error=None: statuses.append(status)):
            pass
        if not statuses[0].startswith("200"):
            raise RuntimeError(statuses[0])

    return send


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder, postgres_cluster() as url:
        seeded = seed(url)
        environ = {
            "JAY_DATABASE_URL": seeded.url,
            "JAY_DATA_DIR": folder,
            "JAY_SECRET_KEY": "a secret of 32 bytes, for benchmarks",
            "JAY_PUBLIC_URL": "http://127.0.0.1:8000",
            **dict.fromkeys(LIMITS, "1000000000"),
        }
        app = make_ready(create_app(settings_from(environ)))
        found = {}
        # The access log costs what it costs, and is read by nobody.
        log = (Path(folder) / "log").open("w")
        for row in itertools.islice(rows_of(seeded, ""), 2):
            send = sender(app.wsgi_app, row.requests[:500], seeded)
            with contextlib.redirect_stdout(log):
                for _ in range(500):
                    send()
                found[row.name] = profile(send)
        log.close()
    print("| layer | " + " | ".join(found) + " |")
    print("|---|" + "---|" * len(found))
    for name in (*(each[0] for each in LAYERS), "the rest"):
        shares = [f"{100 * met[name] / met.total():.0f} %" for met in found.values()]
        print(f"| {name} | " + " | ".join(shares) + " |")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", file=sys.stderr)


if __name__ == "__main__":
    main()
