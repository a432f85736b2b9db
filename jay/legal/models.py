"""Legal texts: whose they are, what they are about, and that no version is ever changed."""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Integer, Table, Text

from jay.db.types import UtcDateTime, metadata

MAX_BYTES = 100_000
"""How long a text may be."""

OPERATOR, PARTNER = "operator", "partner"

# Each change is a new version, so that it can be told what was shown when; one with neither an
# address nor a text ends it. Merchants' texts have room here, too: their kinds are more.
legal_texts = Table(
    "legal_texts",
    metadata,
    Column("owner", Text, primary_key=True),
    # That of the partner; 0 for the operator, of whom there is one.
    Column("owner_id", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    # ISO 639.
    Column("lang", Text, primary_key=True),
    # From 1 on.
    Column("version", Integer, primary_key=True, autoincrement=False),
    # Where it is to be read, or else the text itself: plain or simple Markdown.
    Column("url", Text),
    Column("text", Text),
    Column("created", UtcDateTime, nullable=False),
)


class Kind(enum.StrEnum):
    """What a text is about, in the order in which pages name them."""

    IMPRINT = "imprint"
    PRIVACY = "privacy"
    TERMS = "terms"
    ACCESSIBILITY = "accessibility"


@dataclass(frozen=True)
class Owner:
    """Whose texts they are."""

    kind: str
    id: int


THE_OPERATOR = Owner(OPERATOR, 0)


@dataclass(frozen=True)
class Notice:
    """The current version of a text, without the text itself. ``url`` None: it is kept here."""

    owner: Owner
    kind: Kind
    lang: str
    version: int
    url: str | None
    created: datetime


def chosen(
    notices: Iterable[Notice], owners: Sequence[Owner], langs: Sequence[str]
) -> list[Notice]:
    """Return one notice of each kind: of the first owner that has one, in the best language.

    :param owners: the nearest first: what a partner says of itself stands before the operator's.
    :param langs: the best first; after them, any.
    """

    def rank(notice: Notice) -> tuple[int, int, str]:
        known = notice.lang in langs
        return (
            owners.index(notice.owner),
            langs.index(notice.lang) if known else len(langs),
            notice.lang,
        )

    best: dict[Kind, Notice] = {}
    for notice in sorted((one for one in notices if one.owner in owners), key=rank):
        best.setdefault(notice.kind, notice)
    return [best[kind] for kind in Kind if kind in best]
