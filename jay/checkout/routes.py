"""The checkout over HTTP."""

from typing import Any

from flask import Response

from jay import db, web
from jay.auth.guards import current_user, require_partner, require_user
from jay.baskets import schemas as baskets_schemas
from jay.baskets import service as baskets
from jay.checkout import comfort, flow, one_click, schemas
from jay.checkout.addresses import Wrong
from jay.checkout.flow import Payable
from jay.checkout.pins import hash_pin
from jay.checkout.sessions import Asked
from jay.errors import (
    AuthenticationRequired,
    CartEmpty,
    CheckoutNotFound,
    CheckoutPaying,
    GuestNotAllowed,
    MixedCurrency,
    NoActiveCheckout,
    PaymentDeclined,
    PaymentNotStored,
    PaymentProviderUnavailable,
    PaymentRefused,
    PaymentUnavailable,
    PinLocked,
    PinRefused,
    PriceChanged,
    TooManyRequests,
    ValidationFailed,
)
from jay.web import rates, tracking
from jay.web.idempotency import STEPWISE, done, note
from jay.web.responses import answer
from jay.web.versions import BASKET_API

blp = web.Blueprint("checkout", __name__, api=BASKET_API, guards=(require_partner, require_user))
blp.description = "From the basket to a paid order."

_SESSIONS = "/baskets/users/<userId>/checkout/sessions"


def _budgets() -> list[tuple[str, str]]:
    return flow.budgets_of(current_user())


@blp.route("/baskets/users/<userId>/comfort", methods=["PATCH"])
@blp.arguments(schemas.ComfortSchema)
@blp.response(200, schemas.ComfortStateSchema)
@blp.errors(GuestNotAllowed, TooManyRequests)
def patch_comfort(body: dict[str, Any], userId: str) -> Response:  # noqa: N803, ARG001
    """Set or remove the comfort settings of a user whose token the partner has signed.

    Customer, payment token and consent together let `POST .../checkout/sessions/pay` pay.
    """
    secret = web.settings().secret_key
    if body.get("consent"):
        body["consent"] = body["consent"]["version"]
    pin = body.pop("pin", "")
    if pin is None:
        body["pin_hash"] = None
    elif pin and not current_user().guest:
        rates.take_all(_budgets())  # what a body without one costs, the user's requests bound
        body["pin_hash"] = hash_pin(pin)  # slow on purpose
    with db.transaction() as connection:
        state = comfort.change(connection, current_user(), body, secret=secret, now=web.now())
    return answer(schemas.comfort_view(state))


@blp.route(_SESSIONS, methods=["POST"], once=STEPWISE, budgets=_budgets)
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
        started = note("started", lambda: _view(found))
    return answer(started)


@blp.route(f"{_SESSIONS}/pay", methods=["POST"], once=STEPWISE, budgets=_budgets)
@blp.arguments(schemas.CheckoutQuerySchema, location="query")
@blp.arguments(schemas.PayRequestSchema, required=False)
@blp.response(200, schemas.CheckoutSchema)
@blp.errors(
    GuestNotAllowed,
    PaymentNotStored,
    PinRefused,
    PinLocked,
    AuthenticationRequired,
    PaymentDeclined,
    PriceChanged,
    CartEmpty,
    MixedCurrency,
    NoActiveCheckout,
    CheckoutPaying,
    PaymentUnavailable,
    PaymentRefused,
    PaymentProviderUnavailable,
    TooManyRequests,
)
def pay_checkout(query: dict[str, str], body: dict[str, Any], userId: str) -> Response:  # noqa: N803, ARG001
    """Pay for the cart by one call, with what the user has stored.

    The checkout is started as with `POST .../checkout/sessions`, or goes on where the cart is the
    same. Show what it comes to first, and send its `fullPrice` along. `state` is `paid` then, or
    `open` or `paying` where the provider takes longer. Where the bank asks for a second step, the
    details hold `paymentUrl` for the phone.
    """
    user = current_user()
    # A crash may have come after the start: then this checkout is paid, and no other one.
    order_no = done("order")
    if order_no is None:
        wallet = one_click.unlocked(user, body.get("pin"))
        asked = Asked(query["test_mode"] == "true", body.get("language"), body.get("country"))
        one_click.check(user, asked)
        try:
            found = flow.start(user, asked, said=schemas.said(body), tracking=tracking.current())
        except Wrong as error:
            raise ValidationFailed(details=schemas.field_errors(error.problems)) from error
        if body.get("full_price", found.session.amount) != found.session.amount:
            details = {"constant": PriceChanged.constant(), "fullPrice": found.session.amount}
            raise PriceChanged(details=details)
        order_no = note("order", lambda: found.session.order_no)
    else:
        wallet = one_click.wallet_of(user)
    return answer(_view(one_click.pay(order_no, wallet)))


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
    order_no = note("found", lambda: flow.to_finish(current_user(), ordered=body["ordered"]))
    if order_no is not None:
        flow.finish(order_no, ordered=body["ordered"])
    with db.reading() as connection:
        basket = baskets.read(connection, current_user(), now=web.now())
    return answer(baskets_schemas.basket_view(basket), etag=basket.etag)


def _view(found: Payable) -> dict[str, Any]:
    return schemas.checkout_view(
        found.session, found.client_secret, found.payment_url, found.contact
    )
