"""Orders by mail; and what merchants are told by mail alone, whichever way their orders go."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection

from jay import i18n
from jay.checkout import contacts
from jay.checkout.addresses import NOBODY
from jay.config import Settings
from jay.connectors.connector import AT_NEXT_ATTEMPT, Asked, Wishes
from jay.connectors.mail.letters import TROUBLES, About
from jay.merchants import connectors
from jay.merchants import service as merchants
from jay.net.emails import normal_email
from jay.orders import events
from jay.orders.events import Happened
from jay.orders.handover import SCHEDULE, TYPES, event_of, part_of
from jay.orders.showing import shown_part
from jay.outbox import mails
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.partners.service import partner_by_id

PREFIX = "merchant-mail."

_NO_PART = DeliveryResult(failure="there is no such order any more", final=True)
_NO_ADDRESS = DeliveryResult(
    failure="the merchant names no address for orders any more: set orderEmail, then orders retry",
    final=True,
)


class Mail:
    """Sends a part to the mailbox that its merchant's configuration names."""

    name = "mail"
    prefix = PREFIX
    asked: Asked = ()
    token: Asked = ()

    def address_of(self, typed: str, _settings: Settings) -> str:
        """Return the address of a mailbox."""
        address = normal_email(typed)
        if address is None:
            raise ValueError("must be an e-mail address")
        return address

    def connect(
        self,
        connection: Connection,
        merchant: int,
        address: str,
        _credentials: Mapping[str, str],
        **_more: Any,
    ) -> None:
        """Send a merchant its orders by mail."""
        connectors.disconnect(connection, merchant)
        changes = {"order_webhook_url": None, "order_email": address}
        merchants.change_merchant(connection, merchant, changes)

    def takes(self, _connection: Connection, _happened: Happened, wishes: Wishes) -> bool:
        """Take what is for a merchant with a mailbox for orders."""
        return wishes.email is not None

    def end_of(self, wishes: Wishes) -> str | None:
        """Say what becomes of what waits: without a mailbox, its next attempt is the last."""
        return None if wishes.email is not None else AT_NEXT_ATTEMPT

    def lane_of(self, happened: Happened) -> str:
        """Return the lane of the mails about a part."""
        return mails.lane_of(str(happened.part_no))

    def kinds(self, settings: Settings) -> Iterable[MessageKind]:
        """Describe the mails about orders."""
        find = partial(_find, api=f"{settings.public_url}/docs")
        told = (*TYPES.values(), *TROUBLES.values())
        return [mails.mail_kind(PREFIX + one, find, SCHEDULE) for one in told]


MAIL = Mail()


@events.hears
def tell_of_trouble(connection: Connection, happened: Happened) -> None:
    """Put what has gone wrong with a part's money into the outbox, in the event's transaction."""
    told = TROUBLES.get(happened.kind)
    if told is not None:
        outbox.enqueue(
            connection,
            PREFIX + told,
            {str(happened.part_no): str(happened.number)},
            lane=MAIL.lane_of(happened),
            merchant=happened.merchant_id,
            now=happened.at,
        )


def _find(
    connection: Connection, message: Message, secret: str, *, api: str
) -> Destination | DeliveryResult:
    part = part_of(connection, message)
    event = None if part is None else event_of(part, message)
    if part is None or event is None:
        return _NO_PART
    merchant = merchants.merchant_by_id(connection, part.merchant_id)
    address = merchants.details(connection, part.merchant_id).order_email
    for_many = event.kind in TROUBLES
    if for_many:
        address = address or merchant.legal.get("email")
    if not address:
        return _NO_ADDRESS
    lang = i18n.choose([merchant.lang])
    about = About(
        part=part,
        event=event,
        contact=NOBODY
        if for_many
        else contacts.find(connection, part.order.order_no, secret=secret),
        shown=shown_part(connection, part, lang),
        sold_on=partner_by_id(connection, part.order.partner_id).display_name,
        lang=lang,
        api=api,
    )
    return Destination(address, write=about.letter)
