"""Messages that leave by HTTP: one request, and what its answer means for the next attempt."""

from collections.abc import Mapping
from datetime import datetime

from jay.net.addresses import Unreachable
from jay.net.client import Client, Limits
from jay.net.waits import retry_after
from jay.outbox.models import DeliveryResult, Destination, Message

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
TOTAL_SECONDS = 15.0
"""The first two are for each step, the last one is for all of them together."""

REDIRECTED = "redirects are not followed, the configuration must name the final address"


class Sender:
    """Sends requests, and does not read the bodies of their answers."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, message: Message, destination: Destination, *, now: datetime) -> DeliveryResult:
        """Send a request and tell how it went."""
        limits = Limits(CONNECT_SECONDS, READ_SECONDS, TOTAL_SECONDS)
        body = message.body if destination.body is None else destination.body
        signed = {} if destination.sign is None else destination.sign(now)
        try:
            with self._client.exchange(
                destination.method,
                destination.address,
                headers={**destination.headers, **signed},
                body=None if body is None else body.encode(),
                limits=limits,
            ) as answer:
                return _outcome(answer.status, answer.headers, now)
        except Unreachable as error:
            return DeliveryResult(failure=str(error), hold=True)


def _outcome(status: int, headers: Mapping[str, str], now: datetime) -> DeliveryResult:
    if 200 <= status < 300:
        return DeliveryResult()
    failure = f"answered {status}"
    if 300 <= status < 400:
        return DeliveryResult(failure=f"{failure}: {REDIRECTED}")
    if status == 410:
        return DeliveryResult(
            failure=f"{failure}: it is not wanted any more", final=True, gone=True
        )
    if status in {429, 503}:
        wait = retry_after(headers.get("Retry-After"), now)
        return DeliveryResult(failure=failure, hold=True, wait=wait)
    return DeliveryResult(failure=failure)
