"""Sales for a time: they begin and end by themselves, wherever a price is shown."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from jay import db
from jay.products import catalogue, wall
from jay.products.catalogue import Filters
from tests.api.checks import field_errors
from tests.api.feed import details, post, stored
from tests.builders import Shop, User
from tests.cli.conftest import runner_of
from tests.clock import NOON, MovedClock

QUARTER = timedelta(minutes=15)
SALE = {
    "price": 1500,
    "from": (NOON + QUARTER).isoformat(),
    "until": (NOON + 3 * QUARTER).isoformat(),
}
QUARTERS = [(0, 2000), (1, 1500), (2, 1500), (3, 2000)]


def prices(user: User, product_id: str) -> tuple[int, int]:
    found = details(user, product_id)
    return found["price"], found["orgPrice"]


@pytest.mark.parametrize(("quarter", "price"), QUARTERS)
def test_a_sale_begins_and_ends_by_itself(
    shop: Shop, alice: User, clock: MovedClock, quarter: int, price: int
) -> None:
    mug = post(shop, price=2000, sale=SALE)

    clock.now = NOON + quarter * QUARTER

    assert prices(alice, mug) == (price, 2000)


@pytest.mark.parametrize(("quarter", "price"), QUARTERS)
def test_variants_have_a_sale_of_their_own_or_that_of_their_product(
    shop: Shop, alice: User, clock: MovedClock, quarter: int, price: int
) -> None:
    own = {"sku": "mug-S", "price": 3000, "sale": {**SALE, "price": 2500}}
    mug = post(shop, price=2000, sale=SALE, variants=[own, {"sku": "mug-M"}])

    clock.now = NOON + quarter * QUARTER

    assert prices(alice, "mugshop/de-DE/mug-S") == (price + 1000, 3000)
    assert prices(alice, "mugshop/de-DE/mug-M") == (price, 2000)
    shown = details(alice, mug)["variants"]
    assert [(one["price"], one["orgPrice"]) for one in shown] == [
        (price + 1000, 3000),
        (price, 2000),
    ]


@pytest.mark.parametrize(
    ("sale", "price"),
    [
        ({"price": 1500, "until": SALE["until"]}, 1500),
        ({"price": 1500, "from": SALE["from"]}, 2000),
        ({"price": 1500}, 1500),
        ({"price": 2000}, 2000),
        ({"price": 2500}, 2000),
    ],
)
def test_either_end_may_be_missing_and_a_sale_is_below_its_price(
    shop: Shop, alice: User, sale: dict[str, Any], price: int
) -> None:
    assert prices(alice, post(shop, price=2000, sale=sale))[0] == price


def test_a_sale_without_end_in_the_last_year_is_read_back(shop: Shop) -> None:
    ends = {"from": "0001-01-01T00:00:00+14:00", "until": "9999-12-31T23:59:59-14:00"}
    post(shop, price=2000, sale={"price": 1500, **ends})

    told = shop.call("GET", "/shops/products/mug").json["data"]["sale"]

    assert told["price"] == 1500
    assert told["from"] == "0001-01-01T00:00:00Z"
    assert told["until"] == "9999-12-31T23:59:59.999999Z"


def test_whoever_sets_the_price_anew_ends_the_sale(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    mug = post(shop, price=2000, sale=SALE)
    clock.now = NOON + 2 * QUARTER

    shop.call("PATCH", "/shops/products", json={"products": [{"sku": "mug", "stockCount": 5}]})
    assert prices(alice, mug)[0] == 1500
    post(shop)
    assert prices(alice, mug)[0] == 1500
    shop.call("PATCH", "/shops/products", json={"products": [{"sku": "mug", "price": 1900}]})
    assert prices(alice, mug)[0] == 1900

    post(shop, price=2000, sale=SALE)
    assert prices(alice, mug)[0] == 1500
    post(shop, price=2000)
    assert prices(alice, mug)[0] == 2000


def test_the_catalogue_and_the_kiosk_show_what_it_costs_now(app: Flask, shop: Shop) -> None:
    mug = post(shop, price=2000, sale=SALE, variants=[{"sku": "v"}])
    shown = []
    for quarter in (0, 2, 4):
        now = NOON + quarter * QUARTER
        with app.app_context(), db.reading() as connection:
            page = catalogue.find_page(connection, Filters(), now=now)
            item = catalogue.find_item(connection, mug, now=now)
            tiles, _ = wall.find_page(
                connection, lang="de", country="DE", offset=0, limit=9, now=now
            )
        assert item is not None
        found = (page.items[0], item)
        offered = [one.product for each in found for one in (each.main, *each.variants)]
        shown.append({one.price for one in (*offered, *tiles)})

    assert shown == [{2000}, {1500}, {2000}]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("sale", "field"),
    [
        ({}, "sale"),
        ({"price": -1}, "sale"),
        ({"price": 10**12 + 1}, "sale"),
        ({"price": 1, "until": "tomorrow"}, "sale"),
        ({"price": 1, "until": "2025-06-04T12:00:00"}, "sale"),
        ({"price": 1, "to": None}, "sale"),
        (None, "sale"),
    ],
)
def test_what_is_no_sale_is_refused(shop: Shop, sale: Any, field: str) -> None:
    assert list(field_errors(stored(shop, price=2000, sale=sale))) == [field]


def test_an_export_brings_a_sale_back(
    app: Flask, shop: Shop, alice: User, clock: MovedClock, tmp_path: Path
) -> None:
    mug = post(
        shop, price=2000, sale=SALE, variants=[{"sku": "v", "price": 9, "sale": {"price": 5}}]
    )
    run, file = runner_of(app), tmp_path / "all.jsonl"
    assert run("products", "export", "mugshop", str(file)).exit_code == 0
    line = json.loads(file.read_bytes())
    assert line["sale"] == {
        "price": 1500,
        "from": SALE["from"].replace("+00:00", "Z"),
        "until": SALE["until"].replace("+00:00", "Z"),
    }
    post(shop, price=1, variants=[])

    clock.now = NOON + 2 * QUARTER
    assert run("products", "import", "mugshop", str(file)).exit_code == 0

    assert prices(alice, mug) == (1500, 2000)
    assert prices(alice, "mugshop/de-DE/v") == (5, 9)


def test_a_sale_of_a_feed_ends_without_another_import(
    app: Flask, shop: Shop, alice: User, clock: MovedClock, tmp_path: Path
) -> None:
    end = (NOON + timedelta(seconds=25)).strftime("%Y-%m-%dT%H:%M:%S+0000")
    file = tmp_path / "sale.xml"
    file.write_text(
        '<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>E1</g:id>'
        "<g:title>Tasse</g:title><g:price>20 EUR</g:price><g:sale_price>15 EUR</g:sale_price>"
        "<g:sale_price_effective_date>2025-05-01T00:00+0100/"
        f"{end}</g:sale_price_effective_date></item></channel></rss>"
    )
    assert runner_of(app)("products", "import", "mugshop", str(file)).exit_code == 0

    assert prices(alice, "mugshop/de-DE/E1") == (1500, 2000)
    clock.now = NOON + timedelta(seconds=25)
    assert prices(alice, "mugshop/de-DE/E1") == (2000, 2000)
