"""Commands on a database that can't serve them yet."""

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from jay import create_app, make_ready
from jay.config import ConfigError, settings_from
from tests.cli.conftest import runner_of
from tests.conftest import settings

ON_POSTGRESQL = pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
COMMANDS = (
    ("partner", "add", "kino"),
    ("merchant", "add", "shop", "--lang", "de", "--country", "DE", "--currency", "EUR"),
    ("key", "list"),
    ("guest-key", "list"),
    ("baskets", "purge"),
    ("legal", "list"),  # the driver itself tells of it, not SQLAlchemy
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_before_the_first_upgrade_says_what_to_run(
    words: tuple[str, ...], empty_database_url: str, tmp_path: Path
) -> None:
    app = create_app(settings(empty_database_url, tmp_path))

    result = runner_of(app)(*words)

    assert result.exit_code == 1
    assert "run: flask --app app db upgrade" in result.output
    app.extensions["jay.db"].dispose()


def test_a_database_that_does_not_answer_is_named_without_a_traceback(tmp_path: Path) -> None:
    app = create_app(settings(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite3'}", tmp_path))

    result = runner_of(app)("key", "list")

    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "The cause: the file can't be opened" in result.output
    app.extensions["jay.db"].dispose()


def test_a_start_without_a_server_says_so_in_one_sentence(tmp_path: Path) -> None:
    app = create_app(settings("postgresql+psycopg://jay@127.0.0.1:1/jay", tmp_path))

    with pytest.raises(ConfigError) as raised:
        make_ready(app)

    assert str(raised.value).startswith("Cannot start: the database can't be used: nobody listens")


def test_a_data_directory_that_can_not_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()

    with pytest.raises(ConfigError) as raised:
        settings_from({"JAY_DATA_DIR": str(tmp_path / "taken")})

    assert "taken can't be used (a file has its name)" in str(raised.value)


@ON_POSTGRESQL
def test_a_database_that_can_not_hold_every_name_is_refused(
    empty_database_url: str, tmp_path: Path
) -> None:
    server = create_engine(empty_database_url, isolation_level="AUTOCOMMIT")
    url = make_url(empty_database_url).set(database="ascii_only")
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS ascii_only"))
        connection.execute(
            text("CREATE DATABASE ascii_only ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
        )
    server.dispose()
    app = create_app(settings(url.render_as_string(hide_password=False), tmp_path))

    result = runner_of(app)("db", "upgrade")

    assert result.exit_code == 1
    assert "its encoding is SQL_ASCII: it has to be made with ENCODING 'UTF8'" in result.output
