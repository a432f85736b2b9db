"""The migration that writes SKUs of before as they are sent today."""

from typing import Any

import alembic.command
from flask import Flask
from sqlalchemy import select, text

from jay import db
from jay.ops.cli import alembic_config
from jay.products.models import products
from jay.products.wanted import wanted_skus
from tests.builders import add_platform, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON

BEFORE = "0016"
PREFIX = "mugshop/de-DE/"
# As they were stored once, by what they are today.
ODD = {"P": "P ", "M": "\u00a0M", "V-S": "V-S\u200b", "\u00fc": "u\u0308", "C": None}


def test_skus_of_before_are_those_of_today_in_catalogue_baskets_and_wishes(
    empty_app: Flask, empty_database_url: str
) -> None:
    run: Run = runner_of(empty_app)
    run("db", "upgrade")
    client = empty_app.test_client()
    shop = add_shop(empty_app, client)
    alice = add_platform(empty_app, client).user()
    shop.product("P")
    shop.product("M", variants=[{"sku": "M-S"}])
    shop.product("V", variants=[{"sku": "V-S"}])
    shop.product("\u00fc")
    shop.product("C", price=900)
    shop.product("D", price=100)
    for sku, count in (("P", 2), ("C", 3), ("D", 4), ("V-S", 1)):
        assert alice.put(PREFIX + sku, count).status_code == 200
    alembic.command.downgrade(alembic_config(empty_database_url), BEFORE)
    with empty_app.app_context(), db.transaction() as connection:
        for sku, old in {**ODD, "D": "C "}.items():
            if old is not None:
                _rename(connection, sku, old)
        for sku in ("W ", "W", "\ufeffX"):
            wish = {"merchant_id": 1, "lang": "de", "country": "DE", "sku": sku, "wanted": NOON}
            connection.execute(wanted_skus.insert().values(wish))

    assert run("db", "upgrade").exit_code == 0

    with empty_app.app_context(), db.reading() as connection:
        rows = {row.id: row for row in connection.execute(select(products))}
        wishes = sorted(connection.execute(select(wanted_skus.c.sku)).scalars())
    assert set(rows) == {PREFIX + sku for sku in ("P", "M", "M-S", "V", "V-S", "\u00fc", "C")}
    assert {row.sku for row in rows.values()} == {name.removeprefix(PREFIX) for name in rows}
    assert (rows[PREFIX + "M-S"].main_id, rows[PREFIX + "V-S"].main_id) == (
        PREFIX + "M",
        PREFIX + "V",
    )
    assert rows[PREFIX + "C"].price == 900
    assert alice.cart() == {PREFIX + "P": 2, PREFIX + "C": 3, PREFIX + "V-S": 1}
    assert wishes == ["W", "X"]
    assert shop.product("P") == PREFIX + "P"


def _rename(connection: Any, sku: str, old: str) -> None:
    """Write a SKU and its id as an older program has stored them."""
    new_id, old_id = PREFIX + sku, PREFIX + old
    names = {"sku": sku, "old": old, "new_id": new_id, "old_id": old_id}
    children = connection.execute(
        text("SELECT id FROM products WHERE main_id = :new_id"), names
    ).scalars()
    for child in list(children):
        connection.execute(text("UPDATE products SET main_id = NULL WHERE id = :id"), {"id": child})
        names["child"] = child
    change = "UPDATE products SET id = :old_id, sku = :old WHERE id = :new_id"
    connection.execute(text(change), names)
    if "child" in names:
        connection.execute(text("UPDATE products SET main_id = :old_id WHERE id = :child"), names)
    kind = "jsonb" if connection.dialect.name == "postgresql" else "TEXT"
    written = "replace(CAST(entries AS TEXT), CAST(:new AS TEXT), CAST(:old AS TEXT))"
    connection.execute(
        text(f"UPDATE baskets SET entries = CAST({written} AS {kind})"),
        {"new": f'"{new_id}"', "old": f'"{old_id}"'},
    )
