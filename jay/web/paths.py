"""Request paths as the client sent them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

ENCODED_SLASH = "\0"
"""Stands for ``%2F`` in a path until the route is found; NUL itself is never part of an id."""


class EncodedSlashes:
    """WSGI middleware: a percent-encoded slash in an API path belongs to an id (RFC 3986, 2.2).

    WSGI servers decode the path before routing, after which a user id such as ``auth0/4711``
    can't be told from two segments. So the path is decoded anew from what the client sent.
    """

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Decode the path segment by segment."""
        path = environ.get("RAW_URI", "").partition("?")[0]
        if path.startswith("/v") and ("%2f" in path.lower() or "%00" in path):
            segments = [unquote_to_bytes(segment) for segment in path.split("/")]
            mark = ENCODED_SLASH.encode()
            decoded = b"/".join(
                segment.replace(mark, b"\xef\xbf\xbd").replace(b"/", mark) for segment in segments
            )
            environ["PATH_INFO"] = decoded.decode("latin-1")
        return self._app(environ, start_response)
