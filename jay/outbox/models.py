"""A delivery: what a merchant is to be told, and when it is tried again.

A delivery is written in the transaction of its cause and sent after it, at least once. Who sends
it takes a lease first, with one conditional UPDATE; when the sender dies, the lease runs out and
the next one takes over.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from jay.db.types import UtcDateTime, metadata

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=3)
"""The waits between two attempts double from the first to the longest, for three days."""

LEASE = timedelta(minutes=1)
"""How long a delivery belongs to who has taken it: longer than an attempt may last."""

KEPT_FOR = timedelta(days=30)
"""How long a finished delivery can be looked up."""

WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
STATES = (WAITING, DELIVERED, FAILED)
Lane = tuple[int, str]
"""A merchant's id and the name of a kind: what leads to one address, and leaves one by one."""


@dataclass(frozen=True)
class Kind:
    """A kind of webhook: its name, its HTTP method, and the merchant's column with its address."""

    name: str
    method: str
    url: str


ADD_PRODUCT = Kind("add-product", "POST", "add_product_webhook_url")
UPDATE_PRODUCTS = Kind("update-products", "PUT", "update_products_webhook_url")
KINDS = {kind.name: kind for kind in (ADD_PRODUCT, UPDATE_PRODUCTS)}

_is_waiting = text("state = 'waiting'")

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("merchant_id", Integer, ForeignKey("merchants.id"), nullable=False),
    Column("kind", Text, nullable=False),
    # What it is about. Deliveries of one kind about one subject leave in the order of their ids.
    Column("subject", Text, nullable=False),
    # Random, the same at each attempt: by it the merchant knows a repetition.
    Column("key", Text, nullable=False),
    # JSON as it is sent; None for a request without a body.
    Column("body", Text),
    Column("state", Text, nullable=False, server_default=WAITING),
    Column("created", UtcDateTime, nullable=False),
    # When the present row of attempts began: it was created, or an operator has begun it anew.
    Column("since", UtcDateTime, nullable=False),
    # When it is tried the next time; while it is being sent: when the lease ends.
    Column("due", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # Random, of who is sending it: whose lease has run out records nothing any more.
    Column("lease", Text),
    # Why the last attempt failed.
    Column("reason", Text),
    Column("finished", UtcDateTime),
    CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
    Index(
        "ix_webhook_deliveries_due",
        *("merchant_id", "kind", "due", "id"),
        sqlite_where=_is_waiting,
        postgresql_where=_is_waiting,
    ),
    Index(
        "ix_webhook_deliveries_subject",
        *("merchant_id", "kind", "subject", "id"),
        sqlite_where=_is_waiting,
        postgresql_where=_is_waiting,
    ),
    Index("ix_webhook_deliveries_finished", "finished"),
)


@dataclass(frozen=True)
class Outcome:
    """How an attempt went.

    :ivar failure: one sentence without secrets; None when the merchant has answered 2xx.
    :ivar final: trying again is of no use.
    :ivar hold: the rest of the lane had better wait, as the server can't be reached or asks for it.
    :ivar wait: how long the merchant asks to wait (Retry-After).
    """

    failure: str | None = None
    final: bool = False
    hold: bool = False
    wait: timedelta | None = None


@dataclass(frozen=True)
class Delivery:
    """A delivery that this process has taken, with all that is needed to send it.

    :ivar url: where to, as the merchant's configuration says now; None when it says nothing.
    :ivar sealed_token: what the merchant's own token is stored as.
    """

    id: int
    merchant_id: int
    merchant: str
    kind: Kind
    subject: str
    key: str
    body: str | None
    since: datetime
    attempts: int
    lease: str
    url: str | None = field(repr=False)
    sealed_token: str | None = field(repr=False)

    def next_due(
        self, outcome: Outcome, *, now: datetime, jitter: Callable[[], float]
    ) -> datetime | None:
        """Return when to try again after a failure; None when it is given up.

        The wait is drawn between zero and a bound that doubles with each attempt, so that
        deliveries which failed together don't come back together. A longer wait that the merchant
        asks for counts, up to the longest one.

        :param jitter: draws from 0 to 1.
        """
        end = self.since + GIVEN_UP_AFTER
        if outcome.final or now >= end:
            return None
        # FIRST_WAIT * 2 ** 12 is above the longest wait already; larger exponents only cost memory.
        bound = min(FIRST_WAIT * (1 << min(self.attempts - 1, 12)), LONGEST_WAIT)
        wait = max(bound * jitter(), min(outcome.wait or timedelta(), LONGEST_WAIT))
        return min(now + wait, end)
