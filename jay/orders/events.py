"""What happens to parts: recorded in order, and told to whoever tells it on.

An event is appended in the transaction of its cause, and what is to be said about it is put into
the outbox in the same one. It holds nothing personal: pieces by position, an amount, who by kind.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, bindparam, case, insert, select, update

from jay.checkout.order_rows import bound, of_bound_order, of_order
from jay.db.prepared import Prepared
from jay.orders.models import (
    Actor,
    Attention,
    Happening,
    PartNo,
    PartState,
    order_events,
    order_parts,
)

MOST_DOUBTS = 50
"""So many are kept of one part."""

_MORE_DOUBTS = "and more: compare all its refunds in the shop with those here"

_part = order_parts.c
_COUNT = Prepared(
    update(order_parts)
    .where(*of_bound_order(order_parts), _part.number == bindparam("part"))
    .values(events=_part.events + 1, changed=bindparam("moment", type_=_part.changed.type))
    .returning(_part.events, _part.merchant_id)
)
_APPEND = Prepared(insert(order_events), columns=order_events.c.keys())


@dataclass(frozen=True)
class Happened:
    """An event of a part, as those hear it who tell it on.

    :ivar number: of the event, unique within its part.
    :ivar details: ``lines``: pieces by position; ``amount``: minor units.
    """

    part_no: PartNo
    merchant_id: int
    number: int
    kind: Happening
    by: Actor
    details: Mapping[str, Any]
    at: datetime


Hearer = Callable[[Connection, Happened], None]
_hearers: list[Hearer] = []


def hears(work: Hearer) -> Hearer:
    """Have a function called with each event, in the transaction that records it."""
    if work not in _hearers:
        _hearers.append(work)
    return work


def of_part(table: Table, part_no: PartNo) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a row belongs to a part, whichever of the tables it is in."""
    number = table.c.number if table is order_parts else table.c.part
    return (*of_order(table, part_no.order_no), number == part_no.number)


def record(
    connection: Connection,
    part_no: PartNo,
    kind: Happening,
    by: Actor,
    details: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> int:
    """Append an event to a part, tell those who hear it, and return its number."""
    counted = {**bound(part_no.order_no), "part": part_no.number, "moment": now}
    number, merchant_id = _COUNT.one(connection, counted)
    told = dict(details or {})
    event = {
        "routing_key": counted["key_routing_key"],
        "order_no": part_no.order_no,
        "part": part_no.number,
        "number": number,
        "at": now,
        "kind": kind,
        "by": by,
        "details": told,
    }
    _APPEND.rowcount(connection, event)
    happened = Happened(part_no, merchant_id, number, kind, by, told, now)
    for hearer in _hearers:
        hearer(connection, happened)
    return int(number)


def doubt(connection: Connection, part_no: PartNo, told: str) -> None:
    """Keep what is doubtful about a refund in a shop until an operator has attended to the part.

    The part is locked in this transaction. Of very many the first ones are kept.
    """
    query = select(_part.doubts).where(*of_part(order_parts, part_no))
    kept = (connection.execute(query).scalar_one_or_none() or "").split("\n")
    lines = [one for one in kept if one]
    if len(lines) <= MOST_DOUBTS:
        lines.append(" ".join(told.split()) if len(lines) < MOST_DOUBTS else _MORE_DOUBTS)
    changed = update(order_parts).where(*of_part(order_parts, part_no))
    connection.execute(changed.values(doubts="\n".join(lines)))
    attend(connection, part_no, Attention.SHOP_REFUND)


def attend(connection: Connection, part_no: PartNo, why: Attention | None) -> None:
    """Have an operator look at a part; None: nobody has to any more.

    A dispute stays until then, whatever else goes wrong: of it there is a date to answer by. What
    is no more than a question takes no other one's place, and comes after it: see ``settled``.
    """
    shown = update(order_parts).where(*of_part(order_parts, part_no))
    if why is None:
        shown = shown.values(doubts=None)
    if why is Attention.SHOP_REFUND:
        shown = shown.where(_part.attention.is_(None))
    elif why not in (None, Attention.DISPUTED):
        shown = shown.where(_part.attention.is_distinct_from(Attention.DISPUTED))
    connection.execute(shown.values(attention=why))


def settled(connection: Connection, part_no: PartNo, why: Attention) -> None:
    """Note that nobody has to look at a part for this reason; what is in doubt is shown then."""
    shown = update(order_parts).where(*of_part(order_parts, part_no), _part.attention == why)
    doubtful = case((_part.doubts.is_not(None), Attention.SHOP_REFUND.value), else_=None)
    connection.execute(shown.values(attention=doubtful))


def lock(
    connection: Connection, part_no: PartNo, *, merchant: int | None = None, now: datetime
) -> PartState | None:
    """Lock a part until the transaction ends, and return its state.

    :param merchant: whose it has to be; None: anybody's.
    :returns: None where there is no such part, or it is another merchant's.
    """
    locked = update(order_parts).where(*of_part(order_parts, part_no))
    if merchant is not None:
        locked = locked.where(_part.merchant_id == merchant)
    statement = locked.values(changed=now).returning(_part.state)
    state = connection.execute(statement).scalar_one_or_none()
    return None if state is None else PartState(state)
