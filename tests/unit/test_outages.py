"""Which errors of a database are outages (503), and which are faults of ours (500)."""

import sqlite3

import psycopg
import pytest

from jay.db.outages import breaks_off, is_outage, is_read_only, is_undone, leads_nowhere


def of_state(sqlstate: str, message: str = "") -> psycopg.Error:
    """Make the error that psycopg raises for a SQLSTATE, whether it knows its name or not."""
    try:
        found = psycopg.errors.lookup(sqlstate)
    except KeyError:
        found = type("Unknown", (psycopg.DatabaseError,), {"sqlstate": sqlstate})
    return found(message)


OUTAGES = """
    08000 08001 08003 08006 08P01 28000 28P01 3D000 40000 40001 40003 40P01 53000 53100 53200 53300
    53400 53999 55000 55006 55P03 57000 57014 57P01 57P02 57P03 57P04 57P05 57999 58000 58030 58P01
    F0000 F0001 HV000 HV00N XX000 XX001 XX002 25006 25P03 25P04 26000
"""
FAULTS = """
    0A000 21000 22001 22003 22P02 22P05 23502 23503 23505 23514 25001 25P01 25P02 34000 42501 42601
    42703 42P01 42P07 54000 54001 P0001
"""
ELSEWHERE = "08006 25006 57P01 57P02 57P03 57P05 26000 28P01"
STAYS = "40001 40P01 53100 53300 55P03 57014 58030 23505 42P01"


@pytest.mark.parametrize("sqlstate", OUTAGES.split())
def test_what_trying_again_may_help_with_is_an_outage(sqlstate: str) -> None:
    assert is_outage(of_state(sqlstate))


@pytest.mark.parametrize("sqlstate", FAULTS.split())
def test_what_is_wrong_with_a_statement_is_a_fault(sqlstate: str) -> None:
    assert not is_outage(of_state(sqlstate))


@pytest.mark.parametrize("sqlstate", ELSEWHERE.split())
def test_connections_to_a_server_that_serves_no_more_are_given_up(sqlstate: str) -> None:
    assert leads_nowhere(of_state(sqlstate))


@pytest.mark.parametrize("sqlstate", STAYS.split())
def test_connections_to_a_server_that_is_only_busy_are_kept(sqlstate: str) -> None:
    assert not leads_nowhere(of_state(sqlstate))


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.InterfaceError("server closed the connection unexpectedly"),
        psycopg.InternalError("received 2 results from command 'COMMIT'"),
    ],
)
def test_a_broken_connection_is_an_outage(error: psycopg.Error) -> None:
    assert (is_outage(error), leads_nowhere(error), breaks_off(error)) == (True, True, True)


def test_a_statement_whose_table_was_changed_by_an_upgrade_is_prepared_anew() -> None:
    error = of_state("0A000", "cached plan must not change result type")

    assert (is_outage(error), leads_nowhere(error)) == (True, True)


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_who_gave_way_to_another_transaction_was_undone(sqlstate: str) -> None:
    assert is_undone(of_state(sqlstate))
    assert not is_undone(of_state("55P03"))


def of_code(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_BUSY_SNAPSHOT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_READONLY_DBMOVED,
        sqlite3.SQLITE_CANTOPEN_ISDIR,
        sqlite3.SQLITE_CORRUPT_VTAB,
        sqlite3.SQLITE_NOTADB,
    ],
)
def test_what_sqlite_can_not_do_at_the_moment_is_an_outage(code: int) -> None:
    assert is_outage(of_code(code))


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_MISUSE]
)
def test_what_sqlite_refuses_is_a_fault(code: int) -> None:
    assert not is_outage(of_code(code))


def test_nothing_can_be_written_is_told_alike_by_both() -> None:
    assert is_read_only(of_state("25006"))
    assert is_read_only(of_code(sqlite3.SQLITE_READONLY_DBMOVED))
    assert not is_read_only(of_code(sqlite3.SQLITE_FULL))


def test_errors_of_others_are_no_outages() -> None:
    assert not is_outage(None)
    assert not is_outage(ValueError("database is locked"))
    assert not is_outage(sqlite3.ProgrammingError("Cannot operate on a closed database."))
