"""Credentials that open a basket: a guest's own, and those that a transfer gave."""

from jay.auth.models import User
from jay.auth.tokens import Tokens
from jay.baskets.models import Grant, Guest


def credentials(tokens: Tokens, grant: Grant) -> Guest:
    """Make the credentials of an grant, after its transaction has committed.

    The same grant gives the same token: its signature is deterministic. So nothing is lost
    when a process dies between the commit and the answer, and the client asks again.
    """
    token, expires = tokens.issue(
        user_id=grant.user_id, partner=grant.partner, now=grant.since, opens=grant.opens
    )
    claimed = grant.basket if grant.claimed else None
    user = User(
        grant.partner.id,
        grant.user_id,
        guest=True,
        basket=None if claimed is None else claimed.id,
        expires=expires.timestamp(),
        basket_key=None if claimed is None else claimed.routing_key,
    )
    return Guest(user, token, expires, grant.basket)
