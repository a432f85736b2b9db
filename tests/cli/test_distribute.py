"""``flask db distribute`` on a database of one server; the rest is in the tests of its plan."""

from flask import Flask

from tests.cli.conftest import Run


def test_a_database_without_citus_says_so_in_one_line(app: Flask, run: Run) -> None:
    result = run("db", "distribute")

    sqlite = app.extensions["jay.db"].is_sqlite
    why = "SQLite is one file" if sqlite else "this database has no Citus: CREATE EXTENSION citus"
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: Nothing was distributed: {why}")
    assert result.output.count("\n") == 1
