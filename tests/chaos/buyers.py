"""Who pays while faults happen, and what must be true of money, orders and stock afterwards."""

import threading
import time
from collections import Counter
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy import Connection, create_engine, text
from urllib3 import BaseHTTPResponse

from tests.chaos.shoppers import PAUSE_SECONDS, Caller, Tally, fresh
from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY

CARD = "4242424242424242"
REFUNDED = 1
"""Of each order, in minor units; so that two of them can be told from one."""

SETTLED_SECONDS = 180
"""So long the worker may take to end what the last fault has left half done."""


class Buyer(Caller):
    """Buys again and again, and the merchant refunds a little of each order."""

    def __init__(self, url: str, tally: Tally, product: str) -> None:
        super().__init__(url, tally)
        self.product = product
        self.orders: set[str] = set()
        self.refunded: Counter[str] = Counter()
        self._key = {"X-API-Key": DEMO_BASKET_KEY}
        made = self.until_answered("POST", "/v2/baskets/guests", {**self._key, **fresh()})
        guest = made.json()["data"]
        self._path = f"/v2/baskets/users/{guest['userId']}"
        self._headers = {**self._key, "Authorization": f"Bearer {guest['token']}"}

    def run(self, over: threading.Event) -> None:
        """Buy until told to end."""
        while not over.is_set():
            self._buy(over)

    def _buy(self, over: threading.Event) -> None:
        product = f"{self._path}/products/{quote(self.product, safe='')}"
        if self._done("POST", product, {"count": 2}) is None:
            return
        sessions = f"{self._path}/checkout/sessions"
        started = self._done("POST", sessions, {})
        if started is None:
            return
        paying = urlsplit(started["psp"]["paymentUrl"]).path
        # Once, or as often as it takes: the card can be charged no second time.
        while (paid := self.form(paying, {"number": CARD})) is None or paid.status != 303:
            if over.is_set():
                return
            time.sleep(PAUSE_SECONDS)
        basket = self._done("POST", f"{sessions}/finish-active", {"ordered": True}, (404,))
        if basket is None:
            return  # a wrong clock has ended it: what was held is let go of
        if basket["cart"] or basket["checkout"]:
            return  # an older order was meant
        order_no = started["orderNo"]
        if order_no in self.orders:
            self.tally.doubled.append(f"the order number {order_no}")
        self.orders.add(order_no)
        self.tally.done()
        merchant = {"X-API-Key": DEMO_SHOP_KEY, **fresh()}
        body = {"amount": REFUNDED, "reason": "Scratched"}
        path = f"/v1/shops/orders/{order_no}-1/refunds"
        answer = self.until_answered("POST", path, merchant, body)
        if answer.status != 200:
            self.tally.wrong.append(f"refund {answer.status} {answer.data[:300]!r}")
            return
        self.refunded[order_no] += REFUNDED
        self.tally.done()

    def _done(self, method: str, path: str, body: Any, known: tuple[int, ...] = ()) -> Any:
        """Return what is answered, None where it is refused; a payment may be under way."""
        for _ in range(200):
            answer = self.until_answered(method, path, {**self._headers, **fresh()}, body)
            if answer.status == 200:
                return answer.json()["data"]
            if not _is_paying(answer):
                break
            time.sleep(PAUSE_SECONDS)
        if answer.status not in known:
            self.tally.wrong.append(f"{method} {path} {answer.status} {answer.data[:300]!r}")
        return None


def _is_paying(answer: BaseHTTPResponse) -> bool:
    return answer.status == 409 and answer.json()["error"]["details"] == "CHECKOUT_PAYING"


def audit_orders(url: str, buyers: list[Buyer], before: set[str], tally: Tally) -> None:
    """Compare orders, money and stock with each other and with what was acknowledged.

    :param before: the orders that were there before all of them.
    """
    engine = create_engine(url)
    with engine.connect() as connection:
        _wait_until_settled(connection, tally)
        orders = _by_first(connection, "SELECT order_no, amount FROM orders")
        payments = _by_first(
            connection, "SELECT reference, captured, refunded, status FROM sandbox_intents"
        )
        parts = _by_first(
            connection, "SELECT order_no, count(*) FROM order_parts GROUP BY order_no"
        )
        stock = connection.execute(
            text(
                "SELECT p.id, p.taken, coalesce((SELECT sum(r.count) FROM stock_reservations r"
                " WHERE r.product_id = p.id), 0) FROM products p WHERE p.taken <> 0"
            )
        ).all()
    engine.dispose()
    acknowledged = {number for buyer in buyers for number in buyer.orders}
    refunded = sum((buyer.refunded for buyer in buyers), Counter())
    made = orders.keys() - before
    tally.lost += [f"the paid order {number}" for number in acknowledged - made]
    tally.doubled += [f"the order {number} that nobody knows of" for number in made - acknowledged]
    for number in made:
        if parts.get(number) != (1,):
            tally.doubled.append(f"the order {number} has the parts {parts.get(number)}")
        if payments[number][0] != orders[number][0]:
            tally.lost.append(f"the order {number} of {orders[number]} was paid {payments[number]}")
        kept = payments[number][1]
        if kept != refunded[number]:
            where = tally.lost if kept < refunded[number] else tally.doubled
            where.append(f"refunds of {number}: {kept} instead of {refunded[number]}")
    for number, (captured, back, status) in payments.items():
        if number not in made and number not in before and captured != back:
            tally.lost.append(f"{captured - back} of the payment {number} ({status}), not ordered")
    tally.lost += [f"stock of {one}: {taken}, not {rows}" for one, taken, rows in stock
                   if taken != rows]  # fmt: skip


def orders_of(url: str) -> set[str]:
    """Return the numbers of all orders."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = set(_by_first(connection, "SELECT order_no, amount FROM orders"))
    engine.dispose()
    return found


def _by_first(connection: Connection, query: str) -> dict[str, tuple[Any, ...]]:
    return {row[0]: tuple(row[1:]) for row in connection.execute(text(query))}


_UNDER_WAY = (
    "SELECT count(*) FROM sandbox_intents WHERE status = 'authorised'"
    " OR captured > refunded AND NOT EXISTS (SELECT 1 FROM orders WHERE order_no = reference)",
    "SELECT count(*) FROM movements WHERE kind = 'refund' AND state = 'reserved'",
)


def _wait_until_settled(connection: Connection, tally: Tally) -> None:
    end = time.monotonic() + SETTLED_SECONDS
    while any(connection.execute(text(query)).scalar() for query in _UNDER_WAY):
        connection.rollback()
        if time.monotonic() > end:
            tally.lost.append("the worker has not settled what was under way")
            return
        time.sleep(0.5)
