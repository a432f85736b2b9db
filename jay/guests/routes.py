"""``POST /v2/baskets/guests``: a new guest, or the basket of a transfer taken over."""

from datetime import datetime, timedelta
from typing import Any

from flask import Response, g, request
from sqlalchemy import Connection

from jay import web
from jay.auth.guards import current_partner, doorkeeper, need_no_user, require_partner
from jay.baskets.models import Grant
from jay.baskets.schemas import basket_view
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
from jay.partners.models import Partner
from jay.transfers import service as transfers
from jay.web import tracking
from jay.web.idempotency import Once, step
from jay.web.rates import GUESTS_OF_ADDRESS, GUESTS_OF_KEY, of_address
from jay.web.responses import answer
from jay.web.stored_answers import KEPT_FOR
from jay.web.versions import BASKET_API

blp = web.Blueprint("guests", __name__, api=BASKET_API, guards=(require_partner, need_no_user))
blp.description = "Baskets of people without an account at the partner."

CLAIM_REPLAYED_FOR = timedelta(minutes=10)
"""A lost answer is asked for again at once. Whoever has its key for longer has the credentials."""


def budgets_of(api_key: str, address: str | None) -> list[tuple[str, str]]:
    """Return what a new guest is counted for: the API key first, then the address."""
    return [(GUESTS_OF_KEY, api_key), *of_address(GUESTS_OF_ADDRESS, address)]


def _redeems() -> bool:
    return "jayToken" in request.args


def _budgets() -> list[tuple[str, str]]:
    if _redeems():
        return []
    return budgets_of(g.api_key, request.remote_addr)


def _kept_for() -> timedelta:
    return CLAIM_REPLAYED_FOR if _redeems() else KEPT_FOR


@blp.route(
    "/baskets/guests",
    methods=["POST"],
    once=Once(stepwise=True, kept_for=_kept_for),
    budgets=_budgets,
)
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
    partner = current_partner()
    if token is None:
        at = {"now": web.now(), "tracking": tracking.current()}
        lines = body.get("products", ())
        granted = step("granted", service.start, partner, lines, **at, told=_granted)
    else:
        granted = step("granted", _claim, token, partner, told=_granted)
    # Signed after the transaction: for one grant it is the same token each time.
    credential, expires = doorkeeper().tokens.issue(
        user_id=granted["user"],
        partner=partner,
        now=datetime.fromisoformat(granted["since"]),
        opens=granted["opens"],
    )
    return answer(guest_view(granted["user"], credential, expires, granted["basket"]))


def _claim(connection: Connection, token: str, partner: Partner) -> Grant:
    # What counts is the moment at which its turn has come.
    now, session = web.now(), tracking.current()
    return transfers.claim(connection, token, now=now, partner=partner, tracking=session)


def _granted(grant: Grant) -> dict[str, Any]:
    """Return what the credentials are made of."""
    return {
        "user": grant.user_id,
        "since": grant.since.isoformat(),
        "opens": grant.opens,
        "basket": basket_view(grant.basket),
    }
