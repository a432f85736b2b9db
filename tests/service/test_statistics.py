"""What PostgreSQL knows of a table, when somebody lets it look anew."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from jay.db import statistics
from jay.db.database import Database
from jay.feeds.leftovers import look_anew
from jay.merchants import service
from jay.merchants.models import merchants
from tests.clock import NOON


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    made = Database(new_database_url)
    with made.transaction() as connection:
        service.add_merchant(
            connection, name="shop", lang="de", country="DE", currency="EUR", now=NOON
        )
    yield made
    made.dispose()


def is_known(connection: Connection) -> bool:
    query = text("SELECT count(*) FROM pg_stats WHERE tablename = 'merchants'")
    return bool(connection.scalar(query))


def test_a_table_is_known_at_once(database: Database) -> None:
    database.write(statistics.renew, merchants)

    with database.reading() as connection:
        # SQLite chooses by what its statements say, and not by what is in its tables.
        assert database.is_sqlite or is_known(connection)


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_nobody_waits_for_somebody_else_who_looks(database: Database) -> None:
    with database.transaction() as connection:
        statistics.renew(connection, merchants)
        with database.transaction() as other:
            statistics.renew(other, merchants)
            assert not is_known(other)
        assert is_known(connection)


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_a_table_of_somebody_else_is_left_as_it_is(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text("CREATE ROLE jay_guest"))
        connection.execute(text("SET LOCAL ROLE jay_guest"))
        statistics.renew(connection, merchants)
        connection.execute(text("RESET ROLE"))
        connection.execute(text("DROP ROLE jay_guest"))
        assert not is_known(connection)


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_imports_make_products_and_former_prices_known(database: Database) -> None:
    database.write(look_anew)

    with database.reading() as connection:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= 0"
        looked_at = set(connection.execute(text(query)).scalars())
    assert {"products", "price_history"} <= looked_at
