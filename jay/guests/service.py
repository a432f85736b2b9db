"""Use cases of guests: people without an account at the partner."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from jay.auth.models import Partner
from jay.auth.tokens import Tokens, User
from jay.baskets import service as baskets
from jay.baskets.models import MAX_COUNT, Basket
from jay.clock import iso
from jay.tracking import NOTHING, Tracking


@dataclass(frozen=True)
class Admission:
    """Someone who may open a basket: what is decided before credentials are made."""

    partner: Partner
    user_id: str
    since: datetime
    basket: Basket
    claimed: bool = False


@dataclass(frozen=True)
class Guest:
    """A guest's credentials and the basket that they open."""

    user: User
    token: str
    expires: datetime
    basket: Basket

    def view(self) -> dict[str, Any]:
        """Write it as ``GuestSchema`` has it."""
        return {
            "userId": self.user.user_id,
            "token": self.token,
            "expires": iso(self.expires),
            "basket": self.basket.view(),
        }


def new_user_id() -> str:
    """Return a guest user id: 128 random bits."""
    return "g-" + secrets.token_urlsafe(16)


def start(
    connection: Connection,
    partner: Partner,
    lines: Iterable[Mapping[str, Any]],
    *,
    now: datetime,
    tracking: Tracking = NOTHING,
) -> Admission:
    """Make a guest with a basket that holds these products.

    :raises BasketError: a product can't be put in; nothing is made then.
    """
    user = User(partner.id, new_user_id(), guest=True, basket=None, expires=0)
    basket = baskets.start_guest(connection, user, _added_up(lines), now=now, tracking=tracking)
    return Admission(partner, user.user_id, now, basket)


def credentials(tokens: Tokens, admission: Admission) -> Guest:
    """Make the credentials of an admission, after its transaction has committed.

    The same admission gives the same token: its signature is deterministic. So nothing is lost
    when a process dies between the commit and the answer, and the client asks again.
    """
    basket = admission.basket.id if admission.claimed else None
    token, expires = tokens.issue(
        user_id=admission.user_id, partner=admission.partner, now=admission.since, basket=basket
    )
    user = User(admission.partner.id, admission.user_id, True, basket, expires.timestamp())
    return Guest(user, token, expires, admission.basket)


def _added_up(lines: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Make one entry of a product that comes several times: the counts add up."""
    counts: dict[str, int] = {}
    for line in lines:
        product_id = line["product_id"]
        counts[product_id] = min(counts.get(product_id, 0) + line["count"], MAX_COUNT)
    return counts
