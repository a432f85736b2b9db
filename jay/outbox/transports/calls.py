"""Messages that take several requests, which their kind knows to make."""

from datetime import datetime

from jay.net.client import Client
from jay.outbox.models import DeliveryResult, Destination, Message

CALLS = "calls"


class Caller:
    """Lets a message's kind make its requests, by the client that reaches what may be reached."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, _message: Message, destination: Destination, *, now: datetime) -> DeliveryResult:
        """Make the requests and tell how they went."""
        if destination.call is None:
            raise TypeError("a message of this way needs somebody who makes its requests")
        return destination.call(self._client)
