"""Wire shapes of the checkout."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from jay.baskets.schemas import EXAMPLE
from jay.checkout.addresses import (
    LONGEST,
    Contact,
    Problem,
    Requirement,
    Said,
    Wrong,
    checked_address,
    checked_email,
)
from jay.checkout.models import Line, PartSums, Session, SessionState
from jay.checkout.pins import FORM, is_pin
from jay.clock import iso
from jay.products.fields import Country, Language
from jay.web.schema import MAX_AMOUNT, Int, Schema, Text, camel_case


class ConsentSchema(Schema):
    """That the user lets customer and payment token be kept and used; it counts from now on.

    Taken back with null, and with it goes what was kept.
    """

    version = Text(
        required=True,
        validate=ma.validate.Length(1, 100),
        metadata={
            "description": "Of the text that the user has agreed to.",
            "example": "one-click-2026-06",
        },
    )


def _pin(value: str) -> None:
    if not is_pin(value):
        raise ma.ValidationError("Must be 4 to 8 digits.")


class ComfortSchema(Schema):
    """Comfort settings; each can be set on its own, and removed with null."""

    customer_id = Text(
        allow_none=True, validate=ma.validate.Length(1, 255), metadata={"example": "C-10042"}
    )
    payment_token = Text(
        allow_none=True, validate=ma.validate.Length(1, 1000), metadata={"example": "pm_1Nx..."}
    )

    consent = ma.fields.Nested(
        ConsentSchema,
        allow_none=True,
        metadata={"description": "What the user has agreed to; null takes it back."},
    )
    pin = Text(
        allow_none=True,
        validate=_pin,
        metadata={
            "description": "The household's PIN, asked for at each payment. Where one is set,"
            " another one or `null` takes the payment token away, unless that comes with it.",
            "example": "2468",
            "pattern": f"^{FORM}$",
        },
    )


class ComfortStateSchema(Schema):
    """Which comfort settings are set; their values can't be read."""

    customer_id_set = ma.fields.Boolean(required=True, metadata={"example": True})
    payment_token_set = ma.fields.Boolean(required=True, metadata={"example": False})
    consent_set = ma.fields.Boolean(required=True, metadata={"example": True})
    pin_set = ma.fields.Boolean(required=True, metadata={"example": False})


def comfort_view(are_set: Mapping[str, bool]) -> dict[str, bool]:
    """Write which settings are set as ``ComfortStateSchema`` has it."""
    return {camel_case(f"{name}_set"): is_set for name, is_set in are_set.items()}


class CheckoutQuerySchema(Schema):
    """Whether the checkout is only a test."""

    class Meta:
        """Unknown query parameters are ignored, as everywhere in the public contract."""

        unknown = ma.EXCLUDE

    test_mode = Text(
        load_default="false",
        validate=ma.validate.OneOf(["true", "false"]),
        metadata={"description": "`true`: no money moves.", "example": "true"},
    )


_PROBLEMS = {
    Problem.MISSING: "Must not be blank.",
    Problem.TOO_LONG: "Must not be longer than {limit}.",
    Problem.NOT_PRINTABLE: "Must not contain control characters.",
    Problem.NO_EMAIL: "Not a valid e-mail address.",
    Problem.NO_COUNTRY: "There is no such country.",
    Problem.NOT_DELIVERED: "A merchant of the cart does not deliver to this country.",
    Problem.NO_ZIP: "Not a postcode of this country.",
}


def field_errors(problems: Mapping[str, Problem]) -> dict[str, Any]:
    """Write what is wrong with a contact's fields as field errors are."""
    told: dict[str, Any] = {}
    for path, problem in problems.items():
        *parts, name = path.split(".")
        inner = told
        for part in parts:
            inner = inner.setdefault(camel_case(part), {})
        inner[camel_case(name)] = [_PROBLEMS[problem].format(limit=LONGEST[name])]
    return told


def _line(name: str, example: str, *, required: bool = True, **about: Any) -> Text:
    # Lengths are judged by the rule book, which counts what is stored.
    metadata = {"maxLength": LONGEST[name], "example": example, **about}
    return Text(required=required, allow_none=not required, metadata=metadata)


class AddressSchema(Schema):
    """A postal address."""

    first_name = _line("first_name", "Zoë")
    last_name = _line("last_name", "Schmidt")
    street = _line("street", "Große Straße")
    house_number = _line(
        "house_number",
        "7a",
        required=False,
        description="Absent where the street contains it.",
    )
    zip = _line("zip", "10115", description="Postcode; blank in countries that have none.")
    city = _line("city", "Berlin")
    country_code = Country(required=True)
    addition = _line("addition", "2. Hof", required=False)

    @ma.post_load
    def _checked(self, data: dict[str, str | None], **_kwargs: Any) -> Any:
        try:
            return checked_address(data)
        except Wrong as error:
            raise ma.ValidationError(field_errors(error.problems)) from error


class ContactEmail(Text):
    """An e-mail address that mails about the order go to."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        try:
            return checked_email(super()._deserialize(value, *args, **kwargs))
        except Wrong as error:
            raise ma.ValidationError(field_errors(error.problems)["email"]) from error


class CheckoutRequestSchema(Schema):
    """Where and in which language it is bought; absent: as the first product's merchant has it.

    And who buys, as far as it is said by now.
    """

    language = Language()
    country = Country()
    email = ContactEmail(
        allow_none=True,
        metadata={"format": "email", "example": "zoe@example.org", "maxLength": LONGEST["email"]},
    )
    billing = ma.fields.Nested(
        AddressSchema, allow_none=True, metadata={"description": "Who is billed."}
    )
    shipping = ma.fields.Nested(
        AddressSchema,
        allow_none=True,
        metadata={"description": "Where it goes; absent or null: to the billing address."},
    )
    stripe_using_sdk = ma.fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={
            "description": "Whether the client confirms with Stripe's SDK.",
            "example": False,
        },
    )


class PayRequestSchema(CheckoutRequestSchema):
    """What a checkout is started with, and what is needed to pay it at once."""

    pin = Text(
        metadata={"description": "The household's PIN, where one is set.", "example": "2468"}
    )
    full_price = Int(
        0,
        MAX_AMOUNT * 1000,
        metadata={
            "description": "The amount that the shopper was shown. Where it is another one by now,"
            " nothing is paid.",
            "example": 2500,
        },
    )


def said(body: Mapping[str, Any]) -> Said:
    """Return what a body of ``CheckoutRequestSchema`` says of who buys."""
    return {name: body[name] for name in Contact.__dataclass_fields__ if name in body}


class FinishSchema(Schema):
    """How the client has left the payment."""

    ordered = ma.fields.Boolean(
        required=True,
        truthy={True},
        falsy={False},
        metadata={
            "description": "`true`: it has been paid, as far as the client knows; the provider is"
            " asked. `false`: it is aborted.",
            "example": True,
        },
    )


class LeftOutSchema(Schema):
    """A product of the cart that can't be bought now; it stays in the cart."""

    product_id = ma.fields.String(required=True, metadata={"example": EXAMPLE})
    reason = ma.fields.String(required=True, metadata={"example": "OUT_OF_STOCK"})


class PositionSchema(Schema):
    """A position, frozen as it is bought; amounts in minor units, tax included."""

    product_id = ma.fields.String(required=True, metadata={"example": EXAMPLE})
    count = ma.fields.Integer(required=True)
    price = ma.fields.Integer(required=True)
    org_price = ma.fields.Integer(required=True)
    lowest_price30 = ma.fields.Integer(allow_none=True)
    vat = ma.fields.Float(required=True, metadata={"description": "Percent."})
    tax = ma.fields.Integer(required=True, metadata={"description": "Contained in lineTotal."})
    line_total = ma.fields.Integer(required=True)
    merchant = ma.fields.String(required=True)


class MerchantPartSchema(Schema):
    """What one merchant gets."""

    merchant = ma.fields.String(required=True)
    goods = ma.fields.Integer(required=True)
    shipping = ma.fields.Integer(required=True)
    tax = ma.fields.Integer(required=True)
    total = ma.fields.Integer(required=True)


class PspSchema(Schema):
    """How it is paid: with the provider's library, or on its page."""

    name = ma.fields.String(required=True, metadata={"example": "sandbox"})
    client_secret = ma.fields.String(required=True)
    publishable_key = ma.fields.String(required=True)
    payment_url = ma.fields.String(required=True)
    test_mode = ma.fields.Boolean(required=True)


class CheckoutSchema(Schema):
    """An active checkout."""

    order_no = ma.fields.String(required=True, metadata={"example": "J2345K7PM4XQD"})
    state = ma.fields.String(
        required=True, validate=ma.validate.OneOf([each.value for each in SessionState])
    )
    currency = ma.fields.String(required=True, metadata={"example": "EUR"})
    full_price = ma.fields.Integer(required=True, metadata={"description": "With shipping."})
    full_tax = ma.fields.Integer(required=True)
    shipping_cost = ma.fields.Integer(required=True)
    novalid_products = ma.fields.List(ma.fields.Nested(LeftOutSchema), required=True)
    positions = ma.fields.List(ma.fields.Nested(PositionSchema), required=True)
    merchants = ma.fields.List(ma.fields.Nested(MerchantPartSchema), required=True)
    psp = ma.fields.Nested(PspSchema, required=True)
    requirements = ma.fields.List(
        ma.fields.String(validate=ma.validate.OneOf([each.value for each in Requirement])),
        required=True,
        metadata={"example": ["ADDRESS", "EMAIL"]},
    )
    expires = ma.fields.String(required=True, metadata={"example": "2025-06-04T13:04:56Z"})


def checkout_view(
    session: Session, client_secret: str, payment_url: str, contact: Contact
) -> dict[str, Any]:
    """Write a session and how it is paid as ``CheckoutSchema`` has it."""
    return {
        "orderNo": session.order_no,
        "state": session.state.value,
        "currency": session.currency,
        "fullPrice": session.amount,
        "fullTax": session.tax,
        "shippingCost": session.shipping,
        "novalidProducts": [
            {"productId": one.product_id, "reason": one.reason} for one in session.left_out
        ],
        "positions": [_position_view(line) for line in session.lines],
        "merchants": [_part_view(part) for part in session.parts],
        "psp": {
            "name": session.provider,
            "clientSecret": client_secret,
            "publishableKey": session.publishable_key,
            "paymentUrl": payment_url,
            "testMode": session.test,
        },
        "requirements": [each.value for each in contact.missing],
        "expires": iso(session.expires),
    }


def _position_view(line: Line) -> dict[str, Any]:
    return {
        "productId": line.product_id,
        "count": line.count,
        "price": line.price,
        "orgPrice": line.org_price,
        "lowestPrice30": line.lowest_price,
        "vat": line.vat,
        "tax": line.tax,
        "lineTotal": line.total,
        "merchant": line.merchant,
    }


def _part_view(part: PartSums) -> dict[str, Any]:
    return {
        "merchant": part.merchant,
        "goods": part.goods,
        "shipping": part.shipping,
        "tax": part.tax,
        "total": part.total,
    }
