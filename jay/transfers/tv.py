"""The TV's pages of a transfer: the code, the countdown and the state."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import g, redirect, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.baskets.view import view
from jay.errors import TooManyRequests, TransferClaimed, TransferError
from jay.partners.service import partner_by_id
from jay.partners.view import partner_view
from jay.transfers import service
from jay.transfers.models import (
    CLAIM_WINDOW,
    POLL_SECONDS,
    PURCHASE_POLL_SECONDS,
    PurchaseState,
    Secrets,
    TransferState,
    spaced_code,
)
from jay.transfers.pairs import pair_view
from jay.web.pages import PageBlueprint, csrf_token, language, page
from jay.web.rates import TRANSFERS_OF_ADDRESS, of_address, take_all

# A TV app's browser may keep no cookies. Who knows a screen's address may ask for a code there.
blp = PageBlueprint("tv", __name__, guards=web.PUBLIC, csrf=False, error_template="tv/error.html")

LINES_SHOWN = 3
_SHOWN_INSTEAD = (PurchaseState.PAYING.value, PurchaseState.ORDERED.value)
"""What a screen shows instead of saying that the basket was taken over."""

HOST_LETTERS = 40
REFRESH_SECONDS = 3
"""How often the page loads itself anew where there is no JavaScript."""


@blp.get("/tv/<display_token>")
def screen(display_token: str) -> Response:
    """Show the code, the countdown and the state."""
    now = web.now()
    with db.reading() as connection:
        try:
            transfer = service.find_by_display(connection, display_token, now=now)
        except TransferError as error:
            return _gone(connection, display_token, error)
        showing = service.show(connection, transfer, now=now)
        # On a public screen nothing of a person is left when the basket has gone.
        over = showing.left_behind
        if over and transfer.state(now) is not TransferState.CLAIMED:
            return redirect(url_for("kiosk.wall", name=showing.partner.name), 303)
        # What is being paid for is what the screen is about, until it is ordered.
        shown_basket = None if over else showing.basket
        basket = view(connection, shown_basket, with_checkout=True, with_saved=False)
    secrets = Secrets(display_token)
    context: dict[str, Any] = {}
    if transfer.kiosk:
        context["reset_action"] = url_for("kiosk.reset", name=showing.partner.name)
        context["back_url"] = url_for("kiosk.wall", name=showing.partner.name)
    state, again = transfer.state(now), request.args.get("code") == "again"
    shown: str = state.value
    if again and state is TransferState.OPENED:
        shown = TransferState.PENDING.value  # the code is wanted large, whoever looks at it
    elif state is TransferState.CLAIMED and transfer.purchase in _SHOWN_INSTEAD:
        shown = transfer.purchase
    return page(
        "tv/transfer.html",
        ancestors=showing.partner.frame_sources,
        partner=partner_view(showing.partner),
        state=shown,
        again=again,
        lines=basket.cart[:LINES_SHOWN],
        left_behind=over,
        more=len(basket.cart[LINES_SHOWN:]),
        totals=basket.totals,
        qr_src=url_for("screens.get_qr_svg", displayToken=display_token),
        user_code=spaced_code(secrets.shown_code(transfer)),
        code_address=f"{web.settings().public_host}/code",
        seconds_left=transfer.seconds_left(now),
        lifetime=int(CLAIM_WINDOW.total_seconds()),
        status_url=url_for("screens.get_status", displayToken=display_token),
        poll_seconds=POLL_SECONDS,
        refresh_seconds=REFRESH_SECONDS,
        follow_seconds=_seconds(transfer.followed_for(now)),
        purchase_seconds=PURCHASE_POLL_SECONDS,
        pair=pair_view(transfer.pair, language()) if transfer.url is None else None,
        shop_host=transfer.url and _shown_host(transfer.url),
        renew_action=url_for(".renew", display_token=display_token),
        renew_seconds=_seconds(transfer.renewable_until - now) if showing.basket else 0,
        csrf=csrf_token() if transfer.kiosk else "",
        **context,
    )


@blp.post("/tv/<display_token>")
def renew(display_token: str) -> Response:
    """Make a new code for the same basket. Knowing the screen's address is the permission."""
    now = web.now()
    try:
        take_all(of_address(TRANSFERS_OF_ADDRESS, request.remote_addr))
    except TooManyRequests:
        with db.reading() as connection:
            transfer = service.left_alone(connection, display_token)
            if transfer is not None:
                g.ancestors = partner_by_id(connection, transfer.partner_id).frame_sources
        raise
    try:
        offer = db.write(service.renew, display_token, now=now)
    except TransferError as error:
        with db.reading() as connection:
            return _gone(connection, display_token, error)
    return redirect(url_for(".screen", display_token=offer.secrets.display_token), 303)


def _gone(connection: Connection, display_token: str, error: TransferError) -> Response:
    """Say that there is no more code to be had here; a kiosk goes back to its wall."""
    transfer = service.left_alone(connection, display_token)
    if transfer is None:
        return page("tv/gone.html", status=error.status, partner=None)
    partner = partner_by_id(connection, transfer.partner_id)
    if transfer.kiosk:
        return redirect(url_for("kiosk.wall", name=partner.name), 303)
    if isinstance(error, TransferClaimed):
        return redirect(url_for(".screen", display_token=display_token), 303)
    return page(
        "tv/gone.html",
        status=error.status,
        ancestors=partner.frame_sources,
        partner=partner_view(partner),
    )


def _shown_host(url: str) -> str:
    """Return the host of a web shop as people should see it: the end of it is whose it is."""
    host = urlsplit(url).netloc
    return host if len(host) <= HOST_LETTERS else f"…{host[-HOST_LETTERS:]}"


def _seconds(span: timedelta) -> int:
    return max(0, -int(-span / timedelta(seconds=1) // 1))
