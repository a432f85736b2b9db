"""Which errors of a database say that it can't serve at the moment, and which that we are wrong.

PostgreSQL's are sorted by the class of their SQLSTATE (its manual, appendix A), SQLite's by their
primary result code: an error that nobody has thought of still falls into a class that is known.
"""

import sqlite3

import psycopg
from sqlalchemy.exc import SQLAlchemyError

DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error, psycopg.Error)
"""What goes wrong in a database: drivers tell it themselves where SQLAlchemy is not asked."""

OUTAGE_CLASSES = {
    "08",  # connection exception
    "28",  # invalid authorization: the password has changed, or the server's rules
    "3D",  # invalid catalog name: the database is away, for example while it is restored
    "40",  # transaction rollback: serialization failure, deadlock
    "53",  # insufficient resources: disk full, out of memory, too many connections
    "55",  # object not in prerequisite state: lock not available, object in use
    "57",  # operator intervention: cancelled by a timeout, shutting down, starting up
    "58",  # system error: I/O error, a file is away
    "F0",  # configuration file error
    "HV",  # foreign data wrapper error: another server that stands behind this one
    "XX",  # internal error, data corrupted
}
OUTAGE_CODES = {
    "25006",  # read only transaction: demoted to a standby, or its disk is full (managed servers)
    "25P03",  # idle in transaction for too long
    "25P04",  # transaction for too long
    "26000",  # a prepared statement is away: something between us and the server has reset it
}
"""Classes 25 (transaction state) and 26 are faults of ours, but for these."""

ELSEWHERE_CLASSES = {"08", "28", "3D"}
ELSEWHERE_CODES = {"25006", "26000", "57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"}
"""After these a new connection may lead to another server, this one never again."""

SQLITE_OUTAGES = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_SCHEMA,
    sqlite3.SQLITE_NOLFS,
    sqlite3.SQLITE_NOTADB,
}
_PRIMARY = 0xFF  # the lower byte of a result code is its kind; what is above it says why

_BROKEN = psycopg.OperationalError | psycopg.InterfaceError | psycopg.InternalError
"""What the driver raises by itself. InternalError: a server that ends while it commits says both
that it has committed and that it ends, two answers to one question."""

READ_ONLY = "25006"
_CHANGED_PLAN = "cached plan must not change result type"


def is_outage(error: BaseException | None) -> bool:
    """Tell whether it is the database that can't serve: trying again later may help."""
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is None:
            # No connection could be made, or it broke; maybe between two parts of an answer.
            return isinstance(error, _BROKEN)
        return state[:2] in OUTAGE_CLASSES or state in OUTAGE_CODES or _changed_plan(error)
    return isinstance(error, sqlite3.Error) and primary_code(error) in SQLITE_OUTAGES


def is_read_only(error: BaseException | None) -> bool:
    """Tell whether it was refused because nothing can be written through this connection."""
    if isinstance(error, psycopg.Error):
        return error.sqlstate == READ_ONLY
    return isinstance(error, sqlite3.Error) and primary_code(error) == sqlite3.SQLITE_READONLY


def is_undone(error: BaseException | None) -> bool:
    """Tell whether the database has undone a transaction in favour of another one (class 40)."""
    return isinstance(error, psycopg.Error) and (error.sqlstate or "").startswith("40")


def breaks_off(error: BaseException | None) -> bool:
    """Tell whether the server has gone without saying what became of what it was asked.

    SQLite is in the process itself: where it fails to commit, nothing is written.
    """
    if not isinstance(error, psycopg.Error):
        return False
    state = error.sqlstate
    return state is None or state[:2] == "08" or state[:4] == "57P0"


def leads_nowhere(error: BaseException | None) -> bool:
    """Tell whether connections that are open should be given up, and made anew."""
    if isinstance(error, psycopg.Error):
        state = error.sqlstate
        if state is None:
            return is_outage(error)
        elsewhere = state[:2] in ELSEWHERE_CLASSES or state in ELSEWHERE_CODES
        return elsewhere or _changed_plan(error)
    # The file may have been moved away, and another one be in its place.
    return is_read_only(error)


def _changed_plan(error: psycopg.Error) -> bool:
    # A table was changed by an upgrade since this connection has prepared the statement.
    return error.sqlstate == "0A000" and _CHANGED_PLAN in str(error)


def primary_code(error: sqlite3.Error) -> int | None:
    """Return the kind of one of SQLite's errors, without its more precise part."""
    # Errors of the module itself, such as of a closed connection, have none.
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & _PRIMARY
