"""A claim, and what takes the offer away at the same moment: one of them wins, whoever is first.

PostgreSQL alone lets two transactions meet: here one waits for the other's lock on the basket.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, text

from jay.auth.models import User
from jay.baskets import service as baskets
from jay.db import turns
from jay.db.database import Database
from jay.errors import Busy, JayError, TransferCancelled, TransferClaimed
from jay.partners import service as partners
from jay.transfers import service as transfers
from jay.transfers.models import TransferState
from tests.clock import NOON, PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.parametrize("new_database_url", ["postgresql"], indirect=True)

Work = Callable[[Connection], Any]
ROUNDS = 20


@pytest.fixture
def database(new_database_url: str) -> Iterator[Database]:
    made = Database(new_database_url, pool_size=4)
    yield made
    made.dispose()


class Offered:
    """An offered basket, and what can be done with it."""

    def __init__(self, database: Database, name: str, *, kiosk: bool) -> None:
        self.database = database
        with database.transaction() as connection:
            number = partners.add_partner(connection, name=name, now=NOON)
            partner = partners.partner_by_id(connection, number)
            self.user = User(number, "g-1", guest=True, basket=None, expires=0)
            offer = transfers.start(connection, self.user, partner, now=NOON, kiosk=kiosk)
        self.secrets = offer.secrets

    def claim(self, connection: Connection) -> Any:
        return transfers.claim(connection, self.secrets.jay_token, now=NOON)

    def renew(self, connection: Connection) -> Any:
        return transfers.renew(connection, self.secrets.display_token, now=NOON)

    def delete(self, connection: Connection) -> Any:
        return baskets.delete_basket(connection, self.user, context=baskets.Context(NOON))

    def state(self) -> TransferState:
        with self.database.reading() as connection:
            found = transfers.find_by_display(connection, self.secrets.display_token, now=NOON)
        return found.state(NOON)


@pytest.fixture(params=[False, True], ids=["of a TV", "of a kiosk"])
def offered(request: pytest.FixtureRequest, database: Database) -> Offered:
    return Offered(database, "kino", kiosk=request.param)


def one_waits(connection: Connection) -> None:
    """Come back when a transaction waits for a lock that this one has."""
    # Of all databases of the server: others may wait for each other there.
    waits = "NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    query = text(f"SELECT count(*) FROM pg_locks WHERE {waits}")
    wait_until(lambda: connection.scalar(query))


def in_a_row(database: Database, first: Work, second: Work) -> "Future[Any]":
    """Let ``second`` begin while ``first`` has done its work and not committed yet."""
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            first(connection)
            started = pool.submit(database.write, second)
            one_waits(connection)
        return started


def test_a_screen_gets_no_new_code_for_a_basket_that_is_being_claimed(offered: Offered) -> None:
    renewing = in_a_row(offered.database, offered.claim, offered.renew)

    assert isinstance(renewing.exception(), TransferClaimed)
    assert offered.state() is TransferState.CLAIMED


def test_a_code_is_not_claimed_while_the_screen_gets_another_one(offered: Offered) -> None:
    claiming = in_a_row(offered.database, offered.renew, offered.claim)

    assert isinstance(claiming.exception(), TransferCancelled)
    assert offered.state() is TransferState.CANCELLED


def test_a_code_is_not_claimed_while_its_basket_is_deleted(offered: Offered) -> None:
    claiming = in_a_row(offered.database, offered.delete, offered.claim)

    assert isinstance(claiming.exception(), TransferCancelled)
    assert offered.state() is TransferState.CANCELLED


def test_a_basket_that_is_being_claimed_can_be_deleted_after_it(offered: Offered) -> None:
    deleting = in_a_row(offered.database, offered.claim, offered.delete)

    assert deleting.exception() is None
    assert offered.state() is TransferState.CLAIMED


def test_of_a_claim_and_a_new_code_at_once_one_wins(database: Database) -> None:
    def outcome(work: Work, barrier: threading.Barrier) -> str:
        barrier.wait(PATIENCE_SECONDS)
        try:
            database.write(work)
        except JayError as error:
            return type(error).__name__
        return "won"

    found = set()
    with ThreadPoolExecutor(2) as pool:
        for number in range(ROUNDS):
            one = Offered(database, f"kino-{number}", kiosk=bool(number % 2))
            met = threading.Barrier(2)
            both = [pool.submit(outcome, work, met) for work in (one.claim, one.renew)]
            found.add(tuple(each.result() for each in both))

    assert found <= {("won", "TransferClaimed"), ("TransferCancelled", "won")}


def test_on_several_servers_who_cancels_an_offer_waits_until_it_is_made_on_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # There the basket may tell of the offer a moment before the offer's row is to be seen.
    monkeypatch.setattr(turns, "is_distributed", lambda _connection: True)
    offered = Offered(database, "kino", kiosk=False)

    def cancelled(connection: Connection, code_hash: str) -> None:
        connection.execute(text("SET LOCAL lock_timeout = '50ms'"))
        transfers.cancel(connection, code_hash, now=NOON)

    with database.transaction() as connection:
        offer = offered.renew(connection)
        code_hash = offer.secrets.hashes()["code_hash"]
        with pytest.raises(Busy):
            database.write(cancelled, code_hash)

    database.write(cancelled, code_hash)

    with database.reading() as connection:
        found = transfers.find_by_display(connection, offer.secrets.display_token, now=NOON)
    assert found.state(NOON) is TransferState.CANCELLED
