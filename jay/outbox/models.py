"""A message: what somebody outside of the house is to be told, and when it is tried again.

A message is written in the transaction of its cause and sent after it, at least once. Who sends
it takes a lease first, with one conditional UPDATE; when the sender dies, the lease runs out and
the next one takes over. An address at which nothing arrives rests as a whole, longer and longer,
whichever process would be the next to try.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from jay.db.types import UtcDateTime, metadata
from jay.net.client import Client
from jay.outbox.letters import Letter
from jay.sealing import hash_secret

FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=3)

LEASE = timedelta(minutes=1)
"""How long a message belongs to who has taken it: longer than an attempt may last."""

FAILURES_ENDURED = 3
"""How many attempts in a row fail at an address until it rests."""

FIRST_REST = timedelta(seconds=10)
LONGEST_REST = timedelta(minutes=30)
"""A rest doubles with each failure; a server may ask for a longer one, up to the longest wait."""

KEPT_FOR = timedelta(days=30)
"""How long a finished message can be looked up."""

WAITING, DELIVERED, FAILED = "waiting", "delivered", "failed"
STATES = (WAITING, DELIVERED, FAILED)

_is_waiting = text("state = 'waiting'")

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    # Says by which way it leaves, where to, and when it is tried again: see kinds.py.
    Column("kind", Text, nullable=False),
    # What leaves one by one in each process: as a rule, what goes to one address.
    Column("lane", Text, nullable=False),
    # The merchant whom it concerns, for lists; others have none.
    Column("merchant_id", Integer, ForeignKey("merchants.id")),
    # What it is about. Messages of one lane about one subject leave in the order of their ids.
    Column("subject", Text, nullable=False),
    # Random, the same at each attempt: by it the receiver knows a repetition.
    Column("key", Text, nullable=False),
    # What is sent, as its kind writes it; None for a request without a body.
    Column("body", Text),
    Column("state", Text, nullable=False, server_default=WAITING),
    Column("created", UtcDateTime, nullable=False),
    # When the present row of attempts began: it was created, or an operator has begun it anew.
    Column("since", UtcDateTime, nullable=False),
    # When it is tried the next time; while it is being sent: when the lease ends.
    Column("due", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # Random, of who is sending it: whose lease has run out records nothing any more.
    Column("lease", Text),
    # Why the last attempt failed.
    Column("reason", Text),
    Column("finished", UtcDateTime),
    CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
    Index(
        "ix_outbox_due",
        *("lane", "due", "id"),
        sqlite_where=_is_waiting,
        postgresql_where=_is_waiting,
    ),
    Index(
        "ix_outbox_subject",
        *("lane", "subject", "id"),
        sqlite_where=_is_waiting,
        postgresql_where=_is_waiting,
    ),
    Index("ix_outbox_merchant_id", "merchant_id"),
    Index("ix_outbox_finished", "finished"),
)

# The addresses at which the last attempts have failed; where all is well there is no row.
outbox_addresses = Table(
    "outbox_addresses",
    metadata,
    # A hash: addresses may hold secrets.
    Column("key", Text, primary_key=True),
    Column("merchant_id", Integer, ForeignKey("merchants.id")),
    # In a row; the next success deletes the row.
    Column("failures", Integer, nullable=False),
    Column("rests_until", UtcDateTime, nullable=False),
    # After a rest one message tries whether the address is well; until then the others wait.
    Column("probed_until", UtcDateTime, nullable=False),
    Index("ix_outbox_addresses_merchant_id", "merchant_id"),
)


@dataclass(frozen=True)
class Schedule:
    """When messages of a kind are tried again.

    The waits between two attempts double from the first to the longest one.

    :ivar waits: instead, these ones, and after the last of them it is given up.
    """

    first: timedelta = FIRST_WAIT
    longest: timedelta = LONGEST_WAIT
    given_up_after: timedelta = GIVEN_UP_AFTER
    waits: tuple[timedelta, ...] = ()


@dataclass(frozen=True)
class DeliveryResult:
    """How an attempt went.

    :ivar failure: one sentence without secrets; None when the message has arrived.
    :ivar final: trying again is of no use.
    :ivar hold: the rest of the lane had better wait, as the server can't be reached or asks for it.
    :ivar wait: how long the server asks to wait (Retry-After).
    :ivar gone: the server says that it wants none of these at this address, now and for ever.
    :ivar told: what the receiver says that it knows it by.
    :ivar told_at: the address of who says so.
    """

    failure: str | None = None
    final: bool = False
    hold: bool = False
    wait: timedelta | None = None
    gone: bool = False
    told: str | None = None
    told_at: str | None = None


@dataclass(frozen=True)
class Destination:
    """Where a message goes, as its kind finds it anew for each attempt.

    :ivar address: as its transport understands it: a URL, or whom a mail goes to.
    :ivar headers: what goes with the message, such as what proves who sends it.
    :ivar write: writes the letter, where it is a mail, when the transaction is over in which all
        that it says was read. Mails leave by one server: no address of theirs rests.
    :ivar body: what is sent, where the message holds none itself: nothing personal lies there.
    :ivar sign: returns the headers that depend on the moment of the attempt.
    :ivar call: makes the attempt, where it takes more than one request.
    """

    address: str = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    write: Callable[[], Letter] | None = field(default=None, repr=False)
    body: str | None = field(default=None, repr=False)
    sign: Callable[[datetime], Mapping[str, str]] | None = field(default=None, repr=False)
    call: Callable[[Client], DeliveryResult] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Message:
    """A message, with all that its kind and its transport need to know of it.

    :ivar merchant: the name of the merchant whom it concerns.
    :ivar taken_over: of a sender whose lease has run out: nobody knows what it has done.
    """

    id: int
    kind: str
    lane: str
    merchant_id: int | None
    merchant: str | None
    subject: str
    key: str
    body: str | None = field(repr=False)
    since: datetime
    attempts: int
    taken_over: bool = False

    def next_due(
        self,
        outcome: DeliveryResult,
        schedule: Schedule,
        *,
        now: datetime,
        jitter: Callable[[], float],
    ) -> datetime | None:
        """Return when to try again after a failure; None when it is given up.

        The wait is drawn between zero and a bound that doubles with each attempt, so that
        messages which failed together don't come back together. A longer wait that the receiver
        asks for counts, up to the longest one. Waits of a table are kept as they are.

        :param jitter: draws from 0 to 1.
        """
        asked = min(outcome.wait or timedelta(), schedule.longest)
        if schedule.waits:
            if outcome.final or self.attempts > len(schedule.waits):
                return None
            return now + max(schedule.waits[self.attempts - 1], asked)
        end = self.since + schedule.given_up_after
        if outcome.final or now >= end:
            return None
        bound = doubled(schedule.first, self.attempts - 1, schedule.longest)
        wait = max(bound * jitter(), asked)
        return min(now + wait, end)


def doubled(first: timedelta, times: int, longest: timedelta) -> timedelta:
    """Return a time that is doubled so many times, up to the longest one."""
    # Larger exponents are above every longest time already, and only cost memory.
    return min(first * (1 << min(times, 20)), longest)


def rest_after(failures: int, outcome: DeliveryResult) -> timedelta:
    """Return how long an address rests after so many failures in a row, the last one this."""
    rest = timedelta()
    if failures >= FAILURES_ENDURED:
        rest = doubled(FIRST_REST, failures - FAILURES_ENDURED, LONGEST_REST)
    if outcome.hold:
        rest = max(rest, FIRST_REST)
    return max(rest, min(outcome.wait or timedelta(), LONGEST_WAIT))


def address_key(merchant: int | None, destination: Destination) -> str:
    """Return what an address is known by: the same URL of two merchants is two addresses."""
    return hash_secret(f"{merchant}\0{destination.address}")
