"""Use cases of the outbox: put in, take out, record, list, begin anew."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from jay.merchants.models import merchants
from jay.outbox.models import (
    DELIVERED,
    FAILED,
    KINDS,
    LEASE,
    WAITING,
    Delivery,
    Kind,
    Lane,
    Outcome,
    webhook_deliveries,
)

_row = webhook_deliveries.c

# Written out in the statement, so that the indexes of what waits fit.
_WAITING = literal(WAITING, literal_execute=True)


def enqueue(
    connection: Connection,
    merchant: int,
    kind: Kind,
    bodies: Mapping[str, str | None],
    *,
    now: datetime,
) -> list[int]:
    """Put deliveries into the outbox, in the transaction of their cause, and return their ids.

    Nothing is put in where the merchant's configuration names no address for this kind: there is
    nobody to be told.

    :param bodies: by subject, the JSON to send, or None for a request without a body.
    """
    if not bodies or url_of(connection, merchant, kind) is None:
        return []
    rows = [
        {
            "merchant_id": merchant,
            "kind": kind.name,
            "subject": subject,
            "key": secrets.token_urlsafe(16),
            "body": body,
            "created": now,
            "since": now,
            "due": now,
        }
        for subject, body in bodies.items()
    ]
    return list(connection.execute(insert(webhook_deliveries).returning(_row.id), rows).scalars())


def url_of(connection: Connection, merchant: int, kind: Kind) -> str | None:
    """Return the address that a merchant wants a kind of webhook at."""
    query = select(merchants.c[kind.url]).where(merchants.c.id == merchant)
    # An empty one is what some merchants send for "none".
    return connection.execute(query).scalar_one() or None


def cancel(connection: Connection, merchant: int, kind: Kind, subjects: Sequence[str]) -> None:
    """Take deliveries back that have not arrived yet."""
    connection.execute(
        delete(webhook_deliveries).where(
            _row.merchant_id == merchant,
            _row.kind == kind.name,
            _row.subject.in_(subjects),
            _row.state == _WAITING,
        )
    )


def is_waiting(connection: Connection, merchant: int, kind: Kind, subject: str) -> bool:
    """Tell whether a delivery about this has not arrived yet."""
    query = select(
        exists().where(
            _row.merchant_id == merchant,
            _row.kind == kind.name,
            _row.subject == subject,
            _row.state == _WAITING,
        )
    )
    return bool(connection.execute(query).scalar_one())


def lanes_with_due(connection: Connection, *, now: datetime) -> list[Lane]:
    """Return the lanes in which something is due, or waits for what is about the same."""
    lanes: list[Lane] = []
    for kind in KINDS:
        # A look into the index for each merchant. As EXISTS, PostgreSQL would make a join of it,
        # which reads a long queue of one merchant as a whole.
        first = select(func.min(_row.due)).where(
            _row.merchant_id == merchants.c.id, _row.kind == kind, _row.state == _WAITING
        )
        query = select(merchants.c.id).where(first.scalar_subquery() <= now)
        found = connection.execute(query.order_by(merchants.c.id)).scalars()
        lanes += [(merchant, kind) for merchant in found]
    return lanes


def _is_first_of_its_subject() -> ColumnElement[bool]:
    same = webhook_deliveries.alias("same")
    first = select(func.min(same.c.id)).where(
        same.c.merchant_id == _row.merchant_id,
        same.c.kind == _row.kind,
        same.c.subject == _row.subject,
        same.c.state == _WAITING,
    )
    return _row.id == first.correlate(webhook_deliveries).scalar_subquery()


def take(connection: Connection, lane: Lane, *, now: datetime) -> Delivery | None:
    """Take the delivery of a lane that has been due the longest, under a lease.

    Of many senders at once, one gets it. What waits for an earlier one about the same stays.
    """
    merchant, name = lane
    lease = secrets.token_urlsafe(16)
    chosen = (
        select(_row.id)
        .where(
            _row.merchant_id == merchant,
            _row.kind == name,
            _row.state == _WAITING,
            _row.due <= now,
            _is_first_of_its_subject(),
        )
        .order_by(_row.due, _row.id)
        .limit(1)
        # PostgreSQL: the others pass by instead of waiting; SQLite has one writer at a time.
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(webhook_deliveries)
        .where(_row.id == chosen.scalar_subquery(), _row.state == _WAITING, _row.due <= now)
        .values(lease=lease, due=now + LEASE, attempts=_row.attempts + 1)
        .returning(webhook_deliveries)
    )
    taken = connection.execute(statement).one_or_none()
    if taken is None:
        return None
    owner = connection.execute(select(merchants).where(merchants.c.id == merchant)).one()
    kind = KINDS[name]
    return Delivery(
        id=taken.id,
        merchant_id=merchant,
        merchant=owner.name,
        kind=kind,
        subject=taken.subject,
        key=taken.key,
        body=taken.body,
        since=taken.since,
        attempts=taken.attempts,
        lease=lease,
        url=getattr(owner, kind.url) or None,
        sealed_token=owner.webhook_token,
    )


def record(
    connection: Connection,
    delivery: Delivery,
    outcome: Outcome,
    *,
    now: datetime,
    jitter: Callable[[], float],
) -> str | None:
    """Record how an attempt went; nothing when the lease has passed to another sender.

    :returns: the state that the delivery is in now, None when it is no longer this sender's.
    """
    if outcome.failure is None:
        values: dict[str, Any] = {"state": DELIVERED, "finished": now}
    elif (due := delivery.next_due(outcome, now=now, jitter=jitter)) is None:
        values = {"state": FAILED, "finished": now}
    else:
        values = {"state": WAITING, "due": due}
    result = connection.execute(
        update(webhook_deliveries)
        .where(_row.id == delivery.id, _row.lease == delivery.lease)
        .values(**values, reason=outcome.failure, lease=None)
    )
    return str(values["state"]) if result.rowcount == 1 else None


def retry(
    connection: Connection,
    *,
    now: datetime,
    ids: Iterable[int] | None = None,
    merchant: int | None = None,
) -> list[int]:
    """Begin anew with deliveries that have failed or that wait for their next attempt.

    :param ids: these ones; None for all of the merchant.
    :returns: the ids of those that are due now.
    """
    chosen = _row.merchant_id == merchant if ids is None else _row.id.in_(list(ids))
    statement = (
        update(webhook_deliveries)
        # What is being sent at this moment is left to its sender.
        .where(chosen, _row.state != DELIVERED, or_(_row.lease.is_(None), _row.due <= now))
        .values(state=WAITING, since=now, due=now, attempts=0, finished=None, lease=None)
    )
    return sorted(connection.execute(statement.returning(_row.id)).scalars())


def list_deliveries(
    connection: Connection,
    *,
    states: Sequence[str],
    merchant: int | None = None,
    most: int,
) -> Sequence[Any]:
    """Return deliveries in these states with their merchant's name, the newest first."""
    query = (
        select(webhook_deliveries, merchants.c.name.label("merchant"))
        .join(merchants, merchants.c.id == _row.merchant_id)
        .where(_row.state.in_(states))
    )
    if merchant is not None:
        query = query.where(_row.merchant_id == merchant)
    return connection.execute(query.order_by(_row.id.desc()).limit(most)).all()


def states_of(connection: Connection, ids: Iterable[int]) -> Sequence[Any]:
    """Return state and reason of these deliveries."""
    query = select(_row.state, _row.reason).where(_row.id.in_(list(ids)))
    return connection.execute(query.order_by(_row.id)).all()
