"""Where legal texts are read, and what every page says of them in its foot."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from cachetools import TTLCache
from flask import Flask, current_app, redirect, request, url_for
from werkzeug.wrappers import Response

from jay import db, i18n, web
from jay.clock import Clock, timer
from jay.errors import Busy, RouteNotFound
from jay.legal import service
from jay.legal.markup import rendered
from jay.legal.models import PAGES_KINDS, PARTNER, THE_OPERATOR, Kind, Notice, Owner, chosen
from jay.partners.view import PartnerView, partner_at, partner_view
from jay.web.pages import PageBlueprint, language, page
from jay.web.pages import gettext as _
from jay.web.responses import EXPIRED

blp = PageBlueprint("legal", __name__, guards=web.PUBLIC)

CACHED_SECONDS = 5
"""A change reaches every process after this time."""

_lock = threading.Lock()

_KINDS = f"any({','.join(PAGES_KINDS)})"


@dataclass(frozen=True)
class Link:
    """A legal text, as a page leads to it. ``lang``: its language, if it is not the page's."""

    kind: Kind
    words: str
    url: str
    lang: str | None
    elsewhere: bool


def init_app(app: Flask, clock: Clock) -> None:
    """Let every page say where imprint, privacy policy and the like are read."""
    known: TTLCache[int, list[Notice]] = TTLCache(1000, CACHED_SECONDS, timer=timer(clock))
    app.extensions["jay.legal"] = known
    app.context_processor(lambda: {"legal_links": legal_links, "legal_address": legal_address})


def legal_links(partner: PartnerView | None) -> list[Link]:
    """Return what the foot of a page leads to; nothing where nothing was set up."""
    return [_link(notice, partner) for notice in _chosen(partner)]


def legal_address(partner: PartnerView | None) -> str | None:
    """Return the short address that a large screen shows, without the scheme."""
    notices = _chosen(partner)
    if not notices:
        return None
    own = partner if any(notice.owner != THE_OPERATOR for notice in notices) else None
    return web.settings().public_host + _index_url(own)


@blp.get("/legal")
def operators_index() -> Response:
    """List the legal texts of the operator."""
    return _index(None)


@blp.get("/legal/<name>")
def text_or_partners_index(name: str) -> Response:
    """Show a legal text of the operator, or list those that hold for a partner's baskets.

    A partner that has the name of a kind has its texts one step below all the same.
    """
    if name in PAGES_KINDS:
        return _text(None, Kind(name))
    return _index(_partner(name))


@blp.get(f"/legal/<name>/<{_KINDS}:kind>")
def partners_text(name: str, kind: str) -> Response:
    """Show a legal text that holds for a partner's baskets, or lead to where it is."""
    return _text(_partner(name), Kind(kind))


def _index(partner: PartnerView | None) -> Response:
    links = legal_links(partner)
    if not links:
        raise RouteNotFound
    return page("phone/legal.html", partner=partner, title=_("Legal notices"), links=links)


def _text(partner: PartnerView | None, kind: Kind) -> Response:
    notice = next((each for each in _chosen(partner) if each.kind is kind), None)
    if notice is None:
        raise RouteNotFound
    if notice.url is not None:
        return redirect(notice.url, 302)
    with db.reading() as connection:
        text = service.text_of(connection, notice) or ""
    return page(
        "phone/legal.html",
        partner=partner,
        title=_words(kind),
        text=rendered(text),
        text_lang=_foreign(notice),
        since=i18n.day(notice.created, language()),
    )


def _partner(name: str) -> PartnerView:
    with db.reading() as connection:
        return partner_view(partner_at(connection, name))


def _chosen(partner: PartnerView | None) -> list[Notice]:
    owners = [THE_OPERATOR]
    if partner is not None:
        owners.insert(0, Owner(PARTNER, partner.id))
    return chosen(_notices(owners), owners, [language(), *(code for code, _ in i18n.languages())])


def _notices(owners: Sequence[Owner]) -> list[Notice]:
    """Return what is in force, as it was a few seconds ago at most."""
    known: TTLCache[int, list[Notice]] = current_app.extensions["jay.legal"]
    key = owners[0].id
    with _lock:
        found = known.get(key)
    if found is None:
        if EXPIRED in request.environ:
            return []  # it has waited too long already
        try:
            with db.reading() as connection:
                found = service.current(connection, owners)
        except Busy:
            return []  # the page that tells of the outage has no foot, and is there all the same
        with _lock:
            known[key] = found
    return found


def _link(notice: Notice, partner: PartnerView | None) -> Link:
    url = notice.url
    if url is None and notice.owner == THE_OPERATOR:
        url = url_for("legal.text_or_partners_index", name=notice.kind)
    elif url is None and partner is not None:
        url = url_for("legal.partners_text", name=partner.key, kind=notice.kind)
    return Link(
        notice.kind, _words(notice.kind), url or "", _foreign(notice), notice.url is not None
    )


def _foreign(notice: Notice) -> str | None:
    return notice.lang if notice.lang != language() else None


def _index_url(partner: PartnerView | None) -> str:
    if partner is None:
        return url_for("legal.operators_index")
    return url_for("legal.text_or_partners_index", name=partner.key)


def _words(kind: Kind) -> str:
    return {
        Kind.IMPRINT: _("Imprint"),
        Kind.PRIVACY: _("Privacy"),
        Kind.TERMS: _("Terms"),
        Kind.ACCESSIBILITY: _("Accessibility"),
    }[kind]
