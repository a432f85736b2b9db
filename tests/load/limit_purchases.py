"""The limit of a purchase: the rows that the service writes, by the bare driver and nothing else.

What one purchase has left in the tables is copied: one transaction for each of its three requests,
with another order number and another user.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import orjson
from flask import Blueprint, Response, redirect

from jay.db.routing import routing_key
from tests.load.limit_driver import MARK, PARTNER, SQLITE, connection, lock, moment

blp = Blueprint("purchases", __name__)

NOT_COPIED = {("outbox", "id")}
ANEW = {("outbox", "key"), ("outbox", "lane"), ("outbox", "subject"), ("orders", "token_hash")}
KEYS = {"stock_reservations": "reference", "sandbox_intents": "reference"}

Row = dict[str, Any]


@contextmanager
def _transaction() -> Iterator[Any]:
    driver = connection()
    with lock:
        driver.execute("BEGIN IMMEDIATE" if SQLITE else "BEGIN")
        yield driver
        driver.execute("COMMIT")


@cache
def _example() -> str:
    """Return the number of the order whose rows are copied."""
    query = "SELECT order_no FROM orders ORDER BY created LIMIT 1"
    return str(connection().execute(query).fetchone()[0])


@cache
def _rows(table: str) -> list[Row]:
    key = KEYS.get(table, "order_no")
    where, given = f"{key} = {MARK}", (_example(),)
    if table == "outbox":
        where, given = "kind = 'sandbox-webhook' ORDER BY id LIMIT 1", ()
    if table == "events":
        where, given = "kind = 'checkout_started' LIMIT 1", ()
    cursor = connection().execute(f"SELECT * FROM {table} WHERE {where}", given)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, map(_as_sent, row), strict=True)) for row in cursor.fetchall()]


def _as_sent(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


@cache
def _insert(table: str) -> str:
    names = [name for name in _rows(table)[0] if (table, name) not in NOT_COPIED]
    columns = ", ".join(f'"{name}"' for name in names)
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join([MARK] * len(names))})"


def _copy(driver: Any, table: str, order_no: str, **changed: Any) -> None:
    example = _example()
    given = []
    for row in _rows(table):
        new = {**row, **{name: value for name, value in changed.items() if name in row}}
        given.append(
            [
                secrets.token_hex(16)
                if (table, name) in ANEW
                else value.replace(example, order_no)
                if isinstance(value, str)
                else value
                for name, value in new.items()
                if (table, name) not in NOT_COPIED
            ]
        )
    driver.cursor().executemany(_insert(table), given)


def _touch(driver: Any, user: str) -> None:
    owner = user.partition("~")[0]  # whoever comes a second time has another name
    key = (routing_key(PARTNER, owner), PARTNER, owner)
    where = f"routing_key = {MARK} AND partner_id = {MARK} AND user_id = {MARK}"
    row = driver.execute(f"SELECT entries, version FROM baskets WHERE {where}", key).fetchone()
    now = datetime.now(UTC)
    driver.execute(
        f"UPDATE baskets SET entries = {MARK}, version = {MARK}, last_changed = {MARK},"
        f" expires = {MARK} WHERE {where}",
        (_as_sent(row[0]), row[1] + 1, moment(now), moment(now + timedelta(days=365)), *key),
    )


def _event(driver: Any, user: str, order_no: str) -> None:
    key = routing_key(PARTNER, user)
    _copy(driver, "events", order_no, routing_key=key, id=secrets.randbits(62))


@blp.post("/v2/baskets/users/<user>/checkout/sessions")
def start(user: str) -> Response:
    """Reserve, store the session, change the basket, and make the payment."""
    order_no = secrets.token_hex(8)
    reserved = [(row["count"], row["product_id"]) for row in _rows("stock_reservations")]
    with _transaction() as driver:
        driver.cursor().executemany(
            f"UPDATE products SET taken = taken + {MARK} WHERE id = {MARK}", sorted(reserved)
        )
        _copy(driver, "stock_reservations", order_no, sold_at=None)
        key = routing_key(PARTNER, user)
        more = {"routing_key": key, "user_id": user, "basket_id": secrets.token_hex(8)}
        _copy(driver, "checkout_sessions", order_no, state="open", ended=None, **more)
        _touch(driver, user)
        _event(driver, user, order_no)
        _copy(driver, "sandbox_intents", order_no, status="open", captured=0)
        where = f"routing_key = {MARK} AND order_no = {MARK}"
        driver.execute(
            f"UPDATE checkout_sessions SET methods = methods WHERE {where}", (key, order_no)
        )
    data = {"psp": {"paymentUrl": f"/psp/sandbox/pay/{order_no}"}}
    return Response(orjson.dumps({"data": data}), mimetype="application/json")


@blp.post("/psp/sandbox/pay/<order_no>")
def pay(order_no: str) -> Any:
    """Change the payment, and store what is told of it."""
    with _transaction() as driver:
        driver.execute(
            f"UPDATE sandbox_intents SET status = 'authorised', card = '4242' WHERE id = {MARK}",
            (f"pi_sandbox_{order_no}",),
        )
        _copy(driver, "outbox", order_no)
    return redirect("/", 303)


@blp.post("/v2/baskets/users/<user>/checkout/sessions/finish-active")
def finish(user: str) -> Response:
    """Find the session, and store the order with all that belongs to it."""
    key = routing_key(PARTNER, user)
    with _transaction() as driver:
        where = f"routing_key = {MARK} AND partner_id = {MARK} AND user_id = {MARK}"
        found = driver.execute(
            f"SELECT order_no FROM checkout_sessions WHERE {where} AND state = 'open'",
            (key, PARTNER, user),
        ).fetchone()
        order_no = found[0]
        driver.execute(
            f"UPDATE sandbox_intents SET status = 'captured', captured = amount WHERE id = {MARK}",
            (f"pi_sandbox_{order_no}",),
        )
        driver.execute(
            f"UPDATE checkout_sessions SET state = 'paid' WHERE routing_key = {MARK}"
            f" AND order_no = {MARK}",
            (key, order_no),
        )
        driver.execute(
            f"UPDATE stock_reservations SET sold_at = 1 WHERE reference = {MARK}", (order_no,)
        )
        _touch(driver, user)
        _event(driver, user, order_no)
        for table in ("orders", "order_parts", "order_lines", "ledger", "order_events"):
            _copy(driver, table, order_no, routing_key=key)
        _copy(driver, "outbox", order_no)
        _copy(driver, "outbox", order_no)
    return Response(orjson.dumps({"data": {"cart": []}}), mimetype="application/json")
