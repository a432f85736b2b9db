"""Which parts lie in which shop, and what of them has been read back from there."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    and_,
    case,
    or_,
    select,
    update,
)

from jay.checkout.order_numbers import routing_key_of
from jay.db.routing import on_every_server
from jay.db.types import UtcDateTime, metadata
from jay.db.upsert import insert_into
from jay.orders.events import of_part
from jay.orders.models import PartNo

ASKED_EVERY = timedelta(minutes=5)
ASKED_SELDOM = timedelta(hours=1)
"""What is older than ``YOUNG`` is asked about less often."""

YOUNG = timedelta(days=7)
ASKED_FOR = timedelta(days=60)
"""Shopify tells of orders so long without a further permission."""

handed_parts = Table(
    "handed_parts",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("merchant_id", Integer, nullable=False),
    # Which shop it is: ids of one mean nothing in another.
    Column("kind", Text, nullable=False),
    Column("address", Text, nullable=False, server_default=""),
    # What the shop knows it by.
    Column("shop_id", Text, nullable=False),
    # The parcels and refunds of the shop that have been noted here.
    Column("seen", JSON, nullable=False),
    # Why the last of them could not be noted.
    Column("problem", Text),
    Column("handed", UtcDateTime, nullable=False),
    # When the shop is asked the next time; None when that is over.
    Column("due", UtcDateTime),
    Index("ix_handed_parts_due", "due"),
    Index("ix_handed_parts_merchant", "merchant_id"),
)
_row = handed_parts.c


@dataclass(frozen=True)
class Handed:
    """A part that lies in a merchant's shop."""

    part_no: PartNo
    merchant_id: int
    kind: str
    address: str
    shop_id: str
    seen: Sequence[str]
    problem: str | None
    handed: datetime


def put(
    connection: Connection,
    part_no: PartNo,
    merchant: int,
    *,
    kind: str,
    address: str,
    shop_id: str,
    now: datetime,
) -> None:
    """Note that a part lies in a shop; again, nothing changes, unless it is another shop.

    The same order at another address is the shop that has moved: what was read of it stays read.
    """
    new = insert_into(connection, handed_parts)
    other = or_(_row.kind != new.excluded.kind, _row.address != new.excluded.address)
    moved = and_(_row.kind == new.excluded.kind, _row.shop_id == new.excluded.shop_id)
    changed = ("kind", "address", "shop_id", "problem", "handed", "due")
    connection.execute(
        new.values(
            routing_key=routing_key_of(part_no.order_no),
            order_no=part_no.order_no,
            part=part_no.number,
            merchant_id=merchant,
            kind=kind,
            address=address,
            shop_id=shop_id,
            seen=[],
            problem=None,
            handed=now,
            due=now + ASKED_EVERY,
        ).on_conflict_do_update(
            index_elements=["routing_key", "order_no", "part"],
            set_={name: new.excluded[name] for name in changed}
            | {"seen": case((moved, _row.seen), else_=new.excluded.seen)},
            where=other,
        )
    )


def find(connection: Connection, part_no: PartNo, *, kind: str, address: str) -> Handed | None:
    """Return what is known of a part in a shop; None where it is not in this one."""
    this = (_row.kind == kind, _row.address == address)
    query = select(handed_parts).where(*of_part(handed_parts, part_no), *this)
    row = connection.execute(query).one_or_none()
    return None if row is None else _handed(row)


def due(connection: Connection, *, limit: int, now: datetime) -> list[Handed]:
    """Return parts of which the shop of one merchant is to be asked."""
    first = select(_row.merchant_id).where(_row.due <= now).order_by(_row.due).limit(1)
    merchant = connection.execute(on_every_server(first)).scalar_one_or_none()
    if merchant is None:
        return []
    query = select(handed_parts).where(_row.merchant_id == merchant, _row.due <= now)
    query = on_every_server(query.order_by(_row.due).limit(limit))
    return [_handed(row) for row in connection.execute(query)]


def take(connection: Connection, found: Collection[Handed], *, now: datetime) -> list[Handed]:
    """Take parts to ask about: of many processes at once, one gets each; it is asked again later.

    :returns: those that are this caller's.
    """
    mine = []
    for one in sorted(found, key=lambda each: each.part_no):
        old = now - one.handed
        wait = ASKED_EVERY if old < YOUNG else ASKED_SELDOM
        after = None if old > ASKED_FOR else now + wait
        statement = update(handed_parts).where(*of_part(handed_parts, one.part_no), _row.due <= now)
        if connection.execute(statement.values(due=after)).rowcount == 1:
            mine.append(one)
    return mine


def see(connection: Connection, part_no: PartNo, what: str) -> bool:
    """Note that something of a shop is noted here, in the transaction that does so.

    :returns: whether it was not before; not of a part that lies in no shop.
    """
    named = of_part(handed_parts, part_no)
    query = select(_row.seen).where(*named).with_for_update()
    seen: list[str] | None = connection.execute(query).scalar_one_or_none()
    if seen is None or what in seen:
        return False
    changed = update(handed_parts).where(*named)
    connection.execute(changed.values(seen=[*seen, what], problem=None))
    return True


def saw(connection: Connection, part_no: PartNo, what: str) -> bool:
    """Tell whether something of a shop is noted here."""
    return what in seen_of(connection, part_no)


def seen_of(connection: Connection, part_no: PartNo) -> Sequence[str]:
    """Return what of a shop is noted here."""
    query = select(_row.seen).where(*of_part(handed_parts, part_no))
    return connection.execute(query).scalar_one_or_none() or ()


def note_problem(connection: Connection, part_no: PartNo, problem: str) -> None:
    """Keep why something of a shop could not be noted here."""
    changed = update(handed_parts).where(*of_part(handed_parts, part_no))
    connection.execute(changed.values(problem=problem))


def problems(connection: Connection, merchant: int) -> list[Handed]:
    """Return the parts of a merchant of which something could not be noted."""
    query = select(handed_parts).where(_row.merchant_id == merchant, _row.problem.is_not(None))
    return [_handed(row) for row in connection.execute(on_every_server(query))]


def _handed(row: Any) -> Handed:
    return Handed(
        PartNo(row.order_no, row.part),
        row.merchant_id,
        row.kind,
        row.address,
        row.shop_id,
        row.seen,
        row.problem,
        row.handed,
    )
