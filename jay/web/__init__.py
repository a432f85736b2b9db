"""What every JSON route, page and command stands on."""

from jay.web.blueprint import (
    PUBLIC,
    Api,
    Blueprint,
    EncodedSlashes,
    clock,
    guard,
    information,
    settings,
)

__all__ = [
    "PUBLIC",
    "Api",
    "Blueprint",
    "EncodedSlashes",
    "clock",
    "guard",
    "information",
    "settings",
]
