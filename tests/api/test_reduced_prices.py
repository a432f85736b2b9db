"""Reductions, recommended prices and prices of a unit, as the law asks, wherever a price is."""

from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.browser import Browser, text_of
from tests.api.feed import post
from tests.builders import Shop, User, add_platform
from tests.clock import MovedClock
from tests.conftest import Apps

WINE = {"basePrice": {"content": 0.75, "unit": "l"}}
MUG = "mugshop/de-DE/mug"


def said(page: TestResponse) -> str:
    assert page.status_code == 200
    return text_of(page).replace("\xa0", " ")


@pytest.fixture
def phone(app: Flask) -> Browser:
    return Browser(app, language="de")


def reduce(shop: Shop, clock: MovedClock) -> None:
    """Let a bottle cost 20 euros, and half an hour later 15, instead of 30 as the feed says."""
    post(shop, price=2000, stockCount=9, **WINE)
    clock.now += timedelta(minutes=30)
    post(shop, price=1500, orgPrice=3000, stockCount=9, **WINE)


def test_the_phone_strikes_the_lowest_price_of_30_days_and_tells_so(
    shop: Shop, alice: User, phone: Browser, clock: MovedClock
) -> None:
    reduce(shop, clock)
    alice.put(MUG, 2)
    offer = alice.transfer()

    claim = said(phone.look(offer))
    phone.take(offer)
    basket, details = said(phone.get("/basket")), said(phone.get(f"/basket/products/{MUG}"))

    told = "Niedrigster Preis der letzten 30 Tage: 20,00 €"
    assert "Du sparst 10,00 € gegenüber dem niedrigsten 30-Tage-Preis" in claim
    assert "30,00 € je 15,00 € vorher: 20,00 € 20,00 €/l " + told in basket
    assert "Du sparst gegenüber dem niedrigsten Preis der letzten 30 Tage 10,00 €" in basket
    assert "15,00 € vorher: 20,00 € 20,00 €/l inkl. MwSt., zzgl. Versand " + told in details


def test_the_catalogue_does(apps: Apps, shop: Shop, database_url: str, clock: MovedClock) -> None:
    reduce(shop, clock)
    desk = Browser(apps.on(database_url, demo=True), language="de")

    shown = said(desk.get("/catalogue"))

    assert "15,00 € vorher: 20,00 € 20,00 €/l niedrigster Preis der letzten 30 Tage" in shown
    assert "Mitgeschickter Preis zum Vergleich 30,00 €" in said(desk.get(f"/catalogue/{MUG}"))


def test_the_kiosk_does(app: Flask, shop: Shop, phone: Browser, clock: MovedClock) -> None:
    add_platform(app, app.test_client(), "corner", kiosk=True)
    reduce(shop, clock)

    wall = said(phone.get("/kiosk/corner"))

    assert "Durchgestrichen: niedrigster Preis der letzten 30 Tage" in wall
    assert "15,00 € 20,00 €/l vorher: 20,00 €" in wall


@pytest.mark.parametrize(("other", "struck"), [(1000, True), (800, False)])
def test_the_kiosk_strikes_a_price_for_all_sizes_only_if_it_is_theirs(
    shop: Shop, phone: Browser, clock: MovedClock, other: int, struck: bool
) -> None:
    add_platform(shop.app, shop.app.test_client(), "corner", kiosk=True)
    post(shop, price=1000, variants=[{"sku": "a"}, {"sku": "b", "price": other}])
    clock.now += timedelta(minutes=30)
    reduced = {"price": 800, "orgPrice": 1000}
    post(shop, **reduced, variants=[{"sku": "a"}, {"sku": "b", **reduced}])

    wall = said(phone.get("/kiosk/corner"))
    choose = said(phone.get(f"/kiosk/corner/choose?product={MUG}&page=1"))

    assert ["vorher: 10,00 €" in page for page in (wall, choose)] == [struck, struck]
    assert "8,00 €" in wall


@pytest.mark.parametrize(
    ("given", "price"),
    [
        ({"price": 1500, "orgPrice": 3000}, "15,00 €"),
        ({"price": 1500, "orgPrice": 3000, "orgPriceKind": "rrp"}, "15,00 € UVP 30,00 €"),
        ({"price": 1500, "orgPrice": 1500, "orgPriceKind": "rrp"}, "15,00 €"),
        ({"price": 1500, "basePrice": {"content": 12, "unit": "piece"}}, "15,00 € 1,25 €/Stück"),
        ({"price": 1500, "basePrice": {"content": 1, "unit": "kg"}}, "15,00 €"),
        ({"price": 1500, "basePrice": {"content": 2.5, "unit": "m2"}}, "15,00 € 6,00 €/m²"),
        ({"price": 1000, "basePrice": {"content": 0.7, "unit": "l"}}, "10,00 € 14,29 €/l"),
    ],
)
def test_nothing_is_struck_of_which_nobody_knows_what_it_cost(
    shop: Shop, alice: User, phone: Browser, given: dict[str, object], price: str
) -> None:
    post(shop, **given)
    alice.put(MUG)
    phone.take(alice.transfer())

    shown = said(phone.get(f"/basket/products/{MUG}"))

    assert f"Mug {price} inkl. MwSt." in shown
    assert "Niedrigster" not in shown
    assert "Du sparst" not in said(phone.get("/basket"))
