"""Putting parts into merchants' shops: kinds of messages, tried again as all hand-overs are.

Before an order is made it is looked for, each time: a process may have died between the call and
its record, and an operator may begin anew.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from sqlalchemy import Connection

from jay.checkout import contacts
from jay.checkout.addresses import Contact
from jay.config import Settings
from jay.connectors import handed
from jay.connectors.calling import Calls
from jay.connectors.connector import Asked, Wishes
from jay.connectors.interface import (
    NOT_THERE,
    UNKNOWN_FORM,
    UNSURE_FOR,
    Draft,
    DraftLine,
    InShop,
    Problem,
    Shop,
)
from jay.merchants import connectors
from jay.net.client import Client
from jay.orders import service
from jay.orders.events import Happened
from jay.orders.handover import SCHEDULE, TYPES, event_of, part_of
from jay.orders.models import Happening, OrderEvent, OrderPart, PartNo, PartState
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.outbox.transports.calls import CALLS
from jay.sealing import WrongKey

MakeShop = Callable[[str, Mapping[str, str], Calls], Shop]
"""Makes a shop of its address, its credentials, and what calls its API."""

LOOKED_BACK = timedelta(minutes=5)

_NO_PART = DeliveryResult(failure="there is no such order any more", final=True)
_NO_SHOP = DeliveryResult(
    failure="the merchant's shop is not connected any more: merchant connect", hold=True
)
_LOST = DeliveryResult(
    failure="its credentials were sealed with another JAY_SECRET_KEY: connect it again", hold=True
)
_NOBODY = DeliveryResult(failure="nothing is known of who has placed it", final=True)


class ShopConnector:
    """Puts a part into its merchant's shop, of one system.

    :param make: makes a shop of its address, its credentials, and what calls its API.
    :param asked: the credentials that the system gives out, and ``token`` what it gives instead.
    """

    def __init__(self, name: str, make: MakeShop, *, asked: Asked, token: Asked = ()) -> None:
        self.name, self.prefix = name, f"{name}."
        self.make, self.asked, self.token = make, asked, token

    def address_of(self, typed: str, settings: Settings) -> str:
        """Return the address of a shop: https, but in a demo."""
        parts = urlsplit(typed.rstrip("/"))
        plain = parts.scheme == "http" and settings.demo
        if not (plain or parts.scheme == "https") or not parts.hostname or "@" in parts.netloc:
            raise ValueError("must begin with https://, and hold no user name")
        if parts.query or parts.fragment:
            raise ValueError("ends with the path")
        return typed.rstrip("/")

    def connect(
        self,
        connection: Connection,
        merchant: int,
        address: str,
        credentials: Mapping[str, str],
        *,
        secret: str,
        now: datetime,
    ) -> None:
        """Put a merchant's orders into its shop."""
        connectors.connect(
            connection, merchant, self.name, address, credentials, secret=secret, now=now
        )

    def takes(self, connection: Connection, happened: Happened, wishes: Wishes) -> bool:
        """Take what was bought since the shop is connected, and what lies in it already."""
        if wishes.shop is None or wishes.shop[0] != self.name:
            return False
        made = service.created(connection, happened.part_no)
        if made is not None and made >= wishes.shop[1]:
            return True
        first = self.prefix + TYPES[Happening.CREATED]
        merchant = happened.merchant_id
        # It may have waited while the shop was not connected.
        return bool(outbox.about(connection, str(happened.part_no), [first], merchant=merchant))

    def end_of(self, wishes: Wishes) -> str | None:
        """Say what becomes of what waits: the shop may be connected again."""
        if wishes.shop is not None and wishes.shop[0] == self.name:
            return None
        return "what waits is parked after four days, unless the shop is connected again"

    def lane_of(self, happened: Happened) -> str:
        """Return the lane of what a merchant's shop is told of its orders."""
        return f"{happened.merchant_id}/orders"

    def kinds(self, _settings: Settings) -> Iterable[MessageKind]:
        """Describe what is told to a shop."""
        return [
            MessageKind(self.prefix + told, CALLS, self._find, SCHEDULE, delivered=self._delivered)
            for told in TYPES.values()
        ]

    def _find(
        self, connection: Connection, message: Message, secret: str
    ) -> Destination | DeliveryResult:
        part = part_of(connection, message)
        event = None if part is None else event_of(part, message)
        if part is None or event is None:
            return _NO_PART
        try:
            shop = connectors.shop_of(connection, part.merchant_id, secret=secret)
        except WrongKey:
            return _LOST
        if shop is None or shop.kind != self.name:
            return _NO_SHOP
        known = handed.find(connection, part.part_no, kind=self.name, address=shop.address)
        contact = contacts.find(connection, part.order.order_no, secret=secret)
        if contact.goes_to is None and known is None:
            return _NOBODY
        shop_id = None if known is None else known.shop_id
        draft, unsure = draft_of(part, contact), message.taken_over
        expected = draft.created >= shop.connected

        def call(client: Client) -> DeliveryResult:
            made = self.make(shop.address, shop.credentials, Calls(client))
            try:
                told = _tell(made, part, event, draft, shop_id, unsure=unsure, expected=expected)
                return DeliveryResult(told=told, told_at=shop.address)
            except Problem as problem:
                return DeliveryResult(failure=problem.failure, hold=problem.hold, wait=problem.wait)
            except UNKNOWN_FORM as error:
                # Not as it is documented, and nobody knows what it has done.
                words = f"the shop answered in an unknown form: {type(error).__name__}"
                return DeliveryResult(failure=words, wait=UNSURE_FOR)

        return Destination(shop.address, call=call)

    def _delivered(
        self, connection: Connection, message: Message, outcome: DeliveryResult, now: datetime
    ) -> None:
        part_no = PartNo.typed(message.subject)
        if part_no is None or message.merchant_id is None:
            return
        if outcome.told is None or outcome.told_at is None:
            return
        handed.put(
            connection,
            part_no,
            message.merchant_id,
            kind=self.name,
            address=outcome.told_at,
            shop_id=outcome.told,
            now=now,
        )


def draft_of(part: OrderPart, contact: Contact) -> Draft:
    """Return a part as a shop gets it."""
    return Draft(
        part_no=str(part.part_no),
        created=part.order.created,
        test=part.order.test,
        currency=part.order.currency,
        lines=[
            DraftLine(line.sku, line.name, line.ordered, line.price, line.vat, line.tax)
            for line in part.lines
        ],
        shipping=part.shipping,
        tax=part.tax,
        total=part.total,
        payment=part.order.intent_id,
        contact=contact,
    )


def _tell(
    shop: Shop,
    part: OrderPart,
    event: OrderEvent,
    draft: Draft,
    shop_id: str | None,
    *,
    unsure: bool,
    expected: bool,
) -> str | None:
    """Tell a shop of an event, and return by what it knows the order.

    :param unsure: somebody was about to do so, and nobody knows how far it has come.
    :param expected: it was bought since the shop is connected.
    """
    if shop_id is None:
        shop_id = shop.find(draft.part_no, since=draft.created - LOOKED_BACK)
    if event.kind is Happening.CREATED:
        return _put(shop, part, draft, shop_id, unsure=unsure)
    if shop_id is None:
        if part.state is PartState.CANCELLED and expected:
            return None  # it was cancelled before the shop had heard of it
        raise Problem(NOT_THERE)
    if event.kind is Happening.CANCELLED and part.state is PartState.CANCELLED:
        found = _in_shop(shop, draft.part_no, shop_id)
        if found is not None and not found.cancelled:
            shop.cancel(shop_id)
    elif _in_shop(shop, draft.part_no, shop_id) is None:
        raise Problem(NOT_THERE)
    else:
        shop.note(shop_id, note_of(event))
    return shop_id


def _put(
    shop: Shop, part: OrderPart, draft: Draft, shop_id: str | None, *, unsure: bool
) -> str | None:
    if part.state is PartState.CANCELLED:
        return shop_id
    if shop_id is None:
        if unsure:
            raise Problem("it may have been put into the shop already", wait=UNSURE_FOR)
        shop_id = shop.create(draft)
    _catch_up(shop, part, shop_id)
    return shop_id


def note_of(event: OrderEvent) -> str:
    """Return what the merchant reads of an event at its order, such as ``jay-refunded-3``."""
    return f"jay-{event.kind}-{event.number}"


def _catch_up(shop: Shop, part: OrderPart, shop_id: str) -> None:
    """Note what has happened while the order was not there: who packs it has to know."""
    try:
        for event in part.events:
            if event.kind in TYPES and event.kind is not Happening.CREATED:
                shop.note(shop_id, note_of(event))
    except Problem as problem:
        # The order is there, and is to be found by the next attempt.
        wait = max(problem.wait or UNSURE_FOR, UNSURE_FOR)
        raise Problem(problem.failure, hold=problem.hold, wait=wait) from problem


def _in_shop(shop: Shop, part_no: str, shop_id: str) -> InShop | None:
    """Return the order as it is now; None where the merchant has deleted it.

    :raises Problem: the shop has another order by this id, such as a site that was set up anew.
    """
    found = next(iter(shop.read([shop_id])), None)
    if found is not None and found.odd:
        raise Problem(found.odd)
    if found is not None and found.part_no != part_no:
        raise Problem(NOT_THERE)
    return found
