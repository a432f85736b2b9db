"""The pictures of an order's mails: small, attached, and never what keeps a mail waiting."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from jay.outbox import letters
from jay.pictures.models import CONTENT_TYPES, Picture, fitted
from jay.pictures.store import Store

log = structlog.get_logger()

MOST_BYTES = 250_000
"""Of all pictures of a mail, before they are written as text; what comes behind has none."""

SIDE = 64
"""Pixels that a picture takes at its longest side; it is there for sharper screens, too."""

Key = tuple[int, int]
"""Part and position."""


@dataclass(frozen=True)
class Placed:
    """A picture at its place in a mail."""

    content_id: str
    width: int
    height: int


def attached(
    store: Store, looks: Mapping[Key, Picture], keys: Iterable[Key]
) -> tuple[Mapping[Key, Placed], Sequence[letters.Picture]]:
    """Read the pictures of these lines; those that are the same once.

    JPEG: what shows mails may be older than any television. Without the store a mail has none.
    """
    placed: dict[Key, Placed] = {}
    found: dict[str, letters.Picture] = {}
    for key in keys:
        picture = looks.get(key)
        if picture is None:
            continue
        if picture.digest not in found:
            file = picture.files("jpg")[0]
            try:
                content = store.get(file.name)
            except OSError as error:
                log.warning("a mail goes without pictures", reason=type(error).__name__)
                break
            room = MOST_BYTES - sum(len(each.content) for each in found.values())
            if content is None or len(content) > room:
                continue
            content_id = f"{picture.digest}@picture"
            found[picture.digest] = letters.Picture(content_id, CONTENT_TYPES["jpg"], content)
        size = fitted(picture.width, picture.height, SIDE)
        placed[key] = Placed(found[picture.digest].content_id, *size)
    return placed, list(found.values())
