"""Legal texts: whose they are, what they are about, and that no version is ever changed."""

import enum
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Integer, Table, Text

from jay.db.types import UtcDateTime, metadata

MAX_BYTES = 100_000
"""How long a text may be."""

MAX_TEXTS = 20
"""How many texts a merchant may have in force, of all kinds and languages."""

OPERATOR, PARTNER, MERCHANT = "operator", "partner", "merchant"

# Each change is a new version, so that it can be told what was shown when; one with neither an
# address nor a text ends it.
legal_texts = Table(
    "legal_texts",
    metadata,
    Column("owner", Text, primary_key=True),
    # That of the partner or merchant; 0 for the operator, of whom there is one.
    Column("owner_id", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    # ISO 639.
    Column("lang", Text, primary_key=True),
    # From 1 on.
    Column("version", Integer, primary_key=True, autoincrement=False),
    # Where it is to be read, or else the text itself: plain or simple Markdown.
    Column("url", Text),
    Column("text", Text),
    # SHA-256 of whichever of the two there is, in hexadecimal: what orders keep as evidence.
    Column("hash", Text),
    Column("created", UtcDateTime, nullable=False),
)


class Kind(enum.StrEnum):
    """What a text is about, in the order in which pages name them."""

    IMPRINT = "imprint"
    PRIVACY = "privacy"
    TERMS = "terms"
    ACCESSIBILITY = "accessibility"
    WITHDRAWAL = "withdrawal"
    SHIPPING = "shipping"


PAGES_KINDS = (Kind.IMPRINT, Kind.PRIVACY, Kind.TERMS, Kind.ACCESSIBILITY)
"""What operators and partners say of the pages."""

MERCHANTS_KINDS = (Kind.TERMS, Kind.WITHDRAWAL, Kind.PRIVACY, Kind.SHIPPING, Kind.IMPRINT)
"""What merchants say of what they sell."""


def hash_of(told: str | None) -> str | None:
    """Return what tells a text, or an address, from others."""
    return None if told is None else hashlib.sha256(told.encode()).hexdigest()


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
    hash: str | None = None


def chosen(
    notices: Iterable[Notice],
    owners: Sequence[Owner],
    langs: Sequence[str],
    *,
    kinds: Sequence[Kind] = PAGES_KINDS,
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
    return [best[kind] for kind in kinds if kind in best]
