"""What is around a feed file taken off: gzip, zip, an encoding, line ends of old.

Each is a stream of bytes made from another, a piece at a time, so that nothing is ever kept whole;
what grows without measure is given up.
"""

import codecs
import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from jay.feeds.foreign import DOCUMENTS

CHUNK = 1 << 20
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
EMPTY_ZIP = b"PK\x05\x06"

FREE = 64 << 20
MAX_GROWTH = 200
"""How much larger what is packed may be, beyond ``FREE`` bytes: no catalogue shrinks so much."""


class UnusableFile(Exception):
    """The file can't be imported; the message says why, for the person who has given it.

    :ivar plain: the same in our own words alone, where the message quotes the file.
    """

    def __init__(self, said: str, *, plain: str | None = None) -> None:
        super().__init__(said)
        self.plain = said if plain is None else plain


def because(said: str, error: object) -> UnusableFile:
    """Say what is wrong, and why as a library has it, which may quote the file."""
    return UnusableFile(f"{said}: {error}.", plain=f"{said}.")


class Pieces(io.RawIOBase):
    """A stream of what an iterator brings."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = memoryview(b"")

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, unless the end comes first: who peeks sees as much as there is."""
        filled = 0
        while filled < len(buffer):
            if not self._left:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._left = memoryview(piece)
            size = min(len(buffer) - filled, len(self._left))
            buffer[filled : filled + size] = self._left[:size]
            self._left = self._left[size:]
            filled += size
        return filled


def buffered(pieces: Iterator[bytes]) -> io.BufferedReader:
    """Return a stream that can be peeked into."""
    return io.BufferedReader(Pieces(pieces), CHUNK)


def unpacked(
    raw: IO[bytes],
    head: bytes,
    path: Path,
    size: int,
    spreadsheet: Callable[[IO[bytes], zipfile.ZipFile, Path], Iterator[bytes]],
) -> Iterator[bytes] | None:
    """Return what is in a packed file or spreadsheet; None where it is neither.

    :param head: its first bytes.
    :param size: its length in bytes.
    :param spreadsheet: reads one, as CSV.
    :raises UnusableFile: it has not exactly one file in it, or is a trap.
    """
    if head[:2] == GZIP:
        return _measured(gzip.GzipFile(fileobj=raw), path, size)
    if head[:4] == EMPTY_ZIP:
        raise UnusableFile(f"{path} has no file in it.")
    if head[:4] != ZIP:
        return None
    try:
        archive = zipfile.ZipFile(raw)
        names = [entry for entry in archive.infolist() if not _is_beside(entry)]
        if any(entry.filename == "xl/workbook.xml" for entry in names):
            return spreadsheet(raw, archive, path)
        for part, what in DOCUMENTS.items():
            if any(entry.filename == part for entry in names):
                raise UnusableFile(f"{path} is {what}.")
        if len(names) != 1:
            raise UnusableFile(
                f"{path} has {len(names)} files in it: please give the one that has the products."
            )
        return _measured(archive.open(names[0]), path, size)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise because(f"{path} can't be unpacked", error) from error


_OF_FOLDERS = {"thumbs.db", "desktop.ini"}


def _is_beside(entry: zipfile.ZipInfo) -> bool:
    """Tell whether it is what systems put beside files, and nobody has packed."""
    name = entry.filename.rpartition("/")[2]
    beside = name.startswith(".") or name.lower() in _OF_FOLDERS
    return entry.is_dir() or entry.filename.startswith("__MACOSX/") or beside


def _measured(stream: Any, path: Path, size: int) -> Iterator[bytes]:
    read = 0
    try:
        while piece := stream.read(CHUNK):
            read += len(piece)
            if read > FREE + MAX_GROWTH * size:
                raise UnusableFile(
                    f"{path} grows to more than {MAX_GROWTH} times its size: it is no catalogue."
                )
            yield piece
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise because(f"{path} can't be unpacked", error) from error


_SAFE_CODEC = re.compile(
    r"utf-(8|16|32)(-[bl]e)?|utf-8-sig|ascii|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|gb\w+"
    r"|big5\w*|shift_jis\w*|euc_\w+|tis-620|hz|ptcp154|kz1048|johab"
)


def codec_of(name: str) -> str | None:
    """Return Python's name of a text encoding; None where there is no such one."""
    try:
        found = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        return None
    return found if _SAFE_CODEC.fullmatch(found) else None


def in_utf_8(pieces: Callable[[int], bytes], codec: str, path: Path) -> Iterator[bytes]:
    """Yield what is in another encoding in UTF-8.

    :raises UnusableFile: something in it is not in that encoding.
    """
    decoder = codecs.getincrementaldecoder(codec)()
    try:
        while piece := pieces(CHUNK):
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise because(f"{path} is not in {codec}", error) from error


def with_line_feeds(pieces: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield what has the line ends of old Macs with those of today."""
    while piece := pieces(CHUNK):
        yield piece.replace(b"\r", b"\n")
