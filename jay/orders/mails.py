"""What the shopper of an order is told by mail: once for each thing that happens.

The outbox holds the order's number and which event it is about. An event is recorded once, and what
is to be said of it is put in within the same transaction; whom it goes to, and what it says, is
found when it is sent.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from jay import i18n
from jay.checkout import contacts, sessions
from jay.checkout.addresses import Contact
from jay.legal import service as legal
from jay.legal.models import PARTNER, THE_OPERATOR, Kind, Notice, Owner
from jay.legal.sellers import lines_of as sellers_lines
from jay.merchants.service import merchant_by_id
from jay.orders import events, mail_pictures, service, words
from jay.orders.events import Happened
from jay.orders.mail_pictures import Key
from jay.orders.models import Actor, Happening, Order, OrderEvent, OrderPart
from jay.orders.showing import Shown, lines_of, shown, spoken
from jay.outbox import mails, rendering
from jay.outbox import service as outbox
from jay.outbox.kinds import MessageKind
from jay.outbox.letters import Attachment, Letter
from jay.outbox.models import DeliveryResult, Destination, Message
from jay.partners.branding import palette_of
from jay.partners.service import partner_by_id
from jay.pictures.models import Picture
from jay.pictures.store import Store
from jay.sealing import WrongKey

RECEIVED = "order.received"
_TOLD = {
    Happening.SHIPPED: "order.shipped",
    Happening.CANCELLED: "order.cancelled",
    Happening.REFUNDED: "order.refunded",
}

_ATTACHED = ("terms", "withdrawal")
"""The legal texts that a contract must come with on a durable medium (BGB 312f, 2)."""

_NOBODY = DeliveryResult(failure="there is no such order any more", final=True)
_NO_ADDRESS = DeliveryResult(failure="no e-mail address of who has placed it is known", final=True)
_LOST = DeliveryResult(failure="its link was sealed with another JAY_SECRET_KEY", hold=True)

ACCENT = palette_of("#3a57e8")


@events.hears
def tell_shopper(connection: Connection, happened: Happened) -> None:
    """Put the mail about an event into the outbox, in the event's own transaction."""
    kind = _TOLD.get(happened.kind)
    if happened.kind is Happening.CREATED and happened.part_no.number == 1:
        kind = RECEIVED
    if kind is not None:
        order_no = happened.part_no.order_no
        which = f"{happened.part_no.number}/{happened.number}"
        lane = mails.lane_of(order_no)
        outbox.enqueue(connection, kind, {order_no: which}, lane=lane, now=happened.at)


@dataclass(frozen=True)
class Links:
    """Where a mail leads to."""

    order: str = field(repr=False)
    withdraw: str
    withdrawal: str
    legal: str | None


@dataclass(frozen=True)
class Action:
    """What there is to do."""

    words: str
    url: str = field(repr=False)


@dataclass(frozen=True)
class About:
    """What a mail is about, read in the transaction in which it was taken."""

    order: Order
    contact: Contact
    shown: Shown
    links: Links
    looks: Mapping[Key, Picture]
    store: Store

    def letter(self, template: str, subject: str, *, lines: Iterable[Key], **told: Any) -> Letter:
        """Write a letter about the order, in its language and the partner's colour.

        :param lines: those that it shows.
        """
        look = self.shown.palette or ACCENT
        placed, pictures = mail_pictures.attached(self.store, self.looks, lines)
        return rendering.letter(
            template,
            subject,
            self.shown.lang,
            shown=self.shown,
            links=self.links,
            sender=self.shown.sold_on,
            accent=look.accent,
            on_accent=look.text,
            ink=look.ink,
            pictures=pictures,
            placed=placed,
            **told,
        )


Write = Callable[[Connection, About, Message], Callable[[], Letter] | DeliveryResult]


class ShopperMails:
    """The kinds of mail that an order's shopper gets.

    :param public_url: where people reach this service.
    :param store: where the pictures are.
    """

    def __init__(self, public_url: str, store: Store) -> None:
        self._public_url = public_url
        self._store = store
        self.kinds: Iterable[MessageKind] = (
            self._kind(RECEIVED, _received),
            *(self._kind(name, _happened) for name in _TOLD.values()),
        )

    def _kind(self, name: str, write: Write) -> MessageKind:
        def find(
            connection: Connection, message: Message, secret: str
        ) -> Destination | DeliveryResult:
            about = self._about(connection, message, secret)
            if isinstance(about, DeliveryResult):
                return about
            written = write(connection, about, message)
            if isinstance(written, DeliveryResult):
                return written
            return Destination(about.contact.email or "", write=written)

        return mails.mail_kind(name, find)

    def _about(
        self, connection: Connection, message: Message, secret: str
    ) -> About | DeliveryResult:
        order_no = message.subject
        order = service.find(connection, order_no)
        if order is None:
            return _NOBODY
        contact = contacts.find(connection, order_no, secret=secret)
        if contact.email is None:
            return _NO_ADDRESS
        try:
            token = service.token_of(order, secret=secret)
        except WrongKey:
            return _LOST
        lang = spoken(order)
        links = Links(
            order=f"{self._public_url}/orders/{token}",
            withdraw=words.withdraw(lang),
            withdrawal=f"{self._public_url}{words.path(lang)}?order={order_no}",
            legal=legal_address(connection, order.partner_id, self._public_url),
        )
        parts = service.parts_of(connection, order)
        looks = service.pictures_of(connection, parts, now=message.since)
        return About(
            order, contact, shown(connection, order, lang), links, looks=looks, store=self._store
        )


def legal_address(connection: Connection, partner_id: int, public_url: str) -> str | None:
    """Return where imprint, privacy policy and the like are read; None where nothing was set up."""
    mine = Owner(PARTNER, partner_id)
    if legal.current(connection, [mine]):
        return f"{public_url}/legal/{partner_by_id(connection, partner_id).name}"
    return f"{public_url}/legal" if legal.current(connection, [THE_OPERATOR]) else None


def _received(
    connection: Connection, about: About, _message: Message
) -> Callable[[], Letter] | DeliveryResult:
    parts = service.parts_of(connection, about.order)
    attachments = [attached for part in parts for attached in _texts_shown(connection, part)]
    session = sessions.find(connection, about.order.order_no)
    # As it was when it was bought; parts are numbered in the session's order.
    sold = [] if session is None else session.parts
    lang = about.shown.lang
    sellers = {number: sellers_lines(one.seller, lang) for number, one in enumerate(sold, 1)}
    _ = i18n.texts(about.shown.lang).gettext
    subject = _("Your order %(number)s") % {"number": about.shown.number}
    return lambda: about.letter(
        "received",
        subject,
        lines=[(part.number, line.position) for part in parts for line in part.lines],
        attachments=attachments,
        attached=bool(attachments),
        sellers=sellers,
        goes_to=lines_of(about.contact.goes_to, about.shown.lang),
    )


def _texts_shown(connection: Connection, part: OrderPart) -> Iterable[Attachment]:
    """Yield the legal texts of a part's merchant, in the version that was shown."""
    merchant = merchant_by_id(connection, part.merchant_id)
    for text in part.texts:
        if text["kind"] not in _ATTACHED:
            continue
        owner = Owner("merchant", part.merchant_id)
        notice = Notice(
            owner, Kind(text["kind"]), text["lang"], text["version"], None, part.order.created
        )
        content = legal.text_of(connection, notice)
        if content is not None:
            name = f"{merchant.name}-{text['kind']}-{text['lang']}-{text['version']}.txt"
            yield Attachment(name, "text/plain", content.encode())


def _happened(
    connection: Connection, about: About, message: Message
) -> Callable[[], Letter] | DeliveryResult:
    part_number, _slash, number = (message.body or "").partition("/")
    parts = service.parts_of(connection, about.order)
    part = next((one for one in parts if str(one.number) == part_number), None)
    event = None
    if part is not None:
        event = next((one for one in part.events if str(one.number) == number), None)
    if part is None or event is None:
        return _NOBODY
    told = _TELL[event.kind](about, part, event)
    _ = i18n.texts(about.shown.lang).gettext
    told["facts"] = [(_("Order number"), about.shown.number), *told["facts"]]
    lines = [(part.number, position) for position in told["counts"] or ()]
    return lambda: about.letter("told", lines=lines, part=about.shown.part(part.number), **told)


def _shipped(about: About, part: OrderPart, event: OrderEvent) -> dict[str, Any]:
    _ = i18n.texts(about.shown.lang).gettext
    parcel = next((one for one in part.parcels if one.number == event.number), None)
    facts, action = [], None
    if parcel is not None and parcel.carrier:
        facts.append((_("Sent with"), parcel.carrier))
    if parcel is not None and parcel.tracking_number:
        facts.append((_("Tracking number"), parcel.tracking_number))
    if parcel is not None and parcel.url:
        action = Action(_("Follow the parcel"), parcel.url)
    return {
        "subject": _("On its way: your order %(number)s") % {"number": about.shown.number},
        "title": _("Your parcel is on its way"),
        "paragraphs": [_("The seller has sent it off. What is in the parcel is listed below.")],
        "facts": facts,
        "counts": counts_of(event.details),
        "action": action,
    }


def _cancelled(about: About, _part: OrderPart, event: OrderEvent) -> dict[str, Any]:
    _ = i18n.texts(about.shown.lang).gettext
    by_shopper = event.by is Actor.SHOPPER
    return {
        "subject": _("Cancelled: your order %(number)s") % {"number": about.shown.number},
        "title": _("This was cancelled"),
        "paragraphs": [
            _("You cancelled it before it was sent.")
            if by_shopper
            else _("The seller can't deliver it and has cancelled it. We are sorry."),
            _("You get your money back the way you paid. We write again when it is on its way."),
        ],
        "facts": [],
        "counts": counts_of(event.details),
        "action": None,
    }


def _refunded(about: About, _part: OrderPart, event: OrderEvent) -> dict[str, Any]:
    _ = i18n.texts(about.shown.lang).gettext
    currency, lang = about.order.currency, about.shown.lang
    amount = i18n.money(int(event.details.get("amount", 0)), currency, lang)
    return {
        "subject": _("Refund for your order %(number)s") % {"number": about.shown.number},
        "title": _("Your money is on its way back: %(amount)s") % {"amount": amount},
        "paragraphs": [
            _("It goes back the way you paid. Your bank may take a few days to show it.")
        ],
        "facts": [(_("Amount"), amount)],
        "counts": counts_of(event.details),
        "action": None,
    }


_TELL: Mapping[Happening, Callable[[About, OrderPart, OrderEvent], dict[str, Any]]] = {
    Happening.SHIPPED: _shipped,
    Happening.CANCELLED: _cancelled,
    Happening.REFUNDED: _refunded,
}


def counts_of(details: Mapping[str, Any]) -> dict[int, int] | None:
    """Return how many pieces an event is about, by position; None where it names none."""
    lines = details.get("lines")
    return None if not lines else {int(place): int(count) for place, count in lines.items()}
