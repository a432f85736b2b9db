"""Handing parts over to merchants: what they are told of, and when it is tried again.

By which ways that goes is in jay/connectors. The outbox holds the part's number and which event it
is about. What is said is the part as the API shows it, written when it is sent, so that nothing
personal lies in the outbox.
"""

from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from jay.orders import service
from jay.orders.models import Happening, OrderEvent, OrderPart, PartNo
from jay.outbox import service as outbox
from jay.outbox.models import Message, Schedule

WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""Between the attempts (contract, To the merchant); the first one is made at once."""

SCHEDULE = Schedule(waits=WAITS, longest=WAITS[-1])

TYPES = {
    Happening.CREATED: "order.created",
    Happening.CANCELLED: "order.cancelled",
    Happening.WITHDRAWN: "order.withdrawal",
    Happening.REFUNDED: "order.refunded",
}
"""What a merchant is told of; in the outbox the way stands before it, as in ``mail.order.created``:
the shopper is told of some of them, too."""


def messages_about(connection: Connection, part_no: PartNo) -> list[Any]:
    """Return what the merchant of a part was told of it, or is to be, whichever way that goes."""
    types = set(TYPES.values())
    found = outbox.about(connection, str(part_no))
    return [row for row in found if row.kind.partition(".")[2] in types]


def part_of(connection: Connection, message: Message) -> OrderPart | None:
    """Return the part that a message is about; None where there is none any more."""
    part_no = PartNo.typed(message.subject)
    return None if part_no is None else service.find_part(connection, part_no)


def event_of(part: OrderPart, message: Message) -> OrderEvent | None:
    """Return which event of a part a message tells of; None where there is none."""
    return next((one for one in part.events if str(one.number) == message.body), None)
