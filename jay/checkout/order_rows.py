"""How the rows of an order are found: by where it lies and by its number, in whatever table."""

from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam

from jay.checkout.order_numbers import routing_key_of


def of_order(table: Table, order_no: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a row belongs to an order, whichever of the tables it is in."""
    return table.c.routing_key == routing_key_of(order_no), table.c.order_no == order_no


def of_bound_order(table: Table) -> tuple[ColumnElement[bool], ...]:
    """Return them for a statement that is compiled once; ``bound`` has what it runs with."""
    return (
        table.c.routing_key == bindparam("key_routing_key"),
        table.c.order_no == bindparam("key_order_no"),
    )


def bound(order_no: str) -> dict[str, Any]:
    """Return the parameters of ``of_bound_order``."""
    return {"key_routing_key": routing_key_of(order_no), "key_order_no": order_no}
