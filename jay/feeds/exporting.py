"""The catalogue as JSON Lines: each line is the body of ``POST /v1/shops/products``."""

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select, tuple_

from jay.merchants.models import Merchant
from jay.products.models import SALE, moment_of, products

PAGE = 500
Position = tuple[str, str, str]

_KEY = (products.c.lang, products.c.country, products.c.sku)
_OFFER = ("stock_set", "stock_count", "price", "org_price", *SALE)
_MAIN_FIELDS = (
    *("id", "sku", "name", "lang", "country", *_OFFER, "currency", "vat", "vat_as_of"),
    *("shipping", "shipping_as_of", "not_shoppable", "description"),
)
_VARIANT_FIELDS = ("main_id", "sku", *_OFFER, "variant_type", "variant_value")
_MAINS = (
    select(*(products.c[name] for name in _MAIN_FIELDS))
    .where(
        products.c.merchant_id == bindparam("merchant"),
        products.c.main_id.is_(None),
        ~products.c.removed,
        tuple_(*_KEY) > tuple_(bindparam("lang"), bindparam("country"), bindparam("sku")),
    )
    .order_by(*_KEY)
    .limit(PAGE)
)
_VARIANTS = (
    select(*(products.c[name] for name in _VARIANT_FIELDS))
    .where(products.c.main_id.in_(bindparam("mains", expanding=True)), ~products.c.removed)
    .order_by(products.c.main_id, products.c.position)
)

START: Position = ("", "", "")


def page(
    connection: Connection, merchant: Merchant, after: Position
) -> tuple[list[bytes], Position | None]:
    """Return the lines of the next products, and where to go on; None at the end.

    :param after: ``START``, or what was returned before.
    """
    lang, country, sku = after
    given = {"merchant": merchant.id, "lang": lang, "country": country, "sku": sku}
    mains = connection.execute(_MAINS, given).all()
    if not mains:
        return [], None
    variants: dict[str, list[Any]] = {}
    for row in connection.execute(_VARIANTS, {"mains": [main.id for main in mains]}):
        variants.setdefault(row.main_id, []).append(row)
    lines = [
        orjson.dumps(body(main, variants.get(main.id, ())), option=orjson.OPT_APPEND_NEWLINE)
        for main in mains
    ]
    last = mains[-1]
    return lines, (last.lang, last.country, last.sku)


def body(main: Any, variants: Any) -> dict[str, Any]:
    """Write a stored product as the API takes it; what is not set is absent."""
    written = {
        "sku": main.sku,
        "name": main.name,
        "lang": main.lang,
        "country": main.country,
        **_offer(main),
        **_set({"currency": main.currency}),
        **_cleared(main),
        **(main.description or {}),
    }
    if main.not_shoppable:
        written["notShoppable"] = True
    written["variants"] = [
        {
            "sku": row.sku,
            **_offer(row),
            **_set({"type": row.variant_type, "value": row.variant_value}),
        }
        for row in variants
    ]
    return written


def _offer(row: Any) -> dict[str, Any]:
    stock = {"stockCount": row.stock_count} if row.stock_set else {}
    offer = stock | _set({"price": row.price, "orgPrice": row.org_price})
    if row.sale_price is not None:
        moments = {"from": _moment(row.sale_from), "until": _moment(row.sale_until)}
        offer["sale"] = {"price": row.sale_price, **_set(moments)}
    return offer


def _moment(stored: int | None) -> str | None:
    return None if stored is None else moment_of(stored).isoformat().replace("+00:00", "Z")


def _cleared(main: Any) -> dict[str, Any]:
    """Write what may be null because the merchant has said so: then null is news, too."""
    fields = {}
    if main.vat is not None or main.vat_as_of is not None:
        fields["vat"] = main.vat
    if main.shipping is not None or main.shipping_as_of is not None:
        fields["shippingModel"] = main.shipping
    return fields


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def lines(read: Any, merchant: Merchant) -> Iterator[bytes]:
    """Yield the line of each product; ``read`` opens a connection for each page."""
    after: Position | None = START
    while after is not None:
        with read() as connection:
            found, after = page(connection, merchant, after)
        yield from found
