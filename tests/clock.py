"""A clock that tests move by hand, and how long they wait by the other one."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

NOON = datetime(2025, 6, 4, 12, 0, 0, tzinfo=UTC)

PATIENCE_SECONDS = 60
"""How long a test waits for what takes a moment: a busy machine may need that, and what never comes
is noticed then. No test is right because something was fast."""


def wait_until(condition: Callable[[], object]) -> None:
    """Ask until something is so; fail where it does not come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


class MovedClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += timedelta(seconds=seconds)
