"""Answers before Flask: what the operations share that are asked for most.

What Flask does around one look-up costs more than the look-up. So the plain requests of a few
operations are answered by WSGI middleware, with the same guards, services and words as by their
routes; whatever is not plain goes on to the route, and so does what fails before it is counted.
"""

import io
import time
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, NamedTuple, ParamSpec

import marshmallow as ma
from flask import Flask

from jay.errors import JayError
from jay.web import logs, responses
from jay.web.bodies import parsed
from jay.web.pages import HSTS
from jay.web.plain import NotPlain
from jay.web.rates import Tally, headers_of
from jay.web.versions import Api

P = ParamSpec("P")
Environ = dict[str, Any]
StartResponse = Callable[..., Any]

# What changes the answer is Flask's business: headers, as WSGI names them, and having waited.
_NOT_PLAIN = (
    *("HTTP_ORIGIN", "HTTP_X_API_VERSION", "HTTP_X_JAY_API_VERSION", "HTTP_CONTENT_ENCODING"),
    responses.EXPIRED,
)

_OF_PROXIES = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")

LONGEST_BODY = 8 * 1024
"""Bytes of a body that may be a plain one."""


class Success(NamedTuple):
    """What a plain request is answered with.

    :ivar etag: its entity tag, without quotes.
    """

    body: bytes
    etag: str | None = None


class _Call(NamedTuple):
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
    :ivar app: where everything else goes.
    """

    def __init__(self, app: Flask, api: Api, *more: str) -> None:
        self.app: Callable[[Environ, StartResponse], Iterable[bytes]] = app.wsgi_app
        self._rates = app.extensions["jay.rates"]
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

    def answer(
        self,
        environ: Environ,
        start_response: StartResponse,
        route: str,
        work: Callable[Concatenate[Environ, Tally, P], Success],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Iterable[bytes]:
        """Answer as the route does with this rule, or let it do so.

        :param work: is called with the request, its tally and ``args``. It counts the request
            before it changes anything, and raises ``NotPlain`` before it counts it.
        """
        call, tally = _Call(environ, start_response, route, time.perf_counter()), Tally(self._rates)
        try:
            success = work(environ, tally, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it is answered and logged
            if tally.counted or isinstance(error, JayError):
                return self._refuse(call, error, tally)
        else:
            return self._succeed(call, success, tally)
        return self.app(environ, start_response)  # it meets that again, answers it and logs it

    def _succeed(self, call: _Call, success: Success, tally: Tally) -> Iterable[bytes]:
        body, etag = success
        identifier = _identifier(call.environ)
        more = [("Content-Length", str(len(body))), (logs.REQUEST_ID_HEADER, identifier)]
        if etag is not None:
            more.append(("ETag", f'"{etag}"'))
        told = headers_of(tally.counted.values())
        call.start_response("200 OK", [*self._headers, *more, *told.items()])
        _log(call, identifier, 200)
        return [body]

    def _refuse(self, call: _Call, error: Exception, tally: Tally) -> Iterable[bytes]:
        """Answer with an error, as the route's renderer does; any but ours is a crash."""
        identifier = _identifier(call.environ)
        where = {"id": identifier, "route": call.route}
        if not isinstance(error, JayError):
            error = responses.crashed(error, where)
        elif error.status >= 500:
            responses.log_failure(error, where)
        response = responses.json_error(error)
        told = headers_of(tally.counted.values()) if tally.counted else {}
        more = [(logs.REQUEST_ID_HEADER, identifier), *told.items()]
        response.headers.update([*self._headers, *more])
        _log(call, identifier, error.status)
        return response(call.environ, call.start_response)


def not_plain_of_proxies(app: Flask) -> tuple[str, ...]:
    """Return the headers of proxies, as WSGI names them, where none is trusted.

    They are not plain then: the operator is to know of them, see ``jay.web.seldom``.
    """
    return () if app.extensions["jay.settings"].trusted_proxies else _OF_PROXIES


def body_of(environ: Environ, *, most: int = LONGEST_BODY) -> bytes:
    """Return the body of a request; the route can still read it.

    :raises NotPlain: it is long, of another type than JSON, or its length is not told.
    """
    length: str = environ.get("CONTENT_LENGTH") or "0"
    # Other versions of HTTP than these need not tell the length of what comes.
    if "HTTP_TRANSFER_ENCODING" in environ or not environ["SERVER_PROTOCOL"].startswith("HTTP/1."):
        raise NotPlain
    if length == "0":
        return b""
    if not (len(length) < 10 and length.isdecimal() and int(length) <= most):
        raise NotPlain
    if environ.get("CONTENT_TYPE") != "application/json":
        raise NotPlain
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def content_of(environ: Environ) -> Any:
    """Return what the JSON body of a request says, ``ma.missing`` when there is none.

    :raises NotPlain: as ``body_of``, or it is no JSON that is accepted.
    """
    body = body_of(environ)
    if not body:
        return ma.missing
    try:
        return parsed(body)
    except JayError as error:
        raise NotPlain from error


def _identifier(environ: Environ) -> str:
    return logs.request_id(environ.get("HTTP_X_REQUEST_ID", ""))


def _log(call: _Call, identifier: str, status: int) -> None:
    logs.write_request(identifier, call.environ["REQUEST_METHOD"], call.route, status, call.began)
