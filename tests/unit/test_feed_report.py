"""The report of refused rows: opens in a spreadsheet, and survives a crash without doubles."""

import csv
from pathlib import Path

import pytest

from jay.feeds.report import Refusal, Report
from jay.feeds.unpacking import UnusableFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.csv.refused.csv"


def rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.reader(file))[1:]


def test_rows_say_line_sku_and_reason(path: Path) -> None:
    Report(path).write([Refusal(7, "Ä-1", 'price: "x", y')], 0)

    assert path.read_bytes().startswith(b"\xef\xbb\xbfline,sku,reason\r\n")
    assert rows(path) == [["7", "Ä-1", 'price: "x", y']]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "＝"])  # noqa: RUF001
def test_no_cell_is_a_formula(path: Path, start: str) -> None:
    Report(path).write([Refusal(1, f"{start}1+1", f"{start}HYPERLINK()")], 0)

    assert rows(path) == [["1", f"'{start}1+1", f"'{start}HYPERLINK()"]]


def test_a_reason_that_is_far_too_long_is_cut(path: Path) -> None:
    Report(path).write([Refusal(1, "x" * 5000, "y" * 100_000)], 0)

    assert path.stat().st_size < 3000


def test_a_batch_that_is_tried_again_is_reported_once(path: Path) -> None:
    report = Report(path)
    first = report.write([Refusal(1, "A", "x")], 0)
    report.write([Refusal(2, "B", "x"), Refusal(3, "C", "x")], first)

    report.write([Refusal(2, "B", "x")], first)

    assert [row[1] for row in rows(path)] == ["A", "B"]


def test_what_a_killed_process_wrote_beyond_its_checkpoint_is_cut_off(path: Path) -> None:
    report = Report(path)
    length = report.write([Refusal(1, "A", "x")], 0)
    report.write([Refusal(2, "B", "x")], length)

    Report(path).check(length)

    assert [row[1] for row in rows(path)] == ["A"]


def test_a_new_import_takes_an_old_report_away(path: Path) -> None:
    path.write_text("old")

    Report(path).check(0)

    assert not path.exists()


def test_a_report_that_somebody_has_deleted_stops_the_import(path: Path) -> None:
    with pytest.raises(UnusableFile, match="--restart"):
        Report(path).check(10)


def test_a_place_that_takes_no_report_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="can't be written"):
        Report(tmp_path / "nowhere" / "report.csv").check(0)
