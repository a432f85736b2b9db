"""Where the time of one request goes, layer by layer, and what each operation costs.

``python -m tests.load.layers`` prints the tables of ``docs/PERFORMANCE.md``, in one process: a
sampling profile on PostgreSQL, of which the shares are steady, also on a busy machine; and the
processor time of a request to the service and to the limit, in turns, the least of several blocks.
Without gunicorn, and without what PostgreSQL itself does.
"""

import argparse
import contextlib
import importlib
import io
import itertools
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from werkzeug.serving import make_server
from werkzeug.test import EnvironBuilder

from jay import create_app, make_ready
from jay.config import settings_from
from tests.load import purchases
from tests.load.rows import Row, rows_of, shoppers_of, shoppers_of_limit
from tests.load.seeding import Seeded, seed, service_environ
from tests.load.wrk import TRACKING, Request
from tests.servers import postgres_cluster

REQUESTS = 6000
EVERY_SECONDS = 0.0005
USERS = 2000
DIFFERENT = 500
"""So many different requests are sent of an operation."""

BLOCKS, BLOCK_SECONDS = 12, 0.1
PURCHASES = 20
"""So many in a block."""

STEPS = ("purchase: start", "purchase: card", "purchase: finish")
PROFILED = ("GET basket", "POST product")

LAYERS = (
    ("the driver: sending the statement, reading rows", "/psycopg"),
    ("SQLAlchemy: a connection taken and given back", "/sqlalchemy/"),
    ("limits, and what is told of them", "/jay/web/rates", "/jay/web/counts", "/limits/"),
    ("headers, access log", "/jay/web/early", "/jay/web/responses", "/jay/web/logs", "/auth/cors"),
    ("guards: API key, token", "/jay/auth/"),
    ("tracking, event", "/jay/web/tracking", "/jay/events"),
    ("the house Blueprint, or the way around it", "/jay/web/", "/plain.py"),
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


def environ_of(request: Request, key: str) -> dict[str, Any]:
    """Return a request as a server hands it to the application."""
    headers = {"X-API-Key": key, "X-JAY-Tracking": TRACKING}
    if request.token:
        headers["Authorization"] = f"Bearer {request.token}"
    if request.body:
        headers["Content-Type"] = "application/json"
    made = EnvironBuilder(request.path, method=request.method, headers=headers, data=request.body)
    return {**made.get_environ(), "RAW_URI": request.path}


def sender(app: Any, request_list: list[Request], key: str) -> Callable[[], None]:
    """Return what sends the next of these requests to the application."""
    made = [(environ_of(one, key), one.body.encode()) for one in request_list[:DIFFERENT]]
    requests = itertools.cycle(made)

    def send() -> None:
        environ, body = next(requests)
        statuses: list[str] = []
        asked = {**environ, "wsgi.input": io.BytesIO(body)}
        for _ in app(asked, lambda status, _headers, _error=None: statuses.append(status)):
            pass
        if not statuses[0].startswith("200"):
            raise RuntimeError(statuses[0])

    for _ in made:
        send()
    return send


def costs(*senders: Callable[[], None]) -> list[float]:
    """Return the processor time of a request of each, in microseconds."""
    least = [float("inf")] * len(senders)
    for _ in range(BLOCKS):
        for number, send in enumerate(senders):
            began, sent = time.process_time(), 0
            while (took := time.process_time() - began) < BLOCK_SECONDS:
                send()
                sent += 1
            least[number] = min(least[number], took / sent * 1e6)
    return least


class InProcess:
    """Stands for a connection to an application of this process, and notes what requests cost."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.took: list[float] = []
        self.status, self._content = 0, b""

    def request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Send a request."""
        made = EnvironBuilder(path, method=method, headers=headers, data=body)
        environ = {**made.get_environ(), "RAW_URI": path}
        statuses: list[str] = []
        began = time.process_time()
        self._content = b"".join(
            self._app(environ, lambda status, _headers, _error=None: statuses.append(status))
        )
        self.took.append(time.process_time() - began)
        self.status = int(statuses[0].split()[0])

    def getresponse(self) -> "InProcess":
        """Return the answer."""
        return self

    def read(self) -> bytes:
        """Return the body of the answer."""
        return self._content


def purchase_costs(service: Any, limit: Any, seeded: Seeded) -> dict[str, list[float]]:
    """Return the processor time of a purchase's requests at both, in microseconds."""
    sides = [(service, shoppers_of(seeded)), (limit, shoppers_of_limit(seeded))]
    found = {step: [float("inf")] * len(sides) for step in STEPS}
    for block in range(BLOCKS + 1):
        for side, (app, shoppers) in enumerate(sides):
            connection: Any = InProcess(app)
            for shopper in itertools.islice(shoppers, PURCHASES):
                purchases.buy(connection, shopper)
            for number, step in enumerate(STEPS if block else ()):  # both know how by then
                took = connection.took[number :: len(STEPS)]
                found[step][side] = min(found[step][side], sum(took) / len(took) * 1e6)
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.only != "postgresql":
            _print("SQLite", f"sqlite:///{folder}/layers.sqlite3", folder)
        if options.only != "sqlite":
            with postgres_cluster() as url:
                _print("PostgreSQL", url, folder)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}", file=sys.stderr)


def _print(name: str, url: str, folder: str) -> None:
    seeded = seed(url, USERS)
    environ = {**service_environ(seeded.url, Path(folder)), "JAY_DEMO": "1"}  # the sandbox's
    app = make_ready(create_app(settings_from(environ)))
    limit = _limit(seeded)
    found, cost = {}, {}
    # The access log costs what it costs, and is read by nobody.
    with (Path(folder) / "log").open("w") as log, contextlib.redirect_stdout(log):
        for row in _rows(app, seeded):
            key = seeded.merchant_key if row.merchant else seeded.api_key
            ours = sender(app.wsgi_app, row.requests, key)
            theirs = sender(limit, row.against or row.requests, key)
            cost[row.name] = costs(ours, theirs)
            if row.name in PROFILED and not seeded.url.startswith("sqlite"):
                found[row.name] = profile(ours)
        cost |= purchase_costs(app.wsgi_app, limit, seeded)
    if found:
        print(f"\n| {name}: layer | " + " | ".join(found) + " |")
        print("|---|" + "---|" * len(found))
        for layer in (*(each[0] for each in LAYERS), "the rest"):
            shares = [f"{100 * met[layer] / met.total():.0f} %" for met in found.values()]
            print(f"| {layer} | " + " | ".join(shares) + " |")
    print(f"\n| {name}: processor time in us | service | limit | times |\n|---|---|---|---|")
    for operation, (service, bare) in cost.items():
        print(f"| {operation} | {service:.0f} | {bare:.0f} | {service / bare:.2f} |")


def _rows(app: Any, seeded: Seeded) -> list[Row]:
    """Return the rows of the benchmark; the transfers of its televisions need a server."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        rows = list(rows_of(seeded, f"http://127.0.0.1:{server.port}"))
        # The televisions first: another transfer of the same user ends theirs.
        again = [row.fresh() for row in rows if row.again]
        return [*again, *(row for row in rows if row.requests)]
    finally:
        server.shutdown()
        thread.join()


def _limit(seeded: Seeded) -> Any:
    """Return the limit's application on a database; it reads the environment when it is loaded."""
    os.environ |= {"JAY_DATABASE_URL": seeded.url, "BENCH_PARTNER": str(seeded.partner)}
    for name in ("limit_driver", "limit_purchases", "limit_app"):
        sys.modules.pop(f"tests.load.{name}", None)
    return importlib.import_module("tests.load.limit_app").app.wsgi_app


if __name__ == "__main__":
    main()
