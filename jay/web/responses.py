"""Answers: JSON, the success envelope, files, and one renderer for all errors."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson
import structlog
from flask import Flask, Response, current_app, g, redirect, request
from flask.json.provider import JSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.security import safe_join
from werkzeug.utils import send_from_directory

from jay.errors import (
    Busy,
    HttpError,
    InternalError,
    JayError,
    MalformedRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    RouteNotFound,
    UnsupportedMediaType,
)
from jay.web import conditions, versions
from jay.web.context import notes, settings, this_request

log = structlog.get_logger()

MAX_BODY_BYTES = 1024 * 1024
LARGER_BODIES: Mapping[bytes, int] = {b"PUT /v1/shops/pictures/": 20 * 1024 * 1024}
"""What takes larger bodies: requests whose line begins so. Their routes say it, too."""

EXPIRED = "jay.expired"
"""Where the server says in a request's environment that it has waited too long for a thread."""

_ERROR_OF_STATUS: dict[int, type[JayError]] = {
    400: MalformedRequest,
    404: RouteNotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
    500: InternalError,
}


class OrjsonProvider(JSONProvider):
    """Flask's JSON by orjson: several times faster, and strict about NaN and UTF-8."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Serialize to a string; ``indent`` is honoured, as documents are read by people."""
        option = orjson.OPT_INDENT_2 if kwargs.get("indent") else 0
        return orjson.dumps(obj, option=option | orjson.OPT_NON_STR_KEYS).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        """Parse a document."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """Build a JSON response."""
        body = orjson.dumps(self._prepare_response_obj(args, kwargs))
        return current_app.response_class(body, mimetype="application/json")


def _json(content: Any) -> bytes:
    # A newline at the end is for people with curl. Field errors of list items are keyed by number.
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS)


def envelope(data: Any) -> bytes:
    """Return the body of a success answer."""
    return _json({"data": data})


def answer(data: Any, *, etag: str | None = None) -> Response:
    """Build an enveloped success answer directly, for routes where a dump would cost too much.

    :param etag: strong entity tag without quotes; a GET that has it gets 304 (RFC 9110, 13.1.2).
    """
    response = Response(envelope(data), content_type="application/json")
    if etag is not None:
        response.headers["ETag"] = f'"{etag}"'
        this = this_request()
        asked = "HTTP_IF_NONE_MATCH" in this.environ
        if asked and this.method in {"GET", "HEAD"} and this.if_none_match:
            response.make_conditional(conditions.without_codings())
    return response


def file_answer(folder: Path, name: str, *, max_age: int | None) -> Response:
    """Answer a file of a folder, its entity tag made of what it holds.

    Flask makes that of when the file was written, which is another moment on each node: a browser
    that comes to another one would load again what it has.

    :param max_age: seconds for which a browser needs not ask again; None: it asks each time.
    """
    path = safe_join(str(folder), name)
    etag = None
    if path is not None and Path(path).is_file():
        with Path(path).open("rb") as file:
            etag = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    response = send_from_directory(
        folder,
        name,
        conditions.without_codings(),
        conditional=True,
        etag=etag or False,
        max_age=max_age,
        response_class=current_app.response_class,
    )
    del response.headers["Last-Modified"]
    return response  # type: ignore[return-value]


ErrorRenderer = Callable[[JayError], Response]


def error_body(error: JayError) -> dict[str, Any]:
    """Build the failure envelope."""
    content = {"code": error.code, "message": error.message, "details": error.details}
    return {"error": content}


def json_error(error: JayError) -> Response:
    """Answer an error as the APIs do."""
    response = Response(_json(error_body(error)), mimetype="application/json")
    response.status_code = error.status
    response.headers.extend(error.told_headers)
    if error.code:
        # Where this error is explained (RFC 8288, relation "help").
        response.headers["Link"] = f'</docs/errors#{error.code}>; rel="help"'
    return response


def init_app(app: Flask, *, render_page_error: ErrorRenderer) -> None:
    """Set up JSON, the error renderers and the headers that every answer carries."""
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    # A product id may hold any character, two slashes in a row included.
    app.url_map.merge_slashes = False

    def render(error: JayError) -> Response:
        if versions.api_of_path(request.path) or request.path.startswith("/.well-known/"):
            return json_error(error)
        return render_page_error(error)

    _register_error_handlers(app, render)

    @app.before_request
    def _refuse_expired() -> None:
        if EXPIRED in this_request().environ:
            raise Busy

    @app.after_request
    def _stamp(response: Response) -> Response:
        headers = response.headers
        api = versions.api_of_path(this_request().path)
        if api is not None:
            headers[versions.RESPONSE_HEADER] = notes().get("api_version", api.newest)
            headers.setdefault("Cache-Control", "no-store")
        headers["X-Content-Type-Options"] = "nosniff"
        if 300 <= response.status_code < 400:
            _lead_to_the_public_url(response)
        return response


def _lead_to_the_public_url(response: Response) -> None:
    """Let a redirect that was built from ``Host`` lead to the public URL: anybody may write that.

    Others are paths, which stay where the client is.
    """
    named = urlsplit(response.headers.get("Location", ""))
    if named.netloc and named.netloc == request.host:
        path = urlunsplit(("", "", named.path, named.query, named.fragment)).lstrip("/")
        instead = redirect(f"{settings().public_url}/{path}", response.status_code)
        response.headers["Location"] = instead.headers["Location"]
        response.set_data(instead.get_data())


def log_failure(error: JayError, where: Mapping[str, Any]) -> None:
    """Log that this service, or one that it depends on, could not answer a request.

    :param where: ``id`` of the request and ``route``.
    """
    # What is busy or unreachable needs no traceback; what went wrong where does.
    cause = error.__cause__
    told = {"reason": str(cause)} if isinstance(error, Busy) else {"exc_info": cause}
    log.warning("request failed", error=error.constant(), **where, **told)


def crashed(error: Exception, where: Mapping[str, Any]) -> InternalError:
    """Log a fault of ours; return what is told of it.

    :param where: as for ``log_failure``.
    """
    log.error("unhandled exception", **where, exc_info=error)
    return InternalError()


def _whereabouts() -> dict[str, Any]:
    return {"id": g.get("request_id"), "route": str(request.url_rule or "none")}


def _register_error_handlers(app: Flask, render: ErrorRenderer) -> None:
    @app.errorhandler(JayError)
    def _on_house_error(error: JayError) -> Response:
        if error.status >= 500:
            log_failure(error, _whereabouts())
        return render(error)

    @app.errorhandler(HTTPException)
    def _on_http_error(error: HTTPException) -> Any:
        if error.code is None or error.code < 400:
            return error.get_response()  # a redirect
        kind = _ERROR_OF_STATUS.get(error.code, HttpError)
        response = render(kind() if kind is not HttpError else HttpError(error.name + "."))
        if response.status_code < 400:
            return response  # it leads to the address that was meant
        response.status_code = error.code
        for name, value in error.get_headers():
            if name in {"Allow", "Retry-After"}:
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def _on_crash(error: Exception) -> Response:
        return render(crashed(error, _whereabouts()))
