"""Databases of their own for tests that look at what a first start does."""

import itertools
from pathlib import Path

import alembic.command
import pytest

from jay.ops.cli import alembic_config
from tests.conftest import new_postgres_database

_numbers = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Make a migrated database that nobody has used yet, for one test."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    else:
        name = f"jay_unit_{next(_numbers)}"
        url = new_postgres_database(request.getfixturevalue("postgres"), name)
    alembic.command.upgrade(alembic_config(url), "head")
    return url
