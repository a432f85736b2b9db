"""What the operator is told by mail: what somebody has to look at, each thing once a day at most.

The worker looks for it, so that whatever has gone wrong, by whichever way, is found in one place.
What is still open is told again each day; of a kind a few are told, and the commands show the rest.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from jay.orders import service as orders
from jay.orders import withdrawals
from jay.orders.handover import TYPES
from jay.outbox import mails
from jay.outbox import service as outbox
from jay.web.limits import LONGEST_WINDOW, Limit

PREFIX = "operator."

MOST = 20
"""So many of a kind are told of in a day: a provider that is away concerns every order."""

PARKED_WITHIN = timedelta(hours=1)
"""What was given up before was told of, or was before there was anybody to be told."""

LOOKED_THROUGH = 1000
"""So many of what was given up are looked through: not all are parts of orders."""

_ONE = Limit("operator's mails", 1, LONGEST_WINDOW)
_OF_KIND = Limit("operator's mails of a kind", MOST, LONGEST_WINDOW)


class Alarm(enum.StrEnum):
    """A kind of thing that the operator is told of."""

    PARKED = "parked"
    """A merchant could not be told of its part."""
    WITHDRAWAL = "withdrawal"
    """Nobody knows what somebody withdraws from."""
    REFUND_FAILED = "refund_failed"
    SHARE_FAILED = "share_failed"
    SHOP_REFUND = "shop_refund"
    DISPUTED = "disputed"


@dataclass(frozen=True)
class Open:
    """Something that somebody has to look at.

    :ivar subject: the number of a part, or the id of a withdrawal.
    :ivar reason: in words, without secrets and without anything personal.
    """

    alarm: Alarm
    subject: str
    reason: str | None = None


def still_open(connection: Connection, *, secret: str, now: datetime) -> list[Open]:
    """Return what somebody has to look at now, a few of each kind, the newest."""
    return [*_parked(connection, now), *_attention(connection), *_unclear(connection, secret)]


def tell(connection: Connection, found: Open, *, secret: str, now: datetime) -> bool:
    """Put a mail about something into the outbox, unless it was told of within a day.

    :returns: whether it was put there; of many processes at once, one does so.
    """
    same = f"{found.alarm}/{found.subject}"
    if not _ONE.has_room(connection, same, secret=secret, now=now):
        return False
    if not _OF_KIND.has_room(connection, found.alarm, secret=secret, now=now):
        return False
    outbox.enqueue(
        connection,
        PREFIX + found.alarm,
        {found.subject: found.reason},
        lane=mails.lane_of(found.subject),
        now=now,
    )
    return True


def _parked(connection: Connection, now: datetime) -> Iterator[Open]:
    types = set(TYPES.values())
    for row in outbox.given_up(connection, since=now - PARKED_WITHIN, most=LOOKED_THROUGH):
        if row.kind.partition(".")[2] in types:
            yield Open(Alarm.PARKED, row.subject, row.reason)


def _attention(connection: Connection) -> Iterator[Open]:
    for part in orders.list_parts(connection, attention=True, most=MOST)[0]:
        if part.attention is not None:
            yield Open(Alarm(part.attention), str(part.part_no))


def _unclear(connection: Connection, secret: str) -> Iterator[Open]:
    listed = withdrawals.list_withdrawals(connection, open_only=True, most=MOST, secret=secret)
    for one in listed:
        yield Open(Alarm.WITHDRAWAL, one.id, one.unclear)
