"""The ledger: money that has moved, in signed rows that are never changed; balances are sums."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from jay.checkout.order_numbers import routing_key_of
from jay.db.upsert import insert_into
from jay.orders.events import of_part
from jay.orders.models import Money, PartNo, ledger

_row = ledger.c


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
    entered = connection.execute(
        insert_into(connection, ledger)
        .values(
            routing_key=routing_key_of(part_no.order_no),
            order_no=part_no.order_no,
            part=part_no.number,
            kind=kind,
            reference=reference,
            amount=amount,
            at=now,
        )
        .on_conflict_do_nothing()
        .returning(_row.reference)
    ).one_or_none()
    return entered is not None


def sums_of_part(connection: Connection, part_no: PartNo) -> dict[Money, int]:
    """Return what has moved for a part, by kind; kinds of which nothing has are left out."""
    query = select(_row.kind, func.sum(_row.amount)).where(*of_part(ledger, part_no))
    rows = connection.execute(query.group_by(_row.kind))
    return {Money(kind): int(amount) for kind, amount in rows}
