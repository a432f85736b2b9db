"""Pictures from bytes: told by their beginning, and drawn by ``drawing.py`` in another process."""

import io
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

import orjson

from jay.pictures.models import (
    LEAST_SIDE,
    MAX_BYTES,
    MAX_PIXELS,
    OLD_ENGINE_SIZES,
    PIECE_BYTES,
    SIZES,
    Picture,
    Reason,
    Unusable,
    digest_of,
    kind_of,
)

MEMORY = 176 * 1024 * 1024
"""Bytes that reading one picture may take."""

SECONDS = 10
"""Of processor time, for one picture; by the clock it is twice as long."""

_PROGRAM = Path(__file__).with_name("drawing.py")


@dataclass(frozen=True)
class Drawn:
    """A picture with the contents of its files, by their names."""

    picture: Picture
    files: Mapping[str, bytes]


class Reader:
    """Draws pictures, one after the other; a context manager.

    The process that does so begins with the first picture, and ends with this one, however it ends.
    """

    def __init__(self, *, memory: int = MEMORY, seconds: int = SECONDS) -> None:
        self._limits = {"memory": memory, "seconds": seconds}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def process_id(self) -> int | None:
        """The process that draws, None before the first picture."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def read(self, content: bytes | BinaryIO) -> Drawn:
        """Draw a picture in all its sizes.

        :param content: what it is, or a file with it, which need not be in memory.
        :raises Unusable: it can't be shown.
        """
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        length = file.seek(0, os.SEEK_END)
        if length > MAX_BYTES:
            raise Unusable(Reason.TOO_LARGE)
        file.seek(0)
        asked = {
            "kind": kind_of(file.read(PIECE_BYTES)),
            "length": length,
            "most_pixels": MAX_PIXELS,
            "least_side": LEAST_SIDE,
            "webp": SIZES,
            "jpg": OLD_ENGINE_SIZES,
            **self._limits,
        }
        with self._lock:
            told, rest = self._ask(asked, file)
        if "refused" in told:
            raise Unusable(Reason(told["refused"]))
        picture = Picture(digest_of(file), told["width"], told["height"], told["colour"])
        return Drawn(picture, _files(picture, told["files"], rest))

    def _ask(self, asked: Mapping[str, Any], file: BinaryIO) -> tuple[Any, bytes]:
        process = self._process or self._begin()
        asks, answers = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
        # What hangs in spite of all is ended; its pipe then ends, too.
        watch = threading.Timer(self._limits["seconds"] * 3, process.kill)
        watch.daemon = True
        watch.start()
        try:
            asks.write(orjson.dumps(asked) + b"\n")
            file.seek(0)
            shutil.copyfileobj(file, asks, PIECE_BYTES)
            asks.flush()
            length = int(answers.readline())
            answer = answers.read(length)
            if len(answer) < length:
                raise ValueError
        except (OSError, ValueError) as error:
            self.close()
            raise Unusable(Reason.TOO_COSTLY) from error
        finally:
            watch.cancel()
        line, _, rest = answer.partition(b"\n")
        return orjson.loads(line), rest

    def _begin(self) -> subprocess.Popen[bytes]:
        # Apart from the environment and from where it is started: no secret is within its reach.
        self._process = subprocess.Popen(  # noqa: S603 - a program of ours
            [sys.executable, "-I", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            cwd="/",
        )
        return self._process


def _files(picture: Picture, told: Any, rest: bytes) -> dict[str, bytes]:
    found, start = {}, 0
    for file in told:
        end = start + file["length"]
        found[f"{picture.digest}-{file['name']}"] = rest[start:end]
        start = end
    # Only what the pages will ask for: small pictures are there in few sizes.
    names = [one.name for kind in ("webp", "jpg") for one in picture.files(kind)]
    return {name: found[name] for name in names}
