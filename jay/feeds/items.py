"""An item of any feed, told by Google's attributes, as our product or variant.

Google's names are what every other feed is mapped to (jay/feeds/mappings); besides them there are a
few that only other shops have: see ``mapped.py``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from jay.feeds.amounts import Money, Unreadable, read_money
from jay.feeds.readers import EITHER, Attributes, Record, two_counts
from jay.feeds.sales import (
    NO_PRICE,
    NO_PRICE_BESIDE,
    NOT_LOWER,
    Period,
    read_period,
    shop_period,
)
from jay.products.gtins import read_gtin
from jay.products.models import normal_sku
from jay.products.texts import plain_text

Item = dict[str, list[Any]]
"""Each attribute's values: texts, or for a few of Google's their parts by name."""


READ = frozenset(
    {
        *("id", "title", "description", "summary", "link", "image_link", "additional_image_link"),
        *("brand", "color", "material", "gender", "age_group", "size", "pattern", "price"),
        *("sale_price", "sale_price_effective_date", "availability", "quantity", "shipping"),
        *("item_group_id", "gtin", "mpn", "unit_pricing_measure"),
    }
)
"""Google's attributes that are read."""


class Wrong(Exception):
    """A value without which the product can't be sold; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Context:
    """What an item does not say of itself.

    :ivar country: where it is sold: decides which shipping price counts.
    :ivar at: when the content was true: decides whether a sale price is in force.
    :ivar currency: of amounts that name none; None: each has to name its own.
    :ivar media_url: what stands before pictures' addresses that are only paths.
    :ivar month_first: ``11/1/26`` is the first of November.
    """

    country: str
    at: datetime
    currency: str | None = None
    media_url: str = ""
    month_first: bool = False


@dataclass(slots=True)
class _Reading:
    """One item being read, and what was left out of it."""

    item: Item
    context: Context
    notes: list[str] = field(default_factory=list)

    def first(self, name: str) -> str | None:
        """Return the first value of an attribute, if it is a text."""
        values = self.item.get(name)
        return values[0] if values and isinstance(values[0], str) else None

    def amount(self, name: str, text: str, currency: str | None = None) -> Money:
        """Read an amount.

        :raises Wrong: it is none.
        """
        try:
            own = (self.first("currency") or "").upper()
            return read_money(text, currency or own or self.context.currency)
        except Unreadable as error:
            raise Wrong(f"{name}: {error}") from None


def record_of(line: int, item: Item, context: Context) -> Record:
    """Return an item as our record; what is wrong with its sides is left out with a note."""
    reading = _Reading(item, context)
    sku = reading.first("id") or ""
    try:
        return _as_ours(line, sku, reading)
    except Wrong as error:
        return Record(line, sku, reason=str(error))


def _as_ours(line: int, sku: str, reading: _Reading) -> Record:
    offer = offer_of(reading)
    currency = offer.pop("currency", None)
    described = description_of(reading) | _shipping(reading, currency)
    product = {name: value for name, value in described.items() if value}
    if currency:
        product["currency"] = currency
    own = {"sku": sku} if sku else {}
    stock, group = _stock(reading), reading.first("item_group_id")
    notes = tuple(reading.notes)
    parent = reading.first("parent")
    if parent is None and (group is None or normal_sku(group) == normal_sku(sku)):
        body = {**own, **product, **offer, **stock}
        difference = _difference(reading)
        # The product of a group may be one of those to choose from, too.
        member = group is not None and "type" in difference
        return Record(line, sku, body | difference if member else body, notes=notes, member=member)
    variant = {**own, **offer, **stock, **_difference(reading)}
    if currency:
        variant["currency"] = currency
    if parent is not None:
        variant |= {name: value for name in _OF_EACH if (value := described[name])}
        return Record(line, sku, variant, parent, notes=notes)
    # The main product is never sold itself: it has no stock of its own.
    main = {"sku": group, **product, **offer}
    return Record(line, sku, variant, group, main, notes=notes)


_OF_EACH = ("images", "gtin", "mpn")
"""What tells a variant from its main product's others, where its row does not describe it."""


def description_of(reading: _Reading) -> Attributes:
    """Return what an item says of itself."""
    first, item = reading.first, reading.item
    given = [*item.get("image_link", []), *item.get("additional_image_link", [])]
    # Some shops name all of them at once, where one is expected.
    pictures = [part for each in given if isinstance(each, str) for part in _EACH_ADDRESS(each)]
    return {
        "name": plain_text(first("title") or ""),
        "description": plain_text(first("description") or first("summary") or ""),
        "url": first("link"),
        "images": [
            {"url": _address(picture, reading.context.media_url)}
            for picture in dict.fromkeys(pictures)
        ],
        "brand": first("brand"),
        "colour": first("color"),
        "material": first("material"),
        "gender": _gender(reading),
        "gtin": _gtin(reading),
        "mpn": first("mpn"),
        "basePrice": _content(reading),
    }


_EACH_ADDRESS = re.compile(r"[\s|,;]+(?=https?://)").split


def _gtin(reading: _Reading) -> str | None:
    given = [one for one in reading.item.get("gtin", []) if isinstance(one, str) and one.strip()]
    found = next((number for one in given if (number := read_gtin(one))), None)
    if given and found is None:
        reading.notes.append(f"gtin: {given[0]!r} is none, so it is not used.")
    return found


_METRIC = {
    "mg": ("kg", "0.000001"),
    "g": ("kg", "0.001"),
    "kg": ("kg", "1"),
    "ml": ("l", "0.001"),
    "cl": ("l", "0.01"),
    "l": ("l", "1"),
    "cbm": ("l", "1000"),
    "cm": ("m", "0.01"),
    "m": ("m", "1"),
    "sqm": ("m2", "1"),
    "ct": ("piece", "1"),
}
"""Google's units for ``unit_pricing_measure``, without those in which nothing is sold in the EU."""

_MEASURE = re.compile(r"([0-9]{1,9}(?:[.,][0-9]{1,6})?)\s*([a-z]+)", re.IGNORECASE)


def _content(reading: _Reading) -> Attributes | None:
    """Return how much an item holds, for the price of a unit."""
    given = reading.first("unit_pricing_measure")
    if given is None:
        return None
    found = _MEASURE.fullmatch(given)
    unit, factor = _METRIC.get(found[2].lower(), ("", "")) if found else ("", "")
    if found is None or not unit:
        reading.notes.append(f"unit_pricing_measure: {given!r} is no metric one; it is not used.")
        return None
    if EITHER.fullmatch(found[1]):
        reading.notes.append(
            f"unit_pricing_measure: {given!r} can be read in two ways; it is not used."
        )
        return None
    content = Decimal(found[1].replace(",", ".")) * Decimal(factor)
    return {"content": float(content), "unit": unit} if content else None


def _address(picture: str, media_url: str) -> str:
    if picture.startswith("//"):
        return f"https:{picture}"
    if media_url and "://" not in picture:
        return f"{media_url.rstrip('/')}/{picture.lstrip('/')}"
    return picture


_GENDERS = {
    **dict.fromkeys(("male", "men", "herren"), 1),
    **dict.fromkeys(("female", "women", "damen"), 2),
    "unisex": 3,
    **dict.fromkeys(("kids", "children", "kinder"), 4),
}
_CHILDREN = {"newborn", "infant", "toddler", "kids"}


def _gender(reading: _Reading) -> int | None:
    if (reading.first("age_group") or "").lower() in _CHILDREN:
        return 4
    return _GENDERS.get((reading.first("gender") or "").lower())


def _difference(reading: _Reading) -> Attributes:
    """Say what the variant differs in, the way people choose: size first, then colour."""
    options = [tuple(pair) for pair in reading.item.get("option", [])]
    parts = options or [
        (ours, value)
        for theirs, ours in (("size", "size"), ("color", "colour"), ("pattern", "pattern"))
        if (value := reading.first(theirs))
    ]
    if not parts:
        return {"value": reading.first("title") or ""}
    return {
        "type": " / ".join(name for name, _ in parts),
        "value": " / ".join(value for _, value in parts),
    }


# An offer that can be ordered now has no count in a feed: without limit.
_STOCK = {
    **dict.fromkeys(("in stock", "preorder", "backorder", "available for order")),
    **dict.fromkeys(("out of stock", "discontinued"), 0),
    # As search engines have it, and German shops.
    **dict.fromkeys(("available", "limited availability", "online only", "auf lager")),
    **dict.fromkeys(("lieferbar", "sofort lieferbar", "vorbestellbar")),
    **dict.fromkeys(("sold out", "nicht lieferbar", "nicht auf lager", "ausverkauft"), 0),
}
_SQUEEZED = {word.replace(" ", ""): count for word, count in _STOCK.items()}
_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_OF_SCHEMA_ORG = re.compile(r"https?://schema\.org/", re.IGNORECASE)


def _stock(reading: _Reading) -> Attributes:
    availability, quantity = reading.first("availability"), reading.first("quantity")
    count: int | None = None
    if availability is not None:
        name = _BETWEEN_WORDS.sub("", _OF_SCHEMA_ORG.sub("", availability)).lower()
        if name not in _SQUEEZED:
            known = ", ".join(list(_STOCK)[:6])  # Google's own words
            raise Wrong(f"availability: {availability!r} is none of {known}.")
        count = _SQUEEZED[name]
    if quantity is None:
        return {} if availability is None else {"stockCount": count}
    if two := two_counts(quantity):
        raise Wrong(f"quantity: {two}")
    # What is sold by weight is counted in whole pieces here: half of one is none.
    number = re.fullmatch(r"([-+]?[0-9]{1,9})(?:[.,][0-9]{0,12})?", quantity)
    if number is None:
        raise Wrong(f"quantity: {quantity!r} is not a number.")
    return {"stockCount": count if count == 0 else int(number[1])}


def offer_of(reading: _Reading) -> Attributes:
    """Return what an item costs, and what it cost before.

    :raises Wrong: the price can't be read.
    """
    listed = reading.first("price")
    if listed is None:
        if reading.first("sale_price") is not None:
            reading.notes.append(f"sale_price: {NO_PRICE_BESIDE}, so it is not used.")
        return {}
    amount, currency = reading.amount("price", listed)
    if amount == 0:
        reading.notes.append(NO_PRICE)
        return {}
    offer = {"price": amount, "orgPrice": amount, "currency": currency}
    if (was := _side_amount(reading, "was", currency)) is not None and was > amount:
        offer["orgPrice"] = was
    elif (rrp := _side_amount(reading, "rrp", currency)) is not None and rrp > amount:
        offer |= {"orgPrice": rrp, "orgPriceKind": "rrp"}
    sale = _side_amount(reading, "sale_price", currency)
    if sale is None or sale == amount:
        return offer
    if not 0 < sale < amount:
        reading.notes.append(f"sale_price: {NOT_LOWER}, so it is not used.")
        return offer
    when = _when(reading)
    at = reading.context.at
    if when is None or (when.end is not None and when.end <= at):
        return offer
    if when.end is None and when.holds(at):
        offer["price"] = sale
    else:
        # It begins and ends by itself, without another import.
        moments = {"from": when.start, "until": when.end}
        given = {name: moment.isoformat() for name, moment in moments.items() if moment}
        offer["sale"] = {"price": sale, **given}
    return offer


def _side_amount(reading: _Reading, name: str, currency: str) -> int | None:
    """Read an amount that a product can do without."""
    text = reading.first(name)
    if text is None:
        return None
    try:
        amount, own = reading.amount(name, text, currency)
    except Wrong as error:
        reading.notes.append(f"{error} It is not used.")
        return None
    if own != currency:
        raise Wrong(f"{name}: its currency is {own}, but that of the price {currency}.")
    return amount


def _when(reading: _Reading) -> Period | None:
    """Return when the sale price counts; None where nobody can tell."""
    given = reading.first("sale_price_effective_date")
    begin, end = reading.first("sale_from") or "", reading.first("sale_until") or ""
    try:
        if given is not None:
            return read_period(given, reading.context.country)
        return shop_period(
            begin, end, reading.context.country, month_first=reading.context.month_first
        )
    except ValueError:
        said = given or f"{begin}/{end}"
        reading.notes.append(
            f"sale_price: {said!r} are not two moments with / between them, so it is not used."
        )
        return None


_PARTS = ("country", "region", "service", "price")
"""Of ``DE::Standard:4.90 EUR``; days may follow."""


def _shipping(reading: _Reading, currency: str | None) -> Attributes:
    """Take the first shipping price for the country or for all, in the currency of the price."""
    for entry in reading.item.get("shipping", []):
        where, price = _where_and_price(entry)
        if where.upper() not in {reading.context.country, ""} or not price:
            continue
        try:
            amount, own = read_money(price, currency or reading.context.currency)
        except Unreadable as error:
            reading.notes.append(f"shipping: {error} It is not used.")
            continue
        if own == currency:
            return {"shippingModel": {"shippingFlatRate": amount}}
    return {}


def _where_and_price(entry: Any) -> tuple[str, str]:
    if isinstance(entry, dict):
        return entry.get("country", ""), entry.get("price", "")
    parts = entry.split(":")
    if len(parts) < len(_PARTS):
        return "", entry
    return parts[0].strip(), parts[_PARTS.index("price")].strip()


def split_shipping(text: str, names: Sequence[str]) -> Iterator[Any]:
    """Yield the entries of a cell of shipping prices.

    :param names: what the heading says of the parts of each; empty: Google's own order.
    """
    for entry in re.split(r",\s*(?=[A-Za-z]{2}:)", text):
        if names:
            yield dict(zip(names, (part.strip() for part in entry.split(":")), strict=False))
        elif entry.strip():
            yield entry.strip()
