"""Handing parts over to merchants: by webhook, signed as Standard Webhooks 1.0 has it, or by mail.

The outbox holds the part's number and which event it is about. What is said is the part as the API
shows it, written when it is sent, so that nothing personal lies in the outbox. What the mails say
is in jay/connectors/mail/letters.py.
"""

from collections.abc import Mapping
from datetime import datetime

import orjson
import structlog
from sqlalchemy import Connection
from standardwebhooks import Webhook

from jay.checkout import contacts
from jay.clock import iso
from jay.merchants import connectors
from jay.merchants import service as merchants
from jay.merchants.connectors import SHOPIFY, WOOCOMMERCE
from jay.orders import events, schemas, service
from jay.orders.events import Happened
from jay.orders.handover import SCHEDULE, TYPES, event_of
from jay.orders.models import Happening, PartNo
from jay.outbox import mails
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.outbox.webhooks import HTTP
from jay.sealing import WrongKey

log = structlog.get_logger()

BY_WEBHOOK, BY_MAIL = "merchant.", "merchant-mail."
"""What stands before a type in the outbox: the shopper is told of some of them, too."""

INTO_SHOP = {kind: f"{kind}." for kind in (SHOPIFY, WOOCOMMERCE)}
"""The same, by the kind of shop that orders are put into."""

KIND_NAMES = [
    way + told for way in (BY_WEBHOOK, BY_MAIL, *INTO_SHOP.values()) for told in TYPES.values()
]

TOLD_AFTER = 4
"""So many attempts in a row fail at an address until the merchant is told by mail."""

FAILING, SWITCHED_OFF = "merchant.webhook-failing", "merchant.webhook-off"

_NO_PART = DeliveryResult(failure="there is no such order any more", final=True)
_NO_ADDRESS = DeliveryResult(failure="its configuration names no address any more", final=True)
_NO_SECRET = DeliveryResult(
    failure="it has no secret to verify with yet: merchant webhook-secret", hold=True
)
_LOST = DeliveryResult(
    failure="its secret was sealed with another JAY_SECRET_KEY: set a new one", hold=True
)


MAILED = {Happening.REFUND_FAILED: "refund-failed", Happening.DISPUTED: "disputed"}
"""What merchants are told by mail alone, whichever way their orders go."""


@events.hears
def hand_over(connection: Connection, happened: Happened) -> None:
    """Put what a merchant is told of an event into the outbox, in the event's own transaction."""
    told, way = TYPES.get(happened.kind), _way(connection, happened)
    if happened.kind in MAILED:
        told, way = MAILED[happened.kind], BY_MAIL
    if told is None or way is None:
        return
    subject = str(happened.part_no)
    by_mail = way == BY_MAIL
    outbox.enqueue(
        connection,
        way + told,
        {subject: str(happened.number)},
        lane=mails.lane_of(subject) if by_mail else lane_of(happened.merchant_id),
        merchant=happened.merchant_id,
        now=happened.at,
    )


def _way(connection: Connection, happened: Happened) -> str | None:
    """Return how a merchant is told of its orders; None: it asks for them."""
    shop = connectors.since(connection, happened.merchant_id)
    if shop is not None and _is_for_shop(connection, happened, *shop):
        return INTO_SHOP[shop[0]]
    stored = merchants.details(connection, happened.merchant_id)
    if stored.order_webhook_url:
        return BY_WEBHOOK
    return BY_MAIL if stored.order_email else None


def _is_for_shop(connection: Connection, happened: Happened, kind: str, since: datetime) -> bool:
    """Tell whether a part goes into the shop: not one that was handed over before it was there."""
    made = service.created(connection, happened.part_no)
    if made is not None and made >= since:
        return True
    first = INTO_SHOP[kind] + TYPES[Happening.CREATED]
    merchant = happened.merchant_id
    # It may have waited while the shop was not connected.
    return bool(outbox.about(connection, str(happened.part_no), [first], merchant=merchant))


def lane_of(merchant: int) -> str:
    """Return the lane of what a merchant is told of its orders."""
    return f"{merchant}/orders"


def signatures(secrets: list[str], identifier: str, body: str, *, now: datetime) -> dict[str, str]:
    """Return the headers that prove who sends a webhook, with a signature for each secret."""
    signed = (Webhook(one).sign(identifier, now, body) for one in secrets)
    return {
        "webhook-id": identifier,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signed),
    }


def _find(connection: Connection, message: Message, secret: str) -> Destination | DeliveryResult:
    part_no = PartNo.typed(message.subject)
    part = None if part_no is None else service.find_part(connection, part_no)
    if part is None:
        return _NO_PART
    url = merchants.order_webhook_url(connection, part.merchant_id)
    if url is None:
        return _NO_ADDRESS
    try:
        secrets = merchants.order_secrets(connection, part.merchant_id, secret=secret)
    except WrongKey:
        return _LOST
    if not secrets:
        return _NO_SECRET
    contact = contacts.find(connection, part.order.order_no, secret=secret)
    event = event_of(part, message)
    told = {
        "type": message.kind.removeprefix(BY_WEBHOOK),
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


KINDS = tuple(
    MessageKind(BY_WEBHOOK + told, HTTP, _find, SCHEDULE, _failed) for told in TYPES.values()
)
