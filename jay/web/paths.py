"""Request paths as the client sent them."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

ENCODED_SLASH = "\0"
"""Stands for ``%2F`` in a path until the route is found; NUL itself is never part of an id."""

TARGETS = ("RAW_URI", "REQUEST_URI")
"""Where servers tell the target of a request as it was sent; WSGI itself has no name for it."""

UNTOLD = (
    "The WSGI server tells neither RAW_URI nor REQUEST_URI, so ids with a slash would lead to other"
    " resources: run the service with gunicorn."
)
# What stands before the path in the absolute form of a target (RFC 9112 section 3.2.2).
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]*", re.IGNORECASE)


def path_sent(environ: dict[str, Any]) -> str:
    """Return the path of a request as the client sent it, percent-encoded.

    :raises RuntimeError: the server does not tell it. So it is with its first request, which is one
        for ``/readyz`` where somebody waits for the start.
    """
    for name in TARGETS:
        if name in environ:
            target: str = environ[name].partition("?")[0]
            if target.startswith("/"):
                return target
            origin = _ORIGIN.match(target)
            return target if origin is None else target[origin.end() :] or "/"
    raise RuntimeError(UNTOLD)


class EncodedSlashes:
    """WSGI middleware: a percent-encoded slash in an API path belongs to an id (RFC 3986, 2.2).

    WSGI servers decode the path before routing, after which a user id such as ``auth0/4711``
    can't be told from two segments. So the path is decoded anew from what the client sent.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Decode the path segment by segment."""
        path = path_sent(environ)
        if path.startswith("/v") and ("%2f" in path.lower() or "%00" in path):
            segments = [unquote_to_bytes(segment) for segment in path.split("/")]
            mark = ENCODED_SLASH.encode()
            decoded = b"/".join(
                segment.replace(mark, b"\xef\xbf\xbd").replace(b"/", mark) for segment in segments
            )
            environ["PATH_INFO"] = decoded.decode("latin-1")
        return self._app(environ, start_response)
