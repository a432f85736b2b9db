"""The phone's basket page: look, change, save for later, remove and take it back."""

import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.baskets import held, service, undo
from jay.baskets.focus import Did
from jay.baskets.models import MAX_COUNT, REMOVE, Basket
from jay.baskets.showing import POLL_SECONDS, read_opened, show_basket
from jay.baskets.telling import ChangedElsewhere, explain, short_name
from jay.baskets.view import view
from jay.errors import (
    BasketError,
    CartFull,
    NotInBasket,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    TokenError,
)
from jay.web.pages import PageBlueprint, instead_of_csrf, page
from jay.web.pages import gettext as _
from jay.web.responses import answer

blp = PageBlueprint("basket_pages", __name__, guards=web.PUBLIC)

# The session is a cookie of at most 4 KB: what it holds from one request to the next is short.
MAX_ID = 300
MAX_ACTION = 10

_TOLD = ("undo", "message", "did")
"""What the page after a change tells of it."""


@blp.app_errorhandler(held.NoBasket)
def _no_basket(_error: held.NoBasket) -> Response:
    if held.drop_opened():
        session["ended"] = True
    reason = "ended" if "ended" in session else "no-session"
    has_others = "token" in session
    return page(
        "phone/refused.html", status=404, partner=None, reason=reason, has_others=has_others
    )


@blp.get("/basket")
def basket() -> Response:
    """Show the basket that this phone has taken over."""
    return show_basket({name: session.pop(name, None) for name in _TOLD})


@blp.get("/basket/state")
def state() -> Response:
    """Tell the basket's version, by which a page learns that another device has changed it."""
    now = web.now()
    with db.reading() as connection:
        _mine, found = read_opened(connection, now)
    response = answer({"version": found.version, "pollSeconds": POLL_SECONDS})
    response.headers["Cache-Control"] = "no-store"
    return response


@blp.post("/basket/items")
@instead_of_csrf(held.without_cookies)  # the credential itself comes with the form
def change_item() -> Response:
    """Change one product: ``action`` is plus, minus, set, size, save, cart, remove or undo.

    ``version`` and ``seen`` tell what the page showed. Where another device has changed the same
    product since then, nothing is changed, and the page shows what there is now.
    """
    now = web.now()
    product_id, action = request.form.get("product_id", ""), request.form.get("action", "")
    told: dict[str, Any] = {}

    def change(connection: Connection) -> None:
        told.clear()  # of a try that met a conflict
        found = service.open_for_writing(connection, held.opened(connection, now).user, now=now)
        did = Did(action[:MAX_ACTION], product_id[:MAX_ID], _place(found, product_id))
        told["did"] = asdict(did)
        _change(connection, found, product_id, action, told, now=now)

    try:
        db.write(change)
    except TokenError as error:
        raise held.ended(error) from error
    except (ChangedElsewhere, BasketError) as error:
        told.pop("undo", None)
        elsewhere = isinstance(error, ChangedElsewhere | NotInBasket)
        kind = "conflict" if elsewhere else "error"
        told["message"] = {"kind": kind, "text": explain(error)}
    if held.without_cookies():
        return show_basket(told)
    # Only now: what was not written is not told. And what an earlier change has left, because its
    # page was never shown, is about another product.
    for name in _TOLD:
        session.pop(name, None)
    session.update(told)
    return redirect(url_for(".basket"), 303)


def _change(
    connection: Connection,
    found: Basket,
    product_id: str,
    action: str,
    told: dict[str, Any],
    *,
    now: datetime,
) -> None:
    """Do what the pressed button means."""
    count = _asked_count(found, product_id, action, request.form)
    entry = found.entry(product_id)
    if entry is not None and entry.count == count and action != "size":
        return  # a second tap, or another device was faster
    if _changed_elsewhere(found, product_id, request.form):
        raise ChangedElsewhere(short_name(view(connection, found), product_id))
    if action == "undo" and entry is None:
        _put_back(connection, found, product_id, count=count or 0, now=now)
    elif action == "size":
        size = request.form.get("size", "")
        if size and size != product_id:
            service.exchange(connection, found, product_id, size, now=now)
            told["did"]["product_id"] = size[:MAX_ID]
    elif count is not None:
        if count == REMOVE and entry is not None:
            name = short_name(view(connection, found), product_id)
            told["undo"] = undo.Removed.of(entry, name).told()
        service.apply(connection, found, product_id, count=count, now=now)
    elif action == "set":
        told["message"] = {
            "kind": "error",
            "text": _(
                "That is no number. Type how many you want, from 0 to %(most)s.", most=MAX_COUNT
            ),
        }


def _asked_count(
    found: Basket, product_id: str, action: str, form: Mapping[str, str]
) -> int | None:
    """Return the count that the pressed button means; None where it means none.

    :raises NotInBasket: the product has gone meanwhile, for example from another device.
    """
    entry = found.entry(product_id)
    number = _number(form.get("count", ""))
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


def _number(typed: str) -> int | None:
    """Read a count in any script's digits, with blanks around it; None for anything else."""
    typed = "".join(unicodedata.normalize("NFKC", typed[:40]).split())
    return int(typed) if typed.isdecimal() and len(typed) <= 6 else None


def _changed_elsewhere(found: Basket, product_id: str, form: Mapping[str, str]) -> bool:
    """Tell whether a page is older than the basket, and showed another count of this product."""
    version, seen = form.get("version", ""), form.get("seen")
    if seen is None or not version.isdecimal() or version == str(found.version):
        return False
    entry = found.entry(product_id)
    return seen != (str(REMOVE) if entry is None else str(entry.count))


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


def _place(found: Basket, product_id: str) -> int:
    """Return at which place of its list a product stands, 0 when it is in none."""
    for entries in (found.cart, found.saved):
        for place, entry in enumerate(entries):
            if entry.product_id == product_id:
                return place
    return 0
