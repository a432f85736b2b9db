"""The service as Granian runs it, to see what another server than gunicorn would gain.

Granian tells no RAW_URI: what is measured sends no encoded slash, so the decoded path will do. Nor
does it hold back slow clients with deadlines of its own, as the service's gunicorn worker does.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from wsgi import app as service


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer as the service does."""
    query = environ.get("QUERY_STRING")
    path = quote(environ["PATH_INFO"].encode("latin-1"))
    environ["RAW_URI"] = f"{path}?{query}" if query else path
    return service(environ, start_response)
