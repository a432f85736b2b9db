"""Answers before Flask: what the operations share that are asked for most.

What Flask does around one look-up costs more than the look-up. So the plain requests of a few
operations are answered by WSGI middleware, with the same guards, services and words as by their
routes; whatever is not plain goes on to the route, and so does what fails before it is counted.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flask import Flask

from jay.errors import JayError
from jay.web import logs, responses
from jay.web.pages import HSTS
from jay.web.rates import Left, headers_of
from jay.web.versions import Api

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

# What changes the answer is Flask's business: headers, as WSGI names them, and having waited.
_NOT_PLAIN = ("HTTP_ORIGIN", "HTTP_X_API_VERSION", "HTTP_X_JAY_API_VERSION", responses.EXPIRED)


class Call(NamedTuple):
    """A request that is answered before Flask.

    :ivar route: the rule of the route, by which it is logged.
    :ivar began: what ``time.perf_counter()`` said then.
    """

    environ: Environ
    start_response: StartResponse
    route: str
    began: float


class Early:
    """Tells which requests of an API are plain, and answers them.

    :param more: other headers that are not plain, as WSGI names them.
    """

    def __init__(self, app: Flask, api: Api, *more: str) -> None:
        self._not_plain = frozenset((*_NOT_PLAIN, *more))
        self._headers = [
            ("Content-Type", "application/json"),
            ("X-API-Version", api.newest),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if app.extensions["jay.settings"].https:
            self._headers.append(("Strict-Transport-Security", HSTS))

    def is_plain(self, environ: Environ) -> bool:
        """Tell whether a request says nothing that is Flask's business."""
        return environ.keys().isdisjoint(self._not_plain)

    def begin(self, environ: Environ, start_response: StartResponse, route: str) -> Call:
        """Begin to answer."""
        return Call(environ, start_response, route, time.perf_counter())

    def answer(
        self, call: Call, body: bytes, counted: Sequence[Left], etag: str | None = None
    ) -> Iterable[bytes]:
        """Answer with a success.

        :param counted: what is left of the limits that it was counted for.
        """
        identifier = _identifier(call.environ)
        more = [("Content-Length", str(len(body))), (logs.REQUEST_ID_HEADER, identifier)]
        if etag is not None:
            more.append(("ETag", f'"{etag}"'))
        call.start_response("200 OK", [*self._headers, *more, *headers_of(counted).items()])
        _log(call, identifier, 200)
        return [body]

    def refuse(self, call: Call, error: Exception, counted: Sequence[Left]) -> Iterable[bytes]:
        """Answer with an error, as the route's renderer does; any but ours is a crash."""
        identifier = _identifier(call.environ)
        where = {"id": identifier, "route": call.route}
        if not isinstance(error, JayError):
            error = responses.crashed(error, where)
        elif error.status >= 500:
            responses.log_failure(error, where)
        response = responses.json_error(error)
        told: Mapping[str, str] = headers_of(counted) if counted else {}
        more = [(logs.REQUEST_ID_HEADER, identifier), *told.items()]
        response.headers.update([*self._headers, *more])
        _log(call, identifier, error.status)
        return response(call.environ, call.start_response)


def _identifier(environ: Environ) -> str:
    return logs.request_id(environ.get("HTTP_X_REQUEST_ID", ""))


def _log(call: Call, identifier: str, status: int) -> None:
    logs.write_request(identifier, call.environ["REQUEST_METHOD"], call.route, status, call.began)
