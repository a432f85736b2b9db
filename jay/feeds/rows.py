"""From the body of one product to the arguments of ``put_product``, fast where it is plain."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from jay.products.schemas import (
    ProductSchema,
    VariantSchema,
    VolatileProductSchema,
    as_use_case,
    variant_of,
)
from jay.web.plain import NotPlain, loader_of_schema


class RowRefused(Exception):
    """A row that is not written; the message says why, for the merchant."""


def load(body: Any) -> dict[str, Any]:
    """Check the body of a ``POST /v1/shops/products``; return the arguments of ``put_product``.

    :raises RowRefused: it breaks a rule; the message names every field that does.
    """
    try:
        return as_use_case(_plain_product(body))
    except NotPlain:
        return load_any(body)


def load_any(body: Any) -> dict[str, Any]:
    """Do the same for every body, slowly."""
    return as_use_case(_judged(_SCHEMA, body))


def load_variant(body: Mapping[str, Any]) -> dict[str, Any]:
    """Check one variant of a product.

    :raises RowRefused: it breaks a rule; the message names every field that does.
    """
    try:
        return variant_of(_plain_variant(body))
    except NotPlain:
        return variant_of(_judged(_VARIANT_SCHEMA, body))


def load_news(body: Any) -> dict[str, Any]:
    """Check one product as ``PATCH /v1/shops/products`` has it.

    :raises RowRefused: it breaks a rule, or says nothing.
    """
    loaded: dict[str, Any]
    try:
        loaded = _plain_news(body)
    except NotPlain:
        loaded = _judged(_NEWS_SCHEMA, body)
    if len(loaded) == 1:
        raise RowRefused("The row has neither stock nor a price.")
    return loaded


def is_plain(body: Any) -> bool:
    """Tell whether the body of a product takes the fast way."""
    try:
        _plain_product(body)
    except NotPlain:
        return False
    return True


def _judged(schema: ma.Schema, body: Any) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ma.ValidationError as error:
        raise RowRefused(explain(error.messages)) from None
    return loaded


def explain(messages: Any, path: str = "") -> str:
    """Write marshmallow's tree of messages on one line: ``price: Not a valid integer.``"""
    if isinstance(messages, dict):
        return " ".join(
            explain(inner, path if name == "_schema" else f"{path}.{name}".lstrip("."))
            for name, inner in messages.items()
        )
    text = " ".join(map(str, messages)) if isinstance(messages, list) else str(messages)
    return f"{path}: {text}" if path else text


_SCHEMA = ProductSchema()
_VARIANT_SCHEMA = VariantSchema()
_NEWS_SCHEMA = VolatileProductSchema()
_plain_news = loader_of_schema(_NEWS_SCHEMA)
_plain_product = loader_of_schema(_SCHEMA)
_plain_variant = loader_of_schema(_VARIANT_SCHEMA)
