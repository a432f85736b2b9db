"""``/login`` and ``/logout``: operators prove who they are.

The session is the one that a phone keeps its basket in; only its key ``operator`` is theirs.
"""

import re
import secrets
from typing import Any
from urllib.parse import quote

from flask import g, redirect, request, session, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.errors import JayError, TooManyRequests
from jay.operators import service as operators
from jay.operators.models import Operator
from jay.web.limits import AddressLimit, Limit
from jay.web.names import NAME_PATTERN
from jay.web.pages import SAFE_METHODS, PageBlueprint, csrf_token, page, renew_csrf
from jay.web.pages import gettext as _

blp = PageBlueprint("login", __name__, guards=web.PUBLIC, error_template="catalogue/error.html")

TRIES_OF_ADDRESS = AddressLimit("login of address", 5)
TRIES_OF_ACCOUNT = Limit("login of account", 5)
TRIES_OF_BROWSER = Limit("login of browser", 5)

MAX_NAME = 64
# Browsers read a backslash as a slash, and leave out white space: //host would be elsewhere.
_LOCAL = re.compile(r"/(?!/)[^\\\x00-\x20\x7f]{0,2000}")


class LoginNeeded(Exception):
    """This page is for operators, and nobody is logged in."""


@blp.app_errorhandler(LoginNeeded)
def ask(_error: LoginNeeded) -> Response:
    """Lead to the login page, and from there back again."""
    if request.method not in SAFE_METHODS:
        return redirect(url_for("login.form"), 303)  # what takes forms can't be gone back to
    query = request.query_string.decode("ascii", "replace")
    asked = quote(request.path) + (f"?{query}" if query else "")
    return redirect(url_for("login.form", next=asked), 303)


def operator(connection: Connection) -> Operator | None:
    """Return who is logged in with this browser."""
    token = session.get("operator")
    if token is None:
        return None
    return operators.of_session(connection, token, now=web.now())


def require_viewer() -> None:
    """Let operators pass, and in demo mode anybody: a guard for page blueprints.

    :raises LoginNeeded: nobody is logged in.
    """
    with db.reading() as connection:
        found = operator(connection)
    if found is None and not web.settings().demo:
        raise LoginNeeded
    g.viewer = found


def require_operator() -> None:
    """Let operators pass, also in demo mode: a guard for page blueprints.

    :raises LoginNeeded: nobody is logged in.
    """
    with db.reading() as connection:
        found = operator(connection)
    if found is None:
        raise LoginNeeded
    g.viewer = found


def current_viewer() -> Operator | None:
    """Return who looks at an operator's page; None for anybody, in demo mode."""
    found: Operator | None = g.viewer
    return found


def shown_viewer() -> dict[str, Any]:
    """Return what the head of an operator's page shows of who looks at it."""
    # Nobody is logged in, nobody gets a cookie.
    viewer = current_viewer()
    return {"operator": viewer and viewer.name, "csrf": csrf_token() if viewer else None}


@blp.get("/login")
def form() -> Response:
    """Ask for name and password."""
    with db.reading() as connection:
        if operator(connection) is not None:
            return redirect(_target(), 303)
    return _form()


@blp.post("/login")
def log_in() -> Response:
    """Begin a session; one answer alike, after the same time, for a wrong name and password."""
    typed = request.form.get("name", "").strip().lower()[:MAX_NAME]
    now, secret, counters = web.now(), web.settings().secret_key, _counters(typed)
    try:
        # A transaction of its own: the try stays counted.
        with db.transaction() as connection:
            for limit, caller in counters:
                limit.take(connection, caller, secret=secret, now=now)
    except TooManyRequests as error:
        return _form(error, _("Too many tries. Please wait a minute."))
    with db.reading() as connection:
        found = operators.account(connection, typed if NAME_PATTERN.fullmatch(typed) else "")
    token = None
    if found.opens_with(request.form.get("password", "")):
        with db.transaction() as connection:
            operators.end_session(connection, session.get("operator", ""))
            token = operators.begin_session(connection, found, now=now)
            for limit, caller in counters:
                limit.give_back(connection, caller, secret=secret)
    if token is None:
        return _form(None, _("Name or password is wrong."))
    # Whoever knew this session before knows nothing of the one that begins now.
    renew_csrf()
    session["known"] = f"{typed}/{secrets.token_urlsafe(16)}"
    session["operator"] = token
    session.permanent = True
    return redirect(_target(), 303)


@blp.post("/logout")
def log_out() -> Response:
    """End the session for good, whoever may have a copy of the cookie."""
    token = session.pop("operator", "")
    with db.transaction() as connection:
        operators.end_session(connection, token)
    renew_csrf()
    return redirect(url_for(".form"), 303)


def _counters(name: str) -> list[tuple[Limit, str]]:
    """Return what counts the tries of an account, always in the same order.

    A browser that this account was opened with before counts for itself: strangers who try the
    name, from wherever, don't lock its owner out.
    """
    known = str(session.get("known", ""))
    if known.startswith(f"{name}/"):
        return [(TRIES_OF_BROWSER, known)]
    return [*TRIES_OF_ADDRESS.counters(request.remote_addr), (TRIES_OF_ACCOUNT, name)]


def _target() -> str:
    """Return where to go after the login: only an address of this service."""
    asked = request.values.get("next", "")
    return asked if _LOCAL.fullmatch(asked) else url_for("catalogue.listing")


def _form(refused: JayError | None = None, error: str | None = None) -> Response:
    status = 200 if error is None else refused.status if refused is not None else 403
    response = page(
        "login.html",
        status=status,
        csrf=csrf_token(),
        error=error,
        name=request.form.get("name", "")[:MAX_NAME],
        next=_target(),
    )
    response.headers.extend(refused.headers if refused is not None else {})
    return response
