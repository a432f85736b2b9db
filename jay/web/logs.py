"""Structured logs: one JSON object a line, and never a secret in one.

A request is logged by its route (``/t/<token>``), never by its path: paths hold tokens, user ids
and product ids. Headers, bodies and addresses are not logged at all.
"""

import logging
import random
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from select import PIPE_BUF
from typing import Any

import orjson
import structlog
from flask import Flask, Response
from gunicorn.glogging import Logger
from structlog.typing import EventDict

from jay.clock import system_clock
from jay.web.context import notes, this_request

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID_SENT = "HTTP_X_REQUEST_ID"  # as WSGI names it
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

MOST_HELD_BACK, HELD_BACK_SECONDS = 16, 0.25
"""Lines of requests, about as many as a pipe takes without a part of another process's between
them (4 KiB); and after how long they are written, however many others wait.
"""

# What looks like a token, an API key or a bearer header is masked wherever it turns up, in
# exception texts above all.
_SECRETS = re.compile(
    r"eyJ[\w-]+\.[\w.-]*|jay_[\w-]{8,}|Bearer\s+\S+"
    r"|(?<=/pay/)[\w-]{16,}|(?:pk|sk|rk|whsec)_\w{8,}|\w+_secret_\w+"
    r"|(?<=/t/)[\w-]{16,}|(?<=/tv/)[\w-]{16,}|(?<=/orders/)[\w-]{16,}|(?<=/transfers/)[\w-]{16,}"
    r"|(?<=jayToken=)[\w-]+"
    # PostgreSQL quotes the row that it refuses.
    r"|(?<=DETAIL:)(?s:.*?)(?=\n\nThe above exception|\[SQL:|\Z)"
)


class MaskedLogger(Logger):
    """Gunicorn's own log, which quotes requests that fail before Flask sees them."""

    def setup(self, cfg: Any) -> None:
        """Mask whatever it writes."""
        super().setup(cfg)
        self.error_log.addFilter(_mask_record)


def _mask_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = _SECRETS.sub("***", record.getMessage()), ()
    return True


def _mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {
        key: _SECRETS.sub("***", value) if isinstance(value, str) else value
        for key, value in event.items()
    }


_held: deque[str] = deque()
"""Lines that are not written yet, see ``hold_back_while``."""

_writing = threading.Lock()


def _no() -> bool:
    return False


_others_wait: Callable[[], bool] = _no


def hold_back_while(others_wait: Callable[[], bool] | None) -> None:
    """Write the lines of several requests at once while others wait to be answered.

    To write one takes a system call, in which a thread loses its turn. The last ones may be
    followed by nobody: what is held back is written after a moment, by a thread of its own, as
    whoever reads our output may be slow.

    :param others_wait: None to write each at once, as at first, and what is held back now.
    """
    global _others_wait  # noqa: PLW0603 - of the process, as its standard output is
    _others_wait = others_wait or _no
    if others_wait is not None:
        threading.Thread(target=_write_while, args=(others_wait,), name="log", daemon=True).start()
    flush()


def _write_while(others_wait: Callable[[], bool]) -> None:
    while _others_wait is others_wait:
        time.sleep(HELD_BACK_SECONDS)
        flush()


def flush() -> None:
    """Write what is held back."""
    with _writing:
        while _held:
            # What was done is done, also when it can't be logged: a full disk makes no 500 of it.
            with suppress(OSError):
                sys.stdout.write(_lot())
                sys.stdout.flush()


def _lot() -> str:
    """Take as many lines as are written at once, of all processes that share a pipe."""
    lot = _held.popleft()
    while _held and len(lot) + len(_held[0]) <= PIPE_BUF:
        lot += _held.popleft()
    return lot


class _Lines(structlog.WriteLogger):
    """Writes to standard output, where that has room."""

    def msg(self, message: str) -> None:
        _held.append(message + "\n")
        flush()

    log = debug = info = warn = warning = fatal = failure = msg
    err = error = critical = exception = msg


def configure() -> None:
    """Set structlog up, once a process."""
    structlog.configure(
        cache_logger_on_first_use=True,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: _Lines(),
    )


def init_app(app: Flask) -> None:
    """Give each request an id and log it when it is answered."""

    @app.before_request
    def _begin() -> None:
        asked: str = this_request().environ.get(_REQUEST_ID_SENT, "")
        notes().update(request_id=request_id(asked), began=time.perf_counter())

    @app.after_request
    def _end(response: Response) -> Response:
        noted = notes()
        if "began" not in noted:
            return response
        identifier = noted["request_id"]
        response.headers[REQUEST_ID_HEADER] = identifier
        this = this_request()
        if this.endpoint != "static":
            route = "none" if this.url_rule is None else this.url_rule.rule
            write_request(identifier, this.method, route, response.status_code, noted["began"])
        return response


def request_id(asked: str) -> str:
    """Return the id of a request: the asked one if it is harmless, else a new one."""
    # It goes into a header and into the log, and opens nothing: it need not be hard to guess.
    return asked if _REQUEST_ID.fullmatch(asked) else f"{random.getrandbits(64):016x}"


def write_request(identifier: str, method: str, route: str, status: int, began: float) -> None:
    """Log a request that was answered.

    :param route: the rule that it came by, never its path.
    :param began: what ``time.perf_counter()`` said then.
    """
    # Written directly: it happens on every request, and there is nothing in it to be masked.
    line = {
        "event": "request",
        "level": "info",
        "timestamp": system_clock(),
        "id": identifier,
        "method": method,
        "route": route,
        "status": status,
        "ms": round((time.perf_counter() - began) * 1000, 1),
    }
    _held.append(orjson.dumps(line, option=orjson.OPT_UTC_Z).decode() + "\n")
    if len(_held) >= MOST_HELD_BACK or not _others_wait():
        flush()
