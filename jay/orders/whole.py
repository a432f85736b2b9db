"""Parts of orders with all that belongs to them, read by as many queries for one as for a page."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select, tuple_

from jay.checkout.order_rows import of_order
from jay.db.routing import on_every_server
from jay.orders import refunds
from jay.orders.models import (
    Actor,
    Attention,
    Happening,
    Money,
    Movement,
    MovementState,
    Order,
    OrderEvent,
    OrderLine,
    OrderPart,
    Parcel,
    PartState,
    movements,
    order_events,
    order_lines,
    order_parcels,
    orders,
)

_Key = tuple[str, int]
"""Order number, and number of the part in it."""

_SAME = ("number", "merchant_id", "merchant", "goods", "shipping", "tax", "texts")


def whole_parts(
    connection: Connection, rows: Sequence[Row[Any]], *, order_no: str | None = None
) -> list[OrderPart]:
    """Make the parts that rows of ``order_parts`` hold, in the order of the rows.

    :param order_no: of all of them; None where they are of several orders, which may lie anywhere.
    """
    if not rows:
        return []
    reader = _Reader(connection, rows, order_no)
    found = {row.order_no: Order.from_row(row) for row in reader.rows_of(orders)}
    lines, parcels = reader.by_part(order_lines), reader.by_part(order_parcels)
    happened, moved = reader.by_part(order_events), reader.by_part(movements)
    merchants = {row.merchant_id for row in rows}
    accounts = {number: refunds.account_of(connection, number) for number in merchants}
    return [
        _part(
            found[row.order_no],
            row,
            lines=lines[row.order_no, row.number],
            parcels=parcels[row.order_no, row.number],
            happened=happened[row.order_no, row.number],
            moved=moved[row.order_no, row.number],
            account=accounts[row.merchant_id],
        )
        for row in rows
        if row.order_no in found
    ]


class _Reader:
    def __init__(
        self, connection: Connection, rows: Sequence[Row[Any]], order_no: str | None
    ) -> None:
        self._connection = connection
        self._keys = {(row.routing_key, row.order_no) for row in rows}
        self._order_no = order_no

    def rows_of(self, table: Table) -> Sequence[Row[Any]]:
        """Return all rows of a table that belong to the orders, in their order."""
        query: Select[Any] = select(table).where(*self._of(table))
        if self._order_no is None:
            query = on_every_server(query)
        if table is movements:
            query = query.order_by(table.c.created, table.c.id)
        else:
            query = query.order_by(*table.primary_key.columns)
        return self._connection.execute(query).all()

    def by_part(self, table: Table) -> dict[_Key, list[Row[Any]]]:
        """Return the rows of a table, by the part that they belong to."""
        found: dict[_Key, list[Row[Any]]] = defaultdict(list)
        for row in self.rows_of(table):
            found[row.order_no, row.part].append(row)
        return found

    def _of(self, table: Table) -> tuple[ColumnElement[bool], ...]:
        if self._order_no is not None:
            return of_order(table, self._order_no)
        return (tuple_(table.c.routing_key, table.c.order_no).in_(self._keys),)


def _part(
    order: Order,
    row: Row[Any],
    *,
    lines: list[Row[Any]],
    parcels: list[Row[Any]],
    happened: list[Row[Any]],
    moved: list[Row[Any]],
    account: str | None,
) -> OrderPart:
    stored = row._asdict()
    money = [Movement.from_row(one) for one in moved]
    return OrderPart(
        order=order,
        **{name: stored[name] for name in (*_SAME, "refund_due", "changed")},
        state=PartState(row.state),
        attention=None if row.attention is None else Attention(row.attention),
        doubts=row.doubts.split("\n") if row.doubts else [],
        lines=[OrderLine.from_row(one) for one in lines],
        parcels=[Parcel(one.number, one.carrier, one.tracking_number, one.url) for one in parcels],
        events=[
            OrderEvent(one.number, one.at, Happening(one.kind), Actor(one.by), one.details)
            for one in happened
        ],
        refunds=[one for one in money if one.kind is Money.REFUND],
        transfer_id=next((one.provider_id for one in money if _is_share(one)), None),
        account=account,
    )


def _is_share(movement: Movement) -> bool:
    return movement.kind is Money.TRANSFER and movement.state is MovementState.MADE
