"""``flask customer`` and what ``flask orders`` has of it: handed out, forgotten, locked."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from jay import db
from jay.checkout import contacts
from jay.checkout.order_numbers import grouped
from jay.orders import events, service
from jay.orders.models import Attention, PartNo
from jay.outbox.transports.mail import file_name
from jay.partners import service as partners
from jay.privacy import erasing, finding, forgetting
from jay.privacy.erasing import StillNeeded
from jay.privacy.finding import Account, Traces
from jay.privacy.forgetting import PurchaseRunning
from tests.api import stripes
from tests.api.buying import BUYER, bought, till_of
from tests.api.checks import dump, rows
from tests.api.desk import EMAIL, Desk
from tests.api.test_withdrawal import declare, typed
from tests.builders import Platform, Shop, User
from tests.cli.conftest import Run, runner_of
from tests.clock import MovedClock
from tests.conftest import SECRET, Apps
from tests.stripe_api import StripeApi

OTHER = {**BUYER, "email": "bob@example.org"}
WHO = ("--partner", "kino", "--user", "alice")


@pytest.fixture
def run(app: Flask) -> Run:
    return runner_of(app)


def send(shop: Shop, order_no: str) -> None:
    """Ship an order, and send some of its money back."""
    part = f"/shops/orders/{order_no}-1"
    parcel = {"carrier": "DHL", "number": "00340434161", "url": "https://dhl.example/00340434161"}
    told = shop.call("PATCH", part, json={"state": "accepted"})
    assert told.status_code == 200, told.json
    assert (
        shop.call("PATCH", part, json={"state": "shipped", "tracking": parcel}).status_code == 200
    )
    body = {"amount": 100, "reason": "Zoë complained by phone"}
    assert shop.call("POST", f"{part}/refunds", json=body).status_code == 200


@pytest.fixture
def order_no(alice: User, shop: Shop) -> str:
    """An order that is over."""
    made = bought(alice, shop, (shop.product(), 2), **BUYER)
    send(shop, made)
    return made


def keep(user: User, customer: str = "cus_1") -> None:
    stored = {"customerId": customer, "paymentToken": "pm_1", "consent": {"version": "1"}}
    assert user.call("PATCH", "/comfort", json=stored).status_code == 200


def exported(run: Run, *who: str) -> dict[str, Any]:
    told = run("customer", "export", *who)
    assert told.exit_code == 0, told.stderr
    read: dict[str, Any] = json.loads(told.stdout)
    return read


def forget(run: Run, *who: str) -> str:
    told = run("customer", "forget", *who, "--yes")
    assert told.exit_code == 0, told.stderr
    return told.stdout


# --- export


def test_the_export_has_all_of_a_person_and_nothing_of_others(
    run: Run, alice: User, shop: Shop, order_no: str, tmp_path: Path
) -> None:
    keep(alice)
    alice.put(shop.product("hat"))
    alice.transfer()
    bob = alice.platform.user("bob")
    other = bought(bob, shop, **OTHER)
    till_of(shop).start(alice, **BUYER)

    told = exported(run, *WHO)

    (order,) = told["orders"]
    assert order["orderNo"] == order_no
    assert order["contact"]["billing"]["street"] == "Große Straße"
    (part,) = order["parts"]
    assert part["parcels"][0]["number"] == "00340434161"
    assert part["refunds"][0]["reason"] == "Zoë complained by phone"
    assert order["payment"]["provider"] == "sandbox"
    assert [mail["kind"] for mail in order["messages"]] == [
        *("order.received", "order.shipped", "order.refunded"),
    ]
    account = told["account"]
    assert [one["count"] for one in account["basket"]["products"]] == [1]
    assert account["quickCheckout"]["customerId"] == "cus_1"
    assert account["quickCheckout"]["paymentStored"] is True
    assert len(account["transfers"]) == 1
    assert told["checkoutsWithoutOrder"][0]["contact"]["email"] == "zoe@example.org"
    assert {"purposes", "recipients", "kept", "rights"} <= set(told["notes"])
    written = json.dumps(told, ensure_ascii=False)
    for foreign in ("bob", other, "pm_1"):
        assert foreign not in written

    target = tmp_path / "alice.json"
    assert (
        run(
            "customer", "export", "--order", grouped(order_no).lower(), "--to", str(target)
        ).exit_code
        == 0
    )
    assert target.stat().st_mode & 0o777 == 0o600
    assert json.loads(target.read_text())["orders"] == told["orders"]
    assert "is there already" in run("customer", "export", *WHO, "--to", str(target)).stderr


def test_an_address_gets_its_purchases_and_not_the_account_that_others_share(
    run: Run, alice: User, shop: Shop, order_no: str
) -> None:
    bought(alice, shop, **OTHER)

    result = run("customer", "export", "--email", "ZOE@example.org")
    told = json.loads(result.stdout)

    assert [one["orderNo"] for one in told["orders"]] == [order_no]
    assert "account" not in told
    assert "--partner kino --user alice" in result.stderr


@pytest.mark.parametrize(
    "who",
    [
        (),
        ("--user", "alice"),
        ("--email", "zoe@example.org", "--order", "J2"),
        ("--email", "zoe"),
        ("--partner", "kino", "--user", ""),
        ("--partner", "nobody", "--user", "alice"),
        ("--order", "J2222 2222 2222"),
    ],
)
def test_what_names_nobody_is_refused(run: Run, platform: Platform, who: tuple[str, ...]) -> None:
    assert run("customer", "export", *who).exit_code in {1, 2}
    assert run("customer", "forget", *who, "--yes").exit_code in {1, 2}


# --- forget


def test_who_is_forgotten_leaves_nothing_but_what_is_locked(
    run: Run, alice: User, shop: Shop, order_no: str, clock: MovedClock
) -> None:
    app, client = shop.app, shop.client
    keep(alice)
    alice.put(shop.product("hat"))
    alice.transfer()
    page = page_of(app, order_no)
    assert client.get(page).status_code == 200

    told = forget(run, *WHO)

    for word in (
        *("basket", "transfers", "stored payment, consent and PIN", "numbers of parcels"),
        *("reasons of refunds", "messages", "2034-01-01", "AO 147, HGB 257"),
    ):
        assert word in told
    assert rows(app, "baskets") == rows(app, "comfort_settings") == rows(app, "transfers") == 0
    assert rows(app, "order_parcels") == 0
    held = dump(app)
    for gone in ("alice", "00340434161", "complained", "order.received"):
        assert gone not in held
    assert client.get(page).status_code == 404
    shown = shop.call("GET", f"/shops/orders/{order_no}-1").json["data"]
    assert "Zoë" not in json.dumps(shown, ensure_ascii=False)
    listed = shop.call("GET", "/shops/orders").json["data"]
    assert "Berlin" not in json.dumps(listed)
    # The money can still go back, and the books can still read who it was.
    assert run("orders", "refund", order_no, "--amount", "100", "--reason", "late").exit_code == 0
    assert run("orders", "reconcile").exit_code == 0
    voucher = json.loads(run("orders", "voucher", order_no).stdout)
    assert voucher["contact"]["billing"]["lastName"] == "Łuczak"
    assert voucher["keptUntil"] == "2034-01-01T00:00:00Z"

    again = run("customer", "forget", *WHO, "--yes")
    assert (again.exit_code, again.stderr) == (0, "Nothing is held.\n")
    assert exported(run, "--order", order_no)["orders"][0]["lockedUntil"] == voucher["keptUntil"]

    clock.move((datetime(2034, 1, 1, tzinfo=UTC) - clock.now).total_seconds() - 1)
    purged = run("baskets", "purge").stdout
    assert "orders: 0" in purged
    clock.move(1)
    run("baskets", "purge")
    assert rows(app, "contacts") == rows(app, "orders") == rows(app, "ledger") == 0
    assert rows(app, "checkout_sessions") == rows(app, "order_lines") == 0


def page_of(app: Flask, order_no: str) -> str:
    with app.app_context(), db.reading() as connection:
        order = service.find(connection, order_no)
        assert order is not None
        return f"/orders/{service.token_of(order, secret=SECRET)}"


def test_nothing_is_forgotten_while_a_purchase_is_running(
    run: Run, alice: User, shop: Shop, order_no: str
) -> None:
    app = shop.app
    alice.put(shop.product("hat"))
    till_of(shop).start(alice, **BUYER)
    before = dump(app)

    for who in (WHO, ("--email", "zoe@example.org"), ("--order", order_no)):
        refused = run("customer", "forget", *who, "--yes")
        assert (refused.exit_code, "is not over yet" in refused.stderr) == (1, True)
    assert dump(app) == before

    # The same when it has begun after the command had looked.
    with app.app_context(), db.reading() as connection:
        partner = partners.partner_id(connection, "kino")
    account = Account(partner or 0, "alice")
    with app.app_context(), pytest.raises(PurchaseRunning):
        list(forgetting.forget(Traces(account, (), (), (), (), ())))
    assert dump(app) == before

    alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": False})
    told = forget(run, *WHO)
    assert "of a checkout without order" in told
    assert "alice" not in dump(app)


def test_an_order_that_is_carried_out_stays_and_is_forgotten_later(
    app: Flask, run: Run, alice: User, shop: Shop
) -> None:
    made = bought(alice, shop, **BUYER)

    refused = run("orders", "forget", made)
    assert refused.exit_code == 1
    assert "is new: it has neither been shipped nor cancelled" in refused.stderr
    assert "is being carried out" in forget(run, *WHO)
    assert shop.call("GET", f"/shops/orders/{made}-1").json["data"]["customer"]["email"]

    send(shop, made)
    assert run("orders", "forget", grouped(made).lower()).exit_code == 0
    with app.app_context(), db.reading() as connection:
        assert contacts.find(connection, made, secret=SECRET).email is None
        assert contacts.find(connection, made, secret=SECRET, locked=True).email is not None


def test_a_test_is_nothing_that_has_to_be_kept(
    app: Flask, run: Run, alice: User, shop: Shop
) -> None:
    till = till_of(shop)
    alice.put(shop.product())
    started = alice.call("POST", "/checkout/sessions?testMode=true", json=BUYER).json["data"]
    till.pay(started)
    till.hear()
    send(shop, started["orderNo"])

    assert "nobody's name is known" in run("orders", "forget", started["orderNo"]).stdout
    assert rows(app, "contacts") == 0


@pytest.mark.parametrize("stopped_after", range(6))
def test_what_was_stopped_is_gone_on_with(
    stopped_after: int, run: Run, alice: User, shop: Shop, order_no: str
) -> None:
    app = shop.app
    second = bought(alice, shop, (shop.product("hat"), 1), **BUYER)
    send(shop, second)
    keep(alice)
    alice.put(shop.product("cap"))
    with app.app_context():
        with db.reading() as connection:
            traces = finding.of_order(connection, order_no, secret=SECRET)
        assert traces is not None
        steps = forgetting.forget(traces, last=order_no)
        for _ in range(stopped_after):
            next(steps)
        steps.close()

    forget(run, "--order", order_no)

    held = dump(app)
    for gone in ("alice", "00340434161", "complained"):
        assert gone not in held
    assert rows(app, "baskets") == rows(app, "comfort_settings") == 0
    for number in (order_no, second):
        with app.app_context(), db.reading() as connection:
            assert contacts.locked_since(connection, number) is not None


# --- what was declared, and what lies elsewhere


@pytest.mark.one_database
def test_what_went_back_before_a_withdrawal_does_not_pay_for_it(
    client: FlaskClient, run: Run, alice: User, shop: Shop, desk: Desk
) -> None:
    order_no = desk.buy(alice, (shop.product(), 2))
    send(shop, order_no)  # with 100 of goodwill
    declare(client, "/withdraw", typed(order_no))

    kept = forget(run, *WHO)
    assert "Kept: withdrawal" in kept
    assert "its acknowledgement has not been sent yet" in kept
    desk.deliver()
    kept = forget(run, *WHO)
    assert kept.count("was withdrawn from, and is to be refunded until") == 2
    assert "Locked or deleted" not in kept
    assert EMAIL in run("orders", "withdrawals", "--all").stdout
    assert "was withdrawn from" in run("orders", "forget", order_no).stderr

    assert run("orders", "refund", order_no, "--reason", "withdrawn").exit_code == 0
    told = forget(run, *WHO)
    assert "Kept" not in told
    assert "Locked or deleted: a withdrawal" in told


@pytest.mark.one_database
def test_what_has_to_be_looked_at_stays(run: Run, shop: Shop, order_no: str) -> None:
    app, part_no = shop.app, PartNo(order_no, 1)
    with app.app_context(), db.transaction() as connection:
        events.attend(connection, part_no, Attention.REFUND_FAILED)

    assert "has to be looked at" in run("orders", "forget", order_no).stderr
    # The same when that has come about after the command had looked.
    with app.app_context(), db.reading() as connection:
        order = service.find(connection, order_no)
    assert order is not None
    before = dump(app)
    with app.app_context(), pytest.raises(StillNeeded, match="has to be looked at"):
        db.write(erasing.forget_order, order, secret=SECRET, now=datetime(2025, 7, 1, tzinfo=UTC))
    assert dump(app) == before

    assert run("orders", "attended", f"{order_no}-1").exit_code == 0
    assert run("orders", "forget", order_no).exit_code == 0


@pytest.mark.one_database
def test_a_declaration_is_locked_and_that_of_somebody_else_stays(
    client: FlaskClient, run: Run, alice: User, shop: Shop, desk: Desk
) -> None:
    buyer = {**BUYER, "email": EMAIL}
    order_no = bought(alice, shop, **buyer)
    send(shop, order_no)
    declare(client, "/withdraw", typed(order_no))
    declare(client, "/withdraw", typed(order_no, email="eve@example.org"))
    # 100 have gone back before; what is owed for the withdrawal is more than that.
    assert run("orders", "refund", order_no, "--reason", "withdrawn").exit_code == 0
    desk.deliver()

    assert "a withdrawal that was declared" in forget(run, *WHO)

    listed = run("orders", "withdrawals", "--all").stdout
    assert "locked: its person is forgotten" in listed
    assert "eve@example.org" in listed
    assert EMAIL not in listed
    (kept,) = json.loads(run("orders", "voucher", order_no).stdout)["withdrawals"]
    assert (kept["declared"]["email"], kept["lockedUntil"]) == (EMAIL, "2032-01-01T00:00:00Z")
    # The shopper's rights last: who is forgotten can withdraw from what is left.
    declare(client, "/withdraw", typed(order_no, name="Ada again"))
    assert "Ada again" not in run("orders", "withdrawals").stdout


@pytest.mark.one_database
def test_mails_that_a_demo_has_written_go_with_their_order(
    apps: Apps, database_url: str, order_no: str
) -> None:
    run = runner_of(app := apps.on(database_url, "demo", demo=True))
    assert run("webhooks", "deliver").exit_code == 0
    folder: Path = app.extensions["jay.settings"].mail_folder
    with app.app_context(), db.reading() as connection:
        told = erasing.messages_about(connection, order_no)
    written = [folder / file_name(one.id, one.key) for one in told]
    assert len(written) == 3
    assert all(path.exists() for path in written)

    forget(run, *WHO)

    assert not any(path.exists() for path in written)


def test_the_provider_deletes_the_customer_first(
    apps: Apps, database_url: str, stripe_api: StripeApi, alice: User
) -> None:
    app = apps.on(database_url, psp="stripe", stripe=stripes.settings(stripe_api))
    alice = replace(alice, platform=replace(alice.platform, client=app.test_client()))
    run = runner_of(app)
    live, test = stripe_api.add_customer(livemode=True), stripe_api.add_customer()
    keep(alice, live)
    stripe_api.fail(live, "500")

    failed = run("customer", "forget", *WHO, "--yes")
    assert (failed.exit_code, "Run this again" in failed.stderr) == (1, True)
    assert rows(app, "comfort_settings") == 1
    # Nobody pays with it any more all the same.
    assert alice.call("PATCH", "/comfort", json={}).json["data"]["paymentTokenSet"] is False

    assert "Deleted at the payment provider: stripe" in forget(run, *WHO)
    assert live not in stripe_api.objects
    assert test in stripe_api.objects
    assert rows(app, "comfort_settings") == 0
