"""Where payment service providers send their webhooks, and where they send the shopper back."""

from collections.abc import Callable

from flask import Flask, current_app, redirect, request, session, url_for
from werkzeug.wrappers import Response

from jay import db, web
from jay.checkout import flow, notices, sessions
from jay.checkout.models import ACTIVE, SessionState
from jay.checkout.order_numbers import grouped, typed_order_no
from jay.checkout.pages import TOLD
from jay.checkout.remembered import is_of_this_browser
from jay.errors import JayError, RouteNotFound
from jay.partners.service import partner_by_id
from jay.partners.view import partner_view
from jay.web import rates
from jay.web.pages import PageBlueprint, has_basket, page
from jay.web.rates import RETURNS

blp = PageBlueprint("psp", __name__, guards=web.PUBLIC, csrf=False)

MAX_WEBHOOK_BYTES = 256 * 1024

AGAIN_SECONDS = 3
"""How often the page looks again whether the payment has arrived."""


@blp.post("/psp/<name>/webhook")
def hear(name: str) -> Response:
    """Store what a provider tells, once; the worker asks it what is true."""
    psp = flow.provider()
    if psp.name != name:
        raise RouteNotFound
    request.max_content_length = MAX_WEBHOOK_BYTES  # it is no form
    notice = psp.read_webhook(dict(request.headers), request.get_data())
    db.write(notices.store, name, notice, now=web.now())
    return Response("ok\n", mimetype="text/plain")


@blp.get("/checkout/return/<order_no>")
def come_back(order_no: str) -> Response:
    """Ask the provider how a payment went, when the shopper comes back from it, and say so."""
    if typed_order_no(order_no) != order_no:
        raise RouteNotFound
    with db.reading() as connection:
        found = sessions.find(connection, order_no)
        if found is None:
            raise RouteNotFound
        partner = partner_view(partner_by_id(connection, found.partner_id))
    state = found.state
    if state in ACTIVE:
        try:
            rates.take_all(rates.of_address(RETURNS, request.remote_addr))
            state = flow.settle(order_no) or state
        except JayError:
            state = SessionState.PAYING  # the worker asks again
    if state is SessionState.OPEN and has_basket():
        session[TOLD] = flow.failure_of(found) or "unpaid"
        return redirect(url_for("checkout_pages.checkout"), 303)
    # The number alone shows nothing: it stands in mails, and people read it out to others.
    if state is SessionState.PAID and is_of_this_browser(order_no):
        address = _order_address()(order_no)
        if address is not None:
            return redirect(address, 303)
    return page(
        "phone/paid.html",
        partner=partner,
        state=state.value,
        order_no=grouped(order_no),
        again_seconds=AGAIN_SECONDS,
    )


OrderAddress = Callable[[str], str | None]
"""Returns the address of an order's page by its number; None where there is none."""


def init_app(app: Flask, order_address: OrderAddress) -> None:
    """Tell where an order is seen once it is paid: orders stand right of the checkout."""
    app.extensions["jay.order_address"] = order_address


def _order_address() -> OrderAddress:
    found: OrderAddress = current_app.extensions["jay.order_address"]
    return found
