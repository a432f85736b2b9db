"""``/desk/orders``: whoever has an account finds an order by its number, and nobody in it."""

from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jay import db
from jay.checkout.order_numbers import grouped
from jay.orders import events
from jay.orders.models import Attention, PartNo
from tests.api.browser import Browser, problems_of, text_of
from tests.api.buying import BUYER, bought
from tests.api.test_login import log_in
from tests.builders import Shop, User, add_operator, add_shop
from tests.conftest import Apps

pytestmark = pytest.mark.one_database


@pytest.fixture
def hats(app: Flask, client: FlaskClient) -> Shop:
    return add_shop(app, client, "hatshop")


@pytest.fixture
def order_no(alice: User, shop: Shop, hats: Shop) -> str:
    """Two mugs of one merchant, a hat of another one."""
    return bought(alice, shop, (shop.product("mug"), 2), (hats.product("hat"), 1), **BUYER)


@pytest.fixture
def desk(app: Flask) -> Browser:
    """The browser of an operator who has logged in."""
    add_operator(app)
    browser = Browser(app)
    log_in(browser)
    return browser


def look(browser: Browser, typed: str) -> TestResponse:
    return browser.get(f"/desk/orders?{urlencode({'number': typed})}")


def test_an_order_is_found_by_any_spelling_and_says_how_far_it_is(
    desk: Browser, shop: Shop, order_no: str
) -> None:
    one = [{"sku": "mug", "count": 1}]
    step = {"state": "cancelled", "lines": one}
    assert shop.call("PATCH", f"/shops/orders/{order_no}-1", json=step).status_code == 200
    with shop.app.app_context(), db.transaction() as connection:
        events.attend(connection, PartNo(order_no, 1), Attention.DISPUTED)

    spelled = grouped(order_no).lower()
    pages = [
        look(desk, written) for written in (order_no, spelled, f" #{spelled.replace(' ', '-')} ")
    ]

    assert [page.status_code for page in pages] == [200] * 3
    (said, *others) = [text_of(page).partition("Search")[2] for page in pages]
    assert others == [said] * 2
    assert problems_of(pages[0]) == []
    for told in (
        *(f"{order_no}-1", f"{order_no}-2", "mugshop", "hatshop", "2 \u00d7 Mug", "1 cancelled"),
        *("created (shopper)", "cancelled (merchant)", "refund", "-€12.50", "Received"),
        "the payment is disputed",
    ):
        assert told in said, told
    for personal in ("Zoë", "zoe", "Berlin", "Große"):
        assert personal not in pages[0].text
    part = text_of(look(desk, f"{spelled} - 2"))
    assert ("hatshop" in part, "mugshop" in part) == (True, False)


def test_what_is_no_order_is_said(desk: Browser, order_no: str) -> None:
    assert desk.get("/desk/orders").status_code == 200
    for wrong in (f"{order_no}-3", "J2222 2222 2222", "\0", "J" * 200, order_no[:-1]):
        answer = look(desk, wrong)
        assert (answer.status_code, "There is no such order." in answer.text) == (404, True)


def test_a_merchants_account_finds_its_own_parts(app: Flask, shop: Shop, order_no: str) -> None:
    add_operator(app, "molly", merchant="hatshop")
    browser = Browser(app)
    log_in(browser, "molly")
    with app.app_context(), db.transaction() as connection:
        events.attend(connection, PartNo(order_no, 2), Attention.DISPUTED)

    said = text_of(look(browser, order_no))

    assert (f"{order_no}-2" in said, f"{order_no}-1" in said) == (True, False)
    assert "disputed" not in said  # that is the operator's
    assert look(browser, f"{order_no}-1").status_code == 404


def test_a_demo_shows_its_orders_to_nobody_without_an_account(
    apps: Apps, database_url: str, order_no: str
) -> None:
    demo = apps.on(database_url, "demo", demo=True)
    answer = look(Browser(demo), order_no)

    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        f"/login?next=/desk/orders?number%3D{order_no}",
    )
