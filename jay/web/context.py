"""The current request and what its app was built with.

``current_app``, ``g`` and ``request`` look anew for what is behind them at each use, which costs as
much as a small function: what every request does takes them from here, once.
"""

from datetime import datetime
from typing import Any

from flask import Flask, Request, current_app, g, request

from jay.clock import Clock
from jay.config import Settings


def this_app() -> Flask:
    """Return what is behind ``current_app``."""
    found: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return found


def this_request() -> Request:
    """Return what is behind ``request``."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def notes() -> dict[str, Any]:
    """Return what is behind ``g``: what is noted with the current request."""
    found: dict[str, Any] = vars(g._get_current_object())
    return found


def settings() -> Settings:
    """Return the current app's settings."""
    found: Settings = this_app().extensions["jay.settings"]
    return found


def clock() -> Clock:
    """Return the current app's clock."""
    found: Clock = this_app().extensions["jay.clock"]
    return found


def now() -> datetime:
    """Return the current moment in UTC, as the current app's clock tells it."""
    return clock()()
