"""Orders that nobody is told of: the merchant asks for them (``GET /v1/shops/orders``)."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from jay.config import Settings
from jay.connectors.connector import Asked, Wishes
from jay.merchants import connectors
from jay.merchants import service as merchants
from jay.orders.events import Happened
from jay.outbox.kinds import MessageKind


class Pull:
    """Leaves a part where it is, for its merchant to come for."""

    name = "pull"
    prefix = None
    asked: Asked = ()
    token: Asked = ()

    def address_of(self, typed: str, _settings: Settings) -> str:
        """Nothing is sent, so that there is no address."""
        if typed:
            raise ValueError("is not needed: nothing is sent")
        return ""

    def connect(
        self,
        connection: Connection,
        merchant: int,
        _address: str,
        _credentials: Mapping[str, str],
        **_more: Any,
    ) -> None:
        """Send a merchant nothing of its orders."""
        connectors.disconnect(connection, merchant)
        changes = {"order_webhook_url": None, "order_email": None}
        merchants.change_merchant(connection, merchant, changes)

    def takes(self, _connection: Connection, _happened: Happened, _wishes: Wishes) -> bool:
        """Take all: it can be asked for, however else it goes."""
        return True

    def end_of(self, _wishes: Wishes) -> None:
        """Nothing waits, as nothing is sent."""

    def lane_of(self, happened: Happened) -> str:
        """Nothing is sent, so that no lane is asked for."""
        raise NotImplementedError(f"{happened.part_no} is asked for")

    def kinds(self, _settings: Settings) -> Iterable[MessageKind]:
        """Nothing leaves."""
        return ()


PULL = Pull()
