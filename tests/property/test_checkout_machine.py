"""The checkout against a plain model: any sequence of steps, at any time, told in any order.

Two shoppers buy from the same two stocks. The model holds what each has in the cart, the state of
each session, and what was sold; after each step the service must say the same: no state outside
the drawing, stock that balances, no product in two lists, and one payment for each order.
"""

import itertools
from collections import Counter
from typing import Any

import hypothesis.strategies as st
from flask import Flask
from flask.testing import FlaskClient
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import select

from jay import db
from jay.checkout.models import LIFETIME
from jay.checkout.sandbox.models import sandbox_intents
from jay.orders.models import orders
from tests.api.buying import DECLINED, PAYS, Till, checkout_of, in_stock
from tests.builders import User, add_platform, add_shop
from tests.clock import MovedClock
from tests.depth import few_or_all, is_deep
from tests.property.machines import run_machine

RUNS = few_or_all(8, 500)
STEPS = few_or_all(15, 25)
STOCK = {"mug": 5, "hat": 2}
PRICE = 1250

shoppers = st.sampled_from([0, 1])
skus = st.sampled_from(sorted(STOCK))
EXIT = {
    "open": {"open", "paid", "aborted", "expired"},
    "paid": {"paid"},
    "aborted": {"aborted"},
    "expired": {"expired"},
}
"""Between two steps a session is never left in `paying`: nothing dies here."""


class World:
    """What all runs share."""

    def __init__(self, app: Flask, client: FlaskClient, clock: MovedClock) -> None:
        self.till = Till(app, client, clock)
        self.kino = add_platform(app, client)
        self.shop = add_shop(app, client)
        self.rates = app.extensions["jay.rates"].values()
        self.runs = itertools.count(1)
        self.seen: Counter[str] = Counter()


class CheckoutMachine(RuleBasedStateMachine):
    """Two shoppers, their sessions, and the provider's webhooks."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.till = world, world.till

    @initialize()
    def begin(self) -> None:
        run = next(self.world.runs)
        self.till.clock.move(LIFETIME.total_seconds())  # nothing of the run before is left
        self.till.work()
        self.ids = {
            sku: self.world.shop.product(f"{sku}-{run}", stock_count=STOCK[sku]) for sku in STOCK
        }
        self.left = {self.ids[sku]: count for sku, count in STOCK.items()}
        kino, names = self.world.kino, (f"alice-{run}", f"bob-{run}")
        self.users = [User(kino, name, kino.token(name, expires_in=10**9)) for name in names]
        self.carts: list[dict[str, int]] = [{}, {}]
        self.active: list[dict[str, Any] | None] = [None, None]
        self.since = [self.till.clock(), self.till.clock()]
        self.authorised: set[str] = set()
        self.states: dict[str, str] = {}
        self.old = len(self.till.webhooks())
        for shopper in (0, 1):
            self.put(shopper, "mug", 1)

    # --- the model

    def held(self, shopper: int) -> dict[str, int]:
        session = self.active[shopper]
        return {} if session is None else session["bought"]

    def free(self, product: str) -> int:
        taken = sum(self.held(one).get(product, 0) for one in (0, 1))
        return self.left[product] - taken

    def is_late(self, shopper: int) -> bool:
        return self.till.clock() >= self.since[shopper] + LIFETIME

    def end(self, shopper: int, state: str) -> None:
        session = self.active[shopper]
        assert session is not None
        self.active[shopper] = None
        if state == "paid":
            for product, count in session["bought"].items():
                self.left[product] -= count
        else:
            for product, count in session["bought"].items():
                self.carts[shopper].setdefault(product, count)
        self.expect(session["orderNo"], state)

    def expect(self, order_no: str, state: str) -> None:
        before = self.states.get(order_no, "open")
        assert state in EXIT[before]
        self.states[order_no] = state
        self.world.seen[state] += 1

    def settled(self, shopper: int) -> None:
        """Do what the worker, a webhook or a return leads to."""
        session = self.active[shopper]
        if session is None:
            return
        if session["orderNo"] in self.authorised:
            self.end(shopper, "expired" if self.is_late(shopper) else "paid")
        elif self.is_late(shopper):
            self.end(shopper, "expired")

    # --- what happens

    def one_who_pays(self, shopper: int) -> int:
        return shopper if self.active[shopper] is not None else 1 - shopper

    def user(self, shopper: int) -> User:
        return self.users[shopper]

    @rule(shopper=shoppers, sku=skus, count=st.sampled_from([1, 1, 2, -1]))
    def put(self, shopper: int, sku: str, count: int) -> None:
        product = self.ids[sku]
        if product in self.held(shopper):
            return  # what is being paid for is left alone here
        answer = self.user(shopper).put(product, count)
        if count == -1:
            self.carts[shopper].pop(product, None)
        elif answer.status_code == 200:
            self.carts[shopper][product] = count
        else:
            assert answer.json["error"]["details"] == "OUT_OF_STOCK"
            assert self.free(product) <= 0 or self.free(product) < count

    @rule(shopper=shoppers)
    def start(self, shopper: int) -> None:
        for rate in self.world.rates:
            rate.forget()
        session = self.active[shopper]
        if session is not None:
            if self.carts[shopper] != session["rest"] and not self.is_late(shopper):
                self.end(shopper, "aborted")  # an authorisation for it is let go of
            else:
                self.settled(shopper)
        going_on = self.active[shopper]
        wanted = dict(self.carts[shopper])
        answer = self.user(shopper).call("POST", "/checkout/sessions")
        if going_on is not None:
            assert answer.json["data"]["orderNo"] == going_on["orderNo"]
            self.world.seen["gone on"] += 1
            return
        bought = {p: count for p, count in wanted.items() if count <= self.free(p)}
        if not bought:
            assert answer.status_code == 409, answer.json
            assert answer.json["error"]["code"] == 2301
            return
        assert answer.status_code == 200, answer.json
        data = answer.json["data"]
        assert {one["productId"]: one["count"] for one in data["positions"]} == bought
        assert data["fullPrice"] == PRICE * sum(bought.values())
        rest = {p: count for p, count in wanted.items() if p not in bought}
        self.carts[shopper] = dict(rest)
        self.active[shopper] = {**data, "bought": bought, "rest": rest}
        self.since[shopper] = self.till.clock()
        self.expect(data["orderNo"], "open")

    @precondition(lambda self: any(self.active))
    @rule(shopper=shoppers, card=st.sampled_from([PAYS, PAYS, DECLINED]))
    def pay(self, shopper: int, card: str) -> None:
        session = self.active[self.one_who_pays(shopper)]
        assert session is not None
        self.till.pay(session, card)
        if card == PAYS:
            self.authorised.add(session["orderNo"])
        else:
            self.world.seen["declined"] += session["orderNo"] not in self.authorised

    @precondition(lambda self: any(self.active))
    @rule(shopper=shoppers)
    def come_back(self, shopper: int) -> None:
        shopper = self.one_who_pays(shopper)
        session = self.active[shopper]
        assert session is not None
        self.till.client.get(f"/checkout/return/{session['orderNo']}")
        if session["orderNo"] in self.authorised:
            self.settled(shopper)

    @precondition(lambda self: any(self.active))
    @rule(shopper=shoppers)
    def abort(self, shopper: int) -> None:
        shopper = self.one_who_pays(shopper)
        path = "/checkout/sessions/finish-active"
        assert self.user(shopper).call("POST", path, json={"ordered": False}).status_code == 200
        self.end(shopper, "expired" if self.is_late(shopper) else "aborted")

    @rule(times=st.sampled_from([1, 2]), backwards=st.booleans(), skip=st.sampled_from([0, 1]))
    def hear(self, times: int, backwards: bool, skip: int) -> None:
        bodies = self.till.webhooks()[self.old + skip :] * times
        for body in reversed(bodies) if backwards else bodies:
            assert self.till.tell(body).status_code == 200
        self.world.seen["told twice"] += times == 2 and bool(bodies)

    @rule(seconds=st.sampled_from([0, 1, 15, 1799, 1800]))
    def work(self, seconds: int) -> None:
        before = self.till.clock()
        self.till.clock.move(seconds)
        self.till.work()
        for shopper in (0, 1):
            self.follow(shopper)
        assert self.till.clock() >= before

    def follow(self, shopper: int) -> None:
        """Take over what the worker has found out: it may, and when its time is over it must."""
        session = self.active[shopper]
        if session is None:
            return
        state = self.till.state(session).value
        if state != "open":
            assert self.is_late(shopper) or session["orderNo"] in self.authorised
            self.settled(shopper)
        else:
            assert not self.is_late(shopper)

    # --- what must hold

    @invariant()
    def it_is_as_in_the_model(self) -> None:
        if not hasattr(self, "users"):
            return
        for shopper, user in enumerate(self.users):
            assert user.cart() == self.carts[shopper]
            assert checkout_of(user) == self.held(shopper)
            assert self.carts[shopper].keys() & self.held(shopper).keys() == set()
        for product in self.left:
            assert in_stock(self.users[0], product) == self.free(product)
        for order_no, state in self.states.items():
            assert self.till.session(order_no).state.value == state

    @invariant()
    def each_order_has_one_payment_and_each_payment_one_order(self) -> None:
        if not hasattr(self, "users"):
            return
        with self.till.app.app_context(), db.reading() as connection:
            intents = connection.execute(select(sandbox_intents)).all()
            made = {row.order_no: row.amount for row in connection.execute(select(orders))}
        kept = {row.reference: row.captured - row.refunded for row in intents}
        mine = {order_no for order_no, state in self.states.items() if state == "paid"}
        assert {no: amount for no, amount in kept.items() if amount} == made
        assert {no for no in made if no in self.states} == mine


def test_no_run_shows_a_difference_to_the_model(
    app: Flask, client: FlaskClient, clock: MovedClock
) -> None:
    world = World(app, client, clock)

    run_machine(lambda: CheckoutMachine(world), runs=RUNS, steps=STEPS)

    for event in ("open", "paid", "aborted", "expired", "declined", "gone on", "told twice"):
        assert world.seen[event] or not is_deep(), world.seen
    assert world.seen["paid"]
    assert world.seen["expired"]
