"""A letter: what a mail says, as its kind writes it; the way out makes a mail of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a letter."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Picture:
    """A picture that a letter's page shows: ``cid:`` and its name (RFC 2392)."""

    content_id: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Letter:
    """A letter, without what is the same for all: who sends it, and under which number.

    :ivar subject: names nobody: it is shown on locked screens.
    :ivar lang: ISO 639.
    """

    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)
    lang: str
    attachments: Sequence[Attachment] = ()
    pictures: Sequence[Picture] = ()
