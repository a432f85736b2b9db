"""Wire shapes of the Product Data API."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import marshmallow as ma

from jay.i18n import COUNTRIES, CURRENCIES, LANGUAGES
from jay.net.addresses import origin_of
from jay.products.models import SkuBlock, StoredProduct, Updated, microseconds
from jay.web.schema import MAX_AMOUNT, MAX_INT, Flag, Int, Number, Schema, Text

MAX_PRODUCTS = 50
MAX_VARIANTS = 50
MAX_DESCRIPTION = 20_000
MAX_TEXT = 500
MAX_SKU = 200
MAX_URL = 2_000
MAX_STEPS = 100

CURRENCY_SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY"}


class Language(Text):
    """A two-letter language code that exists (ISO 639)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            validate=ma.validate.OneOf(sorted(LANGUAGES), error="There is no such language."),
            metadata={"description": "ISO 639 code of two letters.", "example": "de"},
            **kwargs,
        )


class Country(Text):
    """A two-letter country code that exists (ISO 3166)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            validate=ma.validate.OneOf(sorted(COUNTRIES), error="There is no such country."),
            metadata={"description": "ISO 3166 code of two letters.", "example": "DE"},
            **kwargs,
        )


class Currency(Text):
    """An ISO 4217 code that exists, or a symbol, which is normalised to its code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            metadata={
                "description": "ISO 4217 code, or one of the symbols €, $, £ and ¥.",
                "example": "EUR",
                "enum": [*sorted(CURRENCIES), *CURRENCY_SYMBOLS],
            },
            **kwargs,
        )

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        code = CURRENCY_SYMBOLS.get(text, text)
        if code not in CURRENCIES:
            raise ma.ValidationError("There is no such currency.")
        return code


class Moment(Text):
    """A moment with its zone, as in RFC 3339."""

    def __init__(self, *, metadata: dict[str, Any], **kwargs: Any) -> None:
        metadata = {"format": "date-time", "example": "2025-07-09T12:34:56.789Z", **metadata}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs).upper()
        try:
            if _RFC_3339.fullmatch(text):
                # Python knows no leap seconds.
                return datetime.fromisoformat(text.replace(":60", ":59"))
        except ValueError:
            pass
        raise ma.ValidationError("Must be a time with its zone, such as 2025-07-09T12:34:56Z.")


_RFC_3339 = re.compile(
    r"[0-9]{4}(-[0-9]{2}){2}[T ][0-9]{2}:[0-5][0-9]:[0-9]{2}([.][0-9]+)?"
    r"(Z|[+-][0-9]{2}:[0-5][0-9])"
)


class Url(Text):
    """An http or https URL. It is stored and, apart from webhooks, never fetched."""

    def __init__(self, *, metadata: dict[str, Any] | None = None, **kwargs: Any) -> None:
        metadata = {"format": "uri", "pattern": "^https?://", **(metadata or {})}
        super().__init__(
            validate=[ma.validate.Length(max=MAX_URL), _http_url], metadata=metadata, **kwargs
        )


def _http_url(value: str) -> None:
    if origin_of(value) is None:
        raise ma.ValidationError("Must be an http or https URL.")


def _without_control_characters(value: str) -> None:
    if any(character < " " for character in value):
        raise ma.ValidationError("Must not contain control characters.")


def _not_blank(value: str) -> None:
    if not value.strip():
        raise ma.ValidationError("Must not be blank.")


def _sku(**metadata: Any) -> Text:
    # A SKU becomes a part of the product id, which stands in addresses.
    rules = (ma.validate.Length(1, MAX_SKU), _without_control_characters, _not_blank)
    return Text(required=True, validate=rules, metadata={"pattern": r"\S", **metadata})


def _name(**metadata: Any) -> Text:
    rules = (ma.validate.Length(1, MAX_TEXT), _not_blank)
    return Text(required=True, validate=rules, metadata={"pattern": r"\S", **metadata})


def _text(limit: int = MAX_TEXT, **kwargs: Any) -> Text:
    return Text(validate=ma.validate.Length(max=limit), allow_none=True, **kwargs)


def _amount(**metadata: Any) -> Int:
    description = "Minor units, tax included."
    required = bool(metadata.pop("required", False))
    return Int(0, MAX_AMOUNT, required=required, metadata={"description": description, **metadata})


class ShippingStepSchema(Schema):
    """A step of a shipping scale: from ``start`` items on, ``price`` minor units."""

    start = Int(0, load_default=0)
    price = Int(0, MAX_AMOUNT, load_default=0)


class ProductShippingSchema(Schema):
    """The shipping model of a product; its strategies add up."""

    shipping_flat_rate = Int(
        0, MAX_AMOUNT, metadata={"description": "Per order line.", "example": 499}
    )
    shipping_per_item = Int(
        0, MAX_AMOUNT, metadata={"description": "Times the count.", "example": 0}
    )
    shipping_scale = ma.fields.List(
        ma.fields.Nested(ShippingStepSchema), validate=ma.validate.Length(max=MAX_STEPS)
    )
    order_limit = Int(
        0, allow_none=True, metadata={"description": "Largest count; 0 means none.", "example": 0}
    )

    @ma.post_load
    def _as_on_the_wire(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return {self.fields[name].data_key: value for name, value in data.items()}  # type: ignore[misc]


class ImageSchema(Schema):
    """A picture of the product."""

    url = Url(required=True, metadata={"example": "https://shop.example/hoodie.jpg"})
    copyright_text = _text()

    @ma.post_load
    def _as_on_the_wire(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return {"url": data["url"], "copyrightText": data.get("copyright_text")}


class BrandSchema(Schema):
    """A brand as an object."""

    name = _name()
    logo_url = Url(allow_none=True)

    @ma.post_load
    def _as_on_the_wire(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return {"name": data["name"], "logoUrl": data.get("logo_url")}


class GenderSchema(Schema):
    """A gender as an object."""

    code = Int(1, 4, required=True)
    label = _text()


class SaleSchema(Schema):
    """A price that counts from one moment to another, instead of the one beside it."""

    price = _amount(required=True, example=1999)
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


class StringOr(ma.fields.Field[Any]):
    """A value that comes plain or as an object."""

    def __init__(self, plain: ma.fields.Field[Any], schema: type[Schema], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plain = plain
        self.nested = ma.fields.Nested(schema)
        self.alternatives = (self.plain, self.nested)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        field: Any = self.nested if isinstance(value, dict) else self.plain
        return field.deserialize(value, attr, data, **kwargs)


_ABOUT_SALES = {
    "description": "Counts only together with `price`, and where it is below it; whoever sets the"
    " price anew ends it."
}


class VariantSchema(Schema):
    """A variant of a product, such as a size."""

    sku = _sku()
    stock_count = Int(allow_none=True)
    price = _amount(example=2799)
    org_price = _amount(example=3599)
    sale = ma.fields.Nested(SaleSchema, metadata=_ABOUT_SALES)
    value = _text(metadata={"example": "6½"})
    type = _text(metadata={"example": "size"})


class ProductSchema(Schema):
    """A full product description with all variants."""

    sku = _sku(description="Stock keeping unit.", example="TO122S074-A12")
    name = _name(example="LOGO - Kapuzenpullover - white")
    stock_count = Int(
        allow_none=True,
        metadata={"description": "> 0 available, <= 0 out of stock, null without limit."},
    )
    price = _amount(example=2799)
    org_price = _amount(example=3599)
    sale = ma.fields.Nested(SaleSchema, metadata=_ABOUT_SALES)
    lang = Language()
    country = Country()
    currency = Currency()
    shipping_model = ma.fields.Nested(ProductShippingSchema, allow_none=True)
    vat = Number(0, 1000, allow_none=True, metadata={"description": "Percent.", "example": 19})
    brand = StringOr(_text(), BrandSchema, allow_none=True, metadata={"example": "Tommy Hilfiger"})
    sub_line = _text()
    description = _text(MAX_DESCRIPTION)
    gender = StringOr(Int(1, 4), GenderSchema, allow_none=True, metadata={"example": 2})
    material = _text(metadata={"example": "100% linen"})
    colour = _text(metadata={"example": "red"})
    colour_code = Int(0, 0xFFFFFF, allow_none=True, metadata={"example": 11806517})
    fit = _text(metadata={"example": "slim"})
    not_shoppable = Flag(load_default=False)
    url = Url(allow_none=True)
    url_label = _text()
    url_note = _text()
    url_image_url = Url(allow_none=True)
    images = ma.fields.List(ma.fields.Nested(ImageSchema), validate=ma.validate.Length(max=50))
    variants = ma.fields.List(
        ma.fields.Nested(VariantSchema),
        validate=ma.validate.Length(max=MAX_VARIANTS),
        load_default=list,
    )


_DESCRIPTIVE = (
    "brand",
    "sub_line",
    "description",
    "gender",
    "material",
    "colour",
    "colour_code",
    "fit",
    "url",
    "url_label",
    "url_note",
    "url_image_url",
    "images",
)


def as_use_case(body: dict[str, Any]) -> dict[str, Any]:
    """Sort a loaded ``ProductSchema`` into the arguments of ``feeding.put_product``."""
    fields = ProductSchema().fields
    wire_name = {name: str(fields[name].data_key) for name in _DESCRIPTIVE}
    volatile: dict[str, Any] = {
        name: body[name]
        for name in ("stock_count", "price", "org_price", "sale", "currency", "vat")
        if name in body
    }
    if "shipping_model" in body:
        volatile["shipping"] = body["shipping_model"]
    return {
        "sku": body["sku"],
        "name": body["name"],
        "lang": body.get("lang"),
        "country": body.get("country"),
        "not_shoppable": body["not_shoppable"],
        "variants": body["variants"],
        "volatile": volatile,
        "description": {wire_name[n]: body[n] for n in _DESCRIPTIVE if body.get(n) is not None},
    }


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


def stored_view(stored: StoredProduct) -> dict[str, Any]:
    """Write what was stored as ``StoredProductSchema`` has it."""
    variants = [{"sku": sku, "productId": identifier} for sku, identifier in stored.variants]
    return {"productId": stored.id, "variants": variants}


class VolatileProductSchema(Schema):
    """What changes often of one product or variant."""

    sku = _sku()
    stock_count = Int(allow_none=True, metadata={"description": "null means without limit."})
    price = _amount(example=2799)
    org_price = _amount(example=3599)


class VolatileProducts(ma.fields.List[dict[str, Any]]):
    """A list of ``VolatileProductSchema``, loaded in a tenth of the time when it is plainly right.

    Whatever is not gets marshmallow's verdict.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(ma.fields.Nested(VolatileProductSchema), **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        plain = plainly_right(value)
        return super()._deserialize(value, *args, **kwargs) if plain is None else plain


# Attribute, bounds and whether null is allowed, of what a product may have beside its SKU.
_VOLATILE_INTS = {
    "stockCount": ("stock_count", -MAX_INT, MAX_INT, True),
    "price": ("price", 0, MAX_AMOUNT, False),
    "orgPrice": ("org_price", 0, MAX_AMOUNT, False),
}
_PLAIN_SKU = re.compile(rf"[^\x00-\x20\s][^\x00-\x1f]{{0,{MAX_SKU - 1}}}")


def plainly_right(value: Any) -> list[dict[str, Any]] | None:
    """Load a list of volatile products, or return None when it takes the schema to judge it."""
    if type(value) is not list:
        return None
    loaded = [_plainly_right_one(given) for given in value]
    return None if None in loaded else loaded  # type: ignore[return-value]


def _plainly_right_one(given: Any) -> dict[str, Any] | None:
    if type(given) is not dict or "sku" not in given:
        return None
    item = {}
    for name, content in given.items():
        if name == "sku":
            if type(content) is not str or not _PLAIN_SKU.fullmatch(content):
                return None
            item[name] = content
        elif name in _VOLATILE_INTS:
            attribute, low, high, nullable = _VOLATILE_INTS[name]
            whole = type(content) is int and low <= content <= high
            if not whole and not (content is None and nullable):
                return None
            item[attribute] = content
        else:
            return None
    return item


class VolatileUpdateSchema(Schema):
    """Volatile fields of up to 50 products and variants of one language and country."""

    as_of = Moment(
        metadata={
            "description": "When this was observed; without it, now. A field of which newer news"
            " is stored is skipped. Up to five minutes ahead of this service's clock it counts as"
            " now; further ahead it is refused."
        }
    )
    lang = Language()
    country = Country()
    currency = Currency()
    shipping_model = ma.fields.Nested(ProductShippingSchema)
    vat = Number(0, 1000, metadata={"description": "Percent.", "example": 19})
    products = VolatileProducts(
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


class MerchantStepSchema(Schema):
    """A step of the merchant's scale: from an order value on, a shipping cost (minor units)."""

    order_price_start = Int(0, MAX_AMOUNT, load_default=0)
    shipping_cost = Int(0, MAX_AMOUNT, load_default=0)

    @ma.post_load
    def _as_on_the_wire(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return {"orderPriceStart": data["order_price_start"], "shippingCost": data["shipping_cost"]}


class MerchantShippingSchema(Schema):
    """How the shipping costs of one order combine."""

    product_shipping_calculation_strategy = Text(
        validate=ma.validate.OneOf(["SUM", "MAX"]), metadata={"example": "MAX"}
    )
    merchant_shipping_scale = ma.fields.List(
        ma.fields.Nested(MerchantStepSchema), validate=ma.validate.Length(max=MAX_STEPS)
    )


_ABOUT_WEBHOOKS = (
    "`X-API-Key` carries your own token, if you gave the operator one. Answer 2xx within"
    " 10 seconds. Anything else is repeated after growing waits (`Retry-After` counts) for three"
    " days, and 410 ends it. A repetition has the same `Webhook-Id`. Redirects are not followed,"
    " and the host must have public addresses; ports are 80, 443 or from 1024 on."
)


class ConfigSchema(Schema):
    """A merchant's configuration; each field can be changed on its own."""

    shipping_model = ma.fields.Nested(MerchantShippingSchema)
    vat = Number(
        0, 1000, allow_none=True, metadata={"description": "Percent, for products without one."}
    )
    add_product_webhook_url = Url(
        allow_none=True,
        metadata={
            "description": 'Gets `POST` with `{"sku": "MUG-1", "lang": "de", "country": "DE"}` when'
            " an editor asks for a product that you have not sent yet. " + _ABOUT_WEBHOOKS,
            "example": "https://shop.example/jay/wanted",
        },
    )
    update_products_webhook_url = Url(
        allow_none=True,
        metadata={
            "description": "Gets `PUT` without a body when all your products are to be sent anew. "
            + _ABOUT_WEBHOOKS,
            "example": "https://shop.example/jay/refresh",
        },
    )
    order_webhook_url = Url(allow_none=True)
    order_email = ma.fields.Email(allow_none=True, validate=ma.validate.Length(max=254))

    @ma.post_load
    def _as_columns(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        model = data.pop("shipping_model", {})
        if "product_shipping_calculation_strategy" in model:
            data["shipping_strategy"] = model["product_shipping_calculation_strategy"]
        if "merchant_shipping_scale" in model:
            data["shipping_scale"] = model["merchant_shipping_scale"]
        return data


def config_view(config: dict[str, Any]) -> dict[str, Any]:
    """Write a merchant's configuration as ``ConfigSchema`` has it."""
    return {
        "shippingModel": {
            "productShippingCalculationStrategy": config["shipping_strategy"],
            "merchantShippingScale": config["shipping_scale"],
        },
        "vat": config["vat"],
        "addProductWebhookUrl": config["add_product_webhook_url"],
        "updateProductsWebhookUrl": config["update_products_webhook_url"],
        "orderWebhookUrl": config["order_webhook_url"],
        "orderEmail": config["order_email"],
    }
