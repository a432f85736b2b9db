"""What a person sees while an import runs."""

import io
import shutil
from os import terminal_size

import pytest

from jay.feeds.progress import Progress


class Screen(io.StringIO):
    """A terminal that keeps what was written."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        """Return the line as it stands: what is written over is gone."""
        line = ""
        for part in self.getvalue().split("\r"):
            line = part + line[len(part) :]
        return line.rstrip()


class Stopwatch:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def elapsed() -> Stopwatch:
    return Stopwatch()


def test_a_terminal_has_one_line_that_is_drawn_anew(
    elapsed: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda **_: terminal_size((120, 40)))
    screen = Screen()
    progress = Progress(screen, "feed.csv", 1000, elapsed)

    for seconds in (1, 2):
        elapsed.seconds = seconds
        progress.show(250 * seconds, 1500 * seconds, 2)

    bar = "[############------------]"
    assert screen.shown() == f"feed.csv {bar}  50%  3,000 rows  1,500 rows/s  2 refused"
    progress.clear()
    assert screen.shown() == ""


def test_a_narrow_terminal_is_never_overrun(
    elapsed: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda **_: terminal_size((40, 40)))
    screen = Screen()
    elapsed.seconds = 1

    Progress(screen, "catalogue-of-the-autumn.csv.gz", 1000, elapsed).show(10, 10, 0)

    assert len(screen.shown()) < 40


def test_elsewhere_a_line_is_written_every_few_seconds(elapsed: Stopwatch) -> None:
    log = io.StringIO()
    progress = Progress(log, "feed.csv", 1000, elapsed, rows=1000)

    for seconds in range(1, 12):
        elapsed.seconds = seconds
        progress.show(90 * seconds, 1000 + 100 * seconds, 0)
    progress.clear()

    assert log.getvalue() == (
        "feed.csv: 45%  1,500 rows  100 rows/s  0 refused\n"
        "feed.csv: 90%  2,000 rows  100 rows/s  0 refused\n"
    )
