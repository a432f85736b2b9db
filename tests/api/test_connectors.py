"""Orders in merchants' shops at Shopify and with WooCommerce, against stand-ins that keep state."""

import contextlib
import copy
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from jay import db
from jay.checkout.sandbox import service as sandbox
from jay.connectors import calling, handing, polling
from jay.connectors.calling import Calls
from jay.connectors.handed import ASKED_EVERY
from jay.connectors.interface import NOT_THERE, UNSURE_FOR, Problem
from jay.connectors.shopify.shop import READ_AT_ONCE, Shopify
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.orders import events, ledger, service
from jay.orders.handover import WAITS, messages_about
from jay.orders.models import Attention, Money, OrderPart, PartNo
from jay.outbox.delivery import Attempt, Deliverer, transports_of
from jay.outbox.models import LEASE, outbox
from tests.api.buying import BUYER, HANDED_OVER, bought, till_of
from tests.api.checks import dump, rows
from tests.builders import Shop, User, add_platform, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON, MovedClock
from tests.conftest import SECRET, Apps
from tests.shops import ShopifyShop, Stand, WooShop, open_shop

BOTH = pytest.mark.parametrize("kind", ["shopify", "woocommerce"])


@dataclass
class Counter:
    """A merchant with a shop of its own, who buys there, and what the worker does."""

    app: Flask
    merchant: Shop
    alice: User
    clock: MovedClock
    stand: Any
    run: Run

    def connect(self, *options: str, said: tuple[str, ...] | None = None) -> Any:
        lines = "\n".join(said or self.stand.stored) + "\n"
        words = ["merchant", "connect", self.merchant.name, self.kind, "--address", self.stand.url]
        given = io.BytesIO(lines.encode())
        return self.app.test_cli_runner().invoke(args=[*words, *options], input=given)

    @property
    def kind(self) -> str:
        return "shopify" if isinstance(self.stand, ShopifyShop) else "woocommerce"

    def buy(self, *products: tuple[str, int], **buyer: Any) -> PartNo:
        return PartNo(bought(self.alice, self.merchant, *products, **(BUYER | buyer)), 1)

    def deliver(self) -> list[Attempt]:
        seen: list[Attempt] = []
        Deliverer(
            self.app.extensions["jay.db"],
            transports_of(Client(LOOPBACK)),
            {kind.name: kind for kind in handing.kinds(self.app.extensions["jay.settings"])},
            clock=self.clock,
            secret=SECRET,
            report=seen.append,
        ).run()
        return seen

    def failure(self) -> str:
        (attempt,) = self.deliver()
        return attempt.outcome.failure or ""

    def read_back(self) -> None:
        self.clock.move(ASKED_EVERY.total_seconds() + 1)
        with self.app.app_context():
            while polling.once():
                pass

    def part(self, part_no: PartNo) -> OrderPart:
        with self.app.app_context(), db.reading() as connection:
            found = service.find_part(connection, part_no)
        assert found is not None
        return found

    def paid_back(self, part_no: PartNo) -> int:
        with self.app.app_context(), db.reading() as connection:
            return -ledger.sums_of_part(connection, part_no)[Money.REFUND]


@pytest.fixture
def counter(
    apps: Apps, database_url: str, app: Flask, clock: MovedClock
) -> Iterator[Callable[[str], Counter]]:
    """Have a merchant with a connected shop of a kind, where a mug and a hat are sold."""
    there = apps.on(database_url, "demo", demo=True)
    with contextlib.ExitStack() as opened:

        def have(kind: str) -> Counter:
            stand: Stand
            if kind == "shopify":
                stand = ShopifyShop(variants={sku: [f"gid://v/{sku}"] for sku in ("mug", "hat")})
            else:
                hat = {"id": 8, "sku": "hat", "type": "variation", "parent_id": 7}
                mug = {"id": 5, "sku": "mug", "type": "simple", "parent_id": 0}
                stand = WooShop(products={"mug": [mug], "hat": [hat]})
            opened.enter_context(open_shop(stand))
            client = there.test_client()
            merchant = add_shop(there, client)
            alice = add_platform(there, client).user("alice")
            made = Counter(there, merchant, alice, clock, stand, runner_of(there))
            done = made.connect()
            assert done.exit_code == 0, done.output
            return made

        yield have


def mug_and_hats(counter: Counter) -> tuple[tuple[str, int], ...]:
    mug = counter.merchant.product("mug", shipping={"shippingFlatRate": 499})
    return (mug, 1), (counter.merchant.product("hat", price=1000, vat=7.0), 3)


def test_shopify_gets_what_was_bought_with_prices_taxes_and_addresses(
    counter: Callable[[str], Counter],
) -> None:
    at = counter("shopify")
    part_no = at.buy(*mug_and_hats(at))

    at.deliver()

    order = at.stand.of(str(part_no))
    assert (order["currency"], order["taxesIncluded"], order["test"]) == ("EUR", True, False)
    told = [
        (line["variantId"], line["quantity"], line["priceSet"]["shopMoney"]["amount"])
        for line in order["lineItems"]
    ]
    assert told == [("gid://v/mug", 1, "12.50"), ("gid://v/hat", 3, "10.00")]
    part = at.part(part_no)
    taxes = [line["taxLines"][0]["rate"] for line in order["lineItems"]]
    assert taxes == [line.vat / 100 for line in part.lines]
    (shipping,) = order["shippingLines"]
    assert shipping["priceSet"]["shopMoney"] == {"amount": "4.99", "currencyCode": "EUR"}
    (paid,) = order["transactions"]
    assert paid["amountSet"]["shopMoney"]["amount"] == f"{part.total / 100:.2f}"
    address = {"address1": "Große Straße 7a", "zip": "10115", "city": "Berlin"}
    assert address.items() <= order["shippingAddress"].items()
    assert order["email"] == "zoe@example.org"
    assert order["options"]["inventoryBehaviour"] == "DECREMENT_IGNORING_POLICY"
    assert order["options"]["sendReceipt"] is False


def test_woocommerce_gets_totals_without_the_tax_that_it_adds_itself(
    counter: Callable[[str], Counter],
) -> None:
    at = counter("woocommerce")
    part_no = at.buy(*mug_and_hats(at))

    at.deliver()

    order = at.stand.of(str(part_no))
    part = at.part(part_no)
    mug, hats = order["line_items"]
    assert (mug["product_id"], mug.get("variation_id")) == (5, None)
    assert (hats["product_id"], hats["variation_id"], hats["quantity"]) == (7, 8, 3)
    nets = [line.price * line.ordered - line.tax for line in part.lines]
    assert [line["total"] for line in order["line_items"]] == [f"{net / 100:.2f}" for net in nets]
    shipping_tax = part.tax - sum(line.tax for line in part.lines)
    (shipping,) = order["shipping_lines"]
    assert shipping["total"] == f"{(499 - shipping_tax) / 100:.2f}"
    assert (order["set_paid"], order["status"]) == (True, "processing")
    assert order["transaction_id"] == part.order.intent_id
    assert order["billing"]["email"] == "zoe@example.org"


@BOTH
def test_what_was_made_without_an_answer_is_not_made_again(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    at.buy((at.merchant.product("mug"), 1))
    at.stand.faults = ["cut after"]

    assert at.failure() == "the connection ended without an answer of HTTP"
    assert rows(at.app, "handed_parts") == 0
    # It may take a moment until a search finds it.
    at.clock.move(UNSURE_FOR.total_seconds() - 1)
    assert at.deliver() == []
    at.clock.move(1)
    (again,) = at.deliver()

    assert (again.state, len(at.stand.orders)) == ("delivered", 1)
    assert rows(at.app, "handed_parts") == 1


@pytest.mark.parametrize("fault", ["internal after", "odd after"])
def test_what_shopify_may_have_made_is_looked_for_when_its_search_has_it(
    fault: str, counter: Callable[[str], Counter]
) -> None:
    at = counter("shopify")
    at.buy((at.merchant.product("mug"), 1))
    at.stand.faults, at.stand.lags = [fault], True

    assert at.failure()
    assert len(at.stand.orders) == 1
    at.clock.move(UNSURE_FOR.total_seconds() - 1)
    assert at.deliver() == []
    at.stand.lags = False
    at.clock.move(1)
    (again,) = at.deliver()

    assert (again.state, len(at.stand.orders)) == ("delivered", 1)


def test_who_takes_over_from_a_dead_process_waits_until_the_search_has_it(
    counter: Callable[[str], Counter], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = counter("shopify")
    at.buy((at.merchant.product("mug"), 1))
    at.stand.lags = True

    def dies(*_args: Any, **_more: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("jay.outbox.service.record", dies)
        with pytest.raises(SystemExit):
            at.deliver()
    at.clock.move(LEASE.total_seconds() + 1)
    assert at.failure() == "it may have been put into the shop already"
    at.stand.lags = False
    at.clock.move(WAITS[1].total_seconds())
    (again,) = at.deliver()

    assert (again.state, len(at.stand.orders)) == ("delivered", 1)


@BOTH
def test_a_process_that_dies_between_call_and_record_leads_to_no_second_order(
    kind: str, counter: Callable[[str], Counter], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 1))

    def dies(*_args: Any, **_more: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("jay.outbox.service.record", dies)
        with pytest.raises(SystemExit):
            at.deliver()
    assert (len(at.stand.orders), rows(at.app, "handed_parts")) == (1, 0)
    at.clock.move(61)  # its lease is over
    at.deliver()
    assert (len(at.stand.orders), rows(at.app, "handed_parts")) == (1, 1)

    # The same when an operator begins anew with what has arrived, or has not.
    at.run("orders", "retry", str(part_no))
    at.deliver()
    assert len(at.stand.orders) == 1


@BOTH
def test_parcels_and_refunds_are_read_back_once(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy(*mug_and_hats(at))
    at.deliver()
    at.stand.ship(str(part_no), {"mug": 1, "hat": 3}, "0034")
    at.stand.refund(str(part_no), "10.50")

    for _ in range(3):
        at.read_back()
        at.deliver()

    part = at.part(part_no)
    assert part.state == "shipped"
    assert [(one.carrier, one.tracking_number) for one in part.parcels] == [("DHL", "0034")]
    assert [(one.amount, one.by) for one in part.refunds] == [(1050, "merchant")]
    assert at.paid_back(part_no) == 1050
    assert at.run("orders", "reconcile").exit_code == 0


def refund_here(at: Counter, part_no: PartNo, amount: int) -> str:
    """Refund something here, and return what stands at the order in the shop."""
    words = ("--amount", f"{amount}", "--reason", "Late")
    assert at.run("orders", "refund", str(part_no), *words).exit_code == 0
    at.deliver()
    return f"jay-refunded-{at.part(part_no).events[-1].number}"


@BOTH
def test_a_refund_made_here_and_noted_in_the_shop_is_paid_once_and_looked_at(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    refund_here(at, part_no, 500)
    at.stand.refund(str(part_no), "5.00")

    for _ in range(2):
        at.read_back()

    assert at.paid_back(part_no) == 500
    shown = at.run("merchant", "connection", at.merchant.name).stdout
    assert "not paid, as so much went back here already" in shown
    listed = at.run("orders", "list", "--attention").stdout
    assert "like one that was made here" in listed
    # Whatever comes after it: it stays until somebody has attended to it.
    at.stand.ship(str(part_no), {"mug": 1}, "1")
    at.read_back()
    shown = at.run("merchant", "connection", at.merchant.name).stdout
    assert "not paid, as so much went back here already" in shown
    # As much once more is another one; and of what is only near to one here it is told.
    at.stand.refund(str(part_no), "5.00")
    at.read_back()
    assert at.paid_back(part_no) == 1000
    at.run("orders", "attended", str(part_no))
    assert "not paid" not in at.run("merchant", "connection", at.merchant.name).stdout
    refund_here(at, part_no, 300)
    at.stand.refund(str(part_no), "4.00")
    at.read_back()
    assert at.paid_back(part_no) == 1700
    shown = at.run("merchant", "connection", at.merchant.name).stdout
    assert "paid, though 3.00 EUR went back here before" in shown
    assert str(part_no) in at.run("orders", "list", "--attention").stdout


@BOTH
def test_a_refund_in_the_shop_that_names_those_made_here_is_known(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    tags = [refund_here(at, part_no, amount) for amount in (300, 200)]
    at.stand.refund(str(part_no), "5.00", f"as by {' and '.join(tags)}")
    at.read_back()
    refund_here(at, part_no, 100)
    at.stand.refund(str(part_no), "1.50", at.part(part_no).refunds[-1].id)
    assert at.run("orders", "list", "--attention").stdout.count("\n") == 1
    at.read_back()

    assert at.paid_back(part_no) == 600
    shown = at.run("merchant", "connection", at.merchant.name).stdout
    assert "whose amount is another one" in shown


@BOTH
def test_a_refund_is_named_once_and_what_names_it_again_is_told_and_not_paid(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()

    def note(amount: str, words: str) -> str:
        at.stand.refund(str(part_no), amount, words)
        at.read_back()
        at.deliver()
        shown: str = at.run("merchant", "connection", at.merchant.name).stdout
        return shown

    tag = refund_here(at, part_no, 500)
    assert "whose amount is another one" in note("3.00", tag)
    assert "in the shop already" in note("2.00", tag)
    assert at.paid_back(part_no) == 500
    # What was made for one in the shop has a tag there, too.
    note("4.00", "")
    assert at.paid_back(part_no) == 900
    tag = f"jay-refunded-{at.part(part_no).events[-1].number}"
    assert at.part(part_no).refunds[-1].id in note("4.00", tag)
    assert at.paid_back(part_no) == 900
    assert str(part_no) in at.run("orders", "list", "--attention").stdout


def test_all_doubts_are_kept_beside_what_is_more_urgent(counter: Callable[[str], Counter]) -> None:
    at = counter("shopify")
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    with at.app.app_context():
        db.write(events.attend, part_no, Attention.REFUND_FAILED)
        db.write(events.doubt, part_no, "first\nrefund")
        for number in range(events.MOST_DOUBTS + 5):
            db.write(events.doubt, part_no, f"number {number}")
    part = at.part(part_no)
    assert part.attention is Attention.REFUND_FAILED
    assert part.doubts[:2] == ["first refund", "number 0"]
    assert (len(part.doubts), part.doubts[-1][:9]) == (events.MOST_DOUBTS + 1, "and more:")
    assert "in doubt: first refund" in at.run("orders", "show", str(part_no)).stdout

    refund_here(at, part_no, 100)  # settles the other reason
    assert at.part(part_no).attention is Attention.SHOP_REFUND
    at.run("orders", "attended", str(part_no))
    assert (at.part(part_no).attention, at.part(part_no).doubts) == (None, [])


@BOTH
def test_a_refund_that_came_back_is_not_made_again_by_its_tag(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    tag = refund_here(at, part_no, 500)
    till = till_of(at.merchant)
    with at.app.app_context():
        intent = till.session(part_no.order_no).intent_id
        made = at.part(part_no).refunds[-1].id
        db.write(sandbox.fail_refund, intent, made, now=at.clock())
    till.hear()
    assert at.paid_back(part_no) == 0
    at.stand.refund(str(part_no), "5.00", tag)
    at.read_back()

    assert at.paid_back(part_no) == 0
    shown = at.run("merchant", "connection", at.merchant.name).stdout
    assert "which has failed" in shown


@BOTH
@pytest.mark.parametrize("renumbered", [False, True])
def test_what_was_refunded_is_not_again_when_the_shop_has_another_address(
    kind: str, renumbered: bool, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    at.stand.ship(str(part_no), {"mug": 1}, "1")
    at.stand.refund(str(part_no), "5.00")
    at.read_back()
    at.deliver()
    at.stand.url = at.stand.url.replace("127.0.0.1", "localhost")
    assert at.connect().exit_code == 0
    if renumbered:
        order = at.stand.of(str(part_no))
        del at.stand.orders[f"{order['id']}"]
        order["id"] = f"{order['id']}7" if kind == "shopify" else 77
        at.stand.orders[f"{order['id']}"] = order
    refund_here(at, part_no, 100)  # tells the shop at its new address
    for _ in range(2):
        at.read_back()
        at.deliver()

    assert at.paid_back(part_no) == 600
    shown = at.run("merchant", "connection", at.merchant.name).stdout
    if renumbered:
        assert "not paid, as so much went back here already" in shown
    else:
        assert [one.tracking_number for one in at.part(part_no).parcels] == ["1"]


def test_shopify_ships_in_parcels(counter: Callable[[str], Counter]) -> None:
    at = counter("shopify")
    part_no = at.buy(*mug_and_hats(at))
    at.deliver()
    at.stand.ship(str(part_no), {"hat": 2}, "1")
    at.read_back()
    assert at.part(part_no).state == "accepted"
    at.stand.ship(str(part_no), {"hat": 1, "mug": 1}, "2")
    at.read_back()

    part = at.part(part_no)
    assert part.state == "shipped"
    assert [one.tracking_number for one in part.parcels] == ["1", "2"]
    assert [(line.sku, line.shipped) for line in part.lines] == [("mug", 1), ("hat", 3)]


@pytest.mark.parametrize("most", [1000, 400])
@pytest.mark.one_database
def test_no_question_is_too_dear_for_shopify_and_all_parcels_are_read(
    most: int, counter: Callable[[str], Counter]
) -> None:
    at = counter("shopify")
    hat = at.merchant.product("hat")
    part_nos = [at.buy((hat, 1)) for _ in range(READ_AT_ONCE)]
    many = at.buy((hat, 6))
    at.deliver()
    for number, part_no in enumerate(part_nos):
        at.stand.ship(str(part_no), {"hat": 1}, f"{number}")
    if most == 1000:
        for number in range(6):
            at.stand.ship(str(many), {"hat": 1}, f"9{number}")
    at.stand.most = most

    at.read_back()

    assert {at.part(one).state for one in part_nos} == {"shipped"}
    if most == 1000:
        assert at.part(many).state == "shipped"
        assert 0 < at.stand.dearest < at.stand.most


@BOTH
def test_what_is_cancelled_in_the_shop_is_cancelled_here_and_paid_back(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    at.stand.cancel(str(part_no))
    at.stand.refund(str(part_no), "25.00")

    at.read_back()
    at.deliver()
    at.read_back()

    assert at.part(part_no).state == "cancelled"
    assert at.paid_back(part_no) == 2500


@BOTH
def test_an_odd_order_hides_no_other_one(kind: str, counter: Callable[[str], Counter]) -> None:
    at = counter(kind)
    odd = at.buy((at.merchant.product("hat"), 1))
    part_no = at.buy((at.merchant.product("mug"), 1))
    at.deliver()
    at.stand.ship(str(part_no), {"mug": 1}, "0034")
    at.stand.refund(str(odd), "NaN")

    at.read_back()

    assert (at.part(part_no).state, at.part(odd).state) == ("shipped", "new")
    shown = at.run("merchant", "connection", at.merchant.name).stdout
    assert f"{odd}: its order is in an unknown form: ValueError" in shown


def test_lists_of_php_may_be_objects(counter: Callable[[str], Counter]) -> None:
    at = counter("woocommerce")
    part_no = at.buy((at.merchant.product("mug"), 1))
    at.deliver()
    at.stand.ship(str(part_no), {}, "0034")
    order = at.stand.of(str(part_no))
    order["meta_data"][-1]["value"] = {"1": order["meta_data"][-1]["value"][0]}
    order["refunds"] = {"3": {"id": 1, "total": "-1.00"}, "4": {"id": 2, "total": ""}}

    at.read_back()

    part = at.part(part_no)
    assert (part.state, [one.tracking_number for one in part.parcels]) == ("shipped", ["0034"])
    assert at.paid_back(part_no) == 100


def test_what_is_cancelled_in_the_shop_after_a_parcel_is_paid_back_once(
    counter: Callable[[str], Counter],
) -> None:
    at = counter("shopify")
    part_no = at.buy(*mug_and_hats(at))
    at.deliver()
    at.stand.ship(str(part_no), {"hat": 2}, "1")
    at.read_back()
    at.stand.cancel(str(part_no))
    at.stand.refund(str(part_no), "22.50")

    at.read_back()
    at.read_back()

    assert (at.part(part_no).state, at.paid_back(part_no)) == ("shipped", 2250)


@BOTH
def test_what_is_cancelled_here_is_cancelled_in_the_shop(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    assert at.run("orders", "cancel", str(part_no)).exit_code == 0

    assert {one.state for one in at.deliver()} == {"delivered"}

    order = at.stand.of(str(part_no))
    assert order.get("cancelledAt") or order.get("status") == "cancelled"
    other = at.buy((at.merchant.product("hat"), 1))
    assert at.run("orders", "cancel", str(other)).exit_code == 0
    at.deliver()
    assert len(at.stand.orders) == 1  # of what was never there nothing has to be cancelled


@BOTH
def test_an_order_of_another_shop_with_the_same_id_is_left_alone(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    (mine,) = at.stand.orders.items()
    with contextlib.ExitStack() as opened:
        other = type(at.stand)()
        opened.enter_context(open_shop(other))
        other.orders[mine[0]] = theirs = copy.deepcopy(mine[1])
        at.stand = other
        # Of a stranger, by the id that ours has in the shop of before.
        if kind == "shopify":
            theirs["sourceIdentifier"] = "J1-1"
        else:
            theirs["meta_data"] = [{"key": "_jay_basket_part", "value": "J1-1"}]
        other.cancel("J1-1")
        before = copy.deepcopy(other.orders)
        assert at.connect().exit_code == 0

        at.read_back()
        assert at.part(part_no).state == "new"
        assert (
            at.run(
                "orders", "refund", str(part_no), "--amount", "100", "--reason", "Late"
            ).exit_code
            == 0
        )
        at.deliver()
        assert other.orders == before
        assert rows(at.app, "handed_parts") == 1


@BOTH
def test_a_site_that_was_set_up_anew_has_other_orders_by_the_same_ids(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("mug"), 2))
    at.deliver()
    (order,) = at.stand.orders.values()
    at.stand.cancel(str(part_no))
    if kind == "shopify":
        order["sourceIdentifier"], order["tags"] = "J1-1", []
    else:
        order["meta_data"] = [{"key": "_jay_basket_part", "value": "J1-1"}]
    before = copy.deepcopy(at.stand.orders)

    at.read_back()
    assert at.part(part_no).state == "new"
    shown = at.run("merchant", "connection", at.merchant.name).stdout
    assert f"{part_no}: {NOT_THERE}" in shown
    assert at.run("orders", "cancel", str(part_no)).exit_code == 0
    assert {one.outcome.failure for one in at.deliver()} == {NOT_THERE}
    assert at.stand.orders == before


def test_what_happens_before_the_shop_has_the_order_is_told_when_it_has(
    counter: Callable[[str], Counter],
) -> None:
    at = counter("shopify")
    part_no = at.buy((at.merchant.product("cap"), 2))
    for wait in (*WAITS, WAITS[-1]):
        at.deliver()
        at.clock.move(wait.total_seconds())
    said = ("--amount", "100", "--reason", "Late")
    assert at.run("orders", "refund", str(part_no), *said).exit_code == 0
    assert at.failure() == NOT_THERE

    at.stand.variants["cap"] = ["gid://v/cap"]
    at.run("orders", "retry", str(part_no))
    assert {one.state for one in at.deliver()} == {"delivered"}

    (note,) = [one for one in at.stand.of(str(part_no))["tags"] if one.startswith("jay-refunded-")]
    assert at.stand.asked.count("tagsAdd") == 2, note  # when it was made, and by its own message


@BOTH
def test_the_shop_hears_of_what_was_bought_since_it_is_connected(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    mug = at.merchant.product("mug")
    inside = at.buy((mug, 1))
    at.deliver()
    at.clock.move(1)
    assert at.connect().exit_code == 0  # the same, such as with new credentials
    assert at.run("orders", "cancel", str(inside)).exit_code == 0
    assert {one.state for one in at.deliver()} == {"delivered"}
    order = at.stand.of(str(inside))
    assert order.get("cancelledAt") or order.get("status") == "cancelled"

    at.run("merchant", "disconnect", at.merchant.name)
    outside = at.buy((mug, 1))
    at.clock.move(1)
    assert at.connect().exit_code == 0
    assert at.run("orders", "cancel", str(outside)).exit_code == 0
    assert at.deliver() == []


@BOTH
def test_a_shop_that_can_not_is_told_in_words_and_tried_again(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    part_no = at.buy((at.merchant.product("cap"), 1))
    assert "in the shop has the SKU cap" in at.failure()
    shown = at.run("orders", "show", str(part_no)).stdout
    assert "in the shop has the SKU cap" in shown

    at.stand.faults = ["throttled"]
    at.run("orders", "retry", str(part_no))
    (attempt,) = at.deliver()
    assert attempt.outcome.hold
    assert attempt.rests_until is not None
    wait = (attempt.rests_until - at.clock.now).total_seconds()
    assert wait == (10 if kind == "shopify" else 30)  # at least the outbox's own rest

    if kind == "shopify":
        at.stand.variants["cap"] = ["gid://v/cap"]
    else:
        at.stand.products["cap"] = [{"id": 9, "sku": "cap", "type": "simple", "parent_id": 0}]
    at.clock.move(301)
    assert [one.state for one in at.deliver()] == ["delivered"]


@pytest.mark.one_database
def test_nothing_is_asked_once_the_lease_of_a_hand_over_may_be_over(
    counter: Callable[[str], Counter],
) -> None:
    stand = counter("shopify").stand
    before = list(stand.asked)
    assert LEASE.total_seconds() > calling.SECONDS

    late = Shopify(stand.url, {"token": stand.TOKEN}, Calls(Client(LOOPBACK), seconds=0))
    with pytest.raises(Problem, match="the shop is too slow"):
        late.find("J2-1", since=NOON)

    assert stand.asked == before


@BOTH
def test_what_the_shop_says_of_people_is_kept_nowhere(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    nowhere = {**BUYER["billing"], "zip": "00000"}  # type: ignore[dict-item]
    at.buy((at.merchant.product("mug"), 1), billing=nowhere)

    failure = at.failure()

    assert failure in {
        "the shop does not take order.shippingAddress.zip",
        "the shop answered 400: rest_invalid_param",
    }
    assert "zoe@" not in dump(at.app)


@BOTH
def test_a_test_is_marked_as_one(kind: str, counter: Callable[[str], Counter]) -> None:
    at = counter(kind)
    at.alice.put(at.merchant.product("mug"))
    started = at.alice.call("POST", "/checkout/sessions?testMode=true", json=BUYER).json["data"]

    till = till_of(at.merchant)
    till.pay(started)
    till.hear()

    at.deliver()

    (order,) = at.stand.orders.values()
    if kind == "shopify":
        assert order["test"] is True
        assert order["transactions"][0]["test"] is True
        assert order["options"]["inventoryBehaviour"] == "BYPASS"
    else:
        assert (order["set_paid"], order["status"]) == (False, "pending")
        assert {"key": "_jay_basket_test", "value": "yes"} in order["meta_data"]


# --- merchant connect


@BOTH
def test_a_shop_is_connected_only_where_it_works_and_nobody_sees_its_secrets(
    kind: str, counter: Callable[[str], Counter]
) -> None:
    at = counter(kind)
    wrong = at.connect(said=("other", "wrong"))
    assert (wrong.exit_code, "refuses the credentials (401)" in wrong.output) == (1, True)
    if kind == "shopify":
        at.stand.scopes = ("read_orders",)
        assert "lacks the scopes write_orders, read_products" in at.connect().output
        at.stand.scopes = ("read_orders", "write_orders", "read_products")
        assert at.connect("--token", said=("shpat_jay",)).exit_code == 0
    else:
        at.stand.permissions = "read"
        assert "may not write orders" in at.connect().output
        at.stand.permissions = "read_write"

    shown = at.run("merchant", "connection", at.merchant.name, "--check")
    assert shown.exit_code == 0
    assert kind in shown.stdout
    for secret in at.stand.stored:
        assert secret not in dump(at.app) + shown.output
    assert at.run("merchant", "disconnect", at.merchant.name).exit_code == 0
    assert at.run("merchant", "connection", at.merchant.name).exit_code == 1
    assert at.run("merchant", "disconnect", at.merchant.name).exit_code == 1


@pytest.mark.one_database
@pytest.mark.parametrize(
    "address", ["http://shop.example", "https://u:p@shop.example", "https://shop.example/?a=b", "x"]
)
def test_an_address_that_gives_secrets_away_is_refused(
    address: str, app: Flask, client: FlaskClient
) -> None:
    add_shop(app, client)
    words = ["merchant", "connect", "mugshop", "woocommerce", "--address", address]
    assert app.test_cli_runner().invoke(args=words, input="a\nb\n").exit_code == 2


@pytest.mark.one_database
def test_each_way_is_given_by_the_same_command_and_ends_the_one_before(
    counter: Callable[[str], Counter],
) -> None:
    at = counter("shopify")

    def told(*way: str) -> list[str]:
        assert at.run("merchant", "connect", at.merchant.name, *way).exit_code == 0
        part_no = at.buy((at.merchant.product("mug"), 1))
        with at.app.app_context(), db.reading() as connection:
            return [row.kind for row in messages_about(connection, part_no)]

    assert told("webhook", "--address", "https://shop.example/jay") == ["merchant.order.created"]
    assert rows(at.app, "merchant_connectors") == 0
    assert told("mail", "--address", "orders@shop.example") == ["merchant-mail.order.created"]
    assert told("pull") == []
    assert at.connect().exit_code == 0
    for way in (
        ("webhook", "http://shop.example"),
        ("mail", "shop"),
        ("pull", "https://x.example"),
    ):
        refused = at.run("merchant", "connect", at.merchant.name, way[0], "--address", way[1])
        assert refused.exit_code == 2
    assert rows(at.app, "merchant_connectors") == 1


@pytest.mark.one_database
def test_who_connects_another_way_is_told_what_waits_for_the_one_before_and_what_becomes_of_it(
    counter: Callable[[str], Counter],
) -> None:
    at = counter("woocommerce")
    name, mug = at.merchant.name, at.merchant.product("mug")

    def told(*words: str) -> list[str]:
        done = at.run("merchant", *words)
        assert done.exit_code == 0, done.output
        return [line.partition(". What is parked")[0] for line in done.stderr.splitlines()[1:]]

    ended = "not delivered by {}, which has ended: what waits is parked"
    shop = f"{ended.format('woocommerce')} after four days, unless the shop is connected again"
    assert told("connect", name, "webhook", "--address", "https://shop.example/jay") == []
    assert at.connect().exit_code == 0
    for _ in range(2):
        at.buy((mug, 1))
    goes = "{} not sent by {} yet, and will go by {}."
    by_server = goes.format("2 earlier parts are", "woocommerce", "webhook")
    assert told("disconnect", name) == [by_server]
    at.buy((mug, 1))
    over = f"1 earlier part is {ended.format('webhook')} at its next attempt"
    assert told("connect", name, "pull") == [f"2 earlier parts are {shop}", over]

    # With a shop in front of it a server is told what waits for it.
    assert told("connect", name, "webhook", "--address", "https://shop.example/jay") == [by_server]
    again = at.connect()
    assert "1 earlier part is still on the way by webhook." in again.output
    assert "woocommerce, which has ended" not in again.output
    assert told("connect", name, "mail", "--address", "orders@shop.example") == [
        goes.format("2 earlier parts are", "woocommerce", "mail"),
        goes.format("1 earlier part is", "webhook", "mail"),
    ]

    at.deliver()
    with at.app.app_context(), db.reading() as connection:
        query = select(outbox.c.kind, outbox.c.state).where(outbox.c.kind.in_(HANDED_OVER))
        found = [tuple(row) for row in connection.execute(query)]
    assert found == [("merchant-mail.order.created", "waiting")] * 3
    assert len(at.merchant.call("GET", "/shops/orders").json["data"]["orders"]) == 3


@pytest.mark.one_database
def test_a_shop_can_not_lead_into_the_operators_network(app: Flask, client: FlaskClient) -> None:
    add_shop(app, client)
    words = ["merchant", "connect", "mugshop", "shopify", "--address", "https://127.0.0.1:1"]
    done = app.test_cli_runner().invoke(args=words, input="a\nb\n")
    assert (done.exit_code, "can't be used" in done.output) == (1, True)
    assert rows(app, "merchant_connectors") == 0
