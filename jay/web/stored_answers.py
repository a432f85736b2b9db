"""First answers to requests with an ``Idempotency-Key``, to be given again."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Connection, Index, Table, Text, func, select

from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into

KEPT_FOR = timedelta(hours=24)
"""How long a first answer is given again (contract, ``Idempotency-Key``)."""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("key_hash", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Index("ix_idempotency_keys_created", "created"),
)


def lock(connection: Connection, key_hash: str) -> bool:
    """Take a key until the end of the transaction; False when another request has it.

    SQLite has one writer anyway: there the second request waits and is then replayed.
    """
    if connection.dialect.name != "postgresql":
        return True
    number = int.from_bytes(bytes.fromhex(key_hash)[:8], signed=True)
    return bool(connection.execute(select(func.pg_try_advisory_xact_lock(number))).scalar_one())


def find(connection: Connection, key_hash: str, *, now: datetime) -> Any:
    """Return the row of a key's first answer, None when there is none or it is too old."""
    query = select(idempotency_keys).where(
        idempotency_keys.c.key_hash == key_hash, idempotency_keys.c.created > now - KEPT_FOR
    )
    return connection.execute(query).one_or_none()


def store(
    connection: Connection, key_hash: str, request_hash: str, answer: str, *, now: datetime
) -> None:
    """Store a first answer; ``answer`` is sealed."""
    row = {"request_hash": request_hash, "answer": answer, "created": now}
    statement = insert_into(connection, idempotency_keys).values(key_hash=key_hash, **row)
    connection.execute(
        # There may be one of the same key that is older than a day.
        statement.on_conflict_do_update(index_elements=["key_hash"], set_=row)
    )
