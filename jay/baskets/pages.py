"""The phone's basket page: look, change, save for later, remove and take it back."""

from collections.abc import Mapping
from typing import Any

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.auth.guards import doorkeeper
from jay.auth.models import Partner
from jay.auth.service import partner_by_id
from jay.auth.tokens import User
from jay.baskets import service
from jay.baskets.models import MAX_COUNT, REMOVE, Basket
from jay.baskets.view import view
from jay.errors import (
    BasketError,
    CartFull,
    NotInBasket,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    ProductNotFound,
    SavedFull,
    TokenError,
)
from jay.pages import PageBlueprint, check_csrf, csrf_token, page
from jay.pages import gettext as _

blp = PageBlueprint("basket_pages", __name__)


class _NoBasket(Exception):
    """This phone has no basket: nothing was taken over, or the credentials have ended."""


@blp.errorhandler(_NoBasket)
def _no_basket(_error: _NoBasket) -> Response:
    session.pop("token", None)
    return page("phone/refused.html", status=404, partner=None, reason="no-session")


@blp.get("/basket")
def basket() -> Response:
    """Show the basket that this phone has taken over."""
    now = web.clock()()
    with db.reading() as connection:
        partner, user = _visitor(connection)
        try:
            found = service.read(connection, user, now=now)
        except TokenError:
            raise _NoBasket from None
        shown = view(connection, found)
    undo, message = session.pop("undo", None), session.pop("message", None)
    return page(
        "phone/basket.html",
        partner={"name": partner.display_name, "colour": None, "logo": None},
        lines=shown.cart,
        saved=shown.saved,
        totals=shown.totals,
        max_count=MAX_COUNT,
        items_action=url_for(".change_item"),
        undo=undo,
        message=message,
        version=found.version,
        csrf=csrf_token(),
    )


@blp.post("/basket/items")
def change_item() -> Response:
    """Change one product: ``action`` is plus, minus, set, save, cart, remove or undo."""
    check_csrf()
    now = web.clock()()
    product_id, action = request.form.get("product_id", ""), request.form.get("action", "")

    def change(connection: Connection) -> None:
        _partner, user = _visitor(connection)
        found = service.open_for_writing(connection, user, now=now)
        count = _asked_count(found, product_id, action, request.form)
        if count == REMOVE:
            session["undo"] = _undo(connection, found, product_id)
        if count is not None:
            service.apply(connection, found, product_id, count=count, now=now)

    try:
        db.write(change)
    except TokenError:
        raise _NoBasket from None
    except BasketError as error:
        session.pop("undo", None)
        session["message"] = {"kind": "error", "text": _explain(error)}
    return redirect(url_for(".basket"), 303)


def _visitor(connection: Connection) -> tuple[Partner, User]:
    """Return whose basket this phone may open.

    :raises _NoBasket: none.
    """
    token, partner_id = session.get("token"), session.get("partner")
    if token is None or partner_id is None:
        raise _NoBasket
    partner = partner_by_id(connection, partner_id)
    try:
        return partner, doorkeeper().tokens.verify(token, partner, now=web.clock()())
    except TokenError:
        raise _NoBasket from None


def _asked_count(
    found: Basket, product_id: str, action: str, form: Mapping[str, str]
) -> int | None:
    """Return the count that the pressed button means; None where nothing is to change.

    :raises NotInBasket: the product has gone meanwhile, for example from another device.
    """
    entry = found.entry(product_id)
    typed = form.get("count", "").strip()
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= 6 else None
    if action == "undo":
        return min(number or 0, MAX_COUNT)
    if entry is None:
        raise NotInBasket
    # Plus and minus start from what the person saw, so that two quick taps on a slow network
    # and a reload of the answer never count twice.
    seen = entry.count if number is None else number
    counts = {
        "plus": min(seen + 1, MAX_COUNT),
        "minus": max(seen - 1, 1),
        "set": None if number is None else (min(number, MAX_COUNT) or REMOVE),
        "save": 0,
        "cart": 1,
        "remove": REMOVE,
    }
    return counts.get(action)


def _undo(connection: Connection, found: Basket, product_id: str) -> dict[str, Any]:
    shown = view(connection, found)
    line = next(line for line in [*shown.cart, *shown.saved] if line.id == product_id)
    return {"id": line.id, "name": line.name, "count": line.count}


def _explain(error: BasketError) -> str:
    return {
        CartFull: _("Your basket is full: 20 products fit in. Save or remove one first."),
        SavedFull: _("Your saved list is full. Remove something first."),
        OutOfStock: _("This is sold out at the moment. You can save it for later."),
        NotShoppable: _("This can't be bought at the moment. You can save it for later."),
        OrderLimit: _("The shop sells no more of this in one order."),
        NotInBasket: _("This was removed on another device."),
        ProductNotFound: _("This product is no longer available."),
    }.get(type(error), _("That did not work. Please try again."))
