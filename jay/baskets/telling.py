"""What the page after a change says of it, to those who see it and to those who do not."""

import textwrap
from typing import Any

from jay.baskets.focus import Did
from jay.baskets.view import BasketView, Line
from jay.errors import (
    BasketError,
    CartFull,
    NotInBasket,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    ProductNotFound,
    SavedFull,
)
from jay.i18n import isolated
from jay.web.pages import gettext as _

MAX_NAME = 80
"""The session, a cookie of at most 4 KB, carries names from one request to the next."""


class ChangedElsewhere(Exception):
    """Another device has changed the same product since this phone's page was made."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def line_of(shown: BasketView, product_id: str) -> Line | None:
    """Return the line of a product, in whichever list."""
    return next((line for line in [*shown.cart, *shown.saved] if line.id == product_id), None)


def short_name(shown: BasketView, product_id: str) -> str:
    """Return a product's name as the session has room for it, empty for one that is not there."""
    line = line_of(shown, product_id)
    return "" if line is None else textwrap.shorten(line.name, MAX_NAME, placeholder=" …")


def said(did: Did, shown: BasketView, removed: dict[str, Any] | None) -> str:
    """Tell what a change has led to, for those who do not see it."""
    if removed is not None:
        return _("Removed: %(name)s", name=isolated(removed["name"]))
    line = line_of(shown, did.product_id)
    if line is None:
        return ""
    if line in shown.saved:
        return _("Saved for later: %(name)s", name=isolated(line.name))
    total = shown.totals.total if shown.totals else None
    told = _("%(name)s: %(count)s in the basket.", name=isolated(line.name), count=line.count)
    return f"{told} {_('Total')}: {total}" if total else told


def explain(error: BasketError | ChangedElsewhere) -> str:
    """Tell why nothing was changed, and what to do next."""
    if isinstance(error, OrderLimit):
        return _("The shop sells at most %(limit)s of this in one order.", limit=error.limit)
    if isinstance(error, ChangedElsewhere):
        return _(
            "Not changed: another device has just changed “%(name)s”. This is how it is now.",
            name=isolated(error.name),
        )
    return {
        CartFull: _("Your basket is full: 20 products fit in. Save or remove one first."),
        SavedFull: _("Your saved list is full: 200 products fit in. Remove one first."),
        OutOfStock: _("This is sold out at the moment. You can save it for later."),
        NotShoppable: _("This can't be bought at the moment. You can save it for later."),
        NotInBasket: _("This was removed on another device."),
        ProductNotFound: _("This product is no longer available."),
    }.get(type(error), _("That did not work. Please try again."))
