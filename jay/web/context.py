"""What the current app was built with."""

from datetime import datetime

from flask import current_app

from jay.clock import Clock
from jay.config import Settings


def settings() -> Settings:
    """Return the current app's settings."""
    found: Settings = current_app.extensions["jay.settings"]
    return found


def clock() -> Clock:
    """Return the current app's clock."""
    found: Clock = current_app.extensions["jay.clock"]
    return found


def now() -> datetime:
    """Return the current moment in UTC, as the current app's clock tells it."""
    return clock()()
