"""Tables: CSV in the many ways in which shops and spreadsheets write it, row by row."""

import csv
import itertools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from operator import itemgetter

from jay.feeds.files import BOM, MAX_LINE, FeedFile
from jay.feeds.unpacking import UnusableFile, because

MAX_CELL = 1 << 20
"""Characters of the longest cell of a CSV file. A longer one is a quote that is not closed."""

MAX_COLUMNS = 2_000
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
SAMPLE = 6_000
"""Characters that the delimiter is found from."""

MAX_LINES_OF_ROW = 100
MAX_UNMENDED = 20
"""Rows that were read again in vain, after which none is: each may cost as much as many rows."""

_ESCAPED = re.compile(r'(?<!\\)\\"')

UNREADABLE = f"The row is not in UTF-8, or longer than {MAX_LINE // 2**20} MiB."


class Table:
    """The rows of a CSV or TSV file, with the line that each begins on.

    Empty lines and the comments of templates may stand before the first line. Cells that are left
    out at the end of a row are empty.

    :param delimiter: what separates the cells; None: it is found from the beginning.
    :raises UnusableFile: the first line can't be read.
    """

    def __init__(self, file: FeedFile, delimiter: str | None = None) -> None:
        self._path = file.path
        self._lines = _Decoded(file.lines())
        before, beginning = self._beginning()
        said = beginning[0].strip().strip('"').lower() if beginning else ""
        if said.startswith("sep=") and len(said) == len("sep=;"):  # as Excel has it
            delimiter = delimiter or said[-1]
            before, beginning = before + 1, beginning[1:]
        elif said == "sep=" and beginning[0].rstrip("\r\n").endswith("\t"):
            delimiter = delimiter or "\t"
            before, beginning = before + 1, beginning[1:]
        self.delimiter = delimiter or _delimiter(file.peek(SAMPLE), "".join(beginning))
        csv.field_size_limit(MAX_CELL)
        self._before = before
        self._taken: list[str] = []  # the lines of the row that is being read
        self._recording = False
        self._back: deque[str] = deque()  # lines that are to be read once more
        self._mendable = MAX_UNMENDED
        self._source = self._recorded()
        self._reader = csv.reader(
            itertools.chain(beginning, self._source), delimiter=self.delimiter, strict=True
        )
        self.header = self._header()
        if self._lines.take_broken():
            raise UnusableFile(f"{file.path} is not in UTF-8: please save it as UTF-8.")

    def _beginning(self) -> tuple[int, list[str]]:
        """Pass over empty lines; return how many there were, and the next line."""
        before = 0
        for line in self._lines.lines:
            if line.strip(" \t\r\n,;"):
                return before, [line]
            before += 1
        return before, []

    def _recorded(self) -> Iterator[str]:
        back, fresh = self._back, iter(self._lines.lines)
        while True:
            line = back.popleft() if back else next(fresh, None)
            if line is None:
                return
            if self._recording:
                self._taken.append(line)
            yield line

    def _header(self) -> list[str]:
        while True:
            try:
                # Files that were put together have marks of their encoding in them.
                cells = [cell.strip().strip("\ufeff") for cell in next(self._reader, [])]
            except csv.Error as error:
                raise because(f"{self._path}: the first line can't be read", error) from error
            # Templates explain their columns above them.
            if not cells or not all(cell.startswith("#") for cell in cells if cell):
                break
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) > MAX_COLUMNS:
            raise UnusableFile(f"{self._path} has {len(cells):,} columns: is it a catalogue?")
        return cells

    def check_unique(self, name_of: Callable[[str], str | None]) -> None:
        """Check that no column is there twice.

        :param name_of: which column a heading means; None: none that is read.
        :raises UnusableFile: nobody knows which of the two counts.
        """
        seen: dict[str, str] = {}
        for heading in self.header:
            name = name_of(heading)
            if name is not None and name in seen:
                raise UnusableFile(
                    f"{self._path} has two columns for {name}: {seen[name]!r} and {heading!r}.",
                    plain=f"{self._path} has two columns that mean the same.",
                )
            if name is not None:
                seen[name] = heading

    def rows(self) -> Iterator[tuple[int, list[str] | None, str | None]]:
        """Yield the line and the cells of each row, or why it can't be read."""
        reader, lines, width, taken = self._reader, self._lines, len(self.header), self._taken
        self._recording = True
        while True:
            line = self._before + reader.line_num + 1
            taken.clear()
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                mended = self._with_backslashes()
                if mended is None:
                    lines.take_broken()
                    yield line, None, self._explain(error, line)
                    continue
                row = mended
            if lines.broken and lines.take_broken():
                yield line, None, UNREADABLE
            elif len(row) == width:
                yield line, row, None
            elif any(row):
                yield line, *_fitted(row, width)

    def _with_backslashes(self) -> list[str] | None:
        r"""Read a row once more in which quotes are escaped as PHP and MySQL do: ``\"``."""
        taken = list(self._taken)
        if not self._mendable or len(taken) > MAX_LINES_OF_ROW or '\\"' not in "".join(taken):
            return None
        again = csv.reader(
            (_ESCAPED.sub('""', line) for line in itertools.chain(taken, self._source)),
            delimiter=self.delimiter,
            strict=True,
        )
        try:
            row = next(again)
        except (csv.Error, StopIteration):
            self._mendable -= 1
            self._back.extendleft(reversed(self._taken[len(taken) :]))
            return None
        used = again.line_num
        # What a quote that was none has swallowed are rows of their own.
        self._back.extendleft(reversed((taken + self._taken[len(taken) :])[used:]))
        self._before += used - len(taken)
        return row

    def has_digits_alone(self, columns: Sequence[int]) -> bool:
        """Tell whether all of it is in UTF-8 and readable, and these cells have digits at the most.

        Nearly every catalogue is like that, and this is told without a step of Python for a row.
        """
        if not columns:
            return False
        cells = map(itemgetter(*columns), self._reader)
        try:
            plain = all(map(str.isdecimal, filter(None, map("".join, cells))))
        except (csv.Error, IndexError):
            return False
        return plain and not self._lines.broken

    def odd_cells(self, columns: Sequence[int]) -> Iterator[tuple[int, int, str]]:
        """Yield line, place and content of each cell in these columns that has not digits alone.

        Rows that can't be read are passed over: who reads them for their content says so.
        """
        for line, row, _ in self.rows():
            if row is not None:
                for at in columns:
                    if (cell := row[at]) and not cell.isdecimal():
                        yield line, at, cell

    def _explain(self, error: csv.Error, line: int) -> str:
        last = self._before + self._reader.line_num
        lines = f"Line {line}" if last <= line else f"Lines {line} to {last}"
        why = str(error).partition(" - ")[0]  # the rest is a hint for programmers
        return f"{lines} can't be read, perhaps a quote is missing: {why}."


def _fitted(row: list[str], width: int) -> tuple[list[str] | None, str | None]:
    if len(row) < width:
        return row + [""] * (width - len(row)), None
    if any(row[width:]):
        return None, f"The row has {len(row)} cells, the first line has {width}."
    return row[:width], None


def _delimiter(ahead: bytes, first: str) -> str:
    """Find the delimiter from the first lines, minding quotes."""
    sample = (first + ahead.removeprefix(BOM).decode("utf-8", "replace"))[:SAMPLE]
    # What is cut off in the middle would confuse.
    whole = sample.rpartition("\n")[0] if sample.count("\n") > 1 else sample
    text = whole.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
    # By name: it takes 0.2 s of processor time, which a process that reads no table does not pay.
    clevercsv = import_module("clevercsv")
    try:
        dialect = clevercsv.Detector().detect(text, delimiters=list(DELIMITERS.values()))
    except clevercsv.Error:
        dialect = None
    found = dialect.delimiter if dialect else ""
    return found or max("\t;,|", key=first.count)


class _Decoded:
    """Lines as text; remembers whether one was not in UTF-8."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.lines = self._decode(lines)
        self.broken = False

    def _decode(self, lines: Iterable[bytes]) -> Iterator[str]:
        for line in lines:
            try:
                text = line.decode()
            except UnicodeDecodeError:
                self.broken = True
                text = line.decode(errors="replace")
            if len(line) >= MAX_LINE:
                self.broken = True
            yield text

    def take_broken(self) -> bool:
        """Tell whether a line since the last time was not in UTF-8, or too long."""
        broken, self.broken = self.broken, False
        return broken


def short(headings: Sequence[str], most: int = 200) -> str:
    """Write headings on one line, cut where they are too many."""
    text = ", ".join(headings)
    return text if len(text) <= most else f"{text[:most]} ..."
