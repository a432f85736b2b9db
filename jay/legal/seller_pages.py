"""Where people read who sells, and the texts that hold for what a merchant sells."""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import url_for
from werkzeug.wrappers import Response

from jay import db, i18n, web
from jay.errors import RouteNotFound
from jay.legal import service
from jay.legal.markup import rendered
from jay.legal.models import MERCHANT, MERCHANTS_KINDS, Kind, Notice, Owner
from jay.legal.pages import Link
from jay.legal.sellers import Seller, lines_of
from jay.merchants import service as merchants
from jay.web.pages import PageBlueprint, language, page
from jay.web.pages import gettext as _

blp = PageBlueprint("sellers", __name__, guards=web.PUBLIC)


@blp.get("/legal/merchant/<name>")
def seller(name: str) -> Response:
    """Say who a merchant is by law, and lead to its texts."""
    found, notices = _found(name)
    if not found.merchant.legal and not notices:
        raise RouteNotFound
    return page(
        "phone/seller.html",
        partner=None,
        title=found.merchant.shown_name,
        lines=lines_of(found.merchant.legal, language()),
        links=seller_links(found),
    )


@blp.get(f"/legal/merchant/<name>/<any({','.join(MERCHANTS_KINDS)}):kind>")
def seller_text(name: str, kind: str) -> Response:
    """Show a text of a merchant in the reader's language, or in the nearest one."""
    found, notices = _found(name)
    notice = next((each for each in notices if each.kind == kind), None)
    if notice is None:
        raise RouteNotFound
    return _text(found, notice)


@blp.get(
    f"/legal/merchant/<name>/<any({','.join(MERCHANTS_KINDS)}):kind>/<lang>/<int(max=999999):version>"
)
def seller_text_of(name: str, kind: str, lang: str, version: int) -> Response:
    """Show a version of a merchant's text, for who has bought or is about to buy under it."""
    found, _current = _found(name)
    owner = Owner(MERCHANT, found.merchant.id)
    with db.reading() as connection:
        notice = service.version_of(connection, owner, Kind(kind), lang, version)
    if notice is None:
        raise RouteNotFound
    return _text(found, notice)


def _text(found: Seller, notice: Notice) -> Response:
    with db.reading() as connection:
        text = service.text_of(connection, notice) or ""
    return page(
        "phone/legal.html",
        partner=None,
        title=f"{_words(notice.kind)}: {found.merchant.shown_name}",
        text=rendered(text),
        text_lang=None if notice.lang == language() else notice.lang,
        since=i18n.day(notice.created, language()),
    )


def links_to(merchant: str, texts: Iterable[Mapping[str, Any]]) -> list[Link]:
    """Return what leads to texts in the version in which they hold.

    :param texts: ``kind``, ``lang`` and ``version`` of each, as a session freezes them.
    """
    return [
        Link(
            Kind(text["kind"]),
            _words(Kind(text["kind"])),
            url_for(
                "sellers.seller_text_of",
                name=merchant,
                kind=text["kind"],
                lang=text["lang"],
                version=text["version"],
            ),
            None if text["lang"] == language() else text["lang"],
            elsewhere=False,
        )
        for text in texts
        if text["kind"] in MERCHANTS_KINDS  # a later version may know more
    ]


def seller_links(found: Seller) -> list[Link]:
    """Return what a merchant's block leads to."""
    return [
        Link(
            notice.kind,
            _words(notice.kind),
            url_for("sellers.seller_text", name=found.merchant.name, kind=notice.kind),
            None if notice.lang == language() else notice.lang,
            elsewhere=False,
        )
        for notice in found.shown(language())
    ]


def _found(name: str) -> tuple[Seller, list[Notice]]:
    with db.reading() as connection:
        merchant = merchants.merchant_by_name(connection, name)
        if merchant is None:
            raise RouteNotFound
        found = service.sellers(connection, [merchant.id])[merchant.id]
    return found, found.shown(language())


def _words(kind: Kind) -> str:
    return {
        Kind.TERMS: _("Terms and conditions"),
        Kind.WITHDRAWAL: _("Right of withdrawal"),
        Kind.PRIVACY: _("Privacy"),
        Kind.SHIPPING: _("Shipping"),
        Kind.IMPRINT: _("Imprint"),
    }[kind]
