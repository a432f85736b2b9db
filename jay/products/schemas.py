"""Wire shapes of the Product Data API."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import marshmallow as ma

from jay.products.fields import (
    Country,
    Currency,
    EmailText,
    Gtin,
    Language,
    Moment,
    Sku,
    StringOr,
    Url,
    amount_field,
    name_field,
    text_field,
)
from jay.products.models import (
    MAX_VARIANTS,
    VOLATILE,
    SkuBlock,
    StoredProduct,
    Updated,
    microseconds,
    moment_of,
)
from jay.web.plain import PlainList
from jay.web.schema import MAX_AMOUNT, Flag, Int, List, Number, Schema, Text

MAX_PRODUCTS = 50
MAX_DESCRIPTION = 20_000
MAX_IMAGES = 50
MAX_STEPS = 100
MAX_MPN = 200
MAX_SAFETY = 5_000
MAX_SAFETIES = 20


class StoredAsSent(Schema):
    """A part that is stored as one value, with the names that it has on the wire."""

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Name the field on the wire, and what is loaded alike."""
        super().on_bind_field(field_name, field_obj)
        field_obj.attribute = field_obj.data_key


class ShippingStepSchema(StoredAsSent):
    """A step of a shipping scale: from ``start`` items on, ``price`` minor units."""

    start = Int(0, load_default=0)
    price = Int(0, MAX_AMOUNT, load_default=0)


class ProductShippingSchema(StoredAsSent):
    """The shipping model of a product; its strategies add up."""

    shipping_flat_rate = Int(
        0, MAX_AMOUNT, metadata={"description": "Per order line.", "example": 499}
    )
    shipping_per_item = Int(
        0, MAX_AMOUNT, metadata={"description": "Times the count.", "example": 0}
    )
    shipping_scale = List(
        ma.fields.Nested(ShippingStepSchema), validate=ma.validate.Length(max=MAX_STEPS)
    )
    order_limit = Int(
        0, allow_none=True, metadata={"description": "Largest count; 0 means none.", "example": 0}
    )


class ImageSchema(StoredAsSent):
    """A picture of the product."""

    url = Url(required=True, metadata={"example": "https://shop.example/hoodie.jpg"})
    copyright_text = text_field(load_default=None)


class BrandSchema(StoredAsSent):
    """A brand as an object."""

    name = name_field()
    logo_url = Url(allow_none=True, load_default=None)


class GenderSchema(StoredAsSent):
    """A gender as an object."""

    code = Int(1, 4, required=True)
    label = text_field()


class BasePriceSchema(StoredAsSent):
    """How much of its unit a product holds, for the price of one unit (PAngV 4)."""

    content = Number(0.000001, 1_000_000, required=True, metadata={"example": 0.75})
    unit = Text(
        required=True,
        validate=ma.validate.OneOf(["kg", "l", "m", "m2", "piece"]),
        metadata={"example": "l"},
    )


class ResponsibleSchema(StoredAsSent):
    """Who answers for a product's safety in the EU (GPSR, article 16)."""

    name = name_field()
    address = text_field(metadata={"example": "Hafenstraße 1, 20457 Hamburg, DE"})
    email = EmailText(allow_none=True, metadata={"example": "safety@shop.example"})


class ManufacturerSchema(ResponsibleSchema):
    """Who made a product (GPSR, article 19)."""

    url = Url(allow_none=True)


class SafetySchema(StoredAsSent):
    """A warning or safety information in one language (GPSR, article 19)."""

    lang = Language(required=True)
    text = name_field(limit=MAX_SAFETY)
    image_url = Url(allow_none=True)


class DescriptionSchema(Schema):
    """What describes a product, or sets a variant apart from its product; prices apart."""

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Load these, and these alone, by the names of the wire: they are stored as sent."""
        super().on_bind_field(field_name, field_obj)
        if field_name in DescriptionSchema._declared_fields:
            field_obj.attribute = field_obj.data_key

    brand = StringOr(
        text_field(), BrandSchema, allow_none=True, metadata={"example": "Tommy Hilfiger"}
    )
    sub_line = text_field()
    description = text_field(MAX_DESCRIPTION)
    gender = StringOr(Int(1, 4), GenderSchema, allow_none=True, metadata={"example": 2})
    material = text_field(metadata={"example": "100% linen"})
    colour = text_field(metadata={"example": "red"})
    colour_code = Int(0, 0xFFFFFF, allow_none=True, metadata={"example": 11806517})
    fit = text_field(metadata={"example": "slim"})
    url = Url(allow_none=True)
    url_label = text_field()
    url_note = text_field()
    url_image_url = Url(allow_none=True)
    images = List(ma.fields.Nested(ImageSchema), validate=ma.validate.Length(max=MAX_IMAGES))
    org_price_kind = Text(
        validate=ma.validate.OneOf(["previous", "rrp"]),
        allow_none=True,
        metadata={
            "description": "What `orgPrice` is: an earlier price of yours, which it is unless said"
            " otherwise, or the manufacturer's recommended one.",
            "example": "previous",
        },
    )
    base_price = ma.fields.Nested(BasePriceSchema, allow_none=True)
    manufacturer = ma.fields.Nested(ManufacturerSchema, allow_none=True)
    responsible_person = ma.fields.Nested(ResponsibleSchema, allow_none=True)
    gtin = Gtin(allow_none=True)
    mpn = text_field(MAX_MPN, metadata={"description": "The manufacturer's number."})
    safety = List(ma.fields.Nested(SafetySchema), validate=ma.validate.Length(max=MAX_SAFETIES))
    withdrawal_exception = Text(
        validate=ma.validate.OneOf(
            [
                *("none", "custom", "perishable", "hygiene"),
                *("sealedMedia", "dateBound", "digital"),
            ]
        ),
        allow_none=True,
        metadata={
            "description": "Why a consumer can't withdraw from buying it (directive 2011/83/EU,"
            " article 16).",
            "example": "none",
        },
    )
    durability_guarantee_years = Int(
        1, 100, allow_none=True, metadata={"description": "Of the producer, free of charge."}
    )


class SaleSchema(Schema):
    """A price that counts from one moment to another, instead of the one beside it."""

    price = amount_field(required=True, example=1999)
    from_ = Moment(data_key="from", metadata={"description": "Without it: at once."})
    until = Moment(metadata={"description": "Without it: until the price is set anew."})

    @ma.post_load
    def _as_stored(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        begin, end = data.get("from_"), data.get("until")
        return {
            "price": data["price"],
            "from": begin and microseconds(begin),
            "until": end and microseconds(end),
        }


class OfferSchema(Schema):
    """What a product or a variant costs, how many there are, and which variant it is."""

    stock_count = Int(
        allow_none=True,
        metadata={"description": "> 0 available, <= 0 out of stock, null without limit."},
    )
    price = amount_field(example=2799)
    org_price = amount_field(example=3599)
    sale = ma.fields.Nested(
        SaleSchema,
        metadata={
            "description": "Counts only together with `price`, and where it is below it; whoever"
            " sets the price anew ends it."
        },
    )
    currency = Currency()
    shipping_model = ma.fields.Nested(ProductShippingSchema, attribute="shipping", allow_none=True)
    vat = Number(0, 1000, allow_none=True, metadata={"description": "Percent.", "example": 19})
    type = text_field(metadata={"example": "size"})
    value = text_field(metadata={"example": "6½"})


class VariantSchema(OfferSchema, DescriptionSchema):
    """A variant of a product, such as a size; what it does not say is as the product has it."""

    sku = Sku()


class ProductSchema(OfferSchema, DescriptionSchema):
    """A full product description with all variants.

    With a `value` of its own it is one of the variants to choose from, too.
    """

    sku = Sku(metadata={"description": "Stock keeping unit.", "example": "TO122S074-A12"})
    name = name_field(example="LOGO - Kapuzenpullover - white")
    lang = Language()
    country = Country()
    not_shoppable = Flag(load_default=False)
    variants = List(
        ma.fields.Nested(VariantSchema),
        validate=ma.validate.Length(max=MAX_VARIANTS),
        load_default=list,
    )


DESCRIPTIVE = tuple(str(field.data_key) for field in DescriptionSchema().fields.values())
"""The names of what describes a product, in the order in which they are written."""


def as_use_case(body: dict[str, Any]) -> dict[str, Any]:
    """Sort a loaded ``ProductSchema`` into the arguments of ``feeding.put_product``."""
    get, (offered, _, described) = body.get, _sorted(tuple(body))
    return {
        "sku": body["sku"],
        "name": body["name"],
        "lang": get("lang"),
        "country": get("country"),
        "not_shoppable": body["not_shoppable"],
        "type": get("type"),
        "value": get("value"),
        "variants": [variant_of(variant) for variant in body["variants"]],
        "volatile": {name: body[name] for name in offered},
        "description": {name: value for name in described if (value := body[name]) is not None},
    }


def variant_of(body: dict[str, Any]) -> dict[str, Any]:
    """Sort a loaded ``VariantSchema`` into a variant of ``feeding.put_product``."""
    _, of_variants, described = _sorted(tuple(body))
    variant = {name: body[name] for name in of_variants}
    if described:
        own = {name: value for name in described if (value := body[name]) is not None}
        if own:
            variant["description"] = own
    return variant


_DESCRIPTIVE = frozenset(DESCRIPTIVE)
_OFFERED = (*VOLATILE, "sale")
_OF_VARIANTS = ("sku", "type", "value", *_OFFERED)


@lru_cache(maxsize=1_000)
def _sorted(names: tuple[str, ...]) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Return which of these names are an offer's, a variant's and a description's."""
    return (
        [name for name in _OFFERED if name in names],
        [name for name in _OF_VARIANTS if name in names],
        [name for name in names if name in _DESCRIPTIVE],
    )


def product_body(product: Any) -> dict[str, Any]:
    """Write a ``stored.Described`` as ``ProductSchema`` has it; what is not set is absent.

    Sent again, it describes the same product: what a merchant has cleared is null, as then null is
    news, too.
    """
    main = product.main
    return {
        "sku": main.sku,
        "name": main.name,
        "lang": main.lang,
        "country": main.country,
        **_stored_offer(main),
        **_stored_description(main),
        **({"notShoppable": True} if main.not_shoppable else {}),
        "variants": [
            {"sku": row.sku, **_stored_offer(row), **_stored_description(row)}
            for row in product.variants
        ],
    }


def product_view(product: Any) -> dict[str, Any]:
    """Write a ``stored.Described`` as ``DescribedProductSchema`` has it."""
    body = product_body(product)
    for variant, row in zip(body["variants"], product.variants, strict=True):
        variant["productId"] = row.id
    return {"productId": product.main.id, **body}


def _stored_offer(row: Any) -> dict[str, Any]:
    written = {"stockCount": row.stock_count} if row.stock_set else {}
    fields = {
        "price": row.price,
        "orgPrice": row.org_price,
        "currency": row.currency,
        "vat": row.vat,
        "shippingModel": row.shipping,
        "type": row.variant_type,
        "value": row.variant_value,
    }
    if row.sale_price is not None:
        moments = {"from": row.sale_from, "until": row.sale_until}
        written["sale"] = {"price": row.sale_price} | {
            name: moment_of(moment).isoformat().replace("+00:00", "Z")
            for name, moment in moments.items()
            if moment is not None
        }
    cleared = set()
    if row.main_id is None:
        stamps = {"vat": row.vat_as_of, "shippingModel": row.shipping_as_of}
        cleared = {name for name, as_of in stamps.items() if as_of is not None}
    return written | {n: v for n, v in fields.items() if v is not None or n in cleared}


def _stored_description(row: Any) -> dict[str, Any]:
    described = row.description or {}
    return {name: described[name] for name in DESCRIPTIVE if name in described}


class DescribedVariantSchema(VariantSchema):
    """A variant as it is stored."""

    product_id = ma.fields.String(required=True)


class DescribedProductSchema(ProductSchema):
    """A product as it is stored: what describes it in full, with the ids for baskets."""

    product_id = ma.fields.String(
        required=True, metadata={"example": "demo-shop/de-DE/TO122S074-A12"}
    )
    variants = List(ma.fields.Nested(DescribedVariantSchema), required=True)


class ProductQuerySchema(Schema):
    """Which language and country a SKU is meant in; else the merchant's own."""

    class Meta:
        """Unknown query parameters are ignored, as everywhere in the public contract."""

        unknown = ma.EXCLUDE

    lang = Language()
    country = Country()


class StoredVariantSchema(Schema):
    """A variant's SKU and its id in the basket."""

    sku = ma.fields.String(required=True)
    product_id = ma.fields.String(required=True)


class StoredProductSchema(Schema):
    """The ids under which the product and its variants are put into baskets."""

    product_id = ma.fields.String(
        required=True, metadata={"example": "demo-shop/de-DE/TO122S074-A12"}
    )
    variants = ma.fields.List(ma.fields.Nested(StoredVariantSchema), required=True)


class StoredPictureSchema(Schema):
    """A picture that was sent, and where it is."""

    product_id = ma.fields.String(
        required=True, metadata={"example": "demo-shop/de-DE/TO122S074-A12"}
    )
    position = ma.fields.Integer(required=True)
    url = ma.fields.String(required=True, allow_none=True)


def picture_view(identifier: str, position: int, url: str | None) -> dict[str, Any]:
    """Write what was stored as ``StoredPictureSchema`` has it."""
    return {"productId": identifier, "position": position, "url": url}


def stored_view(stored: StoredProduct) -> dict[str, Any]:
    """Write what was stored as ``StoredProductSchema`` has it."""
    variants = [{"sku": sku, "productId": identifier} for sku, identifier in stored.variants]
    return {"productId": stored.id, "variants": variants}


class VolatileProductSchema(Schema):
    """What changes often of one product or variant."""

    sku = Sku()
    stock_count = Int(allow_none=True, metadata={"description": "null means without limit."})
    price = amount_field(example=2799)
    org_price = amount_field(
        example=3599,
        description="Minor units, tax included. It goes when `price`, or that of its product,"
        " comes in another currency without a new one.",
    )


class VolatileUpdateSchema(Schema):
    """Volatile fields of up to 50 products and variants of one language and country."""

    as_of = Moment(
        metadata={
            "description": "When this was observed; without it, now: what was sold before counts as"
            " contained in a stock count. A field of which newer news"
            " is stored is skipped. Up to five minutes ahead of this service's clock it counts as"
            " now; further ahead it is refused."
        }
    )
    lang = Language()
    country = Country()
    currency = Currency()
    shipping_model = ma.fields.Nested(ProductShippingSchema, attribute="shipping")
    vat = Number(0, 1000, metadata={"description": "Percent.", "example": 19})
    products = PlainList(
        ma.fields.Nested(VolatileProductSchema),
        validate=ma.validate.Length(max=MAX_PRODUCTS),
        load_default=list,
        metadata={"description": "Of a SKU that comes twice, the last one counts."},
    )


class UpdatedSchema(Schema):
    """What has become of the products of a call."""

    updated = ma.fields.Integer(
        required=True,
        metadata={
            "description": "Known SKUs, without those of which every given field was stale.",
            "example": 1,
        },
    )
    unknown_skus = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={"description": "SKUs that the catalogue does not have.", "example": []},
    )
    stale = ma.fields.Integer(
        required=True,
        metadata={
            "description": "Fields that were skipped because newer news of them is stored; of what"
            " is given for the whole call, one a SKU. 0 without `asOf`.",
            "example": 0,
        },
    )


def updated_view(result: Updated) -> dict[str, Any]:
    """Write what was updated as ``UpdatedSchema`` has it."""
    return {
        "updated": result.updated,
        "unknownSkus": result.unknown_skus,
        "stale": result.stale,
    }


class SkuQuerySchema(Schema):
    """Filters and the position in the list."""

    class Meta:
        """Unknown query parameters are ignored, as everywhere in the public contract."""

        unknown = ma.EXCLUDE

    lang = Text(validate=ma.validate.Regexp(r"^([a-z]{2})?(?!\n)$"), metadata={"example": "de"})
    country = Text(validate=ma.validate.Regexp(r"^([A-Z]{2})?(?!\n)$"), metadata={"example": "DE"})
    next_token = Text(
        data_key="next_token", metadata={"description": "`nextToken` of the page before."}
    )

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Query parameters keep their public names."""
        field_obj.data_key = field_name


class SkuBlockSchema(Schema):
    """The SKUs of one language and country."""

    skus = ma.fields.List(ma.fields.String(), required=True)
    lang = ma.fields.String(required=True, metadata={"example": "de"})
    country = ma.fields.String(required=True, metadata={"example": "DE"})


class SkuPageSchema(Schema):
    """One page of SKUs; the last one has no ``nextToken``."""

    blocks = ma.fields.List(ma.fields.Nested(SkuBlockSchema), required=True)
    next_token = ma.fields.String()


def sku_page_view(blocks: Iterable[SkuBlock], next_token: str | None) -> dict[str, Any]:
    """Write a page of SKUs as ``SkuPageSchema`` has it."""
    page: dict[str, Any] = {
        "blocks": [
            {"skus": block.skus, "lang": block.lang, "country": block.country} for block in blocks
        ]
    }
    return page if next_token is None else {**page, "nextToken": next_token}
