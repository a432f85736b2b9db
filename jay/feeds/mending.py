"""What a product can do without is left out of it where it is wrong, and said in a note."""

from collections.abc import Iterator, Mapping
from typing import Any

import marshmallow as ma

from jay.feeds.readers import Attributes, Record
from jay.feeds.rows import explain
from jay.feeds.sales import NO_PRICE, NO_PRICE_BESIDE, NOT_LOWER, shop_period
from jay.products.schemas import MAX_IMAGES, ImageSchema, ProductSchema

_FIELDS = ProductSchema().fields
_IMAGE = ImageSchema()
_SPARED = ("url", "urlImageUrl", "sale", "basePrice", "gtin")
_SHOWN = 200


def without_wrong_addresses(record: Record) -> Record | None:
    """Return the record without its wrong pictures, links and sale; None where all are right.

    :returns: with a note of each.
    """
    notes: list[str] = []
    body, main = _mended(record.body, notes), _mended(record.main, notes)
    if not notes:
        return None
    return record._replace(body=body, main=main, notes=(*record.notes, *dict.fromkeys(notes)))


def with_prices_as_meant(records: Iterator[Record], country: str) -> Iterator[Record]:
    """Yield the records without prices of 0 and sales that are none, which no shop means.

    A sale's days become moments. That is for tables: who uses the API or its JSON Lines says
    exactly what is meant.

    :param country: of rows that name none: its clocks decide when a day begins.
    """
    for record in records:
        body = record.body
        if body is None or not ("sale" in body or body.get("price") == 0):
            yield record
            continue
        kept, notes = dict(body), list(record.notes)
        if kept.get("price") == 0:
            notes.append(NO_PRICE)
            del kept["price"]
        if (why := _no_sale(kept)) is not None:
            notes.append(f"salePrice: {why}, so it is not used.")
            del kept["sale"]
        elif "sale" in kept:
            own = record.country or body.get("country")
            kept["sale"] = _in_moments(kept["sale"], own or country)
        yield record._replace(body=kept, notes=tuple(notes))


def _in_moments(sale: Any, country: str) -> Any:
    """Write when a sale begins and ends as the API does; what is none is left for it to refuse."""
    begin, end = (
        (sale.get("from") or "", sale.get("until") or "")
        if isinstance(sale, Mapping)
        else (None, None)
    )
    if not isinstance(begin, str) or not isinstance(end, str):
        return sale
    try:
        moments = shop_period(begin, end, country)
    except ValueError:
        return sale
    given = {"from": moments.start, "until": moments.end}
    return {
        **{name: value for name, value in sale.items() if name not in given},
        **{name: moment.isoformat() for name, moment in given.items() if moment},
    }


def _no_sale(body: Attributes) -> str | None:
    sale, price = body.get("sale"), body.get("price")
    lower = sale.get("price") if isinstance(sale, Mapping) else None
    if not isinstance(lower, int):
        return None
    if price is None:
        return NO_PRICE_BESIDE
    above = isinstance(price, int) and lower > price
    return NOT_LOWER if above or lower <= 0 else None


def _mended(body: Mapping[str, Any] | None, notes: list[str]) -> Attributes | None:
    if body is None:
        return None
    kept = dict(body)
    images = body.get("images")
    if isinstance(images, list):
        kept["images"] = [image for image in images if _is_right(image, notes)]
        if len(kept["images"]) > MAX_IMAGES:
            notes.append(f"images: more than {MAX_IMAGES}: the others were left out.")
            del kept["images"][MAX_IMAGES:]
    if isinstance(variants := body.get("variants"), list):
        kept["variants"] = [
            _mended(one, notes) if isinstance(one, Mapping) else one for one in variants
        ]
    for name in _SPARED:
        if (value := body.get(name)) is not None and (why := _fault(name, value)) is not None:
            notes.append(f"{name}: {str(value)[:_SHOWN]!r} was left out: {why}")
            del kept[name]
    return kept


def _is_right(image: Any, notes: list[str]) -> bool:
    messages = _IMAGE.validate(image) if isinstance(image, Mapping) else {"url": ["Not an object."]}
    if not messages:
        return True
    shown = image.get("url") if isinstance(image, Mapping) else image
    why = " ".join(text for texts in messages.values() for text in map(str, texts))
    notes.append(f"images: {str(shown)[:_SHOWN]!r} was left out: {why}")
    return False


def _fault(name: str, value: Any) -> str | None:
    field = next(field for field in _FIELDS.values() if field.data_key == name)
    try:
        field.deserialize(value)
    except ma.ValidationError as error:
        return explain(error.messages)
    return None
