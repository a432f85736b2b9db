"""``/checkout``: the shopper's way from the basket to the payment, on the phone.

First who buys and where it goes, then the summary with the one button. Nothing is reserved before
the address was told, and looking never changes anything: Back, a reload and a second tab are safe.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.baskets import held
from jay.baskets.showing import read_opened
from jay.checkout import contacts, flow, sessions, summary
from jay.checkout.address_form import AddressForm, country_choices, form_of, read_form
from jay.checkout.addresses import NOBODY, Contact, Wrong
from jay.checkout.flow import Payable
from jay.checkout.models import ACTIVE, Session, SessionState
from jay.checkout.remembered import Remembered, remember, remembered
from jay.checkout.saying import halted, told, ways_to_pay
from jay.checkout.sessions import Asked, Draft
from jay.errors import (
    CartEmpty,
    CheckoutPaying,
    MixedCurrency,
    PaymentProviderUnavailable,
    PaymentRefused,
    PaymentUnavailable,
    TokenError,
)
from jay.legal.guarantee import guarantee_notice
from jay.merchants.models import delivered_by_all
from jay.partners.view import partner_view
from jay.web import rates
from jay.web.pages import PageBlueprint, csrf_token, language, page, sends_cookies

blp = PageBlueprint("checkout_pages", __name__, guards=web.PUBLIC)


def init_app(app: Flask) -> None:
    """Let the basket's page say how it is paid."""
    app.context_processor(lambda: {"ways_to_pay": ways_to_pay})


TOLD = "checkout_told"
"""Where the session keeps what the next page tells."""


@dataclass(frozen=True)
class Way:
    """Where a shopper is, on the way from the basket to the payment."""

    mine: held.Held
    draft: Draft
    active: Session | None
    known: Remembered

    @property
    def paying(self) -> Session | None:
        """The checkout that is being paid at this moment."""
        waits = self.active is not None and self.active.state is SessionState.PAYING
        return self.active if waits else None

    def frozen(self, now: datetime) -> Session | None:
        """Return this browser's own checkout of the cart as it is now, while it is reserved."""
        found, own = self.active, self.known.session
        if found is None or own is None or found.order_no != own.order_no or found.expires <= now:
            return None
        return found if found.is_for(self.draft.fingerprint, asked_alike=False) else None

    def note(self, now: datetime) -> str | None:
        """Return what has happened to the checkout that this browser had."""
        own = self.known.session
        if own is None or self.frozen(now) is not None:
            return None
        if own.state is SessionState.EXPIRED or (own.state in ACTIVE and own.expires <= now):
            return "expired"
        return "changed" if own.state in ACTIVE else None


def _way(connection: Connection, now: datetime) -> Way:
    mine, _basket = read_opened(connection, now)
    draft = sessions.draft(connection, mine.user, _asked(), now=now)
    active = sessions.active_of(connection, draft.basket)
    return Way(mine, draft, active, remembered(connection))


def _asked() -> Asked:
    return Asked(test=False, lang=language())


@blp.get("/checkout")
def checkout() -> Response:
    """Show the form for the address, or the summary where it is known."""
    if not sends_cookies():
        return _halt("no-cookies", status=403)
    now = web.now()
    with db.reading() as connection:
        way = _way(connection, now)
        if way.paying is not None:
            return _wait_for(way.paying)
        contact = way.known.contact
        found = way.frozen(now)
        try:
            shown = (
                summary.of_session(connection, found, contact)
                if found is not None
                else summary.of_draft(connection, way.draft, contact)
            )
        except (CartEmpty, MixedCurrency) as error:
            return _refused(connection, way, error)
        form = form_of(contact, _country(way))
        countries = delivered_by_all(way.draft.reached)
    note = session.pop(TOLD, None) or way.note(now)
    if contact.missing or request.args.get("step") == "address":
        return _address_page(way, form, countries)
    return page(
        "phone/checkout.html",
        partner=partner_view(way.mine.partner),
        summary=shown,
        contact=contact,
        countries=dict(country_choices([a.country_code for a in _addresses(contact)])),
        seconds_left=found and max(int((found.expires - now).total_seconds()), 0),
        told=told(note),
        ways=ways_to_pay(),
        notice=guarantee_notice(),
        button=summary.order_button(),
        order_action=url_for(".order"),
        abort_action=url_for(".abort"),
        address_url=url_for(".checkout", step="address"),
        csrf=csrf_token(),
    )


@blp.post("/checkout")
def say_address() -> Response:
    """Take who buys and where it goes; from here on everything is reserved."""
    now = web.now()
    with db.reading() as connection:
        way = _way(connection, now)
        countries = delivered_by_all(way.draft.reached)
    rates.ask(flow.budgets_of(way.mine.user))
    form = read_form(request.form, countries)
    if form.errors:
        return _address_page(way, form, countries, status=422)
    started = _start(way, form.contact)
    return started if isinstance(started, Response) else redirect(url_for(".checkout"), 303)


@blp.post("/checkout/order")
def order() -> Response:
    """Go to the payment of what was seen, and of nothing else."""
    with db.reading() as connection:
        way = _way(connection, web.now())
    contact = way.known.contact
    if contact.missing:
        return redirect(url_for(".checkout"), 303)
    started = _start(way, contact)
    if isinstance(started, Response):
        return started
    if summary.mark_of(started.session, contact) != request.form.get("seen"):
        session[TOLD] = way.note(web.now()) or "changed"
        return redirect(url_for(".checkout"), 303)
    return _lead_to(started.payment_url, way)


@blp.post("/checkout/abort")
def abort() -> Response:
    """Go back to the basket: nothing is reserved any more, and everything can be changed."""
    with db.reading() as connection:
        way = _way(connection, web.now())
    if way.active is not None:
        try:
            flow.finish(way.active.order_no, ordered=False)
        except CheckoutPaying:
            return _wait_for(way.active)
        except PaymentProviderUnavailable:
            return _halt("away", status=503)
    return redirect(url_for("basket_pages.basket"), 303)


def _lead_to(payment_url: str, way: Way) -> Response:
    """Lead to where it is paid.

    A form may be answered with a redirect to this host alone (``form-action``, which Chromium and
    Safari apply to redirects, too): to a provider's own page a page of ours leads on.
    """
    if payment_url.startswith(f"{web.settings().public_url}/"):
        return redirect(payment_url, 303)
    return page("phone/leave.html", partner=partner_view(way.mine.partner), payment_url=payment_url)


def _start(way: Way, contact: Contact) -> Payable | Response:
    """Reserve what can be bought for this contact, or go on with it; else answer what is wrong."""
    rates.take_all(flow.budgets_of(way.mine.user))
    try:
        if way.active is not None and _is_of_another(way, way.active):
            # Who pays there has seen another address: that checkout ends, it is not changed.
            flow.stop(way.active)
        said = {"email": contact.email, "billing": contact.billing, "shipping": contact.shipping}
        found = flow.start(way.mine.user, _asked(), said=said, go_on=True)
    except TokenError as error:
        raise held.ended(error) from error
    except CheckoutPaying:
        with db.reading() as connection:
            paying = sessions.active(connection, way.mine.user, now=web.now())
        return _halt("paying", status=409) if paying is None else _wait_for(paying)
    except (CartEmpty, MixedCurrency) as error:
        with db.reading() as connection:
            return _refused(connection, _way(connection, web.now()), error)
    except Wrong:
        # A merchant has told meanwhile that it does not deliver there.
        return redirect(url_for(".checkout", step="address"), 303)
    except (PaymentUnavailable, PaymentRefused):
        return _halt("unavailable", status=409)
    except PaymentProviderUnavailable:
        return _halt("away", status=503)
    remember(found.session.order_no, contact)
    return _wait_for(found.session) if found.session.state is SessionState.PAYING else found


def _is_of_another(way: Way, active: Session) -> bool:
    """Tell whether somebody has told who buys on another device."""
    own = way.known.session
    if own is not None and own.order_no == active.order_no and way.known.contact != NOBODY:
        return False
    with db.reading() as connection:
        stored = contacts.find(connection, active.order_no, secret=web.settings().secret_key)
    return stored != NOBODY


def _refused(connection: Connection, way: Way, error: CartEmpty | MixedCurrency) -> Response:
    own = way.known.session
    if isinstance(error, MixedCurrency):
        return _halt("mixed", status=409)
    if own is not None and own.state is SessionState.PAID:
        return _wait_for(own)  # Back, or a second tab: it is paid for
    return _halt(
        "nothing",
        status=409,
        partner=partner_view(way.mine.partner),
        missing=summary.missing_of(connection, way.draft.left_out),
    )


def _wait_for(found: Session) -> Response:
    return redirect(url_for("psp.come_back", order_no=found.order_no), 303)


def _halt(reason: str, *, status: int, **context: Any) -> Response:
    return page(
        "phone/halted.html",
        status=status,
        **{"partner": None, "missing": (), **context},
        say=halted(reason),
    )


def _address_page(
    way: Way, form: AddressForm, countries: list[str], *, status: int = 200
) -> Response:
    return page(
        "phone/address.html",
        status=status,
        partner=partner_view(way.mine.partner),
        values=form.values,
        errors=form.errors,
        countries=country_choices(countries),
        known=not way.known.contact.missing,
        action=url_for(".say_address"),
        csrf=csrf_token(),
    )


def _country(way: Way) -> str:
    """Return the country that most people of this cart are in: that of its first product."""
    return way.draft.positions[0][0].country if way.draft.positions else ""


def _addresses(contact: Contact) -> list[Any]:
    return [address for address in (contact.billing, contact.shipping) if address is not None]
