"""How an order is shown to who has placed it, on its page and in mails alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from jay import i18n
from jay.checkout.addresses import Address
from jay.checkout.order_numbers import grouped
from jay.merchants.service import merchant_by_id
from jay.orders import service
from jay.orders.models import Order, OrderLine, OrderPart, PartState
from jay.partners.branding import Palette
from jay.partners.service import partner_by_id
from jay.products.models import brand_name
from jay.products.unit_prices import unit_price_text

INK = "#2f4bd8"
"""Words and lines in the colour of nobody in particular, as on the phone's pages."""


@dataclass(frozen=True)
class ShownLine:
    """A line of a part; ``which``: its essential properties (BGB 312j, 2), each isolated."""

    position: int
    sku: str
    name: str
    which: str
    count: int
    each: str | None
    per_unit: str | None
    total: str
    left: int
    gone: str | None


@dataclass(frozen=True)
class ShownParcel:
    """What was shipped at once, and how to follow it."""

    carrier: str | None
    number: str | None
    url: str | None


@dataclass(frozen=True)
class ShownPart:
    """What one merchant sells: a contract of its own.

    :ivar withdrawn: whether all of it was withdrawn from.
    """

    number: int
    merchant_id: int
    seller: str
    state: PartState
    lines: Sequence[ShownLine]
    goods: str
    shipping: str
    tax: str
    total: str
    refunded: str | None
    refund_due: str | None
    withdrawn: bool
    parcels: Sequence[ShownParcel]


@dataclass(frozen=True)
class Shown:
    """An order, ready to print in its language.

    :ivar number: as people read it.
    :ivar sold_on: the partner's name.
    """

    order_no: str
    number: str
    placed: str
    lang: str
    sold_on: str
    palette: Palette | None
    test: bool
    parts: Sequence[ShownPart]
    total: str
    tax: str

    @property
    def ink(self) -> str:
        """The partner's colour, for words and lines on white."""
        return INK if self.palette is None else self.palette.ink

    def part(self, number: int) -> ShownPart:
        """Return the part with this number."""
        return next(part for part in self.parts if part.number == number)


def shown(connection: Connection, order: Order, lang: str) -> Shown:
    """Read an order with all that is shown of it.

    :param lang: of the pages, such as that of the order.
    """
    partner = partner_by_id(connection, order.partner_id)
    parts = service.parts_of(connection, order)
    return Shown(
        order_no=order.order_no,
        number=grouped(order.order_no),
        placed=i18n.minute(order.created, lang, order.country),
        lang=lang,
        sold_on=partner.display_name,
        palette=partner.palette,
        test=order.test,
        parts=[shown_part(connection, part, lang) for part in parts],
        total=i18n.money(order.amount, order.currency, lang),
        tax=i18n.money(sum(part.tax for part in parts), order.currency, lang),
    )


def spoken(order: Order) -> str:
    """Return the language in which an order's shopper is told of it."""
    return i18n.choose([order.lang])


def lines_of(address: Address | None, lang: str) -> list[str]:
    """Write an address as on an envelope."""
    if address is None:
        return []
    lines = [
        f"{address.first_name} {address.last_name}",
        f"{address.street} {address.house_number}",
        address.addition or "",
        f"{address.zip} {address.city}",
        i18n.country(address.country_code, lang),
    ]
    return [line.strip() for line in lines if line.strip()]


def shown_part(connection: Connection, part: OrderPart, lang: str) -> ShownPart:
    """Return what is shown of a part, in a language."""

    def money(amount: int) -> str:
        return i18n.money(amount, part.order.currency, lang)

    return ShownPart(
        number=part.number,
        merchant_id=part.merchant_id,
        seller=merchant_by_id(connection, part.merchant_id).shown_name,
        state=part.state,
        lines=[_line(line, part, lang) for line in part.lines],
        goods=money(part.goods),
        shipping=money(part.shipping) if part.shipping else i18n.texts(lang).gettext("free"),
        tax=money(part.tax),
        total=money(part.total),
        refunded=money(part.refunded) if part.refunded else None,
        refund_due=day(part.still_due, lang),
        withdrawn=part.withdrawn_whole,
        parcels=[ShownParcel(one.carrier, one.tracking_number, one.url) for one in part.parcels],
    )


def day(moment: datetime | None, lang: str) -> str | None:
    """Write a day; None stays None."""
    return None if moment is None else i18n.day(moment, lang)


def _line(line: OrderLine, part: OrderPart, lang: str) -> ShownLine:
    order, told = part.order, line.described
    which = [line.variant, told.get("colour"), told.get("material"), brand_name(told)]
    return ShownLine(
        position=line.position,
        sku=line.sku,
        name=line.name,
        which=" · ".join(dict.fromkeys(i18n.isolated(str(one)) for one in which if one)),
        count=line.ordered,
        each=i18n.money(line.price, order.currency, lang) if line.ordered > 1 else None,
        per_unit=unit_price_text(line.price, told.get("basePrice"), order.currency, lang),
        total=i18n.money(line.price * line.ordered, order.currency, lang),
        left=line.left,
        gone=_gone(line, part, lang),
    )


def _gone(line: OrderLine, part: OrderPart, lang: str) -> str | None:
    """Say what has become of pieces that are not coming, or go back."""
    ngettext = i18n.texts(lang).ngettext
    told = []
    if line.cancelled:
        count = line.cancelled
        told.append(ngettext("%(num)s cancelled", "%(num)s cancelled", count) % {"num": count})
    if line.returned:
        count = line.returned
        told.append(ngettext("%(num)s sent back", "%(num)s sent back", count) % {"num": count})
    withdrawn = part.withdrawn_pieces.get(str(line.position), 0) - line.returned
    if withdrawn > 0 and not part.withdrawn_whole:
        told.append(ngettext("%(num)s withdrawn", "%(num)s withdrawn", withdrawn))
        told[-1] %= {"num": withdrawn}
    return ", ".join(told) or None
