"""How long the service waits where it runs in a process of the tests: as long as they do.

It gives up what does not answer within a few seconds. Here that is a machine that is slow, or a
disk that stands still for a moment, and no test is about that. Those about giving up set a time
that is short enough to be waited for.
"""

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

from tests.clock import PATIENCE_SECONDS

SECONDS = {
    "auth.jwks": ("CONNECT_SECONDS", "TOTAL_SECONDS"),
    "db.database": ("LOCK_WAIT_SECONDS", "STATEMENT_SECONDS"),
    "db.postgresql": ("HANG_SECONDS",),
    "db.sqlite": ("LOCK_WAIT_SECONDS",),
    "db.write_queue": ("LOCK_WAIT_SECONDS", "STUCK_SECONDS"),
    "net.names": ("RESOLVE_SECONDS",),
    "outbox.transports.http": ("CONNECT_SECONDS", "READ_SECONDS", "TOTAL_SECONDS"),
    "outbox.transports.mail": ("STEP_SECONDS", "TOTAL_SECONDS"),
    "pictures.bucket": ("CONNECT_SECONDS", "PLACE_SECONDS", "READ_SECONDS", "TOTAL_SECONDS"),
    "pictures.routes": ("_WAIT_SECONDS",),
    "web.answering": ("EXPIRES_SECONDS",),
    "web.counts": ("ANSWER_SECONDS",),
}
"""Which are asked for each time, by module."""

LIMITS = {"connectors.calling": "LIMITS", "ops.demo_shop": "_LIMITS", "pictures.fetching": "LIMITS"}
"""Of calls to servers elsewhere."""


_real: dict[tuple[Any, str], Any] = {}
"""What was there before, by module and name."""


def give(patch: pytest.MonkeyPatch) -> None:
    """Let the service have patience in this process."""
    for name, constants in SECONDS.items():
        for constant in constants:
            _set(patch, name, constant, PATIENCE_SECONDS)
    for name, constant in LIMITS.items():
        limits = getattr(import_module(f"jay.{name}"), constant)
        same = dict.fromkeys(("connect", "read", "total"), PATIENCE_SECONDS)
        _set(patch, name, constant, replace(limits, **same))


def _set(patch: pytest.MonkeyPatch, name: str, constant: str, value: object) -> None:
    module = import_module(f"jay.{name}")
    _real.setdefault((module, constant), getattr(module, constant))
    patch.setattr(module, constant, value)


def take(patch: pytest.MonkeyPatch) -> None:
    """Let the service be as it is, for a test that asks how long it waits."""
    for (module, constant), value in _real.items():
        patch.setattr(module, constant, value)
