"""Orders that nobody is told of: the merchant asks for them (``GET /v1/shops/orders``)."""

from collections.abc import Iterable

from sqlalchemy import Connection

from jay.config import Settings
from jay.connectors.connector import Wishes
from jay.orders.events import Happened
from jay.outbox.kinds import MessageKind


class Pull:
    """Leaves a part where it is, for its merchant to come for."""

    name = "pull"
    prefix = None

    def takes(self, _connection: Connection, _happened: Happened, _wishes: Wishes) -> bool:
        """Take all: it can be asked for, however else it goes."""
        return True

    def lane_of(self, happened: Happened) -> str:
        """Nothing is sent, so that no lane is asked for."""
        raise NotImplementedError(f"{happened.part_no} is asked for")

    def kinds(self, _settings: Settings) -> Iterable[MessageKind]:
        """Nothing leaves."""
        return ()


PULL = Pull()
