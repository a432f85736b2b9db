"""The sandbox's payment page: a plain form, without a cookie and without a script.

Who knows the address may pay, and do nothing else, as at a real provider.
"""

from typing import Any

from flask import redirect, request
from werkzeug.wrappers import Response

from jay import db, web
from jay.checkout.providers.interface import IntentStatus
from jay.checkout.sandbox import service
from jay.checkout.sandbox.models import card_of, intent_of
from jay.errors import RouteNotFound
from jay.i18n import money
from jay.web.pages import PageBlueprint, language, page
from jay.web.pages import gettext as _

blp = PageBlueprint("sandbox", __name__, guards=web.PUBLIC, csrf=False)


@blp.get("/psp/sandbox/pay/<token>")
def show(token: str) -> Response:
    """Show the form, or where it leads to once it is paid."""
    row = _row(token)
    if row.status != IntentStatus.OPEN:
        return redirect(row.return_url, 303)
    return _page(row, row.failure)


@blp.post("/psp/sandbox/pay/<token>")
def pay(token: str) -> Response:
    """Let the card pay that was typed."""
    row = _row(token)
    found = card_of(request.form.get("number", ""))
    step = request.form.get("step")
    now = web.now()
    if row.status != IntentStatus.OPEN:
        return redirect(row.return_url, 303)
    if step == "refuse":
        db.write(service.refuse, row.id, now=now)
        return _page(row, "authentication_failed", status=402)
    if found is None:
        return _page(row, "unknown_card", status=422)
    last_four, card = found
    if card.asks and step != "approve":
        return _page(row, None, asks=request.form.get("number"))
    if not db.write(service.pay, row.id, last_four, card, now=now) and card.failure:
        return _page(row, card.failure, status=402)
    return redirect(row.return_url, 303)


def _row(token: str) -> Any:
    intent = intent_of(token, web.settings().secret_key)
    if intent is None:
        raise RouteNotFound
    with db.reading() as connection:
        row = service.row_of(connection, intent)
    if row is None:
        raise RouteNotFound
    return row


def _page(row: Any, failure: str | None, *, asks: str | None = None, status: int = 200) -> Response:
    shown = page(
        "phone/sandbox.html",
        partner=None,
        amount=money(row.amount, row.currency, language()),
        failure=_told(failure),
        asks=asks,
        back=row.return_url,
    )
    shown.status_code = status
    return shown


def _told(failure: str | None) -> str | None:
    return {
        None: None,
        "authentication_required": None,
        "card_declined": _("The card was declined. Please try another one."),
        "insufficient_funds": _("There is not enough money on this card. Please try another one."),
        "authentication_failed": _("Your bank did not confirm the payment. Please try again."),
        "unknown_card": _("This is no test card. The numbers below work."),
    }[failure]
