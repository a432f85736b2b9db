"""Commands on a database that can't serve them yet."""

from pathlib import Path

import pytest

from jay import create_app
from tests.cli.conftest import runner_of
from tests.conftest import settings

COMMANDS = (
    ("partner", "add", "kino"),
    ("merchant", "add", "shop", "--lang", "de", "--country", "DE", "--currency", "EUR"),
    ("key", "list"),
    ("guest-key", "list"),
    ("baskets", "purge"),
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
    app.extensions["jay.db"].dispose()
