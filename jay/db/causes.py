"""Why a database can't be used, in a sentence for whoever can mend it: without names or secrets."""

import sqlite3
from collections.abc import Iterator

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from jay.db.outages import primary_code
from jay.db.postgresql import WrongEncoding

_BY_STATE = {
    "25006": "it is read-only: a standby, or a server whose disk is full",
    "28": "the server refuses the user name or the password",
    "3D": "the server has no database of that name",
    "40": "other transactions were in the way, again and again",
    "53100": "the disk of the server is full",
    "53200": "the server has no memory left",
    "53300": "the server accepts no more connections (max_connections)",
    "55P03": "another process holds a lock, and does not let it go",
    "57014": "a statement took too long, or was cancelled",
    "57P": "the server is starting up or shutting down",
    "58": "the server can't read or write its files",
}
"""By the beginning of the SQLSTATE (PostgreSQL's manual, appendix A); the longest one counts."""

_BY_WORDS = {
    "was not found": "the host in JAY_DATABASE_URL is not known to the name service",
    "refused": "nobody listens at that host and port; perhaps the server does not run",
    "no such file": "there is no server behind that socket; perhaps it does not run",
    "does not exist": "the server knows no such user name or database",
    "authentication failed": _BY_STATE["28"],
    "no password": "the server asks for a password, and JAY_DATABASE_URL has none",
    "pg_hba": "the server's rules (pg_hba.conf) let nobody in from here",
    "too many clients": _BY_STATE["53300"],
    "remaining connection slots": _BY_STATE["53300"],
    "starting up": _BY_STATE["57P"],
    "shutting down": _BY_STATE["57P"],
    "timeout": "the server does not answer",
    "timed out": "the server does not answer",
    "not answered": "the server does not answer",
    "unreachable": "there is no way to the server in the network",
    "closed the connection": "the server broke off",
    "certificate": "the server's certificate is not the one to be expected",
}
"""Where no connection was made there is no SQLSTATE, only what the driver or the server says."""

_SQLITE = {
    sqlite3.SQLITE_BUSY: "another process holds the file's write lock",
    sqlite3.SQLITE_LOCKED: "another process holds the file's write lock",
    sqlite3.SQLITE_CANTOPEN: "the file can't be opened: its folder is missing, or closed to us",
    sqlite3.SQLITE_PERM: "the file may not be opened by this user",
    sqlite3.SQLITE_READONLY: "the file, or its folder, can't be written by this user",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk can't be read or written",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: put a backup back (flask --app app db restore)",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
}


def cause_of(error: BaseException | None) -> str | None:
    """Return why a database can't be used; None where nobody can tell.

    :param error: the one that was raised; what it came from is looked at as well.
    """
    return next(filter(None, map(_told, _behind(error))), None)


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.orig if isinstance(error, DBAPIError) else error.__cause__


def _told(error: BaseException) -> str | None:
    if isinstance(error, PoolTimeoutError):
        return "all connections of this process are in use"
    if isinstance(error, sqlite3.Error):
        return _SQLITE.get(primary_code(error) or 0)
    if not isinstance(error, psycopg.Error):
        return str(error) if isinstance(error, OSError) and error.strerror else None
    if isinstance(error, WrongEncoding):
        return error.told
    state = error.sqlstate or ""
    for length in (5, 3, 2):
        if state[:length] in _BY_STATE:
            return _BY_STATE[state[:length]]
    words = str(error).lower()
    return next((told for known, told in _BY_WORDS.items() if known in words), None)
