"""Feeds that are fetched from merchants: which are due, who fetches one, and how it went.

Who fetches a feed takes a lease first, with one conditional UPDATE, and renews it while it works;
when it dies, the lease runs out and the next one begins anew.
"""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, and_, or_, select, update

from jay.db.upsert import insert_into
from jay.feeds.checkpoints import TakenOver
from jay.feeds.models import (
    FAILED,
    IMPORTED,
    LEASE,
    Pulled,
    feed_pulls,
    latest_due,
    next_due,
)
from jay.merchants.models import Feed, Merchant, merchants
from jay.merchants.service import feed_of, merchant_by_id
from jay.sealing import hash_secret

LONGEST_TOLD = 1_000

_row = feed_pulls.c


@dataclass(frozen=True)
class Pull:
    """A feed that this process has taken, and what is known from the last time.

    :ivar etag: validators of what was imported last, word for word (RFC 9110 section 8.8).
    :ivar as_of: when that was observed, in microseconds since 1970.
    """

    merchant: Merchant
    feed: Feed
    lease: str
    failures: int
    etag: str | None
    last_modified: str | None
    as_of: int | None


def due_feeds(connection: Connection, *, now: datetime) -> list[tuple[int, Feed]]:
    """Return the merchants whose feeds are to be fetched, and these; the longest due first."""
    query = (
        select(
            *(merchants.c.id, merchants.c.feed, _row.feed.label("before"), _row.due),
            _row.failures,
        )
        .outerjoin(feed_pulls, _row.merchant_id == merchants.c.id)
        .where(merchants.c.feed.is_not(None), or_(_row.leased.is_(None), _row.leased <= now))
        .order_by(_row.due, merchants.c.id)
    )
    feeds = ((row, Feed(**row.feed)) for row in connection.execute(query))
    return [
        (row.id, feed)
        for row, feed in feeds
        if row.due is None
        or row.due <= now
        or row.before != _key(feed)
        or row.due > latest_due(feed.every_minutes, row.failures, now=now)
    ]


def take(
    connection: Connection, merchant: int, *, now: datetime, feed: Feed | None = None
) -> Pull | None:
    """Take a merchant's feed, under a lease; of many processes at once, one gets it.

    :param feed: this one, due or not, instead of that of the configuration when it is due.
    :returns: None when it is not due, or another process is at it.
    """
    chosen = feed or feed_of(connection, merchant)
    if chosen is None:
        return None
    key, lease = _key(chosen), secrets.token_urlsafe(16)
    first = {"merchant_id": merchant, "feed": "", "due": now, "failures": 0}
    connection.execute(insert_into(connection, feed_pulls).values(first).on_conflict_do_nothing())
    mine = (_row.merchant_id == merchant, or_(_row.leased.is_(None), _row.leased <= now))
    latest = (latest_due(chosen.every_minutes, failures, now=now) for failures in (0, 1))
    too_late = (
        and_(_row.failures == 0 if not failures else _row.failures > 0, _row.due > moment)
        for failures, moment in enumerate(latest)
    )
    due = () if feed else (or_(_row.due <= now, _row.feed != key, *too_late),)
    claim = update(feed_pulls).where(*mine, *due).values(lease=lease, leased=now + LEASE)
    if connection.execute(claim).rowcount != 1:
        return None
    row = connection.execute(select(feed_pulls).where(_row.merchant_id == merchant)).one()
    same = row.feed == key
    return Pull(
        merchant_by_id(connection, merchant),
        chosen,
        lease,
        row.failures if same else 0,
        row.etag if same else None,
        row.last_modified if same else None,
        row.as_of if same else None,
    )


def renew(connection: Connection, pull: Pull, *, now: datetime) -> None:
    """Keep a feed for as long as it is being worked on.

    :raises TakenOver: the lease has passed to another process.
    """
    _change(connection, pull, leased=now + LEASE)


def record(
    connection: Connection, pull: Pull, pulled: Pulled, *, began: datetime, now: datetime
) -> datetime | None:
    """Record how it went and let go of the feed; return when it is due again.

    What was fetched once from another address than that of the configuration says nothing of that:
    it is not recorded.

    :raises TakenOver: the lease has passed to another process.
    """
    configured = feed_of(connection, pull.merchant.id)
    if configured is not None and _key(configured) != _key(pull.feed):
        _change(connection, pull, leased=None, lease=None)
        return None
    failures = pull.failures + 1 if pulled.state == FAILED else 0
    due = next_due(pull.feed.every_minutes, failures, pulled.wait, began=began, now=now)
    values: dict[str, Any] = {
        "feed": _key(pull.feed),
        "state": pulled.state,
        "told": (pulled.kept or pulled.told)[:LONGEST_TOLD],
        "failures": failures,
        "due": due,
        "etag": pull.etag,
        "last_modified": pull.last_modified,
        "as_of": pull.as_of,
    }
    if pulled.state == IMPORTED:
        values |= {
            "etag": pulled.etag,
            "last_modified": pulled.last_modified,
            "as_of": pulled.as_of,
        }
    if pulled.state != FAILED:
        values["succeeded"] = now
    _change(connection, pull, leased=None, lease=None, **values)
    return due


def let_go(connection: Connection, pull: Pull) -> None:
    """Leave a feed as it was, for the next process to take."""
    connection.execute(
        update(feed_pulls)
        .where(_row.merchant_id == pull.merchant.id, _row.lease == pull.lease)
        .values(leased=None, lease=None)
    )


def states(connection: Connection) -> Sequence[Any]:
    """Return name, feed and what is known of the last time, of each merchant with a feed."""
    query = (
        select(merchants.c.name, merchants.c.feed, *(_row[name] for name in _TOLD))
        .outerjoin(feed_pulls, _row.merchant_id == merchants.c.id)
        .where(merchants.c.feed.is_not(None))
    )
    return connection.execute(query.order_by(merchants.c.name)).all()


_TOLD = ("state", "told", "succeeded", "due", "leased")


def _change(connection: Connection, pull: Pull, **values: Any) -> None:
    mine = (_row.merchant_id == pull.merchant.id, _row.lease == pull.lease)
    if connection.execute(update(feed_pulls).where(*mine).values(**values)).rowcount != 1:
        raise TakenOver


def _key(feed: Feed) -> str:
    """Return what tells a feed from another one, without its secrets.

    How often it is fetched does not.
    """
    named = {name: value for name, value in asdict(feed).items() if name != "every_minutes"}
    return hash_secret(orjson.dumps(named, option=orjson.OPT_SORT_KEYS).decode())
