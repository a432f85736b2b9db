"""The kiosk: pick products of a partner on a public screen, then take them along by phone."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.auth.guards import doorkeeper
from jay.auth.models import User
from jay.baskets import service as baskets
from jay.baskets.credentials import credentials
from jay.baskets.models import REMOVE, Basket
from jay.baskets.telling import explain
from jay.baskets.view import view
from jay.errors import (
    BasketError,
    CartFull,
    NotInBasket,
    NotShoppable,
    OrderLimit,
    RouteNotFound,
    TokenError,
    TransferClaimed,
)
from jay.guests import service as guests
from jay.i18n import without_controls
from jay.partners.models import Partner
from jay.partners.service import kiosk_partners
from jay.partners.view import partner_at, partner_view
from jay.products import service as catalogue
from jay.products import wall as walls
from jay.products.models import Product
from jay.products.showing import Image, first_images
from jay.products.view import price_text, unit_price, was
from jay.transfers import service
from jay.transfers.service import StartedTransfer
from jay.web.pages import (
    PageBlueprint,
    csrf_token,
    language,
    page,
)
from jay.web.pages import gettext as _
from jay.web.rates import GUESTS_OF_ADDRESS, TRANSFERS_OF_ADDRESS, of_address, take_all

blp = PageBlueprint("kiosk", __name__, guards=web.PUBLIC, error_template="tv/error.html")

PRODUCTS_A_PAGE = 8
SHOPS_A_PAGE = 6
CHOICES_A_PAGE = 9
PICKS_A_PAGE = 5
LAST_PAGE = 100_000
LINES_SHOWN = 4
IDLE_SECONDS = 60
"""After this time without a touch the kiosk is the next person's."""


@dataclass(frozen=True)
class Part:
    """A part of a list that is too long for one screen; parts are counted from 1."""

    number: int
    size: int
    count: int

    @classmethod
    def of(cls, count: int, size: int, asked: int) -> "Part":
        """Return the part that is asked for, or the last one there is."""
        return cls(min(asked, max(1, -(-count // size))), size, count)

    @property
    def first(self) -> int:
        """How many stand before it."""
        return (self.number - 1) * self.size

    @property
    def end(self) -> int:
        """How many there are up to its end."""
        return min(self.first + self.size, self.count)

    @property
    def before(self) -> int | None:
        """The part before it."""
        return self.number - 1 if self.number > 1 else None

    @property
    def after(self) -> int | None:
        """The part after it."""
        return self.number + 1 if self.end < self.count else None


@blp.get("/kiosk")
def start() -> Response:
    """List the partners whose products can be picked here."""
    with db.reading() as connection:
        found = kiosk_partners(connection)
    if len(found) == 1:
        return redirect(url_for(".wall", name=found[0].name))
    part = Part.of(len(found), SHOPS_A_PAGE, _asked("page"))
    partners = [
        {"view": partner_view(p), "url": url_for(".wall", name=p.name)}
        for p in found[part.first : part.end]
    ]
    return page(
        "kiosk/start.html", partner=None, partners=partners, part=part, url=_self_with("page")
    )


@blp.get("/kiosk/<name>")
def wall(name: str) -> Response:
    """Show the products to pick from, and what has been picked."""
    number, now = _asked_page(), web.now()
    with db.reading() as connection:
        partner = _kiosk(connection, name)
        products, count = walls.find_page(
            connection,
            lang=language(),
            country=partner.country,
            offset=(number - 1) * PRODUCTS_A_PAGE,
            limit=PRODUCTS_A_PAGE,
            now=now,
        )
        mains = [product.id for product in products]
        variants = catalogue.variants_of(connection, mains, now=now)
        picked = _picked(connection, partner)
        shown = view(connection, picked, with_saved=False)
        images = first_images(connection, products)
    counts = {line.id: line.count for line in shown.cart}
    tiles = [
        _tile(product, variants[product.id], counts, images.get(product.id)) for product in products
    ]
    for tile in tiles:
        if tile["choose"]:
            tile["url"] = url_for(".choose", name=name, page=number, product=tile["id"])
    pages = max(1, -(-count // PRODUCTS_A_PAGE))
    if number > pages:
        return redirect(_page_url(name, pages), 303)
    return page(
        "kiosk/wall.html",
        partner=partner_view(partner),
        products=tiles,
        page=number,
        pages=pages,
        prev_url=_page_url(name, number - 1) if number > 1 else None,
        next_url=_page_url(name, number + 1) if number < pages else None,
        lines=shown.cart[-LINES_SHOWN:],
        cart_count=len(shown.cart),
        totals=shown.totals,
        add_action=url_for(".add", name=name, page=number),
        code_action=url_for(".show_code", name=name),
        reset_action=url_for(".reset", name=name),
        picked_url=url_for(".picked", name=name, page=number),
        idle=IDLE_SECONDS,
        focus=session.pop("focus", None),
        message=session.pop("message", None),
        csrf=csrf_token(),
    )


@blp.get("/kiosk/<name>/choose")
def choose(name: str) -> Response:
    """Let a person choose the size, or whatever a product's variants differ in."""
    number, product_id = _asked_page(), request.args.get("product", "")
    now = web.now()
    with db.reading() as connection:
        partner = _kiosk(connection, name)
        product = catalogue.find(connection, product_id, now=now)
        offered = catalogue.variants_of(connection, [product_id] if product else [], now=now)
        variants = offered.get(product_id, [])
        shown = view(connection, _picked(connection, partner), with_saved=False)
        images = first_images(connection, [product] if product else [])
    if product is None or len(variants) < 2:
        return redirect(_page_url(name, number), 303)
    part = Part.of(len(variants), CHOICES_A_PAGE, _asked("part"))
    session["focus"] = product_id  # the wall comes back to where it was left
    counts = {line.id: line.count for line in shown.cart}
    prices = [price_text(variant) for variant in variants]
    return page(
        "kiosk/choose.html",
        partner=partner_view(partner),
        product=_tile(product, variants, counts, images.get(product.id)),
        sizes=variants[0].variant_type == "size",
        choices=[
            {
                "id": variant.id,
                "label": without_controls(variant.variant_value or variant.sku),
                "price": price if len(set(prices)) > 1 else "",
                "sold_out": not variant.buyable,
                "in_cart": counts.get(variant.id, 0),
            }
            for variant, price in list(zip(variants, prices, strict=True))[part.first : part.end]
        ],
        part=part,
        url=_self_with("part"),
        add_action=url_for(".add", name=name, page=number),
        reset_action=url_for(".reset", name=name),
        back_url=_page_url(name, number),
        idle=IDLE_SECONDS,
        csrf=csrf_token(),
    )


def _tile(
    product: Product,
    variants: Sequence[Product],
    counts: Mapping[str, int],
    image: Image | None,
) -> dict[str, Any]:
    """Write a product of the wall. With several variants, picking it asks which one."""
    offered = variants or [product]
    there = [one for one in offered if one.buyable]
    cheapest = min(there or offered, key=lambda one: one.price or 0)
    price = price_text(cheapest)
    several = len({one.price for one in there}) > 1
    struck = {was(one) for one in there or offered}
    return {
        "id": product.id if len(variants) > 1 else offered[0].id,
        "name": without_controls(product.name),
        "lang": product.lang if product.lang != language() else None,
        "price": _("from %(price)s", price=price) if several else price,
        "was": struck.pop() if len(struck) == 1 and not several else None,
        "per_unit": unit_price(cheapest),
        "image": image,
        "sold_out": not there,
        "choose": len(variants) > 1,
        "main": product.id,
        "in_cart": sum(counts.get(one.id, 0) for one in offered),
    }


@blp.post("/kiosk/<name>")
def add(name: str) -> Response:
    """Put one more of a product into the kiosk's basket."""
    number, now = _asked_page(), web.now()
    asked = request.form.get("product_id", "")
    with db.reading() as connection:
        product = catalogue.find(connection, asked, now=now)
        offered = catalogue.variants_of(connection, [asked] if product else [], now=now)
        variants = offered.get(asked, [])
    chosen = "chosen" in request.form  # a product may be one of its variants itself
    if len(variants) > 1 and not chosen:
        # No button of ours sends this: which one is meant is still to be chosen.
        return redirect(url_for(".choose", name=name, page=number, product=asked), 303)
    product_id = variants[0].id if variants and not chosen else asked
    with db.reading() as connection:
        home = _kiosk(connection, name).country
    session["focus"] = product and (product.main_id or product.id)
    try:
        if product is not None and product.country != home:
            raise NotShoppable  # its price is not one of this country's
        try:
            db.write(_one_more, _shopper(name), product_id=product_id, now=now)
        except TransferClaimed:
            session.pop("kiosk")
            db.write(_one_more, _shopper(name), product_id=product_id, now=now)
    except CartFull:
        session["message"] = {"kind": "error", "text": _("Your basket is full: 20 products.")}
    except OrderLimit as error:
        session["message"] = {"kind": "error", "text": explain(error)}
    except BasketError:
        session["message"] = {"kind": "error", "text": _("There is no more of this right now.")}
    return redirect(_page_url(name, number), 303)


def _one_more(connection: Connection, user: User, *, product_id: str, now: datetime) -> None:
    """Put one more into the basket."""
    found = _own(connection, user, now)
    known = found.entry(product_id)
    count = 1 if known is None else known.count + 1
    baskets.apply(connection, found, product_id, count=count, now=now)


def _own(connection: Connection, user: User, now: datetime) -> Basket:
    """Open the kiosk's basket for writing.

    :raises TransferClaimed: a phone has it, and whoever stands here now may be somebody else.
    """
    found = baskets.open_for_writing(connection, user, now=now)
    if found.claimed:
        raise TransferClaimed
    return found


@blp.post("/kiosk/<name>/code")
def show_code(name: str) -> Response:
    """Show the code that takes the kiosk's basket to a phone."""
    now = web.now()
    with db.reading() as connection:
        partner = _kiosk(connection, name)
    user = _user(partner)
    if user is None:
        return redirect(url_for(".wall", name=name), 303)
    take_all(of_address(TRANSFERS_OF_ADDRESS, request.remote_addr))
    try:
        offer = db.write(_offer, user, partner, now=now)
    except TransferClaimed:
        session.pop("kiosk")
        return redirect(url_for(".wall", name=name), 303)
    target = url_for("tv.screen", display_token=offer.secrets.display_token)
    return redirect(target, 303)


def _offer(
    connection: Connection, user: User, partner: Partner, *, now: datetime
) -> StartedTransfer:
    _own(connection, user, now)
    return service.start(connection, user, partner, now=now, kiosk=True)


@blp.post("/kiosk/<name>/reset")
def reset(name: str) -> Response:
    """Forget the last person, with everything, and begin anew."""
    with db.reading() as connection:
        user = _user(_kiosk(connection, name))
    if user is not None:
        db.write(service.forget, user, now=web.now())
    session.clear()
    return redirect(url_for(".wall", name=name), 303)


@blp.get("/kiosk/<name>/picked")
def picked(name: str) -> Response:
    """Show everything that was picked, to put single things back, or after a question all."""
    number = _asked_page()
    with db.reading() as connection:
        partner = _kiosk(connection, name)
        shown = view(connection, _picked(connection, partner), with_saved=False)
    if not shown.cart:
        return redirect(_page_url(name, number), 303)
    part = Part.of(len(shown.cart), PICKS_A_PAGE, _asked("part"))
    return page(
        "kiosk/picked.html",
        partner=partner_view(partner),
        lines=shown.cart[part.first : part.end],
        totals=shown.totals,
        part=part,
        url=_self_with("part"),
        asks=request.args.get("ask") == "all",
        ask_url=_self_with("ask")("all"),
        keep_url=_self_with("ask")(None),
        less_action=url_for(".less", name=name, page=number, part=part.number),
        code_action=url_for(".show_code", name=name),
        reset_action=url_for(".reset", name=name),
        back_url=_page_url(name, number),
        idle=IDLE_SECONDS,
        csrf=csrf_token(),
    )


@blp.post("/kiosk/<name>/picked")
def less(name: str) -> Response:
    """Put one of a product back, or all of it."""
    product_id, now = request.form.get("product_id", ""), web.now()
    with db.reading() as connection:
        user = _user(_kiosk(connection, name))
    if user is not None:
        everything = request.form.get("action") == "remove"
        # It was put back already, or a phone has it.
        with contextlib.suppress(BasketError, TransferClaimed):
            db.write(_one_less, user, product_id=product_id, everything=everything, now=now)
    here = url_for(".picked", name=name, page=_asked_page(), part=_asked("part"))
    return redirect(here, 303)


def _one_less(
    connection: Connection, user: User, *, product_id: str, everything: bool, now: datetime
) -> None:
    """Put one back, or all of it."""
    found = _own(connection, user, now)
    known = found.entry(product_id)
    if known is None:
        raise NotInBasket
    count = REMOVE if everything or known.count <= 1 else known.count - 1
    baskets.apply(connection, found, product_id, count=count, now=now)


def _asked_page() -> int:
    return _asked("page")


def _asked(parameter: str) -> int:
    return min(max(1, request.args.get(parameter, 1, type=int)), LAST_PAGE)


def _self_with(parameter: str) -> Callable[[Any], str]:
    """Return what makes this page's address with another value of a parameter, None: without it."""
    given = {name: value for name, value in request.args.items() if name != parameter}

    def address(value: Any) -> str:
        return "?" + urlencode(given if value is None else {**given, parameter: value})

    return address


def _shopper(name: str) -> User:
    """Return the guest whose basket this kiosk fills, a new one for a new person."""
    with db.transaction() as connection:
        partner = _kiosk(connection, name)
        user = _user(partner)
        if user is not None:
            return user
        take_all(of_address(GUESTS_OF_ADDRESS, request.remote_addr))
        made = guests.start(connection, partner, [], now=web.now())
    guest = credentials(doorkeeper().tokens, made)
    session["kiosk"] = guest.token
    return guest.user


def _kiosk(connection: Connection, name: str) -> Partner:
    partner = partner_at(connection, name)
    if not partner.kiosk:
        raise RouteNotFound
    return partner


def _user(partner: Partner) -> User | None:
    """Return the guest whose basket this kiosk fills at the moment."""
    token = session.get("kiosk")
    if token is None:
        return None
    try:
        return doorkeeper().tokens.verify(token, partner, now=web.now())
    except TokenError:
        return None


def _picked(connection: Connection, partner: Partner) -> Any:
    user = _user(partner)
    found = None if user is None else baskets.read(connection, user, now=web.now())
    # What a phone has is nobody's business here any more.
    return None if found is None or found.claimed else found


def _page_url(name: str, number: int) -> str:
    return url_for(".wall", name=name, page=number)
