"""``POST /v2/baskets/guests``: a new guest, or the basket of a transfer taken over."""

from typing import Any

from flask import Response, g, request

from jay import db, web
from jay.auth.guards import current_partner, doorkeeper, require_partner
from jay.baskets.credentials import credentials
from jay.errors import (
    CartFull,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    ProductNotFound,
    SavedFull,
    TooManyRequests,
    TransferCancelled,
    TransferClaimed,
    TransferExpired,
    TransferUnknown,
    ValidationFailed,
)
from jay.guests import service
from jay.guests.schemas import GuestQuerySchema, GuestRequestSchema, GuestSchema, guest_view
from jay.transfers import service as transfers
from jay.web import tracking
from jay.web.limits import network_of
from jay.web.rates import GUESTS_OF_ADDRESS, GUESTS_OF_KEY, take
from jay.web.responses import answer
from jay.web.versions import BASKET_API

blp = web.Blueprint("guests", __name__, api=BASKET_API, guards=(require_partner,))
blp.description = "Baskets of people without an account at the partner."


@blp.route("/baskets/guests", methods=["POST"])
@blp.arguments(GuestQuerySchema, location="query")
@blp.arguments(GuestRequestSchema, required=False)
@blp.response(200, GuestSchema)
@blp.errors(
    ProductNotFound,
    NotShoppable,
    OutOfStock,
    OrderLimit,
    CartFull,
    SavedFull,
    TransferUnknown,
    TransferExpired,
    TransferClaimed,
    TransferCancelled,
    TooManyRequests,
)
def create_guest(query: dict[str, str], body: dict[str, Any]) -> Response:
    """Create a guest with a basket, or with jayToken take over the basket of a transfer."""
    token = query.get("jay_token")
    if token is not None and "products" in body:
        raise ValidationFailed(details={"products": ["Not allowed together with jayToken."]})
    if token is None:
        take(GUESTS_OF_KEY, str(g.api_key))
        take(GUESTS_OF_ADDRESS, network_of(request.remote_addr))
    now, partner, session = web.now(), current_partner(), tracking.current()
    with db.transaction() as connection:
        if token is None:
            lines = body.get("products", ())
            made = service.start(connection, partner, lines, now=now, tracking=session)
        else:
            made = transfers.claim(connection, token, now=now, partner=partner, tracking=session)
    return answer(guest_view(credentials(doorkeeper().tokens, made)))
