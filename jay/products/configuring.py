"""A merchant's configuration: how it ships and is called, and who it is by law."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from jay.legal import service as legal
from jay.merchants.models import Merchant, merchants
from jay.products.bulk import lock_merchant

CONFIG_FIELDS = (
    "shipping_strategy",
    "shipping_scale",
    "vat",
    "add_product_webhook_url",
    "update_products_webhook_url",
    "order_webhook_url",
    "order_email",
    "feed",
    "legal",
    "withdrawal_days",
    "return_costs",
    "delivery_countries",
    "stripe_account",
)


def change(
    connection: Connection, merchant: Merchant, changes: Mapping[str, Any], *, now: datetime
) -> dict[str, Any]:
    """Change those fields of a merchant's configuration that are given; return all of it.

    :param changes: columns of the merchant, of ``legal`` again what is given, and ``texts`` as
        kind, language and text.
    :raises TooManyTexts: it would have too many of them.
    """
    lock_merchant(connection, merchant)
    mine = merchants.c.id == merchant.id
    changes = dict(changes)
    legal.put_merchants(connection, merchant.id, changes.pop("texts", ()), now=now)
    if changes.get("legal"):
        known = connection.execute(select(merchants.c.legal).where(mine)).scalar_one() or {}
        told = {**known, **changes["legal"]}
        changes["legal"] = {name: value for name, value in told.items() if value is not None}
    if changes:
        connection.execute(update(merchants).where(mine).values(**changes))
    return find(connection, merchant)


def find(connection: Connection, merchant: Merchant) -> dict[str, Any]:
    """Return a merchant's configuration: what can be changed of it."""
    row = connection.execute(select(merchants).where(merchants.c.id == merchant.id)).one()
    found = {name: getattr(row, name) for name in CONFIG_FIELDS}
    return {**found, "texts": legal.merchants_texts(connection, merchant.id)}
