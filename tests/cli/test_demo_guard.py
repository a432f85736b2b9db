"""Demo data goes only where nothing was set up yet, or a demo was; and comes out again, wholly."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import inspect, select

from jay import db, make_ready
from jay.db.types import metadata
from tests.builders import Platform, add_platform, add_shop
from tests.cli.conftest import Run, runner_of
from tests.cli.test_demo import MakeApp, loaded
from tests.conftest import KEPT_TABLES
from tests.demo import flask_commands
from tests.servers import ROOT

LEFT_ALONE = KEPT_TABLES | {"readiness", "tries"}


def content(app: Flask) -> dict[str, list[Any]]:
    """Return all rows of all tables."""
    with app.app_context(), db.reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table))]
            for table in metadata.sorted_tables
            if table.name not in LEFT_ALONE
        }


SET_UP: dict[str, Callable[[Run], object]] = {
    "a partner": lambda run: run("partner", "add", "kino"),
    "a merchant": lambda run: run("merchant", "add", "mugshop"),
    "a removed partner": lambda run: (
        run("partner", "add", "kino"),
        run("partner", "remove", "kino", "--yes"),
    ),
}


@pytest.mark.parametrize("what", SET_UP)
def test_it_does_not_go_where_something_else_was_set_up(
    app: Flask, run: Run, demo_app: MakeApp, what: str
) -> None:
    SET_UP[what](run)
    before = content(app)

    result = runner_of(demo_app())("demo", "load")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "something else was set up" in result.stderr
    assert content(app) == before


def test_it_goes_where_a_demo_is_with_what_was_tried_out_there(demo_app: MakeApp) -> None:
    app = loaded(demo_app)
    runner_of(app)("partner", "add", "kino")

    assert runner_of(app)("demo", "load").exit_code == 0


def test_load_brings_a_new_database_up_to_date(empty_app: Flask) -> None:
    run = runner_of(empty_app)

    assert run("demo", "load", "--upgrade").exit_code == 0

    assert "demo" in run("partner", "list").stdout


def test_a_database_of_before_is_asked_before_it_is_brought_up_to_date(empty_app: Flask) -> None:
    run = runner_of(empty_app)
    run("db", "upgrade", "0012")
    with empty_app.app_context(), db.transaction() as connection:
        connection.exec_driver_sql(
            "INSERT INTO merchants (name, lang, country, currency, created)"
            " VALUES ('mugshop', 'de', 'DE', 'EUR', '2025-06-04 12:00:00+00:00')"
        )

    assert run("demo", "load", "--upgrade").exit_code == 1

    with empty_app.app_context():
        columns = inspect(db.database().engine).get_columns("partners")
    assert "country" not in {column["name"] for column in columns}


@pytest.mark.one_database
def test_make_run_stops_before_anything_is_done(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("JAY_")}
    environ |= {"JAY_DATA_DIR": str(tmp_path), "MAKEFLAGS": "--assume-old=.venv/run"}
    unset = {name: "" for name in os.environ if name.startswith("JAY_")}
    flask_commands({**unset, **environ}, ("db", "upgrade"), ("partner", "add", "kino"))

    made = subprocess.run(
        ["make", "run"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )

    assert made.returncode != 0
    assert "something else was set up" in made.stderr
    assert "Listening" not in made.stderr


# --- remove


def used(app: Flask) -> None:
    """Let somebody try the demo out."""
    demo = Platform(app.test_client(), "demo", "demo-basket-key")
    guest = demo.guest(("demo-shop/de-DE/TEEW-MUG-07", 1))
    guest.transfer()
    runner_of(app)("products", "want", "demo-shop", "MUG-9")


def test_it_comes_out_again_wholly(app: Flask, demo_app: MakeApp) -> None:
    before = content(app)
    demo = loaded(demo_app)
    used(demo)

    result = runner_of(demo)("demo", "remove", "--yes")

    assert (result.exit_code, result.stdout) == (0, "")
    assert content(app) == before
    assert make_ready(app) is app
    assert runner_of(demo)("demo", "remove", "--yes").exit_code == 1
    assert runner_of(demo)("demo", "load").exit_code == 0


def test_what_else_was_set_up_stays(app: Flask, run: Run, demo_app: MakeApp) -> None:
    kino = add_platform(app, app.test_client())
    shop = add_shop(app, app.test_client())
    kino.guest((shop.product(), 1))
    run("legal", "set", "imprint", "--lang", "fr", "--url", "https://operator.example")
    before = content(app)
    with_demo = demo_app()
    # As it may have come in before it was refused.
    monkey = pytest.MonkeyPatch()
    monkey.setattr("jay.ops.demo.is_at_home", lambda _connection: True)
    assert runner_of(with_demo)("demo", "load").exit_code == 0
    monkey.undo()
    used(with_demo)

    assert run("demo", "remove", "--yes").exit_code == 0

    assert content(app) == before


def test_remove_asks(app: Flask, demo_app: MakeApp) -> None:
    demo = loaded(demo_app)
    before = content(demo)

    result = demo.test_cli_runner().invoke(args=["demo", "remove"], input="n\n")

    assert result.exit_code == 1
    assert "Remove the demo data? [y/N]" in result.stderr
    assert "products and variants" in result.stderr
    assert content(demo) == before
