"""The phone's pages after a purchase in every state, and how a browser gets there."""

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.sync_api import Response

from jay.checkout.order_numbers import typed_order_no
from jay.orders import words
from tests.demo import flask_commands
from tests.e2e.actors import DEMO_SHOP_KEY, BasketOfUser, Merchant, data
from tests.e2e.catalogue_states import PASSWORD
from tests.e2e.checkout_states import (
    DECLINED,
    LONG,
    LONG_SHOP,
    PAYS,
    ZOE,
    at_summary,
    buyer,
    three_shops,
)

if TYPE_CHECKING:
    from tests.e2e.states import Visitor

ASKS = "4000002500003155"


def to_payment(visitor: "Visitor", basket: BasketOfUser, **changes: str) -> str:
    """Press the order button with this browser; return where it is paid."""
    at_summary(visitor, basket, **changes)
    seen = visitor.get("/checkout")
    mark = re.search(r'name="seen" value="([^"]+)"', seen.text())
    assert mark is not None
    return visitor.post("/checkout/order", seen, seen=mark[1]).headers["location"]


def bought(visitor: "Visitor", basket: BasketOfUser, **changes: str) -> str:
    """Buy a basket with this browser; return the path of the order's page."""
    where = to_payment(visitor, basket, **changes)
    answer = visitor.page.context.request.post(where, form={"number": PAYS})
    path = urlsplit(answer.url).path
    assert path.startswith("/orders/"), (answer.url, answer.text())
    return path


def _order(visitor: "Visitor") -> str:
    """Return the page of an order that nothing happens to; the pages here share it."""
    key = f"order in {visitor.lang}"
    if key not in visitor.known:
        visitor.known[key] = bought(visitor, buyer(visitor))
    return visitor.known[key]


def _number(visitor: "Visitor", path: str) -> str:
    found = re.search(r"J[\w ]{12,18}(?=</dd>)", visitor.get(path).text())
    assert found is not None
    number = typed_order_no(found[0])
    assert number is not None
    return number


def _step(visitor: "Visitor", shop: str, number: str, state: str, **more: Any) -> None:
    """Have a merchant say how far its part is."""
    key = visitor.known.get(shop, DEMO_SHOP_KEY)
    merchant = Merchant(visitor.service, key)
    for part in data(merchant.call("GET", "/v1/shops/orders"))["orders"]:
        if part["orderNo"] == number:
            body = {"state": state, **more}
            data(merchant.call("PATCH", f"/v1/shops/orders/{part['orderId']}", json=body))


def _placed(visitor: "Visitor") -> Response | None:
    return visitor.open(_order(visitor))


def _on_its_way(visitor: "Visitor") -> Response | None:
    """Open an order: one shop has sent a part of it, one can't, from one it is withdrawn."""
    path = bought(visitor, three_shops(visitor), lastName=LONG["lastName"], city=LONG["city"])
    number = _number(visitor, path)
    parcel = {"carrier": "Hanseatische Paketgesellschaft", "number": "00340434161094042557" * 2}
    some = [{"sku": f"CORD-{visitor.lang}", "count": 1}]
    parcel["url"] = "https://parcels.example/" + parcel["number"]
    _step(visitor, LONG_SHOP, number, "accepted")
    _step(visitor, LONG_SHOP, number, "shipped", lines=some, tracking=parcel)
    _step(visitor, "kontor-zwei", number, "cancelled")
    declared = {**_declared(number), "products": "Becher Raumschiff"}
    address = visitor.service.url + words.path(visitor.lang)
    answer = visitor.page.context.request.post(
        address, form={**declared, "step": "confirm", "nonce": number}
    )
    assert answer.ok, answer.text()
    return visitor.open(path)


def _too_late(visitor: "Visitor") -> Response | None:
    path = bought(visitor, buyer(visitor))
    visitor.open(path)
    visitor.page.locator(".part summary").click()
    _step(visitor, "demo-shop", _number(visitor, path), "accepted")
    return visitor.send(visitor.page.locator(".part form .button").click)


def _declared(number: str) -> dict[str, str]:
    return {"name": "Zoë Schmidt", "number": number, "email": ZOE["email"], "products": ""}


def _withdraw(visitor: "Visitor") -> Response | None:
    number = _number(visitor, _order(visitor))
    return visitor.open(f"{words.path(visitor.lang)}?order={number}")


def _withdraw_wrong(visitor: "Visitor") -> Response | None:
    visitor.open(words.path(visitor.lang))
    visitor.page.locator("#email").fill("zoe@")
    return visitor.send(visitor.page.locator(".fields .button").click)


def _withdraw_confirm(visitor: "Visitor") -> Response | None:
    """Declare what fits no order: it is taken like any other."""
    visitor.open(words.path(visitor.lang))
    page = visitor.page
    page.locator("#name").fill(LONG["lastName"])
    page.locator("#number").fill("J234 5678")
    page.locator("#email").fill(LONG["email"])
    page.locator("#products").fill(LONG["addition"] + ", " + LONG["street"])
    return visitor.send(page.locator(".fields .button").click)


def _withdrawn(visitor: "Visitor") -> Response | None:
    _withdraw_confirm(visitor)
    return visitor.send(visitor.page.locator("button[value=confirm]").click)


def _pay(visitor: "Visitor") -> Response | None:
    visitor.open(to_payment(visitor, buyer(visitor)))
    visitor.page.locator("#number").fill(DECLINED)
    return visitor.send(visitor.page.locator(".fields .button").click)


def _pay_bank(visitor: "Visitor") -> Response | None:
    visitor.open(to_payment(visitor, buyer(visitor)))
    visitor.page.locator("#number").fill(ASKS)
    return visitor.send(visitor.page.locator(".fields .button").click)


def _at_desk(visitor: "Visitor") -> Response | None:
    """Have an operator look the order up."""
    number = _number(visitor, _order(visitor))
    if "desk" not in visitor.known:
        visitor.known["desk"] = "desk"
        flask_commands(visitor.service.environ, ("operator", "add", "desk"), typed=PASSWORD)
    visitor.forget_tries()
    visitor.post("/login", visitor.get("/login"), name="desk", password=PASSWORD)
    return visitor.open(f"/desk/orders?number={number}")


_YOURS = ("Deine Bestellung", "Your order")
_WITHDRAW = (words.withdraw("de"), words.withdraw("en"))

ORDER_STATES: tuple[tuple[Any, ...], ...] = (
    ("desk-order", _at_desk, "Bestellungen", "Orders"),
    ("phone-pay-declined", _pay, "59,70 € bezahlen", "Pay £59.70", 402),
    (
        "phone-pay-bank",
        _pay_bank,
        "Deine Bank fragt: Bezahlst du 59,70 €?",
        "Your bank asks: do you pay £59.70?",
    ),
    ("phone-order", _placed, "Danke für deine Bestellung!", "Thank you for your order!"),
    ("phone-order-on-its-way", _on_its_way, *_YOURS),
    ("phone-order-too-late", _too_late, *_YOURS, 409),
    ("phone-withdrawal", _withdraw, *_WITHDRAW),
    ("phone-withdrawal-wrong", _withdraw_wrong, *_WITHDRAW, 422),
    ("phone-withdrawal-confirm", _withdraw_confirm, "Stimmt das so?", "Is this right?"),
    (
        "phone-withdrawal-done",
        _withdrawn,
        "Dein Widerruf ist eingegangen",
        "Your withdrawal has arrived",
    ),
)
"""Name, lead, German and English headline, status and script, as ``State`` takes them."""
