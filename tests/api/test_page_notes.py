"""What pages say about products that have changed, and about what the total holds."""

from collections.abc import Sequence
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection

from jay.products import service as catalogue
from tests.api.browser import Browser, text_of
from tests.builders import Shop, User, add_platform

WITHOUT = "Without 3 items that can't be bought at the moment."


@pytest.fixture
def mug(alice: User, shop: Shop) -> str:
    """A mug for 12.50, twice in the basket."""
    identifier = shop.product("mug", name="Blue Mug", price=1250)
    alice.put(identifier, 2)
    return identifier


@pytest.fixture
def hat(alice: User, shop: Shop) -> str:
    """A hat, three times in the basket, which is sold out since."""
    identifier = shop.product("hat", name="Red Hat", price=2000)
    alice.put(identifier, 3)
    shop.product("hat", name="Red Hat", price=2000, stock_count=0)
    return identifier


def taken(app: Flask, alice: User, language: str = "en") -> str:
    """Take the basket over; return what its page says."""
    phone = Browser(app, language=language)
    phone.take(alice.transfer())
    return text_of(phone.get("/basket")).replace("\xa0", " ")


def test_the_tv_counts_what_its_total_holds_and_says_what_not(
    app: Flask, alice: User, mug: str, hat: str
) -> None:
    said = text_of(Browser(app).get(alice.transfer()["displayUrl"]))

    assert f"2 items · €25.00 incl. VAT and shipping {WITHOUT}" in said


def test_claim_and_basket_say_what_the_total_leaves_out(
    app: Flask, alice: User, mug: str, hat: str
) -> None:
    assert WITHOUT in text_of(Browser(app).get(alice.transfer()["url"]))
    assert WITHOUT in taken(app, alice)


def test_one_item_that_is_left_out_is_said_as_one(
    app: Flask, alice: User, mug: str, shop: Shop
) -> None:
    alice.put(shop.product("hat"), 1)
    shop.product("hat", stock_count=0)

    assert "Without 1 item that can't be bought at the moment." in taken(app, alice)


def test_nothing_is_said_where_nothing_is_left_out(app: Flask, alice: User, mug: str) -> None:
    said = text_of(Browser(app).get(alice.transfer()["displayUrl"]))

    assert "2 items · €25.00 incl. VAT and shipping" in said
    assert "Without" not in said


def test_where_there_is_no_total_all_items_count_and_it_is_said_why(
    app: Flask, alice: User, hat: str
) -> None:
    said = text_of(Browser(app).get(alice.transfer()["displayUrl"]))

    assert "3 items Nothing in your basket can be bought at the moment." in said


def test_the_kiosk_counts_what_its_total_holds_and_says_what_not(app: Flask, shop: Shop) -> None:
    add_platform(app, app.test_client(), "corner", kiosk=True)
    kiosk = Browser(app, language="de")
    for sku in ("mug", "hat"):
        identifier = shop.product(sku, price=1000)
        kiosk.submit("/kiosk/corner", "/kiosk/corner", product_id=identifier)
    shop.product("hat", price=1000, stock_count=0)

    said = text_of(kiosk.get("/kiosk/corner")).replace("\xa0", " ")

    assert "1 Artikel 10,00 € inkl. MwSt. und Versand 1 gerade nicht zu haben" in said


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Price changed: €29.00 instead of €12.50"),
        ("de", "Preis geändert: 29,00 € statt 12,50 €"),
    ],
)
@pytest.mark.parametrize("count", [2, 0], ids=["in the basket", "saved"])
def test_both_prices_are_said_when_one_has_changed(
    app: Flask, alice: User, mug: str, shop: Shop, *, language: str, words: str, count: int
) -> None:
    alice.put(mug, count)
    shop.product("mug", name="Blue Mug", price=2900)

    assert words in taken(app, alice, language)


def test_another_currency_is_another_price(app: Flask, alice: User, mug: str, shop: Shop) -> None:
    shop.product("mug", name="Blue Mug", price=1250, currency="GBP")

    assert "Price changed: £12.50 instead of €12.50" in taken(app, alice)


def test_what_has_no_price_any_more_has_no_changed_price(
    app: Flask, alice: User, mug: str, shop: Shop
) -> None:
    shop.product("mug", name="Blue Mug", price=None)

    said = taken(app, alice)

    assert "Can't be bought at the moment" in said
    assert "Price changed" not in said


@pytest.mark.parametrize(
    ("language", "since", "alone"),
    [("en", "Now sold out", "Sold out"), ("de", "Inzwischen ausverkauft", "Ausverkauft")],
)
def test_what_is_sold_out_since_it_was_picked_says_so(
    app: Flask, alice: User, hat: str, *, language: str, since: str, alone: str
) -> None:
    assert since in taken(app, alice, language)
    alice.put(hat, 0)

    said = taken(app, alice, language)

    assert since not in said
    assert alone in said


def test_where_there_is_less_than_was_picked_large_screens_say_so_too(
    app: Flask, alice: User, shop: Shop
) -> None:
    few = "Only 12 left, and you have 500"
    mug = shop.product("mug", stock_count=12)
    alice.put(mug, 500)
    add_platform(app, app.test_client(), "corner", kiosk=True)
    kiosk = Browser(app)
    for _ in range(2):
        kiosk.submit("/kiosk/corner", product_id=mug)
    assert "left" not in text_of(kiosk.get("/kiosk/corner/picked"))
    shop.product("mug", stock_count=1)

    assert "Only 1 left, and you have 2" in text_of(kiosk.get("/kiosk/corner/picked"))
    shop.product("mug", stock_count=12)
    assert few in text_of(Browser(app).get(alice.transfer()["displayUrl"]))


def test_each_sum_says_what_comes_to_it(app: Flask, alice: User, shop: Shop) -> None:
    mug = shop.product("mug", price=1000, shipping={"shippingFlatRate": 490})
    alice.put(mug)
    add_platform(app, app.test_client(), "corner", kiosk=True)
    kiosk = Browser(app)
    kiosk.submit("/kiosk/corner", product_id=mug)
    offer = alice.transfer()

    for page in (
        Browser(app).get(offer["displayUrl"]),
        kiosk.get("/kiosk/corner"),
        kiosk.get("/kiosk/corner/picked"),
    ):
        assert "€10.00 incl. VAT, plus shipping" in text_of(page)
    claim = text_of(Browser(app).get(offer["url"]))
    assert "Total €10.00 incl. VAT, plus shipping" in claim
    assert "Nothing is bought yet." in claim
    assert "The picture on the TV is another one" in claim
    assert "Shipping €4.90 Total €14.90" in taken(app, alice)
    shop.product("mug", price=1000, shipping={})
    assert "Shipping free Total €10.00" in taken(app, alice)


def test_pages_look_up_what_they_show(
    app: Flask, alice: User, mug: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for saved in shop.products(5, "pen"):
        alice.put(saved, 0)
    offer, phone = alice.transfer(), Browser(app)
    asked: list[str] = []
    find_many = catalogue.find_many

    def finding(connection: Connection, ids: Sequence[str], **more: Any) -> Any:
        asked.extend(ids)
        return find_many(connection, ids, **more)

    monkeypatch.setattr(catalogue, "find_many", finding)
    phone.get(offer["displayUrl"])
    phone.take(offer)
    assert "5 saved" in text_of(phone.get("/baskets"))
    assert set(asked) == {mug}

    phone.get("/basket")
    assert len(set(asked)) == 6
