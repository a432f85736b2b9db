"""What tests of orders begin with: somebody has bought something."""

from typing import Any

from jay import db
from jay.connectors.handing import CONNECTORS
from jay.orders import service
from jay.orders.handover import TYPES
from jay.orders.models import Order, OrderPart, PartNo
from tests.api.test_checkout import Till
from tests.builders import Shop, User

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
