"""Looks at every statement that the app sends while a test runs, and keeps what breaks a rule.

- A GET writes nothing, whatever door it takes.
- A transaction locks tables in one order, so that two never wait for each other.
"""

import re
from typing import Any

from flask import has_request_context, request
from sqlalchemy import Connection, event

from jay.db import prepared
from jay.db.database import Database, locks

LOCK_ORDER = ("baskets", "comfort_settings", "transfers", "tries", "idempotency_keys")
"""First a basket, then its transfer (CONTRIBUTING.md). Nobody waits for an event."""

WRITING_GETS = {"/readyz"}
"""It proves that the database can be written."""

_WRITTEN = re.compile(r"\b(?:INSERT INTO|DELETE FROM|UPDATE)\s+\"?(?!SET\b)(\w+)")
_LOCKED = re.compile(r"\bFROM\s+\"?(\w+).*\bFOR (?:NO KEY )?UPDATE\b", re.DOTALL)


def _only_reads() -> bool:
    asked = has_request_context() and request.method in {"GET", "HEAD"}
    return asked and request.path not in WRITING_GETS


class Statements:
    """What the statements of an app have broken since they were last asked for."""

    def __init__(self, database: Database) -> None:
        self.broken: list[str] = []
        self.url = database.url
        for engine in (database.engine, database.readers):
            event.listen(engine, "before_cursor_execute", self._executed)
            event.listen(engine, "begin", lambda connection: connection.info.pop("locked", None))

    def _executed(self, connection: Connection, _cursor: Any, sql: str, *_more: Any) -> None:
        self.see(connection, sql)

    def see(self, connection: Connection, sql: str) -> None:
        """Look at a statement."""
        written = _WRITTEN.findall(sql)
        if written and _only_reads():
            self.broken.append(f"{request.method} {request.path} writes: {sql}")
        if locks(connection):
            seen: list[str] = connection.info.setdefault("locked", [])
            for table in [*_LOCKED.findall(sql), *written]:
                self._lock(table, seen)

    def _lock(self, table: str, seen: list[str]) -> None:
        if table not in LOCK_ORDER or table in seen:
            return
        later = [one for one in seen if LOCK_ORDER.index(one) > LOCK_ORDER.index(table)]
        if later:
            self.broken.append(f"{table} is locked after {', '.join(later)}")
        seen.append(table)


_execute = prepared.execute
_watched: list[Statements] = []


def watch(database: Database) -> Statements:
    """Look at the statements of a database from now on, those that go to the driver too."""
    made = Statements(database)
    _watched.append(made)
    prepared.execute = _seen
    return made


def _seen(connection: Connection, sql: str, *args: Any, **kwargs: Any) -> Any:
    for one in _watched:
        if one.url == connection.engine.url:
            one.see(connection, sql)
    return _execute(connection, sql, *args, **kwargs)
