"""``/v1/shops``: the feed of the merchants."""

from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from jay import db, web
from jay.auth.guards import current_merchant, require_merchant
from jay.errors import MalformedRequest, SkuNotFound, SkuTaken, ValidationFailed
from jay.legal.models import MAX_TEXTS
from jay.legal.service import TooManyTexts
from jay.net.addresses import keeps_secrets
from jay.products import (
    bulk,
    config_schemas,
    configuring,
    examples,
    feeding,
    listing,
    schemas,
    stored,
)
from jay.products.models import NotYetObserved, normal_sku
from jay.sealing import signing
from jay.web.idempotency import ATOMIC
from jay.web.responses import answer
from jay.web.versions import PRODUCT_API

blp = web.Blueprint("products", __name__, api=PRODUCT_API, guards=(require_merchant,))
blp.description = "Merchants feed descriptions, prices and stock."


@blp.route("/shops/config", methods=["GET"])
@blp.response(200, config_schemas.ConfigSchema)
def get_config() -> Any:
    """Get the merchant's general configuration."""
    with db.reading() as connection:
        config = configuring.find(connection, current_merchant())
    return answer(config_schemas.config_view(config))


@blp.route("/shops/config", methods=["PATCH"])
@blp.arguments(config_schemas.ConfigSchema, example=config_schemas.EXAMPLE)
@blp.response(200, config_schemas.ConfigSchema)
def patch_config(changes: dict[str, Any]) -> Any:
    """Change the merchant's general configuration, each field on its own.

    Products can be paid once name, address and e-mail in `legal`, and texts of the kinds `terms`
    and `withdrawal` are there. A text is a new version when it changes, and orders keep the
    versions that were shown.
    """
    url = changes.get("order_webhook_url")
    # Orders hold names and addresses; a network of the operator's own may do without.
    if url and not keeps_secrets(url, web.settings().reachable):
        raise ValidationFailed(details={"orderWebhookUrl": ["Must be an https URL."]})
    try:
        with db.transaction() as connection:
            config = configuring.change(connection, current_merchant(), changes, now=web.now())
    except TooManyTexts as error:
        raise ValidationFailed(details={"texts": [f"At most {MAX_TEXTS} in all."]}) from error
    return answer(config_schemas.config_view(config))


@blp.route("/shops/products", methods=["GET"])
@blp.arguments(schemas.SkuQuerySchema, location="query")
@blp.response(200, schemas.SkuPageSchema)
@blp.errors(MalformedRequest)
def list_skus(query: dict[str, str]) -> Any:
    """Get the SKUs of the merchant's main products, page by page."""
    position = _position(query)
    with db.reading() as connection:
        blocks, after = listing.list_skus(connection, current_merchant(), **position)
    token = None if after is None else str(_page_tokens().dumps({**position, "after": after}))
    return answer(schemas.sku_page_view(blocks, token))


@blp.route("/shops/products", methods=["POST"], once=ATOMIC)
@blp.arguments(schemas.ProductSchema, example=examples.PRODUCT)
@blp.response(200, schemas.StoredProductSchema)
@blp.errors(SkuTaken)
def post_product(body: dict[str, Any]) -> Any:
    """Add a full product description with all variants, or replace it."""
    product = schemas.as_use_case(body)
    with db.transaction() as connection:
        result = feeding.put_product(connection, current_merchant(), now=web.now(), **product)
    return answer(schemas.stored_view(result))


@blp.route("/shops/products/<path:sku>", methods=["GET"])
@blp.arguments(schemas.ProductQuerySchema, location="query")
@blp.response(200, schemas.DescribedProductSchema)
@blp.errors(SkuNotFound)
def get_product(query: dict[str, str], sku: str) -> Any:
    """Get a product as it is stored; for a variant's SKU, the product that it belongs to."""
    merchant = current_merchant()
    with db.reading() as connection:
        found = stored.find(
            connection, merchant, query.get("lang"), query.get("country"), normal_sku(sku)
        )
    if found is None:
        raise SkuNotFound
    return answer(schemas.product_view(found))


@blp.route("/shops/products/<path:sku>", methods=["DELETE"])
@blp.arguments(schemas.ProductQuerySchema, location="query")
@blp.response(200, schemas.StoredProductSchema)
@blp.errors(SkuNotFound)
def delete_product(query: dict[str, str], sku: str) -> Any:
    """Take a product with its variants, or one variant, out of the catalogue.

    In baskets it stays, as no longer sold. Sent again, it is back under the same id.
    """
    locale = query.get("lang"), query.get("country")
    with db.transaction() as connection:
        removed = bulk.remove(
            connection, current_merchant(), *locale, normal_sku(sku), now=web.now()
        )
    if removed is None:
        raise SkuNotFound
    return answer(schemas.stored_view(removed))


@blp.route("/shops/products", methods=["PATCH"])
@blp.arguments(schemas.VolatileUpdateSchema, example=examples.UPDATE)
@blp.response(200, schemas.UpdatedSchema)
def patch_products(body: dict[str, Any]) -> Any:
    """Update stock, prices and the like of up to 50 products and variants."""
    shared: dict[str, Any] = {
        name: body[name] for name in ("currency", "vat", "shipping") if name in body
    }
    try:
        with db.transaction() as connection:
            result = feeding.update_volatile(
                connection,
                current_merchant(),
                now=web.now(),
                items=body["products"],
                shared=shared,
                as_of=body.get("as_of"),
                lang=body.get("lang"),
                country=body.get("country"),
            )
    except NotYetObserved as error:
        raise ValidationFailed(details={"asOf": ["Must not be in the future."]}) from error
    return answer(schemas.updated_view(result))


def _position(query: dict[str, str]) -> dict[str, Any]:
    token = query.get("next_token")
    if not token:
        return {"lang": query.get("lang") or None, "country": query.get("country") or None}
    try:
        position: dict[str, Any] = _page_tokens().loads(token)
    except BadSignature as error:
        raise MalformedRequest("The next_token is not one of this service.") from error
    return {**position, "after": tuple(position["after"])}


def _page_tokens() -> URLSafeSerializer:
    # Bound to the merchant: its page tokens say nothing to another one.
    salt = f"skus of merchant {current_merchant().id}"
    return URLSafeSerializer(signing(web.settings().secret_key), salt=salt)
