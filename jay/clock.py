"""The only reader of the system clock.

Everything that depends on the time gets ``now`` as an argument, so that a test can move it.
"""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Answers the current moment, aware of its zone, in UTC."""


def system_clock() -> datetime:
    """Return the current moment in UTC."""
    return datetime.now(UTC)


def iso(moment: datetime) -> str:
    """Write a moment as the API does: ISO 8601, UTC, whole seconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
