"""Where the files of pictures are: in a folder that any number of processes share, or in a bucket.

A file is there whole or not at all, and what is at its name never changes.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Protocol

from jay.config import Settings
from jay.net.buckets import Bucket
from jay.pictures.models import NAME

_UNFINISHED = ".unfinished"


def place(name: str) -> str:
    """Return where a file is, below the store's root and below ``JAY_MEDIA_URL``."""
    return f"{name[:2]}/{name}"


class StoreAway(OSError):
    """A store that is not on this machine does not answer, or refuses."""


class Store(Protocol):
    """Keeps files by their names."""

    def put(self, name: str, content: bytes) -> None:
        """Store a file; after a crash it is there whole, or not at all.

        :raises OSError: it can't be stored at the moment.
        """
        ...

    def get(self, name: str) -> bytes | None:
        """Return a file's content; None when there is no such file.

        :raises OSError: it can't be read at the moment.
        """
        ...

    def names(self) -> Iterator[tuple[str, datetime]]:
        """Yield the name of each file, and when it was stored; of what a crash has left, too.

        :raises OSError: they can't be listed at the moment.
        """
        ...

    def stored(self, name: str) -> datetime | None:
        """Return when a file was stored last; None when there is no such file.

        :raises OSError: it can't be told at the moment.
        """
        ...

    def delete(self, name: str) -> None:
        """Delete a file, if it is there.

        :raises OSError: it can't be deleted at the moment.
        """
        ...


class FolderStore:
    """Keeps files in a folder.

    :param private: whether other accounts of this machine are kept out; else the umask says so.
    """

    def __init__(self, folder: Path, *, private: bool = True) -> None:
        self._folder = folder
        self._of_folders, self._of_files = (0o700, 0o600) if private else (0o777, 0o666)

    def put(self, name: str, content: bytes) -> None:
        """Store a file; after a crash it is there whole, or not at all.

        :raises OSError: there is no room, or the folder can't be written.
        """
        path = self._folder / place(name)
        self._folder.mkdir(self._of_folders, parents=True, exist_ok=True)
        path.parent.mkdir(self._of_folders, exist_ok=True)
        draft = path.with_name(f"{name}.{secrets.token_hex(8)}{_UNFINISHED}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with os.fdopen(os.open(draft, flags, self._of_files), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        handle = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)  # the name, too, is there after a power cut
        finally:
            os.close(handle)

    def get(self, name: str) -> bytes | None:
        """Return a file's content; None when there is no such file."""
        try:
            return (self._folder / place(name)).read_bytes()
        except FileNotFoundError:
            return None

    def names(self) -> Iterator[tuple[str, datetime]]:
        """Yield the name of each file, and when it was stored; of what a crash has left, too."""
        with contextlib.suppress(FileNotFoundError):
            for shelf in sorted(os.scandir(self._folder), key=lambda entry: entry.name):
                if len(shelf.name) != 2 or not shelf.is_dir():
                    continue
                for entry in os.scandir(shelf):
                    if NAME.fullmatch(entry.name) or entry.name.endswith(_UNFINISHED):
                        with contextlib.suppress(FileNotFoundError):
                            moment = datetime.fromtimestamp(entry.stat().st_mtime, UTC)
                            yield entry.name, moment

    def stored(self, name: str) -> datetime | None:
        """Return when a file was stored last; None when there is no such file."""
        try:
            return datetime.fromtimestamp((self._folder / place(name)).stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        (self._folder / place(name)).unlink(missing_ok=True)


def store_of(settings: Settings) -> Store:
    """Return where an installation's pictures are."""
    if settings.media_bucket is None:
        return FolderStore(settings.media_folder, private=not settings.media)
    return _in_bucket(settings.media_bucket)


@cache
def _in_bucket(bucket: Bucket) -> Store:
    """Return the one for all threads: they share its connections, and know when it is away."""
    made: Store = import_module("jay.pictures.bucket").BucketStore(bucket)
    return made
