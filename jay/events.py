"""The events that analytics are made of, and where they come from.

An event is appended for each successful change. It holds no personal data: a session's random id,
never a user's, and a routing key that many users share. Recording costs no round trip of its own:
on PostgreSQL the event travels in the statement that stores the change, on SQLite there is no
network.
"""

import base64
import enum
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    Update,
    bindparam,
    insert,
    literal,
    select,
)
from sqlalchemy.sql.dml import Insert

from jay.db.prepared import Prepared
from jay.db.types import UtcDateTime, metadata
from jay.db.write_queue import atomic
from jay.net.json_names import check_names

MAX_HEADER_LENGTH = 4096
MAX_VALUE_LENGTH = 200

events = Table(
    "events",
    metadata,
    # With its basket, or with its transfer.
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("partner_id", Integer, nullable=False),
    Column("session_id", Text),
    Column("source", Text),
    Column("provider", Text),
    Column("product_id", Text),
    Column("count", Integer),
    Index("ix_events_at", "at"),
)


class EventType(enum.StrEnum):
    """What happened."""

    PRODUCT_ASSIGNED = "product_assigned"
    PRODUCT_UPDATED = "product_updated"
    PRODUCT_REMOVED = "product_removed"
    BASKET_CREATED = "basket_created"
    BASKET_DELETED = "basket_deleted"
    BASKET_MERGED = "basket_merged"
    CHECKOUT_STARTED = "checkout_started"
    CHECKOUT_ENDED = "checkout_ended"
    ORDER_PAID = "order_paid"
    TRANSFER_STARTED = "transfer_started"
    TRANSFER_OPENED = "transfer_opened"
    TRANSFER_CLAIMED = "transfer_claimed"


@dataclass(frozen=True, slots=True)
class Tracking:
    """Where a request comes from: the session of a playout, its source and its provider.

    ``user_id`` is a hash that the session's maker chose; it is read but never recorded.
    """

    session_id: str | None = None
    start_time: str | None = None
    source: str | None = None
    user_id: str | None = None
    provider_name: str | None = None

    @classmethod
    def parse(cls, header: str) -> "Tracking":
        """Read the header: base64 (either alphabet) of a JSON object.

        :raises ValueError: it is something else, or says a name twice.
        """
        if len(header) > MAX_HEADER_LENGTH:
            raise ValueError("too long")
        standard = header.strip().rstrip("=").replace("-", "+").replace("_", "/")
        try:
            padded = standard + "=" * (-len(standard) % 4)
            document = base64.b64decode(padded, validate=True)
            content = orjson.loads(document)
            check_names(document)
        except (ValueError, RecursionError) as error:
            raise ValueError("not base64 of JSON that says each name once") from error
        if not isinstance(content, dict):
            raise ValueError("not a JSON object")
        for required in ("session_id", "start_time", "source"):
            if not isinstance(content.get(required), str) or not content[required]:
                raise ValueError(f"{required} is missing")
        return cls(**{name: _text(content, name) for name in cls.__slots__})

    def header(self) -> str:
        """Write it as the header has it."""
        content = {name: getattr(self, name) for name in self.__slots__}
        given = {name: value for name, value in content.items() if value is not None}
        return base64.urlsafe_b64encode(orjson.dumps(given)).decode()


def _text(content: Mapping[str, Any], name: str) -> str | None:
    value = content.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_VALUE_LENGTH or "\0" in value:
        raise ValueError(f"{name} is not a short text")
    return value


NOTHING = Tracking()

_RANDOM_BITS = 21
_ids = threading.Lock()
_last_id = 0


def _next_id(at: datetime) -> int:
    """Return the id of an event: they grow with time, and in a process with each event.

    Milliseconds and random bits: no server has to be asked for a number.
    """
    global _last_id  # noqa: PLW0603
    drawn = int(at.timestamp() * 1000) << _RANDOM_BITS | random.getrandbits(_RANDOM_BITS)
    with _ids:
        _last_id = max(drawn, _last_id + 1)
        return _last_id


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a basket."""

    kind: EventType
    at: datetime
    partner_id: int
    routing_key: int
    tracking: Tracking = NOTHING
    product_id: str | None = None
    count: int | None = None

    def parameters(self) -> dict[str, Any]:
        """Return it as the statements take it."""
        return {
            "event_routing_key": self.routing_key,
            "event_id": _next_id(self.at),
            "event_at": self.at,
            "event_kind": self.kind.value,
            "event_partner_id": self.partner_id,
            "event_session_id": self.tracking.session_id,
            "event_source": self.tracking.source,
            "event_provider": self.tracking.provider_name,
            "event_product_id": self.product_id,
            "event_count": self.count,
        }


_PARAMETERS = {
    column.name: bindparam(f"event_{column.name}", type_=column.type) for column in events.c
}

_APPEND = Prepared(insert(events).values(_PARAMETERS))


def record(connection: Connection, event: Event) -> None:
    """Append an event."""
    _APPEND.rowcount(connection, event.parameters())


class Recorded:
    """A statement that changes at most one row, and appends an event if it did.

    On PostgreSQL both are one statement, and so one round trip.
    """

    def __init__(self, statement: "Update | Insert") -> None:
        self._alone = Prepared(statement)
        stored = statement.returning(literal(1).label("one")).cte("stored")
        appended = select(*_PARAMETERS.values()).select_from(stored)
        both = insert(events).from_select(list(_PARAMETERS), appended)
        self._both = Prepared(both)

    def execute(
        self, connection: Connection, parameters: Mapping[str, Any], event: Event | None
    ) -> bool:
        """Execute it.

        :returns: whether a row was changed.
        """
        if connection.dialect.name == "sqlite":
            with atomic(connection):
                changed = self._alone.rowcount(connection, parameters) == 1
                if changed and event is not None:
                    record(connection, event)
            return changed
        if event is None:
            return self._alone.rowcount(connection, parameters) == 1
        both = {**parameters, **event.parameters()}
        return self._both.rowcount(connection, both) == 1
