"""Wire shapes of a merchant's configuration."""

from typing import Any

import marshmallow as ma

from jay.legal.models import MAX_BYTES, MAX_TEXTS, MERCHANTS_KINDS, Kind
from jay.merchants.models import (
    EVERY_MINUTES,
    FEED_FORMATS,
    LEAST_MINUTES,
    LEAST_WITHDRAWAL_DAYS,
    LEGAL_FIELDS,
    MOST_MINUTES,
    RETURN_COSTS,
)
from jay.net.emails import normal_email
from jay.products.fields import Country, Language, Url
from jay.products.schemas import MAX_STEPS
from jay.web.schema import MAX_AMOUNT, Flag, Int, List, Number, Schema, Text, camel_case

MAX_MAPPING = 50_000


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
    merchant_shipping_scale = List(
        ma.fields.Nested(MerchantStepSchema), validate=ma.validate.Length(max=MAX_STEPS)
    )


_ABOUT_WEBHOOKS = (
    "`X-API-Key` carries your own token, if you gave the operator one. Answer 2xx within"
    " 10 seconds. Anything else is repeated after growing waits (`Retry-After` counts) for three"
    " days, and 410 ends it. A repetition has the same `Webhook-Id`. Redirects are not followed,"
    " and the host must have public addresses; ports are 80, 443 or from 1024 on."
)


class FeedSchema(Schema):
    """A feed that this service fetches: an address, how often, and how it is read.

    It is fetched with conditional requests, so send ``ETag`` or ``Last-Modified``. Redirects are
    followed, and each host must have public addresses. A bad answer changes nothing, and is tried
    again after growing waits.
    """

    url = Url(required=True, metadata={"example": "https://shop.example/feed.xml"})
    every_minutes = Int(
        LEAST_MINUTES,
        MOST_MINUTES,
        load_default=EVERY_MINUTES,
        metadata={"description": "How often it is asked for."},
    )
    format = Text(
        validate=ma.validate.OneOf(FEED_FORMATS),
        metadata={"description": "What it is; else it is seen from its content."},
    )
    encoding = Text(
        validate=ma.validate.Length(1, 40),
        metadata={"description": "Else UTF-8, or what XML says."},
    )
    delimiter = Text(
        validate=[
            ma.validate.Length(equal=1),
            ma.validate.Regexp(r"""^[^A-Za-z0-9"\r\n]"""),
        ],
        metadata={"description": "What separates the cells of a table; else it is found."},
    )
    prices = Text(
        validate=ma.validate.OneOf(["minor", "major"]),
        metadata={"description": "The unit of the amounts in our own CSV and in JSON Lines."},
    )
    mapping = Text(
        validate=ma.validate.Length(1, MAX_MAPPING),
        metadata={"description": "TOML that says what the columns of a table mean."},
    )
    media_url = Url(metadata={"description": "What stands before pictures that are only paths."})
    volatile = Flag(metadata={"description": "Read stock and prices alone, as PATCH does."})
    lang = Language()
    country = Country()


def _line(most: int, example: str, *rules: Any, **about: Any) -> Text:
    """Build a field for one line of text; null takes it away."""
    validate = [ma.validate.Length(1, most), _printable, *rules]
    return Text(allow_none=True, validate=validate, metadata={"example": example, **about})


def _printable(value: str) -> None:
    if not value.isprintable() or not value.strip():
        raise ma.ValidationError("Must be one line of text.")


def _email(value: str) -> None:
    if normal_email(value) is None:
        raise ma.ValidationError("Not a valid email address.")


class LegalSchema(Schema):
    """Who sells, by law; each field can be changed on its own.

    Orders and mails name it. Without name, street, postcode, city, country and e-mail nothing can
    be sold.
    """

    name = _line(200, "Mugs & More GmbH", description="As it stands in the register.")
    street = _line(150, "Kaistraße")
    house_number = _line(20, "4")
    zip = _line(16, "20457")
    city = _line(100, "Hamburg")
    country_code = Country(allow_none=True)
    email = _line(254, "service@shop.example", _email, format="email")
    phone = _line(50, "+49 40 1234567", description="A number that shoppers can call.")
    register = _line(
        200, "Amtsgericht Hamburg, HRB 12345", description="Where it is registered, and the number."
    )
    vat_id = _line(20, "DE123456789", description="The VAT identification number.")


def _legal_text(value: str) -> None:
    if not value.strip():
        raise ma.ValidationError("Must not be blank.")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ma.ValidationError("Must be Unicode.") from error
    if size > MAX_BYTES:
        raise ma.ValidationError("Must not be larger than 100 kB.")


class LegalTextSchema(Schema):
    """A legal text; null takes it out of force."""

    kind = Text(
        required=True,
        validate=ma.validate.OneOf([str(kind) for kind in MERCHANTS_KINDS]),
        metadata={"description": "What it is about."},
    )
    lang = Language(required=True)
    text = Text(
        required=True,
        allow_none=True,
        validate=_legal_text,
        metadata={
            "description": "Plain text or simple Markdown, up to 100 kB in UTF-8.",
            "maxLength": MAX_BYTES,
            "example": "# Terms",
        },
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
    feed = ma.fields.Nested(FeedSchema, allow_none=True)
    order_webhook_url = Url(
        allow_none=True,
        metadata={
            "description": "Where orders are sent, see ORDERS.md. It must be https; http only where"
            " the host is an address of the operator's own network.",
            "example": "https://shop.example/jay/orders",
        },
    )
    order_email = ma.fields.Email(allow_none=True, validate=ma.validate.Length(max=254))

    legal = ma.fields.Nested(LegalSchema, metadata={"description": "Who sells, by law."})
    texts = List(
        ma.fields.Nested(LegalTextSchema),
        validate=ma.validate.Length(max=MAX_TEXTS),
        metadata={"description": "Legal texts in force."},
    )
    withdrawal_days = Int(
        LEAST_WITHDRAWAL_DAYS,
        1000,
        metadata={"description": "So long a shopper can withdraw.", "example": 14},
    )
    return_costs = Text(
        validate=ma.validate.OneOf(RETURN_COSTS),
        metadata={"description": "Who pays for sending goods back after a withdrawal."},
    )
    delivery_countries = List(
        Country(),
        allow_none=True,
        validate=ma.validate.Length(1, 250),
        metadata={
            "description": "Where you deliver; null: in your own country.",
            "example": ["DE", "AT"],
        },
    )
    stripe_account = Text(
        allow_none=True,
        validate=ma.validate.Regexp("^acct_[A-Za-z0-9]{1,60}$"),
        metadata={"description": "Your account at Stripe.", "example": "acct_1Nx"},
    )

    @ma.post_load
    def _as_columns(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        model = data.pop("shipping_model", {})
        if "product_shipping_calculation_strategy" in model:
            data["shipping_strategy"] = model["product_shipping_calculation_strategy"]
        if "merchant_shipping_scale" in model:
            data["shipping_scale"] = model["merchant_shipping_scale"]
        if "texts" in data:
            data["texts"] = [
                (Kind(each["kind"]), each["lang"], each["text"]) for each in data["texts"]
            ]
        if data.get("delivery_countries"):
            data["delivery_countries"] = list(dict.fromkeys(data["delivery_countries"]))
        return data


EXAMPLE = {
    "shippingModel": {
        "productShippingCalculationStrategy": "MAX",
        "merchantShippingScale": [{"orderPriceStart": 0, "shippingCost": 0}],
    },
    "vat": 19,
}
"""A change of the configuration; it lets nothing be sent to anybody."""


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
        "feed": None
        if config["feed"] is None
        else {camel_case(name): value for name, value in config["feed"].items()},
        "legal": {camel_case(name): (config["legal"] or {}).get(name) for name in LEGAL_FIELDS},
        "texts": [
            {"kind": notice.kind, "lang": notice.lang, "text": text}
            for notice, text in config["texts"]
        ],
        "withdrawalDays": config["withdrawal_days"],
        "returnCosts": config["return_costs"],
        "deliveryCountries": config["delivery_countries"],
        "stripeAccount": config["stripe_account"],
    }
