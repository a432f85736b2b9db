"""Wire shapes of the checkout."""

from collections.abc import Mapping

import marshmallow as ma

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
