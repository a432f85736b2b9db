"""The checkout over HTTP."""

from typing import Any

from flask import Response

from jay import db, web
from jay.auth.guards import current_user, require_partner, require_user
from jay.baskets import schemas as baskets_schemas
from jay.baskets import service as baskets
from jay.checkout import comfort, flow, schemas
from jay.checkout.addresses import Wrong
from jay.checkout.flow import Payable
from jay.checkout.sessions import Asked
from jay.errors import (
    CartEmpty,
    CheckoutNotFound,
    CheckoutPaying,
    GuestNotAllowed,
    MixedCurrency,
    NoActiveCheckout,
    PaymentProviderUnavailable,
    PaymentRefused,
    PaymentUnavailable,
    TooManyRequests,
    ValidationFailed,
)
from jay.web import tracking
from jay.web.idempotency import STEPWISE, done, step
from jay.web.responses import answer
from jay.web.versions import BASKET_API

blp = web.Blueprint("checkout", __name__, api=BASKET_API, guards=(require_partner, require_user))
blp.description = "From the basket to a paid order."

_SESSIONS = "/baskets/users/<userId>/checkout/sessions"


@blp.route("/baskets/users/<userId>/comfort", methods=["PATCH"])
@blp.arguments(schemas.ComfortSchema)
@blp.response(200, schemas.ComfortStateSchema)
@blp.errors(GuestNotAllowed)
def patch_comfort(body: dict[str, str | None], userId: str) -> Response:  # noqa: N803, ARG001
    """Set or remove the comfort settings of a user whose token the partner has signed."""
    secret = web.settings().secret_key
    with db.transaction() as connection:
        state = comfort.change(connection, current_user(), body, secret=secret, now=web.now())
    return answer(schemas.comfort_view(state))


@blp.route(_SESSIONS, methods=["POST"], once=STEPWISE)
@blp.arguments(schemas.CheckoutQuerySchema, location="query")
@blp.arguments(schemas.CheckoutRequestSchema, required=False)
@blp.response(200, schemas.CheckoutSchema)
@blp.errors(
    CartEmpty,
    MixedCurrency,
    CheckoutPaying,
    PaymentUnavailable,
    PaymentRefused,
    PaymentProviderUnavailable,
    TooManyRequests,
)
def start_checkout(query: dict[str, str], body: dict[str, Any], userId: str) -> Response:  # noqa: N803, ARG001
    """Start to pay for the cart: stock is reserved, and all amounts stay as they are.

    The same cart again is the same checkout; for another one the old payment is cancelled first.
    Who buys and where it goes may be sent with it, or later with the same cart, each on its own:
    `null` takes it back. `requirements` names what is missing. A checkout of which nothing is said
    can be paid all the same; its order then goes to nobody's address, and the platform knows whose
    it is.
    """
    asked = Asked(query["test_mode"] == "true", body.get("language"), body.get("country"))
    # A crash may have come after the start: then it is answered as it was.
    started = done("started")
    if started is None:
        said = schemas.said(body)
        try:
            found = flow.start(current_user(), asked, said=said, tracking=tracking.current())
        except Wrong as error:
            raise ValidationFailed(details=schemas.field_errors(error.problems)) from error
        started = step("started", lambda _connection: _view(found))
    return answer(started)


@blp.route(f"{_SESSIONS}/active", methods=["GET"])
@blp.response(200, schemas.CheckoutSchema)
@blp.errors(CheckoutNotFound, PaymentUnavailable, PaymentProviderUnavailable)
def get_active_checkout(userId: str) -> Response:  # noqa: N803, ARG001
    """Get the checkout that is not finished."""
    return answer(_view(flow.current(current_user())))


@blp.route(f"{_SESSIONS}/finish-active", methods=["POST"], once=STEPWISE)
@blp.arguments(schemas.FinishSchema)
@blp.response(200, baskets_schemas.BasketSchema)
@blp.errors(NoActiveCheckout, CheckoutPaying, PaymentUnavailable, PaymentProviderUnavailable)
def finish_active_checkout(body: dict[str, bool], userId: str) -> Response:  # noqa: N803, ARG001
    """Finish the active checkout; that it is paid is the provider's to say, not the client's."""
    # What it was about is kept: a repetition must not look for another one.
    order_no = step("found", flow.to_finish, current_user(), ordered=body["ordered"])
    if order_no is not None:
        flow.finish(order_no, ordered=body["ordered"])
    with db.reading() as connection:
        basket = baskets.read(connection, current_user(), now=web.now())
    return answer(baskets_schemas.basket_view(basket), etag=basket.etag)


def _view(found: Payable) -> dict[str, Any]:
    return schemas.checkout_view(
        found.session, found.client_secret, found.payment_url, found.contact
    )
