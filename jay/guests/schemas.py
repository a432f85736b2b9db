"""Wire shapes of guest baskets."""

from datetime import datetime
from typing import Any

import marshmallow as ma

from jay.baskets.models import MAX_COUNT
from jay.baskets.schemas import EXAMPLE, MAX_PRODUCT_ID, BasketSchema
from jay.clock import iso
from jay.web.schema import Int, List, Schema, Text

MAX_LINES = 400
"""Lines of a request, before lines of the same product are added up."""


class GuestProductSchema(Schema):
    """A product to put into the new basket."""

    product_id = Text(
        required=True,
        validate=ma.validate.Length(1, MAX_PRODUCT_ID),
        metadata={"example": EXAMPLE},
    )
    count = Int(0, MAX_COUNT, load_default=1, metadata={"example": 1})


class GuestRequestSchema(Schema):
    """What the new basket is filled with; nothing when a transfer is redeemed."""

    products = List(
        ma.fields.Nested(GuestProductSchema), validate=ma.validate.Length(max=MAX_LINES)
    )


class GuestQuerySchema(Schema):
    """The transfer token, when a basket is taken over."""

    class Meta:
        """Unknown query parameters are ignored, as everywhere in the public contract."""

        unknown = ma.EXCLUDE

    jay_token = Text(validate=ma.validate.Length(1, 200))
    provider_id = ma.fields.String(  # whatever it is, it fails nobody's request
        data_key="provider_id", metadata={"description": "Provider name for the tracking event."}
    )

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[object]) -> None:
        """Query parameters keep their public names."""
        field_obj.data_key = "jayToken" if field_name == "jay_token" else field_name


class GuestSchema(Schema):
    """A guest's credentials and basket."""

    user_id = ma.fields.String(required=True, metadata={"example": "g-mUBzJmo9uxsYq1xO3sRdRg"})
    token = ma.fields.String(required=True, metadata={"description": "Bearer token, 30 days."})
    expires = ma.fields.String(required=True, metadata={"example": "2025-06-29T08:12:34Z"})
    basket = ma.fields.Nested(BasketSchema, required=True)


def guest_view(
    user_id: str, token: str, expires: datetime, basket: dict[str, Any]
) -> dict[str, Any]:
    """Write a guest as ``GuestSchema`` has it; ``basket`` is written already."""
    return {"userId": user_id, "token": token, "expires": iso(expires), "basket": basket}
