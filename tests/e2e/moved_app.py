"""The service with a clock that a test in another process moves.

``JAY_TEST_CLOCK`` names a file with the seconds by which this clock is ahead of the system's.
"""

import os
from datetime import datetime, timedelta
from pathlib import Path

from jay import create_app, make_ready
from jay.clock import system_clock

CLOCK_FILE = Path(os.environ["JAY_TEST_CLOCK"])


def moved_clock() -> datetime:
    return system_clock() + timedelta(seconds=float(CLOCK_FILE.read_text()))


app = make_ready(create_app(clock=moved_clock))
