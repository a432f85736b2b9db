"""What watches the statements of all these tests does notice what it is there for."""

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Connection, bindparam, select, text, update

from jay import db
from jay.auth.models import User as Caller
from jay.baskets import service as baskets
from jay.baskets.models import baskets as table
from jay.db import turns
from jay.db.prepared import Prepared
from jay.errors import TransferUnknown
from jay.partners.models import partners
from jay.transfers import service
from jay.transfers.models import transfers
from tests import statements
from tests.api.checks import assert_refused
from tests.builders import Shop, User
from tests.clock import NOON
from tests.statements import LOCK_ORDER, Statements

ANYBODY = Caller(1, "alice", guest=False, basket=None, expires=0)


@pytest.fixture
def watched(app: Flask) -> Iterator[Statements]:
    found: Statements = app.extensions["tests.statements"]
    with app.app_context():
        yield found
    found.broken.clear()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_get_that_writes_is_noticed(app: Flask, watched: Statements, method: str) -> None:
    with app.test_request_context("/basket", method=method), db.transaction() as connection:
        connection.execute(update(table).values(version=2))

    (line,) = watched.broken
    assert line.startswith(f"{method} /basket writes: UPDATE baskets")


def test_a_post_may_write(app: Flask, watched: Statements) -> None:
    with app.test_request_context("/basket", method="POST"), db.transaction() as connection:
        connection.execute(update(table).values(version=2))

    assert watched.broken == []


def test_a_basket_that_is_locked_after_a_transfer_is_noticed(watched: Statements) -> None:
    with db.transaction() as connection:
        connection.execute(update(transfers).values(pair="fox"))
        baskets.open_for_writing(connection, ANYBODY, now=NOON)

    # SQLite locks no rows; there writing is what tells the order.
    expected = ["baskets is locked after transfers"]
    assert watched.broken == ([] if connection.dialect.name == "sqlite" else expected)


def test_a_basket_that_is_written_after_a_transfer_is_noticed(watched: Statements) -> None:
    with db.transaction() as connection:
        connection.execute(update(transfers).values(pair="fox"))
        connection.execute(update(table).values(version=2))

    # SQLite has one writer: nobody waits for a row there.
    expected = ["baskets is locked after transfers"]
    assert watched.broken == ([] if connection.dialect.name == "sqlite" else expected)


def test_each_transaction_begins_anew(watched: Statements) -> None:
    for changed in (transfers.update().values(pair="fox"), table.update().values(version=2)):
        with db.transaction() as connection:
            connection.execute(changed)

    assert watched.broken == []


def test_reading_locks_nothing(watched: Statements) -> None:
    with db.transaction() as connection:
        connection.execute(update(transfers).values(pair="fox"))
        connection.execute(text("SELECT count(*) FROM baskets"))

    assert watched.broken == []


def test_a_look_up_without_the_routing_key_is_noticed(
    app: Flask, alice: User, watched: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_user = select(table).where(table.c.user_id == bindparam("user"))
    monkeypatch.setitem(baskets._LOOK_UP, (False, False), Prepared(by_user))

    assert alice.call("GET").status_code == 200

    (line,) = watched.broken
    assert line.startswith("baskets without its key: SELECT")


def test_a_poll_without_the_routing_key_is_noticed(
    app: Flask, alice: User, watched: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = alice.transfer()
    assert watched.broken == []
    hashed = transfers.c.display_hash == bindparam("display_hash")
    monkeypatch.setattr(service, "_BY_DISPLAY", Prepared(select(*service._COLUMNS).where(hashed)))

    assert app.test_client().get(offer["statusUrl"]).status_code == 200

    (line,) = watched.broken
    assert line.startswith("transfers without its key: SELECT")


@pytest.mark.parametrize("distributed", [True, False])
@pytest.mark.parametrize(
    "asked", ["GET /v2/transfers/x/status", "POST /v2/baskets/guests?jayToken=x"]
)
def test_what_nobody_knows_is_looked_for_on_one_server_where_there_are_several(
    asked: str, distributed: bool, app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = []
    of_before = service.of_before
    monkeypatch.setattr(service, "is_distributed", lambda _connection: distributed)
    monkeypatch.setattr(service, "of_before", lambda sql: everywhere.append(sql) or of_before(sql))
    method, _, path = asked.partition(" ")

    answer = app.test_client().open(path, method=method, headers={"X-API-Key": alice.platform.key})

    assert_refused(answer, TransferUnknown)
    # Of before there were several, a transfer may be there that does not say where it lies.
    assert bool(everywhere) is not distributed


@pytest.mark.parametrize("distributed", [False, True])
def test_a_basket_and_the_product_set_in_it_are_looked_up_at_once_on_one_server(
    distributed: bool,
    watched: Statements,
    alice: User,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mug = shop.product("mug")
    alice.put(mug)
    looked_up: list[set[str]] = []
    see = watched.see

    def seen(connection: Connection, sql: str) -> None:
        see(connection, sql)
        tables = {"baskets", "products"}.intersection(sql.replace(".", " ").split())
        looked_up.extend([tables] if sql.startswith("SELECT ") and tables else [])

    monkeypatch.setattr(baskets, "is_distributed", lambda _connection: distributed)
    monkeypatch.setattr(watched, "see", seen)

    alice.put(mug, 3)

    # Several plan a join anew each time.
    assert looked_up == ([{"baskets"}, {"products"}] if distributed else [{"baskets", "products"}])


def test_a_write_to_what_is_on_every_server_without_a_turn_is_noticed(
    shop: Shop, watched: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.product("mug")
    prices = {"products": [{"sku": "mug", "price": 1100}]}
    assert shop.call("PATCH", "/shops/products", json=prices).status_code == 200
    assert watched.broken == []
    monkeypatch.setattr(turns, "take", lambda _connection: None)

    assert shop.call("PATCH", "/shops/products", json=prices).status_code == 200

    assert watched.broken
    assert all("without a turn: " in line for line in watched.broken)


def test_who_waits_for_a_turn_with_what_is_on_every_server_is_noticed(watched: Statements) -> None:
    with statements.working(), db.transaction() as connection:
        connection.execute(update(table).values(version=1))  # lies with its shopper
        turns.take(connection)
    assert watched.broken == []

    with statements.working(), db.transaction() as connection:
        connection.execute(update(partners).values(name="other"))
        turns.take(connection)

    assert watched.broken == ["partners held while waiting for the turn"]


def test_what_a_test_asks_by_itself_is_its_own_business(watched: Statements) -> None:
    with db.reading() as connection:
        connection.execute(select(table))

    assert watched.broken == []


def test_the_order_begins_with_the_basket() -> None:
    assert LOCK_ORDER[0] == "baskets"
    assert LOCK_ORDER.index("baskets") < LOCK_ORDER.index("transfers")
