"""Movements of money: decided in the transaction of their cause, made after it, then recorded.

Reserve, call, record. What was reserved counts as gone, so that never more goes back than was paid.
Who makes a movement takes it first, under a lease, with one conditional UPDATE; when he dies, the
next one makes it, under the same id, by which the provider makes it once.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from jay.checkout import sessions
from jay.checkout.models import Session
from jay.checkout.order_numbers import routing_key_of
from jay.checkout.order_rows import of_order
from jay.checkout.providers.interface import Intent, refund_name
from jay.errors import RefundTooHigh
from jay.merchants import service as merchants
from jay.orders import events
from jay.orders import ledger as money
from jay.orders.events import of_part
from jay.orders.models import (
    Actor,
    Attention,
    Happening,
    Money,
    Movement,
    MovementState,
    PartNo,
    movements,
    order_events,
    order_lines,
    order_parts,
    orders,
)

log = structlog.get_logger()

LEASE = timedelta(minutes=2)
"""How long a movement belongs to who has taken it; each time longer, as it may not be possible."""

LONGEST_LEASE = timedelta(hours=1)

_row = movements.c
_SIGNS = {Money.REFUND: -1, Money.TRANSFER: -1, Money.REVERSAL: 1}
_IS_OURS = _row.kind.in_([*_SIGNS])
"""Others are made by a later version, which knows how."""


@dataclass(frozen=True)
class Due:
    """A movement that this process has taken, and what the provider needs to know of it.

    :ivar transfer: for a reversal, what the provider knows the transfer by.
    :ivar account: for a transfer, the merchant's own at the provider.
    """

    movement: Movement
    provider: str
    intent_id: str
    test: bool
    transfer: str | None = None
    account: str | None = None


def paid(connection: Connection, part_no: PartNo) -> int:
    """Return what was paid for a part, in minor units."""
    return money.sums_of_part(connection, part_no).get(Money.CHARGE, 0)


def refundable(connection: Connection, part_no: PartNo) -> int:
    """Return what was paid for a part and has not gone back, nor is about to; minor units."""
    return paid(connection, part_no) - _going_back(connection, *of_part(movements, part_no))


def _going_back(connection: Connection, *of: ColumnElement[bool]) -> int:
    going = select(func.coalesce(func.sum(_row.amount), 0)).where(
        *of, _row.kind == Money.REFUND, _row.state != MovementState.FAILED
    )
    return int(connection.execute(going).scalar_one())


def reserve(
    connection: Connection,
    part_no: PartNo,
    amount: int,
    *,
    by: Actor,
    reason: str | None = None,
    lines: Mapping[int, int] | None = None,
    now: datetime,
) -> Movement:
    """Decide that money goes back to the shopper; the part is locked in this transaction.

    :param amount: minor units, above zero.
    :param lines: pieces by position that it pays for.
    :raises RefundTooHigh: it is more than is left of what was paid.
    """
    if not 0 < amount <= refundable(connection, part_no):
        raise RefundTooHigh
    for position, count in (lines or {}).items():
        paid_back = (
            update(order_lines)
            .where(
                *of_part(order_lines, part_no),
                order_lines.c.position == position,
                order_lines.c.refunded + count <= order_lines.c.ordered,
            )
            .values(refunded=order_lines.c.refunded + count)
        )
        if connection.execute(paid_back).rowcount != 1:
            raise RefundTooHigh
    return _reserve(
        connection, part_no, Money.REFUND, amount, by=by, now=now, reason=reason, lines=lines
    )


def _reserve(
    connection: Connection,
    part_no: PartNo,
    kind: Money,
    amount: int,
    *,
    by: Actor,
    now: datetime,
    reason: str | None = None,
    lines: Mapping[int, int] | None = None,
    follows: str | None = None,
) -> Movement:
    # Counted, so that they stand in the order in which they were decided: the part is locked.
    mine = select(func.count()).where(*of_part(movements, part_no))
    number = connection.execute(mine).scalar_one()
    values = {
        "routing_key": routing_key_of(part_no.order_no),
        "order_no": part_no.order_no,
        "id": f"{number:04x}{secrets.token_hex(14)}",
        "part": part_no.number,
        "kind": kind,
        "amount": amount,
        "by": by,
        "reason": reason,
        "lines": None if not lines else {str(one): count for one, count in lines.items()},
        "follows": follows,
        "created": now,
        "due": now,
    }
    stored = connection.execute(insert(movements).values(**values).returning(movements)).one()
    return Movement.from_row(stored)


def due(
    connection: Connection, *, limit: int, now: datetime, order_no: str | None = None
) -> list[tuple[str, str]]:
    """Return order number and id of the movements that are to be made.

    :param order_no: of this order alone.
    """
    query = select(_row.order_no, _row.id).where(_row.due <= now, _IS_OURS)
    query = query.order_by(_row.due).limit(limit)
    if order_no is not None:
        query = query.where(*of_order(movements, order_no))
    return [(row.order_no, row.id) for row in connection.execute(query)]


def take(connection: Connection, order_no: str, identifier: str, *, now: datetime) -> Due | None:
    """Take a movement that is due; nobody else takes it for a while.

    :returns: None when it is somebody else's, or has ended.
    """
    this = (*of_order(movements, order_no), _row.id == identifier)
    attempts = connection.execute(select(_row.attempts).where(*this)).scalar_one_or_none()
    if attempts is None:
        return None
    lease = min(LEASE * 2 ** min(attempts, 10), LONGEST_LEASE)
    taken = (
        update(movements)
        .where(*this, _row.state == MovementState.RESERVED, _row.due <= now)
        .values(due=now + lease, attempts=_row.attempts + 1)
        .returning(movements)
    )
    row = connection.execute(taken).one_or_none()
    if row is None:
        return None
    order = connection.execute(select(orders).where(*of_order(orders, order_no))).one()
    movement = Movement.from_row(row)
    transfer = account = None
    if movement.kind is Money.REVERSAL:
        transfer = transfer_of(connection, movement.part_no)
    elif movement.kind is Money.TRANSFER:
        whose = select(order_parts.c.merchant_id).where(*of_part(order_parts, movement.part_no))
        account = account_of(connection, connection.execute(whose).scalar_one())
    return Due(movement, order.provider, order.intent_id, order.test, transfer, account)


def account_of(connection: Connection, merchant: int) -> str | None:
    """Return a merchant's own account at the payment provider; None without one."""
    account: str | None = merchants.details(connection, merchant).stripe_account
    return account or None


def reserve_share(
    connection: Connection, part_no: PartNo, amount: int, *, account: str | None, now: datetime
) -> Movement | None:
    """Decide that a merchant gets its share of a payment; None where it has no account.

    :param amount: minor units.
    :param account: the merchant's own.
    """
    if amount <= 0 or not account:
        return None
    return _reserve(connection, part_no, Money.TRANSFER, amount, by=Actor.SERVICE, now=now)


def made(
    connection: Connection, movement: Movement, *, provider_id: str | None = None, now: datetime
) -> bool:
    """Record that a movement was made: in the ledger, and as an event of its part.

    A refund is followed by the reversal of the merchant's share of it, and so is a share that was
    sent after one.

    :returns: whether this call did so; not when it was recorded before.
    """
    part_no = movement.part_no
    events.lock(connection, part_no, now=now)
    state = MovementState.MADE
    if not _end(connection, movement, state, now=now, provider_id=provider_id):
        return False
    signed = _SIGNS[movement.kind] * movement.amount
    money.enter(connection, part_no, movement.kind, movement.id, signed, now=now)
    if movement.kind is not Money.REVERSAL and (share := _to_reverse(connection, part_no)) > 0:
        more: dict[str, Any] = {"by": Actor.SERVICE, "follows": movement.id, "now": now}
        _reserve(connection, part_no, Money.REVERSAL, share, **more)
    if movement.kind is Money.REFUND:
        money.settle_fee(connection, part_no, movement.id, now=now)
        told: dict[str, Any] = {"amount": movement.amount, "refund": movement.id}
        events.record(connection, part_no, Happening.REFUNDED, movement.by, told, now=now)
        if movement.by is Actor.OPERATOR:
            events.settled(connection, part_no, Attention.REFUND_FAILED)
    return True


def failed(connection: Connection, movement: Movement, *, now: datetime) -> bool:
    """Record that a movement will not be made: the provider refuses it, and no money has moved.

    :returns: whether this call did so.
    """
    # Lines are locked before movements, as everywhere; the part's lock keeps others from both.
    events.lock(connection, movement.part_no, now=now)
    stored = find(connection, movement.part_no.order_no, movement.id)
    if stored is None or stored.state is not MovementState.RESERVED:
        return False
    _unpay(connection, movement)
    if not _end(connection, movement, MovementState.FAILED, now=now):
        return False
    if movement.kind is Money.REFUND:
        _tell_of_failure(connection, movement, now=now)
    else:
        events.attend(connection, movement.part_no, Attention.SHARE_FAILED)
    return True


def _unpay(connection: Connection, movement: Movement) -> None:
    for position, count in (movement.lines or {}).items():
        connection.execute(
            update(order_lines)
            .where(*of_part(order_lines, movement.part_no), order_lines.c.position == int(position))
            .values(refunded=order_lines.c.refunded - count)
        )


def _tell_of_failure(connection: Connection, movement: Movement, *, now: datetime) -> None:
    told = {"amount": movement.amount, "refund": movement.id}
    failed = Happening.REFUND_FAILED
    events.record(connection, movement.part_no, failed, Actor.SERVICE, told, now=now)
    events.attend(connection, movement.part_no, Attention.REFUND_FAILED)


def _came_back(connection: Connection, movement: Movement, *, now: datetime) -> None:
    """Record that the money of a refund that was made has come back, as to a closed account."""
    part_no = movement.part_no
    _unpay(connection, movement)  # the part is locked, so that nobody else does
    undone = (
        update(movements)
        .where(
            *of_order(movements, part_no.order_no),
            _row.id == movement.id,
            _row.state == MovementState.MADE,
        )
        .values(state=MovementState.FAILED, ended=now)
    )
    connection.execute(undone)
    again = f"{movement.id}-failed"
    money.enter(connection, part_no, Money.REFUND, again, movement.amount, now=now)
    money.settle_fee(connection, part_no, again, now=now)
    _tell_of_failure(connection, movement, now=now)
    log.error("refund came back", part=str(part_no), id=movement.id)


@sessions.follows_payments
def follow(connection: Connection, session: Session, intent: Intent, *, now: datetime) -> None:
    """Record what has gone back elsewhere, such as on the provider's own pages.

    That is what the provider tells beyond what was decided here. Which part it was meant for nobody
    says: the first ones give it up first.
    """
    order_no = session.order_no
    mine = of_order(movements, order_no)
    more = intent.refunded > _going_back(connection, *mine)
    if not (more or intent.disputed or intent.failed_refunds):
        return
    numbers = select(order_parts.c.number).where(*of_order(order_parts, order_no))
    found = connection.execute(numbers.order_by(order_parts.c.number)).scalars()
    part_nos = [PartNo(order_no, number) for number in found]
    for part_no in part_nos:
        events.lock(connection, part_no, now=now)
    for movement in _made_refunds(connection, order_no):
        if refund_name(movement.id) in intent.failed_refunds:
            _came_back(connection, movement, now=now)
    if intent.disputed:
        _disputed(connection, part_nos, now=now)
    elsewhere = intent.refunded - _going_back(connection, *mine)
    for part_no in part_nos:
        amount = min(elsewhere, refundable(connection, part_no))
        if amount > 0:
            gone = reserve(connection, part_no, amount, by=Actor.OPERATOR, now=now)
            made(connection, gone, now=now)
            elsewhere -= amount


def _made_refunds(connection: Connection, order_no: str) -> list[Movement]:
    made = (_row.kind == Money.REFUND, _row.state == MovementState.MADE)
    query = select(movements).where(*of_order(movements, order_no), *made)
    return [Movement.from_row(row) for row in connection.execute(query)]


def _disputed(connection: Connection, part_nos: Sequence[PartNo], *, now: datetime) -> None:
    """Note a dispute, once: it is about the payment, and so about each part of it."""
    kind = order_events.c.kind
    for part_no in part_nos:
        known = select(kind).where(*of_part(order_events, part_no), kind == Happening.DISPUTED)
        if connection.execute(known.limit(1)).first() is not None:
            continue
        log.error("payment disputed", part=str(part_no))
        events.record(connection, part_no, Happening.DISPUTED, Actor.SERVICE, now=now)
        events.attend(connection, part_no, Attention.DISPUTED)


def _end(
    connection: Connection, movement: Movement, state: MovementState, *, now: datetime, **more: Any
) -> bool:
    ended = (
        update(movements)
        .where(
            *of_order(movements, movement.part_no.order_no),
            _row.id == movement.id,
            _row.state == MovementState.RESERVED,
        )
        .values(state=state, ended=now, due=None, **more)
    )
    return connection.execute(ended).rowcount == 1


def _to_reverse(connection: Connection, part_no: PartNo) -> int:
    """Return what is to come back of a merchant's share, by what has gone back to the shopper.

    Reckoned from the beginning each time, so that roundings never add up.
    """
    sums = money.sums_of_part(connection, part_no)
    charge, sent = sums.get(Money.CHARGE, 0), -sums.get(Money.TRANSFER, 0)
    if not charge or not sent:
        return 0
    owed = -(-sent * -sums.get(Money.REFUND, 0) // charge)
    going = select(func.coalesce(func.sum(_row.amount), 0)).where(
        *of_part(movements, part_no),
        _row.kind == Money.REVERSAL,
        _row.state != MovementState.FAILED,
    )
    return min(owed, sent) - int(connection.execute(going).scalar_one())


def transfer_of(connection: Connection, part_no: PartNo) -> str | None:
    """Return what the provider knows the merchant's share of a part by; None before it is sent."""
    query = select(_row.provider_id).where(
        *of_part(movements, part_no),
        _row.kind == Money.TRANSFER,
        _row.state == MovementState.MADE,
    )
    return connection.execute(query).scalar_one_or_none()


def find(connection: Connection, order_no: str, identifier: str) -> Movement | None:
    """Return a movement as it is now; None where there is none."""
    query = select(movements).where(*of_order(movements, order_no), _row.id == identifier)
    row = connection.execute(query).one_or_none()
    return None if row is None else Movement.from_row(row)
