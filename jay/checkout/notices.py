"""Webhooks of the payment service provider: stored once, answered at once, worked on later.

A notice says that something has happened to an intent, and nothing else of it is believed. It comes
at least once and in no order; what it leads to (``flow.settle``) may be done any number of times.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    exists,
    select,
    text,
    true,
    update,
)

from jay.checkout.providers.interface import ProviderNotice
from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into

AGAIN = timedelta(seconds=30)
"""When a notice is worked on again of which the first worker died, or met an outage; each time
later, so that those that fail for good keep none of the others waiting."""

LONGEST_AGAIN = timedelta(hours=1)

KEPT_FOR = timedelta(days=7)
"""A provider repeats its webhooks for three days; later ones would only be asked about again."""

_waits = text("done IS NULL")

psp_notices = Table(
    "psp_notices",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    # None where it is about nothing of ours.
    Column("intent_id", Text),
    # The mode that it was signed for: in which the intent is to be looked for.
    Column("test", Boolean, nullable=False, server_default=true()),
    Column("received", UtcDateTime, nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("done", UtcDateTime),
    Index("ix_psp_notices_due", "due", sqlite_where=_waits, postgresql_where=_waits),
    Index("ix_psp_notices_done", "done"),
)
_row = psp_notices.c


@dataclass(frozen=True)
class Waiting:
    """A notice that is to be worked on."""

    provider: str
    id: str
    intent_id: str | None
    test: bool = True


def store(connection: Connection, provider: str, heard: ProviderNotice, *, now: datetime) -> bool:
    """Store a notice.

    :returns: whether it is a new one.
    """
    done = now if heard.intent is None else None
    stored = connection.execute(
        insert_into(connection, psp_notices)
        .values(
            provider=provider,
            id=heard.id,
            kind=heard.kind,
            intent_id=heard.intent,
            test=heard.test,
            received=now,
            due=now,
            done=done,
        )
        .on_conflict_do_nothing()
        .returning(_row.id)
    ).one_or_none()
    return stored is not None


def waits(connection: Connection, *, now: datetime) -> bool:
    """Tell whether a notice is to be worked on."""
    query = select(exists().where(_row.done.is_(None), _row.due <= now))
    return bool(connection.execute(query).scalar_one())


def take(connection: Connection, *, limit: int, now: datetime) -> list[Waiting]:
    """Take notices to be worked on; nobody else takes them for a while."""
    query = select(_row.provider, _row.id, _row.attempts).where(
        _row.done.is_(None), _row.due <= now
    )
    taken = []
    found = connection.execute(query.order_by(_row.due).limit(limit)).all()
    for provider, identifier, attempts in found:
        again = min(AGAIN * 2 ** min(attempts, 10), LONGEST_AGAIN)
        statement = (
            update(psp_notices)
            .where(
                _row.provider == provider,
                _row.id == identifier,
                _row.done.is_(None),
                _row.due <= now,
            )
            .values(due=now + again, attempts=_row.attempts + 1)
            .returning(_row.provider, _row.id, _row.intent_id, _row.test)
        )
        row = connection.execute(statement).one_or_none()
        if row is not None:
            taken.append(Waiting(*row))
    return taken


def done(connection: Connection, heard: Waiting, *, now: datetime) -> None:
    """Note that a notice was worked on."""
    connection.execute(
        update(psp_notices)
        .where(_row.provider == heard.provider, _row.id == heard.id)
        .values(done=now)
    )
