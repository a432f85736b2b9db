"""The kinds of messages: each feature that tells somebody something describes its own.

A kind names its transport, finds where a message goes, and says when it is tried again. What is
the same for all (leases, lanes, rests, the worker) is the outbox's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from jay.outbox.models import DeliveryResult, Destination, Message, Schedule

Find = Callable[[Connection, Message, str], Destination | DeliveryResult]
"""Returns where a message goes, or how its attempt ends before it is made.

It is asked before each attempt, in the transaction in which the message is taken, so that a mended
configuration counts. The last argument is the service's secret, for what is stored sealed.
"""


Failed = Callable[[Connection, Message, DeliveryResult, int, datetime], None]
"""Hears of an attempt that has failed, in the transaction that records it.

The number is how often in a row nothing has arrived at the address, over all messages and
processes: each is told once. 0 where the address was not asked, or has answered for good. The last
argument is when that was.
"""


Delivered = Callable[[Connection, Message, DeliveryResult, datetime], None]
"""Hears that a message has arrived, in the transaction that records it, and when that was."""


OtherWay = Callable[[Connection, Message], tuple[str, str] | None]
"""Returns by which kind and lane a message leaves whose own way has ended; None: by none.

It is asked of messages of which nothing was sent, in the transaction in which they are taken.
"""


@dataclass(frozen=True)
class MessageKind:
    """A kind of message.

    :ivar transport: the name of the way it leaves by.
    :ivar find: see ``Find``.
    :ivar schedule: when it is tried again.
    :ivar failed: see ``Failed``; ``delivered``: see ``Delivered``.
    :ivar other_way: see ``OtherWay``.
    """

    name: str
    transport: str
    find: Find
    schedule: Schedule = field(default_factory=Schedule)
    failed: Failed | None = None
    delivered: Delivered | None = None
    other_way: OtherWay | None = None


MessageKinds = Mapping[str, MessageKind]
