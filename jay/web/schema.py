"""The house Schema and its fields: camelCase names, nothing coerced, nothing dropped."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import marshmallow as ma

MAX_INT = 2**31 - 1
"""Counts are stored as 32-bit integers."""

MAX_AMOUNT = 10**12
"""Minor units of the largest price: 2^31 is 25 million rupiah, which a sofa may cost."""


def camel_case(name: str) -> str:
    """Write ``stock_count`` as ``stockCount``."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


class Schema(ma.Schema):
    """Shapes of the wire: camelCase names, unknown fields refused, nothing coerced."""

    class Meta:
        """Unknown fields are an error of the client, never silently dropped."""

        unknown = ma.RAISE

    def on_bind_field(self, field_name: str, field_obj: ma.fields.Field[Any]) -> None:
        """Name the field on the wire."""
        field_obj.data_key = camel_case(field_obj.data_key or field_name)


class Text(ma.fields.String):
    """A string that every database stores as it was sent: PostgreSQL knows no NUL."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\0" in text:
            raise ma.ValidationError("Must not contain a NUL character.")
        return text


class Int(ma.fields.Integer):
    """A JSON integer in the given bounds: no ``"1"``, no ``1.0``, no ``true``."""

    def __init__(self, low: int = -MAX_INT, high: int = MAX_INT, **kwargs: Any) -> None:
        super().__init__(strict=True, validate=ma.validate.Range(min=low, max=high), **kwargs)

    def _validated(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Number(ma.fields.Float):
    """A finite JSON number in the given bounds: no ``"19"``, no ``true``."""

    def __init__(self, low: float, high: float, **kwargs: Any) -> None:
        super().__init__(validate=ma.validate.Range(min=low, max=high), **kwargs)

    def _validated(self, value: Any) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        if not math.isfinite(value):
            raise self.make_error("special")
        return float(value)


class Flag(ma.fields.Boolean):
    """A JSON boolean: no ``"true"``, no ``1``."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class ErrorSchema(Schema):
    """What went wrong."""

    code = ma.fields.Integer(
        required=True, metadata={"description": "Number from the table at /docs/errors."}
    )
    message = ma.fields.String(required=True, metadata={"description": "One sentence in English."})
    details = ma.fields.Raw(
        metadata={"description": "A constant such as CART_FULL; for 1003, the field errors."}
    )


class ErrorAnswer(Schema):
    """The failure envelope."""

    error = ma.fields.Nested(ErrorSchema, required=True)


@functools.cache
def envelope_of(schema_class: type[ma.Schema]) -> type[ma.Schema]:
    """Return the schema of the success envelope around a schema, the same one each time."""
    name = schema_class.__name__.removesuffix("Schema") + "Answer"
    return type(name, (Schema,), {"data": ma.fields.Nested(schema_class, required=True)})
