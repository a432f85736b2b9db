"""The fields of the Product Data API: what a SKU, an address, a currency or an amount may be."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any

import marshmallow as ma

from jay.i18n import COUNTRIES, CURRENCIES, LANGUAGES
from jay.net.addresses import origin_of
from jay.products.gtins import has_digits_alone, is_gtin
from jay.products.models import normal_sku
from jay.products.texts import MAX_HTML, has_markup, plain_text
from jay.web.plain import NotPlain, loader_of, staying, text_loader
from jay.web.schema import MAX_AMOUNT, Int, Schema, Text

MAX_TEXT = 500
MAX_SKU = 200
MAX_URL = 2_000

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

    @staticmethod
    def plainly(value: Any) -> Any:
        """Load what is a code already."""
        if type(value) is str and value in CURRENCIES:
            return value
        raise NotPlain


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

    @staticmethod
    def plainly(value: Any) -> Any:
        """Load an address without user name, brackets and port, in ASCII."""
        if type(value) is str and len(value) <= MAX_URL and _PLAIN_URL(value):
            return value
        raise NotPlain


_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?:[/?#][!-\[\]-~]*)?").fullmatch


def _http_url(value: str) -> None:
    if origin_of(value) is None:
        raise ma.ValidationError("Must be an http or https URL.")


def _without_control_characters(value: str) -> None:
    if any(character < " " for character in value):
        raise ma.ValidationError("Must not contain control characters.")


def _not_blank(value: str) -> None:
    if not value.strip():
        raise ma.ValidationError("Must not be blank.")


# Whether a text passes is told by the Python in ``stays``, see ``plain.staying``.
_not_blank.stays = "not {0}.isspace()"  # type: ignore[attr-defined]


def _visible(value: str) -> None:
    if not normal_sku(value):
        raise ma.ValidationError("Must not be blank.")


class Gtin(Text):
    """A Global Trade Item Number of 8, 12, 13 or 14 digits, the last of which checks the others."""

    def __init__(self, **kwargs: Any) -> None:
        about = {
            "description": "GTIN, EAN, UPC or ISBN-13.",
            "example": "4012345678901",
            "pattern": "^(?:[0-9]{8}|[0-9]{12,14})$",  # the document must tell it
        }
        super().__init__(validate=_checked_gtin, metadata=about, **kwargs)


def _checked_gtin(value: str) -> None:
    if not has_digits_alone(value):
        raise ma.ValidationError("Must be 8, 12, 13 or 14 digits.")
    if not is_gtin(value):
        raise ma.ValidationError("The last digit does not fit the others.")


class EmailText(Text):
    """An e-mail address."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=[ma.validate.Length(max=254), ma.validate.Email()], **kwargs)


class Sku(Text):
    """A stock keeping unit, without blanks at its ends and in Unicode's composed form.

    It becomes a part of the product id, which stands in addresses.
    """

    def __init__(self, *, metadata: dict[str, Any] | None = None) -> None:
        rules = (ma.validate.Length(1, MAX_SKU), _without_control_characters, _visible)
        metadata = {"pattern": r"\S", **(metadata or {})}
        super().__init__(required=True, validate=rules, metadata=metadata)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, *args, **kwargs)
        # What is nothing but blanks is told so.
        return normal_sku(text) or text

    @cached_property
    def plainly(self) -> Callable[[Any], Any]:
        """What loads a SKU of visible characters."""

        def load(value: Any) -> Any:
            right = type(value) is str and 0 < len(value) <= MAX_SKU and value.isprintable()
            if not right or normal_sku(value) != value:
                raise NotPlain
            return value

        # In ASCII the space is the only blank, and nothing is to be composed.
        return staying(
            load,
            f"type({{0}}) is str and 0 < len({{0}}) <= {MAX_SKU} and {{0}}.isascii()"
            ' and {0}.isprintable() and {0}[0] != " " != {0}[-1]',
        )


class PlainText(Text):
    """A text in which HTML, if there is any, becomes plain text."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        if len(text) > MAX_HTML and has_markup(text):
            raise ma.ValidationError(f"Must not be longer than {MAX_HTML:,} with its HTML.")
        return plain_text(text)

    @cached_property
    def plainly(self) -> Callable[[Any], Any]:
        """What loads a text without HTML."""
        return text_loader(self, unless=has_markup)


def name_field(*, limit: int = MAX_TEXT, **metadata: Any) -> Text:
    """Build a field for a name: a text that is not blank."""
    rules = (ma.validate.Length(1, limit), _not_blank)
    return PlainText(required=True, validate=rules, metadata={"pattern": r"\S", **metadata})


def text_field(limit: int = MAX_TEXT, **kwargs: Any) -> Text:
    """Build a field for a text of so many characters, or null."""
    return PlainText(validate=ma.validate.Length(max=limit), allow_none=True, **kwargs)


def amount_field(**metadata: Any) -> Int:
    """Build a field for an amount in minor units of the currency."""
    description = "Minor units, tax included."
    required = bool(metadata.pop("required", False))
    return Int(0, MAX_AMOUNT, required=required, metadata={"description": description, **metadata})


class StringOr(ma.fields.Field[Any]):
    """A value that comes plain or as an object."""

    def __init__(self, plain: ma.fields.Field[Any], schema: type[Schema], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.plain = plain
        self.nested = ma.fields.Nested(schema)
        self.alternatives = (self.plain, self.nested)
        self._loaders = loader_of(self.plain), loader_of(self.nested)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        field: Any = self.nested if isinstance(value, dict) else self.plain
        return field.deserialize(value, attr, data, **kwargs)

    @cached_property
    def plainly(self) -> Callable[[Any], Any]:
        """What loads either of them where it is plainly right."""
        plain, nested = self._loaders

        def load(value: Any) -> Any:
            return nested(value) if type(value) is dict else plain(value)

        return staying(load, getattr(plain, "stays", None))
