"""First answers to requests with an ``Idempotency-Key``, and how far those at work have come."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Index, Table, Text, case, delete, func, select, update

from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into

KEPT_FOR = timedelta(hours=24)
"""How long a first answer is given again (contract, ``Idempotency-Key``)."""

LEASE = timedelta(seconds=10)
"""After this time a try that has not reported is taken for dead, and the next one goes on.

Should it live after all, what it writes is refused: a step is recorded under the lease alone.
"""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_hash", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    # None while the request is at work, or was when its process died.
    Column("answer", Text),
    Column("created", UtcDateTime, nullable=False),
    # Of a request in steps: what those that are done have led to, and which try is at work.
    Column("progress", Text),
    Column("lease", Text),
    Column("leased_until", UtcDateTime),
    Index("ix_idempotency_keys_created", "created"),
)
_t = idempotency_keys.c


def lock(connection: Connection, key_hash: str) -> bool:
    """Take a key until the end of the transaction; False when another request has it.

    SQLite has one writer anyway: there the second request waits and is then replayed.
    """
    if connection.dialect.name != "postgresql":
        return True
    number = int.from_bytes(bytes.fromhex(key_hash)[:8], signed=True)
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(number))).scalar_one())


def find(connection: Connection, key_hash: str, *, now: datetime, kept_for: timedelta) -> Any:
    """Return the row of a key, None when there is none or it is too old."""
    query = select(idempotency_keys).where(_t.key_hash == key_hash, _t.created > now - kept_for)
    return connection.execute(query).one_or_none()


def store(
    connection: Connection, key_hash: str, request_hash: str, answer: str, *, now: datetime
) -> None:
    """Store a first answer; ``answer`` is sealed."""
    row = {"request_hash": request_hash, "answer": answer, "created": now}
    statement = insert_into(connection, idempotency_keys).values(key_hash=key_hash, **row)
    over = {**row, "progress": None, "lease": None, "leased_until": None}
    connection.execute(
        # There may be one of the same key that is too old.
        statement.on_conflict_do_update(index_elements=["key_hash"], set_=over)
    )


def reserve(
    connection: Connection,
    key_hash: str,
    request_hash: str,
    *,
    lease: str,
    now: datetime,
    kept_for: timedelta,
) -> bool:
    """Reserve a key for a request in steps; False when it is answered or at work already.

    A reservation whose lease is over is taken over, with what its steps have led to.
    """
    row = {"lease": lease, "leased_until": now + LEASE}
    too_old = _t.created <= now - kept_for
    # A lease that ends later than any does is one from before the clock was set back.
    left_behind = (
        _t.answer.is_(None)
        & (_t.request_hash == request_hash)
        & ((_t.leased_until <= now) | (_t.leased_until > now + LEASE))
    )
    statement = insert_into(connection, idempotency_keys).values(
        key_hash=key_hash, request_hash=request_hash, created=now, **row
    )
    reserved = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key_hash"],
            set_={
                **row,
                "request_hash": request_hash,
                "answer": None,
                "progress": case((too_old, None), else_=_t.progress),
                "created": case((too_old, now), else_=_t.created),
            },
            where=too_old | left_behind,
        ).returning(_t.key_hash)
    )
    return reserved.one_or_none() is not None


def record(
    connection: Connection, key_hash: str, *, lease: str, progress: str, now: datetime
) -> bool:
    """Record what the steps have led to, and begin the lease anew; False when it was lost."""
    return _while_leased(
        connection, key_hash, lease, {"progress": progress, "leased_until": now + LEASE}
    )


def finish(connection: Connection, key_hash: str, *, lease: str, answer: str) -> bool:
    """Store the answer of a request in steps, sealed; False when the lease was lost."""
    over = {"progress": None, "lease": None, "leased_until": None}
    return _while_leased(connection, key_hash, lease, {"answer": answer, **over})


def release(connection: Connection, key_hash: str, *, lease: str, now: datetime) -> None:
    """Let the next try begin at once: this one has failed, and no step of it is half done."""
    mine = (_t.key_hash == key_hash) & (_t.lease == lease)
    connection.execute(delete(idempotency_keys).where(mine, _t.progress.is_(None)))
    connection.execute(update(idempotency_keys).where(mine).values(leased_until=now))


def _while_leased(
    connection: Connection, key_hash: str, lease: str, values: dict[str, Any]
) -> bool:
    statement = update(idempotency_keys).where(_t.key_hash == key_hash, _t.lease == lease)
    return connection.execute(statement.values(values)).rowcount == 1
