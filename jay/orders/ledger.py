"""The ledger: money that has moved, in signed rows that are never changed; balances are sums."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import Connection, func, select

from jay.checkout.order_numbers import routing_key_of
from jay.db.upsert import AddedOnce
from jay.orders.events import of_part
from jay.orders.models import Money, PartNo, ledger

_row = ledger.c
_ENTER = AddedOnce(ledger, tuple(_row.keys()))


def enter(
    connection: Connection,
    part_no: PartNo,
    kind: Money,
    reference: str,
    amount: int,
    *,
    now: datetime,
) -> bool:
    """Enter money that has moved, once for each reference.

    :param amount: minor units, signed as the platform sees it.
    :returns: whether this call did so.
    """
    entered = {
        "routing_key": routing_key_of(part_no.order_no),
        "order_no": part_no.order_no,
        "part": part_no.number,
        "kind": kind,
        "reference": reference,
        "amount": amount,
        "at": now,
    }
    return _ENTER.add(connection, entered) is not None


def sums_of_part(connection: Connection, part_no: PartNo) -> dict[Money, int]:
    """Return what has moved for a part, by kind; kinds of which nothing has are left out."""
    query = select(_row.kind, func.sum(_row.amount)).where(*of_part(ledger, part_no))
    rows = connection.execute(query.group_by(_row.kind))
    return {Money(kind): int(amount) for kind, amount in rows}


# --- the operator's fee ---

_OF_ORDER = "order"
"""What the fee stands under that was agreed when it was ordered."""


def fee_of(total: int, percent: float) -> int:
    """Return the operator's fee of what was paid for a part, in minor units, halves rounded up."""
    exact = Decimal(total) * Decimal(str(percent)) / 100
    return min(int(exact.quantize(Decimal(1), ROUND_HALF_UP)), total)


def enter_fee(connection: Connection, part_no: PartNo, amount: int, *, now: datetime) -> None:
    """Enter the fee of a part that was just ordered, which the merchant does not get."""
    if amount:
        enter(connection, part_no, Money.FEE, _OF_ORDER, -amount, now=now)


def settle_fee(connection: Connection, part_no: PartNo, reference: str, *, now: datetime) -> None:
    """Give back what of the fee belongs to what has gone back to the shopper, or take it again.

    Reckoned from the beginning each time, so that roundings never add up: with what comes back of
    the merchant's share it is exactly what has gone back.

    :param reference: the refund that it follows.
    """
    agreed = (*of_part(ledger, part_no), _row.kind == Money.FEE, _row.reference == _OF_ORDER)
    fee = -int(connection.execute(select(_row.amount).where(*agreed)).scalar() or 0)
    if not fee:
        return
    sums = sums_of_part(connection, part_no)
    kept = fee - fee * -sums.get(Money.REFUND, 0) // sums[Money.CHARGE]
    change = -kept - sums.get(Money.FEE, 0)
    if change:
        enter(connection, part_no, Money.FEE, reference, change, now=now)
