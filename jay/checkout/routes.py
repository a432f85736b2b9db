"""The checkout over HTTP."""

from flask import Response

from jay import db, web
from jay.auth.guards import current_user, require_partner, require_user
from jay.checkout import comfort, schemas
from jay.errors import GuestNotAllowed
from jay.web.responses import answer
from jay.web.versions import BASKET_API

blp = web.Blueprint("checkout", __name__, api=BASKET_API, guards=(require_partner, require_user))
blp.description = "From the basket to a paid order."


@blp.route("/baskets/users/<userId>/comfort", methods=["PATCH"])
@blp.arguments(schemas.ComfortSchema)
@blp.response(200, schemas.ComfortStateSchema)
@blp.errors(GuestNotAllowed)
def patch_comfort(body: dict[str, str | None], userId: str) -> Response:  # noqa: N803, ARG001
    """Set or remove the comfort settings of a user whose token the partner has signed."""
    secret = web.settings().secret_key
    with db.transaction() as connection:
        state = comfort.change(connection, current_user(), body, secret=secret, now=web.now())
    return answer(schemas.comfort_view(state))
