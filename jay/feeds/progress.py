"""What a person sees while an import runs: a bar on a terminal, now and then a line elsewhere."""

import shutil
from collections.abc import Callable
from typing import TextIO

BAR = 24
LINE_SECONDS = 5.0
BAR_SECONDS = 0.1


class Progress:
    """A line that is drawn anew on a terminal, and repeated every few seconds elsewhere.

    :param elapsed: answers the seconds since the start.
    :param rows: that an earlier, interrupted run has done already.
    """

    def __init__(
        self, out: TextIO, label: str, size: int, elapsed: Callable[[], float], *, rows: int = 0
    ) -> None:
        self._out = out
        self._label = label
        self._size = max(size, 1)
        self._elapsed = elapsed
        self._before = rows
        self._terminal = out.isatty()
        self._shown = -BAR_SECONDS if self._terminal else 0.0
        self._width = 0

    def show(self, position: int, rows: int, refused: int) -> None:
        """Show how far it is, if the last time was long enough ago.

        :param position: bytes of the file that are read.
        :param rows: all rows that are done, with those of interrupted runs.
        """
        now = self._elapsed()
        if now - self._shown < (BAR_SECONDS if self._terminal else LINE_SECONDS):
            return
        self._shown = now
        share = min(position / self._size, 1.0)
        speed = (rows - self._before) / now if now else 0.0
        text = f"{share:4.0%}  {rows:,} rows  {speed:,.0f} rows/s  {refused:,} refused"
        if not self._terminal:
            self._out.write(f"{self._label}: {text.strip()}\n")
            self._out.flush()
            return
        done = round(share * BAR)
        bar = f"[{'#' * done}{'-' * (BAR - done)}] "
        most = shutil.get_terminal_size().columns - 1
        line = f"{self._label} {bar}{text}"
        if len(line) > most:
            line = f"{bar}{text}"[:most]
        # What the last line had more is wiped out.
        self._out.write("\r" + line.ljust(self._width))
        self._out.flush()
        self._width = len(line)

    def clear(self) -> None:
        """Take the bar away, for other words to stand there."""
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._out.flush()
            self._width = 0
