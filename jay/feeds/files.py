"""Feed files: opened, told apart, fingerprinted, and cut into numbered lines."""

import fcntl
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self, cast

CHUNK = 1 << 20
MAX_LINE = 4 << 20
"""Bytes of the longest line that is read: a product of the largest size has room many times."""

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")


class UnusableFile(Exception):
    """The file can't be imported; the message says why, for the person who has given it."""


class FileBusy(UnusableFile):
    """Another process is importing this file."""


class FeedFile:
    """A file that is read once from its beginning, unpacked where it is packed by gzip.

    While it is open no other importer of this machine can open it; a killed process lets go of
    it by itself.

    :raises UnusableFile: it can't be opened, is empty or is not in UTF-8.
    :raises FileBusy: another importer has it.
    """

    def __init__(self, path: Path, *, alone: bool = True) -> None:
        self.path = path
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
        if self._raw.peek(2)[:2] == GZIP:
            self.stream = io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=self._raw)), CHUNK)
        self._check_beginning()

    def _check_beginning(self) -> None:
        head = self.peek(4)
        if head[:2] in UTF16:
            raise UnusableFile(f"{self.path} is in UTF-16: please save it as UTF-8.")
        if not self.peek(64).removeprefix(BOM).strip():
            raise UnusableFile(f"{self.path} is empty.")

    def peek(self, size: int) -> bytes:
        """Return the first bytes without reading on; works before anything was read only."""
        try:
            return self.stream.peek(size)[:size]
        except (OSError, EOFError, zlib.error) as error:
            raise UnusableFile(f"{self.path} can't be unpacked: {error}.") from error

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
                yield chunk
        except (OSError, EOFError, zlib.error) as error:
            raise self._broken(error) from error

    def lines(self) -> Iterator[bytes]:
        """Yield the unpacked lines; of one that is too long, ``MAX_LINE`` bytes and more.

        :raises UnusableFile: the file ends too early, or the disk fails.
        """
        readline, most = self.stream.readline, MAX_LINE
        skipped = len(BOM) if self.peek(len(BOM)) == BOM else 0
        try:
            self.stream.read(skipped)
            while line := readline(most):
                yield line
                if len(line) == most and line[-1:] != b"\n":
                    while (rest := readline(most)) and rest[-1:] != b"\n":
                        pass  # what is refused need not be kept
        except (OSError, EOFError, zlib.error) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> UnusableFile:
        return UnusableFile(f"{self.path} can't be read to its end: {error}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.stream.close()
        self._raw.close()
