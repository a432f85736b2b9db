"""The whole way through the cluster, in browsers: from the basket on the TV to a paid order."""

import contextlib
from collections.abc import Iterator

from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import create_engine, text

from tests.clock import PATIENCE_SECONDS
from tests.cluster.parts import Cluster
from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, Merchant, TvApp
from tests.e2e.chromium import started
from tests.e2e.purchasing import go_to_checkout, pay
from tests.e2e.watched import Screens, expect_state


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Run Debian's Chromium."""
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright, started(playwright.chromium) as chromium:
        yield chromium


def walk(parts: Cluster, chromium: Browser, sku: str) -> str:
    """Go the whole way once, and return the order's number.

    :param sku: of a product that is sent for it, and that nobody else buys.
    :raises AssertionError: a page shows something else, or the order is not there as it was paid.
    """
    # Of a service, those of the end-to-end tests know the address alone.
    shop, app = Merchant(parts, DEMO_SHOP_KEY), TvApp(parts, DEMO_BASKET_KEY)
    product = shop.post(
        sku,
        "Teekanne Polarlicht",
        price=2450,
        stockCount=10,
        shippingModel={"shippingFlatRate": 490},
    )[sku]
    basket = app.guest((product, 2))
    offer = basket.transfer()
    screens = Screens(chromium)
    try:
        tv, phone = screens.tv(parts), screens.phone(parts)
        go_to_checkout(tv, phone, offer["displayUrl"])
        expect(phone.locator(".grand .all")).to_contain_text("53,90")
        expect_state(tv, "paying")
        pay(phone)
        expect(phone.get_by_role("heading", name="Dank")).to_be_visible()
        expect_state(tv, "ordered")
    finally:
        screens.close()
    assert screens.wrong == [], screens.wrong
    assert basket.cart() == {}
    return _order_of(parts, product)


def _order_of(parts: Cluster, product: str) -> str:
    """Return the number of the one order of a product, which is paid."""
    engine = create_engine(parts.database_url.replace("postgresql:", "postgresql+psycopg:"))
    query = text(
        "SELECT o.order_no, o.amount, i.captured FROM orders o"
        " JOIN order_lines l ON l.order_no = o.order_no"
        " JOIN sandbox_intents i ON i.reference = o.order_no WHERE l.product_id = :product"
    )
    with engine.connect() as connection:
        [(number, amount, captured)] = connection.execute(query, {"product": product}).all()
    engine.dispose()
    assert (amount, captured) == (5390, 5390), (amount, captured)
    return str(number)
