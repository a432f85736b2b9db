"""Feed files: opened, told apart, fingerprinted, and cut into numbered lines."""

import codecs
import fcntl
import hashlib
import io
import itertools
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, cast

from jay.feeds.foreign import archive_named, document_named
from jay.feeds.spreadsheets import spreadsheet_reader
from jay.feeds.unpacking import (
    CHUNK,
    UnusableFile,
    because,
    buffered,
    codec_of,
    in_utf_8,
    unpacked,
    with_line_feeds,
)

LINES_BETWEEN = 10_000
"""Lines after which a reader shows that it is still at work."""

MAX_LINE = 4 << 20
"""Bytes of the longest line that is read: a product of the largest size has room many times."""

BEGINNING = 1024
"""Bytes from which it is told what a text is."""

BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
UTF32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?\sencoding\s*=\s*["']([^"'>]{1,40})["']""")


# Every second byte of what is written with Latin letters.
_UTF16_WITHOUT_BOM: dict[tuple[bool, ...], str] = {
    (False, True) * 4: "utf-16-le",
    (True, False) * 4: "utf-16-be",
}


def _zeros(head: bytes) -> tuple[bool, ...]:
    return tuple(byte == 0 for byte in head[:8])


class FileBusy(UnusableFile):
    """Another process is importing this file."""


class FeedFile:
    """A file that is read once from its beginning: unpacked, in UTF-8 and with line feeds.

    While it is open no other importer of this machine can open it; a killed process lets go of
    it by itself.

    :ivar notes: sentences for the person who has given it.
    :param encoding: what it is written in; None: UTF-8, or what XML says of itself.
    :param alive: is called now and then while it is read; what it raises ends the reading.
    :raises UnusableFile: it can't be opened or unpacked, is empty, or there is no such encoding.
    :raises FileBusy: another importer has it.
    """

    def __init__(
        self,
        path: Path,
        *,
        alone: bool = True,
        encoding: str | None = None,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self.alive = alive
        self.encoding = encoding
        self.notes: list[str] = []
        try:
            self._raw = cast("io.BufferedReader[io.FileIO]", path.open("rb", buffering=CHUNK))
        except OSError as error:
            raise UnusableFile(f"{path} can't be read: {error.strerror}.") from error
        try:
            self._begin(alone)
        except OSError as error:
            self._raw.close()
            raise UnusableFile(f"{path} can't be read: {error.strerror or error}.") from error
        except BaseException:
            self._raw.close()
            raise

    def _begin(self, alone: bool) -> None:
        self._state = self._stat()
        self.size = self._state[0]
        self._digest = hashlib.sha256()
        if alone:
            try:
                fcntl.flock(self._raw, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FileBusy(f"{self.path} is being imported by another process.") from None
            self._digest = hashlib.file_digest(self._raw, "sha256")
            self._raw.seek(0)
        self.stream: io.BufferedReader[Any] = self._raw
        spreadsheet = spreadsheet_reader(self.notes)
        pieces = unpacked(self._raw, self._raw.peek(4)[:4], self.path, self.size, spreadsheet)
        if pieces is not None:
            self.stream = buffered(pieces)
        self._refuse(archive_named(self.peek(CHUNK)))
        codec = self._codec()
        if codec != "utf-8":
            self.stream = buffered(in_utf_8(self.stream.read, codec, self.path))
        head = self.peek(CHUNK)
        if b"\r" in head and b"\n" not in head:
            self.stream = buffered(with_line_feeds(self.stream.read))
        text = head.removeprefix(BOM).lstrip()
        if not text:
            raise UnusableFile(f"{self.path} is empty.")
        self._refuse(document_named(text[:BEGINNING]))

    def _refuse(self, what: str | None) -> None:
        if what is not None:
            raise UnusableFile(f"{self.path} is {what}.")

    def _codec(self) -> str:
        head = self.peek(1024)
        said = _DECLARED.match(head.removeprefix(BOM).lstrip())
        name = self.encoding or (said[1].decode("ascii", "replace") if said else None)
        if name is None and head[:4] in UTF32:
            return "utf-32"
        if name is None:
            return "utf-16" if head[:2] in UTF16 else _UTF16_WITHOUT_BOM.get(_zeros(head), "utf-8")
        codec = codec_of(name)
        if codec is None:
            raise UnusableFile(
                f"{self.path}: there is no encoding {name!r}: --encoding tells the right one.",
                plain=f"{self.path} says that it is in an encoding that there is not.",
            )
        if said and not self.encoding and codec.startswith(("utf-16", "utf-32")):
            raise UnusableFile(
                f"{self.path} says that it is in {name}, but it is not: --encoding tells the right"
                " one.",
                plain=f"{self.path} is not in the encoding that it says.",
            )
        return "utf-8" if codec in {"ascii", "utf-8-sig"} else codec

    def peek(self, size: int) -> bytes:
        """Return the first bytes without reading on; works before anything was read only."""
        try:
            return self.stream.peek(size)[:size]
        except (OSError, EOFError, zlib.error) as error:
            raise because(f"{self.path} can't be unpacked", error) from error

    def fingerprint(self, *options: object) -> str:
        """Return a hash of the whole content, as the file has it, and of how it is to be read."""
        digest = self._digest.copy()
        digest.update(repr(options).encode())
        return digest.hexdigest()

    @property
    def position(self) -> int:
        """How many bytes of ``size`` have been read."""
        return self._raw.raw.tell()

    def check_unchanged(self) -> None:
        """Check that nobody has written into the file since it was opened.

        :raises UnusableFile: somebody has.
        """
        if self._stat() != self._state:
            raise UnusableFile(f"{self.path} was changed while it was read.")

    def _stat(self) -> tuple[int, int]:
        state = os.fstat(self._raw.fileno())
        return state.st_size, state.st_mtime_ns

    def chunks(self) -> Iterator[bytes]:
        """Yield the unpacked content in pieces.

        :raises UnusableFile: it ends too early, or the disk fails.
        """
        try:
            while chunk := self.stream.read(CHUNK):
                self.alive()
                yield chunk
        except (OSError, EOFError, zlib.error) as error:
            raise self._broken(error) from error

    def check_text(self) -> None:
        """Read all of it, and check that it is in UTF-8 from the first to the last byte.

        What else can be wrong with it is found by who reads it for its content.

        :raises UnusableFile: it isn't; it is read whole or not at all.
        """
        decoder = codecs.getincrementaldecoder("utf-8")()
        lines = 1
        try:
            for chunk in self.chunks():
                lines += decoder.decode(chunk).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            lines += error.object[: error.start].count(b"\n")
            raise UnusableFile(
                f"{self.path}, line {lines}: not in UTF-8. Please save it as UTF-8, or say what it"
                " is: --encoding cp1252 is that of Excel in Western Europe."
            ) from None

    def lines(self) -> Iterator[bytes]:
        """Yield the unpacked lines; of one that is too long, ``MAX_LINE`` bytes and more.

        :raises UnusableFile: the file ends too early, or the disk fails.
        """
        readline, most = self.stream.readline, MAX_LINE
        skipped = len(BOM) if self.peek(len(BOM)) == BOM else 0
        try:
            self.stream.read(skipped)
            for number in itertools.count():
                if not number % LINES_BETWEEN:
                    self.alive()
                line = readline(most)
                if not line:
                    return
                yield line
                if len(line) == most and line[-1:] != b"\n":
                    while (rest := readline(most)) and rest[-1:] != b"\n":
                        pass  # what is refused need not be kept
        except (OSError, EOFError, zlib.error) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> UnusableFile:
        return because(f"{self.path} can't be read to its end", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.stream.close()
        self._raw.close()
