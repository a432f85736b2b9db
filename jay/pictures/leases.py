"""Who fetches from which server, and who looks for what there is to fetch: one process each.

Both take a lease by one conditional UPDATE. When a process dies, its lease runs out, and what it
had not recorded is fetched again by the next one.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, exists, or_, select, update

from jay.db import turns
from jay.db.upsert import insert_into
from jay.pictures.models import (
    OF_THE_SERVER,
    Need,
    Picture,
    Reason,
    due_again,
    host_rest,
    picture_hosts,
    picture_sources,
    picture_sweeps,
)

LEASE = timedelta(minutes=5)
"""Longer than a batch takes."""

BATCH = 20
"""Pictures of a server that are fetched under one lease, before the next most needed are chosen."""

_host, _source, _sweep = picture_hosts.c, picture_sources.c, picture_sweeps.c


class LeaseLost(Exception):
    """It has passed to another process: nothing is written."""


@dataclass(frozen=True)
class Host:
    """A server that this process may ask, and how often it has not answered in a row."""

    name: str
    lease: str
    failures: int


@dataclass(frozen=True)
class Source:
    """A picture to be fetched."""

    key: str
    url: str
    failures: int
    etag: str | None
    last_modified: str | None
    digest: str | None


@dataclass(frozen=True)
class Outcome:
    """How it went to fetch a picture.

    :ivar reason: why there is none, or no newer one; None: all is well.
    :ivar picture: what was drawn; None where it is as it was.
    """

    source: Source
    reason: Reason | None = None
    picture: Picture | None = None
    size: int = 0
    etag: str | None = None
    last_modified: str | None = None
    wait: timedelta | None = None


def take_host(connection: Connection, *, now: datetime) -> Host | None:
    """Take a server from which something is due: that of what is needed most, rested longest."""
    free = (_host.rests <= now, or_(_host.leased.is_(None), _host.leased <= now))
    for need in Need:
        has_due = exists().where(
            _source.host == _host.host, _source.need == int(need), _source.due <= now
        )
        query = select(_host.host).where(*free, has_due).order_by(_host.rests, _host.host).limit(1)
        name = connection.execute(query).scalar()
        if name is None:
            continue
        lease = secrets.token_urlsafe(16)
        claim = (
            update(picture_hosts)
            .where(_host.host == name, *free)
            .values(lease=lease, leased=now + LEASE)
            .returning(_host.failures)
        )
        failures = connection.execute(claim).scalar()
        if failures is not None:
            return Host(name, lease, failures)
    return None


def due_of(connection: Connection, host: Host, *, now: datetime) -> list[Source]:
    """Return what is to be fetched from a server next, what is needed most first."""
    found: list[Source] = []
    for need in Need:
        query = (
            select(*(_source[name] for name in Source.__dataclass_fields__))
            .where(_source.host == host.name, _source.need == int(need), _source.due <= now)
            .order_by(_source.due)
            .limit(BATCH - len(found))
        )
        found += [Source(*row) for row in connection.execute(query)]
        if len(found) >= BATCH:
            break
    return found


def record(
    connection: Connection, host: Host, outcomes: Sequence[Outcome], *, now: datetime
) -> None:
    """Record how it went, and let go of the server; the pictures are stored already.

    A server that has not answered rests.

    :raises LeaseLost: another process has taken the server.
    """
    waits = [each.wait for each in outcomes if each.wait is not None]
    failed = _server_failed(outcomes)
    failures = host.failures + 1 if failed else 0
    rests = now + host_rest(failures, max(waits, default=None)) if failed else now
    mine = (_host.host == host.name, _host.lease == host.lease)
    values = {"lease": None, "leased": None, "rests": rests, "failures": failures}
    if connection.execute(update(picture_hosts).where(*mine).values(**values)).rowcount != 1:
        raise LeaseLost
    for outcome in outcomes:
        source = outcome.source
        failures = source.failures + 1 if outcome.reason else 0
        changed: dict[str, Any] = {
            "failures": failures,
            "reason": outcome.reason,
            "due": due_again(outcome.reason, failures, outcome.wait, now=now),
            "tried": now,
        }
        if outcome.picture is not None:
            changed |= {
                "digest": outcome.picture.digest,
                "etag": outcome.etag,
                "last_modified": outcome.last_modified,
            }
        connection.execute(
            update(picture_sources).where(_source.key == source.key).values(**changed)
        )


ASKS_FOR_REST = frozenset({Reason.SERVER_BUSY, Reason.UNREACHABLE})
"""After these a server is left alone at once."""


def _server_failed(outcomes: Sequence[Outcome]) -> bool:
    """Tell whether a server is to rest: it asks for it, or has given no picture of all."""
    reasons = {each.reason for each in outcomes}
    return bool(reasons) and (bool(reasons & ASKS_FOR_REST) or reasons <= OF_THE_SERVER)


@dataclass(frozen=True)
class Sweep:
    """A look at what products or baskets name.

    :ivar since: what has changed since then is looked at; None: everything.
    :ivar position: where it goes on; None: it begins.
    """

    name: str
    lease: str
    since: datetime | None
    position: str | None
    begun: datetime


def take_sweep(connection: Connection, name: str, *, now: datetime) -> Sweep | None:
    """Take a sweep that is due; of many processes at once, one gets it."""
    not_yet = exists().where(_sweep.name == name, or_(_sweep.due > now, _sweep.leased > now))
    if connection.execute(select(not_yet)).scalar():
        return None
    # Before its row is held, which is on every server, too.
    turns.take(connection)
    first = {"name": name, "due": now}
    connection.execute(
        insert_into(connection, picture_sweeps).values(first).on_conflict_do_nothing()
    )
    lease = secrets.token_urlsafe(16)
    claim = (
        update(picture_sweeps)
        .where(
            _sweep.name == name,
            _sweep.due <= now,
            or_(_sweep.leased.is_(None), _sweep.leased <= now),
        )
        .values(lease=lease, leased=now + LEASE)
        .returning(_sweep.since, _sweep.position, _sweep.begun)
    )
    row = connection.execute(claim).first()
    return None if row is None else Sweep(name, lease, row.since, row.position, row.begun or now)


def go_on(connection: Connection, sweep: Sweep, *, position: str, now: datetime) -> None:
    """Keep how far a sweep is, and the lease.

    :raises LeaseLost: another process has taken it.
    """
    _change(connection, sweep, position=position, begun=sweep.begun, leased=now + LEASE)


def let_go_of_sweep(connection: Connection, sweep: Sweep) -> None:
    """Let whoever comes next go on with a sweep."""
    mine = (_sweep.name == sweep.name, _sweep.lease == sweep.lease)
    connection.execute(update(picture_sweeps).where(*mine).values(lease=None, leased=None))


def end_sweep(connection: Connection, sweep: Sweep, *, since: datetime, due: datetime) -> None:
    """End a sweep: the next one looks at what has changed since this moment.

    :raises LeaseLost: another process has taken it.
    """
    ended = {"position": None, "begun": None, "lease": None, "leased": None}
    _change(connection, sweep, since=since, due=due, **ended)


def _change(connection: Connection, sweep: Sweep, **values: Any) -> None:
    mine = (_sweep.name == sweep.name, _sweep.lease == sweep.lease)
    if connection.execute(update(picture_sweeps).where(*mine).values(**values)).rowcount != 1:
        raise LeaseLost
