"""``/desk/orders``: an order, or a part of it, by its number in any spelling; for who is logged in.

Who has bought it is not shown: nothing personal is. A merchant's account finds its own parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from jay import db, i18n
from jay.checkout.order_numbers import LONGEST_TYPED, typed_order_no
from jay.operators import pages
from jay.orders import ledger, service
from jay.orders.handover import messages_about
from jay.orders.looking import look_at
from jay.orders.models import OrderPart, PartNo
from jay.orders.pages import state_of
from jay.orders.showing import ShownPart, shown_part
from jay.web.pages import PageBlueprint, language, page

blp = PageBlueprint(
    "desk_orders",
    __name__,
    guards=(pages.require_operator,),
    error_template="catalogue/error.html",
)


@dataclass(frozen=True)
class DeskPart:
    """A part, ready to print.

    :ivar state: in words, and how it looks.
    :ivar happened: when, what, and who has done it.
    :ivar money: what has moved, by kind.
    :ivar messages: what its merchant was told, and what has become of that.
    :ivar to_look_at: why somebody has to look at it, for the operator alone.
    """

    part: OrderPart
    shown: ShownPart
    placed: str
    state: tuple[str, str]
    happened: Sequence[tuple[str, str, str]]
    money: Mapping[str, str]
    messages: Sequence[Any]
    to_look_at: Sequence[str]


@blp.get("/desk/orders")
def order() -> Response:
    """Find an order by its number, and show how far each part of it is."""
    typed = request.args.get("number", "").strip()[:LONGEST_TYPED]
    viewer = pages.current_viewer()
    only = viewer.merchant_id if viewer else None
    with db.reading() as connection:
        found = _parts(connection, typed, only)
        shown = [_shown(connection, part, to_all=only is None) for part in found]
    return page(
        "catalogue/order.html",
        status=404 if typed and not found else 200,
        typed=typed,
        longest=LONGEST_TYPED,
        parts=shown,
        **pages.shown_viewer(),
    )


def _parts(connection: Connection, typed: str, only: int | None) -> list[OrderPart]:
    """Return the parts that a number names; of a merchant's account its own ones."""
    part_no, order_no = PartNo.typed(typed), typed_order_no(typed)
    if part_no is not None:
        part = service.find_part(connection, part_no, merchant=only)
        return [] if part is None else [part]
    order = None if order_no is None else service.find(connection, order_no)
    found = [] if order is None else service.parts_of(connection, order)
    return [part for part in found if only in {None, part.merchant_id}]


def _shown(connection: Connection, part: OrderPart, *, to_all: bool) -> DeskPart:
    lang, order = language(), part.order
    sums = ledger.sums_of_part(connection, part.part_no)
    reasons = [] if part.attention is None else [look_at(part.attention)]
    return DeskPart(
        part=part,
        shown=shown_part(connection, part, lang),
        placed=i18n.minute(order.created, lang, order.country),
        state=state_of(part),
        happened=[
            (i18n.minute(event.at, lang, order.country), event.kind, event.by)
            for event in part.events
        ],
        money={str(kind): i18n.money(one, order.currency, lang) for kind, one in sums.items()},
        messages=messages_about(connection, part.part_no),
        to_look_at=[*reasons, *part.doubts] if to_all else [],
    )
