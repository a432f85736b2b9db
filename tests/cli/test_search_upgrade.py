"""The migration that lets products be found by words."""

import alembic.command
from flask import Flask
from sqlalchemy import select

from jay import db
from jay.ops.cli import alembic_config
from jay.products.models import products
from tests.builders import add_shop
from tests.cli.conftest import Run, runner_of

BEFORE = "0005"


def test_what_was_stored_before_is_found_as_what_comes_after(
    new_app: Flask, new_database_url: str
) -> None:
    run: Run = runner_of(new_app)
    run("demo", "load")
    shop = add_shop(new_app, new_app.test_client())
    shop.product(
        "Ä 1",
        name="Große \U0001f600" * 400,
        description={"brand": {"name": "Crème", "logoUrl": None}},
        variants=[{"sku": f"Ä 1-{n}"} for n in range(50)],
    )
    shop.product("gone", variants=[{"sku": "old"}])
    shop.product("gone", name="gone", variants=[{"sku": "new"}])
    before = found_by(new_app)

    alembic.command.downgrade(alembic_config(new_database_url), BEFORE)
    assert run("db", "upgrade").exit_code == 0

    assert found_by(new_app) == before
    assert before["mugshop/de-DE/gone"] == "gone gone new"
    assert before["mugshop/de-DE/new"] is None


def found_by(app: Flask) -> dict[str, str | None]:
    query = select(products.c.id, products.c.search)
    with app.app_context(), db.reading() as connection:
        return {row.id: row.search for row in connection.execute(query)}
