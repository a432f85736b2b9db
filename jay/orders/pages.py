"""The page of an order: who has its address sees how far it is, without an account.

The address is a capability that mails and the purchase lead to. It shows no more of where it is
delivered than a town, since mails are passed on.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from flask import redirect, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.checkout import contacts
from jay.errors import OrderState, RouteNotFound
from jay.orders import refunding, service, steps, words
from jay.orders.models import Actor, Order, OrderPart, PartNo, PartState
from jay.orders.showing import shown
from jay.partners.service import partner_by_id
from jay.partners.view import partner_view
from jay.pictures.showing import image
from jay.products import service as catalogue
from jay.products.showing import Image, first_images
from jay.sealing import WrongKey
from jay.web.pages import PageBlueprint, language, page
from jay.web.pages import gettext as _

blp = PageBlueprint("order", __name__, guards=web.PUBLIC, csrf=False)

JUST_BOUGHT = timedelta(minutes=30)
"""So long the page says thank you first."""


@blp.get("/orders/<token>")
def show(token: str) -> Response:
    """Show an order: what it is, and how far each part is."""
    return _page(token)


@blp.post("/orders/<token>/cancel")
def cancel(token: str) -> Response:
    """Cancel a part that its merchant has not begun with; the money goes back."""
    order = _order(token)
    number = request.form.get("part", "")
    if not number.isdecimal() or len(number) > 2:
        raise RouteNotFound
    part_no = PartNo(order.order_no, int(number))
    try:
        db.write(steps.cancel, part_no, None, merchant=None, by=Actor.SHOPPER, now=web.now())
    except OrderState:
        return _page(token, too_late=int(number))
    refunding.settle(order.order_no)
    return redirect(url_for("order.show", token=token), 303)


def address_of(order_no: str) -> str | None:
    """Return the address of an order's page; None while there is no such order, or it is lost."""
    with db.reading() as connection:
        order = service.find(connection, order_no)
    if order is None:
        return None
    try:
        token = service.token_of(order, secret=web.settings().secret_key)
    except WrongKey:
        return None
    return url_for("order.show", token=token)


def _order(token: str) -> Order:
    with db.reading() as connection:
        order = service.find_by_token(connection, token)
    if order is None:
        raise RouteNotFound
    return order


def _page(token: str, *, too_late: int | None = None) -> Response:
    secret = web.settings().secret_key
    with db.reading() as connection:
        order = service.find_by_token(connection, token)
        if order is None:
            raise RouteNotFound
        partner = partner_view(partner_by_id(connection, order.partner_id))
        contact = contacts.find(connection, order.order_no, secret=secret)
        goes_to = contact.goes_to
        view = shown(connection, order, language())
        parts = service.parts_of(connection, order)
        images = _images(connection, parts)
    response = page(
        "phone/order.html",
        partner=partner,
        token=token,
        order=view,
        images=images,
        town=goes_to and f"{goes_to.zip} {goes_to.city}".strip(),
        mailed=contact.email is not None,
        new=web.now() - order.created < JUST_BOUGHT
        and all(part.state is PartState.NEW for part in parts),
        states={part.number: state_of(part) for part in parts},
        withdraw=words.withdraw(language()),
        withdraw_url=f"{words.path(language())}?order={order.order_no}",
        too_late=too_late,
    )
    response.status_code = 409 if too_late else 200
    return response


def _images(connection: Connection, parts: Sequence[OrderPart]) -> dict[tuple[int, int], Image]:
    """Return the pictures of an order's lines, by part and position."""
    found = service.pictures_of(connection, parts, now=web.now())
    lines = {(part.number, line.position): line.product_id for part in parts for line in part.lines}
    others = [one for key, one in lines.items() if key not in found]
    # The demo's drawings are there without being fetched.
    products = catalogue.find_many(connection, others, now=web.now())
    drawn = first_images(connection, products.values())
    return {key: drawn[one] for key, one in lines.items() if one in drawn} | {
        key: image(picture) for key, picture in found.items()
    }


def state_of(part: OrderPart) -> tuple[str, str]:
    """Return how far a part is, for people, and how it looks."""
    received = _("Received"), ""
    said: Mapping[PartState, tuple[str, str]] = {
        PartState.NEW: received,
        PartState.ACCEPTED: (_("Being prepared"), ""),
        PartState.SHIPPED: (_("On its way"), "is-good"),
        PartState.DELIVERED: (_("Delivered"), "is-good"),
        PartState.CANCELLED: (_("Cancelled"), "is-over"),
        PartState.RETURNED: (_("Sent back"), "is-over"),
    }
    if part.parcels and part.state in {PartState.NEW, PartState.ACCEPTED}:
        return _("Partly on its way"), "is-good"
    return said.get(part.state, received)  # what only a later version knows is true all the same
