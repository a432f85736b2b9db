"""``/baskets``: the list of the baskets that this phone holds."""

from dataclasses import dataclass
from datetime import datetime

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.baskets import held, service
from jay.baskets.view import BasketView, view
from jay.errors import TokenError
from jay.partners.view import PartnerView, partner_view
from jay.web.pages import PageBlueprint, csrf_token, page

blp = PageBlueprint("held_pages", __name__, guards=web.PUBLIC)


@dataclass(frozen=True)
class Card:
    """A basket of the list."""

    key: str
    partner: PartnerView
    shown: BasketView
    saved: int
    """How many products it keeps for later."""
    joinable: bool
    """Whether its products can join the open basket: both are of one partner."""


@blp.get("/baskets")
def baskets() -> Response:
    """Show what baskets this phone holds, the open one first."""
    now = web.now()
    with db.reading() as connection:
        mine = held.opened(connection, now)
        cards = [
            card
            for each in (mine, *held.others(connection, now))
            if (card := _card(connection, each, mine, now)) is not None
        ]
    return page(
        "phone/baskets.html",
        partner=partner_view(mine.partner),
        cards=cards,
        open_key=mine.key,
        gone="gone" in session,
        action=url_for(".change_list"),
        csrf=csrf_token(),
    )


@blp.post("/baskets")
def change_list() -> Response:
    """Open a basket of the list, put it into the open one, take it out or put it back."""
    now = web.now()
    action, key = request.form.get("action", ""), request.form.get("key", "")
    gone = session.pop("gone", "")
    if action == "open" and held.switch(key):
        return redirect(url_for("basket_pages.basket"), 303)
    if action == "join":
        db.write(lambda connection: _join(connection, key, now))
        return redirect(url_for("basket_pages.basket"), 303)
    left: str | None = None
    if action == "let-go":
        left = held.let_go(key)
    if action == "put-back":
        with db.reading() as connection:
            left = held.put_back(connection, gone, now)
    if left is not None:
        session["gone"] = left  # for as long as the page offers to undo it
    return redirect(url_for(".baskets"), 303)


def _card(connection: Connection, each: held.Held, mine: held.Held, now: datetime) -> Card | None:
    try:
        kept = service.read(connection, each.user, now=now)
    except TokenError:
        return None  # it was deleted
    shown, saved = view(connection, kept, with_saved=False), len(kept.saved)
    joinable = each is not mine and each.partner.id == mine.partner.id
    return Card(
        each.key,
        partner_view(each.partner),
        shown,
        saved,
        joinable=joinable and bool(shown.cart or saved),
    )


def _join(connection: Connection, key: str, now: datetime) -> None:
    mine = held.opened(connection, now)
    other = next((each for each in held.others(connection, now) if each.key == key), None)
    if other is not None and other.partner.id == mine.partner.id:
        try:
            service.join(connection, mine.user, other.user, now=now)
        except TokenError as error:
            raise held.ended(error) from error
