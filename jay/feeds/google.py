"""Feeds for Google Merchant Center: XML (RSS 2.0 or Atom) and tables, read as our products."""

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.parsers import expat

from jay.feeds.files import BOM, MAX_LINE, FeedFile
from jay.feeds.items import Context, Item, record_of, split_shipping
from jay.feeds.readers import Record, split_addresses
from jay.feeds.tables import Table
from jay.feeds.unpacking import UnusableFile

NAMESPACE = "http://base.google.com/ns/1.0"
ITEMS = {"item", "entry"}
MAX_TOKEN = 16 << 20
"""Bytes of the longest tag or comment: the parser would keep all of it."""

REQUIRED = ("id", "title")
MANY = ("additional_image_link", "shipping")
TEXTS = ("title", "description", "summary", "content")
SINGLE = ("id", "price", "sale_price", "availability", "item_group_id")
"""What decides about money and goods: nobody knows which one of two is meant."""


def google_table(table: Table, context: Context) -> Iterator[Record]:
    """Read a table with Google's column names."""
    columns = [(attribute_of(heading), _parts_of(heading)) for heading in table.header]
    for line, row, reason in table.rows():
        if row is None:
            yield Record(line, reason=reason)
            continue
        item: Item = {}
        for (name, parts), cell in zip(columns, row, strict=True):
            if value := cell.strip():
                item.setdefault(name, []).extend(_values(name, parts, value))
        if item:
            yield record_of(line, item, context)


def attribute_of(heading: str) -> str:
    """Return the attribute that a heading means: ``image link`` is ``image_link``."""
    name = heading.split("(", 1)[0].strip().lower().replace(" ", "_")
    return _OTHER_NAMES.get(name.removeprefix("g:"), name.removeprefix("g:"))


# Of the catalogues of Meta, which are else the same.
_OTHER_NAMES = {"quantity_to_sell_on_facebook": "quantity", "inventory": "quantity"}


def _parts_of(heading: str) -> list[str]:
    """Return the parts of each entry, where a heading names them: ``shipping(country:price)``."""
    found = re.fullmatch(r"[^(]*\(([^()]*)\)\s*", heading)
    return [part.strip().lower() for part in found[1].split(":")] if found else []


def _values(name: str, parts: list[str], value: str) -> Iterator[Any]:
    if name == "shipping":
        yield from split_shipping(value, parts)
    elif name in MANY:
        yield from split_addresses(value)
    else:
        yield value


def google_xml(file: FeedFile, context: Context) -> Iterator[Record]:
    """Read RSS 2.0 or Atom, item by item.

    :raises UnusableFile: it is not well-formed, or defines entities: no honest feed does, and
        they can make a small file grow without end.
    """
    items = _Items(file)
    for number, chunk in enumerate(file.chunks()):
        # Programs leave empty lines before the declaration, where XML knows none.
        beginning = chunk.removeprefix(BOM).lstrip() if number == 0 else chunk
        if number == 0:
            items.skipped_lines = chunk[: len(chunk) - len(beginning)].count(b"\n")
        for line, item in items.feed(beginning):
            yield _read(line, item, context)
    items.end()


def _read(line: int, item: Item | None, context: Context) -> Record:
    if item is None:
        return Record(line, reason=f"The item is longer than {MAX_LINE // 2**20} MiB.")
    for name in SINGLE:
        given = [value for value in item.get(name, []) if isinstance(value, str)]
        if len(set(given)) > 1:
            sku = next(iter(item.get("id", [])), "")
            reason = f"{name}: there are two, {given[0]!r} and {given[1]!r}."
            return Record(line, sku if isinstance(sku, str) else "", reason=reason)
    for name in [name for name in item if name.startswith("plain ")]:
        item.setdefault(name.removeprefix("plain "), item[name])
    for theirs, ours in _OTHER_NAMES.items():
        if theirs in item:
            item.setdefault(ours, item[theirs])
    return record_of(line, item, context)


class _Items:
    """Collects items while the parser is fed."""

    def __init__(self, file: FeedFile) -> None:
        self._file = file
        self._parser = parser = expat.ParserCreate("utf-8", namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = self._refuse
        self.skipped_lines = 0
        self._fed = 0
        self._line = 0
        self._inside = 0
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
        return f"{self._file.path}, line {self._parser.CurrentLineNumber + self.skipped_lines}"

    def _refuse(self, *_declaration: object) -> None:
        raise UnusableFile(f"{self._place()}: a feed must not have a document type (DOCTYPE).")

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rsplit(" ", 1)[-1]
        if self._item is None:
            if name in ITEMS:
                self._item, self._size = {}, 0
                self._line = self._parser.CurrentLineNumber + self.skipped_lines
            return
        if self._path and self._path[0].removeprefix("plain ") in TEXTS:
            self._inside += 1  # HTML that nobody has escaped
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
        if self._inside:
            self._inside -= 1
            self._text.append(" ")
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
