"""The phone's pages of a transfer, until it has the basket."""

import contextlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from flask import redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.auth.guards import doorkeeper
from jay.auth.models import User
from jay.baskets import held
from jay.baskets import service as baskets
from jay.baskets.credentials import credentials
from jay.baskets.showing import show_basket
from jay.baskets.view import view
from jay.errors import Busy, JayError, TokenError, TooManyRequests, TransferError
from jay.partners.models import Partner
from jay.partners.service import partner_by_id
from jay.partners.view import partner_view
from jay.transfers import service
from jay.transfers.models import Transfer, TransferState
from jay.transfers.pairs import pair_view
from jay.transfers.routes import claim_url
from jay.web import seldom
from jay.web.limits import AddressLimit, Limit
from jay.web.pages import (
    PageBlueprint,
    browser_id,
    csrf_token,
    has_basket,
    instead_of_csrf,
    language,
    page,
    sends_cookies,
    sent_from_here,
)
from jay.web.pages import gettext as _

blp = PageBlueprint("transfer_pages", __name__, guards=web.PUBLIC)

CODE_TRIES = AddressLimit("short code", 5)

EVERYBODY = "everybody"

_REASON = {
    TransferState.CLAIMED: ("claimed", 409),
    TransferState.CANCELLED: ("cancelled", 410),
    TransferState.EXPIRED: ("expired", 410),
}


@blp.get("/t/<token>")
def look(token: str) -> Response:
    """Show what a phone would take over. This never claims: link previews load it too."""
    now = web.now()
    with db.reading() as connection:
        try:
            transfer = service.find_by_token(connection, token, now=now)
        except TransferError as error:
            return _refused("unknown", error.status)
        if not transfer.claimable(now):
            return _refused_transfer(connection, transfer, transfer.state(now))
        showing = service.show(connection, transfer, now=now)
        basket = view(connection, showing.basket, with_saved=False)
        holding = _holding(connection, transfer, now)
    shop = transfer.url and claim_url(token, showing.partner.name, transfer.url)
    browser_id()  # before the claim, so that a claim whose answer is lost can be repeated
    return page(
        "phone/claim.html",
        partner=partner_view(showing.partner),
        state=TransferState.OPENED.value,
        lines=basket.cart,
        totals=basket.totals,
        seconds_left=transfer.seconds_left(now),
        pair=pair_view(transfer.pair, language()) if transfer.url is None else None,
        shop_url=shop,
        shop_host=shop and urlsplit(shop).netloc,
        opened_action=url_for(".opened", token=token),
        holding=holding,
        once=secrets.token_urlsafe(16),
        csrf=csrf_token(),
    )


@blp.post("/t/<token>/opened")
@instead_of_csrf(sent_from_here)
def opened(token: str) -> Response:
    """Let the TV know that somebody looks: the page's script tells so when the page is visible.

    Opening the page alone doesn't: previews, scanners and prefetching browsers do that too.
    """
    now = web.now()
    with db.transaction() as connection:
        transfer = service.find_by_token(connection, token, now=now)
        service.opened(connection, transfer, now=now)
    return Response(status=204, headers={"Cache-Control": "no-store"})


@blp.post("/t/<token>")
@instead_of_csrf(sent_from_here)
def claim(token: str) -> Response:
    """Take the basket over: the one minute and the single use are spent here, and only here."""
    partner, now = None, web.now()
    claimant = _claimant() if sends_cookies() else f"form {request.form.get('once', '')[:64]}"
    try:
        with db.reading() as connection:
            transfer = service.find_by_token(connection, token, now=now)
            partner = partner_by_id(connection, transfer.partner_id)
        if transfer.url is not None:
            # That shop's server redeems the token itself.
            return redirect(url_for(".look", token=token), 303)
        made = db.write(service.claim, token, now=now, claimant=claimant)
    except TransferError as error:
        return _refused(_reason_of(error), error.status, partner=partner)
    guest = credentials(doorkeeper().tokens, made)
    if not sends_cookies():
        return show_basket({}, held.Held(guest.token, made.partner, guest.user))
    if request.form.get("how") == "together":
        _put_together(guest.user, now)
    with db.reading() as connection:
        held.take(connection, guest.token, guest.user, now)
    session.pop("ended", None)
    return redirect(url_for("basket_pages.basket"), 303)


@dataclass(frozen=True)
class Holding:
    """What a phone should know before it takes one more basket over."""

    name: str
    """The partner of the basket that is open on it."""
    items: int
    same: bool
    """Whether it is the very basket that is offered."""
    joinable: bool
    """Whether both can be put together: those of one partner in one currency."""
    full: bool
    """Whether the phone holds as many as it can: the one opened least recently goes."""


def _holding(connection: Connection, transfer: Transfer, now: datetime) -> Holding | None:
    try:
        mine = held.opened(connection, now)
        kept = baskets.read(connection, mine.user, now=now)
    except (held.NoBasket, TokenError, Busy):
        return None
    everything = [*kept.cart, *kept.saved]
    return Holding(
        name=mine.partner.display_name,
        items=sum(entry.count for entry in kept.cart),
        same=kept.id == transfer.basket_id,
        joinable=bool(everything) and mine.partner.id == transfer.partner_id,
        full=held.is_full(),
    )


def _put_together(user: User, now: datetime) -> None:
    """Let the entries of the basket that is open on this phone join the one just taken over."""

    def join(connection: Connection) -> None:
        mine = held.opened(connection, now)
        if mine.partner.id == user.partner_id:
            baskets.join(connection, user, mine.user, now=now)

    # What is gone by now has nothing to give: the basket was taken over all the same.
    with contextlib.suppress(held.NoBasket, TokenError):
        db.write(join)


@blp.get("/")
@blp.get("/code")
def code() -> Response:
    """Ask for the short code."""
    return _code_page()


@blp.post("/code")
@instead_of_csrf(sent_from_here)
def type_code() -> Response:
    """Go on to the claim page of a typed code; one answer alike for wrong, expired and used."""
    typed = request.form.get("user_code", "")[:200]
    now, secret, counters = web.now(), web.settings().secret_key, _counters()
    limit, caller = counters[0]
    try:
        # A transaction of its own: the try stays counted.
        with db.transaction() as connection:
            for limit, caller in counters:
                limit.take(connection, caller, secret=secret, now=now)
    except TooManyRequests as error:
        if caller == EVERYBODY:
            seldom.warn("too many wrong codes from ever new addresses", most=limit.most)
        return _code_page(error, _("Too many tries. Please wait a minute."))
    with db.transaction() as connection:
        token = service.type_code(connection, typed, secret=secret, now=now)
        if token is not None:
            for limit, caller in counters:
                limit.give_back(connection, caller, secret=secret)
            service.opened(connection, service.find_by_token(connection, token, now=now), now=now)
    if token is None:
        return _code_page(
            None, _("This code does not work (any more). Check it, or get a new one on the TV.")
        )
    return redirect(url_for(".look", token=token), 303)


def _counters() -> list[tuple[Limit, str]]:
    """Return what counts a typed code: its address, the address's site, and all of them together.

    Whoever has any number of addresses guesses no more than the last one lets through.
    """
    of_all = Limit("all short codes", web.settings().wrong_codes)
    return [*CODE_TRIES.counters(request.remote_addr), (of_all, EVERYBODY)]


def _code_page(refused: JayError | None = None, error: str | None = None) -> Response:
    status = 200 if error is None else refused.status if refused is not None else 404
    response = page(
        "phone/code.html",
        status=status,
        partner=None,
        csrf=csrf_token(),
        error=error,
        has_basket=has_basket(),
        value=request.form.get("user_code", "")[:200],
    )
    response.headers.extend(refused.headers if refused is not None else {})
    return response


def _reason_of(error: TransferError) -> str:
    return error.constant().removeprefix("TRANSFER_").lower()


def _refused_transfer(connection: Connection, transfer: Transfer, state: TransferState) -> Response:
    if transfer.claimed_through(_claimant()):
        # The winner has scanned or reloaded again: its basket is one redirect away.
        return redirect(url_for("basket_pages.basket"), 303)
    return _refused(*_REASON[state], partner=partner_by_id(connection, transfer.partner_id))


def _claimant() -> str:
    return f"browser {browser_id()}"


def _refused(reason: str, status: int, *, partner: Partner | None = None) -> Response:
    return page(
        "phone/refused.html",
        status=status,
        partner=partner and partner_view(partner),
        reason=reason,
        has_basket=has_basket(),
    )
