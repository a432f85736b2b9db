"""The mails to the operator, in English as the commands that they name are."""

from collections.abc import Iterable

from sqlalchemy import Connection

from jay import db, web
from jay.config import Settings
from jay.ops import alarms
from jay.ops.alarms import PREFIX, Alarm
from jay.orders.looking import look_at, why_unclear
from jay.orders.mails import ACCENT
from jay.orders.models import Attention
from jay.orders.withdrawals import Unclear
from jay.outbox import mails, rendering
from jay.outbox.kinds import MessageKind
from jay.outbox.letters import Letter
from jay.outbox.models import DeliveryResult, Destination, Message

LANG = "en"

LOOKED_EVERY = 60.0
"""Seconds between two looks at what is open."""

_NOBODY = DeliveryResult(failure="nobody is to be told: JAY_OPERATOR_EMAIL", final=True)

_SUBJECTS = {
    Alarm.PARKED: "Order {} does not reach its merchant",
    Alarm.WITHDRAWAL: "A withdrawal has to be looked at",
    Alarm.REFUND_FAILED: "Refund failed: order {}",
    Alarm.SHARE_FAILED: "Merchant's share not moved: order {}",
    Alarm.SHOP_REFUND: "Refunded twice? Order {}",
    Alarm.DISPUTED: "Payment disputed: order {}",
    Alarm.MORE: "And {}",
}

_MORE_OF = {
    Alarm.PARKED: "orders that do not reach their merchant",
    Alarm.WITHDRAWAL: "withdrawals that have to be looked at",
    Alarm.REFUND_FAILED: "refunds that have failed",
    Alarm.SHARE_FAILED: "merchants' shares that were not moved",
    Alarm.SHOP_REFUND: "orders that may be refunded twice",
    Alarm.DISPUTED: "disputed payments",
}
"""What there is more of than mails."""

_SHOWS = {Alarm.PARKED: "orders list --parked", Alarm.WITHDRAWAL: "orders withdrawals"}


def kinds(settings: Settings) -> Iterable[MessageKind]:
    """Describe the mails to the operator."""
    called = settings.mail_from.display_name or settings.public_host

    def find(
        _connection: Connection, message: Message, _secret: str
    ) -> Destination | DeliveryResult:
        if not settings.operator_email:
            return _NOBODY
        return Destination(settings.operator_email, write=lambda: _letter(message, called))

    return [mails.mail_kind(PREFIX + alarm, find) for alarm in Alarm]


def _letter(message: Message, sender: str) -> Letter:
    alarm = Alarm(message.kind.removeprefix(PREFIX))
    words, command = _said(alarm, message.subject, message.body)
    what = message.subject
    if alarm is Alarm.MORE:
        what = f"{message.body} more: {_MORE_OF[Alarm(message.subject)]}"
    return rendering.letter(
        "operator",
        _SUBJECTS[alarm].format(what),
        LANG,
        words=words,
        command=f"flask --app app {command}",
        again=Alarm.PARKED not in {alarm, message.subject},
        most=alarms.MOST,
        sender=sender,
        accent=ACCENT.accent,
        on_accent=ACCENT.text,
        ink=ACCENT.ink,
    )


def _said(alarm: Alarm, subject: str, reason: str | None) -> tuple[str, str]:
    """Return what there is to say, and the command that shows more."""
    if alarm is Alarm.PARKED:
        words = f"The last attempt has failed: {reason}. Once that is mended, orders retry sends it"
        return f"{words} anew.", f"orders show {subject}"
    if alarm is Alarm.WITHDRAWAL:
        why = why_unclear(Unclear(reason)) if reason else "nobody knows what it is about"
        words = f"It was taken, and nothing else was done: {why}. The 14 days count from when it"
        return f"{words} arrived.", "orders withdrawals"
    if alarm is Alarm.MORE:
        words = f"There are {reason} more, of which no mail was sent today."
        return words, _SHOWS.get(Alarm(subject), "orders list --attention")
    words = look_at(Attention(alarm))
    return f"{words[0].upper()}{words[1:]}.", f"orders show {subject}"


def once() -> bool:
    """Tell the operator of what is new, or is still open after a day."""
    settings, now = web.settings(), web.now()
    secret = settings.secret_key
    with db.reading() as connection:
        found = alarms.still_open(connection, now=now)
    for alarm, those in found.items():
        for place, one in enumerate(those):
            try:
                db.write(alarms.tell, one, secret=secret, now=now)
            except alarms.NoRoom:
                left = len(those) - place
                db.write(alarms.tell_more, alarm, left, secret=secret, now=now)
                break
    return False
