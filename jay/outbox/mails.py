"""Mails: kinds of messages that leave by the mail server.

A row of the outbox says only what a mail is about, such as an order's number. Whom it goes to and
what it says is found and written anew for each attempt: nothing personal lies in the outbox.
"""

from datetime import timedelta

from jay.outbox.kinds import Find, MessageKind
from jay.outbox.models import Schedule

MAIL = "mail"
"""The way out that mails take."""

LANES = 4
"""So many leave at the same time: a slow mail server must leave threads to the webhooks."""

SCHEDULE = Schedule(
    first=timedelta(seconds=30), longest=timedelta(hours=1), given_up_after=timedelta(days=5)
)
"""A mail server may be away for days (RFC 5321, 4.5.4.1)."""


def mail_kind(name: str, find: Find, schedule: Schedule = SCHEDULE) -> MessageKind:
    """Describe a kind of mail.

    :param find: returns the destination with the address, and with what writes the letter.
    :param schedule: when it is tried again.
    """
    return MessageKind(name, MAIL, find, schedule)


def lane_of(subject: str) -> str:
    """Return the lane of the mails about a subject, such as an order: they leave in order."""
    return f"mail/{sum(subject.encode()) % LANES}"
