"""Spreadsheets (xlsx) as CSV: the sheet that has the products, as a person sees it."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import python_calamine

from jay.feeds.unpacking import CHUNK, UnusableFile, because

MAX_SPREADSHEET = 128 << 20
MAX_CELLS = 5_000_000
"""A spreadsheet is kept in memory, unlike everything else: so it has bounds."""

LEAST_COLUMNS = 2
"""Of a table: a line with fewer above it is its title."""

MAX_NAMED = 5
"""Cells that are named as examples."""

MAX_TITLES = 20
"""Rows that may stand above a table."""


def spreadsheet_reader(notes: list[str]) -> Any:
    """Return what reads a spreadsheet.

    :param notes: gets sentences for the person who has given it.
    """

    def read(raw: IO[bytes], archive: zipfile.ZipFile, path: Path) -> Iterator[bytes]:
        _check(archive, path, notes)
        raw.seek(0)
        return _lines(raw, path, notes)

    return read


def _check(archive: zipfile.ZipFile, path: Path, notes: list[str]) -> None:
    """Check that it is as small as it says, and that its cells lie close together."""
    left, errors = MAX_SPREADSHEET, list[str]()
    for entry in archive.infolist():
        area = _Area() if entry.filename.startswith("xl/worksheets/") else None
        with archive.open(entry) as stream:
            while piece := stream.read(CHUNK):
                left -= len(piece)
                if left < 0:
                    size = MAX_SPREADSHEET >> 20
                    raise UnusableFile(
                        f"{path} has more than {size} MiB in it: please save it as CSV."
                    )
                if area is not None:
                    area.feed(piece, path)
        if area is not None:
            errors += area.errors
    if errors:
        notes.append(
            f"Cells with an error, such as #N/A, are read as empty: {', '.join(errors[:MAX_NAMED])}"
            f"{' and others' if len(errors) > MAX_NAMED else ''}."
        )


class _Area:
    """Finds the last row and column of a sheet: the library makes room for all between."""

    def __init__(self) -> None:
        self._rows = self._columns = 0
        self.errors: list[str] = []
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start

    def feed(self, piece: bytes, path: Path) -> None:
        try:
            self._parser.Parse(piece, False)
        except (expat.ExpatError, ValueError) as error:
            raise because(f"{path} is a damaged spreadsheet", error) from error
        if self._rows * self._columns > MAX_CELLS:
            raise UnusableFile(f"{path} has more than {MAX_CELLS:,} cells: please save it as CSV.")

    def _start(self, _tag: str, attributes: dict[str, str]) -> None:
        found = re.fullmatch(r"([A-Za-z]{1,4})([0-9]{1,9})", attributes.get("r", ""))
        if found and attributes.get("t") == "e" and len(self.errors) <= MAX_NAMED:
            self.errors.append(found[0])
        if found:
            column = 0
            for letter in found[1].upper():
                column = column * 26 + ord(letter) - 64
            self._columns = max(self._columns, column)
            self._rows = max(self._rows, int(found[2]))


def _lines(raw: IO[bytes], path: Path, notes: list[str]) -> Iterator[bytes]:
    """Yield a sheet as CSV, a line for each of its rows."""
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(raw)
        rows = iter(_sheet(book, notes).iter_rows())
        for number, row in enumerate(rows):
            cells = [_text(cell) for cell in row]
            filled = len(cells) - cells.count("")
            if filled < LEAST_COLUMNS and number < MAX_TITLES:
                yield b"\n"  # so that the number of a line is that of the sheet
                continue
            yield _line(cells)
            break
        for row in rows:
            yield _line([_text(cell) for cell in row])
    except (python_calamine.CalamineError, ValueError, IndexError, OSError) as error:
        raise because(f"{path} is a damaged spreadsheet", error) from error


def _sheet(book: Any, notes: list[str]) -> Any:
    """Return the sheet that has the products: of those that are seen, that of most columns."""
    seen = [
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.visible is python_calamine.SheetVisibleEnum.Visible
        and sheet.typ is python_calamine.SheetTypeEnum.WorkSheet
    ]
    widths = {name: _width(book.get_sheet_by_name(name)) for name in seen}
    tables = [name for name, width in widths.items() if width >= LEAST_COLUMNS]
    if not tables:
        return book.get_sheet_by_index(0)
    chosen = max(tables, key=lambda name: widths[name])
    others = [repr(name) for name in tables if name != chosen]
    if others:
        notes.append(f"Read is the sheet {chosen!r}; not read: {', '.join(others[:MAX_NAMED])}.")
    return book.get_sheet_by_name(chosen)


def _width(sheet: Any) -> int:
    """Return how many columns a sheet has a heading for."""
    for _, row in zip(range(MAX_TITLES), sheet.iter_rows(), strict=False):
        filled = sum(1 for cell in row if cell != "")
        if filled >= LEAST_COLUMNS:
            return filled
    return 0


def _line(cells: list[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode("utf-8", "replace")


def _text(cell: Any) -> str:
    """Write a cell as a person sees it: 19.9 and 4006250000000, not 4006250000000.0."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        # Excel knows 15 digits; what a calculation has left behind them is nothing anybody sees.
        return f"{cell:.15G}"
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    # A row is one line, so that its number is that of the sheet.
    return " ".join(str(cell).splitlines())
