"""The basket page itself, for whoever leads to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, web
from jay.baskets import held, service, undo
from jay.baskets.choices import choices
from jay.baskets.focus import Did, after
from jay.baskets.models import MAX_COUNT, Basket
from jay.baskets.telling import said
from jay.baskets.view import view
from jay.db.types import read_known
from jay.errors import TokenError
from jay.partners.view import partner_view
from jay.web.pages import csrf_token, page

POLL_SECONDS = 4
"""How often a phone asks whether another device has changed the basket."""


def show_basket(told: Mapping[str, Any], taken: held.Held | None = None) -> Response:
    """Show the open basket, and what the last change has led to.

    :param taken: the basket that a browser without cookies has just taken over.
    """
    now = web.now()
    with db.reading() as connection:
        mine, found = read_opened(connection, now, taken)
        shown = view(connection, found)
        others = sum(1 for _other in held.others(connection, now))
        sizes = choices(connection, [*shown.cart, *shown.saved])
    removed, message = told.get("undo"), told.get("message")
    did = read_known(Did, told["did"]) if told.get("did") else None
    offer = did and removed and _undo_offer(did, read_known(undo.Removed, removed), found)
    without_cookies = taken is not None or held.without_cookies()
    return page(
        "phone/basket.html",
        partner=partner_view(mine.partner),
        lines=shown.cart,
        groups=shown.groups,
        saved=shown.saved,
        checkout=shown.checkout,
        totals=shown.totals,
        sizes=sizes,
        max_count=MAX_COUNT,
        items_action=url_for("basket_pages.change_item"),
        undo=offer,
        message=message,
        touched=did and message and did.product_id,
        focus=did and after(did, shown, undo=offer is not None),
        said=did and not message and said(did, shown, removed),
        version=found.version,
        state_url=None if without_cookies else url_for("basket_pages.state"),
        poll_seconds=POLL_SECONDS,
        others=others,
        credential=held.field_of(mine.token, mine.partner) if without_cookies else None,
        csrf="" if without_cookies else csrf_token(),
    )


def read_opened(
    connection: Connection, now: datetime, taken: held.Held | None = None
) -> tuple[held.Held, Basket]:
    """Return the basket that this phone may open, and whose it is.

    :raises NoBasket: none.
    """
    mine = taken or held.opened(connection, now)
    try:
        return mine, service.read(connection, mine.user, now=now)
    except TokenError as error:
        raise held.ended(error) from error


def _undo_offer(did: Did, removed: undo.Removed, found: Basket) -> dict[str, Any]:
    """Return what the page needs to offer that a product is put back where it was."""
    return {
        "id": did.product_id,
        "place": did.place,
        "name": removed.name,
        "count": removed.count,
        "kept": undo.keep(removed, did.product_id, did.place, found),
    }
