"""Use cases of guests: people without an account at the partner."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jay.auth.models import User
from jay.baskets import service as baskets
from jay.baskets.models import MAX_COUNT, Grant, new_user_id
from jay.db.database import optimistic, unseen
from jay.events import NOTHING, Tracking
from jay.partners.models import Partner


@unseen
@optimistic
def start(
    connection: Connection,
    partner: Partner,
    lines: Iterable[Mapping[str, Any]],
    *,
    now: datetime,
    tracking: Tracking = NOTHING,
) -> Grant:
    """Make a guest with a basket that holds these products.

    :raises BasketError: a product can't be put in; nothing is made then.
    """
    user = User(partner.id, new_user_id(), guest=True, basket=None, expires=0)
    basket = baskets.start_guest(connection, user, _added_up(lines), now=now, tracking=tracking)
    return Grant(partner, user.user_id, now, basket)


def _added_up(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Make one entry of a product that comes several times: the counts add up."""
    counts: dict[str, int] = {}
    for line in lines:
        product_id = line["product_id"]
        counts[product_id] = min(counts.get(product_id, 0) + line["count"], MAX_COUNT)
    return counts
