"""The ways out of the house, one outside system each."""

from datetime import datetime
from typing import Protocol

from jay.outbox.models import DeliveryResult, Destination, Message


class Transport(Protocol):
    """A way out of the house."""

    def send(self, message: Message, destination: Destination, *, now: datetime) -> DeliveryResult:
        """Send a message and tell how it went, within a bound shorter than a lease."""
