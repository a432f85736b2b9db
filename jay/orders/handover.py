"""Handing parts over to merchants by webhook, signed as Standard Webhooks 1.0 has it.

The outbox holds the part's number and which event it is about. What is said is the part as the API
shows it, written when it is sent, so that nothing personal lies in the outbox.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import orjson
import structlog
from sqlalchemy import Connection
from standardwebhooks import Webhook

from jay import i18n
from jay.checkout import contacts
from jay.clock import iso
from jay.merchants import service as merchants
from jay.orders import events, schemas, service
from jay.orders.events import Happened
from jay.orders.mails import ACCENT
from jay.orders.models import Happening, OrderPart, PartNo
from jay.outbox import mails, rendering
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import DeliveryResult, Destination, Message, Schedule
from jay.outbox.webhooks import HTTP
from jay.sealing import WrongKey

log = structlog.get_logger()

WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""Between the attempts (contract, To the merchant); the first one is made at once."""

TYPES = {
    Happening.CREATED: "order.created",
    Happening.CANCELLED: "order.cancelled",
    Happening.WITHDRAWN: "order.withdrawal",
    Happening.REFUNDED: "order.refunded",
}
_KIND = "merchant."
"""What stands before a type in the outbox: the shopper is told of some of them, too."""

KIND_NAMES = [_KIND + told for told in TYPES.values()]

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
_NO_MAIL = DeliveryResult(failure="the merchant has told no e-mail address", final=True)


@events.hears
def hand_over(connection: Connection, happened: Happened) -> None:
    """Put what a merchant is told of an event into the outbox, in the event's own transaction."""
    told = TYPES.get(happened.kind)
    if told is None or merchants.order_webhook_url(connection, happened.merchant_id) is None:
        return
    outbox.enqueue(
        connection,
        _KIND + told,
        {str(happened.part_no): str(happened.number)},
        lane=lane_of(happened.merchant_id),
        merchant=happened.merchant_id,
        now=happened.at,
    )


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
    told = {
        "type": message.kind.removeprefix(_KIND),
        "timestamp": iso(_moment_of(part, message)),
        "data": schemas.part_view(part, contact),
    }
    body = orjson.dumps(told).decode()

    def sign(now: datetime) -> Mapping[str, str]:
        counting = [one.value for one in secrets if one.counts(now)]
        return signatures(counting, message.key, body, now=now)

    return Destination(url, headers={"Content-Type": "application/json"}, body=body, sign=sign)


def _moment_of(part: OrderPart, message: Message) -> datetime:
    number = message.body
    return next((one.at for one in part.events if str(one.number) == number), part.order.created)


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


class MerchantMails:
    """The mails to merchants about the address that their orders go to.

    :param public_url: where people reach this service.
    """

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self.kinds = (
            mails.mail_kind(FAILING, self._find),
            mails.mail_kind(SWITCHED_OFF, self._find),
        )

    def _find(
        self, connection: Connection, message: Message, _secret: str
    ) -> Destination | DeliveryResult:
        if message.merchant_id is None:
            return _NO_MAIL
        merchant = merchants.merchant_by_id(connection, message.merchant_id)
        stored = merchants.details(connection, message.merchant_id)
        address = stored.order_email or merchant.legal.get("email")
        if not address:
            return _NO_MAIL
        lang = i18n.choose([merchant.lang])
        off = message.kind == SWITCHED_OFF
        _ = i18n.texts(lang).gettext
        subject = (
            _("Orders no longer reach your webhook")
            if off
            else _("Orders do not reach your webhook at the moment")
        )
        return Destination(
            address,
            write=lambda: rendering.letter(
                "webhook",
                subject,
                lang,
                off=off,
                part_no=message.body,
                api=f"{self._public_url}/docs",
                sender=merchant.shown_name,
                accent=ACCENT.accent,
                on_accent=ACCENT.text,
                ink=ACCENT.ink,
            ),
        )


KINDS = tuple(
    MessageKind(name, HTTP, _find, Schedule(waits=WAITS, longest=WAITS[-1]), _failed)
    for name in KIND_NAMES
)
