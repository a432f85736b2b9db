"""Who buys: sealed under the order number, and erased where nothing was bought."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from jay.checkout import contacts
from jay.checkout.addresses import NOBODY, Address, Contact
from jay.checkout.order_numbers import new_order_no
from jay.db.database import Database
from jay.ops.purge import EXPIRED, purge
from tests.clock import NOON

SECRET = "a secret of the service, for tests 123"
HOME = Address("Zoë", "Łuczak", "Große Straße", "7a", "10115", "Berlin", "DE", "2. Hof")
ZOE = Contact("zoe@example.org", HOME, replace(HOME, street="Office Road", addition=None))
PURGED = next(each for each in EXPIRED if each.table is contacts.contacts)


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    made = Database(new_database_url)
    yield made
    made.dispose()


def test_what_is_stored_comes_back_and_is_read_by_nobody_else(database: Database) -> None:
    order_no, other = new_order_no(7), new_order_no(7)
    with database.transaction() as connection:
        contacts.put(connection, order_no, Contact("typo@example.org"), secret=SECRET, now=NOON)
        contacts.put(connection, order_no, ZOE, secret=SECRET, now=NOON)
        stored = connection.execute(select(contacts.contacts)).one()

        assert contacts.find(connection, order_no, secret=SECRET) == ZOE
        assert contacts.find(connection, order_no, secret=SECRET[::-1]) == NOBODY
        assert contacts.find(connection, other, secret=SECRET) == NOBODY

    assert ZOE.goes_to == ZOE.shipping
    assert replace(ZOE, shipping=None).goes_to == HOME
    assert "zoe" not in f"{stored} {ZOE!r}".lower()


def test_it_goes_after_seven_days_unless_an_order_was_made(database: Database) -> None:
    unpaid, paid = new_order_no(7), new_order_no(7)
    with database.transaction() as connection:
        for order_no in (unpaid, paid):
            contacts.put(connection, order_no, ZOE, secret=SECRET, now=NOON)
        contacts.keep(connection, paid)
        contacts.put(connection, paid, ZOE, secret=SECRET, now=NOON)

    def purged(days: int) -> int:
        now = NOON + timedelta(days=days)
        return sum(purge(database.write, PURGED, now=now, batch=10, most=10))

    assert (purged(6), purged(7), purged(1000)) == (0, 1, 0)
    with database.reading() as connection:
        assert contacts.find(connection, paid, secret=SECRET) == ZOE
