"""The bare driver of the limit: one connection a thread, and one writer at a time on SQLite."""

import contextlib
import os
import sqlite3
import threading
from datetime import datetime
from typing import Any

import psycopg

_url = os.environ["JAY_DATABASE_URL"]
_local = threading.local()

PARTNER = int(os.environ["BENCH_PARTNER"])
SQLITE = _url.startswith("sqlite")
MARK = "?" if SQLITE else "%s"

lock = threading.Lock() if SQLITE else contextlib.nullcontext()


def connection() -> Any:
    """Return this thread's connection, which commits each statement."""
    if not hasattr(_local, "connection"):
        _local.connection = _sqlite() if SQLITE else _postgres()
    return _local.connection


def _sqlite() -> sqlite3.Connection:
    made = sqlite3.connect(_url.removeprefix("sqlite:///"), isolation_level=None)
    made.execute("PRAGMA busy_timeout = 5000")
    made.execute("PRAGMA synchronous = NORMAL")
    return made


def _postgres() -> "psycopg.Connection[Any]":
    url = _url.replace("postgresql+psycopg", "postgresql")
    return psycopg.connect(url, autocommit=True, prepare_threshold=1)


def execute(sql: str, values: Any, *, many: bool = False) -> Any:
    """Execute a statement, or many in one transaction, and return the cursor."""
    driver = connection()
    if not SQLITE:
        cursor = driver.cursor()
        (cursor.executemany if many else cursor.execute)(sql, values)
        return cursor
    if not many:
        return driver.execute(sql, values)
    with lock:
        driver.execute("BEGIN IMMEDIATE")
        cursor = driver.executemany(sql, values)
        driver.execute("COMMIT")
    return cursor


def moment(now: datetime) -> Any:
    """Write a moment as the database has it."""
    return now.strftime("%Y-%m-%d %H:%M:%S.%f") if SQLITE else now
