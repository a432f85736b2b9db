"""Where the focus goes on the page that follows a change (WCAG 2.4.3), with and without a script.

On the button that was pressed, if it is still there; else on what a person is likely to do next:
undo what was removed, go on with the next product, or begin at the top.
"""

from dataclasses import dataclass

from jay.baskets.models import MAX_COUNT
from jay.baskets.view import BasketView, Line

UNDO, TOP = "undo", "top"

# What to focus after an action, the first one that is there.
_NEXT = {
    "plus": ("plus", "count", "save"),
    "minus": ("minus", "plus", "save"),
    "set": ("count", "save"),
    "save": ("save",),
    "cart": ("cart",),
    "remove": ("remove",),
    "size": ("plus", "save", "cart"),
    "undo": ("plus", "save", "cart", "remove"),
}


@dataclass(frozen=True)
class Did:
    """What was done last: to which product, and at which place of its list it stood.

    The session holds it from one request to the next.
    """

    action: str
    product_id: str
    place: int = 0


@dataclass(frozen=True)
class Focus:
    """A control of a line; of none where it is the button to undo, or the page's heading."""

    control: str
    product_id: str | None = None


def after(did: Did, shown: BasketView, *, undo: bool) -> Focus:
    """Return what to focus.

    :param undo: whether the page offers to undo.
    """
    if undo:
        return Focus(UNDO)
    moved_from = {"save": shown.cart, "remove": shown.cart, "cart": shown.saved}.get(did.action)
    lines = [*shown.cart, *shown.saved]
    own = next((line for line in lines if line.id == did.product_id), None)
    if moved_from and own not in moved_from:
        own = moved_from[min(did.place, len(moved_from) - 1)]
    if own is None:
        return Focus(TOP)
    there = _controls(own, saved=own in shown.saved)
    wanted = [*_NEXT.get(did.action, ()), *_NEXT["undo"]]
    return Focus(next(control for control in wanted if control in there), own.id)


def _controls(line: Line, *, saved: bool) -> set[str]:
    if saved:
        return {"cart", "remove"} if line.buyable else {"remove"}
    if not line.buyable and line.count <= 1:
        return {"save", "remove"}
    steps = {"plus": line.count < MAX_COUNT and line.buyable, "minus": line.count > 1}
    return {"count", "save", "remove", *(step for step, there in steps.items() if there)}
