"""The kiosk: pick products of a partner on a public screen, then take them along by phone."""

import functools
from datetime import datetime
from typing import Any

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.auth.guards import doorkeeper
from jay.auth.models import NAME_PATTERN, Partner
from jay.auth.service import kiosk_partners, partner_by_name
from jay.auth.tokens import User
from jay.baskets import service as baskets
from jay.baskets.view import org_price_text, price_text, view
from jay.errors import BasketError, CartFull, RouteNotFound, TokenError
from jay.guests import service as guests
from jay.pages import PageBlueprint, check_csrf, csrf_token, language, local_path, page
from jay.pages import gettext as _
from jay.products import service as catalogue
from jay.transfers import service

blp = PageBlueprint("kiosk", __name__)

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
    number = min(max(1, request.args.get("page", 1, type=int)), LAST_PAGE)
    lang = language()
    with db.reading() as connection:
        partner = _kiosk(connection, name)
        products, count = catalogue.wall(
            connection,
            lang=lang,
            country=_COUNTRY_OF.get(lang, lang.upper()),
            offset=(number - 1) * PRODUCTS_A_PAGE,
            limit=PRODUCTS_A_PAGE,
        )
        variants = catalogue.variants_of(connection, [product.id for product in products])
        picked = _picked(connection, partner)
        shown = view(connection, picked)
    counts = {line.id: line.count for line in shown.cart}
    tiles: list[dict[str, Any]] = []
    for product in products:
        # What is ordered is a variant where there are any: the first one that is there.
        offered = variants[product.id] or [product]
        choice = next((variant for variant in offered if variant.buyable), offered[0])
        in_cart = sum(counts.get(p.id, 0) for p in [product, *variants[product.id]])
        tiles.append(
            {
                "id": choice.id,
                "name": product.name,
                "brand": product.brand_name,
                "price": price_text(choice),
                "org_price": org_price_text(choice),
                "image": local_path(product.image_url),
                "sold_out": not choice.buyable,
                "in_cart": in_cart,
            }
        )
    pages = max(1, -(-count // PRODUCTS_A_PAGE))
    return page(
        "kiosk/wall.html",
        partner={"name": partner.display_name, "colour": None, "logo": None},
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


@blp.post("/kiosk/<name>")
def add(name: str) -> Response:
    """Put one more of a product into the kiosk's basket."""
    check_csrf()
    now, product_id = web.clock()(), request.form.get("product_id", "")
    session["focus"] = product_id
    try:
        user = _shopper(name)
        db.write(functools.partial(_one_more, user=user, product_id=product_id, now=now))
    except CartFull:
        session["message"] = {"kind": "error", "text": _("Your basket is full: 20 products.")}
    except BasketError:
        session["message"] = {"kind": "error", "text": _("There is no more of this right now.")}
    return redirect(url_for(".wall", name=name, page=request.args.get("page", 1, type=int)), 303)


def _one_more(connection: Connection, *, user: User, product_id: str, now: datetime) -> None:
    found = baskets.open_for_writing(connection, user, now=now)
    known = found.entry(product_id)
    count = 1 if known is None else known.count + 1
    baskets.apply(connection, found, product_id, count=count, now=now)


@blp.post("/kiosk/<name>/code")
def show_code(name: str) -> Response:
    """Show the code that takes the kiosk's basket to a phone."""
    check_csrf()
    now = web.clock()()
    with db.transaction() as connection:
        partner = _kiosk(connection, name)
        user = _user(partner)
        if user is None:
            return redirect(url_for(".wall", name=name), 303)
        offer = service.start(connection, user, partner, now=now, kiosk=True)
    target = url_for("transfer_pages.tv", display_token=offer.secrets.display_token)
    return redirect(target, 303)


@blp.post("/kiosk/<name>/reset")
def reset(name: str) -> Response:
    """Forget the last person and begin anew."""
    check_csrf()
    session.clear()
    return redirect(url_for(".wall", name=name), 303)


def _shopper(name: str) -> User:
    """Return the guest whose basket this kiosk fills, a new one for a new person."""
    with db.transaction() as connection:
        partner = _kiosk(connection, name)
        user = _user(partner)
        if user is not None:
            return user
        made = guests.start(connection, partner, [], now=web.clock()())
    guest = guests.credentials(doorkeeper().tokens, made)
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
        return doorkeeper().tokens.verify(token, partner, now=web.clock()())
    except TokenError:
        return None


def _picked(connection: Connection, partner: Partner) -> Any:
    user = _user(partner)
    return None if user is None else baskets.read(connection, user, now=web.clock()())


def _page_url(name: str, number: int) -> str:
    return url_for(".wall", name=name, page=number)
