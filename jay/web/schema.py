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


UNKNOWN_FIELDS_TOLD = 20
"""So many fields that are not known are named; an object with more is refused as a whole."""

ERRORS_TOLD = 20
"""So many errors of a request are told (field errors in ``details``)."""

LONGEST_NAME_TOLD = 100
"""Characters of a field's name that errors repeat."""


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

    def load(self, data: Any, **kwargs: Any) -> Any:
        """Load an object; one with far more fields than there are is refused unseen."""
        if isinstance(data, dict) and len(data) > len(self.load_fields) + UNKNOWN_FIELDS_TOLD:
            raise ma.ValidationError("Has too many fields.")
        return super().load(data, **kwargs)


class List(ma.fields.List[Any]):
    """A list whose length is judged before any of its items is looked at.

    marshmallow would load them all first, and tell of each what is wrong with it.
    """

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> list[Any]:
        if isinstance(value, list):
            for rule in self.validators:
                if isinstance(rule, ma.validate.Length):
                    rule(value)
        return super()._deserialize(value, attr, data, **kwargs)


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

    error = ma.fields.Nested(
        ErrorSchema, required=True, metadata={"description": "What went wrong."}
    )


@functools.cache
def envelope_of(schema_class: type[ma.Schema]) -> type[ma.Schema]:
    """Return the schema of the success envelope around a schema, the same one each time."""
    name = schema_class.__name__.removesuffix("Schema") + "Answer"
    return type(name, (Schema,), {"data": ma.fields.Nested(schema_class, required=True)})


def told(errors: Any) -> Any:
    """Return the first of many field errors, in the shape in which they came."""
    left = [ERRORS_TOLD]
    cut = _told(errors, left)
    if left[0] <= 0 and isinstance(cut, dict):
        cut.setdefault("_schema", []).append(f"Only the first {ERRORS_TOLD} errors are listed.")
    return cut


def _told(errors: Any, left: list[int]) -> Any:
    if isinstance(errors, dict):
        cut: dict[Any, Any] = {}
        for name, inner in errors.items():
            if left[0] <= 0:
                break
            cut[name[:LONGEST_NAME_TOLD] if isinstance(name, str) else name] = _told(inner, left)
        return cut
    left[0] -= 1
    return errors
