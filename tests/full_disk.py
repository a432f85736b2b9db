"""A disk without room, for what is written to files without names."""

import errno
import io
import os
from typing import Any


class FullDisk(io.FileIO):
    """Takes some bytes and then no more."""

    room = 512 * 1024

    def write(self, data: Any) -> int:
        left = self.room - self.tell()
        if left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(memoryview(data)[:left])


class Full(io.BufferedRandom):
    """A file on such a disk: what its buffer holds is tried again when it is closed."""

    def __init__(self, **_options: object) -> None:
        super().__init__(FullDisk(os.memfd_create("full"), "r+"))
