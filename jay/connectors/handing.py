"""Handing parts over: of the ways that there are, the first one that takes it.

A new way is a folder, and its name in a line here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from jay.config import Settings
from jay.connectors.connector import Connector, wishes_of
from jay.connectors.mail.connector import MAIL
from jay.connectors.pull.connector import PULL
from jay.connectors.shopify.connector import SHOPIFY
from jay.connectors.shops import ShopConnector
from jay.connectors.webhook.connector import WEBHOOK
from jay.connectors.woocommerce.connector import WOOCOMMERCE
from jay.orders import events
from jay.orders.events import Happened
from jay.orders.handover import TYPES
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import FAILED, WAITING

_SHOPS = (SHOPIFY, WOOCOMMERCE)

CONNECTORS: tuple[Connector, ...] = (*_SHOPS, WEBHOOK, MAIL, PULL)
"""In the order in which they are asked; the last one takes all."""

SHOPS: Mapping[str, ShopConnector] = {one.name: one for one in _SHOPS}
"""Those that put orders into shops, by the system."""


def kinds(settings: Settings) -> Iterable[MessageKind]:
    """Describe all that leaves by them."""
    return [kind for each in CONNECTORS for kind in each.kinds(settings)]


@dataclass(frozen=True)
class LeftBehind:
    """Parts that have not been delivered, by a way that is not the merchant's first one.

    :ivar end: what becomes of them; None: they still go that way.
    """

    way: str
    parts: int
    end: str | None


def left_behind(connection: Connection, merchant: int) -> list[LeftBehind]:
    """Return what has not been delivered by the ways that a merchant's orders went before."""
    wishes = wishes_of(connection, merchant)
    found = []
    for way in CONNECTORS:
        end = way.end_of(wishes)
        kinds = [f"{way.prefix}{told}" for told in TYPES.values()]
        # What is parked is not sent unless somebody begins anew, and there is an end to that.
        states = (WAITING,) if end is None else (WAITING, FAILED)
        parts = outbox.count_subjects(connection, merchant, kinds, states)
        if parts:
            found.append(LeftBehind(way.name, parts, end))
    return found


@events.hears
def hand_over(connection: Connection, happened: Happened) -> None:
    """Put what a merchant is told of an event into the outbox, in the event's own transaction."""
    told = TYPES.get(happened.kind)
    if told is None:
        return
    wishes = wishes_of(connection, happened.merchant_id)
    way = next(one for one in CONNECTORS if one.takes(connection, happened, wishes))
    if way.prefix is None:
        return
    outbox.enqueue(
        connection,
        way.prefix + told,
        {str(happened.part_no): str(happened.number)},
        lane=way.lane_of(happened),
        merchant=happened.merchant_id,
        now=happened.at,
    )
