"""Unit tests need Python and its packages alone, so that they can be run anywhere at once."""

import pytest


@pytest.fixture(scope="session")
def postgres() -> None:
    """Refuse the server: a test of several parts belongs to ``tests/service`` or ``tests/api``."""
    pytest.fail("a unit test needs no PostgreSQL")


@pytest.fixture(scope="session")
def browser() -> None:
    """Refuse the browser: what a page does belongs to ``tests/e2e``."""
    pytest.fail("a unit test needs no Chromium")
