"""SQLite connections that are forgotten instead of closed.

From Python 3.13 on each gives a ResourceWarning when it is collected, which ends whatever test runs
then. Here it does so with every Python, and names the test that has opened it.
"""

import functools
import os
import sqlite3
import warnings
from typing import Any


class _Connection(sqlite3.Connection):
    _is_open = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_open = True
        self._test = os.environ.get("PYTEST_CURRENT_TEST", "before the first test")

    def close(self) -> None:
        super().close()
        self._is_open = False

    def __del__(self) -> None:
        if self._is_open:
            super().close()
            warnings.warn(f"left open by {self._test}: {self!r}", ResourceWarning, stacklevel=2)


def watch() -> None:
    """Let all connections of this process be such ones, from now on."""
    sqlite3.connect = functools.partial(sqlite3.connect, factory=_Connection)
    sqlite3.dbapi2.connect = sqlite3.connect  # SQLAlchemy's
