"""kill -9 of requests, gunicorn's workers and master, ``worker`` and the sandbox, at any moment.

Once the requests are processes of their own, and end in the middle of whatever they do; once they
come over HTTP to a real gunicorn. What is left is finished by those that are started next. Webhooks
of the provider come never, once or more often, in any order. In the end nothing is lost and nothing
was done twice.
"""

import base64
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError

from jay import create_app, db
from jay.baskets.models import baskets
from jay.checkout import reconciling
from jay.checkout.models import ACTIVE, checkout_sessions
from jay.checkout.sandbox.models import (
    SIGNATURE_HEADER,
    sandbox_intents,
    sandbox_refunds,
    sandbox_transfers,
)
from jay.clock import system_clock
from jay.config import Settings
from jay.errors import Busy
from jay.merchants import service as merchants
from jay.merchants.models import OrderSecret
from jay.merchants.models import merchants as merchants_table
from jay.orders import checking, refunding, service
from jay.orders.handover import TYPES
from jay.orders.models import (
    Happening,
    Money,
    MovementState,
    ledger,
    movements,
    order_events,
    order_lines,
    order_parts,
    orders,
)
from jay.outbox import delivery
from jay.outbox.models import DELIVERED, WAITING, outbox, outbox_addresses
from jay.products.models import products, stock_reservations
from tests.api.buying import BUYER, HANDED_OVER
from tests.builders import Platform, Shop, User, add_platform, add_shop
from tests.clock import PATIENCE_SECONDS, wait_until
from tests.conftest import SECRET, migrated, new_postgres_database, settings
from tests.depth import chance, few_or_all, is_deep
from tests.e2e.actors import http_client
from tests.receiver import receiving
from tests.servers import Gunicorn, free_port

KILLS = few_or_all(3, 200)
STOCK = 400
LONGEST_LIFE = 0.6
"""Seconds that a process works at most until it is killed."""

BETWEEN_KILLS = timedelta(minutes=3)
"""By so much the clock goes on with each: leases run out, and now and then a checkout."""

CLOCK = "clock"

CARDS = ["4242424242424242"] * 4 + ["4000000000000002", "4000002500003155"]
SHOPS = ("mugshop", "hatshop")
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()

Told = dict[tuple[str, ...], set[str]]
"""Under which ids merchants have got what: type, part and moment."""

MOVED = "tests.e2e.moved_app:app"

# Processes that start with everything imported.
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__])


@dataclass
class World:
    """What the processes know of each other: files, keys and the clock."""

    given: Settings
    folder: Path
    partner_key: str
    shop_keys: dict[str, str]
    products: list[str]
    late: Any
    port: int

    def now(self) -> Any:
        return system_clock() + timedelta(seconds=self.late.value)

    def move(self, by: timedelta) -> None:
        """Let so much time pass for all processes: gunicorn's read it in a file."""
        self.late.value += by.total_seconds()
        put(self.folder, CLOCK, str(self.late.value))

    @property
    def environ(self) -> dict[str, str]:
        """What gunicorn is started with."""
        much = "1000000"
        return {
            "JAY_DEMO": "1",
            "JAY_DATABASE_URL": self.given.database_url,
            "JAY_DATA_DIR": str(self.folder),
            "JAY_SECRET_KEY": SECRET,
            "JAY_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "JAY_TEST_CLOCK": str(self.folder / CLOCK),
            "JAY_GUESTS_PER_ADDRESS": much,
            "JAY_GUESTS_PER_KEY": much,
            "JAY_CHECKOUTS_PER_USER": much,
            "PORT": str(self.port),
        }

    def app(self) -> Flask:
        return create_app(self.given, clock=self.now)


def put(folder: Path, name: str, content: str) -> None:
    """Write a file at once: whoever reads it reads all of it."""
    folder.mkdir(exist_ok=True)
    draft = folder / f".{name}"
    draft.write_text(content)
    draft.replace(folder / name)


def files(folder: Path) -> list[Path]:
    return sorted(one for one in folder.glob("[!.]*"))


# --- those who are killed


class Shopper:
    """Shoppers, one request after the other, and the provider's webhooks that arrive between."""

    draw: random.Random

    def __init__(self, world: World) -> None:
        self.world, self.app = world, world.app()
        self.client = self.app.test_client()
        self.platform = Platform(self.client, "kino", world.partner_key)

    def __call__(self) -> None:
        step = self.draw.choice([self.buy, self.buy, self.buy, self.hear, self.cancel])
        step()

    def _user(self) -> User:
        known = files(self.world.folder / "guests")
        if known and self.draw.random() < 0.5:  # perhaps one whose request was killed
            told = json.loads(self.draw.choice(known).read_text())
            user = User(self.platform, told["id"], told["token"])
        else:
            user = self.platform.guest()
            told = {"id": user.id, "token": user.token}
            put(self.world.folder / "guests", user.id.replace(":", "_"), json.dumps(told))
        for product in self.draw.sample(self.world.products, self.draw.randint(1, 3)):
            self.seen(user.put(product, self.draw.randint(1, 2)))
        return user

    def buy(self) -> None:
        user = self._user()
        started = self.seen(user.call("POST", "/checkout/sessions", json=BUYER))
        if started.status_code != 200:
            return
        told = started.json["data"]
        path = urlsplit(told["psp"]["paymentUrl"]).path
        number = self.draw.choice(CARDS)
        self.seen(self.client.post(path, data={"number": number}))
        if number.endswith("3155"):
            self.seen(self.client.post(path, data={"number": number, "step": "approve"}))
        after: list[Callable[[], Any]] = [
            lambda: self.client.get(f"/checkout/return/{told['orderNo']}"),
            lambda: self._finish(user, ordered=True),
            lambda: self._finish(user, ordered=False),
            self.hear,
            lambda: None,
        ]
        self.draw.choice(after)()

    def _finish(self, user: User, *, ordered: bool) -> None:
        path = "/checkout/sessions/finish-active"
        self.seen(user.call("POST", path, json={"ordered": ordered}))

    def hear(self) -> None:
        known = files(self.world.folder / "webhooks")
        some = self.draw.sample(known, min(len(known), 4))
        often = [one for one in some for _ in range(self.draw.randint(0, 3))]
        self.draw.shuffle(often)
        for one in often:
            told = json.loads(one.read_text())
            headers = {SIGNATURE_HEADER: told["signature"]}
            self.seen(self.client.post("/psp/sandbox/webhook", data=told["body"], headers=headers))

    def cancel(self) -> None:
        with self.app.app_context(), db.reading() as connection:
            numbers = list(connection.execute(select(orders.c.order_no)).scalars())
            if not numbers:
                return
            order = service.find(connection, self.draw.choice(numbers))
        assert order is not None
        token = service.token_of(order, secret=SECRET)
        self.seen(self.client.post(f"/orders/{token}/cancel", data={"part": "1"}))

    def seen(self, answer: Any) -> Any:
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        return answer


class Seller(Shopper):
    """Merchants, who take their parts on."""

    def __call__(self) -> None:
        name = self.draw.choice(SHOPS)
        shop = Shop(self.app, self.client, name, self.world.shop_keys[name])
        listed = self.seen(shop.call("GET", "/shops/orders"))
        parts = listed.json["data"]["orders"] if listed.status_code == 200 else []
        if not parts:
            time.sleep(0.02)
            return
        part = self.draw.choice(parts[:10])
        path, key = f"/shops/orders/{part['orderId']}", f"{self.draw.random()}"
        one = [{"sku": self.draw.choice(part["lines"])["sku"], "count": 1}]
        bodies: list[dict[str, Any]] = [
            {"state": "accepted"},
            {"state": "shipped", "lines": one, "tracking": {"carrier": "DHL"}},
            {"state": "shipped"},
            {"state": "cancelled", "lines": one},
            {"state": "cancelled"},
            {"state": "returned", "lines": one, "restock": True},
        ]
        send = partial(shop.call, headers={"Idempotency-Key": key})
        if self.draw.random() < 0.3:
            refund = {"amount": self.draw.randint(1, 400), "reason": "late"}
            call = partial(send, "POST", f"{path}/refunds", json=refund)
        else:
            call = partial(send, "PATCH", path, json=self.draw.choice(bodies))
        for _ in range(self.draw.randint(1, 2)):  # and again, as after an answer that was lost
            self.seen(call())


class Lost(Exception):
    """No answer has come, or one that says to ask again."""


class Heard:
    """An answer, read as those of Flask's client are."""

    def __init__(self, answer: BaseHTTPResponse) -> None:
        self.status_code, self._answer = answer.status, answer

    @property
    def json(self) -> Any:
        return self._answer.json()

    @property
    def text(self) -> str:
        return self._answer.data.decode(errors="replace")


class Line:
    """A client that reaches gunicorn, as far as there is one: used as Flask's client is."""

    def __init__(self, port: int) -> None:
        self._url, self._http = f"http://127.0.0.1:{port}", http_client()

    def get(self, path: str) -> Heard:
        return self.open(path)

    def post(self, path: str, **more: Any) -> Heard:
        return self.open(path, method="POST", **more)

    def open(
        self,
        path: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Any = None,
    ) -> Heard:
        """Send a request; one with a key again and again until it is answered.

        :raises Lost: it was not.
        """
        more: dict[str, Any] = {"headers": headers, "json": json, "redirect": False}
        if isinstance(data, dict):
            more |= {"fields": data, "encode_multipart": False}
        elif data is not None:
            more |= {"body": data}
        while True:
            with contextlib.suppress(HTTPError):
                answer = self._http.request(method, self._url + path, **more)
                if answer.status != 503:
                    return Heard(answer)
            time.sleep(0.05)
            if "Idempotency-Key" not in (headers or {}):
                raise Lost


class Customer(Seller):
    """Shoppers and merchants whose requests go over HTTP; they live on whoever is killed."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.client = Line(world.port)
        self.platform = Platform(self.client, "kino", world.partner_key)

    def __call__(self) -> None:
        self.draw.choice([Shopper.__call__, Seller.__call__])(self)


class Worker:
    """The command ``worker``, with all its threads."""

    def __init__(self, world: World) -> None:
        self.app = world.app()

    def __call__(self) -> None:
        ended = self.app.test_cli_runner().invoke(args=["worker"], catch_exceptions=False)
        raise AssertionError(ended.output)  # nobody has told it to stop


FORKED: dict[str, Any] = {"shopper": Shopper, "seller": Seller, "worker": Worker}
SERVED: dict[str, Any] = {"customer": Customer, "other customer": Customer, "worker": Worker}


def live(name: str, work: Any, world: World, seed: int) -> None:
    """Work until killed; what must not happen is written down."""
    work.draw = random.Random(seed)
    try:
        while True:
            with contextlib.suppress(Busy, Lost):
                work()
    except Exception:  # noqa: BLE001 - the test reads it
        put(world.folder / "errors", f"{name}-{seed}", traceback.format_exc())


def nursery(world: World, kinds: dict[str, Any], orders: Any) -> None:
    """Make the apps once, and fork who works with them: each life begins at once."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are nobody's
    works = {name: kind(world) for name, kind in kinds.items()}
    orders.send(None)
    while (order := orders.recv()) is not None:
        name, seed = order
        child = os.fork()
        if not child:
            live(name, works[name], world, seed)
            os._exit(1)
        orders.send(child)


class Nursery:
    """Starts processes that work, and kills them."""

    def __init__(self, world: World, kinds: dict[str, Any]) -> None:
        self._orders, theirs = _forks.Pipe()
        self._process: BaseProcess = _forks.Process(target=nursery, args=(world, kinds, theirs))
        self._process.start()
        self.running: dict[str, int] = {}
        self._seeds = itertools.count()

    def start_all(self, kinds: dict[str, Any]) -> None:
        """Let everybody work, once all is imported."""
        self._heard()
        for name in kinds:
            self.start(name)

    def _heard(self) -> Any:
        # It has to import all there is first, on a machine that may be busy.
        assert self._orders.poll(5 * PATIENCE_SECONDS)
        return self._orders.recv()

    def start(self, name: str) -> None:
        """Let somebody work."""
        self._orders.send((name, next(self._seeds)))
        self.running[name] = self._heard()

    def kill(self, name: str) -> None:
        """End whoever works as a crash does."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.running.pop(name), signal.SIGKILL)

    def end(self) -> None:
        """Kill all."""
        for name in [*self.running]:
            self.kill(name)
        with contextlib.suppress(OSError):  # it has ended by itself
            self._orders.send(None)
        self._process.join(PATIENCE_SECONDS)
        self._process.kill()
        self._process.join()


class Forks:
    """Requests and ``worker`` as processes of their own, each of which may be killed."""

    def __init__(self, world: World) -> None:
        self._alive = Nursery(world, FORKED)
        try:
            self._alive.start_all(FORKED)
        except BaseException:
            self._alive.end()
            raise

    def kill(self, number: int, draw: random.Random) -> None:
        """Kill one of them, and start another such one."""
        name = draw.choice([*FORKED])
        self._alive.kill(name)
        self._alive.start(name)

    def end(self) -> None:
        self._alive.end()


class Servers:
    """A real gunicorn and ``worker``, each of whose processes may be killed, and customers."""

    FIRST = ("web worker", "worker", "master")
    LATER = (*("web worker",) * 5, *("worker",) * 3, "master")
    """A master takes seconds to start again."""

    def __init__(self, world: World) -> None:
        self._world = world
        with contextlib.ExitStack() as running:
            self._alive = Nursery(world, SERVED)  # both import at the same time
            running.callback(self._alive.end)
            self._web = running.enter_context(Gunicorn(world.environ, app=MOVED))
            self._alive.start_all(SERVED)
            self._running = running.pop_all()

    def kill(self, number: int, draw: random.Random) -> None:
        """Kill the next of them, and start another such one where nobody else does."""
        victim = self.FIRST[number] if number < len(self.FIRST) else draw.choice(self.LATER)
        if victim == "worker":
            self._alive.kill(victim)
            self._alive.start(victim)
        elif victim == "master":
            self._web.kill()
            again = Gunicorn(self._world.environ, app=MOVED)
            self._web = self._running.enter_context(again)
        elif workers := self._web.workers():  # its master starts another one
            with contextlib.suppress(ProcessLookupError):
                os.kill(draw.choice(workers), signal.SIGKILL)

    def end(self) -> None:
        self._alive.end()  # who asks, before who answers
        self._running.close()


# --- the world around them


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jay.sqlite3'}"
    cluster = request.getfixturevalue("postgres")
    return new_postgres_database(cluster, "jay_killed_anywhere", anew=True)


@contextlib.contextmanager
def world_of(url: str, folder: Path) -> Iterator[tuple[World, Flask, Told]]:
    """Make a world with two merchants; one refuses what it is told now and then."""
    told: Told = defaultdict(set)
    draw = chance(7)
    with receiving() as relay, receiving() as receiver:
        given = settings(migrated(url), folder, demo=True, port=relay.port)
        world = World(given, folder, "", {}, [], _forks.Value("d", 0.0), free_port())
        world.move(timedelta())
        app = world.app()
        client = app.test_client()
        world.partner_key = add_platform(app, client).key
        for name in SHOPS:
            shop = add_shop(app, client, name)
            world.shop_keys[name] = shop.key
            fields: dict[str, Any] = {"price": 1250, "stock_count": STOCK}
            world.products += [shop.product(f"{name}-{n}", **fields) for n in range(2)]
            with app.app_context(), db.transaction() as connection:
                number = merchants.merchant_id(connection, name)
                assert number is not None
                merchants.keep_order_secrets(connection, number, [OrderSecret(KEY)], secret=SECRET)
        with app.app_context(), db.transaction() as connection:
            values = {"order_webhook_url": receiver.url, "fee_percent": 7.5}
            connection.execute(update(merchants_table).values(**values))
            mine = merchants_table.c.name == SHOPS[0]
            connection.execute(update(merchants_table).where(mine).values(stripe_account="acct_1"))

        def keep(handler: BaseHTTPRequestHandler) -> None:
            request = relay.requests.pop()
            sent = {"signature": request.headers[SIGNATURE_HEADER], "body": request.body.decode()}
            put(folder / "webhooks", json.loads(request.body)["id"], json.dumps(sent))
            answer(handler, 200)

        def hear(handler: BaseHTTPRequestHandler) -> None:
            request = receiver.requests[-1]
            body, headers = request.json, request.headers
            fails = draw.random() < 0.2
            if not fails:
                about = (body["type"], body["data"]["orderId"], body["timestamp"])
                told[about].add(headers["webhook-id"])
            answer(handler, 500 if fails else 200)

        relay.answer, receiver.answer = keep, hear
        yield world, app, told
        app.extensions["jay.db"].dispose()


def answer(handler: BaseHTTPRequestHandler, status: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def finish(world: World, app: Flask) -> None:
    """Let a worker that nobody kills do all that is left."""
    with app.app_context():
        for _ in range(200):
            world.move(timedelta(hours=1))
            with contextlib.suppress(Busy):  # as by a slow disk: it is tried again
                while reconciling.once() or refunding.once():
                    pass
                delivery.deliverer().run()
                with db.transaction() as connection:
                    connection.execute(outbox_addresses.delete())
            if not left(app):
                return
    raise AssertionError(left(app))


def left(app: Flask) -> dict[str, int]:
    """Return how much there is still to be done, of what."""
    open_ones = {
        "sessions": select(func.count()).where(checkout_sessions.c.state.in_(ACTIVE)),
        "movements": select(func.count()).where(movements.c.state == MovementState.RESERVED),
        "messages": select(func.count()).where(outbox.c.state == WAITING),
        "reservations": select(func.count()).where(stock_reservations.c.sold_at.is_(None)),
    }
    with app.app_context(), db.reading() as connection:
        found = {name: connection.execute(query).scalar_one() for name, query in open_ones.items()}
    return {name: count for name, count in found.items() if count}


@pytest.mark.parametrize("those", [Forks, Servers])
def test_whoever_is_killed_nothing_is_lost_and_nothing_done_twice(
    those: type[Forks | Servers], database_url: str, tmp_path: Path
) -> None:
    draw = chance()
    with world_of(database_url, tmp_path) as (world, app, told):
        alive = those(world)
        try:
            for number in range(KILLS):
                # A random moment is what this is about; nothing waits for anything.
                time.sleep(draw.random() * LONGEST_LIFE)
                alive.kill(number, draw)
                world.move(BETWEEN_KILLS)
            wait_for_an_order(app)
        finally:
            alive.end()
        finish(world, app)

        assert [one.read_text() for one in files(tmp_path / "errors")] == []
        check(app, told)


def wait_for_an_order(app: Flask) -> None:
    """Wait until somebody has bought something, however slow the machine is."""

    def is_one() -> bool:
        with app.app_context(), db.reading() as connection:
            return connection.scalar(select(orders.c.order_no).limit(1)) is not None

    wait_until(is_one)


# --- what must be true in the end


def check(app: Flask, told: Told) -> None:
    with app.app_context(), db.reading() as connection:
        assert checking.paid_without_order(connection) == []
        assert checking.orders_without_payment(connection) == []
        assert checking.unbalanced_parts(connection) == []

        def rows(table: Any) -> list[Any]:
            return list(connection.execute(select(table)).all())

        intents = {row.id: row for row in rows(sandbox_intents)}
        made = rows(orders)
        money: dict[str, Counter[str]] = defaultdict(Counter)
        for entry in rows(ledger):
            money[entry.order_no][entry.kind] += entry.amount
        movement = rows(movements)
        back = rows(sandbox_refunds)
        shares = rows(sandbox_transfers)
        lines, events, parts = rows(order_lines), rows(order_events), rows(order_parts)
        stored, messages, all_baskets = rows(products), rows(outbox), rows(baskets)
    assert made  # something has happened at all
    assert len({order.intent_id for order in made}) == len(made)
    _check_money(Bank(intents, back, shares), made, money, movement)
    _check_pieces(lines, stored, all_baskets)
    _check_told(events, parts, movement, messages, told)


@dataclass
class Bank:
    """What the provider has of payments, refunds and shares."""

    intents: dict[str, Any]
    back: list[Any]
    shares: list[Any]


def _check_money(
    bank: Bank, made: list[Any], money: dict[str, Counter[str]], movement: list[Any]
) -> None:
    ordered = {order.intent_id for order in made}
    for intent in bank.intents.values():
        assert intent.status != "authorised", intent
        if intent.id not in ordered:
            assert intent.captured == intent.refunded, intent
    for order in made:
        intent, sums = bank.intents[order.intent_id], money[order.order_no]
        assert (intent.captured, order.amount) == (sums[Money.CHARGE], sums[Money.CHARGE])
        assert intent.refunded == -sums[Money.REFUND]
        sent = [one for one in bank.shares if one.intent_id == intent.id]
        assert sum(one.amount for one in sent) == -sums[Money.TRANSFER]
        assert sum(one.reversed for one in sent) == sums[Money.REVERSAL]
    # Each refund is one row at the provider, under the id that it was decided under.
    done = {one.id for one in movement if one.kind == Money.REFUND and one.state == "made"}
    assert {one.reason for one in bank.back if one.intent_id in ordered} == done
    # A part whose merchant has an account is shared out to the last cent.
    for part in {(one.order_no, one.part) for one in movement if one.kind == Money.TRANSFER}:
        own = [one for one in movement if (one.order_no, one.part) == part]
        assert {one.state for one in own} == {"made"}, own


def _check_pieces(lines: list[Any], stored: list[Any], all_baskets: list[Any]) -> None:
    gone: Counter[str] = Counter()
    for line in lines:
        gone[line.stock_id] += line.ordered - line.cancelled - line.returned
    for product in stored:
        left_over = product.stock_count - product.taken
        assert left_over == STOCK - gone[product.id], product.id
    for basket in all_baskets:
        entries = [entry["id"] for entry in basket.entries]
        assert len(entries) == len(set(entries)), basket


def _check_told(
    events: list[Any],
    parts: list[Any],
    movement: list[Any],
    messages: list[Any],
    told: Told,
) -> None:
    happened = Counter(event.kind for event in events)
    assert happened[Happening.CREATED] == len(parts)
    refunds = [one for one in movement if one.kind == Money.REFUND and one.state == "made"]
    assert happened[Happening.REFUNDED] == len(refunds)
    assert refunds or not is_deep()
    assert {one.state for one in messages} == {DELIVERED}
    ours = [one for one in messages if one.kind in HANDED_OVER]
    arrived = {identifier for ids in told.values() for identifier in ids}
    assert arrived == {one.key for one in ours}
    assert len(ours) == sum(happened[kind] for kind in TYPES)
    created = {about[1] for about in told if about[0] == "order.created"}
    assert created == {f"{part.order_no}-{part.number}" for part in parts}
    assert all(len(ids) == 1 for about, ids in told.items() if about[0] == "order.created")
