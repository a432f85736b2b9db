"""Handing parts over: of the ways that there are, the first one that takes it.

A new way is a folder, and its name in a line here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from jay.config import Settings
from jay.connectors.connector import Connector, Wishes, wishes_of
from jay.connectors.mail.connector import MAIL
from jay.connectors.pull.connector import PULL
from jay.connectors.shopify.connector import SHOPIFY
from jay.connectors.shops import ShopConnector
from jay.connectors.webhook.connector import WEBHOOK
from jay.connectors.woocommerce.connector import WOOCOMMERCE
from jay.orders import events
from jay.orders.events import Happened
from jay.orders.handover import TYPES, event_of, part_of
from jay.orders.models import Happening
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import FAILED, WAITING, Message

_SHOPS = (SHOPIFY, WOOCOMMERCE)

CONNECTORS: tuple[Connector, ...] = (*_SHOPS, WEBHOOK, MAIL, PULL)
"""In the order in which they are asked; the last one takes all."""

SHOPS: Mapping[str, ShopConnector] = {one.name: one for one in _SHOPS}
"""Those that put orders into shops, by the system."""


def kinds(settings: Settings) -> Iterable[MessageKind]:
    """Describe all that leaves by them.

    What was not sent yet when its way ends leaves by the merchant's present one.
    """
    return [
        replace(kind, other_way=partial(_other_way, each)) if kind.name in _told(each) else kind
        for each in CONNECTORS
        for kind in each.kinds(settings)
    ]


def _told(way: Connector) -> Sequence[str]:
    """Return the kinds of messages that tell of events this way."""
    return () if way.prefix is None else [way.prefix + told for told in TYPES.values()]


def _other_way(way: Connector, connection: Connection, message: Message) -> tuple[str, str] | None:
    part = part_of(connection, message)
    event = None if part is None else event_of(part, message)
    if part is None or event is None:
        return None
    wishes = wishes_of(connection, part.merchant_id)
    if way.end_of(wishes) is None:
        return None
    happened = Happened(
        part.part_no,
        part.merchant_id,
        event.number,
        event.kind,
        event.by,
        event.details,
        event.at,
    )
    other = _way_of(connection, happened, wishes)
    if event.kind is Happening.CREATED and wishes.shop is not None:
        # It was bought before the shop was connected, but nobody else was told of it.
        other = SHOPS.get(wishes.shop[0], other)
    if other is way or other.prefix is None:
        return None  # it may be connected again; the merchant can ask for it in any case
    return other.prefix + TYPES[event.kind], other.lane_of(happened)


def _way_of(connection: Connection, happened: Happened, wishes: Wishes) -> Connector:
    return next(one for one in CONNECTORS if one.takes(connection, happened, wishes))


@dataclass(frozen=True)
class LeftBehind:
    """Parts that have not been delivered, by a way that is not the merchant's first one.

    :ivar end: what becomes of them; None: they still go that way.
    :ivar follow: so many of them were not tried yet, and go by ``by`` instead.
    """

    way: str
    parts: int
    end: str | None
    follow: int = 0
    by: str = ""


def left_behind(connection: Connection, merchant: int) -> list[LeftBehind]:
    """Return what has not been delivered by the ways that a merchant's orders went before."""
    wishes = wishes_of(connection, merchant)
    found = []
    for way in CONNECTORS:
        end = way.end_of(wishes)
        kinds = _told(way)
        # What is parked is not sent unless somebody begins anew, and there is an end to that.
        states = (WAITING,) if end is None else (WAITING, FAILED)
        parts = outbox.count_subjects(connection, merchant, kinds, states)
        by = None if end is None else _present_way(wishes)
        follow = by and outbox.count_subjects(connection, merchant, kinds, untried=True)
        if parts:
            found.append(LeftBehind(way.name, parts, end, follow or 0, by or ""))
    return found


def _present_way(wishes: Wishes) -> str | None:
    """Return by which way what was not tried by another one goes; None: by none."""
    sends = (way for way in CONNECTORS if way.prefix is not None)
    return next((way.name for way in sends if way.end_of(wishes) is None), None)


@events.hears
def hand_over(connection: Connection, happened: Happened) -> None:
    """Put what a merchant is told of an event into the outbox, in the event's own transaction."""
    told = TYPES.get(happened.kind)
    if told is None:
        return
    wishes = wishes_of(connection, happened.merchant_id)
    way = _way_of(connection, happened, wishes)
    if happened.kind is not Happening.CREATED:
        way = _behind(connection, happened, way, wishes)
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


def _behind(
    connection: Connection, happened: Happened, way: Connector, wishes: Wishes
) -> Connector:
    """Return by which way an event is told: where news of its part is still to leave, behind that.

    By another way it could come first, and who hears of a refund has to know the order. Both leave
    by the present way, one after the other, where theirs has ended.
    """
    if way.prefix is None:
        return way
    lane, subject = way.lane_of(happened), str(happened.part_no)
    for other in CONNECTORS:
        if other.prefix is None or other.lane_of(happened) == lane:
            continue
        # What a way that has ended has tried stays there: nobody knows for how long.
        ended = other.end_of(wishes) is not None
        where = other.lane_of(happened), subject, _told(other)
        if outbox.is_waiting(connection, *where, untried=ended):
            return other
    return way
