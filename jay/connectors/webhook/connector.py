"""Orders by webhook: signed as Standard Webhooks 1.0 has it, with the part as the API shows it.

What the merchant is told when its address fails is in jay/connectors/webhook/mails.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection
from standardwebhooks import Webhook as Signer

from jay.checkout import contacts
from jay.clock import iso
from jay.config import Settings
from jay.connectors.connector import AT_NEXT_ATTEMPT, Asked, Wishes
from jay.connectors.webhook.mails import FAILING, SWITCHED_OFF, WebhookMails
from jay.merchants import connectors
from jay.merchants import service as merchants
from jay.net.addresses import Network, keeps_secrets, origin_of
from jay.orders import schemas
from jay.orders.events import Happened
from jay.orders.handover import SCHEDULE, TYPES, event_of, part_of
from jay.outbox import mails
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.outbox.webhooks import HTTP
from jay.sealing import WrongKey

log = structlog.get_logger()

PREFIX = "merchant."

TOLD_AFTER = 4
"""So many attempts in a row fail at an address until the merchant is told by mail."""

_NO_PART = DeliveryResult(failure="there is no such order any more", final=True)
_NO_ADDRESS = DeliveryResult(failure="its configuration names no address any more", final=True)
_NOT_SECRET = DeliveryResult(
    failure="its address is not https, and in no network of JAY_OUTBOUND_ALLOW: set"
    " orderWebhookUrl, then orders retry",
    final=True,
)
_NO_SECRET = DeliveryResult(
    failure="it has no secret to verify with yet: merchant webhook-secret", hold=True
)
_LOST = DeliveryResult(
    failure="its secret was sealed with another JAY_SECRET_KEY: set a new one", hold=True
)


class Webhook:
    """Sends a part to the address that its merchant's configuration names."""

    name = "webhook"
    prefix = PREFIX
    asked: Asked = ()
    token: Asked = ()

    def address_of(self, typed: str, settings: Settings) -> str:
        """Return the address of a merchant's server, to which names and addresses may be sent."""
        if origin_of(typed) is None or not keeps_secrets(typed, settings.reachable):
            raise ValueError("must begin with https://, or be in a network of JAY_OUTBOUND_ALLOW")
        return typed

    def connect(
        self,
        connection: Connection,
        merchant: int,
        address: str,
        _credentials: Mapping[str, str],
        **_more: Any,
    ) -> None:
        """Tell a merchant's server of its orders; its secret is made by a command of its own."""
        connectors.disconnect(connection, merchant)
        merchants.change_merchant(connection, merchant, {"order_webhook_url": address})

    def takes(self, _connection: Connection, _happened: Happened, wishes: Wishes) -> bool:
        """Take what is for a merchant with an address for orders."""
        return wishes.webhook_url is not None

    def end_of(self, wishes: Wishes) -> str | None:
        """Say what becomes of what waits: without an address, its next attempt is the last."""
        return None if wishes.webhook_url is not None else AT_NEXT_ATTEMPT

    def lane_of(self, happened: Happened) -> str:
        """Return the lane of what a merchant's server is told of its orders."""
        return f"{happened.merchant_id}/orders"

    def kinds(self, settings: Settings) -> Iterable[MessageKind]:
        """Describe the webhooks, and the mails of when they do not arrive."""
        types, find = TYPES.values(), partial(_find, allowed=settings.reachable)
        webhooks = [MessageKind(PREFIX + told, HTTP, find, SCHEDULE, _failed) for told in types]
        return [*webhooks, *WebhookMails(settings.public_url).kinds]


WEBHOOK = Webhook()


def signatures(secrets: list[str], identifier: str, body: str, *, now: datetime) -> dict[str, str]:
    """Return the headers that prove who sends a webhook, with a signature for each secret."""
    signed = (Signer(one).sign(identifier, now, body) for one in secrets)
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def _find(
    connection: Connection, message: Message, secret: str, *, allowed: Sequence[Network]
) -> Destination | DeliveryResult:
    part = part_of(connection, message)
    if part is None:
        return _NO_PART
    url = merchants.order_webhook_url(connection, part.merchant_id)
    if url is None:
        return _NO_ADDRESS
    if not keeps_secrets(url, allowed):
        return _NOT_SECRET  # stored before that was asked for, or a network is allowed no more
    try:
        secrets = merchants.order_secrets(connection, part.merchant_id, secret=secret)
    except WrongKey:
        return _LOST
    if not secrets:
        return _NO_SECRET
    contact = contacts.find(connection, part.order.order_no, secret=secret)
    event = event_of(part, message)
    told = {
        "type": message.kind.removeprefix(PREFIX),
        "timestamp": iso(part.order.created if event is None else event.at),
        "data": schemas.part_view(part, contact),
    }
    body = orjson.dumps(told).decode()

    def sign(now: datetime) -> Mapping[str, str]:
        counting = [one.value for one in secrets if one.counts(now)]
        return signatures(counting, message.key, body, now=now)

    return Destination(url, headers={"Content-Type": "application/json"}, body=body, sign=sign)


def _failed(
    connection: Connection,
    message: Message,
    outcome: DeliveryResult,
    failures: int,
    now: datetime,
) -> None:
    merchant = message.merchant_id
    if merchant is None:
        return
    if outcome.gone and merchants.stop_order_webhook(connection, merchant):
        log.warning("webhook switched off", merchant=message.merchant)
        _tell(connection, SWITCHED_OFF, message, now)
    elif failures == TOLD_AFTER:
        _tell(connection, FAILING, message, now)


def _tell(connection: Connection, kind: str, message: Message, now: datetime) -> None:
    subject = message.merchant or ""
    outbox.enqueue(
        connection,
        kind,
        {subject: message.subject},
        lane=mails.lane_of(subject),
        merchant=message.merchant_id,
        now=now,
    )
