"""The kinds of messages: each feature that tells somebody something describes its own.

A kind names its transport, finds where a message goes, and says when it is tried again. What is
the same for all (leases, lanes, rests, the worker) is the outbox's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from jay.outbox.models import DeliveryResult, Destination, Message, Schedule

Find = Callable[[Connection, Message, str], Destination | DeliveryResult]
"""Returns where a message goes, or how its attempt ends before it is made.

It is asked before each attempt, in the transaction in which the message is taken, so that a mended
configuration counts. The last argument is the service's secret, for what is stored sealed.
"""


@dataclass(frozen=True)
class MessageKind:
    """A kind of message.

    :ivar transport: the name of the way it leaves by.
    :ivar find: see ``Find``.
    :ivar schedule: when it is tried again.
    """

    name: str
    transport: str
    find: Find
    schedule: Schedule = field(default_factory=Schedule)


MessageKinds = Mapping[str, MessageKind]
