"""Imports under way, and feeds that are fetched: how far each has come, and when it is due."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Table, Text, UniqueConstraint, text

from jay.db.types import UtcDateTime, metadata

product_imports = Table(
    "product_imports",
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("merchant_id", Integer, ForeignKey("merchants.id"), nullable=False),
    # SHA-256 of the content and of the options that decide how it is read.
    Column("fingerprint", Text, nullable=False),
    Column("file", Text, nullable=False),
    # The time of observation of everything in it: microseconds since 1970 in UTC.
    Column("as_of", BigInteger, nullable=False),
    # Who may write: an importer that starts takes the import over from one that has died.
    Column("run", Text, nullable=False),
    # How far it is, written in the transaction of the products: rows read, of which added,
    # updated and refused, what was left out of others, and the lengths of the two reports.
    Column("records", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("updated", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("report_bytes", BigInteger, nullable=False),
    Column("notes", BigInteger, nullable=False, server_default=text("0")),
    Column("notes_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("begun", UtcDateTime, nullable=False),
    Column("finished", UtcDateTime),
    UniqueConstraint("merchant_id", "fingerprint"),
)


LEASE = timedelta(minutes=10)
"""How long a feed belongs to who fetches it, from the last sign of life: longer than any step."""

FIRST_REST = timedelta(minutes=5)
"""After a failure; it doubles with each one, up to the time between two fetches."""

LONGEST_WAIT = timedelta(days=1)
"""How long a server may ask to be left alone."""

IMPORTED, UNCHANGED, FAILED = "imported", "unchanged", "failed"
STOPPED = "stopped"
"""How it went to fetch a feed; what was stopped is not recorded, and begins anew."""

feed_pulls = Table(
    "feed_pulls",
    metadata,
    Column("merchant_id", Integer, ForeignKey("merchants.id"), primary_key=True),
    # A hash of the feed's configuration: of another one, nothing below is known.
    Column("feed", Text, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    # Random, of who is fetching it, and until when it is theirs.
    Column("lease", Text),
    Column("leased", UtcDateTime),
    # In a row.
    Column("failures", Integer, nullable=False),
    # Of what was imported last: what the server calls it, and when it was observed, as above.
    Column("etag", Text),
    Column("last_modified", Text),
    Column("as_of", BigInteger),
    # How the last time went, in one sentence without secrets, and when it last went well.
    Column("state", Text),
    Column("told", Text),
    Column("succeeded", UtcDateTime),
)


@dataclass(frozen=True)
class Pulled:
    """How it went to fetch a feed.

    :ivar told: what happened, for the person who has asked for it: it may quote the feed.
    :ivar kept: the same in our own words alone, for the log and for later.
    :ivar partly: it ended in the middle, and a part of it is stored, or may be.
    :ivar refused: how many rows were refused.
    :ivar etag: what the server calls the content, as its header says it.
    :ivar as_of: when the content was observed, in microseconds since 1970.
    :ivar wait: how long the server asks to be left alone (Retry-After).
    """

    state: str
    told: str
    kept: str = ""
    partly: bool = False
    refused: int = 0
    etag: str | None = None
    last_modified: str | None = None
    as_of: int | None = None
    wait: timedelta | None = None


def next_due(
    every_minutes: int,
    failures: int,
    wait: timedelta | None,
    *,
    began: datetime,
    now: datetime,
) -> datetime:
    """Return when a feed is fetched the next time.

    :param failures: in a row; after the first ones it is soon.
    """
    every = timedelta(minutes=every_minutes)
    due = began + every
    if failures:
        # Doubled so often that it is longer than any wait; more would overflow.
        due = now + min(every, FIRST_REST * 2 ** min(failures - 1, 16))
    return max(due, now + min(wait or timedelta(), LONGEST_WAIT))


def latest_due(every_minutes: int, failures: int, *, now: datetime) -> datetime:
    """Return when a feed is due at the latest; later, it was to be fetched less often before.

    A server that has failed may have asked to be left alone for longer.
    """
    every = timedelta(minutes=every_minutes)
    return now + (max(every, LONGEST_WAIT) if failures else every)


def observed(modified: datetime | None, before: datetime | None, *, began: datetime) -> datetime:
    """Return when the content of an answer was true.

    As old as its server says, so that it can't turn back what was sent since; but what is new
    cannot be older than what was fetched before.
    """
    if modified is None or modified > began or (before is not None and modified <= before):
        return began
    return modified
