"""The files in which larger bodies lie while they arrive and while they are read.

They have no names, and end with their process. Memory is for all the other requests.
"""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from jay.web.responses import LARGER_BODIES, MAX_BODY_BYTES

PARSED_BYTES = 2048
"""What the parser gets at once: it copies the rest of that several times for each chunk."""

MOST_STORED_BYTES = 256 * 1024 * 1024
"""Of all larger requests together that lie in files, of all processes; then the one goes that
would be cut off next.
"""

KEPT_BYTES, KEPT_PART = 512 * 1024 * 1024, 20
"""What such files leave free, or that part of the volume if it is less: the database may be there.
"""


def nameless(folder: str | None) -> BinaryIO:
    """Make a file without a name in a folder, or where such files are made else."""
    try:
        return tempfile.TemporaryFile(dir=folder)
    except OSError:  # it is not there, or others own it
        return tempfile.TemporaryFile()


def share(workers: int) -> int:
    """Return how many bytes of larger requests one process may store: it has room for one."""
    return max(MOST_STORED_BYTES // workers, max(LARGER_BODIES.values()) + MAX_BODY_BYTES)


def write(file: BinaryIO, part: bytes | bytearray) -> None:
    """Write some of a larger body, a MiB or so, to its file.

    :raises OSError: it has no room, or would take what is kept for the database.
    """
    volume = os.fstatvfs(file.fileno())
    size, free = volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize
    if size and free - len(part) < min(KEPT_BYTES, size // KEPT_PART):  # some tell no size
        raise OSError(errno.ENOSPC, "the rest is kept for the database")
    file.write(part)
    file.flush()  # what is left for later fails later, where nobody looks


def throw_away(file: BinaryIO) -> None:
    """Close a file without a name.

    Where the disk is full it writes once more what its buffer holds, and fails again: that was
    told, and nobody needs those bytes.
    """
    with contextlib.suppress(OSError):
        file.close()


def in_pieces(file: BinaryIO | None, rest: bytes) -> Iterator[bytes]:
    """Yield what lies in a file, and the rest of it that does not."""
    if file is not None:
        file.seek(0)
        while piece := file.read(PARSED_BYTES):
            yield piece
    for begin in range(0, len(rest), PARSED_BYTES):
        yield rest[begin : begin + PARSED_BYTES]
