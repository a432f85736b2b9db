"""What every JSON route, page and command stands on."""

from jay.web.blueprint import PUBLIC, Blueprint, guard
from jay.web.context import clock, now, settings

__all__ = ["PUBLIC", "Blueprint", "clock", "guard", "now", "settings"]
