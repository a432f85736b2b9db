"""Feeds for Google Merchant Center: XML (RSS 2.0 or Atom) and tables, read as our products."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from xml.parsers import expat

from jay.feeds.amounts import Money, Unreadable, read_money
from jay.feeds.files import MAX_LINE, FeedFile, UnusableFile
from jay.feeds.readers import Attributes, Record, Table

NAMESPACE = "http://base.google.com/ns/1.0"
ITEMS = {"item", "entry"}
MAX_TOKEN = 16 << 20
"""Bytes of the longest tag or comment: the parser would keep all of it."""

REQUIRED = ("id", "title")
MANY = ("additional_image_link", "shipping")

Item = dict[str, list[Any]]


class _Wrong(Exception):
    """A value that is not as Google defines it."""


def google_table(table: Table, country: str, at: datetime) -> Iterator[Record]:
    """Read a table with Google's column names.

    :param country: where it is sold: decides which shipping price counts.
    :param at: decides whether a sale price is in force.
    """
    columns = [attribute_of(heading) for heading in table.header]
    for line, row, reason in table.rows():
        if row is None:
            yield Record(line, reason=reason)
            continue
        item: Item = {}
        for name, cell in zip(columns, row, strict=True):
            value = cell.strip()
            if value:
                item.setdefault(name, []).extend(_split(value) if name in MANY else [value])
        if item:
            yield _record(line, item, country, at)


def attribute_of(heading: str) -> str:
    """Return the attribute that a heading means: ``image link`` is ``image_link``."""
    name = heading.split("(", 1)[0].strip().lower().replace(" ", "_")
    return name.removeprefix("g:")


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def google_xml(file: FeedFile, country: str, at: datetime) -> Iterator[Record]:
    """Read RSS 2.0 or Atom, item by item; parameters as in ``google_table``.

    :raises UnusableFile: it is not well-formed, or defines entities: no honest feed does, and
        they can make a small file grow without end.
    """
    items = _Items(file)
    for chunk in file.chunks():
        for line, item in items.feed(chunk):
            yield _read(line, item, country, at)
    items.end()


def _read(line: int, item: Item | None, country: str, at: datetime) -> Record:
    if item is None:
        return Record(line, reason=f"The item is longer than {MAX_LINE // 2**20} MiB.")
    return _record(line, item, country, at)


class _Items:
    """Collects items while the parser is fed."""

    def __init__(self, file: FeedFile) -> None:
        self._file = file
        self._parser = parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._refuse
        self._fed = 0
        self._line = 0
        self._item: Item | None = None
        self._size = 0
        self._path: list[str] = []
        self._text: list[str] = []
        self._part: dict[str, str] = {}
        self._done: list[tuple[int, Item | None]] = []

    def feed(self, chunk: bytes) -> list[tuple[int, Item | None]]:
        """Parse some more; return the items that are complete now."""
        self._parse(chunk, last=False)
        self._fed += len(chunk)
        if self._fed - max(self._parser.CurrentByteIndex, 0) > MAX_TOKEN:
            raise UnusableFile(f"{self._place()}: a tag is longer than {MAX_TOKEN // 2**20} MiB.")
        done, self._done = self._done, []
        return done

    def end(self) -> None:
        """Check that the document has come to its end."""
        self._parse(b"", last=True)

    def _parse(self, chunk: bytes, *, last: bool) -> None:
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise UnusableFile(
                f"{self._place()}: not well-formed XML: {expat.ErrorString(error.code)}."
            ) from error

    def _place(self) -> str:
        return f"{self._file.path}, line {self._parser.CurrentLineNumber}"

    def _refuse(self, *_declaration: object) -> None:
        raise UnusableFile(f"{self._place()}: a feed must not have a document type (DOCTYPE).")

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rsplit(" ", 1)[-1]
        if self._item is None:
            if name in ITEMS:
                self._item, self._size = {}, 0
                self._line = self._parser.CurrentLineNumber
            return
        # Google's own name for something comes before that of RSS or Atom.
        self._path.append(name if tag.startswith(NAMESPACE) else f"plain {name}")
        self._text = []
        if name == "link" and attributes.get("rel", "alternate") == "alternate":
            self._text = [attributes.get("href", "")]

    def _data(self, text: str) -> None:
        if self._path:
            self._size += len(text)
            if self._size <= MAX_LINE:
                self._text.append(text)

    def _end(self, _tag: str) -> None:
        if self._item is None:
            return
        if not self._path:
            self._done.append((self._line, self._item if self._size <= MAX_LINE else None))
            self._item = None
            return
        name = self._path.pop()
        value = "".join(self._text).strip()
        self._text = []
        if self._path:
            self._part.setdefault(name.removeprefix("plain "), value)
        elif self._part:
            self._item.setdefault(name, []).append(self._part)
            self._part = {}
        elif value:
            self._item.setdefault(name, []).append(value)


def _record(line: int, item: Item, country: str, at: datetime) -> Record:
    for name in [name for name in item if name.startswith("plain ")]:
        item.setdefault(name.removeprefix("plain "), item[name])
    sku = _first(item, "id") or ""
    try:
        return _as_ours(line, sku, item, country, at)
    except _Wrong as error:
        return Record(line, sku, reason=str(error))


def _as_ours(line: int, sku: str, item: Item, country: str, at: datetime) -> Record:
    offer = _offer(item, at)
    currency = offer.pop("currency", None)
    product = {name: value for name, value in _description(item).items() if value}
    product |= _shipping(item, country, currency)
    if currency:
        product["currency"] = currency
    group = _first(item, "item_group_id")
    own = {"sku": sku} if sku else {}
    if group is None or group == sku:
        return Record(line, sku, {**own, **product, **offer, **_stock(item)})
    variant = {**own, **offer, **_stock(item), **_difference(item)}
    # The main product is never sold itself: it has no stock of its own.
    return Record(line, sku, variant, group, {"sku": group, **product, **offer})


def _first(item: Item, name: str) -> str | None:
    values = item.get(name)
    return values[0] if values and isinstance(values[0], str) else None


def _description(item: Item) -> Attributes:
    images = [*item.get("image_link", [])[:1], *item.get("additional_image_link", [])]
    return {
        "name": _first(item, "title"),
        "description": _first(item, "description") or _first(item, "summary"),
        "url": _first(item, "link"),
        "images": [{"url": image} for image in images],
        "brand": _first(item, "brand"),
        "colour": _first(item, "color"),
        "material": _first(item, "material"),
        "gender": _gender(item),
    }


_GENDERS = {"male": 1, "female": 2, "unisex": 3}
_CHILDREN = {"newborn", "infant", "toddler", "kids"}


def _gender(item: Item) -> int | None:
    if (_first(item, "age_group") or "").lower() in _CHILDREN:
        return 4
    return _GENDERS.get((_first(item, "gender") or "").lower())


def _difference(item: Item) -> Attributes:
    """Say what the variant differs in, the way people choose: size first, then colour."""
    parts = [
        (ours, value)
        for theirs, ours in (("size", "size"), ("color", "colour"), ("pattern", "pattern"))
        if (value := _first(item, theirs))
    ]
    if not parts:
        return {"value": _first(item, "title") or ""}
    return {
        "type": " / ".join(name for name, _ in parts),
        "value": " / ".join(value for _, value in parts),
    }


# An offer that can be ordered now has no count in a feed: without limit.
_STOCK = {"in_stock": None, "preorder": None, "backorder": None, "out_of_stock": 0}


def _stock(item: Item) -> Attributes:
    availability = _first(item, "availability")
    if availability is None:
        return {}
    name = availability.lower().replace(" ", "_")
    if name not in _STOCK:
        raise _Wrong(f"availability: {availability!r} is none of {', '.join(_STOCK)}.")
    return {"stockCount": _STOCK[name]}


def _offer(item: Item, at: datetime) -> Attributes:
    listed, sale = _first(item, "price"), _first(item, "sale_price")
    if listed is None:
        return {}
    amount, currency = _money("price", listed)
    offer = {"price": amount, "orgPrice": amount, "currency": currency}
    if sale is not None and _in_force(_first(item, "sale_price_effective_date"), at):
        offer["price"], sale_currency = _money("sale_price", sale)
        if sale_currency != currency:
            raise _Wrong("sale_price: must have the currency of price.")
    return offer


def _money(name: str, text: str) -> Money:
    try:
        return read_money(text)
    except Unreadable as error:
        raise _Wrong(f"{name}: {error}") from None


def _in_force(period: str | None, at: datetime) -> bool:
    if period is None:
        return True
    begin, _, end = period.partition("/")
    try:
        first, last = (datetime.fromisoformat(moment.strip()) for moment in (begin, end))
        return first <= at < last
    except (ValueError, TypeError):  # TypeError: without a time zone
        raise _Wrong(
            f"sale_price_effective_date: {period!r} is not two moments with their time zone."
        ) from None


def _shipping(item: Item, country: str, currency: str | None) -> Attributes:
    """Take the first shipping price for the country or for all, in the currency of the price."""
    for entry in item.get("shipping", []):
        if isinstance(entry, str):
            where, *_, price = entry.split(":")
        else:
            where, price = entry.get("country", ""), entry.get("price", "")
        if where.upper() in {country, ""} and price:
            amount, of = _money("shipping", price)
            if of == currency:
                return {"shippingModel": {"shippingFlatRate": amount}}
    return {}
