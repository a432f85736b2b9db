"""``flask webhooks``: what is due is sent, at least once, and nobody is kept waiting by others."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from jay import db
from jay.db.database import Database
from jay.errors import Busy, OutcomeUnknown
from jay.merchants import service as merchant_service
from jay.merchants.models import merchants
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.outbox import delivery, service, webhooks
from jay.outbox.delivery import Deliverer, transports_of
from jay.outbox.kinds import MessageKind
from jay.outbox.models import (
    DELIVERED,
    FAILED,
    LEASE,
    WAITING,
    DeliveryResult,
    outbox_addresses,
)
from jay.outbox.models import outbox as outbox_table
from jay.outbox.webhooks import ADD_PRODUCT, KINDS, UPDATE_PRODUCTS, lane_of
from jay.sealing import WrongKey
from tests.api.checks import rows
from tests.builders import Shop, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON, PATIENCE_SECONDS, MovedClock
from tests.depth import few_or_all
from tests.receiver import Receiver, receiving

WAYS = transports_of(Client(LOOPBACK))
OUR_KINDS = {kind.name: kind for kind in KINDS}
SECRET_PATH = "?secret=hunter2"
DAY = 86400


@pytest.fixture
def here(demo_app: Callable[..., Flask]) -> Flask:
    """The app in demo mode, which may call servers on this machine."""
    return demo_app()


@pytest.fixture
def run(here: Flask) -> Run:
    return runner_of(here)


class Outbox:
    """The outbox of a merchant, with the server that its configuration names."""

    def __init__(self, shop: Shop, receiver: Receiver, clock: MovedClock) -> None:
        self.shop = shop
        self.receiver = receiver
        self.clock = clock
        self.configure(receiver.url + SECRET_PATH)
        with shop.app.app_context(), db.reading() as connection:
            self.merchant = merchant_service.merchant_id(connection, shop.name) or 0

    def configure(self, url: str | None, *kinds: str) -> None:
        """Name the address for these kinds of webhook, or for both."""
        urls = dict.fromkeys(kinds or ("addProductWebhookUrl", "updateProductsWebhookUrl"), url)
        assert self.shop.call("PATCH", "/shops/config", json=urls).status_code == 200

    def put(self, *subjects: str, kind: MessageKind = ADD_PRODUCT) -> list[int]:
        """Put deliveries in, whose body is their subject, and return their ids."""
        bodies = {subject: json.dumps(subject) for subject in subjects}
        with self.shop.app.app_context(), db.transaction() as connection:
            return webhooks.enqueue(connection, self.merchant, kind, bodies, now=self.clock())

    def state(self, identifier: int) -> str:
        with self.shop.app.app_context(), db.reading() as connection:
            return str(service.states_of(connection, [identifier])[0].state)

    def due(self, identifier: int) -> timedelta:
        """Return how long it is until a delivery is due."""
        query = select(outbox_table.c.due).where(outbox_table.c.id == identifier)
        with self.shop.app.app_context(), db.reading() as connection:
            return connection.execute(query).scalar_one() - self.clock()

    @property
    def arrived(self) -> list[str]:
        return [str(body) for body in self.receiver.bodies]


@pytest.fixture
def outbox(app: Flask, client: FlaskClient, clock: MovedClock) -> Iterator[Outbox]:
    with receiving() as receiver:
        yield Outbox(add_shop(app, client), receiver, clock)


@pytest.fixture
def others(app: Flask, client: FlaskClient, clock: MovedClock) -> Iterator[list[Outbox]]:
    """Ten more merchants."""
    with ExitStack() as stack:
        yield [
            Outbox(add_shop(app, client, f"shop-{number}"), stack.enter_context(receiving()), clock)
            for number in range(10)
        ]


@pytest.fixture
def deliverer(app: Flask, clock: MovedClock) -> Deliverer:
    """A sender as each process has one; after failures it waits as long as it may."""
    return Deliverer(
        app.extensions["jay.db"],
        WAYS,
        OUR_KINDS,
        clock=clock,
        secret="s",
        jitter=lambda: 1.0,
    )


# --- deliver


def test_what_is_due_is_sent_once(run: Run, outbox: Outbox) -> None:
    (identifier,) = outbox.put("a")

    first, second = run("webhooks", "deliver"), run("webhooks", "deliver")

    assert first.stdout == "1 delivered, 0 to be tried again, 0 given up.\n"
    assert second.stdout == "0 delivered, 0 to be tried again, 0 given up.\n"
    assert (outbox.arrived, outbox.state(identifier)) == (["a"], DELIVERED)


def test_a_failure_is_told_without_the_address(run: Run, outbox: Outbox) -> None:
    outbox.receiver.answer_with(500)
    (identifier,) = outbox.put("a")

    result = run("webhooks", "deliver")

    assert result.exit_code == 0
    assert result.stdout == "0 delivered, 1 to be tried again, 0 given up.\n"
    assert result.stderr == f"{identifier}: mugshop, add-product a: answered 500\n"


def test_it_is_tried_again_after_longer_and_longer_waits(
    outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    outbox.receiver.answer_with(500, 500, 500, 200)
    (identifier,) = outbox.put("a")
    deliverer.run()
    for seconds in (10, 20, 40):
        clock.move(seconds - 0.001)
        before = len(outbox.arrived)
        deliverer.run()
        assert len(outbox.arrived) == before
        clock.move(0.001)
        deliverer.run()
        assert len(outbox.arrived) == before + 1

    assert outbox.state(identifier) == DELIVERED


def test_each_attempt_says_the_same_and_has_the_same_key(
    outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    outbox.receiver.answer_with(500, 500, 200)
    outbox.put("a")
    for _ in range(3):
        deliverer.run()
        clock.move(60)

    assert outbox.arrived == ["a"] * 3
    assert len({request.headers["Webhook-Id"] for request in outbox.receiver.requests}) == 1


def test_it_is_given_up_after_three_days(
    run: Run, outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    outbox.receiver.answer_with(500)
    (identifier,) = outbox.put("a")
    deliverer.run()
    while outbox.state(identifier) == WAITING:
        clock.now += outbox.due(identifier)
        deliverer.run()

    assert outbox.state(identifier) == FAILED
    assert clock.now == NOON + timedelta(days=3)
    # 12 waits double up to six hours, and then it is every six hours.
    assert len(outbox.arrived) == 24
    clock.move(30 * DAY)
    deliverer.run()
    assert len(outbox.arrived) == 24
    assert f"{identifier}" in run("webhooks", "list", "--state", "failed").stdout


def test_410_is_taken_for_an_answer(outbox: Outbox, deliverer: Deliverer) -> None:
    outbox.receiver.answer_with(410)
    (identifier,) = outbox.put("a")

    deliverer.run()

    assert outbox.state(identifier) == FAILED


@pytest.mark.parametrize(("asked", "seconds"), [("3600", 3600), ("9999999", 6 * 3600)])
def test_a_server_may_ask_for_time(
    asked: str, seconds: int, outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    outbox.receiver.answer_with(503, 200, Retry_After=asked)
    first, second = outbox.put("a", "b")

    deliverer.run()

    # The rest of its queue is spared, too.
    assert (len(outbox.arrived), outbox.due(first).total_seconds()) == (1, seconds)
    assert outbox.state(second) == WAITING


def test_a_failure_does_not_hold_the_others_up(outbox: Outbox, deliverer: Deliverer) -> None:
    outbox.receiver.answer_with(500, 200)
    first, second, third = outbox.put("a", "b", "c")

    deliverer.run()

    assert [outbox.state(one) for one in (first, second, third)] == [WAITING, DELIVERED, DELIVERED]


def test_what_is_about_the_same_leaves_in_order(
    outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    outbox.receiver.answer_with(500, 200)
    outbox.put("order 1")
    (later,) = outbox.put("order 1")
    (other,) = outbox.put("order 2")

    deliverer.run()

    assert (outbox.state(later), outbox.state(other)) == (WAITING, DELIVERED)
    clock.move(10)
    deliverer.run()
    assert outbox.arrived == ["order 1", "order 2", "order 1", "order 1"]
    assert outbox.state(later) == DELIVERED


def test_an_address_that_was_mended_counts_from_the_next_attempt(
    outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    with receiving() as mended:
        outbox.receiver.answer_with(404)
        outbox.put("a")
        deliverer.run()
        outbox.configure(mended.url)
        clock.move(10)

        deliverer.run()

        assert mended.bodies == ["a"]


@pytest.mark.parametrize("url", [None, ""])
def test_an_address_that_was_taken_away_ends_it(
    url: str | None, outbox: Outbox, deliverer: Deliverer
) -> None:
    (identifier,) = outbox.put("a")
    with outbox.shop.app.app_context(), db.transaction() as connection:
        connection.execute(update(merchants).values(add_product_webhook_url=url))

    deliverer.run()

    assert (outbox.state(identifier), outbox.arrived) == (FAILED, [])


def test_a_token_that_can_not_be_opened_is_said_and_nothing_is_sent(
    run: Run, outbox: Outbox
) -> None:
    with outbox.shop.app.app_context(), db.transaction() as connection:
        merchant_service.keep_webhook_token(connection, outbox.merchant, "t", secret="another one")
    outbox.put("a")

    result = run("webhooks", "deliver")

    assert "sealed with another JAY_SECRET_KEY" in result.stderr
    assert outbox.arrived == []


def test_a_token_of_one_merchant_can_not_be_opened_for_another(
    outbox: Outbox, others: list[Outbox]
) -> None:
    with outbox.shop.app.app_context(), db.transaction() as connection:
        merchant_service.keep_webhook_token(connection, outbox.merchant, "t", secret="s")
        stolen = select(merchants.c.webhook_token).where(merchants.c.id == outbox.merchant)
        sealed = connection.execute(stolen).scalar_one()

    assert merchant_service.open_webhook_token(sealed, outbox.merchant, secret="s") == "t"
    with pytest.raises(WrongKey):
        merchant_service.open_webhook_token(sealed, others[0].merchant, secret="s")


# --- an address that fails


def test_an_address_that_always_fails_rests_as_a_whole_and_longer_each_time(
    outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    # 300 wishes against a server that answers 500 to all.
    outbox.receiver.answer_with(500)
    outbox.put(*(f"NEU-{number}" for number in range(300)))
    began, moments = clock(), []

    while clock() < began + timedelta(hours=3):
        before = len(outbox.arrived)
        deliverer.run()
        moments += [(clock() - began).total_seconds()] * (len(outbox.arrived) - before)
        # It is due 310 s after the beginning, and then at multiples of 40 s from there.
        clock.move(few_or_all(40, 10) if clock() >= began + timedelta(seconds=310) else 10)

    assert moments[:6] == [0, 0, 0, 10, 30, 70]
    assert [later - one for one, later in zip(moments[-3:], moments[-2:], strict=False)] == [
        1800,
        1800,
    ]


def test_what_another_process_has_met_counts(app: Flask, outbox: Outbox, clock: MovedClock) -> None:
    outbox.receiver.answer_with(503, 200, Retry_After="3600")
    outbox.put("a", "b")

    def process() -> None:
        Deliverer(app.extensions["jay.db"], WAYS, OUR_KINDS, clock=clock, secret="s").run()

    process()
    clock.move(3599.9)
    process()
    assert outbox.arrived == ["a"]
    clock.move(0.1)
    process()
    assert sorted(outbox.arrived) == ["a", "a", "b"]


def test_after_a_rest_one_message_goes_ahead_of_all_processes(
    app: Flask, outbox: Outbox, clock: MovedClock
) -> None:
    outbox.receiver.answer_with(500)
    outbox.put(*(f"{number:02}" for number in range(40)))
    Deliverer(app.extensions["jay.db"], WAYS, OUR_KINDS, clock=clock, secret="s").run()
    assert len(outbox.arrived) == 3
    clock.move(10)
    outbox.receiver.answer_when_released()
    lane = lane_of(outbox.merchant, ADD_PRODUCT)
    url = app.extensions["jay.db"].url.render_as_string(hide_password=False)

    def process(_number: int) -> object:
        database = Database(url)
        result = Deliverer(database, WAYS, OUR_KINDS, clock=clock, secret="s").attempt(lane)
        database.dispose()
        return result

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(process, number) for number in range(4)]
        assert until(lambda: sum(one.done() for one in running) == 3)
        outbox.receiver.release.set()
        results = [one.result(PATIENCE_SECONDS) for one in running]

    assert len(outbox.arrived) == 4
    assert sum(isinstance(result, service.Resting) for result in results) == 3


def test_once_it_is_well_again_all_go(
    outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    outbox.receiver.answer_with(500, 500, 500, 200)
    outbox.put(*"abcdef")
    deliverer.run()
    assert len(outbox.arrived) == 3

    clock.move(40)
    deliverer.run()

    assert sorted(outbox.arrived[3:]) == list("abcdef")
    assert rows(outbox.shop.app, "outbox_addresses") == 0


def test_two_kinds_to_one_address_rest_together_and_another_address_does_not(
    outbox: Outbox, deliverer: Deliverer
) -> None:
    outbox.receiver.answer_with(503, 200, Retry_After="3600")
    outbox.put("a")
    deliverer.run()
    outbox.put("b", kind=UPDATE_PRODUCTS)
    deliverer.run()
    assert outbox.arrived == ["a"]

    outbox.configure(outbox.receiver.url + "?other", "updateProductsWebhookUrl")
    outbox.clock.move(10)
    deliverer.run()

    assert outbox.arrived == ["a", "b"]


def test_an_operator_ends_a_rest(run: Run, outbox: Outbox, deliverer: Deliverer) -> None:
    outbox.receiver.answer_with(503, 200, Retry_After="3600")
    (identifier,) = outbox.put("a")
    deliverer.run()
    run("webhooks", "retry", str(identifier))
    outbox.clock.move(10)

    deliverer.run()

    assert outbox.state(identifier) == DELIVERED


# --- many at once


def test_a_slow_server_keeps_no_other_merchant_waiting(
    outbox: Outbox, others: list[Outbox], deliverer: Deliverer
) -> None:
    outbox.receiver.answer_when_released()
    outbox.put(*"abcdefghijklmnop")
    for other in others:
        other.put(*"abc")

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(deliverer.run)
        assert outbox.receiver.arrived.wait(PATIENCE_SECONDS)
        assert until(lambda: all(len(other.arrived) == 3 for other in others))
        # One of its own is on the way, and no thread more is lost to it.
        assert len(outbox.arrived) == 1
        outbox.receiver.release.set()
        running.result(PATIENCE_SECONDS)

    assert sorted(outbox.arrived) == list("abcdefghijklmnop")


def test_more_slow_servers_than_threads_do_not_stop_the_rest(
    outbox: Outbox, others: list[Outbox], clock: MovedClock
) -> None:
    deliverer = Deliverer(
        outbox.shop.app.extensions["jay.db"], WAYS, OUR_KINDS, clock=clock, secret="s"
    )
    all_threads_wait = threading.Barrier(delivery.PARALLEL)

    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        # The first ones hold all threads together; later ones find the barrier broken.
        with suppress(threading.BrokenBarrierError):
            all_threads_wait.wait(PATIENCE_SECONDS)
            all_threads_wait.abort()
        handler.connection.shutdown(socket.SHUT_RDWR)

    for other in others:
        other.receiver.answer = hang_up
        other.put(*"abc")
    outbox.put(*"abc")

    deliverer.run()

    assert sorted(outbox.arrived) == list("abc")
    assert [len(other.arrived) for other in others] == [1] * 10


def test_what_was_sent_is_recorded_as_soon_as_the_database_is_no_longer_busy(
    outbox: Outbox, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RECORD_PAUSE_SECONDS", 0.0)
    real, failures = service.record, [Busy(), OutcomeUnknown(), Busy()]

    def at_last(*args: Any, **more: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*args, **more)

    monkeypatch.setattr(service, "record", at_last)
    (identifier,) = outbox.put("a")

    deliverer.run()

    assert (outbox.arrived, outbox.state(identifier)) == (["a"], DELIVERED)


def test_what_was_recorded_though_nobody_knew_is_recorded_once(
    outbox: Outbox, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "RECORD_PAUSE_SECONDS", 0.0)
    transaction, answers = Database.transaction, ["taken", "lost"]

    @contextmanager
    def unknown(database: Database) -> Iterator[Any]:
        with transaction(database) as connection:
            yield connection
        if answers and answers.pop(0) == "lost":
            raise OutcomeUnknown

    outbox.receiver.answer_with(500)
    (identifier,) = outbox.put("a")
    with monkeypatch.context() as patch:
        patch.setattr(Database, "transaction", unknown)
        deliverer.run()

    assert (outbox.arrived, outbox.state(identifier)) == (["a"], WAITING)
    assert answers == []
    with outbox.shop.app.app_context(), db.reading() as connection:
        assert connection.execute(select(outbox_addresses.c.failures)).scalars().all() == [1]


def test_a_database_that_stays_busy_is_told_of_after_a_while(
    outbox: Outbox, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_args: Any, **_more: Any) -> None:
        raise Busy

    monkeypatch.setattr(delivery, "RECORD_SECONDS", 0.0)
    monkeypatch.setattr(service, "record", busy)
    outbox.put("a")

    with pytest.raises(Busy):
        deliverer.run()


def test_several_processes_send_each_once(app: Flask, outbox: Outbox, clock: MovedClock) -> None:
    subjects = [f"{number:02}" for number in range(40)]
    outbox.put(*subjects)

    def process(_number: int) -> None:
        database = Database(str(app.extensions["jay.db"].url.render_as_string(hide_password=False)))
        one = Deliverer(database, WAYS, OUR_KINDS, clock=clock, secret="s")
        while rows_waiting(app):
            one.run()
        database.dispose()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(process, range(4)))

    assert sorted(outbox.arrived) == subjects


def rows_waiting(app: Flask) -> int:
    query = select(outbox_table.c.id).where(outbox_table.c.state == WAITING)
    with app.app_context(), db.reading() as connection:
        return len(connection.execute(query).all())


def test_what_a_killed_process_has_taken_is_taken_over_when_its_lease_ends(
    app: Flask, outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    (identifier,) = outbox.put("a")
    with app.app_context(), db.transaction() as connection:
        taken = service.take(
            connection, lane_of(outbox.merchant, ADD_PRODUCT), OUR_KINDS, secret="s", now=clock()
        )
    assert isinstance(taken, service.Taken)

    clock.now += LEASE - timedelta(milliseconds=1)
    deliverer.run()
    assert outbox.arrived == []

    clock.now += timedelta(milliseconds=1)
    deliverer.run()
    assert (outbox.arrived, outbox.state(identifier)) == (["a"], DELIVERED)

    # It was not killed but only slow: what it has to say does not count any more.
    failed = DeliveryResult(failure="answered 500", final=True)
    with app.app_context(), db.transaction() as connection:
        recorded = service.record(connection, taken, failed, now=clock(), jitter=lambda: 1.0)
    assert (recorded, outbox.state(identifier)) == (None, DELIVERED)


def test_what_is_being_sent_is_not_begun_anew(
    app: Flask, run: Run, outbox: Outbox, clock: MovedClock
) -> None:
    (identifier,) = outbox.put("a")
    with app.app_context(), db.transaction() as connection:
        service.take(
            connection, lane_of(outbox.merchant, ADD_PRODUCT), OUR_KINDS, secret="s", now=clock()
        )

    assert run("webhooks", "retry", str(identifier)).exit_code == 1


def test_with_the_transaction_of_its_cause_a_delivery_is_undone(app: Flask, outbox: Outbox) -> None:
    def fail_after_enqueuing() -> None:
        with db.transaction() as connection:
            webhooks.enqueue(connection, outbox.merchant, UPDATE_PRODUCTS, {"x": None}, now=NOON)
            raise RuntimeError("the cause has failed")

    with app.app_context(), pytest.raises(RuntimeError):
        fail_after_enqueuing()

    assert rows(app, "outbox") == 0


# --- as a service


def until(condition: Callable[[], bool]) -> bool:
    """Wait for something, with patience, and tell whether it has come."""
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 100):
        if condition():
            return True
        pause.wait(0.01)
    return False


@contextmanager
def watching(deliverer: Deliverer) -> Iterator[Future[None]]:
    """Deliver in another thread, and stop also when the test fails."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(deliverer.run, stop)
        try:
            yield running
        finally:
            stop.set()
        running.result(PATIENCE_SECONDS)


def test_watching_sends_what_becomes_due_until_it_is_told_to_stop(
    outbox: Outbox, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.01)
    with watching(deliverer) as running:
        outbox.put("a")
        assert until(lambda: outbox.arrived == ["a"])
        outbox.put("b")
        assert until(lambda: outbox.arrived == ["a", "b"])
        assert not running.done()


def test_watching_leaves_a_server_alone_for_as_long_as_it_has_asked(
    outbox: Outbox, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch, clock: MovedClock
) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.01)
    outbox.receiver.answer_with(503, 200, Retry_After="3600")
    outbox.configure(outbox.receiver.url + "?other", "updateProductsWebhookUrl")

    def arrives(subject: str) -> bool:
        return until(lambda: subject in outbox.arrived)

    def rounds_pass(*subjects: str) -> bool:
        # The other lane leaves one by one, so what has become due in this one has gone, too.
        return all(outbox.put(one, kind=UPDATE_PRODUCTS) and arrives(one) for one in subjects)

    with watching(deliverer):
        outbox.put("a")
        assert until(lambda: outbox.arrived == ["a"])
        assert rounds_pass("one", "two", "three")
        outbox.put("b")
        clock.move(3599)
        assert rounds_pass("four", "five", "six")
        assert "b" not in outbox.arrived
        clock.move(1)
        assert until(lambda: outbox.arrived.count("a") == 2 and "b" in outbox.arrived)


def test_told_to_stop_it_finishes_what_it_has_begun(
    outbox: Outbox, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.01)
    outbox.receiver.answer_when_released()
    first, second = outbox.put("a", "b")
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(deliverer.run, stop)
        assert outbox.receiver.arrived.wait(PATIENCE_SECONDS)
        stop.set()
        outbox.receiver.release.set()
        running.result(PATIENCE_SECONDS)

    assert (outbox.state(first), outbox.state(second)) == (DELIVERED, WAITING)


def test_watching_outlives_a_database_that_is_away(
    outbox: Outbox, deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "POLL_SECONDS", 0.01)
    real, failures = service.lanes_with_due, [Busy(), Busy()]

    def sometimes(*args: object, **more: object) -> object:
        if failures:
            raise failures.pop()
        return real(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(service, "lanes_with_due", sometimes)
    outbox.put("a")
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(deliverer.run, stop)
        assert until(lambda: outbox.arrived == ["a"])
        stop.set()
        running.result(PATIENCE_SECONDS)


def test_without_watching_a_database_that_is_away_is_an_error(
    run: Run, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise Busy

    monkeypatch.setattr(service, "lanes_with_due", fail)

    result = run("webhooks", "deliver")

    assert (result.exit_code, "database is busy" in result.stderr) == (1, True)


def test_the_log_names_neither_addresses_nor_bodies_nor_tokens(
    app: Flask,
    outbox: Outbox,
    clock: MovedClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery, "log", structlog.get_logger())
    with app.app_context(), db.transaction() as connection:
        merchant_service.keep_webhook_token(connection, outbox.merchant, "open-sesame", secret="s")
    outbox.receiver.answer_with(500, 200)
    outbox.put("body-1", "body-2")

    Deliverer(
        app.extensions["jay.db"],
        WAYS,
        OUR_KINDS,
        clock=clock,
        secret="s",
        report=delivery.write_log,
    ).run()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line["merchant"], line["reason"]) for line in lines] == [
        ("message failed", "mugshop", "answered 500"),
        ("message delivered", "mugshop", None),
    ]
    assert outbox.receiver.requests[0].headers["X-API-Key"] == "open-sesame"
    for secret in ("hunter2", "127.0.0.1", "body-", "open-sesame"):
        assert secret not in json.dumps(lines)


# --- list and retry


def test_waiting_and_failed_ones_are_listed(run: Run, outbox: Outbox) -> None:
    outbox.receiver.answer_with(500, 410, 200)
    waiting, failed, delivered = outbox.put("wait", "fail", "arrive")
    run("webhooks", "deliver")

    lines = run("webhooks", "list").stdout.splitlines()[1:]

    assert [line.split()[:4] for line in lines] == [
        [str(failed), "mugshop", "add-product", "failed"],
        [str(waiting), "mugshop", "add-product", "waiting"],
    ]
    assert lines[0].endswith("fail: answered 410: it is not wanted any more")
    assert lines[1].endswith("wait: answered 500")
    assert str(delivered) in run("webhooks", "list", "--state", "delivered").stdout.split()


def test_the_list_can_be_of_one_merchant_and_short(
    run: Run, outbox: Outbox, others: list[Outbox]
) -> None:
    outbox.put(*"abc")
    others[0].put(*"de")

    assert len(run("webhooks", "list").stdout.splitlines()) == 6
    assert len(run("webhooks", "list", "--merchant", "shop-0").stdout.splitlines()) == 3
    assert len(run("webhooks", "list", "--most", "1").stdout.splitlines()) == 2
    assert run("webhooks", "list", "--merchant", "nobody").exit_code == 1
    assert run("webhooks", "list", "--most", str(2**63)).exit_code == 2


def test_one_that_has_failed_can_be_begun_anew(
    run: Run, outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    outbox.receiver.answer_with(410, 500, 200)
    (identifier,) = outbox.put("a")
    deliverer.run()
    clock.move(10 * DAY)

    result = run("webhooks", "retry", str(identifier))

    assert (result.exit_code, "1 due now" in result.stderr) == (0, True)
    deliverer.run()
    # Its three days and its waits have begun anew.
    assert (outbox.state(identifier), outbox.due(identifier).total_seconds()) == (WAITING, 10)
    clock.move(10)
    deliverer.run()
    assert outbox.state(identifier) == DELIVERED


def test_one_that_waits_can_be_had_at_once(run: Run, outbox: Outbox, deliverer: Deliverer) -> None:
    outbox.receiver.answer_with(500, 200)
    (identifier,) = outbox.put("a")
    deliverer.run()

    assert run("webhooks", "retry", str(identifier)).exit_code == 0
    deliverer.run()

    assert outbox.state(identifier) == DELIVERED


def test_all_of_a_merchant_can_be_begun_anew(
    run: Run, outbox: Outbox, others: list[Outbox], deliverer: Deliverer
) -> None:
    for box in (outbox, others[0]):
        box.receiver.answer_with(410)
        box.put(*"abc")
    deliverer.run()

    result = run("webhooks", "retry", "--merchant", "mugshop")

    assert "3 due now" in result.stderr
    assert len(run("webhooks", "list", "--state", "failed").stdout.splitlines()) == 4


def test_one_that_has_arrived_is_not_sent_again(
    run: Run, outbox: Outbox, deliverer: Deliverer
) -> None:
    (identifier,) = outbox.put("a")
    deliverer.run()

    result = run("webhooks", "retry", str(identifier), "999999")

    assert result.exit_code == 1
    assert f"Not waiting and not failed: {identifier}, 999999." in result.stderr
    deliverer.run()
    assert outbox.arrived == ["a"]


@pytest.mark.parametrize(
    "words", [(), ("1", "--merchant", "mugshop"), ("x",), ("0",), (str(2**63),)]
)
def test_it_must_be_said_which_ones(words: tuple[str, ...], run: Run) -> None:
    assert run("webhooks", "retry", *words).exit_code == 2


def test_a_long_queue_of_one_merchant_is_listed_and_taken_along_its_index(
    app: Flask, outbox: Outbox, deliverer: Deliverer, clock: MovedClock
) -> None:
    with app.app_context(), db.transaction() as connection:
        times = dict.fromkeys(("created", "since", "due"), NOON)
        queue = [
            {
                "merchant_id": outbox.merchant,
                "lane": lane_of(outbox.merchant, ADD_PRODUCT),
                "kind": ADD_PRODUCT.name,
                "subject": f"{number:05}",
                "key": str(number),
                **times,
            }
            for number in range(5000)
        ]
        connection.execute(insert(outbox_table), queue)
        lanes = service.lanes_with_due(connection, now=clock())
        taken = service.take(connection, lanes[0], OUR_KINDS, secret="s", now=clock())

    assert lanes == [lane_of(outbox.merchant, ADD_PRODUCT)]
    assert isinstance(taken, service.Taken)
    assert taken.message.subject == "00000"
