"""The phone's basket page: look, change, save for later, remove and take it back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.answers import answer
from jay.auth.guards import doorkeeper
from jay.auth.models import Partner
from jay.auth.service import partner_by_id
from jay.auth.tokens import User
from jay.auth.view import partner_view
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

POLL_SECONDS = 4
"""How often a phone asks whether another device has changed the basket."""
MAX_ID = 255


class _ChangedElsewhere(Exception):
    """Another device has changed the same product since this phone's page was made."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


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
        partner, found = _opened(connection, now)
        shown = view(connection, found)
    undo, message = session.pop("undo", None), session.pop("message", None)
    return page(
        "phone/basket.html",
        partner=partner_view(partner),
        lines=shown.cart,
        saved=shown.saved,
        totals=shown.totals,
        max_count=MAX_COUNT,
        items_action=url_for(".change_item"),
        undo=undo,
        message=message,
        version=found.version,
        state_url=url_for(".state"),
        poll_seconds=POLL_SECONDS,
        csrf=csrf_token(),
    )


@blp.get("/basket/state")
def state() -> Response:
    """Tell the basket's version, by which a page learns that another device has changed it."""
    now = web.clock()()
    with db.reading() as connection:
        _partner, found = _opened(connection, now)
    response = answer({"version": found.version, "pollSeconds": POLL_SECONDS})
    response.headers["Cache-Control"] = "no-store"
    return response


@blp.post("/basket/items")
def change_item() -> Response:
    """Change one product: ``action`` is plus, minus, set, save, cart, remove or undo.

    ``version`` and ``seen`` tell what the page showed. Where another device has changed the same
    product since then, nothing is changed, and the page shows what there is now.
    """
    check_csrf()
    now = web.clock()()
    product_id, action = request.form.get("product_id", ""), request.form.get("action", "")

    def change(connection: Connection) -> None:
        _partner, user = _visitor(connection)
        found = service.open_for_writing(connection, user, now=now)
        count = _asked_count(found, product_id, action, request.form)
        if _nothing_to_do(found, product_id, count):
            return
        if _changed_elsewhere(found, product_id, request.form):
            raise _ChangedElsewhere(_name(connection, found, product_id))
        if count == REMOVE:
            session["undo"] = _undo(connection, found, product_id)
        if count is not None:
            service.apply(connection, found, product_id, count=count, now=now)

    try:
        db.write(change)
    except TokenError:
        raise _NoBasket from None
    except (_ChangedElsewhere, BasketError) as error:
        session.pop("undo", None)
        elsewhere = isinstance(error, _ChangedElsewhere | NotInBasket)
        kind = "conflict" if elsewhere else "error"
        session["message"] = {"kind": kind, "text": _explain(error), "id": product_id[:MAX_ID]}
    return redirect(url_for(".basket"), 303)


def _opened(connection: Connection, now: datetime) -> tuple[Partner, Basket]:
    """Return the basket that this phone may open, and whose it is.

    :raises _NoBasket: none.
    """
    partner, user = _visitor(connection)
    try:
        return partner, service.read(connection, user, now=now)
    except TokenError:
        raise _NoBasket from None


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


def _nothing_to_do(found: Basket, product_id: str, count: int | None) -> bool:
    """Tell whether the basket already is as asked: a second tap, or another device was faster."""
    entry = found.entry(product_id)
    return entry is not None and entry.count == count


def _changed_elsewhere(found: Basket, product_id: str, form: Mapping[str, str]) -> bool:
    """Tell whether a page is older than the basket, and showed another count of this product."""
    version, seen = form.get("version", ""), form.get("seen")
    if seen is None or not version.isdecimal() or version == str(found.version):
        return False
    entry = found.entry(product_id)
    return seen != (str(REMOVE) if entry is None else str(entry.count))


def _name(connection: Connection, found: Basket, product_id: str) -> str:
    shown = view(connection, found)
    return next(line.name for line in [*shown.cart, *shown.saved] if line.id == product_id)


def _undo(connection: Connection, found: Basket, product_id: str) -> dict[str, Any]:
    shown = view(connection, found)
    line = next(line for line in [*shown.cart, *shown.saved] if line.id == product_id)
    return {"id": line.id, "name": line.name, "count": line.count}


def _explain(error: BasketError | _ChangedElsewhere) -> str:
    if isinstance(error, _ChangedElsewhere):
        return _(
            "Not changed: another device has just changed “%(name)s”. This is how it is now.",
            name=error.name,
        )
    return {
        CartFull: _("Your basket is full: 20 products fit in. Save or remove one first."),
        SavedFull: _("Your saved list is full. Remove something first."),
        OutOfStock: _("This is sold out at the moment. You can save it for later."),
        NotShoppable: _("This can't be bought at the moment. You can save it for later."),
        OrderLimit: _("The shop sells no more of this in one order."),
        NotInBasket: _("This was removed on another device."),
        ProductNotFound: _("This product is no longer available."),
    }.get(type(error), _("That did not work. Please try again."))
