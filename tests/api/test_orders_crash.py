"""Hand-over and refunds, whoever dies and however many work at the same time."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from jay import db
from jay.checkout.order_numbers import new_order_no, routing_key_of
from jay.checkout.sandbox.provider import Sandbox
from jay.connectors.webhook.connector import WEBHOOK
from jay.merchants import service as merchants
from jay.merchants.models import OrderSecret
from jay.merchants.models import merchants as merchants_table
from jay.orders import ledger, refunding, refunds
from jay.orders.models import Actor, Money, PartNo, order_events, order_lines, order_parts, orders
from jay.outbox import service as outbox
from jay.outbox.delivery import Deliverer
from jay.outbox.models import DELIVERED, WAITING
from jay.outbox.models import outbox as outbox_table
from tests.api.buying import HANDED_OVER, bought, part, till_of
from tests.builders import Shop, User
from tests.cli.conftest import runner_of
from tests.clock import MovedClock
from tests.conftest import SECRET
from tests.depth import few_or_all
from tests.receiver import KEY, Receiver

WORKERS = 4
PARTS = few_or_all(24, 2000)


def _copied(shop: Shop, order_no: str, copies: int) -> list[str]:
    """Make copies of an order, each to be handed over, and return their numbers.

    The later one was put into the outbox, the longer it has been due.
    """
    numbers = [new_order_no(routing_key_of(order_no)) for _ in range(copies)]
    with shop.app.app_context(), db.transaction() as connection:
        merchant = merchants.merchant_id(connection, shop.name)
        assert merchant is not None
        for table in (orders, order_parts, order_lines, order_events):
            row = connection.execute(select(table).where(table.c.order_no == order_no)).one()
            more = [row._asdict() | {"order_no": number} for number in numbers]
            if table is orders:
                more = [each | {"token_hash": each["order_no"]} for each in more]
            connection.execute(insert(table), more)
        now = shop.app.extensions["jay.clock"]()
        for age, number in enumerate(numbers, 1):
            outbox.enqueue(
                connection,
                WEBHOOK.prefix + "order.created",
                {f"{number}-1": "1"},
                lane=f"{merchant}/orders",
                merchant=merchant,
                now=now,
                due=now - timedelta(seconds=age),
            )
    return numbers


class FailsHalfTheTime:
    """Answers every second time with 500, and sees whether two workers send the same at once.

    :ivar came: what has come, in order.
    """

    def __init__(self) -> None:
        self.lock, self.pause = threading.Lock(), threading.Event()
        self.asked = 0
        self.came: list[str] = []
        self.here: set[str] = set()
        self.twice: list[str] = []
        self.taken: Counter[str] = Counter()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        identifier = handler.headers["webhook-id"]
        with self.lock:
            if identifier in self.here:
                self.twice.append(identifier)
            self.here.add(identifier)
            self.came.append(identifier)
            self.asked += 1
            fails = self.asked % 2 == 0
        self.pause.wait(0.002)  # long enough for another one to be seen
        with self.lock:
            self.here.discard(identifier)
            if not fails:
                self.taken[identifier] += 1
        handler.send_response(500 if fails else 200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


def test_many_workers_deliver_every_part_once_and_in_order_to_a_server_that_fails_half_the_time(
    alice: User,
    shops: tuple[Shop, Shop],
    receiver: Receiver,
    deliverer: Deliverer,
    clock: MovedClock,
) -> None:
    shop, numbers = shops[0], []
    for each in shops:
        order_no = bought(alice, each)
        numbers += [order_no, *_copied(each, order_no, PARTS // 2 - 1)]
    server = FailsHalfTheTime()
    receiver.answer = server

    def states() -> Counter[str]:
        with shop.app.app_context(), db.reading() as connection:
            query = select(outbox_table.c.state).where(outbox_table.c.kind.in_(HANDED_OVER))
            return Counter(connection.execute(query).scalars())

    with ThreadPoolExecutor(WORKERS) as pool:
        while set(states()) != {DELIVERED}:
            if not states()[WAITING]:  # one in a thousand has failed ten times, and is parked
                for each in shops:
                    runner_of(each.app)("orders", "retry", "--merchant", each.name)
            due = _due(shop, clock)
            server.came.clear()
            for done in [pool.submit(deliverer.run) for _ in range(WORKERS)]:
                done.result()
            _came_in_order(server.came, due)
            clock.now += timedelta(hours=1)

    assert states() == {DELIVERED: PARTS}
    assert server.twice == []
    assert set(server.taken.values()) == {1}
    told = {
        (request.json["data"]["orderId"], request.headers["webhook-id"])
        for request in receiver.requests
    }
    assert sorted(number for number, _ in told) == sorted(f"{one}-1" for one in numbers)


@pytest.fixture
def shops(
    shop: Shop,
    other_shop: Shop,
    receiver: Receiver,
) -> tuple[Shop, Shop]:
    """Two merchants with one server and one secret."""
    with shop.app.app_context(), db.transaction() as connection:
        number = merchants.merchant_id(connection, other_shop.name)
        assert number is not None
        merchants.keep_order_secrets(connection, number, [OrderSecret(KEY)], secret=SECRET)
        connection.execute(update(merchants_table).values(order_webhook_url=receiver.url))
    return shop, other_shop


def _due(shop: Shop, clock: MovedClock) -> dict[int, list[str]]:
    """Return what is due, by merchant, in the order in which it has become so."""
    row = outbox_table.c
    query = select(row.merchant_id, row.key).where(
        row.kind.in_(HANDED_OVER), row.state == WAITING, row.due <= clock.now
    )
    found: dict[int, list[str]] = {}
    with shop.app.app_context(), db.reading() as connection:
        for merchant, key in connection.execute(query.order_by(row.due, row.id)):
            found.setdefault(merchant, []).append(key)
    return found


def _came_in_order(came: list[str], due: dict[int, list[str]]) -> None:
    """Check that nothing has overtaken more than what the other workers were just sending."""
    for keys in due.values():
        ranks = {key: rank for rank, key in enumerate(keys)}
        order = [ranks[key] for key in came if key in ranks]
        assert [rank for place, rank in enumerate(order) if rank - place >= WORKERS] == [], order


class Killed(BaseException):
    """What nothing catches: the process is gone."""


def _dies_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_args: Any, **_more: Any) -> None:
        raise Killed

    monkeypatch.setattr(Sandbox, "refund", die)


def _dies_after(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Callable[..., Any] = Sandbox.refund

    def die(*args: Any, **more: Any) -> None:
        made(*args, **more)
        raise Killed

    monkeypatch.setattr(Sandbox, "refund", die)


def _dies_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_args: Any, **_more: Any) -> None:
        raise Killed

    monkeypatch.setattr(ledger, "enter", die)  # in the middle of the transaction


@pytest.mark.parametrize("dies", [_dies_before, _dies_after, _dies_recording])
def test_a_refund_is_made_once_wherever_its_process_dies(
    dies: Callable[[pytest.MonkeyPatch], None],
    alice: User,
    shop: Shop,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order_no = bought(alice, shop)
    part_no = PartNo(order_no, 1)
    with shop.app.app_context():
        with db.transaction() as connection:
            refunds.reserve(connection, part_no, 500, by=Actor.MERCHANT, now=clock())
        with monkeypatch.context() as patched:
            dies(patched)
            with pytest.raises(Killed):
                refunding.settle(order_no)
        refunding.once()  # it belongs to the dead one, for a while
        clock.move(refunds.LEASE.total_seconds())
        with ThreadPoolExecutor(WORKERS) as pool:
            for done in [pool.submit(_work, shop) for _ in range(WORKERS)]:
                done.result()
        with db.reading() as connection:
            sums = ledger.sums_of_part(connection, part_no)

    assert sums == {Money.CHARGE: 1250, Money.REFUND: -500}
    assert till_of(shop).intents() == [("captured", 1250, 500)]
    assert [event.kind for event in part(shop, order_no).events] == ["created", "refunded"]


def _work(shop: Shop) -> None:
    with shop.app.app_context():
        refunding.once()
