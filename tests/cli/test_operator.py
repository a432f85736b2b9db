"""``flask operator``: accounts for people who look behind the service."""

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from jay import db
from jay.operators.models import operators
from tests.builders import add_shop
from tests.cli.conftest import Run
from tests.clock import PATIENCE_SECONDS, MovedClock
from tests.conftest import migrated
from tests.demo import flask_command
from tests.depth import is_deep
from tests.servers import ROOT

PASSWORD = "correct horse battery"
OTHER = "a quite different password"


@pytest.fixture
def type_in(app: Flask) -> Run:
    """Commands that read a password: ``type_in(PASSWORD, "operator", "add", "olga")``."""

    def run(typed: str, *words: str) -> object:
        result = app.test_cli_runner().invoke(args=list(words), input=typed)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    return run


def hashes(app: Flask) -> dict[str, str]:
    query = select(operators.c.name, operators.c.password_hash)
    with app.app_context(), db.reading() as connection:
        return {row.name: row.password_hash for row in connection.execute(query)}


def opens(app: Flask, name: str, password: str) -> bool:
    """Log in as people do."""
    client = app.test_client()
    form = client.get("/login").get_data(as_text=True)
    csrf = form.split('name="csrf" value="')[1].split('"')[0]
    client.post("/login", data={"csrf": csrf, "name": name, "password": password})
    return client.get("/catalogue").status_code == 200


def test_an_account_is_made_and_opens_the_catalogue(app: Flask, type_in: Run) -> None:
    result = type_in(PASSWORD + "\n", "operator", "add", "olga")

    assert result.exit_code == 0
    assert "/catalogue" in result.stderr
    assert opens(app, "olga", PASSWORD)


@pytest.mark.usefixtures("real_passwords")
def test_what_is_stored_is_slow_salted_and_not_the_password(app: Flask, type_in: Run) -> None:
    for name in ("olga", "otto"):
        type_in(PASSWORD, "operator", "add", name)

    stored = hashes(app)

    assert all(each.startswith("scrypt:32768:8:3$") for each in stored.values())
    assert stored["olga"] != stored["otto"]
    assert PASSWORD not in str(stored)


@pytest.mark.parametrize("typed", ["", "\n", "short", "eleven char", "x" * 1025, "\0" * 12])
def test_a_password_that_is_none_makes_no_account(typed: str, app: Flask, type_in: Run) -> None:
    result = type_in(typed, "operator", "add", "olga")

    assert result.exit_code == 1
    assert "A password" in result.stderr
    assert typed.strip() == "" or typed not in result.output
    assert hashes(app) == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose database has its tables, for commands in processes of their own."""
    made: Path = tmp_path_factory.mktemp("operators")
    migrated(f"sqlite:///{made / 'jay.sqlite3'}")
    return made


# All other tests run with UTF-8, and POSIX is another name of C.
@pytest.mark.parametrize("locale", ["C.UTF-8", "C", "POSIX"] if is_deep() else ["C"])
def test_a_password_is_utf_8_whatever_the_locale(locale: str, folder: Path) -> None:
    environ = {
        "JAY_DATA_DIR": str(folder),
        "JAY_DEMO": "",
        "JAY_DATABASE_URL": "",
        "LC_ALL": locale,
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }

    def add(name: str, typed: bytes) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "flask", "--app", "app", "operator", "add", name],
            cwd=ROOT,
            env={**os.environ, **environ},
            input=typed,
            capture_output=True,
            check=False,
        )

    latin = add("latin", "grüne Kürbisse".encode("latin-1"))
    # 10 letters in 12 bytes, and 14 letters: what counts is letters.
    short = add("short", "grüne Kürb".encode())
    long = add("long-" + locale.lower().replace(".", "-"), "grüne Kürbisse".encode())

    assert (latin.returncode, latin.stderr) == (1, b"Error: A password is written in UTF-8.\n")
    assert (short.returncode, long.returncode) == (1, 0)


def test_the_password_is_nowhere_in_the_output(type_in: Run) -> None:
    result = type_in(PASSWORD, "operator", "add", "olga")

    assert PASSWORD not in result.output


@pytest.mark.parametrize("name", ["", "Olga", "olga hansen", "olga@jay.example", "o" * 41])
def test_a_name_is_short_and_plain(name: str, app: Flask, type_in: Run) -> None:
    result = type_in(PASSWORD, "operator", "add", name)

    assert result.exit_code == 2
    assert "lower case letters" in result.stderr
    assert hashes(app) == {}


def test_a_name_is_given_once(app: Flask, type_in: Run) -> None:
    type_in(PASSWORD, "operator", "add", "olga")
    before = hashes(app)

    result = type_in(OTHER, "operator", "add", "olga")

    assert result.exit_code == 1
    assert "already" in result.stderr
    assert hashes(app) == before


def test_a_merchant_that_there_is_not_makes_no_account(app: Flask, type_in: Run) -> None:
    result = type_in(PASSWORD, "operator", "add", "olga", "--merchant", "nobody")

    assert result.exit_code == 1
    assert "no merchant 'nobody'" in result.stderr
    assert hashes(app) == {}


def test_the_list_tells_what_each_account_sees(app: Flask, type_in: Run, run: Run) -> None:
    add_shop(app, app.test_client())
    type_in(PASSWORD, "operator", "add", "otto", "--merchant", "mugshop")
    type_in(PASSWORD, "operator", "add", "olga")

    lines = run("operator", "list").stdout.splitlines()

    assert [line.split()[0] for line in lines] == ["NAME", "olga", "otto"]
    assert "all merchants" in lines[1]
    assert "merchant mugshop" in lines[2]
    assert "2025-06-04 12:00" in lines[1]
    assert "scrypt" not in str(lines)


def test_another_password_replaces_the_one_before(app: Flask, type_in: Run) -> None:
    type_in(PASSWORD, "operator", "add", "olga")

    result = type_in(OTHER, "operator", "password", "olga")

    assert result.exit_code == 0
    assert not opens(app, "olga", PASSWORD)
    assert opens(app, "olga", OTHER)


def test_a_short_password_changes_nothing(app: Flask, type_in: Run) -> None:
    type_in(PASSWORD, "operator", "add", "olga")
    before = hashes(app)

    assert type_in("short", "operator", "password", "olga").exit_code == 1

    assert hashes(app) == before


def test_a_removed_account_opens_nothing(app: Flask, type_in: Run, run: Run) -> None:
    type_in(PASSWORD, "operator", "add", "olga")

    assert run("operator", "remove", "olga").exit_code == 0

    assert not opens(app, "olga", PASSWORD)
    assert hashes(app) == {}


@pytest.mark.parametrize("command", ["password", "remove"])
def test_an_unknown_account_is_said_to_be_none(command: str, type_in: Run) -> None:
    result = type_in(PASSWORD, "operator", command, "nobody")

    assert result.exit_code == 1
    assert "no operator 'nobody'" in result.stderr


def test_the_daily_purge_takes_ended_sessions_and_no_others(
    app: Flask, type_in: Run, run: Run, clock: MovedClock
) -> None:
    type_in(PASSWORD, "operator", "add", "olga")
    assert opens(app, "olga", PASSWORD)

    clock.move(12 * 3600 - 1)
    assert "logins: 0" in run("baskets", "purge").stdout
    clock.move(1)
    assert "logins: 1" in run("baskets", "purge").stdout


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(folder: Path) -> None:
    environ = {"JAY_DATA_DIR": str(folder), "JAY_DEMO": "", "JAY_DATABASE_URL": ""}
    ours, theirs = pty.openpty()
    with contextlib.ExitStack() as until_it_ends:
        command = until_it_ends.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "flask", "--app", "app", "operator", "add", "olga"],
                cwd=ROOT,
                env={**os.environ, **environ},
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
        )
        until_it_ends.callback(os.close, ours)  # nobody waits for a terminal that is gone
        os.close(theirs)
        shown = b""
        for question in (b"Password: ", b"Repeat for confirmation: "):
            while question not in shown:
                shown += os.read(ours, 1024)
            os.write(ours, PASSWORD.encode() + b"\n")
        while b"/catalogue" not in shown:
            shown += os.read(ours, 1024)
        assert command.wait(PATIENCE_SECONDS) == 0

    assert PASSWORD.encode() not in shown
    assert "olga" in flask_command(environ, "operator", "list")
