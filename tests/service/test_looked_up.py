"""How what lies in baskets is looked up, also in a catalogue that was just imported."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Select, insert

from jay.db.database import Database
from jay.merchants import service as merchants
from jay.products import service
from jay.products.models import products
from tests.clock import NOON

MANY, LINES = 3_000, 20


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    """A database that knows nothing of its catalogue: it was just stored, and is one merchant's."""
    made = Database(new_database_url)
    with made.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE products SET (autovacuum_enabled = false)")
        number = merchants.add_merchant(
            connection, name="shop", lang="de", country="DE", currency="EUR", now=NOON
        )
        common = {"merchant_id": number, "lang": "de", "country": "DE", "name": "Mug"}
        rows = [{"id": sku, "sku": sku, **common} for sku in map(str, range(MANY))]
        connection.execute(insert(products).values(created=NOON, updated=NOON), rows)
    yield made
    made.dispose()


def plan_of(database: Database, statement: Select[Any], name: str) -> list[str]:
    """Return how PostgreSQL looks up as many products as a basket may have.

    :param name: of the parameter that lists them.
    """
    with database.transaction() as connection:
        # So few are read as they lie.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        compiled = statement.compile(dialect=connection.dialect)
        given = compiled.construct_params({name: list(map(str, range(LINES))), "now": 0})
        return list(connection.exec_driver_sql(f"EXPLAIN {compiled}", given).scalars())


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_products_are_looked_up_by_their_ids_alone(database: Database) -> None:
    plan = plan_of(database, service._MANY, "ids")

    # With the merchant, too, each basket would read an entry of each product that it has.
    assert any("pk_products" in step for step in plan)
    assert not any("(merchant_id = " in step for step in plan), plan


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_products_that_may_be_chosen_are_looked_up_by_their_ids_alone(database: Database) -> None:
    plan = plan_of(database, service._MAINS_THEMSELVES, "mains")

    assert any("pk_products" in step for step in plan)
    assert not any("ix_" in step for step in plan), "\n".join(plan)
