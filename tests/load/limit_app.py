"""The limit: a bare Flask view over the bare driver that does the same row work and nothing else.

No API key, no token, no validation, no rules, no version: what is left is what gunicorn, Flask,
JSON and the database cost. ``tests/load/bench.py`` compares the service with it.
"""

import base64
import io
import secrets
from datetime import UTC, datetime
from typing import Any

import orjson
import qrcode
from flask import Flask, Response, request

from jay.db.routing import routing_key
from tests.load import limit_purchases
from tests.load.limit_driver import MARK, PARTNER, SQLITE, connection, execute, lock, moment

app = Flask(__name__)
app.register_blueprint(limit_purchases.blp)

_READ = (
    "SELECT id, entries, version, last_changed, expires FROM baskets"
    f" WHERE routing_key = {MARK} AND partner_id = {MARK} AND user_id = {MARK}"
)
_PRODUCT = (
    "SELECT p.*, m.*, s.name FROM products p JOIN merchants s ON s.id = p.merchant_id"
    f" LEFT JOIN products m ON m.id = p.main_id WHERE p.id = {MARK}"
)
_WRITE = (
    f"UPDATE baskets SET entries = {MARK}, version = version + 1, last_changed = {MARK}"
    f" WHERE routing_key = {MARK} AND partner_id = {MARK} AND user_id = {MARK}"
    f" AND version = {MARK}"
)
_EVENT = (
    "INSERT INTO events (routing_key, id, at, kind, partner_id, product_id, count) VALUES"
    f" ({MARK}, {MARK}, {MARK}, 'product_assigned', {PARTNER}, {MARK}, {MARK})"
)


def _key(user_id: str) -> tuple[int, int, str]:
    return routing_key(PARTNER, user_id), PARTNER, user_id


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
    driver = connection()
    row = driver.execute(_READ, _key(user_id)).fetchone()
    entries = orjson.loads(row[1]) if isinstance(row[1], str) else row[1]
    return _answer(entries, row[2], row[3], row[4])


@app.post("/v2/baskets/users/<user_id>/products/<path:product_id>")
def write(user_id: str, product_id: str) -> Response:
    """Set a product: read the product and the basket, write the basket and an event."""
    count = orjson.loads(request.get_data())["count"]
    now = datetime.now(UTC)
    driver = connection()
    if not SQLITE:
        driver.execute(_PRODUCT, (product_id,)).fetchone()
        while True:
            row = driver.execute(_READ, _key(user_id)).fetchone()
            entries = _changed(row[1], product_id, count)
            written = driver.execute(
                f"WITH saved AS ({_WRITE} RETURNING 1) {_EVENT.replace('VALUES', 'SELECT')[:-1].replace('SELECT (', 'SELECT ')} FROM saved",  # noqa: E501
                (
                    orjson.dumps(entries).decode(),
                    now,
                    *_key(user_id),
                    row[2],
                    routing_key(PARTNER, user_id),
                    secrets.randbits(62),
                    now,
                    product_id,
                    count,
                ),
            )
            if written.rowcount:
                return _answer(entries, row[2] + 1, now, row[4])
    with lock:
        driver.execute("BEGIN IMMEDIATE")
        driver.execute(_PRODUCT, (product_id,)).fetchone()
        row = driver.execute(_READ, _key(user_id)).fetchone()
        entries = _changed(orjson.loads(row[1]), product_id, count)
        stamp = now.strftime("%Y-%m-%d %H:%M:%S.%f")
        driver.execute(_WRITE, (orjson.dumps(entries).decode(), stamp, *_key(user_id), row[2]))
        place = (routing_key(PARTNER, user_id), secrets.randbits(62))
        driver.execute(_EVENT, (*place, stamp, product_id, count))
        driver.execute("COMMIT")
    return _answer(entries, row[2] + 1, now, row[4])


_DETAILS = (
    "SELECT p.*, m.*, s.name FROM products p JOIN merchants s ON s.id = p.merchant_id"
    " LEFT JOIN products m ON m.id = p.main_id WHERE p.id "
)
_GUEST = (
    "INSERT INTO baskets (routing_key, partner_id, user_id, id, guest, entries, version, created,"
    f" last_changed, expires) VALUES ({', '.join([MARK] * 10)})"
)
_OFFER = (
    "INSERT INTO events (routing_key, id, at, kind, partner_id) VALUES"
    f" ({MARK}, {MARK}, {MARK}, 'transfer_started', {PARTNER})"
)
_STOCK = (
    f"UPDATE products SET price = {MARK}, stock_count = {MARK}, stock_set = {MARK}"
    f" WHERE merchant_id = {MARK} AND sku = {MARK}"
)


@app.post("/v2/baskets/products/details")
def details() -> Response:
    """Read ten products with their merchants: one query."""
    ids = orjson.loads(request.get_data())
    if SQLITE:
        rows = execute(_DETAILS + f"IN ({', '.join('?' * len(ids))})", ids).fetchall()
    else:
        rows = execute(_DETAILS + "= ANY(%s)", (ids,)).fetchall()
    found = [{"productId": row[0], "row": [str(value) for value in row[1:12]]} for row in rows]
    return Response(orjson.dumps({"data": {"products": found}}), mimetype="application/json")


@app.post("/v2/baskets/guests")
def guest() -> Response:
    """Make a guest: one row."""
    user, now = secrets.token_urlsafe(16), datetime.now(UTC)
    at = moment(now)
    execute(_GUEST, (*_key(user), user, True, "[]", 1, at, at, at))
    return _answer([], 1, now, now)


@app.post("/v2/baskets/users/<user_id>/transfer")
def transfer(user_id: str) -> Response:
    """Offer a basket: one row, and the code as a picture with the libraries' defaults."""
    token = secrets.token_urlsafe(18)
    image = io.BytesIO()
    qrcode.make(f"http://127.0.0.1:8000/t/{token}").save(image)
    now = moment(datetime.now(UTC))
    execute(_OFFER, (routing_key(PARTNER, user_id), secrets.randbits(62), now))
    code = base64.b64encode(image.getvalue()).decode()
    return Response(orjson.dumps({"data": {"qr": code}}), mimetype="application/json")


@app.patch("/v1/shops/products")
def patch() -> Response:
    """Change fifty products: one ``executemany``."""
    rows = [
        (one["price"], one["stockCount"], True, 1, one["sku"])
        for one in orjson.loads(request.get_data())["products"]
    ]
    execute(_STOCK, rows, many=True)
    return Response(orjson.dumps({"data": {"changed": len(rows)}}), mimetype="application/json")


def _changed(entries: list[dict[str, Any]], product_id: str, count: int) -> list[dict[str, Any]]:
    for entry in entries:
        if entry["id"] == product_id:
            entry["count"] = count
            return entries
    return [*entries, {"id": product_id, "count": count, "price": 1250, "currency": "EUR"}]
