"""The migration that begins the history of prices."""

from datetime import timedelta

import alembic.command
import pytest
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import select

from jay import db
from jay.merchants.models import merchants
from jay.ops.cli import alembic_config
from jay.products.models import moment_of, products
from tests.api.feed import details, post
from tests.builders import User, add_platform, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import MovedClock


def test_what_is_there_begins_its_history_and_keeps_what_its_price_before_is(
    new_app: Flask, new_database_url: str
) -> None:
    run: Run = runner_of(new_app)
    shop = add_shop(new_app, new_app.test_client())
    alice = add_platform(new_app, new_app.test_client()).user()
    mug = post(shop, price=1000, orgPrice=1200)
    post(shop, sku="cup", price=1000, orgPrice=1200, orgPriceKind="rrp", variants=[{"sku": "v"}])

    alembic.command.downgrade(alembic_config(new_database_url), "0036")
    assert run("db", "upgrade").exit_code == 0

    with new_app.app_context(), db.reading() as connection:
        query = select(products.c.sku, products.c.priced_since, products.c.rrp)
        rows = {row.sku: row for row in connection.execute(query)}
    assert {sku: row.rrp for sku, row in rows.items()} == {"mug": None, "cup": True, "v": None}
    assert None not in {row.priced_since for row in rows.values()}
    assert details(alice, mug)["lowestPrice30"] is None
    post(shop, price=800, orgPrice=1000)
    assert details(alice, mug)["lowestPrice30"] is None
    post(shop, price=800)
    post(shop, price=700, orgPrice=1000)
    assert details(alice, mug)["lowestPrice30"] is None


@pytest.mark.parametrize("empty_database_url", ["postgresql"], indirect=True)
def test_descriptions_are_read_in_ranges_that_hold_each_product_once(
    empty_app: Flask, empty_database_url: str
) -> None:
    assert runner_of(empty_app)("db", "upgrade").exit_code == 0
    shop = add_shop(empty_app, empty_app.test_client())
    ids = sorted(shop.product(f"sku {number}") for number in range(5))
    script = ScriptDirectory.from_config(alembic_config(empty_database_url)).get_revision("0037")

    with empty_app.app_context(), db.reading() as connection:
        found = list(script.module._ranges(connection, 2))

    assert found == [("", ids[1]), (ids[1], ids[3]), (ids[3], ids[4])]


def test_what_was_there_has_no_struck_price_until_30_days_are_known(
    new_app: Flask, new_database_url: str, clock: MovedClock
) -> None:
    run: Run = runner_of(new_app)
    shop = add_shop(new_app, new_app.test_client())
    platform = add_platform(new_app, new_app.test_client())
    alice = User(platform, "alice", platform.token("alice", expires_in=10 * 365 * 24 * 3600))
    post(shop, price=1000)  # a week ago it cost less, but who knows
    alembic.command.downgrade(alembic_config(new_database_url), "0036")
    assert run("db", "upgrade").exit_code == 0
    with new_app.app_context(), db.reading() as connection:
        since = connection.execute(select(merchants.c.prices_since)).scalar_one()
    upgrade = moment_of(since)

    def told(days: int, sku: str, price: int, **compared: int) -> object:
        clock.now = upgrade + timedelta(days=days)
        post(shop, sku=sku, price=price, **compared)
        return details(alice, f"mugshop/de-DE/{sku}")["lowestPrice30"]

    assert told(1, "mug", 800, orgPrice=1000) is None
    told(1, "cup", 1000)
    assert told(2, "cup", 800, orgPrice=1000) == 1000
    told(3, "mug", 1000)
    assert told(29, "mug", 900, orgPrice=1000) is None
    told(30, "mug", 1000)
    assert told(31, "mug", 900, orgPrice=1000) == 800
