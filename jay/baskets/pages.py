"""The phone's basket page: look, change, save for later, remove and take it back."""

import textwrap
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.auth.guards import doorkeeper
from jay.auth.models import User
from jay.baskets import service, undo
from jay.baskets.focus import Did, after
from jay.baskets.models import MAX_COUNT, REMOVE, Basket
from jay.baskets.view import BasketView, Line, view
from jay.errors import (
    BasketError,
    Busy,
    CartFull,
    NotInBasket,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    ProductNotFound,
    SavedFull,
    TokenError,
    TokenKeyUnknown,
)
from jay.partners.models import Partner
from jay.partners.service import partner_by_id
from jay.partners.view import partner_view
from jay.web.pages import PageBlueprint, check_csrf, csrf_token, page
from jay.web.pages import gettext as _
from jay.web.responses import answer

blp = PageBlueprint("basket_pages", __name__)

POLL_SECONDS = 4
"""How often a phone asks whether another device has changed the basket."""

# The session is a cookie of at most 4 KB: what it holds from one request to the next is short.
MAX_ID = 300
MAX_NAME = 80
MAX_ACTION = 10

_TOLD = ("undo", "message", "did")
"""What the page after a change tells of it."""


class _ChangedElsewhere(Exception):
    """Another device has changed the same product since this phone's page was made."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _NoBasket(Exception):
    """This phone has no basket: nothing was taken over, or the credentials have ended."""


@blp.errorhandler(_NoBasket)
def _no_basket(_error: _NoBasket) -> Response:
    if session.pop("token", None) is not None:
        session["ended"] = True
    reason = "ended" if "ended" in session else "no-session"
    return page("phone/refused.html", status=404, partner=None, reason=reason)


def _refused(error: TokenError) -> Exception:
    """Return what a refused credential means: mostly its end, for a while that a key is missing."""
    return Busy() if isinstance(error, TokenKeyUnknown) else _NoBasket()


@blp.get("/basket")
def basket() -> Response:
    """Show the basket that this phone has taken over."""
    now = web.now()
    with db.reading() as connection:
        partner, found = _opened(connection, now)
        shown = view(connection, found)
    removed, message, last = (session.pop(name, None) for name in _TOLD)
    did = Did(**last) if last else None
    offer = did and removed and _undo_offer(did, undo.Removed(**removed), found)
    return page(
        "phone/basket.html",
        partner=partner_view(partner),
        lines=shown.cart,
        saved=shown.saved,
        totals=shown.totals,
        max_count=MAX_COUNT,
        items_action=url_for(".change_item"),
        undo=offer,
        message=message,
        touched=did and message and did.product_id,
        focus=did and after(did, shown, undo=offer is not None),
        said=did and not message and _said(did, shown, removed),
        version=found.version,
        state_url=url_for(".state"),
        poll_seconds=POLL_SECONDS,
        csrf=csrf_token(),
    )


@blp.get("/basket/state")
def state() -> Response:
    """Tell the basket's version, by which a page learns that another device has changed it."""
    now = web.now()
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
    now = web.now()
    product_id, action = request.form.get("product_id", ""), request.form.get("action", "")
    told: dict[str, Any] = {}

    def change(connection: Connection) -> None:
        told.clear()  # of a try that met a conflict
        _partner, user = _visitor(connection)
        found = service.open_for_writing(connection, user, now=now)
        did = Did(action[:MAX_ACTION], product_id[:MAX_ID], _place(found, product_id))
        told["did"] = asdict(did)
        count = _asked_count(found, product_id, action, request.form)
        entry = found.entry(product_id)
        if entry is not None and entry.count == count:
            return  # a second tap, or another device was faster
        if _changed_elsewhere(found, product_id, request.form):
            raise _ChangedElsewhere(_name(connection, found, product_id))
        if action == "undo" and entry is None:
            _put_back(connection, found, product_id, count=count or 0, now=now)
        elif count is not None:
            if count == REMOVE and entry is not None:
                name = _name(connection, found, product_id)
                told["undo"] = undo.Removed.of(entry, name).told()
            service.apply(connection, found, product_id, count=count, now=now)

    try:
        db.write(change)
    except TokenError as error:
        raise _refused(error) from error
    except (_ChangedElsewhere, BasketError) as error:
        told.pop("undo", None)
        elsewhere = isinstance(error, _ChangedElsewhere | NotInBasket)
        kind = "conflict" if elsewhere else "error"
        told["message"] = {"kind": kind, "text": _explain(error)}
    # Only now: what was not written is not told. And what an earlier change has left, because its
    # page was never shown, is about another product.
    for name in _TOLD:
        session.pop(name, None)
    session.update(told)
    return redirect(url_for(".basket"), 303)


def _opened(connection: Connection, now: datetime) -> tuple[Partner, Basket]:
    """Return the basket that this phone may open, and whose it is.

    :raises _NoBasket: none.
    """
    partner, user = _visitor(connection)
    try:
        return partner, service.read(connection, user, now=now)
    except TokenError as error:
        raise _refused(error) from error


def _visitor(connection: Connection) -> tuple[Partner, User]:
    """Return whose basket this phone may open.

    :raises _NoBasket: none.
    """
    token, partner_id = session.get("token"), session.get("partner")
    if token is None or partner_id is None:
        raise _NoBasket
    partner = partner_by_id(connection, partner_id)
    try:
        return partner, doorkeeper().tokens.verify(token, partner, now=web.now())
    except TokenError as error:
        raise _refused(error) from error


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


def _put_back(
    connection: Connection, found: Basket, product_id: str, *, count: int, now: datetime
) -> None:
    """Undo a removal: what the page has kept comes back, whatever the catalogue says now."""
    kept = undo.kept(request.form.get("kept", ""), product_id, found)
    if kept is not None:
        entry, place = kept
        service.put_back(connection, found, entry, place=place, now=now)
        return
    try:
        service.apply(connection, found, product_id, count=count, now=now)
    except (NotShoppable, OutOfStock, OrderLimit, CartFull):
        service.apply(connection, found, product_id, count=0, now=now)


def _undo_offer(did: Did, removed: undo.Removed, found: Basket) -> dict[str, Any]:
    """Return what the page needs to offer that a product is put back where it was."""
    return {
        "id": did.product_id,
        "place": did.place,
        "name": removed.name,
        "count": removed.count,
        "kept": undo.keep(removed, did.product_id, did.place, found),
    }


def _changed_elsewhere(found: Basket, product_id: str, form: Mapping[str, str]) -> bool:
    """Tell whether a page is older than the basket, and showed another count of this product."""
    version, seen = form.get("version", ""), form.get("seen")
    if seen is None or not version.isdecimal() or version == str(found.version):
        return False
    entry = found.entry(product_id)
    return seen != (str(REMOVE) if entry is None else str(entry.count))


def _line(shown: BasketView, product_id: str) -> Line | None:
    return next((line for line in [*shown.cart, *shown.saved] if line.id == product_id), None)


def _name(connection: Connection, found: Basket, product_id: str) -> str:
    line = _line(view(connection, found), product_id)
    return "" if line is None else textwrap.shorten(line.name, MAX_NAME, placeholder=" …")


def _place(found: Basket, product_id: str) -> int:
    """Return at which place of its list a product stands, 0 when it is in none."""
    for entries in (found.cart, found.saved):
        for place, entry in enumerate(entries):
            if entry.product_id == product_id:
                return place
    return 0


def _said(did: Did, shown: BasketView, removed: dict[str, Any] | None) -> str:
    """Return what a change has led to, for those who do not see it."""
    if removed is not None:
        return _("Removed: %(name)s", name=removed["name"])
    line = _line(shown, did.product_id)
    if line is None:
        return ""
    if line in shown.saved:
        return _("Saved for later: %(name)s", name=line.name)
    total = shown.totals.total if shown.totals else None
    said = _("%(name)s: %(count)s in the basket.", name=line.name, count=line.count)
    return f"{said} {_('Total')}: {total}" if total else said


def _explain(error: BasketError | _ChangedElsewhere) -> str:
    if isinstance(error, OrderLimit):
        return _("The shop sells at most %(limit)s of this in one order.", limit=error.limit)
    if isinstance(error, _ChangedElsewhere):
        return _(
            "Not changed: another device has just changed “%(name)s”. This is how it is now.",
            name=error.name,
        )
    return {
        CartFull: _("Your basket is full: 20 products fit in. Save or remove one first."),
        SavedFull: _("Your saved list is full: 200 products fit in. Remove one first."),
        OutOfStock: _("This is sold out at the moment. You can save it for later."),
        NotShoppable: _("This can't be bought at the moment. You can save it for later."),
        NotInBasket: _("This was removed on another device."),
        ProductNotFound: _("This product is no longer available."),
    }.get(type(error), _("That did not work. Please try again."))
