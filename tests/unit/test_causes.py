"""Why a database can't be used, in words for whoever can mend it."""

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jay.db.causes import cause_of
from jay.db.postgresql import WrongEncoding
from jay.errors import Busy
from tests.unit.test_outages import OUTAGES, of_state


def wrapped(error: BaseException) -> Busy:
    """Make what the doors raise of a driver's error."""
    busy = Busy()
    busy.__cause__ = OperationalError("SELECT 1", {}, error)
    return busy


STATES = {
    "28P01": "user name or the password",
    "3D000": "no database of that name",
    "53100": "disk of the server is full",
    "53300": "max_connections",
    "25006": "read-only",
    "57P03": "starting up",
    "55P03": "holds a lock",
    "58030": "read or write its files",
}


@pytest.mark.parametrize(("state", "words"), STATES.items())
def test_a_state_of_postgresql_has_its_words(state: str, words: str) -> None:
    assert words in (cause_of(wrapped(of_state(state))) or "")


SAID = {
    'connection failed: connection to server at "127.0.0.1", port 1 failed: Connection refused': (
        "nobody listens"
    ),
    "the host db.example was not found: Name or service not known": "not known to the name service",
    'FATAL:  password authentication failed for user "jay"': "the password",
    "fe_sendauth: no password supplied": "asks for a password",
    'FATAL:  role "nobody" does not exist': "no such user name",
    'FATAL:  database "none" does not exist': "no such user name or database",
    "FATAL:  the database system is starting up": "starting up",
    "FATAL:  sorry, too many clients already": "max_connections",
    "connection timeout expired": "does not answer",
    "the server has not answered in time": "does not answer",
    "server closed the connection unexpectedly": "broke off",
    'FATAL:  no pg_hba.conf entry for host "10.0.0.1"': "pg_hba.conf",
}


@pytest.mark.parametrize(("said", "words"), SAID.items())
def test_what_a_driver_says_without_a_state_has_its_words(said: str, words: str) -> None:
    assert words in (cause_of(wrapped(psycopg.OperationalError(said))) or "")


def test_a_cause_names_neither_hosts_nor_people() -> None:
    for said in SAID:
        told = cause_of(psycopg.OperationalError(said)) or ""
        assert not {"db.example", '"', "10.0.0.1", "127.0.0.1"} & set(told.split())


def opened(path: Path, sql: str, **options: Any) -> sqlite3.Error:
    connection = None
    try:
        connection = sqlite3.connect(path, **options)
        connection.execute(sql)
    except sqlite3.Error as error:
        return error
    finally:
        if connection is not None:
            connection.close()
    raise AssertionError("it can be used")


def test_what_is_wrong_with_a_file_has_its_words(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database " * 99)

    nowhere = opened(tmp_path / "no" / "folder", "SELECT 1")
    other = opened(tmp_path / "text", "SELECT * FROM sqlite_master")

    assert "folder is missing" in (cause_of(wrapped(nowhere)) or "")
    assert "no SQLite database" in (cause_of(wrapped(other)) or "")


def test_others_have_words_too_or_none() -> None:
    assert cause_of(None) is cause_of(Busy()) is cause_of(ValueError("secret")) is None
    assert cause_of(PoolTimeoutError()) == "all connections of this process are in use"
    assert "SQL_ASCII" in (cause_of(wrapped(WrongEncoding("SQL_ASCII"))) or "")
    assert "No space left" in (cause_of(OSError(28, "No space left on device")) or "")
    assert all(cause_of(of_state(state)) or state[:2] in _VAGUE for state in OUTAGES.split())


_VAGUE = {"08", "26", "53", "55", "57", "F0", "HV", "XX", "25"}
"""Classes some of whose members say nothing that an operator could mend."""
