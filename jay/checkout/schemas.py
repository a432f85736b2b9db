"""Wire shapes of the checkout."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from jay.baskets.schemas import EXAMPLE
from jay.checkout.models import Line, PartSums, Session, SessionState
from jay.clock import iso
from jay.products.fields import Country, Language
from jay.web.schema import Schema, Text, camel_case


class ComfortSchema(Schema):
    """Comfort settings; each can be set on its own, and removed with null."""

    customer_id = Text(
        allow_none=True, validate=ma.validate.Length(1, 255), metadata={"example": "C-10042"}
    )
    payment_token = Text(
        allow_none=True, validate=ma.validate.Length(1, 1000), metadata={"example": "pm_1Nx..."}
    )


class ComfortStateSchema(Schema):
    """Which comfort settings are set; their values can't be read."""

    customer_id_set = ma.fields.Boolean(required=True, metadata={"example": True})
    payment_token_set = ma.fields.Boolean(required=True, metadata={"example": False})


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


class CheckoutRequestSchema(Schema):
    """Where and in which language it is bought; absent: as the first product's merchant has it."""

    language = Language()
    country = Country()
    stripe_using_sdk = ma.fields.Boolean(
        load_default=False,
        truthy={True},
        falsy={False},
        metadata={
            "description": "Whether the client confirms with Stripe's SDK.",
            "example": False,
        },
    )


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
    expires = ma.fields.String(required=True, metadata={"example": "2025-06-04T13:04:56Z"})


def checkout_view(session: Session, client_secret: str, payment_url: str) -> dict[str, Any]:
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
        "expires": iso(session.expires),
    }


def _position_view(line: Line) -> dict[str, Any]:
    return {
        "productId": line.product_id,
        "count": line.count,
        "price": line.price,
        "orgPrice": line.org_price,
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
