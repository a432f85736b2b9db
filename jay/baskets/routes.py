"""``/v2/baskets/users``: the basket over HTTP."""

from typing import Any

from flask import Response, request
from sqlalchemy import Connection

from jay import db, web
from jay.auth.guards import (
    current_partner,
    current_user,
    doorkeeper,
    require_partner,
    require_user,
)
from jay.auth.models import User
from jay.baskets import schemas, service
from jay.baskets.models import REMOVE, Basket
from jay.errors import (
    CartFull,
    CheckoutPaying,
    GuestNotAllowed,
    NothingToMerge,
    NotInBasket,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    PreconditionFailed,
    ProductNotFound,
    SavedFull,
    TokenError,
    ValidationFailed,
)
from jay.web import conditions, tracking
from jay.web.idempotency import ATOMIC, STEPWISE, done, step
from jay.web.responses import answer
from jay.web.versions import BASKET_API

blp = web.Blueprint("baskets", __name__, api=BASKET_API, guards=(require_partner, require_user))
blp.description = "A user's basket: cart, saved list and the products in checkout."

_USER = "/baskets/users/<userId>"
# A product id may hold slashes, percent-encoded or not: they arrive alike.
_PRODUCT = f"{_USER}/products/<path:productId>"


def basket_answer(basket: Basket) -> Response:
    """Answer with a basket and its entity tag."""
    return answer(schemas.basket_view(basket), etag=basket.etag)


def if_match() -> service.Precondition | None:
    """Return what the request's ``If-Match`` asks for (RFC 9110 section 13.1.1).

    Where the comparison should be strong, a tag is taken that only a proxy has made weak.
    """
    if "If-Match" not in request.headers:
        return None
    # A header that holds no tag at all matches nothing.
    return conditions.named(request.if_match)


@blp.route(_USER, methods=["GET"])
@blp.response(200, schemas.BasketSchema)
@blp.alt_response(304, description="The basket has not changed since the If-None-Match version.")
def get_basket(userId: str) -> Response:  # noqa: N803, ARG001 - the contract's name
    """Get the basket; an empty one when there is none."""
    with db.reading() as connection:
        basket = service.read(connection, current_user(), now=web.now())
    return basket_answer(basket)


@blp.route(_USER, methods=["DELETE"])
@blp.response(200, schemas.BasketSchema)
@blp.errors(CheckoutPaying, PreconditionFailed)
def delete_basket(userId: str) -> Response:  # noqa: N803, ARG001
    """Delete the basket and end all credentials that transfers gave for it."""
    return basket_answer(db.write(service.delete_basket, current_user(), context=_context()))


@blp.route(_PRODUCT, methods=["POST"], once=ATOMIC)
@blp.arguments(schemas.AssignSchema, required=False)
@blp.response(200, schemas.BasketSchema)
@blp.errors(
    ProductNotFound, NotShoppable, OutOfStock, OrderLimit, CartFull, SavedFull, PreconditionFailed
)
def assign_product(body: dict[str, int], userId: str, productId: str) -> Response:  # noqa: N803, ARG001
    """Assign a product: a count puts it in the cart, 0 saves it, -1 removes it."""
    return basket_answer(
        db.write(service.assign, current_user(), productId, count=body["count"], context=_context())
    )


@blp.route(_PRODUCT, methods=["PATCH"])
@blp.arguments(schemas.UpdateSchema, required=False)
@blp.response(200, schemas.BasketSchema)
@blp.errors(
    NotInBasket,
    ProductNotFound,
    NotShoppable,
    OutOfStock,
    OrderLimit,
    CartFull,
    SavedFull,
    PreconditionFailed,
)
def update_product(body: dict[str, int | None], userId: str, productId: str) -> Response:  # noqa: N803, ARG001
    """Update a product that is in the basket; a count of null changes nothing."""
    return basket_answer(
        db.write(service.change, current_user(), productId, count=body["count"], context=_context())
    )


@blp.route(_PRODUCT, methods=["DELETE"])
@blp.response(200, schemas.BasketSchema)
@blp.errors(NotInBasket, PreconditionFailed)
def remove_product(userId: str, productId: str) -> Response:  # noqa: N803, ARG001
    """Remove a product from the cart and the saved list."""
    return basket_answer(
        db.write(service.change, current_user(), productId, count=REMOVE, context=_context())
    )


@blp.route(f"{_USER}/merge", methods=["POST"], once=STEPWISE)
@blp.arguments(schemas.MergeSchema)
@blp.response(200, schemas.MergedBasketSchema)
@blp.errors(CheckoutPaying, GuestNotAllowed, NothingToMerge, PreconditionFailed)
def merge_guest(body: dict[str, str], userId: str) -> Response:  # noqa: N803, ARG001
    """Let a guest's entries join the user's basket after a log-in. Once only."""
    # A crash may have come after the merge, and the guest's token have expired since.
    merged = done("merged")
    if merged is None:
        tokens = doorkeeper().tokens
        try:
            guest = tokens.verify(body["guest_token"], current_partner(), now=web.now())
            merged = step("merged", _merge, current_user(), guest)
        except TokenError as error:
            # About the field: the caller's own token is a good one, and so no 401.
            raise ValidationFailed(details={"guestToken": [error.message]}) from error
    return answer(merged["basket"], etag=merged["etag"])


def _merge(connection: Connection, user: User, guest: User) -> dict[str, Any]:
    basket = service.merge(connection, user, guest, context=_context())
    return {"basket": schemas.merged_view(basket), "etag": basket.etag}


def _context() -> service.Context:
    return service.Context(web.now(), if_match(), tracking.current())


@blp.route("/baskets/products/details", methods=["POST"], once=ATOMIC)
@blp.array_argument(schemas.product_id_list())
@blp.response(200, schemas.DetailsSchema)
def product_details(body: list[str]) -> Any:
    """Get up to 50 products in full, in the order of the request."""
    now = web.now()
    with db.reading_lately(now=now) as connection:
        found = service.details(connection, body, now=now)
    return answer(schemas.details_answer(found))
