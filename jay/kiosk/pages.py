"""The kiosk: pick products of a partner on a public screen, then take them along by phone."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.auth.guards import doorkeeper
from jay.auth.models import User
from jay.baskets import service as baskets
from jay.baskets.credentials import credentials
from jay.baskets.view import view
from jay.errors import BasketError, CartFull, RouteNotFound, TokenError
from jay.guests import service as guests
from jay.partners.models import Partner
from jay.partners.service import kiosk_partners, partner_by_name
from jay.partners.view import partner_view
from jay.products import service as catalogue
from jay.products.models import Product
from jay.products.view import org_price_text, price_text
from jay.transfers import service
from jay.web.limits import network_of
from jay.web.names import NAME_PATTERN
from jay.web.pages import PageBlueprint, csrf_token, language, local_path, page
from jay.web.pages import gettext as _
from jay.web.rates import GUESTS_OF_ADDRESS, take

blp = PageBlueprint("kiosk", __name__, guards=web.PUBLIC, error_template="tv/error.html")

PRODUCTS_A_PAGE = 8
LAST_PAGE = 100_000
LINES_SHOWN = 4
IDLE_SECONDS = 60
"""After this time without a touch the kiosk is the next person's."""

# Which country's offers a kiosk shows in a language.
_COUNTRY_OF = {"de": "DE", "en": "GB"}


@blp.get("/kiosk")
def start() -> Response:
    """List the partners whose products can be picked here."""
    with db.reading() as connection:
        found = kiosk_partners(connection)
    if len(found) == 1:
        return redirect(url_for(".wall", name=found[0].name))
    partners = [
        {"name": p.name, "title": p.display_name, "url": url_for(".wall", name=p.name)}
        for p in found
    ]
    return page("kiosk/start.html", partner=None, partners=partners)


@blp.get("/kiosk/<name>")
def wall(name: str) -> Response:
    """Show the products to pick from, and what has been picked."""
    number, now = _asked_page(), web.now()
    lang = language()
    with db.reading() as connection:
        partner = _kiosk(connection, name)
        products, count = catalogue.wall(
            connection,
            lang=lang,
            country=_COUNTRY_OF.get(lang, lang.upper()),
            offset=(number - 1) * PRODUCTS_A_PAGE,
            limit=PRODUCTS_A_PAGE,
            now=now,
        )
        mains = [product.id for product in products]
        variants = catalogue.variants_of(connection, mains, now=now)
        picked = _picked(connection, partner)
        shown = view(connection, picked)
    counts = {line.id: line.count for line in shown.cart}
    tiles = [_tile(product, variants[product.id], counts) for product in products]
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
        shown = view(connection, _picked(connection, partner))
    if product is None or len(variants) < 2:
        return redirect(_page_url(name, number), 303)
    session["focus"] = product_id  # the wall comes back to where it was left
    counts = {line.id: line.count for line in shown.cart}
    prices = [price_text(variant) for variant in variants]
    return page(
        "kiosk/choose.html",
        partner=partner_view(partner),
        product=_tile(product, variants, counts),
        sizes=variants[0].variant_type == "size",
        choices=[
            {
                "id": variant.id,
                "label": variant.variant_value or variant.sku,
                "price": price if len(set(prices)) > 1 else "",
                "sold_out": not variant.buyable,
                "in_cart": counts.get(variant.id, 0),
            }
            for variant, price in zip(variants, prices, strict=True)
        ],
        add_action=url_for(".add", name=name, page=number),
        reset_action=url_for(".reset", name=name),
        back_url=_page_url(name, number),
        idle=IDLE_SECONDS,
        csrf=csrf_token(),
    )


def _tile(
    product: Product, variants: Sequence[Product], counts: Mapping[str, int]
) -> dict[str, Any]:
    """Write a product of the wall. With several variants, picking it asks which one."""
    offered = variants or [product]
    there = [one for one in offered if one.buyable]
    cheapest = min(there or offered, key=lambda one: one.price or 0)
    price = price_text(cheapest)
    several = len({one.price for one in there}) > 1
    return {
        "id": product.id if len(variants) > 1 else offered[0].id,
        "name": product.name,
        "brand": product.brand_name,
        "price": _("from %(price)s", price=price) if several else price,
        "org_price": None if several else org_price_text(cheapest),
        "image": local_path(product.image_url),
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
    session["focus"] = product and (product.main_id or product.id)
    try:
        user = _shopper(name)
        db.write(_one_more, user, product_id=product_id, now=now)
    except CartFull:
        session["message"] = {"kind": "error", "text": _("Your basket is full: 20 products.")}
    except BasketError:
        session["message"] = {"kind": "error", "text": _("There is no more of this right now.")}
    return redirect(_page_url(name, number), 303)


def _one_more(connection: Connection, user: User, *, product_id: str, now: datetime) -> None:
    """Put one more into the basket."""
    found = baskets.open_for_writing(connection, user, now=now)
    known = found.entry(product_id)
    count = 1 if known is None else known.count + 1
    baskets.apply(connection, found, product_id, count=count, now=now)


@blp.post("/kiosk/<name>/code")
def show_code(name: str) -> Response:
    """Show the code that takes the kiosk's basket to a phone."""
    now = web.now()
    with db.reading() as connection:
        partner = _kiosk(connection, name)
    user = _user(partner)
    if user is None:
        return redirect(url_for(".wall", name=name), 303)
    offer = db.write(service.start, user, partner, now=now, kiosk=True)
    target = url_for("tv.screen", display_token=offer.secrets.display_token)
    return redirect(target, 303)


@blp.post("/kiosk/<name>/reset")
def reset(name: str) -> Response:
    """Forget the last person, with everything, and begin anew."""
    with db.reading() as connection:
        user = _user(_kiosk(connection, name))
    if user is not None:
        db.write(service.forget, user, now=web.now())
    session.clear()
    return redirect(url_for(".wall", name=name), 303)


def _asked_page() -> int:
    return min(max(1, request.args.get("page", 1, type=int)), LAST_PAGE)


def _shopper(name: str) -> User:
    """Return the guest whose basket this kiosk fills, a new one for a new person."""
    with db.transaction() as connection:
        partner = _kiosk(connection, name)
        user = _user(partner)
        if user is not None:
            return user
        take(GUESTS_OF_ADDRESS, network_of(request.remote_addr))
        made = guests.start(connection, partner, [], now=web.now())
    guest = credentials(doorkeeper().tokens, made)
    session["kiosk"] = guest.token
    return guest.user


def _kiosk(connection: Connection, name: str) -> Partner:
    partner = partner_by_name(connection, name) if NAME_PATTERN.fullmatch(name) else None
    if partner is None or not partner.kiosk:
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
    return None if user is None else baskets.read(connection, user, now=web.now())


def _page_url(name: str, number: int) -> str:
    return url_for(".wall", name=name, page=number)
