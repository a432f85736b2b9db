"""Removing what has expired, in small transactions that stand in nobody's way."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, Connection, Delete, Table, and_, delete, or_, select, tuple_

from jay.auth.models import GUEST_TOKEN_LIFETIME, signing_keys
from jay.baskets.models import baskets
from jay.checkout.contacts import contacts
from jay.checkout.models import UNPAID_KEPT_FOR, SessionState, checkout_sessions
from jay.checkout.notices import KEPT_FOR as NOTICES_KEPT_FOR
from jay.checkout.notices import psp_notices
from jay.db import turns
from jay.db.routing import ROUTED_BY
from jay.operators.models import SESSION_LIFETIME, operator_sessions
from jay.orders.withdrawals import withdrawals
from jay.outbox.models import KEPT_FOR as MESSAGES_KEPT_FOR
from jay.outbox.models import outbox
from jay.pictures import purging
from jay.pictures.models import picture_sources, pictures
from jay.privacy.registry import LETTER_YEARS, let_go_before
from jay.products.price_history import is_forgotten
from jay.products.prices import price_history
from jay.transfers.models import RENEWABLE_FOR, transfers
from jay.web.limits import LONGEST_WINDOW, tries
from jay.web.stored_answers import KEPT_FOR, idempotency_keys

Write = Callable[[Callable[[Connection], int]], int]

GRACE = timedelta(days=1)
"""Clocks differ, and an old guest key may have signed a moment after it was retired."""


@dataclass(frozen=True)
class Expired:
    """The rows of a table that nobody needs any more at a moment."""

    name: str
    table: Table
    at: Callable[[datetime], ColumnElement[bool]]


EXPIRED = (
    Expired("baskets", baskets, lambda now: baskets.c.expires <= now),
    # A claimed one is what the winner's phone proves its claim with until the day is over.
    Expired("transfers", transfers, lambda now: transfers.c.created <= now - RENEWABLE_FOR - GRACE),
    Expired("answers", idempotency_keys, lambda now: idempotency_keys.c.created <= now - KEPT_FOR),
    Expired("tries", tries, lambda now: tries.c.since <= now - LONGEST_WINDOW),
    Expired(
        "guest keys",
        signing_keys,
        lambda now: signing_keys.c.retired <= now - GUEST_TOKEN_LIFETIME - GRACE,
    ),
    Expired(
        "logins",
        operator_sessions,
        lambda now: operator_sessions.c.created <= now - SESSION_LIFETIME,
    ),
    Expired(
        "checkouts",
        checkout_sessions,
        lambda now: and_(
            checkout_sessions.c.ended <= now - UNPAID_KEPT_FOR,
            checkout_sessions.c.state != SessionState.PAID,
        ),
    ),
    Expired("names and addresses", contacts, lambda now: contacts.c.ends <= now),
    # Letters, also those of people who were never forgotten.
    Expired(
        "withdrawals",
        withdrawals,
        lambda now: or_(
            withdrawals.c.ends <= now, withdrawals.c.received < let_go_before(now, LETTER_YEARS)
        ),
    ),
    Expired("payment news", psp_notices, lambda now: psp_notices.c.done <= now - NOTICES_KEPT_FOR),
    Expired("prices of before", price_history, is_forgotten),
    Expired("addresses of pictures", picture_sources, purging.unused_sources),
    Expired("pictures", pictures, purging.unused_pictures),
    # Delivered or given up; what still waits has no such moment.
    Expired(
        "webhooks",
        outbox,
        lambda now: outbox.c.finished <= now - MESSAGES_KEPT_FOR,
    ),
)


def purge(write: Write, expired: Expired, *, now: datetime, batch: int, most: int) -> Iterator[int]:
    """Delete expired rows in batches, see ``delete_in_batches``."""
    # The condition counts at the deletion, too: a basket may have come alive since it was chosen.
    return delete_in_batches(write, expired.table, expired.at(now), batch=batch, most=most)


def delete_in_batches(
    write: Write,
    table: Table,
    condition: ColumnElement[bool],
    *,
    batch: int,
    most: int | None = None,
) -> Iterator[int]:
    """Delete rows in batches, each in its own transaction; yield how many each time.

    It can be stopped at any moment and begun again: what is left is found again.

    :param write: runs its argument in a transaction.
    :param most: how many rows to delete at the most; None: all.
    """
    keys = list(table.primary_key.columns)
    left = sys.maxsize if most is None else most
    while left > 0:
        chosen = select(*keys).where(condition).limit(min(batch, left))
        statement = delete(table).where(tuple_(*keys).in_(chosen), condition)
        deleted = write(partial(_delete, statement=statement, table=table))
        if deleted == 0:
            return
        left -= deleted
        yield deleted


def _delete(connection: Connection, *, statement: Delete, table: Table) -> int:
    if table.name not in ROUTED_BY:
        turns.take(connection)
    return connection.execute(statement).rowcount
