"""What is about to be bought, ready to print right above the button (BGB 312j 2).

One page shows what a session has frozen, and what a cart comes to before there is one, alike;
``seen`` is the mark of what was shown, which the button sends back: what is bought is compared with
it, and where they differ nothing is.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import orjson
from flask import url_for
from sqlalchemy import Connection

from jay import i18n, web
from jay.checkout import sessions
from jay.checkout.addresses import Contact
from jay.checkout.models import LeftOut, Line, PartSums, Session, frozen
from jay.checkout.sessions import NO_PRICE, NOT_LIVE, REMOVED, Draft
from jay.errors import NotShoppable, OrderLimit, OutOfStock
from jay.i18n import without_controls
from jay.legal.pages import Link
from jay.legal.seller_pages import links_to
from jay.merchants.service import merchant_by_id
from jay.products import service as catalogue
from jay.products.models import Product
from jay.products.showing import Image, first_images
from jay.products.unit_prices import unit_price_text
from jay.web.pages import gettext as _
from jay.web.pages import language


def order_button() -> str:
    """Return the button's words: these and no others make a contract (BGB 312j 3)."""
    return _("Order and pay")


@dataclass(frozen=True)
class Position:
    """A product with its essential properties, its count and what it costs."""

    name: str
    properties: Sequence[str]
    count: int
    price: str
    total: str
    image: Image | None
    per_unit: str | None = None
    """What a litre or the like costs."""


@dataclass(frozen=True)
class Part:
    """What one merchant sells: a contract of its own."""

    seller: str
    positions: Sequence[Position]
    shipping: str
    tax: str
    total: str


@dataclass(frozen=True)
class Missing:
    """A product of the cart that can't be bought now, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """What is about to be bought."""

    parts: Sequence[Part]
    total: str
    tax: str
    missing: Sequence[Missing]
    sellers: Sequence[tuple[str, str, Sequence[Link]]]
    """The name of each merchant, where it says who it is by law, and its texts."""
    seen: str


@dataclass(frozen=True)
class _Bought:
    """What a session has frozen, or a cart would."""

    lines: Sequence[Line]
    parts: Sequence[PartSums]
    currency: str
    amount: int
    tax: int


def of_session(connection: Connection, session: Session, contact: Contact) -> Summary:
    """Return what a session has frozen."""
    return _printed(connection, _frozen(session), session.left_out, contact)


def of_draft(connection: Connection, draft: Draft, contact: Contact) -> Summary:
    """Return what a cart comes to now.

    :raises CartEmpty: nothing of it can be bought.
    :raises MixedCurrency: it has prices in more than one currency.
    """
    stored = frozen(sessions.sums_of(draft), draft.sellers, language())
    bought = _Bought(
        [Line(**line) for line in stored["lines"]],
        [PartSums(**part) for part in stored["parts"]],
        *(stored[name] for name in ("currency", "amount", "tax")),
    )
    return _printed(connection, bought, draft.left_out, contact)


def mark_of(session: Session, contact: Contact) -> str:
    """Return the mark of a session as it would be shown: ``Summary.seen``."""
    return _mark(_frozen(session), contact)


def missing_of(connection: Connection, left_out: Sequence[LeftOut]) -> list[Missing]:
    """Return what can't be bought, with its names."""
    ids = [one.product_id for one in left_out]
    found = catalogue.find_many(connection, ids, now=web.now()) if ids else {}
    return [
        Missing(
            without_controls(found[one.product_id].name)
            if one.product_id in found
            else _("This product is gone"),
            _reason(one.reason, found.get(one.product_id)),
        )
        for one in left_out
    ]


def _frozen(session: Session) -> _Bought:
    return _Bought(session.lines, session.parts, session.currency, session.amount, session.tax)


def _mark(bought: _Bought, contact: Contact) -> str:
    content = orjson.dumps([asdict(bought), asdict(contact)])
    return hmac.digest(web.settings().secret_key.encode(), b"seen " + content, "sha256")[:16].hex()


def _printed(
    connection: Connection, bought: _Bought, left_out: Sequence[LeftOut], contact: Contact
) -> Summary:
    def money(amount: int) -> str:
        return i18n.money(amount, bought.currency, language())

    # Not frozen: a picture that comes meanwhile changes nothing of what is bought.
    named = [line.product_id for line in bought.lines]
    images = first_images(
        connection, catalogue.find_many(connection, named, now=web.now()).values()
    )
    parts = [
        Part(
            without_controls(merchant_by_id(connection, part.merchant_id).shown_name),
            [
                Position(
                    without_controls(line.name),
                    _properties(line),
                    line.count,
                    money(line.price),
                    money(line.total),
                    images.get(line.product_id),
                    unit_price_text(line.price, line.base_price, bought.currency, language()),
                )
                for line in bought.lines
                if line.merchant_id == part.merchant_id
            ],
            money(part.shipping) if part.shipping else _("free"),
            money(part.tax),
            money(part.total),
        )
        for part in bought.parts
    ]
    return Summary(
        parts,
        total=money(bought.amount),
        tax=money(bought.tax),
        missing=missing_of(connection, left_out),
        sellers=_sellers(connection, bought),
        seen=_mark(bought, contact),
    )


def _sellers(connection: Connection, bought: _Bought) -> list[tuple[str, str, Sequence[Link]]]:
    return [
        (
            without_controls(merchant_by_id(connection, part.merchant_id).shown_name),
            url_for("sellers.seller", name=part.merchant),
            links_to(part.merchant, part.texts),
        )
        for part in bought.parts
    ]


def _properties(line: Line) -> list[str]:
    named: Mapping[str, str | None] = {
        "": line.variant,
        _("Colour"): line.colour,
        _("Material"): line.material,
        _("Brand"): line.brand,
    }
    return [
        f"{name}: {without_controls(text)}" if name else without_controls(text)
        for name, text in named.items()
        if text
    ]


def _reason(reason: str, product: Product | None) -> str:
    limit = None if product is None else product.shipping.order_limit
    if reason == OrderLimit.constant() and limit:
        return _("The shop sells at most %(limit)s of this in one order.", limit=limit)
    left = None if product is None else product.stock_count
    if reason == OutOfStock.constant() and left is not None and left > 0:
        return _("Only %(n)s left", n=left)
    return {
        OutOfStock.constant(): _("Sold out"),
        OrderLimit.constant(): _("The shop sells fewer of this in one order."),
        NotShoppable.constant(): _("Can't be bought at the moment"),
        NO_PRICE: _("Can't be bought at the moment"),
        REMOVED: _("No longer available"),
        NOT_LIVE: _("This shop can't sell here yet."),
    }.get(reason, _("Can't be bought at the moment"))
