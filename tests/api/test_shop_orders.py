"""``/v1/shops/orders``: merchants take their parts of orders from step to step."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from werkzeug.test import TestResponse

from jay import db
from jay.checkout.sandbox import service as sandbox
from jay.checkout.sandbox.models import sandbox_transfers
from jay.checkout.sandbox.provider import Sandbox
from jay.errors import (
    MalformedRequest,
    OrderNotFound,
    OrderState,
    PaymentProviderUnavailable,
    PaymentRefused,
    RefundTooHigh,
)
from jay.orders import ledger, refunding, service
from jay.orders.models import Money, PartNo, movements
from jay.outbox import service as outbox
from tests.api.buying import BUYER, bought, in_stock, part, till_of
from tests.api.checks import assert_refused, field_errors
from tests.builders import Shop, User, add_shop
from tests.cli.conftest import runner_of
from tests.clock import MovedClock
from tests.conftest import SECRET


@pytest.fixture
def order_no(alice: User, shop: Shop) -> str:
    """Two mugs and three hats with a shipping cost, 2500 + 3000 + 499."""
    mug = shop.product("mug", shipping={"shippingFlatRate": 499})
    return bought(alice, shop, (mug, 2), (shop.product("hat", price=1000, vat=7.0), 3), **BUYER)


@pytest.fixture
def patch(shop: Shop, order_no: str) -> Callable[..., TestResponse]:
    def send(state: str, *lines: tuple[str, int], **more: Any) -> TestResponse:
        body: dict[str, Any] = {"state": state, **more}
        if lines:
            body["lines"] = [{"sku": sku, "count": count} for sku, count in lines]
        return shop.call("PATCH", f"/shops/orders/{order_no}-1", json=body)

    return send


def refund(shop: Shop, order_no: str, **body: Any) -> TestResponse:
    body = {"reason": "Scratched", **body}
    return shop.call("POST", f"/shops/orders/{order_no}-1/refunds", json=body)


def counts(answer: TestResponse) -> list[tuple[int, int, int, int]]:
    assert answer.status_code == 200, answer.json
    names = ("ordered", "shipped", "cancelled", "returned")
    return [tuple(line[name] for name in names) for line in answer.json["data"]["lines"]]


def money(shop: Shop, order_no: str) -> dict[Money, int]:
    with shop.app.app_context(), db.reading() as connection:
        return ledger.sums_of_part(connection, PartNo(order_no, 1))


# --- reading


def test_brand_and_gender_may_be_objects(
    app: Flask, client: FlaskClient, alice: User, shop: Shop
) -> None:
    described = {"brand": {"name": "Kiln", "logoUrl": None}, "gender": {"code": 3, "label": None}}
    number = bought(alice, shop, (shop.product("mug", description=described), 1), **BUYER)

    (told,) = shop.call("GET", f"/shops/orders/{number}-1").json["data"]["products"]

    assert (told["brand"], told["gender"]) == ("Kiln", "unisex")
    with app.app_context(), db.reading() as connection:
        order = service.find(connection, number)
        assert order is not None
        page = client.get(f"/orders/{service.token_of(order, secret=SECRET)}")
    assert (page.status_code, "Kiln" in page.text) == (200, True)


def test_a_part_tells_all_that_its_merchant_needs(shop: Shop, order_no: str) -> None:
    answer = shop.call("GET", f"/shops/orders/{order_no}-1")

    told = answer.json["data"]
    assert (told["orderId"], told["orderNo"], told["state"]) == (f"{order_no}-1", order_no, "new")
    address = {"street": "Große Straße", "houseNumber": "7a", "zipCode": "10115", "city": "Berlin"}
    address |= {"countryCode": "DE", "addition": None}
    name = {"firstName": "Zoë", "lastName": "Łuczak"}
    assert told["customer"] == {
        **name,
        "email": "zoe@example.org",
        "billing": address,
        "shipping": {**name, **address},
    }
    assert told["transaction"] == {
        "transferId": None,
        "sourceTransferId": f"pi_sandbox_{order_no}",
        "retailerAccount": None,
        "date": "2025-06-04T12:00:00Z",
        "currency": "EUR",
        "amount": "59.99",
        "amountMinor": 5999,
        "refundedMinor": 0,
        "status": "paid",
        "paymentMethod": "card",
    }
    assert [(one["id"], one["quantity"], one["price"]) for one in told["products"]] == [
        ("mug", 2, "12.50"),
        ("hat", 3, "10.00"),
    ]
    assert (told["shippingCost"], told["test"]) == (499, False)
    assert [event["kind"] for event in told["events"]] == ["created"]


def test_a_page_of_many_costs_no_more_queries_than_one_of_one(shop: Shop, alice: User) -> None:
    asked: list[str] = []
    readers = shop.app.extensions["jay.db"].readers

    def listed() -> int:
        asked.clear()
        parts = shop.call("GET", "/shops/orders").json["data"]["orders"]
        assert [one["customer"]["firstName"] for one in parts] == ["Zoë"] * len(parts)
        return len(asked)

    bought(alice, shop, **BUYER)
    listed()  # what is asked once, such as the merchant
    event.listen(readers, "before_cursor_execute", lambda *args: asked.append(args[2]))
    one = listed()
    for _ in range(3):
        bought(alice, shop, **BUYER)

    assert listed() == one


def test_the_list_goes_from_page_to_page_the_newest_first(
    shop: Shop, alice: User, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        service.list_parts, "__kwdefaults__", {**service.list_parts.__kwdefaults__, "most": 2}
    )
    numbers = []
    for _ in range(5):
        numbers.insert(0, bought(alice, shop))
        clock.move(60)
    shop.call("PATCH", f"/shops/orders/{numbers[4]}-1", json={"state": "accepted"})

    def pages(**query: str) -> list[list[str]]:
        read, token = [], None
        while True:
            asked = {"next_token": token, "state": "returned"} if token else query
            data = shop.call("GET", "/shops/orders", query_string=asked).json["data"]
            read.append([one["orderNo"] for one in data["orders"]])
            token = data.get("nextToken")
            if token is None:
                return read

    assert pages() == [numbers[:2], numbers[2:4], numbers[4:]]
    assert pages(state="new") == [numbers[:2], numbers[2:4]]
    assert pages(since="2025-06-04T12:03:00Z") == [numbers[:2], numbers[4:]]
    # What lies in the year 0 or 10000 of UTC is as early or late as can be.
    assert pages(since="0001-01-01T00:00:00+14:00") == pages()
    assert pages(since="9999-12-31T23:59:59-14:00") == [[]]
    forged = shop.call("GET", "/shops/orders?next_token=WyJ4Il0.abc")
    assert_refused(forged, MalformedRequest)
    assert "state" in field_errors(shop.call("GET", "/shops/orders?state=lost"))


def test_another_merchant_sees_and_changes_nothing(
    app: Flask, client: FlaskClient, shop: Shop, order_no: str
) -> None:
    rival = add_shop(app, client, "rival")
    path = f"/shops/orders/{order_no}-1"

    for answer in (
        rival.call("GET", path),
        rival.call("PATCH", path, json={"state": "accepted"}),
        rival.call("PATCH", path, json={"state": "cancelled"}),
        rival.call("POST", f"{path}/refunds", json={"amount": 1, "reason": "x"}),
        shop.call("GET", f"/shops/orders/{order_no}-2"),
        shop.call("GET", f"/shops/orders/{order_no}"),
        shop.call("GET", "/shops/orders/%00"),
    ):
        assert_refused(answer, OrderNotFound)
    assert rival.call("GET", "/shops/orders").json["data"] == {"orders": []}
    assert part(shop, order_no).state == "new"
    assert money(shop, order_no) == {Money.CHARGE: 5999}


# --- steps


def test_it_goes_in_two_parcels_and_arrives(
    shop: Shop, order_no: str, patch: Callable[..., TestResponse]
) -> None:
    assert patch("accepted").json["data"]["state"] == "accepted"
    one = {"carrier": "DHL", "number": "0034", "url": "https://carrier.example/0034"}

    first = patch("shipped", ("mug", 2), ("hat", 1), tracking=one)
    assert (first.json["data"]["state"], counts(first)) == (
        "accepted",
        [(2, 2, 0, 0), (3, 1, 0, 0)],
    )
    second = patch("shipped", tracking={"carrier": "DPD"})
    assert (second.json["data"]["state"], counts(second)) == (
        "shipped",
        [(2, 2, 0, 0), (3, 3, 0, 0)],
    )
    assert second.json["data"]["tracking"] == [one, {"carrier": "DPD", "number": None, "url": None}]
    done = patch("delivered").json["data"]
    assert [event["kind"] for event in done["events"]] == [
        *("created", "accepted", "shipped", "shipped", "delivered")
    ]
    assert done["state"] == "delivered"


def test_a_step_that_the_state_does_not_allow_changes_nothing(
    shop: Shop, order_no: str, patch: Callable[..., TestResponse]
) -> None:
    for state in ("shipped", "delivered", "returned"):
        assert_refused(patch(state), OrderState)
    patch("accepted")
    before = part(shop, order_no)
    assert_refused(patch("accepted"), OrderState)
    assert_refused(patch("shipped", ("mug", 2), ("hat", 4)), OrderState)
    assert part(shop, order_no) == before
    patch("shipped")
    assert_refused(patch("cancelled"), OrderState)
    assert_refused(patch("shipped"), OrderState)


def test_what_does_not_go_together_is_told(patch: Callable[..., TestResponse]) -> None:
    assert patch("accepted").status_code == 200
    assert field_errors(patch("delivered", ("mug", 1))) == {
        "lines": ["Does not go with this state."]
    }
    assert "tracking" in field_errors(patch("cancelled", tracking={"carrier": "DHL"}))
    assert "restock" in field_errors(patch("shipped", restock=True))
    assert field_errors(patch("shipped", ("mug", 1), ("cup", 1))) == {
        "lines": {"1": {"sku": ["Is not in this order."]}}
    }
    assert "state" in field_errors(patch("new"))
    assert "tracking" in field_errors(patch("shipped", tracking={}))


def test_of_many_steps_at_once_one_is_taken(
    shop: Shop, order_no: str, patch: Callable[..., TestResponse]
) -> None:
    patch("accepted")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: patch("shipped", ("hat", 2)).status_code, range(4)))

    assert sorted(answers) == [200, 409, 409, 409]
    assert [line.shipped for line in part(shop, order_no).lines] == [0, 2]


# --- cancelling and money


def test_a_cancelled_line_is_refunded_and_can_be_sold_again(
    alice: User, shop: Shop, order_no: str, patch: Callable[..., TestResponse]
) -> None:
    hat = part(shop, order_no).lines[1].product_id
    answer = patch("cancelled", ("hat", 1))

    assert (counts(answer), answer.json["data"]["state"]) == ([(2, 0, 0, 0), (3, 0, 1, 0)], "new")
    assert answer.json["data"]["transaction"]["status"] == "partially_refunded"
    assert [(one["amount"], one["state"]) for one in answer.json["data"]["refunds"]] == [
        (1000, "made")
    ]
    assert till_of(shop).intents() == [("captured", 5999, 1000)]
    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: -1000}
    assert in_stock(alice, hat) == 8
    patch("cancelled", ("hat", 1), restock=False)
    assert in_stock(alice, hat) == 8


def test_a_cancelled_part_is_refunded_with_its_shipping(
    shop: Shop, order_no: str, patch: Callable[..., TestResponse]
) -> None:
    patch("cancelled", ("mug", 1))
    answer = patch("cancelled")

    assert answer.json["data"]["state"] == "cancelled"
    assert answer.json["data"]["transaction"]["status"] == "refunded"
    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: -5999}
    assert_refused(patch("accepted"), OrderState)
    assert_refused(refund(shop, order_no, amount=1), RefundTooHigh)


def test_what_is_left_after_a_parcel_is_cancelled_without_the_shipping(
    shop: Shop, order_no: str, patch: Callable[..., TestResponse]
) -> None:
    patch("accepted")
    patch("shipped", ("mug", 2))
    answer = patch("cancelled")

    assert answer.json["data"]["state"] == "shipped"
    assert money(shop, order_no)[Money.REFUND] == -3000


def test_returns_are_restocked_by_choice_and_refunded_by_a_call_of_their_own(
    alice: User, shop: Shop, order_no: str, patch: Callable[..., TestResponse]
) -> None:
    mug = part(shop, order_no).lines[0].product_id
    patch("accepted")
    patch("shipped")
    assert patch("returned", ("mug", 1)).json["data"]["state"] == "shipped"
    assert in_stock(alice, mug) == 8
    answer = patch("returned", restock=True)

    assert (answer.json["data"]["state"], answer.json["data"]["refunds"]) == ("returned", [])
    assert in_stock(alice, mug) == 9
    assert counts(refund(shop, order_no)) == [(2, 2, 0, 2), (3, 3, 0, 3)]
    assert money(shop, order_no)[Money.REFUND] == -5999


def test_a_merchants_own_count_is_not_raised_by_what_comes_back(
    alice: User, shop: Shop, clock: MovedClock, order_no: str, patch: Callable[..., TestResponse]
) -> None:
    hat = part(shop, order_no).lines[1].product_id
    clock.move(60)
    body = {"products": [{"sku": "hat", "stockCount": 5}]}
    assert shop.call("PATCH", "/shops/products", json=body).status_code == 200

    patch("cancelled", ("hat", 1))

    assert in_stock(alice, hat) == 5


def test_a_refund_is_an_amount_or_lines_and_never_more_than_was_paid(
    shop: Shop, order_no: str
) -> None:
    assert refund(shop, order_no, amount=500).status_code == 200
    hats = [{"sku": "hat", "count": 2}]
    assert refund(shop, order_no, lines=hats).status_code == 200
    assert_refused(refund(shop, order_no, lines=hats), RefundTooHigh)
    assert_refused(refund(shop, order_no, amount=3500), RefundTooHigh)
    assert "lines" in field_errors(refund(shop, order_no, amount=1, lines=hats))
    assert "reason" in field_errors(refund(shop, order_no, reason=""))

    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: -2500}
    assert till_of(shop).intents() == [("captured", 5999, 2500)]


def test_of_many_refunds_at_once_no_more_is_made_than_was_paid(shop: Shop, order_no: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: refund(shop, order_no, amount=2500).status_code, range(4))
        )

    assert sorted(answers) == [200, 200, 409, 409]
    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: -5000}


def test_a_provider_that_is_away_is_asked_again_by_the_worker(
    shop: Shop, order_no: str, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Sandbox.refund

    def fail_after(self: Sandbox, *args: Any, **more: Any) -> None:
        made(self, *args, **more)  # the answer is lost, and nobody knows
        raise PaymentProviderUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "refund", fail_after)
        answer = refund(shop, order_no, amount=500)
    assert answer.json["data"]["refunds"][0]["state"] == "reserved"
    assert money(shop, order_no) == {Money.CHARGE: 5999}
    with shop.app.app_context():
        refunding.once()
        assert money(shop, order_no) == {Money.CHARGE: 5999}  # it is still another's
        clock.move(121)
        refunding.once()
        refunding.once()

    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: -500}
    assert till_of(shop).intents() == [("captured", 5999, 500)]
    kinds = [event.kind for event in part(shop, order_no).events]
    assert kinds == ["created", "refunded"]


def test_what_the_provider_refuses_is_shown_and_can_be_asked_for_again(
    shop: Shop, order_no: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise PaymentRefused("charge_disputed")

    hats = [{"sku": "hat", "count": 3}]
    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "refund", refuse)
        answer = refund(shop, order_no, lines=hats)
    assert answer.json["data"]["refunds"][0]["state"] == "failed"
    assert answer.json["data"]["transaction"]["status"] == "paid"

    again = refund(shop, order_no, lines=hats)
    assert [one["state"] for one in again.json["data"]["refunds"]] == ["failed", "made"]
    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: -3000}


def test_what_goes_back_on_the_providers_own_pages_is_gone_here_too(
    alice: User, shop: Shop, app: Flask, client: FlaskClient, clock: MovedClock
) -> None:
    hats = add_shop(app, client, "hatshop")
    number = bought(alice, shop, (shop.product("mug"), 2), (hats.product("hat", price=1000), 1))
    assert refund(shop, number, amount=500).status_code == 200
    with app.app_context():
        intent = till_of(shop).session(number).intent_id
        db.write(sandbox.refund, intent, 2300, "on a page", now=clock())
    for _ in range(2):  # news of the provider come any number of times
        till_of(shop).hear()

    mugs, hat = (part(shop, number, one) for one in (1, 2))
    assert [(one.amount, one.by, one.state) for one in mugs.refunds] == [
        (500, "merchant", "made"),
        (2000, "operator", "made"),
    ]
    assert [one.amount for one in hat.refunds] == [300]
    assert money(shop, number) == {Money.CHARGE: 2500, Money.REFUND: -2500}
    told = shop.call("GET", f"/shops/orders/{number}-1").json["data"]
    assert told["transaction"]["status"] == "refunded"
    assert_refused(refund(shop, number, amount=1), RefundTooHigh)
    assert till_of(shop).intents() == [("captured", 3500, 2800)]


# --- what somebody has to look at


def listed(shop: Shop) -> str:
    return runner_of(shop.app)("orders", "list", "--attention").stdout


def mailed(shop: Shop, order_no: str) -> list[str]:
    with shop.app.app_context(), db.reading() as connection:
        kinds = ["merchant-mail.refund-failed", "merchant-mail.disputed"]
        return [row.kind for row in outbox.about(connection, f"{order_no}-1", kinds)]


def test_a_cancellation_whose_refund_is_refused_is_shown_until_it_is_refunded(
    shop: Shop, order_no: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise PaymentRefused("charge_disputed")

    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "refund", refuse)
        answer = shop.call("PATCH", f"/shops/orders/{order_no}-1", json={"state": "cancelled"})

    kinds = [event["kind"] for event in answer.json["data"]["events"]]
    assert kinds == ["created", "cancelled", "refund_failed"]
    assert f"{order_no}-1" in listed(shop)
    assert "a refund has failed" in listed(shop)
    assert mailed(shop, order_no) == ["merchant-mail.refund-failed"]
    again = runner_of(shop.app)("orders", "refund", order_no, "--reason", "cancelled")
    assert again.exit_code == 0, again.stderr
    assert f"{order_no}-1" not in listed(shop)
    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: -5999}


def test_a_refund_that_comes_back_is_taken_out_of_the_ledger_and_can_be_made_again(
    shop: Shop, order_no: str, clock: MovedClock
) -> None:
    hats = [{"sku": "hat", "count": 3}]
    made = refund(shop, order_no, lines=hats).json["data"]["refunds"][0]["id"]
    till_of(shop).hear()
    with shop.app.app_context():
        intent = till_of(shop).session(order_no).intent_id
        db.write(sandbox.fail_refund, intent, made, now=clock())
    for _ in range(2):
        till_of(shop).hear()

    told = part(shop, order_no)
    assert [one.state for one in told.refunds] == ["failed"]
    assert [event.kind for event in told.events][-2:] == ["refunded", "refund_failed"]
    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: 0}
    assert f"{order_no}-1" in listed(shop)
    assert refund(shop, order_no, lines=hats).json["data"]["refunds"][-1]["state"] == "made"
    assert money(shop, order_no) == {Money.CHARGE: 5999, Money.REFUND: -3000}
    assert runner_of(shop.app)("orders", "attended", order_no).exit_code == 0
    assert f"{order_no}-1" not in listed(shop)


def test_a_dispute_is_noted_once_and_shown_whatever_becomes_of_refunds(
    alice: User, shop: Shop, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise PaymentRefused("charge_disputed")

    till = till_of(shop)
    alice.put(shop.product("mug"), 1)
    started = till.start(alice)
    till.pay(started, "4000000000000259")
    till.hear()
    clock.move(61)
    for _ in range(2):
        till.hear()

    number = started["orderNo"]
    assert [event.kind for event in part(shop, number).events] == ["created", "disputed"]
    assert "the payment is disputed" in listed(shop)
    assert mailed(shop, number) == ["merchant-mail.disputed"]
    with monkeypatch.context() as patched:
        patched.setattr(Sandbox, "refund", refuse)
        assert refund(shop, number, amount=100).json["data"]["refunds"][0]["state"] == "failed"
    assert "the payment is disputed" in listed(shop)
    run = runner_of(shop.app)
    assert run("orders", "refund", number, "--amount", "100", "--reason", "asked").exit_code == 0
    assert "the payment is disputed" in listed(shop)
    assert run("orders", "attended", number).exit_code == 0
    assert f"{number}-1" not in listed(shop)


# --- the operator's fee


def test_the_fee_stays_with_the_operator_and_goes_back_with_refunds(
    alice: User, shop: Shop
) -> None:
    run = runner_of(shop.app)
    shop.call("PATCH", "/shops/config", json={"stripeAccount": "acct_1MugShop"})
    assert run("partner", "change", alice.platform.name, "--fee-percent", "50").exit_code == 0
    assert run("merchant", "change", shop.name, "--fee-percent", "7.5").exit_code == 0
    assert "7.5 %" in run("merchant", "show", shop.name).stdout
    number = bought(alice, shop, (shop.product("hat", price=999), 3))
    run("merchant", "change", shop.name, "--fee-percent", "20")  # of what is bought from now on
    worked(shop)
    assert money(shop, number) == {Money.CHARGE: 2997, Money.FEE: -225, Money.TRANSFER: -2772}

    for amount in (1000, 1, 998):
        refund(shop, number, amount=amount)
        worked(shop)
        sums = money(shop, number)
        assert sum(sums.values()) == 0, sums
        refunded, share = -sums[Money.REFUND], sums[Money.REVERSAL]
        assert share == -(-2772 * refunded // 2997)
    refund(shop, number)
    worked(shop)
    sums = money(shop, number)
    assert (sums[Money.FEE], sums[Money.TRANSFER] + sums[Money.REVERSAL]) == (0, 0)


def test_where_nothing_is_agreed_with_the_merchant_the_partners_fee_counts(
    alice: User, shop: Shop
) -> None:
    run = runner_of(shop.app)
    assert run("partner", "change", alice.platform.name, "--fee-percent", "5").exit_code == 0
    number = bought(alice, shop, (shop.product("hat", price=1010), 1))

    assert money(shop, number) == {Money.CHARGE: 1010, Money.FEE: -51}  # halves go up


# --- the merchant's share


def worked(shop: Shop) -> None:
    with shop.app.app_context():
        while refunding.once():
            pass


def balance(shop: Shop, order_no: str) -> tuple[int, ...]:
    sums = money(shop, order_no)
    return tuple(sums.get(kind, 0) for kind in (Money.REFUND, Money.TRANSFER, Money.REVERSAL))


@pytest.fixture
def shared(alice: User, shop: Shop) -> str:
    """An order of 3000 from a merchant that has an account at the provider."""
    answer = shop.call("PATCH", "/shops/config", json={"stripeAccount": "acct_1MugShop"})
    assert answer.status_code == 200, answer.json
    return bought(alice, shop, (shop.product("hat", price=1000), 3))


def test_a_share_is_sent_once_and_comes_back_after_refunds(shop: Shop, shared: str) -> None:
    worked(shop)
    worked(shop)
    assert balance(shop, shared) == (0, -3000, 0)
    told = shop.call("GET", f"/shops/orders/{shared}-1").json["data"]["transaction"]
    assert told["retailerAccount"] == "acct_1MugShop"
    assert told["transferId"]

    refund(shop, shared, amount=999)
    refund(shop, shared)
    worked(shop)
    assert balance(shop, shared) == (-3000, -3000, 3000)
    assert sum(money(shop, shared).values()) == 0
    with shop.app.app_context(), db.reading() as connection:
        sent = connection.execute(select(sandbox_transfers)).one()
    assert (sent.amount, sent.reversed) == (3000, 3000)


def test_a_share_that_is_sent_after_a_refund_comes_back_as_well(shop: Shop, shared: str) -> None:
    with shop.app.app_context(), db.transaction() as connection:
        connection.execute(
            movements.update().values(due=shop.app.extensions["jay.clock"]() + timedelta(hours=1))
        )
    refund(shop, shared, amount=1000)
    assert balance(shop, shared) == (-1000, 0, 0)
    shop.app.extensions["jay.clock"].move(3600)
    worked(shop)
    worked(shop)

    assert balance(shop, shared) == (-1000, -3000, 1000)


def test_what_a_merchant_can_not_give_back_it_owes(
    shop: Shop, shared: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_more: Any) -> None:
        raise PaymentRefused("insufficient_funds")

    worked(shop)
    monkeypatch.setattr(Sandbox, "reverse", refuse)
    refund(shop, shared)
    worked(shop)

    assert balance(shop, shared) == (-3000, -3000, 0)
    assert sum(money(shop, shared).values()) == -3000
