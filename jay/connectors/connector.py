"""A way by which a merchant gets its parts of orders: one folder beside this file each.

What is the same for all (which events are told, in order, when again, at least once) is in
jay/connectors/handing.py and the outbox's. A connector says whose parts are its own, and what
leaves by it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from jay.config import Settings
from jay.merchants import connectors
from jay.merchants import service as merchants
from jay.orders.events import Happened
from jay.outbox.kinds import MessageKind

Asked = Sequence[tuple[str, str]]
"""Credentials: by which name they are kept, and what they are called."""

AT_NEXT_ATTEMPT = "what waits is parked at its next attempt"


@dataclass(frozen=True)
class Wishes:
    """How a merchant wants its orders, as it is stored.

    :ivar shop: the kind of shop that they are put into, and since when.
    """

    shop: tuple[str, datetime] | None
    webhook_url: str | None
    email: str | None


def wishes_of(connection: Connection, merchant: int) -> Wishes:
    """Return how a merchant wants its orders."""
    stored = merchants.details(connection, merchant)
    # An empty one is what some merchants send for "none".
    return Wishes(
        connectors.since(connection, merchant),
        stored.order_webhook_url or None,
        stored.order_email or None,
    )


class Connector(Protocol):
    """A way by which a merchant gets its parts of orders."""

    @property
    def name(self) -> str:
        """Its folder's name, and that of ``merchant connect``."""
        ...

    @property
    def prefix(self) -> str | None:
        """What stands before a type in the outbox; None where nothing is sent."""
        ...

    @property
    def asked(self) -> Asked:
        """What who is connected has to tell in secret."""
        ...

    @property
    def token(self) -> Asked:
        """What may be told instead; empty where nothing may."""
        ...

    def address_of(self, typed: str, settings: Settings, /) -> str:
        """Return an address as it is kept; empty where there is none.

        :raises ValueError: it can't be used; the message says what it must be.
        """
        ...

    def connect(
        self,
        connection: Connection,
        merchant: int,
        address: str,
        credentials: Mapping[str, str],
        /,
        *,
        secret: str,
        now: datetime,
    ) -> None:
        """Let a merchant's orders go this way from now on, and no other one."""
        ...

    def takes(self, connection: Connection, happened: Happened, wishes: Wishes, /) -> bool:
        """Tell whether the merchant hears of this event this way."""
        ...

    def end_of(self, wishes: Wishes, /) -> str | None:
        """Say what becomes of what waits to go this way; None: it still does."""
        ...

    def lane_of(self, happened: Happened, /) -> str:
        """Return the lane in which the event is told: one by one, in order about one part."""
        ...

    def kinds(self, settings: Settings, /) -> Iterable[MessageKind]:
        """Describe what leaves this way: a kind for each type, and what else there is to say."""
        ...
