"""Use cases around merchants."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, select, update

from jay.db.prepared import Prepared
from jay.db.upsert import add_named
from jay.merchants.models import LEAST_WITHDRAWAL_DAYS, Feed, Merchant, OrderSecret, merchants
from jay.sealing import Seal

_BY_ID = Prepared(select(merchants).where(merchants.c.id == bindparam("merchant")))


def add_merchant(
    connection: Connection,
    *,
    name: str,
    lang: str,
    country: str,
    currency: str,
    now: datetime,
    display_name: str | None = None,
    fee_percent: float | None = None,
) -> int:
    """Register a shop and return its id. The locale is the default of its products."""
    values = {
        "lang": lang,
        "country": country,
        "currency": currency,
        "currency_since": None,
        "display_name": display_name,
        "fee_percent": fee_percent,
        "created": now,
        "removed": None,
    }
    return add_named(connection, merchants, name, values)


def change_merchant(connection: Connection, merchant: int, changes: Mapping[str, Any]) -> None:
    """Change what ``add_merchant`` takes, except for the name; what is absent stays."""
    connection.execute(update(merchants).where(merchants.c.id == merchant).values(**changes))


def change_currency(connection: Connection, merchant: int, currency: str, *, now: datetime) -> None:
    """Let products without a currency have another one from now on."""
    different = (merchants.c.id == merchant, merchants.c.currency != currency)
    values = {"currency": currency, "currency_since": now}
    connection.execute(update(merchants).where(*different).values(values))


def merchant_id(connection: Connection, name: str) -> int | None:
    """Return the id of the merchant with this name."""
    query = select(merchants.c.id).where(merchants.c.name == name, merchants.c.removed.is_(None))
    return connection.execute(query).scalar()


def removed_merchant_id(connection: Connection, name: str) -> int | None:
    """Return the id of a merchant that had this name and was removed."""
    query = select(merchants.c.id)
    query = query.where(merchants.c.name == name, merchants.c.removed.is_not(None))
    return connection.execute(query).scalar()


def remove_merchant(connection: Connection, merchant: int, *, now: datetime) -> None:
    """Let a merchant be one no more: nothing of its set-up is left but its name."""
    nothing = dict.fromkeys(
        (
            *(
                "display_name",
                "vat",
                "feed",
                "webhook_token",
                "order_secrets",
                "order_webhook_url",
                "order_email",
            ),
            *("add_product_webhook_url", "update_products_webhook_url"),
            *("legal", "delivery_countries", "stripe_account", "fee_percent"),
        )
    )
    usual = {"shipping_strategy": "MAX", "shipping_scale": [], "return_costs": "shopper"}
    days = {"withdrawal_days": LEAST_WITHDRAWAL_DAYS}
    change_merchant(connection, merchant, {**nothing, **usual, **days, "removed": now})


def all_merchants(connection: Connection) -> list[Merchant]:
    """Return all merchants, by name."""
    query = select(merchants).where(merchants.c.removed.is_(None)).order_by(merchants.c.name)
    return [_merchant(row) for row in connection.execute(query)]


def details(connection: Connection, merchant: int) -> Any:
    """Return all that is stored of a merchant, addresses and sealed token included."""
    return _BY_ID.one(connection, {"merchant": merchant})


def merchant_names(connection: Connection, *, most: int, only: int | None = None) -> list[str]:
    """Return names of merchants in their order.

    :param only: the id of the one that may be seen; None: all.
    """
    there = merchants.c.removed.is_(None)
    query = select(merchants.c.name).where(there).order_by(merchants.c.name).limit(most)
    if only is not None:
        query = query.where(merchants.c.id == only)
    return list(connection.execute(query).scalars())


def merchant_by_name(connection: Connection, name: str) -> Merchant | None:
    """Return the merchant with this name and its configuration as it is now."""
    query = select(merchants).where(merchants.c.name == name, merchants.c.removed.is_(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else _merchant(row)


def merchant_by_id(connection: Connection, merchant: int) -> Merchant:
    """Return a merchant with its configuration as it is now, a removed one, too."""
    return _merchant(details(connection, merchant))


def keep_webhook_token(
    connection: Connection, merchant: int, token: str | None, *, secret: str
) -> None:
    """Keep the token that webhooks to a merchant carry, sealed; None takes it away.

    :param secret: this service's own, from which the key of the seal is derived.
    """
    sealed = None if token is None else token_seal(merchant, secret).close(token.encode())
    change = update(merchants).where(merchants.c.id == merchant)
    connection.execute(change.values(webhook_token=sealed))


def has_webhook_token(connection: Connection, merchant: int) -> bool:
    """Tell whether webhooks to a merchant carry a token."""
    query = select(merchants.c.webhook_token.is_not(None)).where(merchants.c.id == merchant)
    return bool(connection.execute(query).scalar_one())


def open_webhook_token(sealed: str, merchant: int, *, secret: str) -> str:
    """Return the token that webhooks to a merchant carry.

    :raises WrongKey: it was sealed with another secret, or for another merchant.
    """
    return token_seal(merchant, secret).open(sealed).decode()


def order_webhook_url(connection: Connection, merchant: int) -> str | None:
    """Return where a merchant wants to be told of orders by HTTP; None: it does not."""
    query = select(merchants.c.order_webhook_url).where(merchants.c.id == merchant)
    # An empty one is what some merchants send for "none".
    return connection.execute(query).scalar_one() or None


def stop_order_webhook(connection: Connection, merchant: int) -> bool:
    """Tell a merchant of no more orders by HTTP; return whether this call has ended it."""
    ended = (
        update(merchants)
        .where(merchants.c.id == merchant, merchants.c.order_webhook_url.is_not(None))
        .values(order_webhook_url=None)
    )
    return connection.execute(ended).rowcount == 1


def order_secrets(connection: Connection, merchant: int, *, secret: str) -> list[OrderSecret]:
    """Return what webhooks about orders are signed with, the newest first.

    :raises WrongKey: they were sealed with another secret.
    """
    query = select(merchants.c.order_secrets).where(merchants.c.id == merchant)
    sealed = connection.execute(query).scalar_one()
    if sealed is None:
        return []
    return [
        OrderSecret(value, None if until is None else datetime.fromisoformat(until))
        for value, until in orjson.loads(token_seal(merchant, secret).open(sealed))
    ]


def keep_order_secrets(
    connection: Connection, merchant: int, kept: Sequence[OrderSecret], *, secret: str
) -> None:
    """Keep what webhooks about orders are signed with, the newest first, sealed.

    :param secret: this service's own, from which the key of the seal is derived.
    """
    content = orjson.dumps([[one.value, one.until] for one in kept])
    change = update(merchants).where(merchants.c.id == merchant)
    connection.execute(change.values(order_secrets=token_seal(merchant, secret).close(content)))


def feed_of(connection: Connection, merchant: int) -> Feed | None:
    """Return the feed that is fetched from a merchant, if there is one."""
    found = connection.execute(select(merchants.c.feed).where(merchants.c.id == merchant)).scalar()
    return None if found is None else Feed(**found)


def keep_feed(connection: Connection, merchant: int, feed: Feed | None) -> None:
    """Keep where a merchant's feed is fetched from, and how often; None ends that."""
    stored = None if feed is None else feed.stored()
    connection.execute(update(merchants).where(merchants.c.id == merchant).values(feed=stored))


def token_seal(merchant: int, secret: str) -> Seal:
    """Return what seals the webhook token of a merchant, and of no other one."""
    return Seal("webhook token", secret, str(merchant))


def _merchant(row: Row[Any]) -> Merchant:
    return Merchant(
        id=row.id,
        name=row.name,
        lang=row.lang,
        country=row.country,
        currency=row.currency,
        vat=row.vat,
        shipping_strategy=row.shipping_strategy,
        shipping_scale=tuple(row.shipping_scale),
        display_name=row.display_name,
        removed=row.removed is not None,
        legal=row.legal or {},
        withdrawal_days=row.withdrawal_days,
        return_costs=row.return_costs,
        delivery_countries=row.delivery_countries and tuple(row.delivery_countries),
    )
