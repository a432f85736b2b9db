"""``flask db backup`` and ``flask db restore``."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text

from jay import create_app, db
from jay.baskets.models import baskets
from jay.ops import backup as backups
from tests.builders import Platform
from tests.cli.conftest import Run, runner_of
from tests.clock import PATIENCE_SECONDS, MovedClock
from tests.conftest import new_postgres_database, settings

_numbers = itertools.count()
WRITERS, BEFORE = 3, 20


@pytest.fixture
def used(empty_app: Flask) -> Flask:
    """A service of its own, with demo data."""
    assert runner_of(empty_app)("demo", "load", "--upgrade").exit_code == 0
    return empty_app


@pytest.fixture
def typed(used: Flask) -> Run:
    return runner_of(used)


@pytest.fixture
def elsewhere(
    empty_database_url: str, clock: MovedClock, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Flask]:
    """Another database of the same kind, that is still empty."""
    url = f"sqlite:///{tmp_path / 'other.sqlite3'}"
    if not empty_database_url.startswith("sqlite"):
        name = f"jay_elsewhere_{next(_numbers)}"
        url = new_postgres_database(request.getfixturevalue("postgres"), name)
    made = create_app(settings(url, tmp_path / "other", demo=True), clock=clock)
    yield made
    made.extensions["jay.db"].dispose()


def users(app: Flask) -> set[str]:
    with app.app_context(), db.reading() as connection:
        return set(connection.execute(select(baskets.c.user_id)).scalars())


@contextmanager
def writing(app: Flask) -> Iterator[list[str]]:
    """Let guests come all the time; yield those whose answer has arrived, once there are some."""
    answered: list[str] = []
    stop, some = threading.Event(), threading.Event()

    def write() -> None:
        demo = Platform(app.test_client(), "demo", "demo-basket-key")
        while not stop.is_set() and len(answered) < 250:
            answered.append(demo.guest(("demo-shop/de-DE/TEEW-MUG-07", 1)).id)
            if len(answered) >= BEFORE:
                some.set()

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        assert some.wait(PATIENCE_SECONDS)
        yield answered
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_what_was_answered_before_is_in_a_backup_while_others_write(
    used: Flask, typed: Run, elsewhere: Flask, tmp_path: Path
) -> None:
    file = tmp_path / "jay.backup"
    with writing(used) as answered:
        before = set(answered)
        result = typed("db", "backup", str(file))

    assert result.exit_code == 0, result.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.glob(".*")] == []
    restored = runner_of(elsewhere)("db", "restore", str(file))
    assert restored.exit_code == 0, restored.output
    assert before <= users(elsewhere) <= set(answered)
    assert runner_of(elsewhere)("partner", "list").exit_code == 0


@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
def test_postgresql_knows_its_tables_after_a_restore(
    typed: Run, elsewhere: Flask, tmp_path: Path
) -> None:
    file = tmp_path / "jay.backup"
    typed("db", "backup", str(file))

    assert runner_of(elsewhere)("db", "restore", str(file)).exit_code == 0

    with elsewhere.app_context(), db.reading() as connection:
        known = set(connection.execute(text("SELECT tablename FROM pg_stats")).scalars())
    assert {"products", "partners", "merchants"} <= known


def test_check_says_what_is_in_it_and_writes_nothing(typed: Run, tmp_path: Path) -> None:
    file = tmp_path / "jay.backup"
    typed("db", "backup", str(file))
    typed("partner", "add", "kino")

    result = typed("db", "restore", "--check", str(file))

    assert result.exit_code == 0
    assert "partners 1" in result.stderr
    assert "products " in result.stderr
    assert "kino" in typed("partner", "list").stdout


def test_a_database_with_data_is_left_alone_unless_told(typed: Run, tmp_path: Path) -> None:
    file = tmp_path / "jay.backup"
    typed("db", "backup", str(file))
    typed("partner", "add", "kino")

    refused = typed("db", "restore", str(file))
    assert (refused.exit_code, "--replace" in refused.stderr) == (1, True)
    assert "kino" in typed("partner", "list").stdout

    assert typed("db", "restore", "--replace", str(file)).exit_code == 0
    assert "kino" not in typed("partner", "list").stdout


def test_nothing_is_overwritten(typed: Run, tmp_path: Path) -> None:
    file = tmp_path / "letter"
    file.write_text("dear")

    result = typed("db", "backup", str(file))

    assert (result.exit_code, "is there already" in result.stderr) == (1, True)
    assert file.read_text() == "dear"
    assert typed("db", "backup", str(tmp_path / "nowhere" / "x")).exit_code == 1


def test_what_is_damaged_or_something_else_is_refused(typed: Run, tmp_path: Path) -> None:
    good, cut, text = (tmp_path / name for name in ("good", "cut", "text"))
    typed("db", "backup", str(good))
    content = good.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    text.write_text("no backup")

    for file in (cut, text, tmp_path / "nowhere"):
        result = typed("db", "restore", "--check", str(file))
        assert result.exit_code == 1, file
        assert len(result.stderr.strip().splitlines()) == 1
        assert typed("db", "restore", "--replace", str(file)).exit_code == 1
    assert "demo" in typed("partner", "list").stdout


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
def test_a_program_that_is_missing_is_named(
    program: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(backups, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(backups.BackupError, match=f"{program} .* postgresql-client"):
        backups._program(program)
