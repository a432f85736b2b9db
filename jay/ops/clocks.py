"""Stored moments that were written while a clock was ahead, and count as now once it is right.

Who waits for such a moment would wait as long as the clock was ahead: a payment to be asked about,
a refund, a mail, a lease of somebody who has died. A moment is known for such a one where it lies
further ahead than any that is written. (What the feed observes counts as now when it is compared,
and so do tries and offers.)
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Table, and_, case, null, or_, update

from jay.checkout import sessions
from jay.checkout.models import ACTIVE, LIFETIME, checkout_sessions
from jay.checkout.notices import LONGEST_AGAIN, psp_notices
from jay.connectors.handed import ASKED_SELDOM, handed_parts
from jay.db import turns
from jay.db.routing import EVERYWHERE, ROUTED_BY
from jay.feeds.models import LEASE as PULL_LEASE
from jay.feeds.models import feed_pulls
from jay.orders.models import movements
from jay.orders.refunds import LONGEST_LEASE
from jay.outbox.models import LEASE, LONGEST_WAIT, WAITING, outbox, outbox_addresses
from jay.pictures.leases import LEASE as PICTURE_LEASE
from jay.pictures.models import LONGEST_REST, picture_hosts, picture_sources, picture_sweeps
from jay.products.models import microseconds, stock_reservations
from jay.web.stored_answers import idempotency_keys

CLOCKS_DIFFER = timedelta(minutes=5)
"""Machines that share a database may differ by so much, and nothing is wrong."""

LOOKED_EVERY = timedelta(minutes=10)
"""The clock of another machine may have been ahead."""

LONGEST_DUE = timedelta(days=1)
"""No message waits longer for its next attempt."""

_message, _address, _session = outbox.c, outbox_addresses.c, checkout_sessions.c
_host, _source, _sweep = picture_hosts.c, picture_sources.c, picture_sweeps.c
_answer, _handed = idempotency_keys.c, handed_parts.c
_notice, _movement, _pull, _stock = psp_notices.c, movements.c, feed_pulls.c, stock_reservations.c

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Ahead:
    """Rows of a table with moments of the future, and what these are instead.

    :ivar wrong: which rows, by the latest moment that may have been written by now.
    """

    table: Table
    wrong: Callable[[datetime], ColumnElement[bool]]
    right: Callable[[datetime], Values]


def _not_after(column: Column[Any], moment: Any) -> ColumnElement[Any]:
    return case((column > moment, moment), else_=column)


AHEAD = (
    Ahead(
        outbox,
        lambda at: and_(
            _message.state == WAITING,
            or_(
                _message.since > at,
                and_(_message.lease.is_not(None), _message.due > at + LEASE),
                _message.due > at + LONGEST_DUE,
            ),
        ),
        lambda now: {"since": _not_after(_message.since, now), "due": now, "lease": None},
    ),
    Ahead(
        outbox_addresses,
        lambda at: or_(
            _address.rests_until > at + LONGEST_WAIT, _address.probed_until > at + LEASE
        ),
        lambda now: {
            "rests_until": _not_after(_address.rests_until, now),
            "probed_until": _not_after(_address.probed_until, now),
        },
    ),
    Ahead(
        checkout_sessions,
        lambda at: and_(
            _session.state.in_(ACTIVE),
            or_(_session.created > at, _session.due > at + sessions.LONGEST_ASKED),
        ),
        lambda now: {
            "created": _not_after(_session.created, now),
            "expires": _not_after(_session.expires, now + LIFETIME),
            "due": now,
        },
    ),
    Ahead(
        psp_notices,
        lambda at: and_(
            _notice.done.is_(None), or_(_notice.received > at, _notice.due > at + LONGEST_AGAIN)
        ),
        lambda now: {"received": _not_after(_notice.received, now), "due": now},
    ),
    Ahead(
        movements,
        lambda at: and_(
            _movement.due.is_not(None),
            or_(_movement.created > at, _movement.due > at + LONGEST_LEASE),
        ),
        lambda now: {"created": _not_after(_movement.created, now), "due": now},
    ),
    Ahead(
        handed_parts,
        lambda at: _handed.due > at + ASKED_SELDOM,
        lambda now: {"due": now, "handed": _not_after(_handed.handed, now)},
    ),
    Ahead(
        stock_reservations,
        # What was sold then stays so until the merchant has counted, which it does by a true clock.
        lambda at: _stock.sold_at > microseconds(at),
        lambda now: {"sold_at": microseconds(now), "expires": now},
    ),
    Ahead(
        idempotency_keys,
        # An answer with credentials in it would be given for longer than it should.
        lambda at: _answer.created > at,
        lambda now: {
            "created": _not_after(_answer.created, now),
            "leased_until": _not_after(_answer.leased_until, now),
        },
    ),
    Ahead(
        feed_pulls,
        lambda at: _pull.leased > at + PULL_LEASE,
        lambda now: {"due": _not_after(_pull.due, now), "leased": None, "lease": None},
    ),
    Ahead(
        picture_hosts,
        lambda at: or_(_host.rests > at + timedelta(days=1), _host.leased > at + PICTURE_LEASE),
        lambda now: {"rests": _not_after(_host.rests, now), "leased": None, "lease": None},
    ),
    Ahead(
        picture_sources,
        lambda at: or_(_source.tried > at, _source.due > at + max(LONGEST_REST.values())),
        lambda now: {"due": now, "tried": now},
    ),
    Ahead(
        picture_sweeps,
        lambda at: or_(_sweep.since > at, _sweep.due > at + CLOCKS_DIFFER + timedelta(days=1)),
        # What has changed meanwhile nobody knows: everything is looked at.
        lambda now: {
            "due": now,
            "since": case((_sweep.since > now, null()), else_=_sweep.since),
            "leased": None,
            "lease": None,
        },
    ),
)


def set_right(connection: Connection, ahead: Ahead, *, now: datetime) -> int:
    """Let the future moments of a table count as now.

    :returns: how many rows it was.
    """
    if ahead.table.name not in ROUTED_BY:
        turns.take(connection)
    wrong = ahead.wrong(now + CLOCKS_DIFFER)
    statement = update(ahead.table).where(wrong).values(**ahead.right(now))
    return connection.execute(statement.prefix_with(EVERYWHERE)).rowcount


class Watch:
    """Tells when to look: at first, now and then, and once a clock was set back.

    :param timer: seconds that only ever grow.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._ahead = self._due = float("-inf")

    def is_due(self, *, now: datetime) -> bool:
        """Tell whether to look at this moment."""
        moment = self._timer()
        ahead = now.timestamp() - moment
        set_back = self._ahead - ahead > CLOCKS_DIFFER.total_seconds()
        self._ahead = ahead
        if not set_back and moment < self._due:
            return False
        self._due = moment + LOOKED_EVERY.total_seconds()
        return True
