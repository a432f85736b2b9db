"""What tests of orders begin with: somebody has bought something."""

from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from jay import db
from jay.checkout import reconciling, sessions
from jay.checkout.models import Session, SessionState
from jay.checkout.sandbox import service as sandbox
from jay.checkout.sandbox.models import SIGNATURE_HEADER, sandbox_intents, sign
from jay.connectors.handing import CONNECTORS
from jay.orders import service
from jay.orders.handover import TYPES
from jay.orders.models import Order, OrderPart, PartNo
from jay.outbox.models import outbox
from tests.builders import Shop, User
from tests.clock import MovedClock
from tests.conftest import SECRET

PAYS, DECLINED, ASKS = "4242 4242 4242 4242", "4000000000000002", "4000002500003155"
BUYER = {
    "email": "zoe@example.org",
    "billing": {
        "firstName": "Zoë",
        "lastName": "Łuczak",
        "street": "Große Straße",
        "houseNumber": "7a",
        "zip": "10115",
        "city": "Berlin",
        "countryCode": "DE",
    },
}

HANDED_OVER = [f"{one.prefix}{told}" for one in CONNECTORS if one.prefix for told in TYPES.values()]
"""The kinds of messages that tell merchants of their parts, whichever way."""


class Till:
    """The shopper's way through a checkout, and what the worker and the provider do meanwhile."""

    def __init__(self, app: Flask, client: FlaskClient, clock: MovedClock) -> None:
        self.app, self.client, self.clock = app, client, clock

    def start(self, user: User, **body: Any) -> dict[str, Any]:
        answer = user.call("POST", "/checkout/sessions", json=body or None)
        assert answer.status_code == 200, answer.json
        data: dict[str, Any] = answer.json["data"]
        return data

    def pay(self, session: dict[str, Any], number: str = PAYS, **more: str) -> TestResponse:
        path = urlsplit(session["psp"]["paymentUrl"]).path
        return self.client.post(path, data={"number": number, **more})

    def webhooks(self) -> list[str]:
        """Return what the provider has to tell by now, as it stands in the outbox."""
        with self.app.app_context(), db.reading() as connection:
            query = select(outbox.c.body).where(
                outbox.c.kind == sandbox.WEBHOOK, outbox.c.due <= self.clock()
            )
            return [body for (body,) in connection.execute(query.order_by(outbox.c.id))]

    def tell(self, body: str | bytes, **headers: str) -> TestResponse:
        text = body if isinstance(body, str) else ""
        signed = {SIGNATURE_HEADER: sign(text, int(self.clock().timestamp()), SECRET)}
        return self.client.post("/psp/sandbox/webhook", data=body, headers=signed | headers)

    def hear(self) -> None:
        """Deliver all webhooks, and let the worker work."""
        for body in self.webhooks():
            assert self.tell(body).status_code == 200
        self.work()

    def work(self) -> None:
        with self.app.app_context():
            while reconciling.once():
                pass

    def session(self, order_no: str) -> Session:
        with self.app.app_context(), db.reading() as connection:
            found = sessions.find(connection, order_no)
        assert found is not None
        return found

    def state(self, session: dict[str, Any]) -> SessionState:
        return self.session(session["orderNo"]).state

    def intents(self) -> list[tuple[str, int, int]]:
        """Return the status of each payment, what has moved, and what has gone back."""
        with self.app.app_context(), db.reading() as connection:
            rows = connection.execute(
                select(
                    sandbox_intents.c.status, sandbox_intents.c.captured, sandbox_intents.c.refunded
                ).order_by(sandbox_intents.c.created, sandbox_intents.c.id)
            )
            return [tuple(row) for row in rows]


def checkout_of(user: User) -> dict[str, int]:
    return {entry["productId"]: entry["count"] for entry in user.basket()["checkout"]}


def in_stock(user: User, product_id: str) -> int:
    answer = user.platform.call(
        "POST", "/baskets/products/details", token=user.token, json=[product_id]
    )
    count: int = answer.json["data"]["products"][0]["currentStockCount"]
    return count


def till_of(shop: Shop) -> Till:
    """Return a till of the service that a shop uses."""
    return Till(shop.app, shop.client, shop.app.extensions["jay.clock"])


def bought(user: User, shop: Shop, *products: tuple[str, int], **buyer: Any) -> str:
    """Buy products, a mug where none are named, and return the number of the order."""
    till = till_of(shop)
    for product, count in products or [(shop.product(), 1)]:
        user.put(product, count)
    started = till.start(user, **buyer)
    till.pay(started)
    till.hear()
    return str(started["orderNo"])


def found(shop: Shop, order_no: str) -> tuple[Order, list[OrderPart]]:
    """Return an order and its parts as they are stored."""
    with shop.app.app_context(), db.reading() as connection:
        order = service.find(connection, order_no)
        assert order is not None
        return order, service.parts_of(connection, order)


def part(shop: Shop, order_no: str, number: int = 1) -> OrderPart:
    """Return a part of an order as it is stored."""
    with shop.app.app_context(), db.reading() as connection:
        stored = service.find_part(connection, PartNo(order_no, number))
        assert stored is not None
        return stored
