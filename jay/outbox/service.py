"""Use cases of the outbox: put in, take out, record, list, begin anew."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
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

from jay.db import turns
from jay.db.outages import DATABASE_ERRORS
from jay.db.prepared import Prepared
from jay.db.upsert import insert_into
from jay.errors import JayError
from jay.merchants.models import merchants
from jay.outbox.kinds import MessageKind, MessageKinds
from jay.outbox.models import (
    DELIVERED,
    FAILED,
    FAILURES_ENDURED,
    LEASE,
    WAITING,
    DeliveryResult,
    Destination,
    Message,
    address_key,
    outbox,
    outbox_addresses,
    rest_after,
)

log = structlog.get_logger()

_row = outbox.c
_address = outbox_addresses.c

# Written out in the statement, so that the indexes of what waits fit.
_WAITING = literal(WAITING, literal_execute=True)
_ENQUEUE = Prepared(
    insert(outbox).returning(_row.id),
    columns=("kind", "lane", "merchant_id", "subject", "key", "body", "created", "since", "due"),
)
_UNTRIED = (_row.attempts == 0, _row.lease.is_(None))


@dataclass(frozen=True)
class Taken:
    """A message that this process has taken, under a lease.

    :ivar destination: where to; or how the attempt ends before it is made.
    :ivar failures: how often in a row nothing has arrived at the address.
    """

    message: Message
    kind: MessageKind
    destination: Destination | DeliveryResult
    failures: int
    lease: str


@dataclass(frozen=True)
class Resting:
    """The address of a lane rests."""

    until: datetime


@dataclass(frozen=True)
class Moved:
    """A message leaves by another way, as its own has ended before it was tried."""


@dataclass(frozen=True)
class Recorded:
    """What became of an attempt.

    :ivar state: of the message now.
    :ivar rests_until: when its address may be tried again.
    """

    state: str
    rests_until: datetime | None = None


def enqueue(
    connection: Connection,
    kind: str,
    bodies: Mapping[str, str | None],
    *,
    lane: str,
    merchant: int | None = None,
    now: datetime,
    due: datetime | None = None,
) -> list[int]:
    """Put messages into the outbox, in the transaction of their cause, and return their ids.

    :param bodies: by subject, what is to be sent.
    :param lane: what leaves one by one, and in order about the same subject.
    :param merchant: whom they concern.
    :param due: when they are sent for the first time; None means now.
    """
    if not bodies:
        return []
    rows = [
        {
            "kind": kind,
            "lane": lane,
            "merchant_id": merchant,
            "subject": subject,
            "key": secrets.token_urlsafe(16),
            "body": body,
            "created": now,
            "since": now,
            "due": due or now,
        }
        for subject, body in bodies.items()
    ]
    turns.take(connection)
    if len(rows) == 1:
        return [_ENQUEUE.one(connection, rows[0]).id]
    return list(connection.execute(insert(outbox).returning(_row.id), rows).scalars())


def cancel(connection: Connection, lane: str, subjects: Sequence[str]) -> None:
    """Take messages back that have not arrived yet."""
    turns.take(connection)
    connection.execute(
        delete(outbox).where(_row.lane == lane, _row.subject.in_(subjects), _row.state == _WAITING)
    )


def is_waiting(
    connection: Connection,
    lane: str,
    subject: str,
    kinds: Sequence[str] | None = None,
    *,
    untried: bool = False,
) -> bool:
    """Tell whether a message about this has not arrived yet.

    :param kinds: of these alone.
    :param untried: of those alone of which nothing was sent.
    """
    which = [_row.lane == lane, _row.subject == subject, _row.state == _WAITING]
    if kinds is not None:
        which.append(_row.kind.in_(kinds))
    if untried:
        which += _UNTRIED
    return bool(connection.execute(select(exists().where(*which))).scalar_one())


def lanes_with_due(connection: Connection, *, now: datetime) -> list[str]:
    """Return the lanes in which something is due, or waits for what is about the same."""
    # From lane to lane along the index: DISTINCT would read a long queue as a whole.
    first = select(func.min(_row.lane).label("lane")).where(_row.state == _WAITING)
    lanes = first.cte("lanes", recursive=True)
    waiting = outbox.alias("waiting")
    following = select(func.min(waiting.c.lane)).where(
        waiting.c.lane > lanes.c.lane, waiting.c.state == _WAITING
    )
    lanes = lanes.union_all(
        select(following.scalar_subquery()).select_from(lanes).where(lanes.c.lane.is_not(None))
    )
    due = select(func.min(_row.due)).where(_row.lane == lanes.c.lane, _row.state == _WAITING)
    query = select(lanes.c.lane).where(lanes.c.lane.is_not(None), due.scalar_subquery() <= now)
    return list(connection.execute(query.order_by(lanes.c.lane)).scalars())


def _is_first_of_its_subject() -> ColumnElement[bool]:
    same = outbox.alias("same")
    first = select(func.min(same.c.id)).where(
        same.c.lane == _row.lane, same.c.subject == _row.subject, same.c.state == _WAITING
    )
    return _row.id == first.correlate(outbox).scalar_subquery()


def take(
    connection: Connection, lane: str, kinds: MessageKinds, *, secret: str, now: datetime
) -> Taken | Resting | Moved | None:
    """Take the message of a lane that has been due the longest, under a lease.

    Of many senders at once, one gets it. What waits for an earlier one about the same stays. When
    its address rests, nothing is taken; when it has rested, one message goes ahead of the others.

    :param kinds: messages of others are left to a program that knows them.
    """
    chosen = (
        select(outbox)
        .where(
            _row.lane == lane,
            _row.state == _WAITING,
            _row.due <= now,
            _row.kind.in_(kinds),
            _is_first_of_its_subject(),
        )
        .order_by(_row.due, _row.id)
        .limit(1)
        # PostgreSQL: the others pass by instead of waiting; SQLite has one writer at a time.
        .with_for_update(skip_locked=True)
    )
    turns.take(connection)
    row = connection.execute(chosen).one_or_none()
    if row is None:
        return None
    message = _message(connection, row)
    kind = kinds[message.kind]
    destination, failures = _found(connection, message, kind, secret), 0
    if isinstance(destination, DeliveryResult) and _moves(connection, message, kind, now):
        return Moved()
    if isinstance(destination, Destination) and destination.write is None:
        key = address_key(message.merchant_id, destination)
        known = connection.execute(
            select(outbox_addresses).where(_address.key == key)
        ).one_or_none()
        failures = known.failures if known else 0
        if known and known.rests_until > now:
            return Resting(known.rests_until)
        if failures >= FAILURES_ENDURED and not _goes_ahead(connection, key, now):
            return Resting(known.probed_until if known else now)
    lease = secrets.token_urlsafe(16)
    statement = (
        update(outbox)
        .where(_row.id == row.id, _row.state == _WAITING, _row.due <= now)
        .values(lease=lease, due=now + LEASE, attempts=_row.attempts + 1)
    )
    if connection.execute(statement).rowcount != 1:
        return None
    return Taken(message, kind, destination, failures, lease)


def _found(
    connection: Connection, message: Message, kind: MessageKind, secret: str
) -> Destination | DeliveryResult:
    try:
        return kind.find(connection, message, secret)
    except (JayError, *DATABASE_ERRORS):
        raise
    except Exception as error:
        # One that can't be dealt with must not keep the others waiting, now and for ever.
        log.exception("message without a destination", id=message.id, kind=message.kind)
        return DeliveryResult(failure=f"nobody knows where to: {type(error).__name__}")


def _moves(connection: Connection, message: Message, kind: MessageKind, now: datetime) -> bool:
    """Let a message leave by another way, if its own has ended and nothing of it was sent.

    It stays the same row, so that it is sent by one of them, in its order and under its key.
    """
    tried = message.attempts > 1 or message.taken_over
    way = None if tried or kind.other_way is None else kind.other_way(connection, message)
    if way is None:
        return False
    moved = update(outbox).where(_row.id == message.id, _row.state == _WAITING, *_UNTRIED)
    name, lane = way
    return connection.execute(moved.values(kind=name, lane=lane, due=now)).rowcount == 1


def _goes_ahead(connection: Connection, key: str, now: datetime) -> bool:
    """Claim the one attempt after a rest: of many senders at once, one makes it."""
    claim = (
        update(outbox_addresses)
        .where(_address.key == key, _address.probed_until <= now)
        .values(probed_until=now + LEASE)
    )
    return connection.execute(claim).rowcount == 1


def _message(connection: Connection, row: Any) -> Message:
    name = select(merchants.c.name).where(merchants.c.id == row.merchant_id)
    return Message(
        id=row.id,
        kind=row.kind,
        lane=row.lane,
        merchant_id=row.merchant_id,
        merchant=connection.execute(name).scalar(),
        subject=row.subject,
        key=row.key,
        body=row.body,
        since=row.since,
        attempts=row.attempts + 1,
        taken_over=row.lease is not None,
    )


def record(
    connection: Connection,
    taken: Taken,
    outcome: DeliveryResult,
    *,
    now: datetime,
    jitter: Callable[[], float],
) -> Recorded | None:
    """Record how an attempt went; nothing when the lease has passed to another sender.

    :returns: None when it is no longer this sender's.
    """
    message = taken.message
    if outcome.failure is None:
        values: dict[str, Any] = {"state": DELIVERED, "finished": now}
    elif (due := message.next_due(outcome, taken.kind.schedule, now=now, jitter=jitter)) is None:
        values = {"state": FAILED, "finished": now}
    else:
        values = {"state": WAITING, "due": due}
    turns.take(connection)
    result = connection.execute(
        update(outbox)
        .where(_row.id == message.id, _row.lease == taken.lease)
        .values(**values, reason=outcome.failure, lease=None)
    )
    if result.rowcount != 1:
        return None
    failures, until = _record_address(connection, taken, outcome, now)
    if outcome.failure is None and taken.kind.delivered is not None:
        taken.kind.delivered(connection, message, outcome, now)
    if outcome.failure is not None and taken.kind.failed is not None:
        taken.kind.failed(connection, message, outcome, failures, now)
    return Recorded(str(values["state"]), until)


def _record_address(
    connection: Connection, taken: Taken, outcome: DeliveryResult, now: datetime
) -> tuple[int, datetime | None]:
    """Keep how an address does; return its failures in a row, and when it may be tried again."""
    if not isinstance(taken.destination, Destination) or taken.destination.write is not None:
        return 0, None
    merchant = taken.message.merchant_id
    key = address_key(merchant, taken.destination)
    # What is given up for good (410) was answered by a server that is well.
    if outcome.failure is None or outcome.final:
        if taken.failures:
            connection.execute(delete(outbox_addresses).where(_address.key == key))
        return 0, None
    statement = (
        insert_into(connection, outbox_addresses)
        .values(key=key, merchant_id=merchant, failures=1, rests_until=now, probed_until=now)
        .on_conflict_do_update(
            index_elements=["key"],
            set_={"failures": _address.failures + 1, "probed_until": now},
        )
        .returning(_address.failures, _address.rests_until)
    )
    known = connection.execute(statement).one()
    rest = rest_after(known.failures, outcome)
    # What a server has asked for is not shortened by what another attempt has met.
    until: datetime = max(known.rests_until, now + rest)
    connection.execute(
        update(outbox_addresses).where(_address.key == key).values(rests_until=until)
    )
    return known.failures, until if until > now else None


def retry(
    connection: Connection,
    *,
    now: datetime,
    ids: Iterable[int] | None = None,
    merchant: int | None = None,
) -> list[int]:
    """Begin anew with messages that have failed or that wait for their next attempt.

    The addresses of their merchants rest no longer.

    :param ids: these ones; None for all of the merchant.
    :returns: the ids of those that are due now.
    """
    chosen = _row.merchant_id == merchant if ids is None else _row.id.in_(list(ids))
    statement = (
        update(outbox)
        # What is being sent at this moment is left to its sender.
        .where(chosen, _row.state != DELIVERED, or_(_row.lease.is_(None), _row.due <= now))
        .values(state=WAITING, since=now, due=now, attempts=0, finished=None, lease=None)
    )
    turns.take(connection)
    begun = sorted(connection.execute(statement.returning(_row.id)).scalars())
    concerned = select(_row.merchant_id).where(chosen)
    connection.execute(delete(outbox_addresses).where(_address.merchant_id.in_(concerned)))
    return begun


def list_messages(
    connection: Connection,
    *,
    states: Sequence[str],
    merchant: int | None = None,
    most: int,
) -> Sequence[Any]:
    """Return messages in these states with their merchant's name, the newest first."""
    query = (
        select(outbox, merchants.c.name.label("merchant"))
        .outerjoin(merchants, merchants.c.id == _row.merchant_id)
        .where(_row.state.in_(states))
    )
    if merchant is not None:
        query = query.where(_row.merchant_id == merchant)
    return connection.execute(query.order_by(_row.id.desc()).limit(most)).all()


def about(
    connection: Connection,
    subject: str,
    kinds: Sequence[str] | None = None,
    *,
    merchant: int | None = None,
) -> Sequence[Any]:
    """Return the messages about a subject, in their order.

    :param kinds: of these alone.
    :param merchant: whom they concern, where that is known: they are found sooner.
    """
    query = select(outbox).where(_row.subject == subject)
    if kinds is not None:
        query = query.where(_row.kind.in_(kinds))
    if merchant is not None:
        query = query.where(_row.merchant_id == merchant)
    return connection.execute(query.order_by(_row.id)).all()


def count_subjects(
    connection: Connection,
    merchant: int,
    kinds: Sequence[str],
    states: Sequence[str] = (WAITING,),
    *,
    untried: bool = False,
) -> int:
    """Count what messages of these kinds to a merchant, in these states, are about.

    :param untried: without those of which something may have been sent.
    """
    these = (_row.merchant_id == merchant, _row.kind.in_(kinds), _row.state.in_(states))
    query = select(_row.subject).where(*these)
    if untried:
        tried = outbox.alias("tried")
        query = query.where(
            ~exists().where(
                tried.c.merchant_id == merchant,
                tried.c.subject == _row.subject,
                tried.c.kind.in_(kinds),
                tried.c.state.in_((WAITING, FAILED)),
                or_(tried.c.attempts > 0, tried.c.lease.is_not(None)),
            )
        )
    counted = select(func.count()).select_from(query.distinct().subquery())
    return int(connection.execute(counted).scalar_one())


def given_up(connection: Connection, *, since: datetime, most: int) -> Sequence[Any]:
    """Return the messages that were given up since a moment, the newest first."""
    query = select(outbox).where(_row.finished >= since, _row.state == FAILED)
    return connection.execute(query.order_by(_row.finished.desc()).limit(most)).all()


def states_of(connection: Connection, ids: Iterable[int]) -> Sequence[Any]:
    """Return state and reason of these messages."""
    query = select(_row.state, _row.reason).where(_row.id.in_(list(ids)))
    return connection.execute(query.order_by(_row.id)).all()
