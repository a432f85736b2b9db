"""The migration that begins the history of prices."""

import alembic.command
from flask import Flask
from sqlalchemy import select

from jay import db
from jay.ops.cli import alembic_config
from jay.products.models import products
from tests.api.feed import details, post
from tests.builders import add_platform, add_shop
from tests.cli.conftest import Run, runner_of


def test_what_is_there_begins_its_history_and_keeps_what_its_price_before_is(
    empty_app: Flask, empty_database_url: str
) -> None:
    run: Run = runner_of(empty_app)
    run("db", "upgrade")
    shop = add_shop(empty_app, empty_app.test_client())
    alice = add_platform(empty_app, empty_app.test_client()).user()
    mug = post(shop, price=1000, orgPrice=1200)
    post(shop, sku="cup", price=1000, orgPrice=1200, orgPriceKind="rrp", variants=[{"sku": "v"}])

    alembic.command.downgrade(alembic_config(empty_database_url), "0036")
    assert run("db", "upgrade").exit_code == 0

    with empty_app.app_context(), db.reading() as connection:
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
