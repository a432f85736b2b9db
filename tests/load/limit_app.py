"""The limit: a bare Flask view over the bare driver that does the same row work and nothing else.

No API key, no token, no validation, no rules, no version: what is left is what gunicorn, Flask,
JSON and the database cost. ``tests/load/bench.py`` compares the service with it.
"""

import base64
import io
import os
import secrets
import sqlite3
import threading
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
import qrcode
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


_DETAILS = (
    "SELECT p.*, m.*, s.name FROM products p JOIN merchants s ON s.id = p.merchant_id"
    " LEFT JOIN products m ON m.id = p.main_id WHERE p.id "
)
_GUEST = (
    "INSERT INTO baskets (routing_key, partner_id, user_id, id, guest, entries, version, created,"
    f" last_changed, expires) VALUES ({', '.join([_MARK] * 10)})"
)
_OFFER = (
    "INSERT INTO events (routing_key, id, at, kind, partner_id) VALUES"
    f" ({_MARK}, {_MARK}, {_MARK}, 'transfer_started', {_partner})"
)
_STOCK = (
    f"UPDATE products SET price = {_MARK}, stock_count = {_MARK}, stock_set = {_MARK}"
    f" WHERE merchant_id = {_MARK} AND sku = {_MARK}"
)


def _execute(sql: str, values: Any, *, many: bool = False) -> Any:
    connection: Any = _sqlite() if _SQLITE else _postgres()
    if not _SQLITE:
        cursor = connection.cursor()
        (cursor.executemany if many else cursor.execute)(sql, values)
        return cursor
    if not many:
        return connection.execute(sql, values)
    with _lock:
        connection.execute("BEGIN IMMEDIATE")
        cursor = connection.executemany(sql, values)
        connection.execute("COMMIT")
    return cursor


def _moment(now: datetime) -> Any:
    return now.strftime("%Y-%m-%d %H:%M:%S.%f") if _SQLITE else now


@app.post("/v2/baskets/products/details")
def details() -> Response:
    """Read ten products with their merchants: one query."""
    ids = orjson.loads(request.get_data())
    if _SQLITE:
        rows = _execute(_DETAILS + f"IN ({', '.join('?' * len(ids))})", ids).fetchall()
    else:
        rows = _execute(_DETAILS + "= ANY(%s)", (ids,)).fetchall()
    found = [{"productId": row[0], "row": [str(value) for value in row[1:12]]} for row in rows]
    return Response(orjson.dumps({"data": {"products": found}}), mimetype="application/json")


@app.post("/v2/baskets/guests")
def guest() -> Response:
    """Make a guest: one row."""
    user, now = secrets.token_urlsafe(16), datetime.now(UTC)
    moment = _moment(now)
    _execute(_GUEST, (*_key(user), user, True, "[]", 1, moment, moment, moment))
    return _answer([], 1, now, now)


@app.post("/v2/baskets/users/<user_id>/transfer")
def transfer(user_id: str) -> Response:
    """Offer a basket: one row, and the code as a picture with the libraries' defaults."""
    token = secrets.token_urlsafe(18)
    image = io.BytesIO()
    qrcode.make(f"http://127.0.0.1:8000/t/{token}").save(image)
    now = _moment(datetime.now(UTC))
    _execute(_OFFER, (routing_key(_partner, user_id), secrets.randbits(62), now))
    code = base64.b64encode(image.getvalue()).decode()
    return Response(orjson.dumps({"data": {"qr": code}}), mimetype="application/json")


@app.patch("/v1/shops/products")
def patch() -> Response:
    """Change fifty products: one ``executemany``."""
    rows = [
        (one["price"], one["stockCount"], True, 1, one["sku"])
        for one in orjson.loads(request.get_data())["products"]
    ]
    _execute(_STOCK, rows, many=True)
    return Response(orjson.dumps({"data": {"changed": len(rows)}}), mimetype="application/json")


def _changed(entries: list[dict[str, Any]], product_id: str, count: int) -> list[dict[str, Any]]:
    for entry in entries:
        if entry["id"] == product_id:
            entry["count"] = count
            return entries
    return [*entries, {"id": product_id, "count": count, "price": 1250, "currency": "EUR"}]
