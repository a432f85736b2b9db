"""Feed files: opened alone, unpacked, and cut into lines without ever keeping all of it."""

import gzip
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jay.feeds import spreadsheets, unpacking
from jay.feeds.files import BOM, MAX_LINE, FeedFile, FileBusy
from jay.feeds.unpacking import UnusableFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.csv"


def lines(path: Path) -> list[bytes]:
    with FeedFile(path) as file:
        return list(file.lines())


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", [b"", BOM])
def test_packed_and_marked_files_read_like_plain_ones(
    path: Path, packed: bool, mark: bytes
) -> None:
    content = mark + b"sku,name\r\nA,B\n\nlast"
    path.write_bytes(gzip.compress(content) if packed else content)

    assert lines(path) == [b"sku,name\r\n", b"A,B\n", b"\n", b"last"]


def test_a_line_without_end_is_cut_and_the_next_one_is_whole(path: Path) -> None:
    path.write_bytes(b"a\n" + b"x" * (2 * MAX_LINE + 5) + b"\nb\n")

    first, long, last = lines(path)

    assert (first, len(long), last) == (b"a\n", MAX_LINE, b"b\n")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n \n", BOM, gzip.compress(b"")],
    ids=["nothing", "blanks", "a mark", "packed nothing"],
)
def test_a_file_without_content_is_empty(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(UnusableFile, match="is empty"):
        FeedFile(path)


def test_utf_16_with_its_mark_is_read_as_spreadsheets_write_it(path: Path) -> None:
    path.write_bytes("sku\tname\r\nA\tMüg\r\n".encode("utf-16"))

    assert lines(path) == [b"sku\tname\r\n", "A\tMüg\r\n".encode()]


@pytest.mark.parametrize("packed", [False, True])
def test_another_encoding_is_read_where_it_is_named(path: Path, packed: bool) -> None:
    content = "sku;name\nA;5 € Müg\n".encode("cp1252")
    path.write_bytes(gzip.compress(content) if packed else content)

    with FeedFile(path, encoding="Windows-1252") as file:
        assert list(file.lines()) == [b"sku;name\n", "A;5 € Müg\n".encode()]


@pytest.mark.parametrize("name", ["klingon", "base64", "unicode_escape", "idna", "utf-7", "\0"])
def test_an_encoding_that_is_none_is_said(path: Path, name: str) -> None:
    path.write_bytes(b"sku,name\n")

    with pytest.raises(UnusableFile, match="there is no encoding"):
        FeedFile(path, encoding=name)


def test_what_is_not_in_the_encoding_that_was_named_is_refused(path: Path) -> None:
    path.write_bytes(b"sku;name\nA;\x81\n")

    with pytest.raises(UnusableFile, match="is not in cp1252"):
        FeedFile(path, encoding="cp1252")


def test_a_file_that_is_not_in_utf_8_is_told_by_its_first_such_line(path: Path) -> None:
    path.write_bytes(b"sku,name\nA,M\xc3\xbcg\nB,M\xfcg\nC,M\xfcg\n")

    with FeedFile(path) as file, pytest.raises(UnusableFile, match=r"line 3: .*--encoding cp1252"):
        file.check_text()


def test_line_ends_of_old_macs_are_read(path: Path) -> None:
    path.write_bytes(b"sku,name\rA,B\r")

    assert lines(path) == [b"sku,name\n", b"A,B\n"]


def zipped(files: dict[str, bytes]) -> bytes:
    """Pack files as zip does."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_a_zip_with_one_file_is_read(path: Path) -> None:
    path.write_bytes(zipped({"feed/": b"", "feed/a.csv": b"sku\nA\n", "__MACOSX/._a.csv": b"x"}))

    assert lines(path) == [b"sku\n", b"A\n"]


def test_a_zip_with_several_files_is_refused_as_nobody_knows_which_counts(path: Path) -> None:
    path.write_bytes(zipped({"a.csv": b"sku\n", "b.csv": b"sku\n"}))

    with pytest.raises(UnusableFile, match="has 2 files in it"):
        FeedFile(path)


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped({"a.csv": content})])
def test_what_grows_without_measure_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setattr(unpacking, "FREE", 1 << 20)
    path.write_bytes(pack(b"sku\n" + b"0" * (4 << 20)))

    with pytest.raises(UnusableFile, match="times its size"):
        lines(path)


SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORKBOOK = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1"'
    f' Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
}


_STATES = ("visible", "hidden")


def spreadsheet(*sheets: str, hidden: str = "") -> bytes:
    """Write a spreadsheet; its sheets are called A, B and so on.

    :param hidden: the names of those that nobody sees.
    """
    names = "ABCDEF"[: len(sheets)]
    files = {
        **WORKBOOK,
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(
            f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"'
            f' state="{_STATES[name in hidden]}"/>'
            for at, name in enumerate(names, 1)
        )
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{at}" Type="{OFFICE}/worksheet"'
            f' Target="worksheets/sheet{at}.xml"/>'
            for at, _ in enumerate(names, 1)
        )
        + "</Relationships>",
    }
    for at, cells in enumerate(sheets, 1):
        sheet = f'<worksheet xmlns="{SHEET}"><sheetData>{cells}</sheetData></worksheet>'
        files[f"xl/worksheets/sheet{at}.xml"] = sheet
    return zipped({name: content.encode() for name, content in files.items()})


def row(number: int, *cells: object) -> str:
    """Write a row of a spreadsheet."""
    written = "".join(
        f'<c r="{chr(65 + at)}{number}"><v>{cell}</v></c>'
        if isinstance(cell, float)
        else f'<c r="{chr(65 + at)}{number}" t="inlineStr"><is><t>{cell}</t></is></c>'
        for at, cell in enumerate(cells)
    )
    return f'<row r="{number}">{written}</row>'


def test_a_spreadsheet_is_read_as_a_person_sees_it(path: Path) -> None:
    rows = [row(2, "sku", "name", "price"), row(3, "A", "one\ntwo, three", 19.9)]
    path.write_bytes(spreadsheet("".join([*rows, row(5, 4006250000000.0, "Mug", 1990.0)])))

    assert lines(path) == [
        b"\n",
        b"sku,name,price\n",
        b'A,"one two, three",19.9\n',
        b",,\n",
        b"4006250000000,Mug,1990\n",
    ]


HEADING = row(3, "sku", "name", "price")
GOODS = HEADING + row(4, "A", "Mug", 1990.0)


def lines_and_notes(path: Path) -> tuple[list[bytes], list[str]]:
    with FeedFile(path) as file:
        return list(file.lines()), file.notes


def test_a_title_above_the_table_of_a_spreadsheet_is_passed_over(path: Path) -> None:
    path.write_bytes(spreadsheet(row(1, "Our goods in 2026") + GOODS))

    assert lines(path) == [b"\n", b"\n", b"sku,name,price\n", b"A,Mug,1990\n"]


@pytest.mark.parametrize(
    ("sheets", "hidden", "noted"),
    [
        ((row(1, "Please read this"), GOODS), "", []),
        ((row(1, "a", "b", "c", "d"), GOODS), "A", []),
        ((row(1, "size", "label"), GOODS), "", ["Read is the sheet 'B'; not read: 'A'."]),
        (("", GOODS, HEADING), "", ["Read is the sheet 'B'; not read: 'C'."]),
    ],
)
def test_of_several_sheets_that_with_the_goods_is_read_and_the_others_are_named(
    path: Path, sheets: tuple[str, ...], hidden: str, noted: list[str]
) -> None:
    path.write_bytes(spreadsheet(*sheets, hidden=hidden))

    found, notes = lines_and_notes(path)

    assert found[-1] == b"A,Mug,1990\n"
    assert notes == noted


def test_cells_with_an_error_are_said_to_be_empty(path: Path) -> None:
    wrong = (
        '<row r="5"><c r="A5" t="inlineStr"><is><t>B</t></is></c><c r="C5" t="e"><v>#N/A</v></c>'
    )
    path.write_bytes(spreadsheet(GOODS + wrong + "</row>"))

    found, notes = lines_and_notes(path)

    assert found[-1] == b"B,,\n"
    assert notes == ["Cells with an error, such as #N/A, are read as empty: C5."]


def test_dates_and_what_was_calculated_are_read_as_they_are_seen(path: Path) -> None:
    styles = (
        f'<styleSheet xmlns="{SHEET}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/>'
        "</cellXfs></styleSheet>"
    )
    cells = (
        '<c r="A4" t="str"><f>"A"&amp;"1"</f><v>A1</v></c><c r="B4" s="1"><v>46327</v></c>'
        '<c r="C4"><f>2*9.95</f><v>19.9</v></c>'
    )
    content = spreadsheet(row(3, "sku", "from", "price") + f'<row r="4">{cells}</row>')
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/styles.xml", styles)

    assert lines(path)[-1] == b"A1,2026-11-01,19.9\n"


def test_a_spreadsheet_whose_cells_lie_far_apart_is_refused(path: Path) -> None:
    far = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row>'
    path.write_bytes(spreadsheet(row(1, "sku", "name") + far))

    with pytest.raises(UnusableFile, match="more than 5,000,000 cells"):
        lines(path)


def test_a_spreadsheet_that_is_far_too_large_is_refused(path: Path) -> None:
    path.write_bytes(spreadsheet(row(1, "x" * (spreadsheets.MAX_SPREADSHEET + 1))))

    with pytest.raises(UnusableFile, match="more than 128 MiB"):
        lines(path)


@pytest.mark.parametrize(
    "cells", ["<row", "<!DOCTYPE a>", "<row r='x'><c r='A0'><v>1</v></c></row>"]
)
def test_a_damaged_spreadsheet_is_said(path: Path, cells: str) -> None:
    path.write_bytes(spreadsheet(cells))

    with pytest.raises(UnusableFile, match=r"damaged spreadsheet|is empty"):
        lines(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x03\x04" + b"x" * 99])
def test_a_broken_zip_is_said(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(UnusableFile, match="can't be unpacked"):
        lines(path)


def test_a_file_that_does_not_open_is_unusable(path: Path) -> None:
    with pytest.raises(UnusableFile, match="No such file"):
        FeedFile(path)


@pytest.mark.parametrize("damage", [slice(None, -20), slice(None, 60)])
def test_a_packed_file_that_was_cut_off_does_not_pass_for_complete(
    path: Path, damage: slice
) -> None:
    content = "".join(f"SKU-{n * n},Mug {n**3}\n" for n in range(3000)).encode()
    path.write_bytes(gzip.compress(content)[damage])

    with pytest.raises(UnusableFile, match=r"to its end|unpacked"):
        lines(path)


def test_one_importer_has_the_file_at_a_time(path: Path) -> None:
    path.write_bytes(b"sku,name\n")

    with FeedFile(path):
        with pytest.raises(FileBusy, match="another process"):
            FeedFile(path)
        FeedFile(path, alone=False).close()  # who only looks disturbs nobody

    FeedFile(path).close()


def test_a_fingerprint_is_of_the_content_and_of_how_it_is_read(path: Path) -> None:
    path.write_bytes(b"sku,name\nA,B\n")
    with FeedFile(path) as file:
        before = file.fingerprint("csv", None)
        assert file.fingerprint("csv", "en") != before
        assert next(file.lines()) == b"sku,name\n"  # taking it has read nothing away
    with FeedFile(path) as file:
        assert file.fingerprint("csv", None) == before
    path.write_bytes(b"sku,name\nA,C\n")
    with FeedFile(path) as file:
        assert file.fingerprint("csv", None) != before


def test_a_file_that_somebody_writes_into_is_noticed(path: Path) -> None:
    path.write_bytes(b"sku,name\n")
    with FeedFile(path) as file:
        file.check_unchanged()
        with path.open("ab") as other:
            other.write(b"A,B\n")

        with pytest.raises(UnusableFile, match="was changed"):
            file.check_unchanged()


def test_the_position_tells_how_much_of_the_file_is_read(path: Path) -> None:
    path.write_bytes(b"sku,name\n" * 10)
    with FeedFile(path) as file:
        assert (file.position <= file.size, file.size) == (True, 90)
        list(file.lines())
        assert file.position == file.size
