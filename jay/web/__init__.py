"""What every JSON route, page and command stands on."""

from jay.web.blueprint import PUBLIC, Blueprint, guard
from jay.web.context import clock, notes, now, settings, this_app, this_request

__all__ = [
    "PUBLIC",
    "Blueprint",
    "clock",
    "guard",
    "notes",
    "now",
    "settings",
    "this_app",
    "this_request",
]
