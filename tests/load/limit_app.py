"""The limit: a bare Flask view over the bare driver that does the same row work and nothing else.

No API key, no token, no validation, no rules, no version: what is left is what gunicorn, Flask,
JSON and the database cost. ``tests/load/bench.py`` compares the service with it.
"""

import os
import secrets
import sqlite3
import threading
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from flask import Flask, Response, request

from jay.db.routing import routing_key

app = Flask(__name__)
_local = threading.local()
_url = os.environ["JAY_DATABASE_URL"]
_partner = int(os.environ["BENCH_PARTNER"])
_lock = threading.Lock()


def _sqlite() -> sqlite3.Connection:
    if not hasattr(_local, "connection"):
        connection = sqlite3.connect(_url.removeprefix("sqlite:///"), isolation_level=None)
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA synchronous = NORMAL")
        _local.connection = connection
    return _local.connection  # type: ignore[no-any-return]


def _postgres() -> "psycopg.Connection[Any]":
    if not hasattr(_local, "connection"):
        url = _url.replace("postgresql+psycopg", "postgresql")
        _local.connection = psycopg.connect(url, autocommit=True, prepare_threshold=1)
    return _local.connection  # type: ignore[no-any-return]


_SQLITE = _url.startswith("sqlite")
_MARK = "?" if _SQLITE else "%s"
_READ = (
    "SELECT id, entries, version, last_changed, expires FROM baskets"
    f" WHERE routing_key = {_MARK} AND partner_id = {_MARK} AND user_id = {_MARK}"
)
_PRODUCT = (
    "SELECT p.*, m.*, s.name FROM products p JOIN merchants s ON s.id = p.merchant_id"
    f" LEFT JOIN products m ON m.id = p.main_id WHERE p.id = {_MARK}"
)
_WRITE = (
    f"UPDATE baskets SET entries = {_MARK}, version = version + 1, last_changed = {_MARK}"
    f" WHERE routing_key = {_MARK} AND partner_id = {_MARK} AND user_id = {_MARK}"
    f" AND version = {_MARK}"
)
_EVENT = (
    "INSERT INTO events (routing_key, id, at, kind, partner_id, product_id, count) VALUES"
    f" ({_MARK}, {_MARK}, {_MARK}, 'product_assigned', {_partner}, {_MARK}, {_MARK})"
)


def _key(user_id: str) -> tuple[int, int, str]:
    return routing_key(_partner, user_id), _partner, user_id


def _answer(entries: list[dict[str, Any]], version: int, changed: Any, expires: Any) -> Response:
    data = {
        "expires": str(expires),
        "lastChanged": str(changed),
        "cart": [{"productId": e["id"], "count": e["count"]} for e in entries if e["count"]],
        "saved": [{"productId": e["id"], "count": 0} for e in entries if not e["count"]],
        "checkout": [],
    }
    return Response(orjson.dumps({"data": data}), mimetype="application/json")


@app.get("/readyz")
def ready() -> str:
    """Tell the harness that this is up."""
    return "ok"


@app.get("/v2/baskets/users/<user_id>")
def read(user_id: str) -> Response:
    """Read a basket: one row."""
    connection: Any = _sqlite() if _SQLITE else _postgres()
    row = connection.execute(_READ, _key(user_id)).fetchone()
    entries = orjson.loads(row[1]) if isinstance(row[1], str) else row[1]
    return _answer(entries, row[2], row[3], row[4])


@app.post("/v2/baskets/users/<user_id>/products/<path:product_id>")
def write(user_id: str, product_id: str) -> Response:
    """Set a product: read the product and the basket, write the basket and an event."""
    count = orjson.loads(request.get_data())["count"]
    now = datetime.now(UTC)
    connection: Any = _sqlite() if _SQLITE else _postgres()
    if not _SQLITE:
        connection.execute(_PRODUCT, (product_id,)).fetchone()
        while True:
            row = connection.execute(_READ, _key(user_id)).fetchone()
            entries = _changed(row[1], product_id, count)
            written = connection.execute(
                f"WITH saved AS ({_WRITE} RETURNING 1) {_EVENT.replace('VALUES', 'SELECT')[:-1].replace('SELECT (', 'SELECT ')} FROM saved",  # noqa: E501
                (
                    orjson.dumps(entries).decode(),
                    now,
                    *_key(user_id),
                    row[2],
                    routing_key(_partner, user_id),
                    secrets.randbits(62),
                    now,
                    product_id,
                    count,
                ),
            )
            if written.rowcount:
                return _answer(entries, row[2] + 1, now, row[4])
    with _lock:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_PRODUCT, (product_id,)).fetchone()
        row = connection.execute(_READ, _key(user_id)).fetchone()
        entries = _changed(orjson.loads(row[1]), product_id, count)
        stamp = now.strftime("%Y-%m-%d %H:%M:%S.%f")
        connection.execute(_WRITE, (orjson.dumps(entries).decode(), stamp, *_key(user_id), row[2]))
        place = (routing_key(_partner, user_id), secrets.randbits(62))
        connection.execute(_EVENT, (*place, stamp, product_id, count))
        connection.execute("COMMIT")
    return _answer(entries, row[2] + 1, now, row[4])


def _changed(entries: list[dict[str, Any]], product_id: str, count: int) -> list[dict[str, Any]]:
    for entry in entries:
        if entry["id"] == product_id:
            entry["count"] = count
            return entries
    return [*entries, {"id": product_id, "count": count, "price": 1250, "currency": "EUR"}]
