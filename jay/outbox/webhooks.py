"""Webhooks to merchants about products: their addresses and tokens are in the configuration."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from jay.merchants.models import merchants
from jay.merchants.service import open_webhook_token
from jay.outbox import service
from jay.outbox.kinds import MessageKind
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.sealing import WrongKey

HTTP = "http"

_METHODS_AND_URLS = {
    "add-product": ("POST", merchants.c.add_product_webhook_url),
    "update-products": ("PUT", merchants.c.update_products_webhook_url),
}


def _find(connection: Connection, message: Message, secret: str) -> Destination | DeliveryResult:
    method, column = _METHODS_AND_URLS[message.kind]
    query = select(column.label("url"), merchants.c.webhook_token)
    row = connection.execute(query.where(merchants.c.id == message.merchant_id)).one()
    if not row.url:
        return DeliveryResult(failure="its configuration names no address any more", final=True)
    headers = {"Webhook-Id": message.key, "Idempotency-Key": message.key}
    if message.body is not None:
        headers["Content-Type"] = "application/json"
    if row.webhook_token is not None:
        try:
            headers["X-API-Key"] = open_webhook_token(
                row.webhook_token, message.merchant_id or 0, secret=secret
            )
        except WrongKey:
            return DeliveryResult(
                failure="its token was sealed with another JAY_SECRET_KEY: set it again", hold=True
            )
    return Destination(row.url, method, headers)


ADD_PRODUCT = MessageKind("add-product", HTTP, _find)
UPDATE_PRODUCTS = MessageKind("update-products", HTTP, _find)
KINDS = (ADD_PRODUCT, UPDATE_PRODUCTS)


def lane_of(merchant: int, kind: MessageKind) -> str:
    """Return the lane of a merchant's webhooks of a kind."""
    return f"{merchant}/{kind.name}"


def enqueue(
    connection: Connection,
    merchant: int,
    kind: MessageKind,
    bodies: Mapping[str, str | None],
    *,
    now: datetime,
) -> list[int]:
    """Put webhooks into the outbox, in the transaction of their cause, and return their ids.

    Nothing is put in where the merchant's configuration names no address for this kind: there is
    nobody to be told.

    :param bodies: by subject, the JSON to send, or None for a request without a body.
    """
    if not bodies or url_of(connection, merchant, kind) is None:
        return []
    return service.enqueue(
        connection, kind.name, bodies, lane=lane_of(merchant, kind), merchant=merchant, now=now
    )


def url_of(connection: Connection, merchant: int, kind: MessageKind) -> str | None:
    """Return the address that a merchant wants a kind of webhook at."""
    _, column = _METHODS_AND_URLS[kind.name]
    # An empty one is what some merchants send for "none".
    return connection.execute(select(column).where(merchants.c.id == merchant)).scalar_one() or None


def cancel(
    connection: Connection, merchant: int, kind: MessageKind, subjects: Sequence[str]
) -> None:
    """Take webhooks back that have not arrived yet."""
    service.cancel(connection, lane_of(merchant, kind), subjects)


def is_waiting(connection: Connection, merchant: int, kind: MessageKind, subject: str) -> bool:
    """Tell whether a webhook about this has not arrived yet."""
    return service.is_waiting(connection, lane_of(merchant, kind), subject)
