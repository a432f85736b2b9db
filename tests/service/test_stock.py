"""What is available: reserved by those who pay, sold since it was counted, and never sold twice."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import alembic.command
import pytest
from sqlalchemy import Connection, func, insert, select

from jay.db import prepared
from jay.db.database import Database
from jay.merchants import service as merchants
from jay.merchants.models import Merchant
from jay.ops.cli import alembic_config
from jay.products import feeding, stock
from jay.products import service as catalogue
from jay.products.models import Product, products, stock_reservations
from tests.clock import NOON
from tests.service.test_claim_against_renew import one_waits

LATER = NOON + timedelta(minutes=30)
EARLIER = NOON - timedelta(seconds=1)


class Shelf:
    """A merchant's products, and what is done with their stock."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.transaction() as connection:
            number = merchants.add_merchant(
                connection, name="shop", lang="de", country="DE", currency="EUR", now=NOON
            )
            self.merchant: Merchant = merchants.merchant_by_id(connection, number)

    def put(self, sku: str, stock_count: int | None, *, now: datetime = NOON, **more: Any) -> str:
        volatile = {"stock_count": stock_count, "price": 1000}
        return self.database.write(
            lambda connection: feeding.put_product(
                connection,
                self.merchant,
                now=now,
                sku=sku,
                name=sku,
                volatile=volatile,
                description={},
                **more,
            )
        ).id

    def count(self, sku: str, stock_count: int, *, now: datetime, as_of: datetime | None) -> None:
        self.database.write(
            feeding.update_volatile,
            self.merchant,
            now=now,
            items=[{"sku": sku, "stock_count": stock_count}],
            shared={},
            as_of=as_of,
        )

    def product(self, sku: str) -> Product:
        with self.database.reading() as connection:
            found = catalogue.find(connection, f"shop/de-DE/{sku}", now=NOON)
        assert found is not None
        return found

    def available(self, sku: str) -> int | None:
        return self.product(sku).stock_count

    def reserve(
        self, reference: str, *wanted: tuple[str, int], now: datetime = NOON, until: Any = LATER
    ) -> list[str]:
        positions = [(self.product(sku), count) for sku, count in wanted]
        return self.database.write(stock.reserve, reference, positions, until=until, now=now)

    def sell(self, reference: str, *bought: tuple[str, int], now: datetime = NOON) -> None:
        by_stock = {self.product(sku).stock_id: count for sku, count in bought}
        self.database.write(stock.sell, reference, by_stock, now=now)

    def release(self, reference: str) -> None:
        self.database.write(stock.release, reference)

    def restore(self, reference: str, sku: str, count: int) -> None:
        back = {self.product(sku).stock_id: count}
        self.database.write(stock.restore, reference, back)

    def rows(self) -> int:
        """Count what is reserved and sold of anything."""
        with self.database.reading() as connection:
            query = select(func.count()).select_from(stock_reservations)
            return int(connection.execute(query).scalar_one())

    def balances(self) -> bool:
        """Tell whether what is kept with each product is the sum of its rows."""
        rows = (
            select(func.coalesce(func.sum(stock_reservations.c.count), 0))
            .where(stock_reservations.c.product_id == products.c.id)
            .scalar_subquery()
        )
        with self.database.reading() as connection:
            return all(a == b for a, b in connection.execute(select(products.c.taken, rows)))


@pytest.fixture
def shelf(new_database_url: str) -> Iterator[Shelf]:
    database = Database(new_database_url, pool_size=8)
    shelf = Shelf(database)
    yield shelf
    balances = shelf.balances()
    database.dispose()
    assert balances


def test_what_is_reserved_is_not_available_until_it_is_let_go(shelf: Shelf) -> None:
    shelf.put("mug", 5)

    assert shelf.reserve("a", ("mug", 3)) == []
    assert shelf.available("mug") == 2
    assert shelf.reserve("b", ("mug", 3)) == ["shop/de-DE/mug"]
    assert shelf.available("mug") == 2

    shelf.release("a")
    assert shelf.available("mug") == 5


def test_what_is_missing_leaves_the_others_reserved(shelf: Shelf) -> None:
    shelf.put("mug", 1)
    shelf.put("hat", 5)
    shelf.put("card", None)

    assert shelf.reserve("a", ("mug", 2), ("hat", 2), ("card", 900)) == ["shop/de-DE/mug"]
    assert [shelf.available(sku) for sku in ("mug", "hat", "card")] == [1, 3, None]


def test_what_there_is_enough_of_is_taken_in_one_round_trip(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        shelf.put(f'"mug" {number}', number)
    sent: list[str] = []
    execute = prepared.execute

    def kept(connection: Connection, sql: str, *more: Any, **options: Any) -> Any:
        sent.append(sql)
        return execute(connection, sql, *more, **options)

    with monkeypatch.context() as patched:
        patched.setattr(prepared, "execute", kept)
        wanted = [(f'"mug" {number}', number) for number in range(1, 5)]
        assert shelf.reserve("a", *wanted) == []

    # SQLite has no round trips to save.
    statements = len(wanted) if shelf.database.is_sqlite else 1
    assert len([sql for sql in sent if sql.startswith("UPDATE products")]) == statements
    assert [shelf.available(sku) for sku, _ in wanted] == [0] * 4


def test_variants_without_a_stock_of_their_own_share_their_products(shelf: Shelf) -> None:
    shelf.put("shirt", 3, variants=[{"sku": "s"}, {"sku": "m"}, {"sku": "l", "stock_count": 1}])

    assert shelf.reserve("a", ("s", 1), ("m", 2), ("l", 1)) == []
    assert [shelf.available(sku) for sku in ("shirt", "s", "m", "l")] == [0, 0, 0, 0]
    assert shelf.reserve("b", ("s", 1)) == ["shop/de-DE/s"]


def test_what_was_sold_counts_until_the_merchant_has_counted_anew(shelf: Shelf) -> None:
    shelf.put("mug", 10)
    for minute, reference in ((1, "a"), (3, "b")):
        shelf.reserve(reference, ("mug", 2))
        shelf.sell(reference, ("mug", 2), now=NOON + timedelta(minutes=minute))
    shelf.reserve("c", ("mug", 1))
    assert shelf.available("mug") == 5

    # Counted between the two: the first sale is in the number already.
    at = NOON + timedelta(minutes=5)
    shelf.count("mug", 8, now=at, as_of=NOON + timedelta(minutes=2))
    assert shelf.available("mug") == 8 - 2 - 1

    # Older news changes nothing, and without a time it is from when it arrives.
    shelf.count("mug", 99, now=at, as_of=NOON + timedelta(minutes=1))
    assert shelf.available("mug") == 8 - 2 - 1
    shelf.count("mug", 6, now=at, as_of=None)
    assert shelf.available("mug") == 6 - 1


def test_a_new_description_with_a_stock_counts_anew_and_one_without_does_not(shelf: Shelf) -> None:
    shelf.put("mug", 10)
    shelf.reserve("a", ("mug", 4))
    shelf.sell("a", ("mug", 4))
    with shelf.database.transaction() as connection:
        feeding.put_product(
            connection,
            shelf.merchant,
            now=LATER,
            sku="mug",
            name="Mug",
            volatile={"price": 900},
            description={},
        )
    assert shelf.available("mug") == 6

    shelf.put("mug", 10, now=LATER)
    assert shelf.available("mug") == 10


def test_a_reservation_that_has_run_out_is_in_nobodys_way(shelf: Shelf) -> None:
    shelf.put("mug", 1)
    shelf.put("hat", 1)
    shelf.reserve("a", ("mug", 1), ("hat", 1), until=NOON + timedelta(seconds=60))

    assert shelf.reserve("b", ("mug", 1), now=NOON + timedelta(seconds=59)) != []
    assert shelf.reserve("b", ("mug", 1), now=NOON + timedelta(seconds=60)) == []
    assert shelf.available("hat") == 0
    shelf.database.write(stock.end_overdue, now=NOON + timedelta(seconds=60))
    assert [shelf.available(sku) for sku in ("mug", "hat")] == [0, 1]


@pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)
def test_who_reserves_and_who_ends_what_has_run_out_do_not_wait_for_each_other(
    shelf: Shelf,
) -> None:
    shelf.put("mug", 2)
    shelf.reserve("a", ("mug", 2), until=NOON)
    mug = shelf.product("mug")

    def end() -> int:
        with shelf.database.transaction() as connection:  # which is not tried again
            return stock.end_overdue(connection, now=NOON)

    with ThreadPoolExecutor(1) as pool:
        with shelf.database.transaction() as connection:
            assert stock.reserve(connection, "b", [(mug, 2)], until=LATER, now=EARLIER) != []
            ending = pool.submit(end)
            one_waits(connection)
            assert stock.reserve(connection, "b", [(mug, 2)], until=LATER, now=NOON) == []
        assert ending.result() == 0


def test_a_reservation_is_put_off_while_there_is_one(shelf: Shelf) -> None:
    shelf.put("mug", 1)
    shelf.reserve("a", ("mug", 1), until=NOON + timedelta(seconds=60))
    extend = shelf.database.write

    late = NOON + timedelta(seconds=60)
    assert extend(stock.extend, "a", until=LATER, now=late) == 0
    assert extend(stock.extend, "a", until=LATER, now=NOON) == 1
    assert shelf.reserve("b", ("mug", 1), now=late) != []


def test_who_has_paid_has_bought_it_even_when_the_reservation_has_run_out(shelf: Shelf) -> None:
    shelf.put("mug", 1)
    shelf.reserve("a", ("mug", 1), until=NOON)
    shelf.reserve("b", ("mug", 1))

    for _ in range(2):  # once, however often it is said
        shelf.sell("a", ("mug", 1))
        shelf.sell("b", ("mug", 1))

    assert shelf.available("mug") == -1
    assert shelf.product("mug").out_of_stock
    shelf.release("b")  # what was sold stays sold
    assert shelf.available("mug") == -1


def test_what_is_no_longer_there_can_still_have_been_bought(shelf: Shelf) -> None:
    shelf.put("mug", 3)
    shelf.reserve("a", ("mug", 1))
    stock_id = shelf.product("mug").stock_id
    with shelf.database.transaction() as connection:
        connection.execute(products.delete())

    shelf.database.write(stock.sell, "a", {stock_id: 1}, now=NOON)


def test_what_comes_back_can_be_sold_again_and_leaves_nothing_behind(
    shelf: Shelf, new_database_url: str
) -> None:
    shelf.put("mug", 5)
    shelf.reserve("a", ("mug", 3))
    shelf.sell("a", ("mug", 3))

    shelf.restore("a", "mug", 1)
    assert (shelf.available("mug"), shelf.rows()) == (3, 1)
    shelf.restore("a", "mug", 3)  # more than is left of it
    assert (shelf.available("mug"), shelf.rows()) == (3, 1)
    shelf.restore("a", "mug", 2)
    assert (shelf.available("mug"), shelf.rows()) == (5, 0)
    shelf.restore("a", "mug", 1)
    assert shelf.available("mug") == 5

    shelf.reserve("b", ("mug", 1))
    with shelf.database.transaction() as connection:  # as an older version has left it
        row = {"product_id": shelf.product("mug").stock_id, "reference": "c", "count": 0}
        connection.execute(insert(stock_reservations).values(**row, expires=NOON, sold_at=1))
    alembic.command.downgrade(alembic_config(new_database_url), "0040")
    alembic.command.upgrade(alembic_config(new_database_url), "head")
    assert shelf.rows() == 1


def test_the_last_pieces_are_reserved_once_however_many_ask(shelf: Shelf) -> None:
    shelf.put("mug", 10)
    shelf.put("hat", None)
    mug, hat = shelf.product("mug"), shelf.product("hat")
    start = threading.Barrier(8)

    def ask(thread: int) -> list[bool]:
        start.wait()
        got = []
        for n in range(13):
            # In both orders: who locks two products waits for nobody who waits for it.
            wanted = [(mug, 1), (hat, 1)][:: 1 if n % 2 else -1]
            missing = shelf.database.write(
                stock.reserve, f"{thread}-{n}", wanted, until=LATER, now=NOON
            )
            got.append(mug.id not in missing)
        return got

    with ThreadPoolExecutor(8) as pool:
        got = [each for answers in pool.map(ask, range(8)) for each in answers]

    assert (len(got), sum(got)) == (104, 10)
    assert shelf.available("mug") == 0


def test_news_that_arrive_while_it_is_sold_lose_nothing(shelf: Shelf) -> None:
    shelf.put("mug", 1000)
    start = threading.Barrier(2)

    def buy() -> None:
        start.wait()
        for n in range(40):
            shelf.reserve(f"sold-{n}", ("mug", 1))
            shelf.sell(f"sold-{n}", ("mug", 1), now=NOON + timedelta(seconds=n))

    def count() -> None:
        start.wait()
        for n in range(40):
            shelf.count("mug", 1000, now=LATER, as_of=NOON + timedelta(seconds=n))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(buy), pool.submit(count)]:
            done.result()

    assert shelf.balances()
    shelf.count("mug", 1000, now=LATER, as_of=LATER)
    assert shelf.available("mug") == 1000
