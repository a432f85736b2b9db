"""Merchants: shops, with what holds for all of their products."""

from dataclasses import dataclass

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Float,
    Integer,
    Table,
    Text,
    text,
)

from jay.db.types import UtcDateTime, metadata

merchants = Table(
    "merchants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("lang", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("vat", Float(53)),
    # How the shipping costs of one order combine, see jay/products/shipping.py.
    Column("shipping_strategy", Text, nullable=False, server_default="MAX"),
    Column("shipping_scale", JSON, nullable=False, server_default=text("'[]'")),
    Column("add_product_webhook_url", Text),
    Column("update_products_webhook_url", Text),
    Column("order_webhook_url", Text),
    Column("order_email", Text),
    # The merchant's own token, which our webhooks to it carry: sealed, as it must be sent.
    Column("webhook_token", Text),
    Column("created", UtcDateTime, nullable=False),
    CheckConstraint("shipping_strategy IN ('SUM', 'MAX')", name="shipping_strategy"),
)


@dataclass(frozen=True)
class Merchant:
    """A shop, as its API key names it. ``vat`` in percent, for products without one."""

    id: int
    name: str
    lang: str
    country: str
    currency: str
    vat: float | None
    shipping_strategy: str
    shipping_scale: tuple[dict[str, int], ...]
