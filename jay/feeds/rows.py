"""From the body of one product to the arguments of ``put_product``, fast where it is plain.

marshmallow takes about 200 us for a product with its texts, addresses and amounts. A file has
a million of them, and nearly all are plainly right: these pass by a few type checks. Whatever is
unusual goes to ``ProductSchema``, which decides and explains. A property test proves that both
agree.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import marshmallow as ma

from jay.i18n import COUNTRIES, CURRENCIES, LANGUAGES
from jay.products.schemas import (
    MAX_DESCRIPTION,
    MAX_SKU,
    MAX_TEXT,
    MAX_URL,
    MAX_VARIANTS,
    ProductSchema,
    SaleSchema,
    VariantSchema,
    as_use_case,
)
from jay.web.schema import MAX_AMOUNT, MAX_INT

MAX_IMAGES = 50

# Narrower than what is allowed: no user name, no brackets, no port, ASCII only.
_PLAIN_URL = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?:[/?#][!-\[\]-~]*)?").fullmatch


class Refused(Exception):
    """A row that is not written; the message says why, for the merchant."""


def load(body: Any) -> dict[str, Any]:
    """Check the body of a ``POST /v1/shops/products``; return the arguments of ``put_product``.

    :raises Refused: it breaks a rule; the message names every field that does.
    """
    plain = load_plain(body)
    return load_any(body) if plain is None else plain


def load_any(body: Any) -> dict[str, Any]:
    """Do the same for every body, slowly."""
    try:
        return as_use_case(_SCHEMA.load(body))
    except ma.ValidationError as error:
        raise Refused(explain(error.messages)) from None


def load_variant(body: Mapping[str, Any]) -> dict[str, Any]:
    """Check one variant of a product.

    :raises Refused: it breaks a rule; the message names every field that does.
    """
    plain = _plain_variant(body)
    if plain is not None:
        return plain
    try:
        loaded: dict[str, Any] = _VARIANT_SCHEMA.load(body)
    except ma.ValidationError as error:
        raise Refused(explain(error.messages)) from None
    return loaded


def load_sale(body: Any) -> dict[str, Any]:
    """Check a sale for a time.

    :raises Refused: it breaks a rule.
    """
    try:
        loaded: dict[str, Any] = _SALE_SCHEMA.load(body)
    except ma.ValidationError as error:
        raise Refused(explain({"sale": error.messages})) from None
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
_SALE_SCHEMA = SaleSchema()


def _sku(value: Any) -> bool:
    return (
        type(value) is str
        and len(value) <= MAX_SKU
        and value.isprintable()
        and not value.isspace()
        and value != ""
    )


def _name(value: Any) -> bool:
    return (
        type(value) is str
        and 0 < len(value) <= MAX_TEXT
        and "\0" not in value
        and not value.isspace()
    )


def _text(value: Any) -> bool:
    return value is None or (type(value) is str and len(value) <= MAX_TEXT and "\0" not in value)


def _long_text(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_DESCRIPTION and "\0" not in value


def _stock(value: Any) -> bool:
    return value is None or (type(value) is int and -MAX_INT <= value <= MAX_INT)


def _amount(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_AMOUNT


def _percent(value: Any) -> bool:
    return (type(value) is float or type(value) is int) and 0 <= value <= 1000


def _url(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_URL and _PLAIN_URL(value) is not None


def _one_of(values: frozenset[str]) -> Callable[[Any], bool]:
    return lambda value: type(value) is str and value in values


def _gender(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 4


def _colour_code(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 0xFFFFFF


def _flag(value: Any) -> bool:
    return value is True or value is False


def _images(value: Any) -> bool:
    return (
        type(value) is list
        and len(value) <= MAX_IMAGES
        and all(
            type(image) is dict
            and _url(image.get("url"))
            and (
                len(image) == 1
                or (len(image) == 2 and "copyrightText" in image and _text(image["copyrightText"]))
            )
            for image in value
        )
    )


_SHIPPING_PARTS = {
    "shippingFlatRate": MAX_AMOUNT,
    "shippingPerItem": MAX_AMOUNT,
    "orderLimit": MAX_INT,
}


def _shipping(value: Any) -> bool:
    return type(value) is dict and all(
        type(part) is int and 0 <= part <= _SHIPPING_PARTS.get(name, -1)
        for name, part in value.items()
    )


def _variants(value: Any) -> bool:
    return type(value) is list and len(value) <= MAX_VARIANTS


_VARIANT = {
    "sku": ("sku", _sku),
    "stockCount": ("stock_count", _stock),
    "price": ("price", _amount),
    "orgPrice": ("org_price", _amount),
    "value": ("value", _text),
    "type": ("type", _text),
}

_DESCRIPTIVE: dict[str, Callable[[Any], bool]] = {
    "brand": _text,
    "subLine": _text,
    "description": _long_text,
    "gender": _gender,
    "material": _text,
    "colour": _text,
    "colourCode": _colour_code,
    "fit": _text,
    "url": _url,
    "urlLabel": _text,
    "urlNote": _text,
    "urlImageUrl": _url,
    "images": _images,
}

_VOLATILE: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "stockCount": ("stock_count", _stock),
    "price": ("price", _amount),
    "orgPrice": ("org_price", _amount),
    "currency": ("currency", _one_of(CURRENCIES)),
    "vat": ("vat", _percent),
    "shippingModel": ("shipping", _shipping),
}

# Of each field: its check, and whether and as what it is volatile or descriptive.
_FIELDS: dict[str, tuple[Callable[[Any], bool], str | None, bool]] = {
    "sku": (_sku, None, False),
    "name": (_name, None, False),
    "lang": (_one_of(LANGUAGES), None, False),
    "country": (_one_of(COUNTRIES), None, False),
    "notShoppable": (_flag, None, False),
    "variants": (_variants, None, False),
    **{name: (check, column, False) for name, (column, check) in _VOLATILE.items()},
    **{name: (check, None, True) for name, check in _DESCRIPTIVE.items()},
}


def load_plain(body: Any) -> dict[str, Any] | None:
    """Return the arguments of ``put_product`` if the body is plainly right, else None."""
    if type(body) is not dict or "sku" not in body or "name" not in body:
        return None
    volatile: dict[str, Any] = {}
    description: dict[str, Any] = {}
    for name, value in body.items():
        known = _FIELDS.get(name)
        if known is None or not known[0](value):
            return None
        if known[1] is not None:
            volatile[known[1]] = value
        elif known[2] and value is not None:
            description[name] = value
    variants = []
    for variant in body.get("variants", ()):
        plain = _plain_variant(variant)
        if plain is None:
            return None
        variants.append(plain)
    _as_stored(volatile, description)
    return {
        "sku": body["sku"],
        "name": body["name"],
        "lang": body.get("lang"),
        "country": body.get("country"),
        "not_shoppable": body.get("notShoppable", False),
        "variants": variants,
        "volatile": volatile,
        "description": description,
    }


def _as_stored(volatile: dict[str, Any], description: dict[str, Any]) -> None:
    """Write the fields that are not stored exactly as they come."""
    if "vat" in volatile:
        volatile["vat"] = float(volatile["vat"])
    if "images" in description:
        description["images"] = [
            {"url": image["url"], "copyrightText": image.get("copyrightText")}
            for image in description["images"]
        ]


def _plain_variant(body: Any) -> dict[str, Any] | None:
    if type(body) is not dict or "sku" not in body:
        return None
    loaded = {}
    for name, value in body.items():
        known = _VARIANT.get(name)
        if known is None or not known[1](value):
            return None
        loaded[known[0]] = value
    return loaded
