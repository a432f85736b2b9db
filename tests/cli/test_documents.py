"""What the documents name is there: commands with their options, variables, programs and pages."""

import re
import shlex
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click
import pytest
from flask import Flask

from jay import config, create_app
from tests.conftest import settings
from tests.servers import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> click.Group:
    """The commands of an app whose database is never opened."""
    folder = tmp_path_factory.mktemp("documents")
    app: Flask = create_app(settings(f"sqlite:///{folder / 'jay.sqlite3'}", folder))
    app.cli.list_commands(click.Context(app.cli))  # loads them
    return app.cli


def called_in(text: str, cli: click.Group) -> Iterator[str]:
    """Yield what a document tells to run, without what stands before the command's group."""
    text = text.replace("\\\n", " ")
    for found in re.finditer(r"flask\s+(?:--app\s+app\s+)?([a-z][^`\n]*)", text):
        yield found[1]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for found in re.finditer(r"`(?P<group>[a-z-]+)\s[^`]+`", prose):
        if found["group"] in cli.commands:
            yield " ".join(found[0].strip("`").split())


def what_is_not_there(line: str, cli: click.Group) -> str | None:
    """Say what of a command line there is not; ``list|show`` stands for several commands."""
    words = [word for word in shlex.split(line, comments=True) if word not in {"...", ">"}]
    command: click.Command = cli
    while isinstance(command, click.Group) and words:
        names = words.pop(0).split("|")
        if unknown := [name for name in names if name not in command.commands]:
            return f"{line}: no {', '.join(unknown)}"
        command = command.commands[names[0]]
    known = chain.from_iterable([*one.opts, *one.secondary_opts] for one in command.params)
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    unknown = sorted(given - {*known, "--help"})
    return f"{line}: no {', '.join(unknown)}" if unknown else None


@every_document
def test_every_command_is_there_with_its_options(document: Path, cli: click.Group) -> None:
    lines = set(called_in(document.read_text(), cli))

    assert [wrong for line in sorted(lines) if (wrong := what_is_not_there(line, cli))] == []


def test_a_wrong_command_is_noticed(cli: click.Group) -> None:
    for line in ("partner nonsense", "partner add kino --nonsense", "partner list|nonsense"):
        assert what_is_not_there(line, cli)
    for line in ("partner add kino --issuer x  # a comment", "partner list|show NAME", "worker"):
        assert what_is_not_there(line, cli) is None
    told = "`partner\nnonsense` and\n\n    flask --app app partner \\\n  nonsense\n"
    assert [*called_in(told, cli)] == ["partner    nonsense", "partner nonsense"]


@every_document
def test_every_program_and_document_is_there(document: Path) -> None:
    text = document.read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"(?:`|^ {4,}|\$ )make ([a-z-]+)", text, re.MULTILINE))
    assert named - targets == set()
    modules = sorted(set(re.findall(r"python -m (tests\.[\w.]+\w)", text)))
    places = [ROOT / module.replace(".", "/") for module in modules]
    there = [place.is_dir() or place.with_suffix(".py").exists() for place in places]
    assert all(there), modules
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    assert [link for link in links if not (document.parent / link).exists()] == []
    files = set(
        re.findall(r"`((?:jay|tests|deploy|migrations|templates|static)/[\w./-]+\w)`", text)
    )
    assert [file for file in sorted(files) if not (ROOT / file).exists()] == []


def test_every_variable_is_in_the_readme_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: set[str] = set()

    class Spy(config._Variables):
        def misspelt(self) -> list[str]:
            asked.update(self._asked)
            return super().misspelt()

    monkeypatch.setattr(config, "_Variables", Spy)
    config.settings_from({"JAY_DATA_DIR": str(tmp_path)})

    named = set(re.findall(r"`(JAY_[A-Z_]+|PORT|WEB_CONCURRENCY)", DOCUMENTS[0].read_text()))
    assert named - {f"{name}_FILE" for name in asked} == asked
    everywhere = set(re.findall(r"\bJAY_[A-Z_]*[A-Z]\b", "".join(d.read_text() for d in DOCUMENTS)))
    for_tests = {"JAY_TESTS_DATABASE_URL"}
    stripe = {"JAY_STRIPE_TEST", "JAY_STRIPE"}  # JAY_STRIPE_TEST_..., as a whole
    assert everywhere - asked - {f"{name}_FILE" for name in asked} <= for_tests | stripe
