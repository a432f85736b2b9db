"""Which shop a merchant's orders are put into, and with what; the credentials are sealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import orjson
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    case,
    delete,
    select,
)

from jay.db.prepared import Prepared
from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into
from jay.sealing import Seal

merchant_connectors = Table(
    "merchant_connectors",
    metadata,
    Column("merchant_id", Integer, ForeignKey("merchants.id"), primary_key=True),
    Column("kind", Text, nullable=False),
    # Where the shop is reached: without credentials.
    Column("address", Text, nullable=False),
    Column("credentials", Text, nullable=False),
    Column("connected", UtcDateTime, nullable=False),
)
_row = merchant_connectors.c
_SINCE = Prepared(
    select(_row.kind, _row.connected).where(_row.merchant_id == bindparam("merchant"))
)


@dataclass(frozen=True)
class Connected:
    """A merchant's shop."""

    kind: str
    address: str
    credentials: Mapping[str, str] = field(repr=False)
    connected: datetime


def connect(
    connection: Connection,
    merchant: int,
    kind: str,
    address: str,
    credentials: Mapping[str, str],
    *,
    secret: str,
    now: datetime,
) -> None:
    """Put a merchant's orders into a shop from now on, instead of the one of before.

    The same shop with other credentials has been connected since the first time.
    """
    new = insert_into(connection, merchant_connectors).values(
        merchant_id=merchant,
        kind=kind,
        address=address,
        credentials=seal_of(merchant, secret).close(orjson.dumps(dict(credentials))),
        connected=now,
    )
    given = new.excluded
    same = and_(_row.kind == given.kind, _row.address == given.address)
    changes = {
        "kind": given.kind,
        "address": given.address,
        "credentials": given.credentials,
        "connected": case((same, _row.connected), else_=given.connected),
    }
    connection.execute(new.on_conflict_do_update(index_elements=["merchant_id"], set_=changes))


def disconnect(connection: Connection, merchant: int) -> bool:
    """Put no more orders into a merchant's shop; whether there was one."""
    statement = delete(merchant_connectors).where(_row.merchant_id == merchant)
    return connection.execute(statement).rowcount == 1


def since(connection: Connection, merchant: int) -> tuple[str, datetime] | None:
    """Return which kind of shop a merchant's orders are put into, and since when; None: none."""
    row = _SINCE.one_or_none(connection, {"merchant": merchant})
    return None if row is None else (row.kind, row.connected)


def shop_of(connection: Connection, merchant: int, *, secret: str) -> Connected | None:
    """Return a merchant's shop; None where it has none.

    :raises WrongKey: its credentials were sealed with a lost secret.
    """
    query = select(merchant_connectors).where(_row.merchant_id == merchant)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    opened = orjson.loads(seal_of(merchant, secret).open(row.credentials))
    return Connected(row.kind, row.address, opened, row.connected)


def seal_of(merchant: int, secret: str) -> Seal:
    """Return what seals the credentials of a merchant's shop, and of no other one."""
    return Seal("connector", secret, str(merchant))
