"""Where a contract is withdrawn from: without an account, in two steps, at any time (BGB 356a).

Nothing is asked of the browser: no cookie, no script. Who knows an order's number and its e-mail
address may declare, as by letter; so there is no session that could be abused.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask, g, request
from werkzeug.wrappers import Response

from jay import db, i18n, web
from jay.net.emails import normal_email
from jay.orders import withdrawals, words
from jay.orders.withdrawals import Declaration, number_of
from jay.web.limits import AddressLimit, Limit
from jay.web.pages import PageBlueprint, page
from jay.web.pages import gettext as _

blp = PageBlueprint("withdrawal", __name__, guards=web.PUBLIC, csrf=False)

TRIES_OF_ADDRESS = AddressLimit("withdrawals of address", 60)
"""Who sends more than anybody has bought is refused; all else is taken, as it must be at any time
(BGB 356a): nobody shuts this for others."""

TRIES_OF_NUMBER = Limit("withdrawals of order", 10)
"""So many are compared with an order, from all addresses: its e-mail address must not be guessed.
Others are taken, and somebody looks at them."""

TRIES_OF_ALL = Limit("all withdrawals", 600)
"""Above it only what withdraws from a contract is acknowledged by mail."""

LONGEST = {"name": 100, "number": 60, "email": 254, "products": 600}
_OPTIONAL = ("products",)
_LINKS = ("://", "www.")


def init_app(app: Flask) -> None:
    """Let the foot of every page lead to the withdrawal function."""
    app.context_processor(lambda: {"withdrawal_link": _link})


@dataclass(frozen=True)
class Link:
    """The first button, wherever it stands."""

    url: str
    words: str


def _link(lang: str) -> Link:
    return Link(words.path(lang), words.withdraw(lang))


@blp.get(words.PATHS["de"], defaults={"lang": "de"})
@blp.get(words.PATHS["en"], defaults={"lang": "en"})
def form(lang: str) -> Response:
    """Show the form; the order's page and its mails fill in the number."""
    typed = {**dict.fromkeys(LONGEST, ""), "number": request.args.get("order", "")[:60]}
    return _form(lang, typed)


@blp.post(words.PATHS["de"], defaults={"lang": "de"})
@blp.post(words.PATHS["en"], defaults={"lang": "en"})
def declare(lang: str) -> Response:
    """Show what is about to be declared; then take it, and acknowledge it with date and time."""
    g.lang = lang
    typed = {
        name: " ".join(request.form.get(name, "").split())[: most + 1]
        for name, most in LONGEST.items()
    }
    problems = _problems(typed)
    step = request.form.get("step", "")
    if problems or step == "change":
        return _form(lang, typed, problems if step != "change" else {})
    said = Declaration(**typed)
    nonce = request.form.get("nonce", "")[:60]
    if step != "confirm" or not nonce:
        return _page(lang, "confirm", typed, nonce=secrets.token_urlsafe(16))
    received = _declared(said, nonce, lang)
    return _page(lang, "done", typed, received=i18n.second(received, lang, i18n.home(lang)))


def _declared(said: Declaration, nonce: str, lang: str) -> datetime:
    now, secret = web.now(), web.settings().secret_key
    number = number_of(said.number)
    with db.transaction() as connection:
        for limit, caller in TRIES_OF_ADDRESS.counters(request.remote_addr):
            limit.take(connection, caller, secret=secret, now=now)
        compare = number is None or TRIES_OF_NUMBER.has_room(
            connection, number, secret=secret, now=now
        )
        busy = not TRIES_OF_ALL.has_room(connection, "", secret=secret, now=now)
    more: dict[str, Any] = {"secret": secret, "now": now, "compare": compare, "busy": busy}
    return db.write(withdrawals.declare, said, said.identifier(nonce), lang=lang, **more)


def _problems(typed: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong, by field, in the words of the page."""
    missing = {
        "name": _("Please write your name."),
        "number": _("Please write the order number. It is in the mail about your order."),
        "email": _("Please write your e-mail address, so that we can acknowledge it."),
    }
    found: dict[str, str] = {}
    for name, text in typed.items():
        if i18n.is_blank(text) and name not in _OPTIONAL:
            found[name] = missing[name]
        elif len(text) > LONGEST[name]:
            found[name] = _("That is too long: at most %(n)s characters.", n=LONGEST[name])
        elif name != "email" and any(link in text.lower() for link in _LINKS):
            # The acknowledgement goes to whatever address: it must carry nobody's advertising.
            found[name] = _("Please write words, and no links.")
    if "email" not in found and normal_email(typed["email"]) is None:
        found["email"] = _("This is no e-mail address. Please check it.")
    return found


def _form(
    lang: str, typed: Mapping[str, str], problems: Mapping[str, str] | None = None
) -> Response:
    shown = _page(lang, "form", typed, problems=problems or {})
    shown.status_code = 422 if problems else 200
    return shown


def _page(lang: str, step: str, typed: Mapping[str, str], **more: Any) -> Response:
    # The address says the language, whatever the browser prefers.
    g.lang = lang
    return page(
        "phone/withdrawal.html",
        partner=None,
        step=step,
        typed=typed,
        longest=LONGEST,
        withdraw=words.withdraw(lang),
        confirm=words.confirm(lang),
        language_url=words.path,
        **more,
    )
