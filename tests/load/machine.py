"""What machine measures, and how fast it is at the moment."""

import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from tests.servers import ROOT


def machine() -> str:
    """Say what machine it is."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    release = platform.freedesktop_os_release()["PRETTY_NAME"]
    return (
        f"{model[1] if model else platform.machine()}, {memory:.0f} GiB, {release},"
        f" Linux {platform.release()}, SQLite {sqlite3.sqlite_version}"
    )


def loop_ms() -> float:
    """Return how many milliseconds a loop takes that is always the same."""
    began = time.perf_counter()
    sum(number * number for number in range(3_000_000))
    return (time.perf_counter() - began) * 1000


def speed(took_ms: float | None = None) -> str:
    """Say how fast the machine is at the moment.

    :param took_ms: what ``loop_ms`` has returned just now, where it is known.
    """
    processors = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    took_ms = loop_ms() if took_ms is None else took_ms
    return (
        f"{processors} processors, load {load:.1f}, Python {sys.version.split()[0]}:"
        f" the fixed loop took {took_ms:.0f} ms"
    )


def commit() -> str:
    """Return which commit is measured, with a ``+`` if files differ from it."""
    command = ("git", "describe", "--always", "--abbrev=9", "--exclude=*", "--dirty=+")
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    return run.stdout.strip() or "unknown"
