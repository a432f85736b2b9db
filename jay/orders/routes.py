"""``/v1/shops/orders``: what merchants do with their parts of orders."""

from datetime import datetime
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection

from jay import db, web
from jay.auth.guards import current_merchant, require_merchant
from jay.checkout import contacts
from jay.checkout.addresses import Contact
from jay.errors import (
    MalformedRequest,
    OrderNotFound,
    OrderState,
    RefundTooHigh,
    ValidationFailed,
)
from jay.orders import refunding, schemas, service, steps
from jay.orders.models import Actor, OrderPart, Parcel, PartNo, PartState
from jay.orders.steps import NotInPart, Wanted
from jay.sealing import signing
from jay.web.idempotency import STEPWISE, step
from jay.web.responses import answer
from jay.web.versions import PRODUCT_API

blp = web.Blueprint("orders", __name__, api=PRODUCT_API, guards=(require_merchant,))
blp.description = "Merchants' parts of orders: accepted, shipped, cancelled, returned, refunded."


@blp.route("/shops/orders", methods=["GET"])
@blp.arguments(schemas.PartsQuerySchema, location="query")
@blp.response(200, schemas.PartPageSchema)
@blp.errors(MalformedRequest)
def list_orders(query: dict[str, Any]) -> Any:
    """Get your parts of orders, the newest first, 100 a page."""
    filters, after = _position(query)
    with db.reading() as connection:
        parts, position = service.list_parts(
            connection,
            merchant=current_merchant(),
            states=[PartState(filters["state"])] if filters["state"] else [],
            since=filters["since"] and datetime.fromisoformat(filters["since"]),
            after=after,
        )
        numbers = {part.order.order_no for part in parts}
        known = contacts.find_all(connection, numbers, secret=web.settings().secret_key)
        told = [(part, known[part.order.order_no]) for part in parts]
    token = None
    if position is not None:
        created, order_no, number = position
        token = str(_page_tokens().dumps([filters, created.isoformat(), order_no, number]))
    return answer(schemas.page_view(told, token))


@blp.route("/shops/orders/<partNo>", methods=["GET"])
@blp.response(200, schemas.OrderPartSchema)
@blp.errors(OrderNotFound)
def get_order(partNo: str) -> Any:  # noqa: N803
    """Get one of your parts of orders."""
    return answer(_view(_named(partNo)))


@blp.route("/shops/orders/<partNo>", methods=["PATCH"], once=STEPWISE)
@blp.arguments(schemas.StepSchema, example=schemas.STEP)
@blp.response(200, schemas.OrderPartSchema)
@blp.errors(OrderNotFound, OrderState)
def patch_order(body: dict[str, Any], partNo: str) -> Any:  # noqa: N803
    """Take the next step: accepted, shipped (in one parcel or several), delivered, or the end.

    What is cancelled is refunded. What has come back is refunded by a call of its own. With
    `lines` the same call again is another parcel: send an `Idempotency-Key`, and it is done once.
    """
    part_no = _named(partNo)
    try:
        step("stepped", _step, part_no, body)
    except NotInPart as error:
        raise _unknown_sku(error) from error
    refunding.settle(part_no.order_no)
    return answer(_view(part_no))


@blp.route("/shops/orders/<partNo>/refunds", methods=["POST"], once=STEPWISE)
@blp.arguments(schemas.RefundRequestSchema, example=schemas.REFUND)
@blp.response(200, schemas.OrderPartSchema)
@blp.errors(OrderNotFound, RefundTooHigh)
def refund_order(body: dict[str, Any], partNo: str) -> Any:  # noqa: N803
    """Send money back to the shopper: an amount, the price of some pieces, or all that is left.

    Where the payment provider does not answer, it stays `reserved` and is made later.
    """
    part_no = _named(partNo)
    try:
        step("reserved", _refund, part_no, body)
    except NotInPart as error:
        raise _unknown_sku(error) from error
    refunding.settle(part_no.order_no)
    return answer(_view(part_no))


def _step(connection: Connection, part_no: PartNo, body: dict[str, Any]) -> None:
    state = PartState(body["state"])
    who: dict[str, Any] = {
        "merchant": current_merchant().id,
        "by": Actor.MERCHANT,
        "now": web.now(),
    }
    lines = _wanted(body)
    choice = {name: body[name] for name in ("restock",) if name in body}
    if state is PartState.ACCEPTED:
        steps.accept(connection, part_no, **who)
    elif state is PartState.DELIVERED:
        steps.deliver(connection, part_no, **who)
    elif state is PartState.SHIPPED:
        steps.ship(connection, part_no, lines, _parcel(body), **who)
    elif state is PartState.CANCELLED:
        steps.cancel(connection, part_no, lines, **choice, **who)
    else:
        steps.take_back(connection, part_no, lines, **choice, **who)


def _refund(connection: Connection, part_no: PartNo, body: dict[str, Any]) -> str:
    reserved = steps.refund(
        connection,
        part_no,
        body.get("amount"),
        _wanted(body),
        reason=body["reason"],
        merchant=current_merchant().id,
        by=Actor.MERCHANT,
        now=web.now(),
    )
    return reserved.id


def _wanted(body: dict[str, Any]) -> list[Wanted] | None:
    return [Wanted(**one) for one in body["lines"]] if "lines" in body else None


def _parcel(body: dict[str, Any]) -> Parcel | None:
    told = body.get("tracking")
    if told is None:
        return None
    return Parcel(0, told.get("carrier"), told.get("number"), told.get("url"))


def _named(text: str) -> PartNo:
    found = PartNo.typed(text)
    if found is None:
        raise OrderNotFound
    return found


def _view(part_no: PartNo) -> dict[str, Any]:
    with db.reading() as connection:
        part = service.find_part(connection, part_no, merchant=current_merchant().id)
        if part is None:
            raise OrderNotFound
        return schemas.part_view(part, _contact_of(connection, part))


def _contact_of(connection: Connection, part: OrderPart) -> Contact:
    return contacts.find(connection, part.order.order_no, secret=web.settings().secret_key)


def _unknown_sku(error: NotInPart) -> ValidationFailed:
    told = {str(error.index): {"sku": ["Is not in this order."]}}
    return ValidationFailed(details={"lines": told})


def _position(query: dict[str, Any]) -> tuple[dict[str, Any], service.Position | None]:
    token = query.get("next_token")
    if not token:
        since = query.get("since")
        return {"state": query.get("state"), "since": since and since.isoformat()}, None
    try:
        filters, created, order_no, number = _page_tokens().loads(token)
    except BadSignature as error:
        raise MalformedRequest("The next_token is not one of this service.") from error
    return filters, (datetime.fromisoformat(created), order_no, number)


def _page_tokens() -> URLSafeSerializer:
    # Bound to the merchant: its page tokens say nothing to another one.
    salt = f"orders of merchant {current_merchant().id}"
    return URLSafeSerializer(signing(web.settings().secret_key), salt=salt)
