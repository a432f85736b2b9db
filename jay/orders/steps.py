"""The steps that a part goes: accepted, shipped, delivered, cancelled, returned.

Each locks the part, and moves it on with conditional UPDATEs: the part's state, and the pieces of
its lines. A step that the state or the pieces do not allow changes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from jay.checkout.order_numbers import routing_key_of
from jay.errors import OrderNotFound, OrderState, RefundTooHigh
from jay.orders import events, refunds
from jay.orders.events import of_part
from jay.orders.models import (
    Actor,
    Happening,
    Movement,
    OrderLine,
    Parcel,
    PartNo,
    PartState,
    order_lines,
    order_parcels,
    order_parts,
)
from jay.products import stock

_line, _part = order_lines.c, order_parts.c

NEW, ACCEPTED, SHIPPED, DELIVERED, CANCELLED, RETURNED = PartState

CANCELLABLE_BY = {
    Actor.SHOPPER: (NEW,),
    Actor.MERCHANT: (NEW, ACCEPTED),
    Actor.OPERATOR: (NEW, ACCEPTED),
}
"""Who may cancel, and up to where: once it is accepted, a shopper withdraws instead."""


class NotInPart(ValueError):
    """A SKU that is named is not in the part; ``index`` of the first such one."""

    def __init__(self, index: int) -> None:
        super().__init__(f"item {index} is not in the part")
        self.index = index


@dataclass(frozen=True)
class Wanted:
    """So many pieces of a SKU, as they are named from outside."""

    sku: str
    count: int


def lines_of(connection: Connection, part_no: PartNo) -> list[OrderLine]:
    """Return the lines of a part, in their order."""
    query = select(order_lines).where(*of_part(order_lines, part_no))
    return [OrderLine.from_row(row) for row in connection.execute(query.order_by(_line.position))]


def accept(
    connection: Connection, part_no: PartNo, *, merchant: int | None, by: Actor, now: datetime
) -> None:
    """Accept a part: from now on it is prepared.

    :raises OrderNotFound: OrderState
    """
    _lock(connection, part_no, merchant, now)
    if not _move(connection, part_no, [NEW], ACCEPTED):
        raise OrderState
    events.record(connection, part_no, Happening.ACCEPTED, by, now=now)


def deliver(
    connection: Connection, part_no: PartNo, *, merchant: int | None, by: Actor, now: datetime
) -> None:
    """Note that all of a part has arrived.

    :raises OrderNotFound: OrderState
    """
    _lock(connection, part_no, merchant, now)
    if not _move(connection, part_no, [SHIPPED], DELIVERED):
        raise OrderState
    events.record(connection, part_no, Happening.DELIVERED, by, now=now)


def ship(
    connection: Connection,
    part_no: PartNo,
    wanted: Sequence[Wanted] | None,
    parcel: Parcel | None,
    *,
    merchant: int | None,
    by: Actor,
    now: datetime,
) -> None:
    """Note that a parcel has left, with some pieces or all that are left.

    :raises OrderNotFound: OrderState
    :raises NotInPart: a SKU is not in it.
    """
    if _lock(connection, part_no, merchant, now) is not ACCEPTED:
        raise OrderState
    lines = lines_of(connection, part_no)
    pieces = _pieces(lines, wanted, lambda line: line.left)
    for position, count in pieces.items():
        enough = _line.ordered - _line.shipped - _line.cancelled >= count
        _change(connection, part_no, position, enough, shipped=_line.shipped + count)
    _settle_state(connection, part_no)
    told = {"lines": _by_position(pieces)}
    number = events.record(connection, part_no, Happening.SHIPPED, by, told, now=now)
    if parcel is not None:
        connection.execute(
            insert(order_parcels).values(
                routing_key=routing_key_of(part_no.order_no),
                order_no=part_no.order_no,
                part=part_no.number,
                number=number,
                carrier=parcel.carrier,
                tracking_number=parcel.tracking_number,
                url=parcel.url,
            )
        )


def cancel(
    connection: Connection,
    part_no: PartNo,
    wanted: Sequence[Wanted] | None,
    *,
    merchant: int | None,
    by: Actor,
    restock: bool = True,
    now: datetime,
) -> Movement | None:
    """Cancel pieces that are not shipped, or all of them; what was paid for them goes back.

    Shipping is given back with the last piece, where none has been shipped.

    :param restock: whether the pieces can be sold again.
    :returns: the refund that is to be made; None where nothing was left to go back.
    :raises OrderNotFound: OrderState
    :raises NotInPart: a SKU is not in it.
    """
    if _lock(connection, part_no, merchant, now) not in CANCELLABLE_BY[by]:
        raise OrderState
    lines = lines_of(connection, part_no)
    pieces = _pieces(lines, wanted, lambda line: line.left)
    for position, count in pieces.items():
        enough = _line.ordered - _line.shipped - _line.cancelled >= count
        _change(connection, part_no, position, enough, cancelled=_line.cancelled + count)
    state = _settle_state(connection, part_no)
    if restock:
        _restock(connection, part_no, lines, pieces)
    told = {"lines": _by_position(pieces)}
    events.record(connection, part_no, Happening.CANCELLED, by, told, now=now)
    # What was refunded line by line before does not go back again.
    unpaid = {
        line.position: min(pieces[line.position], line.ordered - line.refunded)
        for line in lines
        if line.position in pieces and line.refunded < line.ordered
    }
    price = {line.position: line.price for line in lines}
    left = refunds.refundable(connection, part_no)
    amount = sum(price[position] * count for position, count in unpaid.items())
    amount = left if state is CANCELLED else min(amount, left)
    if amount <= 0:
        return None
    return refunds.reserve(connection, part_no, amount, by=by, lines=unpaid, now=now)


def take_back(
    connection: Connection,
    part_no: PartNo,
    wanted: Sequence[Wanted] | None,
    *,
    merchant: int | None,
    by: Actor,
    restock: bool = False,
    now: datetime,
) -> None:
    """Note that pieces have come back, or all that were shipped; money is a step of its own.

    :param restock: whether the pieces can be sold again.
    :raises OrderNotFound: OrderState
    :raises NotInPart: a SKU is not in it.
    """
    if _lock(connection, part_no, merchant, now) not in (ACCEPTED, SHIPPED, DELIVERED):
        raise OrderState
    lines = lines_of(connection, part_no)
    pieces = _pieces(lines, wanted, lambda line: line.shipped - line.returned)
    for position, count in pieces.items():
        out = _line.shipped - _line.returned
        _change(connection, part_no, position, out >= count, returned=_line.returned + count)
    _settle_state(connection, part_no)
    if restock:
        _restock(connection, part_no, lines, pieces)
    told = {"lines": _by_position(pieces)}
    events.record(connection, part_no, Happening.RETURNED, by, told, now=now)


def refund(
    connection: Connection,
    part_no: PartNo,
    amount: int | None,
    wanted: Sequence[Wanted] | None,
    *,
    reason: str | None,
    merchant: int | None,
    by: Actor,
    now: datetime,
) -> Movement:
    """Decide that money goes back: an amount, what pieces have cost, or all that is left.

    :param amount: minor units; None: as ``wanted`` says, or else all.
    :raises OrderNotFound: RefundTooHigh
    :raises NotInPart: a SKU is not in it.
    """
    _lock(connection, part_no, merchant, now)
    pieces: dict[int, int] = {}
    if wanted is not None:
        lines = lines_of(connection, part_no)
        try:
            pieces = _pieces(lines, wanted, lambda line: line.ordered - line.refunded)
        except OrderState as error:
            raise RefundTooHigh from error
        amount = sum(line.price * pieces.get(line.position, 0) for line in lines)
    elif amount is None:
        amount = refunds.refundable(connection, part_no)
    return refunds.reserve(connection, part_no, amount, by=by, reason=reason, lines=pieces, now=now)


def _lock(
    connection: Connection, part_no: PartNo, merchant: int | None, now: datetime
) -> PartState:
    state = events.lock(connection, part_no, merchant=merchant, now=now)
    if state is None:
        raise OrderNotFound
    return state


def _move(
    connection: Connection, part_no: PartNo, before: Sequence[PartState], after: PartState
) -> bool:
    moved = update(order_parts).where(*of_part(order_parts, part_no), _part.state.in_(before))
    return connection.execute(moved.values(state=after)).rowcount == 1


def _change(
    connection: Connection, part_no: PartNo, position: int, condition: Any, **values: Any
) -> None:
    changed = update(order_lines).where(
        *of_part(order_lines, part_no), _line.position == position, condition
    )
    if connection.execute(changed.values(**values)).rowcount != 1:
        raise OrderState


def _settle_state(connection: Connection, part_no: PartNo) -> PartState | None:
    """Move a part to where its pieces are all together; return where, None when it stays."""
    lines = lines_of(connection, part_no)
    shipped = sum(line.shipped for line in lines)
    if any(line.left for line in lines):
        return None
    after, before = SHIPPED, [ACCEPTED]  # later, only some of it has come back
    if not shipped:
        after, before = CANCELLED, [NEW, ACCEPTED]
    elif all(line.returned == line.shipped for line in lines):
        after, before = RETURNED, [ACCEPTED, SHIPPED, DELIVERED]
    return after if _move(connection, part_no, before, after) else None


def _pieces(
    lines: Sequence[OrderLine],
    wanted: Sequence[Wanted] | None,
    left: Callable[[OrderLine], int],
) -> dict[int, int]:
    """Return how many pieces of each line are meant, by position.

    The same SKU may stand in several lines, in several languages: the first ones come first.

    :param wanted: None: all that are left.
    :raises OrderState: fewer are left, or none at all.
    :raises NotInPart: a SKU is not in the part.
    """
    rooms = {line.position: left(line) for line in lines}
    if wanted is None:
        found = {position: room for position, room in rooms.items() if room > 0}
    else:
        found = {}
        for index, one in enumerate(wanted):
            missing = one.count
            same = [line for line in lines if line.sku == one.sku]
            if not same:
                raise NotInPart(index)
            for line in same:
                count = min(missing, rooms[line.position])
                if count > 0:
                    found[line.position] = found.get(line.position, 0) + count
                    rooms[line.position] -= count
                    missing -= count
            if missing:
                raise OrderState
    if not found:
        raise OrderState
    return found


def _restock(
    connection: Connection,
    part_no: PartNo,
    lines: Sequence[OrderLine],
    pieces: Mapping[int, int],
) -> None:
    back: dict[str, int] = {}
    for line in lines:
        count = pieces.get(line.position, 0)
        if count:
            back[line.stock_id] = back.get(line.stock_id, 0) + count
    stock.restore(connection, part_no.order_no, back)


def _by_position(pieces: Mapping[int, int]) -> dict[str, int]:
    return {str(position): count for position, count in pieces.items()}
