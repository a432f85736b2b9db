"""What the sandbox does with a payment: each step one conditional UPDATE, as at a real provider.

A step that tells of itself takes its turn first: what it writes is on every server, as the outbox
is, and whoever waited for the turn with it would keep all payments waiting.
"""

import secrets
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, func, or_, select, update

from jay.checkout.providers.interface import (
    Intent,
    IntentStatus,
    Purchase,
    Transfer,
    refund_name,
)
from jay.checkout.sandbox.models import (
    CANCELLABLE,
    CHARGED_BACK,
    CHARGED_BACK_AFTER,
    EVENT_LIFETIME,
    PAYABLE,
    SIGNATURE_HEADER,
    Card,
    intent_id,
    sandbox_intents,
    sandbox_refunds,
    sandbox_reversals,
    sandbox_transfers,
    sign,
    transfer_id,
)
from jay.db import turns
from jay.db.prepared import Prepared
from jay.db.upsert import AddedOnce, insert_into
from jay.errors import PaymentRefused
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import Destination, Message, Schedule
from jay.outbox.webhooks import HTTP

WEBHOOK = "sandbox-webhook"
_row, _share = sandbox_intents.c, sandbox_transfers.c
_THIS = _row.id == bindparam("intent")
_OPEN = AddedOnce(
    sandbox_intents,
    ("id", "reference", "status", "amount", "currency", "lang", "return_url", "created"),
)
_FIND = Prepared(select(sandbox_intents).where(_THIS))
_AUTHORISE = Prepared(
    update(sandbox_intents)
    .where(_THIS, or_(*(_row.status == one for one in PAYABLE)))
    .values(status=IntentStatus.AUTHORISED, card=bindparam("last_four"), failure=None)
)
_CAPTURE = Prepared(
    update(sandbox_intents)
    .where(_THIS, _row.status == IntentStatus.AUTHORISED)
    .values(status=IntentStatus.CAPTURED, captured=_row.amount)
)


def open_intent(connection: Connection, purchase: Purchase, *, now: datetime) -> str:
    """Make the intent of a purchase, or find the one that was made for its reference."""
    identifier = intent_id(purchase.reference)
    made = {
        "id": identifier,
        "reference": purchase.reference,
        "status": IntentStatus.OPEN,
        "amount": purchase.amount,
        "currency": purchase.currency,
        "lang": purchase.lang,
        "return_url": purchase.return_url,
        "created": now,
    }
    _OPEN.add(connection, made)
    return identifier


def row_of(connection: Connection, identifier: str) -> Any:
    """Return an intent's row; None where there is none."""
    return _FIND.one_or_none(connection, {"intent": identifier})


def find(connection: Connection, identifier: str, *, now: datetime) -> Intent | None:
    """Return an intent as the adapter tells it."""
    row = row_of(connection, identifier)
    if row is None:
        return None
    return Intent(
        id=row.id,
        reference=row.reference,
        status=IntentStatus(row.status),
        amount=row.amount,
        currency=row.currency,
        captured=row.captured,
        refunded=row.refunded,
        method="card" if row.card else None,
        failure=row.failure,
        disputed=row.card in CHARGED_BACK and now >= row.created + CHARGED_BACK_AFTER,
    )


def pay(
    connection: Connection, identifier: str, last_four: str, card: Card, *, now: datetime
) -> bool:
    """Let a card pay: the money is held, or the card is declined.

    :returns: whether the money is held by this call.
    """
    turns.take(connection)
    if card.failure is not None:
        statement = update(sandbox_intents).where(_row.id == identifier, _row.status.in_(PAYABLE))
        if connection.execute(statement.values(failure=card.failure)).rowcount:
            _tell(connection, identifier, "payment_intent.payment_failed", now=now)
        return False
    if not _AUTHORISE.rowcount(connection, {"intent": identifier, "last_four": last_four}):
        return False
    kind = "payment_intent.amount_capturable_updated"
    _tell(connection, identifier, kind, now=now, late=card.late)
    if card.charged_back:
        _tell(connection, identifier, "charge.dispute.created", now=now, late=CHARGED_BACK_AFTER)
    return True


def refuse(connection: Connection, identifier: str, *, now: datetime) -> None:
    """Note that the shopper has refused the bank's second step."""
    turns.take(connection)
    statement = update(sandbox_intents).where(_row.id == identifier, _row.status.in_(PAYABLE))
    if connection.execute(statement.values(failure="authentication_failed")).rowcount:
        _tell(connection, identifier, "payment_intent.payment_failed", now=now)


def capture(connection: Connection, identifier: str, *, now: datetime) -> None:
    """Take the money that is held, if it is."""
    turns.take(connection)
    if _CAPTURE.rowcount(connection, {"intent": identifier}):
        _tell(connection, identifier, "payment_intent.succeeded", now=now)


def cancel(connection: Connection, identifier: str, *, now: datetime) -> None:
    """Let go of the money that is held, and take none any more, unless it has moved."""
    turns.take(connection)
    statement = (
        update(sandbox_intents)
        .where(_row.id == identifier, _row.status.in_(CANCELLABLE))
        .values(status=IntentStatus.CANCELLED)
    )
    if connection.execute(statement).rowcount:
        _tell(connection, identifier, "payment_intent.canceled", now=now)


def refund(
    connection: Connection, identifier: str, amount: int, reason: str, *, now: datetime
) -> None:
    """Send money back, once for each reason.

    :raises PaymentRefused: it would be more than has moved.
    """
    turns.take(connection)
    made = connection.execute(
        insert_into(connection, sandbox_refunds)
        .values(intent_id=identifier, reason=reason, amount=amount)
        .on_conflict_do_nothing()
        .returning(sandbox_refunds.c.reason)
    ).one_or_none()
    if made is None:
        return
    statement = (
        update(sandbox_intents)
        .where(_row.id == identifier, _row.captured - _row.refunded >= amount)
        .values(refunded=_row.refunded + amount)
    )
    if not connection.execute(statement).rowcount:
        raise PaymentRefused("amount_too_large")
    _tell(connection, identifier, "charge.refunded", now=now)


def fail_refund(connection: Connection, identifier: str, reason: str, *, now: datetime) -> None:
    """Let the money of a refund come back, as from an account that was closed."""
    turns.take(connection)
    made = (sandbox_refunds.c.intent_id == identifier, sandbox_refunds.c.reason == reason)
    amount = connection.execute(select(sandbox_refunds.c.amount).where(*made)).scalar_one()
    connection.execute(update(sandbox_refunds).where(*made).values(amount=0))
    back = update(sandbox_intents).where(_row.id == identifier)
    connection.execute(back.values(refunded=_row.refunded - amount))
    _tell(connection, identifier, "refund.failed", now=now)


def failed_refunds(connection: Connection, identifier: str) -> frozenset[str]:
    """Return the names of refunds whose money has come back."""
    refund = sandbox_refunds.c
    query = select(refund.reason).where(refund.intent_id == identifier, refund.amount == 0)
    return frozenset(refund_name(reason) for reason in connection.execute(query).scalars())


def transfer(
    connection: Connection, identifier: str, part: str, account: str, amount: int
) -> Transfer:
    """Send a merchant its share of a captured payment, once for each part.

    :raises PaymentRefused: all shares together would be more than has moved.
    """
    # The payment's row is locked, so that of two shares at once each counts the other.
    lock = update(sandbox_intents).where(_row.id == identifier).values(status=_row.status)
    paid = connection.execute(lock.returning(_row.captured)).scalar_one_or_none()
    connection.execute(
        insert_into(connection, sandbox_transfers)
        .values(id=transfer_id(part), intent_id=identifier, account=account, amount=amount)
        .on_conflict_do_nothing()
    )
    sent = select(func.sum(_share.amount)).where(_share.intent_id == identifier)
    if (paid or 0) < (connection.execute(sent).scalar_one() or 0):
        raise PaymentRefused("insufficient_funds")
    return _transfer(connection, transfer_id(part))


def reverse(connection: Connection, identifier: str, amount: int, reason: str) -> Transfer:
    """Take a share back, or some of it, once for each reason.

    :raises PaymentRefused: it would be more than was sent.
    """
    made = connection.execute(
        insert_into(connection, sandbox_reversals)
        .values(transfer_id=identifier, reason=reason, amount=amount)
        .on_conflict_do_nothing()
        .returning(sandbox_reversals.c.reason)
    ).one_or_none()
    statement = (
        update(sandbox_transfers)
        .where(_share.id == identifier, _share.amount - _share.reversed >= amount)
        .values(reversed=_share.reversed + amount)
    )
    if made is not None and not connection.execute(statement).rowcount:
        raise PaymentRefused("amount_too_large")
    return _transfer(connection, identifier)


def _transfer(connection: Connection, identifier: str) -> Transfer:
    row = connection.execute(select(sandbox_transfers).where(_share.id == identifier)).one()
    return Transfer(row.id, row.amount, row.reversed)


def _tell(
    connection: Connection,
    identifier: str,
    kind: str,
    *,
    now: datetime,
    late: timedelta = timedelta(),
) -> None:
    event = f"evt_sandbox_{secrets.token_hex(8)}"
    body = orjson.dumps({"id": event, "type": kind, "intent": identifier}).decode()
    # Each with a lane of its own: at a provider nothing waits for what happened before.
    due = now + late
    outbox.enqueue(connection, WEBHOOK, {event: body}, lane=f"sandbox/{event}", now=now, due=due)


def webhook_kind(address: str) -> MessageKind:
    """Describe the sandbox's webhooks, which go to this service itself.

    :param address: where it is reached from this machine.
    """

    def addressed(_connection: Connection, message: Message, secret: str) -> Destination:
        signature = sign(message.body or "", int(message.since.timestamp()), secret)
        headers = {"Content-Type": "application/json", SIGNATURE_HEADER: signature}
        return Destination(f"{address}/psp/sandbox/webhook", headers=headers)

    schedule = Schedule(given_up_after=EVENT_LIFETIME)
    return MessageKind(WEBHOOK, HTTP, addressed, schedule)
