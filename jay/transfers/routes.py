"""Start and follow a transfer over HTTP."""

import base64
from typing import Any

from flask import Response
from sqlalchemy import Connection

from jay import db, web
from jay.auth.guards import (
    current_partner,
    current_user,
    require_partner,
    require_user,
)
from jay.auth.models import User
from jay.clock import iso
from jay.errors import (
    QrCodeGone,
    TooManyRequests,
    TransferCancelled,
    TransferExpired,
    TransferUnknown,
    TransferUrlRefused,
)
from jay.partners.models import Partner
from jay.transfers import qr, service
from jay.transfers.models import Secrets, TransferState, spaced_code, with_parameters
from jay.transfers.polling import status_of
from jay.transfers.schemas import (
    REQUESTS,
    StatusSchema,
    TransferQuerySchema,
    TransferRequestSchema,
    TransferSchema,
)
from jay.transfers.service import StartedTransfer
from jay.web import tracking
from jay.web.idempotency import STEPWISE, step
from jay.web.rates import POLLS, TRANSFERS, take
from jay.web.responses import answer
from jay.web.versions import BASKET_API

users = web.Blueprint("transfers", __name__, api=BASKET_API, guards=(require_partner, require_user))
users.description = "A basket goes to another device within one minute."

# Who knows the address of a screen may look at it: it holds 128 random bits.
screens = web.Blueprint("screens", __name__, api=BASKET_API, guards=web.PUBLIC)
screens.description = "What a TV needs to show a transfer; the addresses come with its start."


def _budgets() -> list[tuple[str, str]]:
    user = current_user()
    return [(TRANSFERS, f"{user.partner_id} {user.user_id}")]


@users.route("/baskets/users/<userId>/transfer", methods=["POST"], once=STEPWISE, budgets=_budgets)
@users.arguments(TransferQuerySchema, location="query")
@users.arguments(TransferRequestSchema, required=False, examples=REQUESTS)
@users.response(200, TransferSchema)
@users.errors(TransferUrlRefused, TooManyRequests)
def start_transfer(query: dict[str, str], body: dict[str, Any], userId: str) -> Response:  # noqa: N803, ARG001
    """Start a transfer: the basket can be taken over once, within 60 seconds."""
    offered = step("offered", _start, current_user(), current_partner(), body["url"])
    if query["qr"] == "true":
        image = base64.b64encode(qr.png(offered["url"])).decode()
        offered = {**offered, "qrCodeImageBase64": image}
    return answer(offered)


def _start(connection: Connection, user: User, partner: Partner, url: str | None) -> dict[str, Any]:
    offer = service.start(
        connection, user, partner, now=web.now(), url=url, tracking=tracking.current()
    )
    return _offer_view(offer, partner.name)


@screens.route("/transfers/<displayToken>/status", methods=["GET"])
@screens.response(200, StatusSchema)
@screens.errors(TransferUnknown, TooManyRequests)
def get_status(displayToken: str) -> Response:  # noqa: N803
    """Get the state of a transfer, for a TV that draws its own screen."""
    # Most polls never come here, see ``jay/transfers/polling.py``.
    take(POLLS, displayToken)
    now = web.now()
    with db.reading() as connection:
        transfer = service.find_by_display(connection, displayToken, now=now)
    return answer(status_of(transfer, now))


@screens.route("/transfers/<displayToken>/qr.png", methods=["GET"])
@screens.response(200, content_type="image/png", schema={"type": "string", "format": "binary"})
@screens.errors(TransferUnknown, TransferExpired, TransferCancelled, QrCodeGone, TooManyRequests)
def get_qr_png(displayToken: str) -> Response:  # noqa: N803
    """Get the QR code as PNG; it is gone with the transfer."""
    return Response(qr.png(_qr_payload(displayToken)), mimetype="image/png")


@screens.route("/transfers/<displayToken>/qr.svg", methods=["GET"])
@screens.response(200, content_type="image/svg+xml", schema={"type": "string"})
@screens.errors(TransferUnknown, TransferExpired, TransferCancelled, QrCodeGone, TooManyRequests)
def get_qr_svg(displayToken: str) -> Response:  # noqa: N803
    """Get the QR code as SVG; it is gone with the transfer."""
    return Response(qr.svg(_qr_payload(displayToken)), mimetype="image/svg+xml")


def _qr_payload(display_token: str) -> str:
    take(POLLS, display_token)  # to draw one costs more than to tell the state
    now = web.now()
    with db.reading() as connection:
        transfer = service.find_by_display(connection, display_token, now=now)
        showing = service.show(connection, transfer, now=now)
    if transfer.state(now) is TransferState.CLAIMED:
        raise QrCodeGone
    service.check_claimable(transfer, now)
    return claim_url(Secrets(display_token).jay_token, showing.partner.name, transfer.url)


def claim_url(token: str, source: str, shop_url: str | None) -> str:
    """Return what the QR code holds: the partner's web shop, or this service's claim page."""
    if shop_url is not None:
        return with_parameters(shop_url, {"jaySource": source, "jayToken": token})
    return f"{web.settings().public_url}/t/{token}"


def _offer_view(offer: StartedTransfer, source: str) -> dict[str, Any]:
    """Write a started transfer as ``TransferSchema`` has it, its picture not drawn yet."""
    token, public = offer.secrets.jay_token, web.settings().public_url
    url = claim_url(token, source, offer.url)
    screen = f"{public}{BASKET_API.prefix}/transfers/{offer.secrets.display_token}"
    return {
        "expires": iso(offer.expires),
        "jaySource": source,
        "jayToken": token,
        "url": url,
        "qrCodeImageUrl": f"{screen}/qr.png",
        "qrCodeImageBase64": None,
        "displayUrl": f"{public}/tv/{offer.secrets.display_token}",
        "statusUrl": f"{screen}/status",
        "userCode": spaced_code(offer.secrets.user_code),
    }
