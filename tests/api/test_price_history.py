"""The history of prices: each door that sets one keeps the last one, and reductions go by it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, func, select, update

from jay import db
from jay.products.models import microseconds, products
from jay.products.price_history import Changes
from jay.products.price_merging import MOST_KEPT
from jay.products.prices import price_history
from tests.api.feed import details, post
from tests.builders import Platform, Shop, User
from tests.cli.conftest import runner_of
from tests.clock import NOON, MovedClock

MUG = "mugshop/de-DE/mug"


@pytest.fixture
def alice(platform: Platform) -> User:
    """Return a user whose token lasts as long as these tests do."""
    token = platform.token("alice", expires_in=10 * 365 * 24 * 3600)
    return User(platform, "alice", token)


def patch(shop: Shop, sku: str = "mug", **fields: Any) -> None:
    top = {name: fields.pop(name) for name in ("currency", "asOf") if name in fields}
    body = {**top, "products": [{"sku": sku, **fields}]}
    assert shop.call("PATCH", "/shops/products", json=body).status_code == 200


def lowest(user: User, product_id: str = MUG) -> Any:
    return details(user, product_id)["lowestPrice30"]


def intervals(app: Flask) -> int:
    with app.app_context(), db.reading() as connection:
        query = select(func.count()).select_from(price_history)
        return int(connection.execute(query).scalar_one())


@pytest.mark.parametrize("door", ["post", "patch", "import", "sale"])
def test_each_door_keeps_what_it_cost_before(
    shop: Shop, alice: User, clock: MovedClock, tmp_path: Path, door: str
) -> None:
    app = shop.app
    post(shop, price=1000)
    clock.now += timedelta(days=50)
    assert lowest(alice) is None

    if door == "post":
        post(shop, price=800, orgPrice=1200)
    elif door == "patch":
        patch(shop, price=800, orgPrice=1200)
    elif door == "sale":
        post(shop, price=1000, sale={"price": 800})
    else:
        file = tmp_path / "all.csv"
        file.write_text("sku,name,price,orgPrice\nmug,Mug,800,1200\n")
        assert runner_of(app)("products", "import", "mugshop", str(file)).exit_code == 0
    clock.now += timedelta(days=40)

    found = details(alice, MUG)
    assert (found["price"], found["lowestPrice30"]) == (800, 1000)
    assert intervals(app) == 1


def test_a_price_before_that_nobody_has_seen_is_not_told(shop: Shop, alice: User) -> None:
    post(shop, price=800, orgPrice=1200, variants=[{"sku": "v", "price": 700, "orgPrice": 900}])

    found = details(alice, MUG)
    assert (found["orgPrice"], found["lowestPrice30"]) == (1200, None)
    assert found["variants"][0]["lowestPrice30"] is None


def test_only_a_change_of_the_price_is_kept(app: Flask, shop: Shop, clock: MovedClock) -> None:
    offer: dict[str, Any] = {"price": 800, "variants": [{"sku": "v", "stockCount": 1}]}
    for number in range(3):
        clock.now += timedelta(hours=1)
        post(shop, **offer, stockCount=number, description=f"Number {number}")
        patch(shop, price=800, stockCount=number, currency="EUR")
        patch(shop, "v", stockCount=number)

    assert intervals(app) == 0
    patch(shop, price=801)
    assert intervals(app) == 1


def test_late_news_does_not_get_into_the_history(
    app: Flask, shop: Shop, alice: User, clock: MovedClock
) -> None:
    post(shop, price=1000)
    clock.now += timedelta(days=1)

    patch(shop, price=1, asOf=(NOON - timedelta(hours=1)).isoformat())
    patch(shop, price=800, orgPrice=1000, asOf=NOON.isoformat())

    assert (intervals(app), lowest(alice)) == (1, 1000)


def test_a_variant_is_told_of_by_its_own_history_or_its_products(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    variants = [{"sku": "own", "price": 1500}, {"sku": "takes"}]
    post(shop, price=1000, variants=variants)
    clock.now += timedelta(days=9)
    patch(shop, price=800, orgPrice=1000)
    patch(shop, "own", price=1300, orgPrice=1500)

    shown = details(alice, MUG)["variants"]

    assert [one["lowestPrice30"] for one in shown] == [1500, 1000]
    assert lowest(alice, "mugshop/de-DE/own") == 1500
    assert lowest(alice, "mugshop/de-DE/takes") == 1000


def test_a_product_keeps_its_history_when_it_is_taken_out_comes_back_or_joins_a_group(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    post(shop, price=1000)
    clock.now += timedelta(days=9)
    assert shop.call("DELETE", "/shops/products/mug").status_code == 200
    clock.now += timedelta(days=1)
    post(shop, price=800, orgPrice=1000)
    assert lowest(alice) == 1000

    post(shop, sku="cups", price=5, variants=[{"sku": "mug", "price": 700, "orgPrice": 1000}])
    assert lowest(alice) == 1000


def test_who_takes_the_price_of_another_product_begins_anew(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    post(shop, sku="cups", price=2000, variants=[{"sku": "mug"}])
    post(shop, sku="pots", price=900)
    clock.now += timedelta(days=9)
    patch(shop, "pots", price=800, orgPrice=900)

    post(shop, sku="pots", variants=[{"sku": "mug"}])
    assert (details(alice, MUG)["price"], lowest(alice)) == (800, None)

    clock.now += timedelta(days=9)
    patch(shop, "pots", price=900)
    patch(shop, "pots", price=850, orgPrice=900)
    clock.now += timedelta(days=1)
    assert lowest(alice) == 800


def test_other_money_begins_anew(app: Flask, shop: Shop, alice: User, clock: MovedClock) -> None:
    post(shop, price=1000)
    clock.now += timedelta(days=9)
    assert runner_of(app)("merchant", "change", "mugshop", "--currency", "GBP").exit_code == 0
    patch(shop, price=800, orgPrice=1000)
    assert lowest(alice) is None

    clock.now += timedelta(days=9)
    patch(shop, price=700, orgPrice=1000, currency="USD")
    assert lowest(alice) is None


@pytest.mark.parametrize("days", [-400, -1])
def test_a_clock_that_was_ahead_ends_what_it_has_written(
    shop: Shop, alice: User, clock: MovedClock, days: int
) -> None:
    post(shop, price=1000)
    clock.now += timedelta(days=500)
    patch(shop, price=500)
    patch(shop, price=900)
    clock.now += timedelta(days=days)
    assert lowest(alice) is None

    patch(shop, price=800, orgPrice=1000)

    assert lowest(alice) == 900
    clock.now += timedelta(days=35)
    patch(shop, price=850)
    clock.now += timedelta(days=1)
    patch(shop, price=700, orgPrice=1000)
    assert lowest(alice) == 800


def test_what_a_clock_ahead_has_written_of_the_future_is_taken_back(
    app: Flask, shop: Shop, alice: User, clock: MovedClock
) -> None:
    post(shop, price=1000)
    clock.now += timedelta(days=500)
    for price in (400, 500, 600):
        patch(shop, price=price)
        clock.now += timedelta(hours=1)
    clock.now -= timedelta(days=400)

    patch(shop, price=800, orgPrice=1000)

    with app.app_context(), db.reading() as connection:
        rows = connection.execute(select(price_history.c.since, price_history.c.until)).all()
    assert sorted(row.until for row in rows) == [microseconds(clock.now)] * 2
    assert all(row.since < row.until for row in rows)
    assert lowest(alice) == 600


def test_history_goes_when_no_reduction_can_be_told_of_by_it(
    app: Flask, shop: Shop, alice: User, clock: MovedClock
) -> None:
    for sku in ("mug", "cup", "pot"):
        post(shop, sku=sku, price=1000)
    clock.now += timedelta(minutes=1)
    for sku in ("mug", "cup"):
        patch(shop, sku, price=800, orgPrice=1000)
    post(shop, sku="pot", price=1000, sale={"price": 900})
    clock.now += timedelta(days=29)
    patch(shop, "cup", price=900, orgPrice=900)

    run, left = runner_of(app), []
    for days in (0, 2, 40, 400):
        clock.now += timedelta(days=days)
        assert run("baskets", "purge").exit_code == 0
        left.append((intervals(app), lowest(alice), lowest(alice, "mugshop/de-DE/pot")))

    # Of the cup nothing is needed 30 days after it cost that; a reduction goes on for a year.
    assert left == [(4, 1000, 1000), (3, 1000, 1000), (2, 1000, 1000), (0, None, None)]


def change_all_the_time(app: Flask, clock: MovedClock, prices: list[tuple[int, str | None]]) -> int:
    """Set these prices of the mug, one each 15 minutes; return how many intervals were the most."""
    product = products.c.id == MUG

    def change(connection: Connection) -> int:
        most = 0
        query = select(products.c.priced_since, products.c.price, products.c.currency)
        since, price, currency = connection.execute(query.where(product)).one()
        for each, money in prices:
            clock.now += timedelta(minutes=15)
            changes = Changes(clock.now)
            changes.change(MUG, since, (price, None, None, None, None, currency, None))
            changes.write(connection)
            since, price, currency = microseconds(clock.now), each, money
            if since % 7 == 0:
                count = select(func.count()).select_from(price_history)
                most = max(most, connection.execute(count).scalar_one())
        values = {"priced_since": since, "price": price, "currency": currency}
        connection.execute(update(products).where(product).values(values))
        return most

    with app.app_context():
        return db.write(change)


def test_three_thousand_prices_of_a_month_leave_few_rows_and_the_lowest_one(
    app: Flask, shop: Shop, alice: User, clock: MovedClock
) -> None:
    post(shop, price=500)
    prices = [1001 + at * 7919 % 500 for at in range(3_000)]
    prices[2_000] = 1000

    most = change_all_the_time(app, clock, [(price, None) for price in prices])
    patch(shop, price=800, orgPrice=1200)

    assert lowest(alice) == 1000
    assert max(most, intervals(app)) <= MOST_KEPT


def test_of_more_prices_than_are_kept_none_is_told(
    app: Flask, shop: Shop, alice: User, clock: MovedClock
) -> None:
    post(shop, price=1000)
    other = [(1000 + at, ("EUR", "USD")[at % 2]) for at in range(150)]

    most = change_all_the_time(app, clock, other)
    patch(shop, price=800, orgPrice=1200)

    assert lowest(alice) is None
    assert max(most, intervals(app)) == MOST_KEPT + 1
