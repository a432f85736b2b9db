"""Wire shapes of the basket."""

import re
from collections.abc import Iterable
from typing import Any

import marshmallow as ma

from jay.baskets.models import MAX_COUNT, REMOVE, Basket, Entry
from jay.clock import iso
from jay.products.models import Product, Variant
from jay.products.schemas import (
    BasePriceSchema,
    ManufacturerSchema,
    ResponsibleSchema,
    SafetySchema,
)
from jay.web.plain import PlainList
from jay.web.schema import Int, Schema, Text
from jay.web.words import EXAMPLES

MAX_PRODUCT_ID = 500
MAX_DETAILS = 50
MAX_TOKEN_LENGTH = 8 * 1024
EXAMPLE = EXAMPLES["productId"]


class EntrySchema(Schema):
    """A product in a list of the basket."""

    product_id = ma.fields.String(required=True, metadata={"example": EXAMPLE})
    count = ma.fields.Integer(required=True, metadata={"example": 1})


class BasketSchema(Schema):
    """The basket with its three lists."""

    expires = ma.fields.String(required=True, metadata={"example": "2025-06-29T08:12:34Z"})
    last_changed = ma.fields.String(required=True, metadata={"example": "2025-06-04T12:34:56Z"})
    cart = ma.fields.List(ma.fields.Nested(EntrySchema), required=True)
    saved = ma.fields.List(ma.fields.Nested(EntrySchema), required=True)
    checkout = ma.fields.List(ma.fields.Nested(EntrySchema), required=True)


class MergedBasketSchema(BasketSchema):
    """The basket after a merge, and what it had no more room for."""

    dropped = ma.fields.List(
        ma.fields.Nested(EntrySchema),
        metadata={"description": "The oldest saved products, where more than 500 came together."},
    )


class AssignSchema(Schema):
    """How many: a count puts the product in the cart, 0 saves it, -1 removes it."""

    count = Int(REMOVE, MAX_COUNT, load_default=1, metadata={"example": 1})


class UpdateSchema(Schema):
    """How many; null or absent changes nothing."""

    count = Int(REMOVE, MAX_COUNT, load_default=None, allow_none=True, metadata={"example": 2})


class MergeSchema(Schema):
    """The guest whose basket joins the user's."""

    guest_token = Text(
        required=True,
        validate=ma.validate.Length(1, MAX_TOKEN_LENGTH),
        metadata={"description": "The guest's bearer token.", "example": "eyJ0eXAiOi..."},
    )


def basket_view(basket: Basket) -> dict[str, Any]:
    """Write a basket as ``BasketSchema`` has it."""
    cart, saved, checkout = basket.lists()
    return {
        "expires": iso(basket.expires),
        "lastChanged": iso(basket.last_changed),
        "cart": _entries_view(cart),
        "saved": _entries_view(saved),
        "checkout": _entries_view(checkout),
    }


def merged_view(basket: Basket) -> dict[str, Any]:
    """Write a basket after a merge as ``MergedBasketSchema`` has it."""
    dropped = {"dropped": _entries_view(basket.dropped)} if basket.dropped else {}
    return {**basket_view(basket), **dropped}


def _entries_view(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [{"productId": entry.product_id, "count": entry.count} for entry in entries]


def product_id_list() -> ma.fields.List[str]:
    """Build the body of the details request: an array of product ids."""
    length = ma.validate.Length(1, MAX_PRODUCT_ID)
    identifier = Text(validate=length, metadata={"example": EXAMPLE})
    return PlainList(identifier, validate=ma.validate.Length(1, MAX_DETAILS))


class ImageSchema(Schema):
    """A picture."""

    url = ma.fields.String(required=True)
    copyright_text = ma.fields.String(allow_none=True)


class VariantDetailsSchema(Schema):
    """A variant of the product."""

    product_id = ma.fields.String(required=True)
    type = ma.fields.String(allow_none=True, metadata={"example": "size"})
    value = ma.fields.String(metadata={"example": "M"})
    price = ma.fields.Integer(allow_none=True)
    org_price = ma.fields.Integer(allow_none=True)
    lowest_price30 = ma.fields.Integer(allow_none=True)
    current_stock_count = ma.fields.Integer(allow_none=True)


class ProductDetailsSchema(Schema):
    """A product as it is sold now; of an unknown one, only id and a stock of -1."""

    product_id = ma.fields.String(required=True)
    current_stock_count = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "null: without limit; negative: not available any more."},
    )
    count = ma.fields.Integer(metadata={"example": 1})
    variant = ma.fields.String()
    main_product_identifier = ma.fields.String()
    shop_source = ma.fields.String(metadata={"example": "demo-shop"})
    slug = ma.fields.String()
    name = ma.fields.String()
    brand = ma.fields.Raw(allow_none=True)
    sub_line = ma.fields.String(allow_none=True)
    description = ma.fields.String(allow_none=True)
    gender = ma.fields.Raw(allow_none=True)
    material = ma.fields.String(allow_none=True)
    colour = ma.fields.String(allow_none=True)
    colour_code = ma.fields.Integer(allow_none=True)
    fit = ma.fields.String(allow_none=True)
    url = ma.fields.String(allow_none=True)
    url_label = ma.fields.String(allow_none=True)
    url_note = ma.fields.String(allow_none=True)
    url_image_url = ma.fields.String(allow_none=True)
    images = ma.fields.List(ma.fields.Nested(ImageSchema))
    org_price_kind = ma.fields.String(
        metadata={"description": "This and what follows to `durabilityGuaranteeYears`: where set."}
    )
    base_price = ma.fields.Nested(BasePriceSchema)
    manufacturer = ma.fields.Nested(ManufacturerSchema)
    responsible_person = ma.fields.Nested(ResponsibleSchema)
    gtin = ma.fields.String()
    mpn = ma.fields.String()
    safety = ma.fields.List(ma.fields.Nested(SafetySchema))
    withdrawal_exception = ma.fields.String()
    durability_guarantee_years = ma.fields.Integer()
    price = ma.fields.Integer(allow_none=True, metadata={"description": "Minor units."})
    org_price = ma.fields.Integer(allow_none=True, metadata={"description": "Minor units."})
    lowest_price30 = ma.fields.Integer(allow_none=True)
    currency = ma.fields.String(metadata={"example": "EUR"})
    vat = ma.fields.Float(metadata={"description": "Percent."})
    not_shoppable = ma.fields.Boolean()
    out_of_stock = ma.fields.Boolean()
    lang = ma.fields.String(metadata={"example": "de"})
    country = ma.fields.String(metadata={"example": "DE"})
    variants = ma.fields.List(ma.fields.Nested(VariantDetailsSchema))


class DetailsSchema(Schema):
    """The asked products, in the asked order."""

    products = ma.fields.List(ma.fields.Nested(ProductDetailsSchema), required=True)


UNKNOWN_STOCK = -1

_NOT_DESCRIBED: dict[str, Any] = {
    "brand": None,
    "subLine": None,
    "description": None,
    "gender": None,
    "material": None,
    "colour": None,
    "colourCode": None,
    "fit": None,
    "url": None,
    "urlLabel": None,
    "urlNote": None,
    "urlImageUrl": None,
    "images": [],
}


def details_answer(
    found: Iterable[tuple[str, Product | None, list[Variant]]],
) -> dict[str, Any]:
    """Write products as ``DetailsSchema`` has them."""
    return {"products": [details_view(*one) for one in found]}


def details_view(
    identifier: str, product: Product | None, variants: list[Variant]
) -> dict[str, Any]:
    """Write a product as ``ProductDetailsSchema`` has it."""
    if product is None:
        return {"productId": identifier, "currentStockCount": UNKNOWN_STOCK}
    return {
        "productId": product.id,
        "currentStockCount": _shown(product.stock_count),
        "count": 1,
        "variant": product.variant_value or "",
        "mainProductIdentifier": product.main_id or product.id,
        "shopSource": product.merchant,
        "slug": slug(product.name),
        "name": product.name,
        **_NOT_DESCRIBED,
        **product.description,
        "price": product.price,
        "orgPrice": product.org_price,
        "lowestPrice30": product.lowest_price,
        "currency": product.currency,
        "vat": product.vat,
        "notShoppable": product.not_shoppable,
        "outOfStock": _is_out_of_stock(product, variants),
        "lang": product.lang,
        "country": product.country,
        "variants": [
            {
                "productId": variant.id,
                "type": variant.variant_type,
                "value": variant.variant_value or "",
                "price": variant.price,
                "orgPrice": variant.org_price,
                "lowestPrice30": variant.lowest_price,
                "currentStockCount": _shown(variant.stock_count),
            }
            for variant in variants
        ],
    }


def _is_out_of_stock(product: Product, variants: list[Variant]) -> bool:
    """Tell whether there is none; of a product with variants, none of any."""
    if product.main_id is not None or not variants:
        return product.out_of_stock
    return all(one.stock_count is not None and one.stock_count <= 0 for one in variants)


def _shown(stock_count: int | None) -> int | None:
    # Sold out is 0 here, whatever the merchant counts: below 0 means gone (contract).
    return stock_count if stock_count is None or stock_count > 0 else 0


def slug(name: str) -> str:
    """Write a name as a part of an address: letters, digits and hyphens, in lower case."""
    return _NO_WORD.sub("-", name.lower()).strip("-")


_NO_WORD = re.compile(r"[\W_]+")
