"""``flask db upgrade`` and the migrations behind it."""

from pathlib import Path
from typing import Any

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import func, inspect, select

from jay import create_app, db, make_ready
from jay.config import ConfigError
from jay.db.database import Database
from jay.db.types import metadata
from jay.ops import revision
from jay.ops.cli import alembic_config
from tests.builders import add_platform, add_shop
from tests.cli.conftest import runner_of
from tests.clock import MovedClock
from tests.conftest import Copies, new_postgres_database, settings


def tables(url: str) -> set[str]:
    database = Database(url)
    try:
        return set(inspect(database.engine).get_table_names())
    finally:
        database.dispose()


def differences(url: str) -> list[Any]:
    """Return what Alembic would change to bring the database to the metadata."""
    database = Database(url)
    try:
        with database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return compare_metadata(context, metadata)
    finally:
        database.dispose()


def test_upgrade_makes_every_table_of_an_empty_database(
    empty_app: Flask, empty_database_url: str
) -> None:
    result = runner_of(empty_app)("db", "upgrade")

    assert result.exit_code == 0
    assert tables(empty_database_url) == {*metadata.tables, "alembic_version"}


def test_upgrading_again_changes_nothing(new_app: Flask) -> None:
    run = runner_of(new_app)
    run("demo", "load")
    before = content(new_app)

    assert run("db", "upgrade").exit_code == 0

    assert content(new_app) == before


def test_upgrade_makes_the_data_directory(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    app = create_app(settings(f"sqlite:///{folder / 'jay.sqlite3'}", folder))

    assert runner_of(app)("db", "upgrade", "0001").exit_code == 0

    app.extensions["jay.db"].dispose()
    assert folder.is_dir()


def test_the_migrated_schema_is_the_one_of_the_code(new_database_url: str) -> None:
    assert differences(new_database_url) == []


def test_the_migrated_schema_has_the_defaults_and_checks_of_the_code(
    new_app: Flask, new_database_url: str, copies: Copies
) -> None:
    # What compare_metadata does not look at: the same questions to a database made from the code.
    kind = new_app.extensions["jay.db"].url.get_backend_name()
    from_code = Database(copies.of(None, kind))
    with from_code.transaction() as connection:
        metadata.create_all(connection)
    from_code.dispose()

    assert described(new_database_url) == described(str(from_code.url))


def described(url: str) -> dict[str, Any]:
    database = Database(url)
    try:
        about = inspect(database.engine)
        return {
            table: {
                "columns": {
                    column["name"]: (str(column["type"]), column["nullable"], column["default"])
                    for column in about.get_columns(table)
                },
                "checks": sorted(
                    (check["name"], check["sqltext"])
                    for check in about.get_check_constraints(table)
                ),
                "unique": sorted(
                    (unique["name"], tuple(unique["column_names"]))
                    for unique in about.get_unique_constraints(table)
                ),
                "indexes": sorted(
                    (index["name"], tuple(index["column_names"]), bool(index["unique"]))
                    for index in about.get_indexes(table)
                ),
                "foreign": sorted(
                    (key["name"], key["referred_table"], str(key["options"]))
                    for key in about.get_foreign_keys(table)
                ),
                "primary": about.get_pk_constraint(table)["constrained_columns"],
            }
            for table in metadata.tables
        }
    finally:
        database.dispose()


def content(app: Flask) -> dict[str, int]:
    """Count the rows of each table."""
    with app.app_context(), db.reading() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
        }


def test_a_filled_database_can_be_downgraded_and_upgraded(
    new_app: Flask, new_database_url: str
) -> None:
    run = runner_of(new_app)
    run("demo", "load")
    make_ready(new_app)
    client = new_app.test_client()
    mug = add_shop(new_app, client).product("mug")
    guest = add_platform(new_app, client).guest((mug, 2))
    guest.transfer()
    client.get("/kiosk")
    client.post("/code", data={"user_code": "AAAAAAAA"})
    filled = content(new_app)
    assert min(filled[name] for name in ("baskets", "products", "transfers", "signing_keys")) > 0

    alembic.command.downgrade(alembic_config(new_database_url), "base")
    assert tables(new_database_url) <= {"alembic_version"}

    assert run("db", "upgrade").exit_code == 0
    assert differences(new_database_url) == []
    assert sum(content(new_app).values()) == 0


def test_the_database_can_be_upgraded_to_a_certain_revision(
    empty_app: Flask, empty_database_url: str
) -> None:
    assert runner_of(empty_app)("db", "upgrade", "0001").exit_code == 0
    assert "baskets" in tables(empty_database_url)


def test_a_password_with_special_characters_survives(
    postgres: str, tmp_path: Path, clock: MovedClock
) -> None:
    # Alembic's own configuration would read a percent sign as the start of a reference.
    url = new_postgres_database(postgres, "jay_cli_password").replace("jay@", "jay:p%40s%25s@")
    app = create_app(settings(url, tmp_path), clock=clock)

    assert runner_of(app)("db", "upgrade", "0001").exit_code == 0

    app.extensions["jay.db"].dispose()
    assert "baskets" in tables(url)


def test_an_older_schema_is_noticed_at_start_by_readiness_and_by_the_worker(
    new_app: Flask, new_database_url: str
) -> None:
    run, client = runner_of(new_app), new_app.test_client()
    assert client.get("/readyz").status_code == 200
    make_ready(new_app)

    alembic.command.downgrade(alembic_config(new_database_url), "-1")

    assert client.get("/readyz").status_code == 503
    assert "db upgrade" in client.get("/readyz").text
    with pytest.raises(ConfigError, match="db upgrade"):
        make_ready(new_app)
    result = run("worker")
    assert (result.exit_code, "db upgrade" in result.stderr) == (1, True)


def test_migrations_are_numbered_in_their_order() -> None:
    scripts = ScriptDirectory.from_config(alembic_config(""))

    assert revision._known() == tuple(script.revision for script in scripts.walk_revisions())


def test_a_newer_schema_does_not_stop_the_old_program(new_app: Flask) -> None:
    with new_app.app_context(), db.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    make_ready(new_app)

    assert new_app.test_client().get("/readyz").status_code == 200
