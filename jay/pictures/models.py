"""Pictures: what is known of each, why one is not there, and in which sizes it is shown."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import BinaryIO

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from jay.db.types import OpenEnum, UtcDateTime, metadata

SIZES = (160, 320, 640)
"""Pixels of the longest side: lists on phones, tiles on televisions, one product alone."""

OLD_ENGINE_SIZES = (320, 640)
"""What is there as JPEG, too, for engines that don't know WebP."""

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 50_000_000
LEAST_SIDE = 16
"""Pixels: what is smaller counts visitors, or holds a place."""

_DRAWN = "2"
"""Which way of drawing it is: a new one gives new names, as what is at a name never changes."""

AMOUNT = BigInteger().with_variant(Integer(), "sqlite")

# What was drawn: one row for each content, however many addresses it came from.
pictures = Table(
    "pictures",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("colour", Text, nullable=False),
    # Of all its files.
    Column("size", Integer, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    # Since when nothing names it; looked at by ``purge``.
    Column("unused", UtcDateTime),
    # Since when orders show it: these stay.
    Column("ordered", UtcDateTime),
    Index("ix_pictures_unused", "unused"),
)

# Each address that products of a merchant name, and how it went to fetch it.
picture_sources = Table(
    "picture_sources",
    metadata,
    Column("key", Text, primary_key=True),
    Column("merchant_id", Integer, ForeignKey("merchants.id"), nullable=False),
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("need", Integer, nullable=False),
    # None for what the merchant has sent itself: there is nothing to fetch.
    Column("due", UtcDateTime),
    # In a row, and why; a word of ``Reason``.
    Column("failures", Integer, nullable=False),
    Column("reason", Text),
    # Validators of what was fetched last, word for word (RFC 9110 section 8.8).
    Column("etag", Text),
    Column("last_modified", Text),
    Column("digest", Text, ForeignKey("pictures.digest")),
    Column("tried", UtcDateTime),
    Column("unused", UtcDateTime),
    Index("ix_picture_sources_due", "host", "need", "due"),
    Index("ix_picture_sources_merchant", "merchant_id", "key"),
    Index("ix_picture_sources_digest", "digest"),
    Index("ix_picture_sources_unused", "unused"),
)

picture_uses = Table(
    "picture_uses",
    metadata,
    Column("product_id", Text, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Index("ix_picture_uses_key", "key"),
)

# Servers that pictures are fetched from; each is asked by one process at a time, under a lease.
picture_hosts = Table(
    "picture_hosts",
    metadata,
    Column("host", Text, primary_key=True),
    Column("lease", Text),
    Column("leased", UtcDateTime),
    # When it may be asked again, and how often it has not answered in a row.
    Column("rests", UtcDateTime, nullable=False),
    Column("failures", Integer, nullable=False),
)

# How far it was looked for what products and baskets name.
picture_sweeps = Table(
    "picture_sweeps",
    metadata,
    Column("name", Text, primary_key=True),
    Column("lease", Text),
    Column("leased", UtcDateTime),
    Column("due", UtcDateTime, nullable=False),
    # What has changed since then is still to be looked at; None: everything.
    Column("since", UtcDateTime),
    # Where a pass is that has not ended, and when it has begun.
    Column("position", Text),
    Column("begun", UtcDateTime),
)


class Need(IntEnum):
    """How soon a picture is needed; what people see is fetched first."""

    WANTED = 0
    """It is in a basket, or on a kiosk's wall."""
    NEW = 1
    REST = 2


class Reason(OpenEnum):
    """Why a picture is not there. The words are stable."""

    NOT_FOUND = "NOT_FOUND"
    DENIED = "DENIED"
    SERVER_BUSY = "SERVER_BUSY"
    SERVER_FAILED = "SERVER_FAILED"
    ODD_ANSWER = "ODD_ANSWER"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    UNREACHABLE = "UNREACHABLE"
    TOO_SLOW = "TOO_SLOW"
    CUT_OFF = "CUT_OFF"
    TOO_LARGE = "TOO_LARGE"
    WEB_PAGE = "WEB_PAGE"
    SVG = "SVG"
    UNKNOWN_KIND = "UNKNOWN_KIND"
    BROKEN = "BROKEN"
    TOO_MANY_PIXELS = "TOO_MANY_PIXELS"
    TOO_SMALL = "TOO_SMALL"
    TOO_COSTLY = "TOO_COSTLY"
    STORE_AWAY = "STORE_AWAY"
    OUR_FAULT = "OUR_FAULT"


def _(text: str) -> str:
    """Mark a text that pages translate when they show it."""
    return text


_TEXTS: Mapping[Reason, str] = {
    Reason.NOT_FOUND: _("There is nothing at this address (404)."),
    Reason.DENIED: _("The server does not give it out (401, 403)."),
    Reason.SERVER_BUSY: _("The server asks to be left alone for a while (429, 503)."),
    Reason.SERVER_FAILED: _("The server has a fault (5xx)."),
    Reason.ODD_ANSWER: _("The server answered with something else than the picture."),
    Reason.ADDRESS_REFUSED: _("The address, or one it leads to, is not a public one."),
    Reason.UNREACHABLE: _("The server can't be reached."),
    Reason.TOO_SLOW: _("It took the server too long."),
    Reason.CUT_OFF: _("The picture did not arrive whole."),
    Reason.TOO_LARGE: _("The file is larger than 20 MiB."),
    Reason.WEB_PAGE: _("It is a web page (HTML), not a picture."),
    Reason.SVG: _("It is an SVG, which can carry script. JPEG, PNG and WebP are fine."),
    Reason.UNKNOWN_KIND: _("It is no JPEG, PNG, WebP, GIF or AVIF."),
    Reason.BROKEN: _("The file is damaged or not complete."),
    Reason.TOO_MANY_PIXELS: _("It has more than 50 million pixels."),
    Reason.TOO_SMALL: _("It is smaller than 16 pixels."),
    Reason.TOO_COSTLY: _("It takes too much memory or time to unpack."),
    Reason.STORE_AWAY: _("It could not be stored: this service's store of pictures was away."),
    Reason.OUR_FAULT: _("A fault of this service, which its log describes."),
}
_LATER = _("Why is known to a later version of this service alone.")


def text_of(reason: Reason) -> str:
    """Return a reason in plain words."""
    return _TEXTS.get(reason, _LATER)


OF_THE_SERVER = frozenset(
    {Reason.SERVER_BUSY, Reason.SERVER_FAILED, Reason.UNREACHABLE, Reason.TOO_SLOW}
)
"""What may say more of the server than of the picture."""

OF_THE_MOMENT = OF_THE_SERVER | {Reason.CUT_OFF, Reason.STORE_AWAY, Reason.OUR_FAULT}
"""What is soon tried again; everything else stays as it is until somebody mends it."""

REFRESH_AFTER = timedelta(days=30)
"""How old a picture becomes before its server is asked for a newer one."""

FIRST_REST = {True: timedelta(minutes=5), False: timedelta(hours=12)}
LONGEST_REST = {True: timedelta(days=1), False: timedelta(days=30)}
"""How long a picture rests after its first failure, which doubles, and at the most; by whether it
is ``OF_THE_MOMENT``."""

HOST_REST = timedelta(minutes=1)
LONGEST_HOST_REST = timedelta(hours=6)
"""The same of a server that has failed."""


class Unusable(Exception):
    """This can't become a picture that is shown.

    :ivar wait: how long its server asks to be left alone.
    """

    def __init__(self, reason: Reason, wait: timedelta | None = None) -> None:
        super().__init__(_TEXTS[reason])
        self.reason = reason
        self.wait = wait


@dataclass(frozen=True)
class File:
    """One of a picture's files.

    :ivar name: ``DIGEST-SIZE.KIND``; what is at it never changes.
    """

    name: str
    width: int
    height: int
    kind: str


@dataclass(frozen=True)
class Picture:
    """A picture that is there.

    :ivar colour: the one that most of it has, ``#rrggbb``.
    """

    digest: str
    width: int
    height: int
    colour: str

    def files(self, kind: str) -> Sequence[File]:
        """Return its files of a kind, ``webp`` or ``jpg``, the smallest first."""
        sizes = sizes_of(self.width, self.height, SIZES if kind == "webp" else OLD_ENGINE_SIZES)
        return [
            File(f"{self.digest}-{size}.{kind}", *fitted(self.width, self.height, size), kind)
            for size in sizes
        ]


def sizes_of(width: int, height: int, sizes: Sequence[int]) -> Sequence[int]:
    """Return the sizes that a picture is there in: none is drawn larger than it is."""
    longest = max(width, height)
    return [size for place, size in enumerate(sizes) if place == 0 or sizes[place - 1] < longest]


def fitted(width: int, height: int, size: int) -> tuple[int, int]:
    """Return how wide and high a picture is in a size; one that is smaller stays as it is."""
    longest = max(width, height)
    if longest <= size:
        return width, height
    return (max(1, round(width * size / longest)), max(1, round(height * size / longest)))


def source_key(merchant: int, url: str) -> str:
    """Return what names an address of a merchant's pictures."""
    return f"{merchant}-{hashlib.sha256(url.encode()).hexdigest()[:32]}"


def digest_of(content: bytes | BinaryIO) -> str:
    """Return what names a picture with this content, drawn as it is drawn today."""
    digest = hashlib.sha256(_DRAWN.encode())
    if isinstance(content, bytes):
        digest.update(content)
    else:
        content.seek(0)
        while piece := content.read(PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()[:40]


PIECE_BYTES = 64 * 1024
"""Of a file that is read or sent at a time."""


NAME = re.compile(r"([0-9a-f]{40})-(\d{2,4})\.(webp|jpg)")
"""Names of files."""

CONTENT_TYPES = {"webp": "image/webp", "jpg": "image/jpeg"}


def kind_of(content: bytes) -> str:
    """Tell by its first bytes what a file is; what its server calls it means nothing.

    :raises Unusable: it is none of the kinds that are drawn.
    """
    head = content[:64]
    for begins, kind in _BEGINNINGS:
        if head.startswith(begins):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp" and (b"avif" in head[8:40] or b"avis" in head[8:40]):
        return "AVIF"
    text = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<") and (b"<svg" in text or b"doctype svg" in text):
        raise Unusable(Reason.SVG)
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        raise Unusable(Reason.WEB_PAGE)
    raise Unusable(Reason.UNKNOWN_KIND)


_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)


def due_again(
    reason: Reason | None, failures: int, wait: timedelta | None, *, now: datetime
) -> datetime:
    """Return when a picture is fetched the next time.

    :param reason: why it is not there; None when it is.
    :param failures: in a row, with this one.
    :param wait: how long its server asks to be left alone.
    """
    if reason is None:
        return now + REFRESH_AFTER
    soon = reason in OF_THE_MOMENT
    rest = _rest(FIRST_REST[soon], LONGEST_REST[soon], failures)
    return now + max(rest, min(wait or timedelta(), LONGEST_REST[False]))


def host_rest(failures: int, wait: timedelta | None) -> timedelta:
    """Return how long a server rests that has not answered so often in a row."""
    rest = _rest(HOST_REST, LONGEST_HOST_REST, failures)
    return max(rest, min(wait or timedelta(), timedelta(days=1)))


def _rest(first: timedelta, longest: timedelta, failures: int) -> timedelta:
    doubled = int(2 ** min(failures - 1, 16))  # longer than any rest; more would overflow
    return min(longest, first * doubled)
