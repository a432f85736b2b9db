"""What must be equal: sessions and orders, parts and ledger, ledger and provider.

Each of these asks every server, and is for the operator alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select

from jay.checkout.models import SessionState, checkout_sessions
from jay.checkout.providers.interface import Intent
from jay.orders.models import Money, ledger, order_parts, orders

_session, _order, _part, _entry = checkout_sessions.c, orders.c, order_parts.c, ledger.c


@dataclass(frozen=True)
class Claim:
    """What the ledger says of a payment, to be compared with what the provider says.

    :ivar charged: and ``refunded``: minor units; both 0 where there is no order.
    """

    order_no: str
    provider: str
    intent_id: str
    test: bool
    currency: str
    charged: int = 0
    refunded: int = 0

    def differences(self, found: Intent | None) -> Iterator[str]:
        """Yield in words what the provider says otherwise."""
        if found is None:
            if self.charged:
                yield "the provider has no such payment"
            return
        if not self.charged:
            if found.captured > found.refunded:
                yield f"{found.captured - found.refunded} are paid, and there is no order"
            return
        if found.currency != self.currency:
            yield f"{found.currency} at the provider, {self.currency} here"
        if found.captured != self.charged:
            yield f"{found.captured} captured at the provider, {self.charged} here"
        if found.refunded != self.refunded:
            yield f"{found.refunded} refunded at the provider, {self.refunded} here"


def paid_without_order(connection: Connection) -> list[str]:
    """Return the order numbers of sessions that are paid and have no order."""
    made = exists().where(
        _order.routing_key == _session.routing_key, _order.order_no == _session.order_no
    )
    query = select(_session.order_no).where(_session.state == SessionState.PAID, ~made)
    return list(connection.execute(query).scalars())


def orders_without_payment(connection: Connection) -> list[str]:
    """Return the orders whose session is there and is not paid."""
    query = select(_order.order_no).join(
        checkout_sessions,
        and_(_session.routing_key == _order.routing_key, _session.order_no == _order.order_no),
    )
    return list(connection.execute(query.where(_session.state != SessionState.PAID)).scalars())


def unbalanced_parts(connection: Connection) -> list[tuple[str, int, int]]:
    """Return order number, number and difference of parts that were not charged what they cost."""
    charged = func.coalesce(func.sum(_entry.amount), 0)
    of_part = and_(
        _entry.routing_key == _part.routing_key,
        _entry.order_no == _part.order_no,
        _entry.part == _part.number,
        _entry.kind == Money.CHARGE,
    )
    costs = _part.goods + _part.shipping
    query = (
        select(_part.order_no, _part.number, (charged - costs).label("difference"))
        .outerjoin(ledger, of_part)
        .group_by(_part.routing_key, _part.order_no, _part.number, costs)
        .having(charged != costs)
    )
    return [(row.order_no, row.number, int(row.difference)) for row in connection.execute(query)]


def claims(connection: Connection, *, since: datetime) -> list[Claim]:
    """Return what the ledger says of the orders made, and of sessions that ended, since a moment.

    What ended without an order must have moved no money, or sent it back.
    """

    def moved(kind: Money, sign: int) -> ColumnElement[int]:
        return func.coalesce(
            func.sum(case((_entry.kind == kind, sign * _entry.amount), else_=0)), 0
        )

    named = (_order.provider, _order.intent_id, _order.test, _order.currency)
    query = (
        select(
            _order.order_no,
            *named,
            moved(Money.CHARGE, 1).label("charged"),
            moved(Money.REFUND, -1).label("refunded"),
        )
        .outerjoin(
            ledger,
            and_(_entry.routing_key == _order.routing_key, _entry.order_no == _order.order_no),
        )
        .where(_order.created >= since)
        .group_by(_order.routing_key, _order.order_no, *named)
    )
    found = [
        Claim(**{**row._asdict(), "charged": int(row.charged), "refunded": int(row.refunded)})
        for row in connection.execute(query)
    ]
    ended = select(
        *(_session.order_no, _session.provider, _session.intent_id, _session.test),
        _session.currency,
    ).where(
        _session.state.in_([SessionState.ABORTED, SessionState.EXPIRED]),
        _session.intent_id.is_not(None),
        _session.ended >= since,
    )
    return [*found, *(Claim(*row) for row in connection.execute(ended))]
