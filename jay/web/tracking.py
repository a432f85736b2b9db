"""The ``X-JAY-Tracking`` header of the current request."""

import functools
from collections.abc import Mapping
from typing import Any

from flask import Request

from jay.events import MAX_VALUE_LENGTH, NOTHING, Tracking
from jay.web.context import notes, this_request

HEADER = "X-JAY-Tracking"
PROVIDER = "provider_id"
"""The query parameter; whatever it says, it fails nobody's request."""

_SENT = "HTTP_X_JAY_TRACKING"  # as WSGI names it
SESSIONS_REMEMBERED = 2_000


class Ignored:
    """Counts what was broken of it in this process, which never fails a shopper's request."""

    count = 0


def current() -> Tracking:
    """Return where the current request comes from, as far as it says so.

    ``provider_id`` in the query is the provider where the session names none. One that says two
    things says nothing: which of them others go by is not known.
    """
    noted = notes()
    found: Tracking | None = noted.get("tracking")
    if found is None:
        found = noted["tracking"] = _of_request(this_request())
    return found


@functools.lru_cache(maxsize=SESSIONS_REMEMBERED)
def _parsed(header: str) -> Tracking:
    return Tracking.parse(header)


def sent(environ: Mapping[str, Any]) -> Tracking:
    """Return what the header of a request with this WSGI environment says."""
    header: str | None = environ.get(_SENT)
    if header:
        try:
            return _parsed(header)
        except ValueError:
            Ignored.count += 1
    return NOTHING


def _of_request(request: Request) -> Tracking:
    found = sent(request.environ)
    said = {*request.args.getlist(PROVIDER)} if request.query_string else ()
    if len(said) > 1:
        Ignored.count += 1
        return found
    provider = next(iter(said), None)
    if found.provider_name is None and provider and len(provider) <= MAX_VALUE_LENGTH:
        return Tracking(
            session_id=found.session_id,
            start_time=found.start_time,
            source=found.source,
            provider_name=provider.replace("\0", ""),
        )
    return found
