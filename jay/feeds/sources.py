"""Which format a file has, and the records in it."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from jay.feeds import units
from jay.feeds.files import BOM, FeedFile
from jay.feeds.google import MANY, REQUIRED, attribute_of, google_table, google_xml
from jay.feeds.items import Context
from jay.feeds.major import in_major_units
from jay.feeds.readers import Record, column_of, json_lines, own_csv, unknown_columns
from jay.feeds.tables import Table, short
from jay.feeds.unpacking import UnusableFile

FORMATS = ("csv", "jsonl", "google")

_JSON_ENDINGS = {".jsonl", ".ndjson"}
_XML_ENDINGS = {".xml", ".rss", ".atom"}
OWN_REQUIRED = ("sku", "name")


class Source:
    """An opened file, and what it is.

    ``format`` is one of ``FORMATS``, ``notes`` are sentences for the person who has given it.

    :param wanted: the format, instead of what the file looks like.
    :raises UnusableFile: a column is missing, or it is no feed at all.
    """

    def __init__(
        self,
        file: FeedFile,
        wanted: str | None = None,
        *,
        delimiter: str | None = None,
        prices: str | None = None,
    ) -> None:
        self.file = file
        self._prices = prices
        self.notes: list[str] = []
        self._table: Table | None = None
        kind = wanted if wanted == "jsonl" else _kind(file)
        if kind == "jsonl" and wanted != "csv":
            self.format = "jsonl"
        elif kind == "xml" and wanted != "csv":
            self.format = "google"
        else:
            self._table = Table(file, delimiter)
            self.format = wanted or self._look(self._table.header)
            self._check(self._table.header)
            self._table.check_unique(column_of if self.format == "csv" else _single)

    def survey(self) -> None:
        """Look through the whole file, before anything of it is stored.

        :raises UnusableFile: it is not in UTF-8 to its end, or a row proves that its amounts are in
            another unit.
        """
        path, encoding = self.file.path, self.file.encoding
        with FeedFile(path, alone=False, encoding=encoding) as file:
            file.check_text()
        if self._prices is not None or self.format not in {"csv", "jsonl"}:
            return
        with FeedFile(path, alone=False, encoding=encoding) as file:
            if self._table is None:
                units.check_json_lines(file)
            else:
                names = {at: column_of(one) for at, one in enumerate(self._table.header)}
                columns = {at: name for at, name in names.items() if name in _IN_UNITS}
                units.check_table(Table(file, self._table.delimiter), columns)

    def records(self, country: str, at: datetime, currency: str | None = None) -> Iterator[Record]:
        """Yield the records, once.

        :param country: of rows that name none.
        :param at: when the content was true: decides whether a sale price is in force.
        :param currency: of amounts in major units that name none.
        """
        major = currency if self._prices == units.MAJOR else None
        if self.format == "jsonl":
            return in_major_units(json_lines(self.file), major) if major else json_lines(self.file)
        if self._table is None:
            return google_xml(self.file, Context(country, at))
        if self.format == "google":
            return google_table(self._table, Context(country, at))
        return in_major_units(own_csv(self._table), major) if major else own_csv(self._table)

    def _look(self, header: Sequence[str]) -> str:
        names = {attribute_of(heading) for heading in header}
        return "google" if names.issuperset(REQUIRED) and "sku" not in _own(header) else "csv"

    def _check(self, header: Sequence[str]) -> None:
        if self.format == "google":
            names: set[str | None] = {attribute_of(heading) for heading in header}
            self._require(REQUIRED, names, header)
            return
        self._require(OWN_REQUIRED, _own(header), header)
        if unknown := unknown_columns(header):
            self.notes.append(f"Not read, as there is no such column: {', '.join(unknown)}.")

    def _require(
        self, required: Sequence[str], names: set[str | None], header: Sequence[str]
    ) -> None:
        missing = [name for name in required if name not in names]
        if missing:
            raise UnusableFile(
                f"{self.file.path} has no column {' and no column '.join(missing)}."
                f" Its first line is: {short(header)}"
            )


_IN_UNITS = {*units.AMOUNTS, *units.SHIPPING_AMOUNTS}


def _single(heading: str) -> str | None:
    name = attribute_of(heading)
    return None if name in MANY else name


def _own(header: Sequence[str]) -> set[str | None]:
    return {column_of(heading) for heading in header}


def _kind(file: FeedFile) -> str:
    endings = {suffix.lower() for suffix in file.path.suffixes[-2:]}
    head = file.peek(1024).removeprefix(BOM).lstrip()
    if head.startswith(b"<") or endings & _XML_ENDINGS:
        return "xml"
    if endings & _JSON_ENDINGS or head.startswith(b"{"):
        return "jsonl"
    if head.startswith(b"["):
        raise UnusableFile(
            f"{file.path} looks like a JSON array: JSON Lines has one product on each line."
        )
    return "table"
