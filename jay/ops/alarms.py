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
from jay.orders.models import Attention
from jay.outbox import mails
from jay.outbox import service as outbox
from jay.web.limits import LONGEST_WINDOW, Limit

PREFIX = "operator."

MOST = 20
"""So many of a kind are told of in a day: a provider that is away concerns every order."""

PARKED_WITHIN = timedelta(hours=1)
"""What was given up before was told of, or was before there was anybody to be told."""

LOOKED_THROUGH = 1000
"""So many of a kind are looked through."""

_ONE = Limit("operator's mails", 1, LONGEST_WINDOW)
_OF_KIND = Limit("operator's mails of a kind", MOST, LONGEST_WINDOW)
_MORE = Limit("operator's mails of what is left out", 1, LONGEST_WINDOW)


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
    MORE = "more"
    """There is more of another kind than was told of."""


@dataclass(frozen=True)
class Open:
    """Something that somebody has to look at.

    :ivar subject: the number of a part, the id of a withdrawal, or a kind of which there is more.
    :ivar reason: in words, without secrets and without anything personal; how many more.
    """

    alarm: Alarm
    subject: str
    reason: str | None = None


class NoRoom(Exception):
    """So many of a kind were told of within a day already."""


def still_open(connection: Connection, *, now: datetime) -> dict[Alarm, list[Open]]:
    """Return what somebody has to look at now, by kind, the oldest first; disputes before all."""
    found = {
        Alarm(why): [Open(Alarm(why), str(part_no)) for part_no in parts]
        for why in sorted(Attention, key=lambda one: one is not Attention.DISPUTED)
        if (parts := orders.parts_to_look_at(connection, why, most=LOOKED_THROUGH))
    }
    unclear = withdrawals.unclear_ones(connection, most=LOOKED_THROUGH)
    found[Alarm.WITHDRAWAL] = [Open(Alarm.WITHDRAWAL, one, why) for one, why in unclear]
    found[Alarm.PARKED] = list(_parked(connection, now))
    return found


def tell(connection: Connection, found: Open, *, secret: str, now: datetime) -> bool:
    """Put a mail about something into the outbox, unless it was told of within a day.

    :returns: whether it was put there; of many processes at once, one does so.
    :raises NoRoom: it was not, as there were enough of its kind. Whoever calls rolls back: it does
        not count as told.
    """
    same = f"{found.alarm}/{found.subject}"
    if not _ONE.has_room(connection, same, secret=secret, now=now):
        return False
    if not _OF_KIND.has_room(connection, found.alarm, secret=secret, now=now):
        raise NoRoom
    _enqueue(connection, found, now)
    return True


def tell_more(
    connection: Connection, alarm: Alarm, left_out: int, *, secret: str, now: datetime
) -> bool:
    """Put a mail into the outbox that there is more of a kind, once a day.

    :param left_out: of how much there was no mail.
    :returns: whether it was put there.
    """
    may = _MORE.has_room(connection, alarm, secret=secret, now=now)
    if may:
        _enqueue(connection, Open(Alarm.MORE, alarm, str(left_out)), now)
    return may


def _enqueue(connection: Connection, found: Open, now: datetime) -> None:
    outbox.enqueue(
        connection,
        PREFIX + found.alarm,
        {found.subject: found.reason},
        lane=mails.lane_of(found.subject),
        now=now,
    )


def _parked(connection: Connection, now: datetime) -> Iterator[Open]:
    types = set(TYPES.values())
    rows = outbox.given_up(connection, since=now - PARKED_WITHIN, most=LOOKED_THROUGH)
    reasons = {
        row.subject: row.reason for row in reversed(rows) if row.kind.partition(".")[2] in types
    }
    for subject, reason in reasons.items():
        yield Open(Alarm.PARKED, subject, reason)
