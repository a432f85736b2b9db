"""The only reader of the system clock.

Everything that depends on the time gets ``now`` as an argument, so that a test can move it.
"""

import time
from collections.abc import Callable
from datetime import MINYEAR, UTC, datetime

Clock = Callable[[], datetime]
"""Answers the current moment, aware of its zone, in UTC."""


def system_clock() -> datetime:
    """Return the current moment in UTC."""
    return datetime.now(UTC)


def timer(clock: Clock) -> Callable[[], float]:
    """Return what measures how long ago something was, in seconds.

    The system's wall clock may be set back, and a cache must not live longer for it: so it is
    measured by the monotonic clock. A clock that a test moves is its own measure.
    """
    if clock is system_clock:
        return time.monotonic
    return lambda: clock().timestamp()


def in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC.

    Some of the years 1 and 9999 lie beyond both ends there, as ``0001-01-01T00:00:00+14:00`` does:
    they mean without beginning or end, and are the first or last moment that can be written.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        early = moment.year == MINYEAR
        return datetime.min.replace(tzinfo=UTC) if early else datetime.max.replace(tzinfo=UTC)


def iso(moment: datetime) -> str:
    """Write a moment as the API does: ISO 8601, UTC, whole seconds, ``Z``."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat()[:19] + "Z"
