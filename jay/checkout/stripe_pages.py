"""The one page with a script of another host: Stripe's form, which must come from Stripe.

Its address holds no token, as scripts on it could read that: who comes by the payment's address is
remembered in the session's cookie, and led on. Nothing else is on the page, and no other page has
its Content-Security-Policy.
"""

from flask import redirect, session, url_for
from werkzeug.wrappers import Response

from jay import db, web
from jay.checkout import sessions
from jay.checkout.models import SessionState
from jay.checkout.pay_links import order_no_of
from jay.errors import FormOutdated, RouteNotFound
from jay.i18n import money
from jay.web.pages import PageBlueprint, language, page, sends_cookies

blp = PageBlueprint("stripe", __name__, guards=web.PUBLIC)

SCRIPT = "https://js.stripe.com/endive/stripe.js"
"""Of the API's version that is pinned; it is never to be bundled, nor checked by a hash."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self' https://js.stripe.com https://*.js.stripe.com;"
    " frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com;"
    " connect-src 'self' https://api.stripe.com; style-src 'self' 'unsafe-inline';"
    " img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "strict-origin",
    # Banks and wallets open windows that answer to this one.
    "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
}

_PAYING = "paying"


@blp.get("/checkout/pay/<token>")
def enter(token: str) -> Response:
    """Remember which payment the browser has come for, and lead on to where no token is seen."""
    order_no = order_no_of(token, web.settings().secret_key)
    if order_no is None:
        raise RouteNotFound
    session[_PAYING] = order_no
    session.permanent = True
    return redirect(url_for("stripe.show"), 303)


@blp.get("/checkout/pay")
def show() -> Response:
    """Show Stripe's form, or where the payment has led to."""
    order_no = session.get(_PAYING)
    if order_no is None:
        raise RouteNotFound if sends_cookies() else FormOutdated
    with db.reading() as connection:
        found = sessions.find(connection, order_no)
    if found is None:
        raise RouteNotFound
    how = sessions.how_to_pay(found, secret=web.settings().secret_key)
    back = url_for("psp.come_back", order_no=order_no)
    if how is None or found.state is not SessionState.OPEN or found.expires <= web.now():
        return redirect(back, 303)
    shown = page(
        "phone/stripe.html",
        partner=None,
        amount=money(found.amount, found.currency, language()),
        script=SCRIPT,
        publishable_key=found.publishable_key,
        client_secret=how[0],
        return_url=web.settings().public_url + back,
        test=found.test,
    )
    shown.headers.update(HEADERS)
    return shown
