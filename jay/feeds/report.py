"""The reports beside the file, of refused rows and of what was left out: for spreadsheets."""

import csv
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

from jay.feeds.unpacking import UnusableFile

MAX_CELL = 1_000
HEADER = ("line", "sku", "reason")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001


class Refusal(NamedTuple):
    """A row that was not written, or not all of it, and why."""

    line: int
    sku: str
    reason: str


def cell(text: str) -> str:
    """Write a text so that a spreadsheet shows it, and never calculates it; a long one is cut."""
    text = text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]} ..."
    return f"'{text}" if text.startswith(_FORMULA) else text


class Report:
    """A CSV file that comes into being with its first row.

    Each row is written at the place that its transaction knows, so after a crash there are
    neither doubles nor gaps.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, file: Path, kind: str) -> Self:
        """Return the report of a kind (refused, notes, dry-run) beside a file."""
        return cls(file.with_name(f"{file.name}.{kind}.csv"))

    def check(self, length: int) -> None:
        """Check that what was reported so far is still there.

        :param length: in bytes, as ``write`` has answered.
        :raises UnusableFile: it isn't, or the file can't be written.
        """
        there = self.path.stat().st_size if self.path.exists() else 0
        if there < length:
            raise UnusableFile(
                f"{self.path}, the report so far, is gone or shorter than it was:"
                " begin anew with --restart."
            )
        try:
            if length:
                os.truncate(self.path, length)
            else:
                self.path.unlink(missing_ok=True)
                self.path.touch()
                self.path.unlink()
        except OSError as error:
            raise UnusableFile(
                f"The report can't be written: {self.path}: {error.strerror}."
            ) from error

    def write(self, refusals: Iterable[Refusal], at: int) -> int:
        """Write rows at a place, and nothing behind them; return the new length in bytes."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        if at == 0:
            writer.writerow(HEADER)
        for refusal in refusals:
            writer.writerow((refusal.line, cell(refusal.sku), cell(refusal.reason)))
        # Spreadsheets take it for UTF-8 if it says so.
        content = text.getvalue().encode("utf-8-sig" if at == 0 else "utf-8", "replace")
        with self.path.open("r+b" if at else "wb") as file:
            file.seek(at)
            file.write(content)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        return at + len(content)


class Reports(NamedTuple):
    """The two reports of an import: what was refused, and what was left out of other rows."""

    refused: Report
    notes: Report

    @classmethod
    def beside(cls, file: Path) -> Self:
        """Return the reports beside a file."""
        return cls(Report.beside(file, "refused"), Report.beside(file, "notes"))
