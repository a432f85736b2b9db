"""Warnings about what every request may bring again: one line for each in ten minutes."""

import threading
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask, current_app

from jay.clock import Clock, timer
from jay.config import Settings
from jay.web.context import this_request

INTERVAL = timedelta(minutes=10)

log = structlog.get_logger()


class Seldom:
    """Knows which warnings this process has given lately."""

    def __init__(self, clock: Clock) -> None:
        self._lock = threading.Lock()
        self._timer = timer(clock)
        self._given: dict[str, float] = {}

    def is_due(self, event: str) -> bool:
        """Tell whether a warning is to be given, to one of all that ask in an interval."""
        now = self._timer()
        with self._lock:
            given = self._given.get(event)
            if given is not None and 0 <= now - given < INTERVAL.total_seconds():
                return False
            self._given[event] = now
            return True


def warn(event: str, **values: Any) -> None:
    """Log a warning, unless this process has given it within ten minutes."""
    seldom: Seldom = current_app.extensions["jay.seldom"]
    if seldom.is_due(event):
        log.warning(event, **values)


FORWARDED = "requests come through a proxy (X-Forwarded-For), and none is trusted"


def init_app(app: Flask, settings: Settings, clock: Clock) -> None:
    """Let the operator know of a proxy that the settings do not: all its callers are one."""
    app.extensions["jay.seldom"] = Seldom(clock)
    if settings.trusted_proxies:
        return

    @app.before_request
    def _look_for_a_proxy() -> None:
        # The address itself is nobody's business here, and may be made up.
        environ = this_request().environ
        if "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ:
            warn(FORWARDED, mend="behind a proxy, set JAY_TRUSTED_PROXIES to how many there are")
