"""``--help``: each command says what it does, and what each of its options means."""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask

from jay import create_app
from tests.conftest import settings

ALONE = ["worker"]
"""What is no part of a group: the one command that runs all day."""


@pytest.fixture(scope="module")
def plain_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An app whose database is never opened: help needs none."""
    folder: Path = tmp_path_factory.mktemp("help")
    return create_app(settings(f"sqlite:///{folder / 'jay.sqlite3'}", folder))


def every(app: Flask) -> dict[str, click.Command]:
    """Return what can be typed first, by its name."""
    context = click.Context(app.cli)
    found = {name: app.cli.get_command(context, name) for name in app.cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}


def groups(app: Flask) -> dict[str, click.Group]:
    """Return our groups of commands; ``openapi`` is one that flask-smorest brings along."""
    return {
        name: group
        for name, group in every(app).items()
        if isinstance(group, click.Group) and name != "openapi"
    }


def commands(app: Flask) -> Iterator[tuple[str, click.Command]]:
    """Yield each of our commands with its name, such as ``key issue``."""
    for name in ALONE:
        yield name, every(app)[name]
    for group_name, group in groups(app).items():
        for name, command in group.commands.items():
            yield f"{group_name} {name}", command


def helped(app: Flask, words: str) -> str:
    result = app.test_cli_runner().invoke(args=[*words.split(), "--help"])
    assert result.exit_code == 0
    return flat(result.stdout)


def flat(text: str) -> str:
    """Undo line breaks, which also come behind a hyphen."""
    return " ".join(text.split()).replace("- ", "-")


def test_every_other_command_belongs_to_a_group(plain_app: Flask) -> None:
    lone = [name for name, it in every(plain_app).items() if not isinstance(it, click.Group)]

    assert lone == ALONE


def test_a_group_says_what_it_is_about_and_lists_its_commands(plain_app: Flask) -> None:
    for name, group in groups(plain_app).items():
        text = helped(plain_app, name)
        assert group.help, name
        assert flat(group.help) in text
        assert [command for command in group.commands if command not in text] == []


def test_a_command_says_what_it_does_in_one_sentence(plain_app: Flask) -> None:
    for name, command in commands(plain_app):
        first_line = command.help.splitlines()[0]
        assert first_line.endswith((".", ".)")), name
        assert first_line in helped(plain_app, name)


def test_every_option_says_what_it_means(plain_app: Flask) -> None:
    for name, command in commands(plain_app):
        text = helped(plain_app, name)
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, f"{name} {option.opts[0]}"
                assert flat(option.help) in text


def test_every_argument_is_mentioned(plain_app: Flask) -> None:
    for name, command in commands(plain_app):
        for argument in command.params:
            if isinstance(argument, click.Argument):
                metavar = argument.make_metavar(click.Context(command)).strip("[].")
                assert metavar in command.help, name


@pytest.mark.parametrize(
    "words", [("partner",), ("key", "nonsense"), ("key", "issue", "--nonsense")]
)
def test_a_wrong_command_is_an_error(plain_app: Flask, words: tuple[str, ...]) -> None:
    assert plain_app.test_cli_runner().invoke(args=list(words)).exit_code == 2
