"""Orders: one part per merchant, each a contract of its own (contract, The order).

    new -----> accepted -----> shipped -----> delivered
     |            |               |               |
     +-> cancelled <-+            +---> returned <-+

A part is shipped when all that is left of it is; it may go in several parcels, and lines of it may
be cancelled or come back. Each arrow is one conditional UPDATE, whose row count is the answer.

Money stands in a ledger of signed rows, seen from the platform: a charge comes in (+), a refund
goes out to the shopper (-), a transfer to the merchant (-), its reversal comes back (+), the fee
goes to the operator (-, and + when it is given back). Balances are sums. What is to be moved is
decided by a row of ``movements``, made at the provider, and then written into the ledger.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from jay.checkout.order_numbers import typed_part_no
from jay.db.types import OpenEnum, UtcDateTime, metadata

_AMOUNT = BigInteger().with_variant(Integer, "sqlite")


class PartState(OpenEnum):
    """How far a part is."""

    NEW = "new"
    ACCEPTED = "accepted"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    RETURNED = "returned"


class Actor(OpenEnum):
    """Who has done something."""

    SHOPPER = "shopper"
    MERCHANT = "merchant"
    OPERATOR = "operator"
    SERVICE = "service"


class Happening(OpenEnum):
    """What an event tells."""

    CREATED = "created"
    ACCEPTED = "accepted"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    RETURNED = "returned"
    WITHDRAWN = "withdrawn"
    REFUNDED = "refunded"
    REFUND_FAILED = "refund_failed"
    DISPUTED = "disputed"


class Attention(OpenEnum):
    """Why an operator has to look at a part."""

    REFUND_FAILED = "refund_failed"
    """Money that was to go back has not: the provider refuses it, or it came back."""
    SHARE_FAILED = "share_failed"
    """A merchant's share could not be sent, or not be taken back after a refund."""
    SHOP_REFUND = "shop_refund"
    """A refund that its merchant has noted in a shop may be one that was made here."""
    DISPUTED = "disputed"
    """The shopper's bank takes the money back, or tries to."""


class Money(OpenEnum):
    """A kind of row in the ledger."""

    CHARGE = "charge"
    REFUND = "refund"
    TRANSFER = "transfer"
    REVERSAL = "reversal"
    FEE = "fee"


class MovementState(OpenEnum):
    """How far a movement of money is."""

    RESERVED = "reserved"
    MADE = "made"
    FAILED = "failed"


orders = Table(
    "orders",
    metadata,
    # With the session that was paid; the order number says it, too.
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    Column("partner_id", Integer, nullable=False),
    Column("test", Boolean, nullable=False),
    Column("lang", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", _AMOUNT, nullable=False),
    Column("provider", Text, nullable=False),
    Column("intent_id", Text, nullable=False),
    # How it was paid, as the provider names it.
    Column("method", Text),
    # What opens the order's page: a hash to find it by, and sealed, for links in mails.
    Column("token_hash", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Index("uq_orders_token_hash", "routing_key", "token_hash", unique=True),
    Index("ix_orders_created", "created"),
)

_needs_attention = text("attention IS NOT NULL")

order_parts = Table(
    "order_parts",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    # From 1 on.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("merchant_id", Integer, nullable=False),
    Column("merchant", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=PartState.NEW),
    Column("goods", _AMOUNT, nullable=False),
    Column("shipping", _AMOUNT, nullable=False),
    Column("tax", _AMOUNT, nullable=False),
    # Which legal texts were shown: their kind, language, version and hash.
    Column("texts", JSON, nullable=False),
    # Until when a withdrawal has to be refunded; None without one.
    Column("refund_due", UtcDateTime),
    # How many events there are: each change adds one, and locks the part by it.
    Column("events", Integer, nullable=False, server_default=text("0")),
    # Why an operator has to look at it; None: nobody has to.
    Column("attention", Text),
    # What is doubtful about refunds in its shop, a line each, until an operator has attended to it.
    Column("doubts", Text),
    Column("created", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    CheckConstraint(
        "state IN ('new', 'accepted', 'shipped', 'delivered', 'cancelled', 'returned')",
        name="state",
    ),
    # A merchant's list, and what in it is in a state, or has changed.
    Index("ix_order_parts_merchant", "merchant_id", "created", "order_no", "number"),
    Index("ix_order_parts_state", "merchant_id", "state", "created", "order_no", "number"),
    Index("ix_order_parts_changed", "merchant_id", "changed"),
    Index(
        "ix_order_parts_attention",
        *("created", "order_no", "number"),
        sqlite_where=_needs_attention,
        postgresql_where=_needs_attention,
    ),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    # From 1 on.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("product_id", Text, nullable=False),
    Column("stock_id", Text, nullable=False),
    Column("sku", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("variant", Text),
    # What else is said of the product, as on the wire.
    Column("described", JSON, nullable=False),
    # What it looked like, where that was known: as ``Picture`` of jay/pictures/models.py has it.
    Column("picture", JSON(none_as_null=True)),
    # Of one piece, tax included; tax: contained in all of them.
    Column("price", _AMOUNT, nullable=False),
    Column("vat", Float(53), nullable=False),
    Column("tax", _AMOUNT, nullable=False),
    Column("ordered", Integer, nullable=False),
    Column("shipped", Integer, nullable=False, server_default=text("0")),
    Column("cancelled", Integer, nullable=False, server_default=text("0")),
    Column("returned", Integer, nullable=False, server_default=text("0")),
    # Of how many pieces the money went back, line by line.
    Column("refunded", Integer, nullable=False, server_default=text("0")),
    CheckConstraint("shipped + cancelled <= ordered", name="left"),
    CheckConstraint("returned <= shipped", name="returned"),
    CheckConstraint("refunded <= ordered", name="refunded"),
)

# Where parcels are is told apart from the events: it is personal.
order_parcels = Table(
    "order_parcels",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    # That of its event.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("carrier", Text),
    Column("tracking_number", Text),
    Column("url", Text),
)

# Append-only: what has happened to a part, in order.
order_events = Table(
    "order_events",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    # From 1 on.
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    # Who has done it: a kind of person, never who.
    Column("by", Text, nullable=False),
    # Pieces by position, an amount: nothing personal.
    Column("details", JSON, nullable=False),
)

# Append-only: money that has moved, in minor units, with a sign.
ledger = Table(
    "ledger",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, primary_key=True),
    # The movement that it was, so that it stands here once; for a charge, the payment intent.
    Column("reference", Text, primary_key=True),
    Column("amount", _AMOUNT, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    CheckConstraint("kind IN ('charge', 'refund', 'transfer', 'reversal', 'fee')", name="kind"),
)

_is_due = text("due IS NOT NULL")

movements = Table(
    "movements",
    metadata,
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    # Random; the provider knows the movement by it, and makes it once.
    Column("id", Text, primary_key=True),
    Column("part", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    # Above zero.
    Column("amount", _AMOUNT, nullable=False),
    Column("state", Text, nullable=False, server_default=MovementState.RESERVED),
    Column("by", Text, nullable=False),
    # In a merchant's or an operator's own words: personal, as nobody knows what is in it.
    Column("reason", Text),
    # Pieces by position that it pays for; None: an amount as such.
    Column("lines", JSON(none_as_null=True)),
    # A refund's own, where it follows on one: a reversal.
    Column("follows", Text),
    # Once it is made, what the provider knows it by.
    Column("provider_id", Text),
    Column("created", UtcDateTime, nullable=False),
    # When it is tried the next time; None when that is over.
    Column("due", UtcDateTime),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("ended", UtcDateTime),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("state IN ('reserved', 'made', 'failed')", name="state"),
    Index("ix_movements_due", "due", sqlite_where=_is_due, postgresql_where=_is_due),
)

REFUND_WITHIN = timedelta(days=14)
"""How soon a withdrawal has to be refunded (BGB 357)."""


@dataclass(frozen=True, slots=True, order=True)
class PartNo:
    """Names a part: its order, and its number in it; ``J234567892ABC-1``."""

    order_no: str
    number: int

    def __str__(self) -> str:
        return f"{self.order_no}-{self.number}"

    @classmethod
    def typed(cls, written: str) -> "PartNo | None":
        """Read what somebody has typed; None where there can't be such a part."""
        found = typed_part_no(written)
        return None if found is None else cls(*found)


@dataclass(frozen=True)
class OrderLine:
    """A line of a part; amounts in minor units, ``price`` of one piece, tax included."""

    position: int
    product_id: str
    stock_id: str
    sku: str
    name: str
    variant: str | None
    described: Mapping[str, Any]
    picture: Mapping[str, Any] | None
    price: int
    vat: float
    tax: int
    ordered: int
    shipped: int
    cancelled: int
    returned: int
    refunded: int

    @classmethod
    def from_row(cls, row: Any) -> "OrderLine":
        """Make the line that a row of ``order_lines`` holds."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})

    @property
    def left(self) -> int:
        """How many are neither shipped nor cancelled."""
        return self.ordered - self.shipped - self.cancelled


@dataclass(frozen=True)
class OrderEvent:
    """Something that has happened to a part; ``details`` by the names of jay/orders/events.py."""

    number: int
    at: datetime
    kind: Happening
    by: Actor
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Parcel:
    """What was shipped at once, and how to follow it."""

    number: int
    carrier: str | None = None
    tracking_number: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Movement:
    """Money that is to move, or has; ``amount`` in minor units, above zero.

    :ivar lines: pieces by position that it pays for; None: an amount as such.
    """

    id: str
    part_no: PartNo
    kind: Money
    amount: int
    state: MovementState
    by: Actor
    reason: str | None = field(repr=False)
    lines: Mapping[str, int] | None
    follows: str | None
    provider_id: str | None
    created: datetime
    attempts: int

    @classmethod
    def from_row(cls, row: Any) -> "Movement":
        """Make the movement that a row of ``movements`` holds."""
        same = ("id", "amount", "reason", "lines", "follows", "provider_id", "created", "attempts")
        return cls(
            part_no=PartNo(row.order_no, row.part),
            kind=Money(row.kind),
            state=MovementState(row.state),
            by=Actor(row.by),
            **{name: getattr(row, name) for name in same},
        )


@dataclass(frozen=True)
class Order:
    """An order, as it is stored."""

    routing_key: int
    order_no: str
    partner_id: int
    test: bool
    lang: str
    country: str
    currency: str
    amount: int
    provider: str
    intent_id: str
    method: str | None
    token: str = field(repr=False)
    created: datetime

    @classmethod
    def from_row(cls, row: Any) -> "Order":
        """Make the order that a row of ``orders`` holds."""
        return cls(**{name: getattr(row, name) for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class OrderPart:
    """A part of an order, with what has become of it."""

    order: Order
    number: int
    merchant_id: int
    merchant: str
    state: PartState
    goods: int
    shipping: int
    tax: int
    texts: Sequence[Mapping[str, Any]]
    refund_due: datetime | None
    attention: Attention | None
    doubts: Sequence[str]
    changed: datetime
    lines: Sequence[OrderLine]
    parcels: Sequence[Parcel]
    events: Sequence[OrderEvent]
    refunds: Sequence[Movement]
    transfer_id: str | None
    account: str | None
    """The merchant's share and its account, as the provider knows them; None without."""

    @property
    def part_no(self) -> PartNo:
        """What it is known by."""
        return PartNo(self.order.order_no, self.number)

    @property
    def total(self) -> int:
        """What was paid for it."""
        return self.goods + self.shipping

    @property
    def still_due(self) -> datetime | None:
        """Until when a withdrawal has to be refunded; None without one, and once that was done."""
        withdrawn = [one for one in self.events if one.kind is Happening.WITHDRAWN]
        if self.refund_due is None or not withdrawn:
            return self.refund_due
        made = [one for one in self.refunds if one.state is MovementState.MADE]
        if sum(one.amount for one in made) >= self.total:
            return None
        since = sum(one.amount for one in made if one.created >= withdrawn[0].at)
        return self.refund_due if since < self._owed else None

    @property
    def _owed(self) -> int:
        if self.withdrawn_whole:
            return self.total
        pieces = self.withdrawn_pieces
        return sum(line.price * pieces.get(str(line.position), 0) for line in self.lines)

    @property
    def withdrawn_whole(self) -> bool:
        """Whether all of it was withdrawn from, and not some products alone."""
        return any(
            one.kind is Happening.WITHDRAWN and not one.details.get("lines") for one in self.events
        )

    @property
    def withdrawn_pieces(self) -> Mapping[str, int]:
        """How many pieces were withdrawn from by name, by position."""
        pieces: dict[str, int] = {}
        for one in self.events:
            if one.kind is Happening.WITHDRAWN:
                pieces |= one.details.get("lines") or {}
        return pieces

    @property
    def refunded(self) -> int:
        """How much of it has gone back, or is about to."""
        return sum(one.amount for one in self.refunds if one.state is not MovementState.FAILED)
