"""Databases of their own for tests that look at what a first start does."""

import itertools
from pathlib import Path

import pytest

from tests.conftest import migrated, new_postgres_database

_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Make a migrated database that nobody has used yet, for one test."""
    if request.param == "sqlite":
        return migrated(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    name = f"jay_service_{next(_numbers)}"
    return migrated(new_postgres_database(request.getfixturevalue("postgres"), name))
