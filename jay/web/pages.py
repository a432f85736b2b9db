"""The house page blueprint: language, security headers, session and CSRF, once for all pages."""

import hmac
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import regex
from flask import (
    Blueprint,
    Flask,
    Request,
    Response,
    current_app,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
)
from flask.sessions import NullSession, SecureCookieSession, SecureCookieSessionInterface
from werkzeug.exceptions import HTTPException

from jay import i18n, web
from jay.errors import FormOutdated, JayError, OutcomeUnknown
from jay.i18n import isolated, without_controls
from jay.sealing import older_than
from jay.web.blueprint import Guard
from jay.web.bodies import refuse_codings
from jay.web.versions import api_of_path

SESSION_LIFETIME = timedelta(days=30)
"""As long as the guest token that the session holds."""

MAX_FORM_BYTES = 64 * 1024
"""The longest form has 2,000 characters. One with a hundred thousand fields costs more to read than
anything that could be done with it."""

HSTS_SECONDS = 365 * 86400
"""For so long browsers come by https only, once they have (RFC 6797)."""

HSTS = f"max-age={HSTS_SECONDS}"

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    # Redirects, too: where they lead may hold a token.
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110 section 9.2.1)."""

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'{pictures};"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)


Proof = Callable[[], bool]
"""Tells whether the current request proves in another way that a person sent its form."""

_V = TypeVar("_V", bound=Callable[..., Any])


class PageBlueprint(Blueprint):
    """A feature's HTML pages.

    :param guards: who may enter, asked in this order. ``PUBLIC`` when it is everyone.
    :param csrf: whether its forms must carry the token of the session that they were shown in.
        False where knowing the address is the permission, so that there is no session to abuse.
    """

    def __init__(
        self,
        name: str,
        import_name: str,
        *,
        guards: Iterable[Guard],
        csrf: bool = True,
        error_template: str = "error.html",
    ) -> None:
        super().__init__(name, import_name)
        self.guards = tuple(guards)
        self.csrf = csrf
        self.error_template = error_template
        self.before_request(_choose_language)
        self.before_request(self._enter)

    def _enter(self) -> None:
        request.max_content_length = request.max_form_memory_size = MAX_FORM_BYTES
        for guard in self.guards:
            guard()
        if request.method not in SAFE_METHODS:
            refuse_codings()
        if self.csrf and request.method not in SAFE_METHODS:
            proof: Proof | None = getattr(
                current_app.view_functions[str(request.endpoint)], "instead_of_csrf", None
            )
            if proof is None or not proof():
                _check_csrf()


def instead_of_csrf(proof: Proof) -> Callable[[_V], _V]:
    """Let a form's page pass without the session's token where this proof holds."""

    def decorator(view: _V) -> _V:
        view.instead_of_csrf = proof  # type: ignore[attr-defined]
        return view

    return decorator


class _PageSessions(SecureCookieSessionInterface):
    """Sessions are for people: the APIs neither read nor set a cookie."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if api_of_path(request.path) is not None:
            return NullSession()
        return super().open_session(app, request)


def init_app(app: Flask) -> None:
    """Set up the session cookie and what templates see."""
    app.session_interface = _PageSessions()
    settings = app.extensions["jay.settings"]
    app.config |= {
        "SECRET_KEY": settings.secret_key,
        "SECRET_KEY_FALLBACKS": list(older_than(settings.secret_key)),
        # The prefix makes browsers insist on Secure, on the path / and on this very host.
        "SESSION_COOKIE_NAME": "__Host-jay" if settings.https else "jay",
        "SESSION_COOKIE_SECURE": settings.https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": SESSION_LIFETIME,
        "SESSION_REFRESH_EACH_REQUEST": False,
    }
    app.after_request(_secure)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        lambda text: i18n.texts(language()).gettext(text),
        lambda one, many, n: i18n.texts(language()).ngettext(one, many, n),
        newstyle=True,
    )
    app.jinja_env.filters |= {"isolated": isolated, "initial": initial}
    app.context_processor(
        lambda: {"lang": language(), "languages": i18n.languages(), "language_url": language_url}
    )


def _secure(response: Response) -> Response:
    """Add the security headers that pages, files and redirects carry alike."""
    headers = response.headers
    if web.settings().https:
        headers["Strict-Transport-Security"] = HSTS
    if api_of_path(web.this_request().path) is not None:
        return response
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    return response


def language() -> str:
    """Return the language of this request's page."""
    if "lang" not in g:
        _choose_language()
    return str(g.lang)


def gettext(text: str, **values: Any) -> str:
    """Translate a text into the page's language and fill in the values."""
    translated = i18n.texts(language()).gettext(text)
    return translated % values if values else translated


def initial(text: str) -> str:
    """Return the first letter of a name, whole: a grapheme cluster (UAX 29)."""
    letters = regex.findall(r"\X", without_controls(text).strip())
    spoken = next((each for each in letters if each[0].isalnum()), None)
    return (spoken or next(iter(letters), "?")).upper()


def ngettext(one: str, many: str, num: int) -> str:
    """Translate a text that depends on a number, and fill the number in as ``num``."""
    return i18n.texts(language()).ngettext(one, many, num) % {"num": num}


def language_url(code: str) -> str:
    """Return the address of this page in another language.

    What answers a form can't be opened: there it is the page that the form stands on.
    """
    query = "?" + urlencode({**request.args.to_dict(), "lang": code})
    if request.method in {"GET", "HEAD"}:
        return query
    path, _endpoint = _openable(request.path)
    return quote(path) + query


def _openable(path: str) -> tuple[str, str]:
    """Return the nearest address from a path upwards that can be opened, and its endpoint."""
    adapter = current_app.create_url_adapter(request)
    while adapter is not None and path.strip("/"):
        try:
            return path, adapter.match(path, method="GET")[0]
        except HTTPException:  # there is nothing, or it only takes forms
            path = path.rpartition("/")[0]
    return "/", ""


def _choose_language() -> None:
    # The query wins, and is remembered; else what the browser prefers.
    asked = request.args.get("lang")
    known = {code for code, _ in i18n.languages()}
    if asked in known:
        g.lang = asked
        if request.blueprint is not None and session.get("lang") != asked:
            session["lang"] = asked
    elif session.get("lang") in known:
        g.lang = session["lang"]
    else:
        asked_for = list(request.accept_languages)
        g.lang = i18n.choose(
            [tag for tag, quality in asked_for if quality > 0],
            refused=[tag for tag, quality in asked_for if quality <= 0],
        )


def csrf_token() -> str:
    """Return the token that this session's forms carry."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(16)
        session.permanent = True
    return str(session["csrf"])


def _check_csrf() -> None:
    """Check that a form comes from a page of this session.

    :raises FormOutdated: it does not.
    """
    sent, expected = request.form.get("csrf", ""), session.get("csrf")
    if expected is None or not hmac.compare_digest(sent.encode(), expected.encode()):
        raise FormOutdated


def sent_from_here() -> bool:
    """Tell whether a browser without a session testifies that a form was sent from this origin.

    One that keeps no cookies has no session that could be abused (Fetch Metadata).
    """
    return not sends_cookies() and request.headers.get("Sec-Fetch-Site") == "same-origin"


def sends_cookies() -> bool:
    """Tell whether this browser has brought the session cookie that every form page sets."""
    return current_app.config["SESSION_COOKIE_NAME"] in request.cookies


def renew_csrf() -> None:
    """Make another token for this session's forms: who it belongs to has changed."""
    session.pop("csrf", None)


def browser_id() -> str:
    """Return what this browser proves with that a claim was its own: the session's own secret."""
    if "browser" not in session:
        session["browser"] = secrets.token_urlsafe(16)
        session.permanent = True
    return str(session["browser"])


def has_basket() -> bool:
    """Tell whether this browser has taken a basket over; whether it is still there shows later."""
    return "token" in session


def page(
    template: str, *, status: int = 200, ancestors: tuple[str, ...] = (), **context: Any
) -> Response:
    """Render a page with its Content-Security-Policy; the other headers come with each.

    :param ancestors: sources that may show the page in a frame; nobody when empty. An error's page
        goes by ``g.ancestors``, which says so before it is known how the request ends.
    """
    ancestors = ancestors or g.get("ancestors", ())
    response = make_response(render_template(template, **context), status)
    pictures = web.settings().media_origin
    response.headers["Content-Security-Policy"] = _CSP.format(
        ancestors=" ".join(ancestors) or "'none'", pictures=f" {pictures}" if pictures else ""
    )
    if ancestors:
        # A frame in a page that isolates itself loads only what allows it (COEP).
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def page_error(error: JayError) -> Response:
    """Answer an error as pages do: what happened and what to do next.

    Templates get the address that leads on: where the person was, with a fresh form; where there
    is nothing at all, what stands above it.
    """
    _ = gettext
    lost = error.status == 404
    meant = _meant_address() if lost else None
    if meant is not None:
        return make_response(redirect(meant, 302))
    path, endpoint = _openable(request.path.rpartition("/")[0] if lost else request.path)
    if isinstance(error, FormOutdated) and not sends_cookies():
        title = _("Your browser sent no cookie")
        text = _(
            "This page needs one, to know that it is still you. Allow cookies for this address in"
            " your browser's settings, or open it in another browser. Then try again."
        )
    elif isinstance(error, FormOutdated):
        title, text = _("Please try again"), _("This page was open for too long.")
    elif lost:
        title, text = _("Nothing here"), _("This address leads nowhere. Check it, or scan again.")
    elif error.status == 429:
        title, text = _("Too many tries"), _("Please wait a minute and try again.")
    elif isinstance(error, OutcomeUnknown):
        title = _("We don't know")
        text = _("It may have worked, or not. Look what is there before you try it again.")
    elif error.status == 503:
        title, text = _("One moment"), _("A lot is going on right now. Try again in a few seconds.")
    elif error.status >= 500:
        title, text = _("That went wrong"), _("It is our fault. Please try again in a minute.")
    else:
        title, text = _("That did not work"), _("Please go back and try again.")
    passing = error.status == 429 or (error.status >= 500 and not isinstance(error, OutcomeUnknown))
    response = page(
        _error_template(endpoint),
        status=error.status,
        title=title,
        text=text,
        partner=None,
        has_basket=has_basket(),
        lost=lost,
        passing=passing,
        back_url=quote(path) if endpoint else None,
    )
    response.headers.extend(error.told_headers)
    return response


def _meant_address() -> str | None:
    """Return the address of a page that somebody has typed off a screen not quite to the letter.

    In another case, with a slash, a full stop or a bracket at its end, in full width, or with
    characters that nobody sees, as they are copied along.
    """
    if request.url_rule is not None or request.method not in {"GET", "HEAD"}:
        return None
    written = unicodedata.normalize("NFKC", request.path)
    seen = "".join(one for one in written if unicodedata.category(one) != "Cf")
    typed = "/" + seen.strip(" /.,;:!?()<>[]\"'")
    first, slash, rest = typed[1:].partition("/")
    adapter = current_app.create_url_adapter(request)
    for candidate in (typed, f"/{first.lower()}{slash}{rest}", typed.lower()):
        try:
            endpoint = adapter.match(candidate, method="GET")[0] if adapter else ""
        except HTTPException:
            continue
        name = endpoint.rpartition(".")[0]
        if candidate != request.path and isinstance(current_app.blueprints.get(name), Blueprint):
            query = request.query_string.decode("latin-1")
            return quote(candidate) + (f"?{query}" if query else "")
    return None


def _error_template(endpoint: str) -> str:
    """Return the template of the pages that the request belongs to, or stands below."""
    name = request.blueprint or endpoint.rpartition(".")[0]
    asked = current_app.blueprints.get(name)
    return asked.error_template if isinstance(asked, PageBlueprint) else "error.html"


def local_path(url: str | None) -> str | None:
    """Return the path of a picture on this host, None for those on others.

    Pages load nothing from other hosts, so a merchant's remote picture is not shown.
    """
    if url is not None and url.startswith(web.settings().public_url + "/static/"):
        return url.removeprefix(web.settings().public_url)
    return None
