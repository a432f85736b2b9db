"""What a test forgets to close is told of, whichever Python runs it."""

import contextlib
import gc
import sqlite3

import pytest


def _forget() -> None:
    sqlite3.connect(":memory:")
    gc.collect()  # it is in a cycle with its statements


def test_one_that_was_forgotten_names_the_test_that_has_opened_it() -> None:
    with pytest.warns(ResourceWarning, match="left open by .*::test_one_that_was_forgotten"):
        _forget()


def test_one_that_was_closed_says_nothing() -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
