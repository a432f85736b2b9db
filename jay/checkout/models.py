"""The checkout session: what is bought, frozen, and how far it is (contract, The session).

           start              authorised           captured
    (none) ------>  open  -------------->  paying ---------->  paid
                     |                        |
                     +--> aborted / expired <-+

Each arrow is one conditional UPDATE, whose row count is the answer. A session is known by its order
number, which says where it lies: with the basket that it belongs to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Table,
    Text,
    literal_column,
    text,
)

from jay.baskets.totals import Totals
from jay.db.types import OpenEnum, UtcDateTime, metadata, read_known
from jay.legal.sellers import Seller
from jay.merchants.models import LEAST_WITHDRAWAL_DAYS

LIFETIME = timedelta(minutes=30)
"""How long what a session holds is reserved."""

UNPAID_KEPT_FOR = timedelta(days=7)
"""How long a session that was never paid can be looked up (contract, Personal data)."""

RESERVED_BEFORE_FROZEN = timedelta(minutes=2)
"""How long stock waits for its session to be stored."""


class SessionState(OpenEnum):
    """How far a session is; the last three are final."""

    OPEN = "open"
    PAYING = "paying"
    PAID = "paid"
    ABORTED = "aborted"
    EXPIRED = "expired"


ACTIVE = (SessionState.OPEN, SessionState.PAYING)

checkout_sessions = Table(
    "checkout_sessions",
    metadata,
    # With its basket; the order number says it, too.
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    Column("partner_id", Integer, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("basket_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    # The same cart asked for alike is the same session: a hash of the one, and one of the other.
    Column("fingerprint", Text, nullable=False),
    Column("test", Boolean, nullable=False),
    Column("lang", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("shipping", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("tax", BigInteger().with_variant(Integer, "sqlite"), nullable=False),
    Column("lines", JSON, nullable=False),
    Column("parts", JSON, nullable=False),
    Column("left_out", JSON, nullable=False),
    Column("provider", Text, nullable=False),
    # Of the provider; None until it has answered.
    Column("intent_id", Text),
    Column("publishable_key", Text),
    # Who knows them can pay: sealed.
    Column("client_secret", Text),
    Column("payment_url", Text),
    # The ways to pay that the provider has offered.
    Column("methods", JSON),
    Column("created", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    # When the provider is asked the next time how far the payment is; None when it has ended.
    Column("due", UtcDateTime),
    Column("asked", Integer, nullable=False, server_default=text("0")),
    Column("ended", UtcDateTime),
    Index("ix_checkout_sessions_due", "due"),
    Index("ix_checkout_sessions_ended", "ended"),
)

_row = checkout_sessions.c

IS_ACTIVE = _row.state.in_([literal_column(f"'{state}'") for state in ACTIVE])
"""The condition that a session is unfinished, in the words of the index that it is found by."""

Index(
    "uq_checkout_sessions_active",
    *(_row.routing_key, _row.partner_id, _row.user_id),
    unique=True,
    sqlite_where=IS_ACTIVE,
    postgresql_where=IS_ACTIVE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """A position of a session, as it was shown and is bought; amounts in minor units."""

    product_id: str
    stock_id: str
    merchant_id: int
    merchant: str
    sku: str
    name: str
    variant: str | None
    count: int
    price: int
    org_price: int
    vat: float
    tax: int
    total: int
    # What else is essential about it (BGB 312j 2); None: the merchant has not said it.
    brand: str | None = None
    colour: str | None = None
    material: str | None = None
    # The lowest price of the 30 days before the reduction; None: nothing is reduced.
    lowest_price: int | None = None
    # What it holds, as the merchant says it: ``content`` and ``unit``.
    base_price: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class PartSums:
    """What one merchant gets, and under which terms: a contract of its own.

    :ivar seller: who it is by law, as ``LEGAL_FIELDS`` of the merchants name it.
    :ivar texts: those that were shown: ``kind``, ``lang``, ``version`` and ``sha256``.
    """

    merchant_id: int
    merchant: str
    goods: int
    shipping: int
    tax: int
    seller: Mapping[str, str] = field(default_factory=dict)
    texts: Sequence[Mapping[str, Any]] = ()
    withdrawal_days: int = LEAST_WITHDRAWAL_DAYS
    return_costs: str = "shopper"

    @property
    def total(self) -> int:
        """What there is to pay to it."""
        return self.goods + self.shipping


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A product of the cart that can't be bought, and the constant that says why."""

    product_id: str
    reason: str


@dataclass(frozen=True)
class Session:
    """A checkout session, as it is stored."""

    routing_key: int
    order_no: str
    partner_id: int
    user_id: str
    basket_id: str
    state: SessionState
    fingerprint: str
    test: bool
    lang: str
    country: str
    currency: str
    amount: int
    shipping: int
    tax: int
    lines: Sequence[Line]
    parts: Sequence[PartSums]
    left_out: Sequence[LeftOut]
    provider: str
    intent_id: str | None
    publishable_key: str | None
    client_secret: str | None
    payment_url: str | None
    created: datetime
    expires: datetime
    asked: int

    @classmethod
    def from_row(cls, row: Any) -> "Session":
        """Make the session that a row of ``checkout_sessions`` holds."""
        stored: Mapping[str, Any] = row._asdict()
        values = {name: stored[name] for name in cls.__dataclass_fields__}
        return cls(
            **values
            | {
                "state": SessionState(stored["state"]),
                "lines": [read_known(Line, line) for line in stored["lines"]],
                "parts": [read_known(PartSums, part) for part in stored["parts"]],
                "left_out": [read_known(LeftOut, one) for one in stored["left_out"]],
            }
        )

    def is_for(self, fingerprint: str, *, asked_alike: bool) -> bool:
        """Tell whether it is about the cart that has this fingerprint.

        :param asked_alike: whether it must have been asked for alike, too.
        """
        if asked_alike:
            return self.fingerprint == fingerprint
        return self.fingerprint.partition(":")[0] == fingerprint.partition(":")[0]

    @property
    def bought(self) -> dict[str, int]:
        """How many pieces it takes, by the product whose stock it is."""
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.stock_id] = found.get(line.stock_id, 0) + line.count
        return found


def frozen(sums: Totals, sellers: Mapping[int, Seller], lang: str) -> dict[str, Any]:
    """Return what is stored of the totals of a cart.

    :param sellers: by the merchants' ids.
    :param lang: in which it is bought.
    """
    merchants = {number: seller.merchant.name for number, seller in sellers.items()}
    lines = [
        Line(
            product_id=one.product.id,
            stock_id=one.product.stock_id,
            merchant_id=part.merchant_id,
            merchant=merchants[part.merchant_id],
            sku=one.product.sku,
            name=one.product.name,
            variant=one.product.variant_value,
            count=one.count,
            price=one.product.price or 0,
            org_price=one.product.org_price or one.product.price or 0,
            vat=one.product.vat,
            tax=one.tax,
            total=one.goods,
            brand=one.product.brand_name or None,
            colour=one.product.description.get("colour"),
            material=one.product.description.get("material"),
            lowest_price=one.product.lowest_price,
            base_price=one.product.description.get("basePrice"),
        )
        for part in sums.parts
        for one in part.positions
    ]
    parts = [
        PartSums(
            part.merchant_id,
            merchants[part.merchant_id],
            part.goods,
            part.shipping,
            part.tax,
            **_terms(sellers[part.merchant_id], lang),
        )
        for part in sums.parts
    ]
    return {
        "currency": sums.currency,
        "amount": sums.total,
        "shipping": sums.shipping,
        "tax": sums.tax,
        "lines": [_stored(line) for line in lines],
        "parts": [_stored(part) for part in parts],
    }


def _stored(frozen: Line | PartSums) -> dict[str, Any]:
    # What ``asdict`` does, which copies whatever is in it, too, and takes ten times as long.
    return {name: getattr(frozen, name) for name in frozen.__dataclass_fields__}


def texts_of(seller: Seller, lang: str) -> list[dict[str, Any]]:
    """Return which legal texts of a merchant are shown in a language, as they are stored."""
    return [
        {"kind": text.kind, "lang": text.lang, "version": text.version, "sha256": text.hash}
        for text in seller.shown(lang)
    ]


def _terms(seller: Seller, lang: str) -> dict[str, Any]:
    return {
        "seller": dict(seller.merchant.legal),
        "texts": texts_of(seller, lang),
        "withdrawal_days": seller.merchant.withdrawal_days,
        "return_costs": seller.merchant.return_costs,
    }
