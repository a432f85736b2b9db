"""What a file is that is no feed: told by how it begins, and named for who has given it."""

import re

_BEGINNINGS = {
    b"\xd0\xcf\x11\xe0": (
        "a file of an old Excel (xls), or one with a password: please save it as xlsx without one,"
        " or as CSV"
    ),
    b"%PDF": "a PDF: please give the table itself, as xlsx or CSV",
    b"{\\rtf": "a text document (RTF): please give the table itself, as xlsx or CSV",
    b"PK\x03\x04": "packed twice: please unpack it once",
    b"\x1f\x8b": "packed twice: please unpack it once",
    b"Rar!": "a RAR archive: please unpack it, or use zip",
    b"7z\xbc\xaf": "a 7-Zip archive: please unpack it, or use zip",
    b"BZh": "packed with bzip2: please unpack it, or use gzip",
    b"\xfd7zX": "packed with xz: please unpack it, or use gzip",
    b"\x28\xb5\x2f\xfd": "packed with Zstandard: please unpack it, or use gzip",
    b"\x04\x22\x4d\x18": "packed with LZ4: please unpack it, or use gzip",
    b"\x1f\x9d": "packed with compress: please unpack it, or use gzip",
    b"PAR1": "a Parquet file: please save it as CSV or JSON Lines",
    b"SQLite format 3\0": "a database of SQLite: please give the table itself, as CSV",
    b"\x89PNG": "a picture: please give the table itself, as xlsx or CSV",
    b"\xff\xd8\xff": "a picture: please give the table itself, as xlsx or CSV",
    b"GIF8": "a picture: please give the table itself, as xlsx or CSV",
}

DOCUMENTS = {
    "word/document.xml": "a document of Word: please save its table as xlsx or CSV",
    "xl/workbook.bin": "a binary Excel file (xlsb): please save it as xlsx or CSV",
    "mimetype": "a file of OpenDocument: please save it as xlsx or CSV",
    "Index/Document.iwa": "a file of Apple's Numbers: please export it as xlsx or CSV",
    "Index.zip": "a file of Apple's Numbers: please export it as xlsx or CSV",
}
"""What a zip is that has this file in it."""

_TAR = "a tar archive: please give the file in it that has the products, as it is or with gzip"
_TAR_BLOCK = 512
_CHECKSUM = slice(148, 156)

WEB_PAGE = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--(?:(?!-->).){0,500}-->\s*)*"
    rb"<(?:!doctype\s+html|html|head|body|table|meta|script|style|div)\b",
    re.IGNORECASE | re.DOTALL,
)
"""How HTML begins, also that which some shops call xls."""

_EXCEL_2003 = b"urn:schemas-microsoft-com:office:spreadsheet"
_EXCEL_HINT = b'progid="Excel.Sheet"'


def archive_named(head: bytes) -> str | None:
    """Say what a file is that can't be read, and what to do; None: it may be a feed.

    :param head: its first bytes, unpacked; of a tar archive 512 are needed.
    """
    for start, what in _BEGINNINGS.items():
        if head.startswith(start):
            return what
    return _TAR if _is_tar(head) else None


def _is_tar(head: bytes) -> bool:
    """Tell by the check sum of the first header: the oldest archives have no other mark."""
    block = head[:_TAR_BLOCK]
    written = block[_CHECKSUM].strip(b" \0")
    if len(block) < _TAR_BLOCK or not re.fullmatch(rb"[0-7]{1,7}", written):
        return False
    others = sum(block) - sum(block[_CHECKSUM])
    return others + 8 * ord(" ") == int(written, 8)


def document_named(text: bytes) -> str | None:
    """Say the same of what is text.

    :param text: its beginning in UTF-8, without a mark.
    """
    if WEB_PAGE.match(text):
        return "a web page (HTML): please give the table itself, as xlsx or CSV"
    if _EXCEL_2003 in text or _EXCEL_HINT in text:
        return "an XML file of Excel 2003: please save it as xlsx or CSV"
    return None
