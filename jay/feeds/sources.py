"""Which format a file has, and the records in it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from jay.feeds import units
from jay.feeds.files import BEGINNING, BOM, FeedFile
from jay.feeds.google import MANY, REQUIRED, attribute_of, google_table, google_xml
from jay.feeds.items import READ, Context
from jay.feeds.major import in_major_units
from jay.feeds.mapped import Columns, Mapped, children_of
from jay.feeds.mapping import Mapping, known, recognise
from jay.feeds.mending import with_prices_as_meant
from jay.feeds.readers import (
    VOLATILE_COLUMNS,
    Record,
    as_news,
    column_of,
    json_lines,
    own_csv,
    unknown_columns,
)
from jay.feeds.skus import apart
from jay.feeds.tables import Table, short
from jay.feeds.unpacking import UnusableFile

OWN_CSV, JSON_LINES, GOOGLE = "csv", "jsonl", "google"
FORMATS = (OWN_CSV, JSON_LINES, *known())

_JSON_ENDINGS = {".jsonl", ".ndjson"}
_XML_ENDINGS = {".xml", ".rss", ".atom"}
OWN_REQUIRED = ("sku", "name")


@dataclass(frozen=True)
class Reading:
    """How a file is to be read, where it does not say so itself.

    :ivar delimiter: what separates the cells of a table.
    :ivar prices: the unit of the amounts in our own CSV and JSON Lines, one of ``units.UNITS``.
    :ivar mapping: what the columns mean.
    :ivar media_url: what stands before pictures' addresses that are only paths.
    :ivar volatile: only stock and prices of what is stored already are read.
    """

    delimiter: str | None = None
    prices: str | None = None
    mapping: Mapping | None = None
    media_url: str = ""
    volatile: bool = False


class Source:
    """An opened file, and what it is.

    ``format`` is one of ``FORMATS`` or the name of a mapping, ``notes`` are sentences for the
    person who has given it, ``ignored`` the columns of a table that are not read.

    :param wanted: the format, instead of what the file looks like.
    :raises UnusableFile: a column is missing, or it is no feed at all.
    """

    def __init__(
        self, file: FeedFile, wanted: str | None = None, reading: Reading | None = None
    ) -> None:
        self.file = file
        self.notes = list(file.notes)
        self.ignored: Sequence[str] = ()
        self._reading = reading = reading or Reading()
        self.volatile = reading.volatile
        self._table: Table | None = None
        self._columns: Columns | None = None
        self._mapped: Mapped | None = None
        mapping = reading.mapping or known().get(wanted or "")
        kind = _kind(file, wanted)
        if kind != "table" and wanted != OWN_CSV and not reading.mapping:
            self.format = JSON_LINES if kind == JSON_LINES else wanted or GOOGLE
            return
        self._table = Table(file, reading.delimiter)
        if mapping is None and wanted != OWN_CSV:
            mapping = self._recognised(self._table.header)
        self.format = mapping.name if mapping else OWN_CSV
        if mapping is None:
            self._check_own(self._table)
        elif mapping.reader == GOOGLE:
            self._check_google(self._table)
        else:
            self._columns = Columns(mapping, self._table, news=self.volatile)
            self.ignored = self._columns.ignored
            if reading.mapping and self._columns.absent:
                self.notes.append(f"The table has no column for {', '.join(self._columns.absent)}.")

    @property
    def in_units(self) -> str:
        """The unit in which amounts are written, as a person is told."""
        if self.format in {OWN_CSV, JSON_LINES} and self._reading.prices != units.MAJOR:
            return units.MINOR
        return units.MAJOR

    @property
    def currency(self) -> str | None:
        """The currency that a mapping says of all amounts that name none."""
        return self._columns.mapping.fixed.get("currency") if self._columns else None

    @property
    def parted(self) -> bool:
        """Whether variants may come apart from their main products, so that some may be gone."""
        return self.format != JSON_LINES and not self.volatile

    @property
    def passed_over(self) -> int:
        """How many rows were passed over so far, as they are no products that are sold."""
        return self._mapped.passed_over if self._mapped else 0

    def survey(self) -> None:
        """Look through the whole file, before anything of it is stored.

        :raises UnusableFile: it is not in UTF-8 to its end, or a row proves that its amounts are in
            another unit.
        """
        judged = self._reading.prices is None and self.format in {OWN_CSV, JSON_LINES}
        columns = self._columns_in_units() if judged else {}
        if self._table is not None and columns:
            with self._again() as file:
                if Table(file, self._table.delimiter).has_digits_alone(list(columns)):
                    return
        with self._again() as file:
            file.check_text()
        if not judged:
            return
        with self._again() as file:
            if self._table is None:
                units.check_json_lines(file)
            else:
                units.check_table(Table(file, self._table.delimiter), columns)

    def _columns_in_units(self) -> dict[int, str]:
        """Return the places of the amounts in a row of a table, with their names."""
        names = {
            at: column_of(one) for at, one in enumerate(self._table.header if self._table else ())
        }
        return {at: name for at, name in names.items() if name in _IN_UNITS}

    def _again(self) -> FeedFile:
        return FeedFile(
            self.file.path, alone=False, encoding=self.file.encoding, alive=self.file.alive
        )

    def records(self, country: str, at: datetime, currency: str | None = None) -> Iterator[Record]:
        """Yield the records, once; see ``apart`` for SKUs that Excel has rounded.

        :param country: of rows that name none.
        :param at: when the content was true: decides whether a sale price is in force.
        :param currency: of amounts in major units that name none.
        """
        records = self._records(country, at, currency)
        return as_news(records) if self.volatile else records

    def _records(self, country: str, at: datetime, currency: str | None) -> Iterator[Record]:
        return apart(self._all_records(country, at, currency))

    def _all_records(self, country: str, at: datetime, currency: str | None) -> Iterator[Record]:
        if self._table is None:
            if self.format == JSON_LINES:
                return self._in_minor_units(json_lines(self.file), currency)
            return google_xml(self.file, Context(country, at))
        if self._columns is not None:
            context = Context(
                country,
                at,
                currency,
                self._reading.media_url,
                month_first=self._columns.mapping.month_first,
            )
            return self._read_mapped(self._table, self._columns, context)
        if self.format == OWN_CSV:
            own = self._in_minor_units(own_csv(self._table), currency)
            return with_prices_as_meant(own, country)
        return google_table(self._table, Context(country, at))

    def _in_minor_units(self, records: Iterator[Record], currency: str | None) -> Iterator[Record]:
        major = self._reading.prices == units.MAJOR and currency is not None
        return in_major_units(records, currency) if major and currency else records

    def _read_mapped(self, table: Table, columns: Columns, context: Context) -> Iterator[Record]:
        children = {}
        if columns.mapping.variants_in:
            with self._again() as file:
                children = children_of(columns, Table(file, table.delimiter))
        self._mapped = Mapped(table, columns, context, children)
        yield from self._mapped.records()

    def _recognised(self, header: Sequence[str]) -> Mapping | None:
        found = recognise(header)
        own = _own(header).issuperset(OWN_REQUIRED)
        if found is None or (own and found.reader == GOOGLE):
            return None
        return found

    def _check_own(self, table: Table) -> None:
        there = _own(table.header)
        # A table of stock or prices alone can't be meant as anything else.
        if "name" not in there and "sku" in there and not there.isdisjoint(VOLATILE_COLUMNS):
            others = there - {*VOLATILE_COLUMNS, *_BESIDE_NEWS}
            self.volatile = self.volatile or not others
        if self.volatile:
            self.notes.append(
                "Read are stock and prices alone, of products that are there already."
            )
        self._require(("sku",) if self.volatile else OWN_REQUIRED, there, table.header)
        table.check_unique(column_of)
        self.ignored = unknown_columns(table.header)
        if self.ignored:
            self.notes.append(f"Not read, as there is no such column: {', '.join(self.ignored)}.")

    def _check_google(self, table: Table) -> None:
        names: set[str | None] = {attribute_of(heading) for heading in table.header}
        self._require(REQUIRED[:1] if self.volatile else REQUIRED, names, table.header)
        table.check_unique(_single)
        self.ignored = [one for one in table.header if one and attribute_of(one) not in READ]

    def _require(
        self, required: Sequence[str], names: set[str | None], header: Sequence[str]
    ) -> None:
        missing = [name for name in required if name not in names]
        if missing:
            said = f"{self.file.path} has no column {' and no column '.join(missing)}."
            raise UnusableFile(f"{said} Its first line is: {short(header)}", plain=said)


_BESIDE_NEWS = ("sku", "lang", "country", "currency", None)
_IN_UNITS = {*units.AMOUNTS, *units.SHIPPING_AMOUNTS, units.SCALE, "salePrice"}


def _single(heading: str) -> str | None:
    name = attribute_of(heading)
    return None if name in MANY else name


def _own(header: Sequence[str]) -> set[str | None]:
    return {column_of(heading) for heading in header}


def _kind(file: FeedFile, wanted: str | None) -> str:
    endings = {suffix.lower() for suffix in file.path.suffixes[-2:]}
    head = file.peek(BEGINNING).removeprefix(BOM).lstrip()
    lines = wanted == JSON_LINES or (not head.startswith(b"<") and bool(endings & _JSON_ENDINGS))
    if not lines and (head.startswith(b"<") or endings & _XML_ENDINGS):
        return "xml"
    if not lines and not head.startswith((b"{", b"[")):
        return "table"
    if _ARRAY.match(head) or (head.startswith(b"[") and not lines):
        raise _not_lines(file, "a JSON array", "jq -c '.[]'")
    if listed := _list_within(head):
        alone = "" if b'"name"' in head else "; --volatile reads stock and prices alone"
        raise _not_lines(file, "one JSON object with a list", f"jq -c '.{listed}[]'", alone)
    if _is_of_several_lines(head):
        raise _not_lines(file, "JSON that goes over several lines", "jq -c .")
    return JSON_LINES


_ARRAY = re.compile(rb"\[\s*[{\]]")
_UNFINISHED = re.compile(rb"\{(?:[^\n]*[{\[,])?\s*\n\s*([^\n]*)\n")


_LIST_OF_PRODUCTS = re.compile(rb'"(\w{1,50})"\s*:\s*\[\s*\{[^{}\[\]]*"sku"\s*:')


def _list_within(head: bytes) -> str | None:
    """Return the name of the list that holds the products, such as in the body of a PATCH."""
    found = _LIST_OF_PRODUCTS.search(head) if head.startswith(b"{") else None
    # A product names its own SKU, before the one of a variant or behind its variants.
    if found is None or found[1] == b"variants" or b'"sku"' in head[: found.start()]:
        return None
    return found[1].decode()


def _is_of_several_lines(head: bytes) -> bool:
    """Tell whether JSON has no object on its first line, nor on the one behind it."""
    found = _UNFINISHED.match(head)
    # Objects with a comma behind each are lines, too, though wrong ones.
    first = head.partition(b"\n")[0].strip().removesuffix(b",")
    return found is not None and not (_is_object(first) or _is_object(found[1]))


def _is_object(line: bytes) -> bool:
    try:
        return type(orjson.loads(line)) is dict
    except orjson.JSONDecodeError:
        return False


def _not_lines(file: FeedFile, what: str, how: str, more: str = "") -> UnusableFile:
    expected = f"JSON Lines has one product on each line, as {how} writes it"
    return UnusableFile(f"{file.path} is {what}: {expected}{more}.")
