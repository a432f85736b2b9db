"""The migration that writes SKUs of before as they are sent today."""

from typing import Any

import alembic.command
from flask import Flask
from sqlalchemy import select, text

from jay import db
from jay.ops.cli import alembic_config
from jay.products.models import brand_name, products
from jay.products.search import search_text
from jay.products.wanted import wanted_skus
from tests.builders import add_platform, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON

BEFORE = "0016"
PREFIX = "mugshop/de-DE/"
# As they were stored once, by what they are today.
ODD = {"P": "P ", "M": "\u00a0M", "V-S": "V-S\u200b", "\u00fc": "u\u0308", "C": None}


def test_skus_of_before_are_those_of_today_in_catalogue_baskets_and_wishes(
    new_app: Flask, new_database_url: str
) -> None:
    run: Run = runner_of(new_app)
    client = new_app.test_client()
    shop = add_shop(new_app, client)
    alice = add_platform(new_app, client).user()
    shop.product("P")
    shop.product("M", variants=[{"sku": "M-S"}])
    shop.product("V", variants=[{"sku": "V-S"}])
    shop.product("\u00fc")
    shop.product("C", price=900)
    shop.product("D", price=100)
    shop.product("E", price=700)
    shop.product("F", price=800)
    assert shop.call("DELETE", "/shops/products/E").status_code == 200
    for sku, count in (("C", 0), ("D", 4), ("P", 2), ("V-S", 1), ("F", 1)):
        assert alice.put(PREFIX + sku, count).status_code == 200
    alembic.command.downgrade(alembic_config(new_database_url), BEFORE)
    with new_app.app_context(), db.transaction() as connection:
        for sku, old in {**ODD, "D": "C ", "F": "E "}.items():
            if old is not None:
                _rename(connection, sku, old)
        for old in ODD.values():
            spoil = "UPDATE products SET search = search || :old WHERE search IS NOT NULL"
            connection.execute(text(spoil), {"old": old or ""})
        for sku in ("W ", "W", "\ufeffX"):
            wish = {"merchant_id": 1, "lang": "de", "country": "DE", "sku": sku, "wanted": NOON}
            connection.execute(wanted_skus.insert().values(wish))

    assert run("db", "upgrade").exit_code == 0

    with new_app.app_context(), db.reading() as connection:
        rows = {row.id: row for row in connection.execute(select(products))}
        wishes = sorted(connection.execute(select(wanted_skus.c.sku)).scalars())
    assert set(rows) == {PREFIX + sku for sku in ("P", "M", "M-S", "V", "V-S", "\u00fc", "C", "E")}
    assert {row.sku for row in rows.values()} == {name.removeprefix(PREFIX) for name in rows}
    assert (rows[PREFIX + "M-S"].main_id, rows[PREFIX + "V-S"].main_id) == (
        PREFIX + "M",
        PREFIX + "V",
    )
    assert rows[PREFIX + "C"].price == 900
    # What is sold wins over what was taken out, and a count over what is saved for later.
    assert (rows[PREFIX + "E"].price, rows[PREFIX + "E"].removed) == (800, False)
    cart = {PREFIX + sku: count for sku, count in (("C", 4), ("P", 2), ("V-S", 1), ("E", 1))}
    assert alice.cart() == cart
    with new_app.app_context(), db.reading() as connection:
        for sku in ("P", "M", "V", "\u00fc"):
            family = [row.sku for row in rows.values() if row.main_id == PREFIX + sku]
            name, brand = rows[PREFIX + sku].name, brand_name(rows[PREFIX + sku].description or {})
            found_by = search_text(name=name, brand=brand, sku=sku, variants=family)
            assert rows[PREFIX + sku].search == found_by
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
