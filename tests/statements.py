"""Looks at every statement that the app sends while a test runs, and keeps what breaks a rule.

- A GET writes nothing, whatever door it takes.
- A transaction locks tables in one order, so that two never wait for each other.
- What a request reads, writes or locks in a table of shoppers is named by its routing key.
- Nobody who waits for the turn holds anything that is on every server.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import local
from typing import Any

from flask import Flask, has_request_context, request
from sqlalchemy import Connection, event

from jay.db import prepared, turns
from jay.db.database import Database, locks
from jay.db.routing import EVERYWHERE, ROUTED_BY, WITHOUT_KEY
from jay.db.types import metadata

LOCK_ORDER = (
    "baskets",
    "comfort_settings",
    "checkout_sessions",
    "contacts",
    "orders",
    "order_parts",
    "order_lines",
    "movements",
    "transfers",
    "tries",
    "idempotency_keys",
)
"""First a basket, then its transfer (CONTRIBUTING.md). Nobody waits for an event."""

IN_TURN = {
    *("products", "stock_reservations", "price_history", "wanted_skus", "product_imports"),
    *("outbox", "outbox_addresses", "pictures", "picture_sources", "picture_uses"),
}
"""What is on every server (Citus): whoever changes a row there holds the table, and those that it
refers to (jay/db/turns). Here is what transactions change that hold others of these already."""

WRITING_GETS = ("/readyz", "/checkout/return/")
"""The first proves that the database can be written. By the other a provider leads the shopper
back: it asks what is true, as a webhook does, and writes no more than the worker would."""

_TABLES = "|".join(ROUTED_BY)
_INSERTED = re.compile(rf'\bINSERT INTO "?({_TABLES})"? \(([^)]*)\)')
_NAMED = re.compile(rf'(?:,|\b(?:FROM|JOIN|UPDATE)) "?({_TABLES})\b(?!\.)')
_PARAMETER = r"(?:\?|%\(|:\w)"

_WRITTEN = re.compile(r"\b(?:INSERT INTO|DELETE FROM|UPDATE)\s+\"?(?!SET\b)(\w+)")
_LOCKED = re.compile(r"\bFROM\s+\"?(\w+).*\bFOR (?:NO KEY )?UPDATE\b", re.DOTALL)


@cache
def not_routed(sql: str) -> tuple[str, ...]:
    """Return the tables of shoppers of which a statement does not say where the rows lie."""
    if WITHOUT_KEY in sql or EVERYWHERE in sql:
        return ()
    text = " ".join(sql.split())
    missing = [
        table
        for table, columns in _INSERTED.findall(text)
        if ROUTED_BY[table] not in columns.replace('"', "").split(", ")
    ]
    named = _NAMED.findall(text)
    for table in dict.fromkeys(named):
        key = rf'\b{table}\."?{ROUTED_BY[table]}"? = {_PARAMETER}'
        where = re.findall(rf"\b(?:WHERE|AND) \(?{key}", text)
        # Each time that a statement names the table it has to say where in it, and a
        # condition that is one of several says nothing.
        if len(where) < named.count(table) or re.search(rf"{key}\S* OR\b", text):
            missing.append(table)
    return tuple(missing)


@cache
def _touched(sql: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tables that a statement writes, and those of which it locks rows."""
    return tuple(_WRITTEN.findall(sql)), tuple(_LOCKED.findall(sql))


def _only_reads() -> bool:
    asked = has_request_context() and request.method in {"GET", "HEAD"}
    return asked and not request.path.startswith(WRITING_GETS)


class Statements:
    """What the statements of an app have broken since they were last asked for."""

    def __init__(self, database: Database) -> None:
        self.broken: list[str] = []
        self.engines = (database.engine, database.readers)
        for engine in self.engines:
            event.listen(engine, "before_cursor_execute", self._executed)
            event.listen(engine, "begin", _begun)

    def _executed(self, connection: Connection, _cursor: Any, sql: str, *_more: Any) -> None:
        self.see(connection, sql)

    def see(self, connection: Connection, sql: str) -> None:
        """Look at a statement."""
        if getattr(_serving, "depth", 0):
            self.broken += [f"{table} without its key: {sql}" for table in not_routed(sql)]
        written, locked = _touched(sql)
        if written and _only_reads():
            self.broken.append(f"{request.method} {request.path} writes: {sql}")
        held = IN_TURN.intersection((*locked, *written)) if locks(connection) else set()
        ours = getattr(_serving, "depth", 0) or getattr(_serving, "commands", 0)
        if held and ours and "turn" not in connection.info:
            self.broken.append(f"{', '.join(sorted(held))} without a turn: {sql}")
        if locks(connection) and ours and "turn" not in connection.info:
            held_before: set[str] = connection.info.setdefault("held", set())
            held_before.update(({*written, *locked} & metadata.tables.keys()) - ROUTED_BY.keys())
        # SQLite has one writer: there nobody waits for a row.
        if locks(connection) and connection.dialect.name != "sqlite":
            seen: list[str] = connection.info.setdefault("locked", [])
            for table in (*locked, *written):
                self._lock(table, seen)

    def _lock(self, table: str, seen: list[str]) -> None:
        if table not in LOCK_ORDER or table in seen:
            return
        later = [one for one in seen if LOCK_ORDER.index(one) > LOCK_ORDER.index(table)]
        if later:
            self.broken.append(f"{table} is locked after {', '.join(later)}")
        seen.append(table)


def _begun(connection: Connection) -> None:
    for known in ("locked", "turn", "held"):
        connection.info.pop(known, None)


def _taken(connection: Connection) -> None:
    for one in _watching(connection):
        if held := connection.info.get("held"):
            one.broken.append(f"{', '.join(sorted(held))} held while waiting for the turn")
    connection.info["turn"] = True
    _take(connection)


@contextmanager
def working() -> Iterator[None]:
    """Look at turns, too, in what a command or the worker does here; it may ask every server."""
    _serving.commands = getattr(_serving, "commands", 0) + 1
    try:
        yield
    finally:
        _serving.commands -= 1


_take = turns.take
_execute = prepared.execute
_watched: list[Statements] = []
_serving = local()


def watch(app: Flask) -> Statements:
    """Look at the statements of an app from now on, those that go to the driver too."""
    made = Statements(app.extensions["jay.db"])
    serve: Callable[..., Any] = app.wsgi_app

    def served(environ: Any, start_response: Any) -> Iterable[bytes]:
        _serving.depth = getattr(_serving, "depth", 0) + 1
        try:
            return serve(environ, start_response)
        finally:
            _serving.depth -= 1

    app.wsgi_app = served  # type: ignore[method-assign]
    _watched.append(made)
    prepared.execute = _seen
    turns.take = _taken
    return made


def _watching(connection: Connection) -> Iterator[Statements]:
    for one in _watched:
        # Of another app on the same database nobody says where a transaction begins.
        if any(connection.engine.pool is engine.pool for engine in one.engines):
            yield one


def _seen(connection: Connection, sql: str, *args: Any, **kwargs: Any) -> Any:
    for one in _watching(connection):
        one.see(connection, sql)
    return _execute(connection, sql, *args, **kwargs)
