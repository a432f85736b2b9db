"""The ``X-JAY-Tracking`` header of the current request."""

import functools

from flask import g, request

from jay.events import MAX_VALUE_LENGTH, NOTHING, Tracking

HEADER = "X-JAY-Tracking"
SESSIONS_REMEMBERED = 2_000


class Ignored:
    """Counts the broken headers of this process; a broken one never fails a shopper's request."""

    count = 0


def current() -> Tracking:
    """Return where the current request comes from, as far as it says so.

    ``provider_id`` in the query is the provider where the session names none.
    """
    found = g.get("tracking")
    if found is None:
        found = g.tracking = _of_request()
    return found  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=SESSIONS_REMEMBERED)
def _parsed(header: str) -> Tracking:
    return Tracking.parse(header)


def _of_request() -> Tracking:
    header = request.headers.get(HEADER)
    found = NOTHING
    if header:
        try:
            found = _parsed(header)
        except ValueError:
            Ignored.count += 1
    provider = request.args.get("provider_id")
    if found.provider_name is None and provider and len(provider) <= MAX_VALUE_LENGTH:
        return Tracking(
            session_id=found.session_id,
            start_time=found.start_time,
            source=found.source,
            provider_name=provider.replace("\0", ""),
        )
    return found
