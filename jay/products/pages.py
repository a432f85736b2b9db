"""``/catalogue``: what there is, for the operator and the merchant's curiosity."""

import re
from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from jay import db, i18n, web
from jay.merchants.service import merchant_names
from jay.operators import pages
from jay.products import catalogue
from jay.products.catalogue import Filters, Shown
from jay.products.search import MAX_QUERY, read_query
from jay.products.showing import first_images, images_of
from jay.products.view import card, details
from jay.web.pages import PageBlueprint, language, page

blp = PageBlueprint(
    "catalogue",
    __name__,
    guards=(pages.require_viewer,),
    error_template="catalogue/error.html",
)

_KEPT = ("q", "merchant", "locale", "state")
"""What stays in the address from page to page, and on the way to a product and back."""


@blp.get("/catalogue/")
def with_slash() -> Response:
    """Lead on who has typed a slash at the end."""
    return redirect(url_for(".listing"))


@blp.get("/catalogue")
def listing() -> Response:
    """Show the products, sorted by name; look for some of them by words and filters."""
    asked = _asked()
    viewer = pages.current_viewer()
    only = viewer.merchant_id if viewer else None
    with db.reading_lately(now=web.now()) as connection:
        found = catalogue.find_page(
            connection,
            _filters(asked, only),
            now=web.now(),
            before=request.args.get("before"),
            after=request.args.get("after"),
        )
        names = merchant_names(connection, most=catalogue.MOST_CHOICES, only=only)
        locales = catalogue.locales(connection, only=only)
        images = first_images(connection, [item.main.product for item in found.items])
    return page(
        "catalogue/list.html",
        cards=[card(item, images) for item in found.items],
        asked=asked,
        filtered=bool(asked),
        partly=found.partly,
        alone=found.before is None and found.after is None,
        previous_url=found.before and _listing_url(asked, before=found.before),
        next_url=found.after and _listing_url(asked, after=found.after),
        merchants=names,
        locales=[
            (f"{lang}-{country}", i18n.place(lang, country, language()))
            for lang, country in locales
        ],
        max_query=MAX_QUERY,
        **pages.shown_viewer(),
    )


@blp.get("/catalogue/<path:product_id>")
def product(product_id: str) -> Response:
    """Show everything that is stored of a product; a variant's id leads to its main product."""
    asked = _asked()
    viewer = pages.current_viewer()
    only = viewer.merchant_id if viewer else None
    with db.reading_lately(now=web.now()) as connection:
        item = catalogue.find_item(connection, product_id, now=web.now(), only=only)
        pictures = images_of(connection, item.main.product) if item else ((), {})
    return page(
        "catalogue/product.html" if item else "catalogue/gone.html",
        status=200 if item else 404,
        product=item and details(item, *pictures),
        chosen=product_id,
        asked=asked,
        **pages.shown_viewer(),
    )


def _listing_url(asked: dict[str, str], **position: str) -> str:
    values: dict[str, Any] = {**asked, **position}
    return url_for(".listing", **values)


def _asked() -> dict[str, str]:
    asked = {name: request.args.get(name, "").strip()[:MAX_QUERY] for name in _KEPT}
    return {name: value for name, value in asked.items() if value}


def _filters(asked: dict[str, str], only: int | None) -> Filters:
    locale = re.fullmatch(r"([a-z]{2})-([A-Z]{2})", asked.get("locale", ""))
    states = {state.value: state for state in Shown}
    return Filters(
        query=read_query(asked.get("q", "")),
        merchant=asked.get("merchant", "").replace("\0", "") or None,
        lang=locale[1] if locale else None,
        country=locale[2] if locale else None,
        state=states.get(asked.get("state", "")),
        only=only,
    )
