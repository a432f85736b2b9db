"""``flask orders``: found by any spelling, cancelled, refunded, told anew, and compared."""

import pytest
from sqlalchemy import delete, update

from jay import db
from jay.checkout.order_numbers import grouped
from jay.checkout.sandbox.models import sandbox_intents
from jay.orders.models import ledger, orders
from tests.api.buying import BUYER, bought, part
from tests.builders import Shop, User
from tests.cli.conftest import Run, runner_of


@pytest.fixture
def run(shop: Shop) -> Run:
    return runner_of(shop.app)


@pytest.fixture
def order_no(alice: User, shop: Shop) -> str:
    return bought(alice, shop, (shop.product(), 2), **BUYER)


def test_orders_are_listed_and_shown_without_anybody_in_them(run: Run, order_no: str) -> None:
    listed = run("orders", "list", "--merchant", "mugshop", "--state", "new").stdout
    spelled = grouped(order_no).lower()
    shown = run("orders", "show", spelled)

    assert f"{order_no}-1" in listed
    assert listed.rstrip().endswith("€25.00  pulls")
    assert shown.exit_code == 0, shown.stderr
    for told in (grouped(order_no), "2 x mug (Mug) at €12.50", "created by shopper", "charge"):
        assert told in shown.stdout
    assert run("orders", "show", f"{spelled} - 1").stdout == shown.stdout
    for personal in ("Zoë", "zoe", "Berlin"):
        assert personal not in shown.stdout + listed
    assert "There is no order" in run("orders", "show", "J2222 2222 2222").stderr
    assert len(run("orders", "list", "--parked").stdout.splitlines()) == 1


def test_an_operator_refunds_and_cancels(run: Run, shop: Shop, order_no: str) -> None:
    made = run("orders", "refund", order_no, "--amount", "500", "--reason", "late")
    assert (made.exit_code, ": made." in made.stderr) == (0, True)
    assert run("orders", "refund", order_no, "--amount", "2001", "--reason", "x").exit_code == 1
    assert run("orders", "cancel", f"{order_no}-1").exit_code == 0

    found = part(shop, order_no)
    assert (found.state, found.refunded) == ("cancelled", 2500)
    assert run("orders", "cancel", order_no).exit_code == 1
    assert run("orders", "retry", order_no).exit_code == 1  # it is pulled: nobody is told
    assert run("orders", "reconcile").exit_code == 0


def test_what_differs_is_told(run: Run, shop: Shop, order_no: str) -> None:
    clean = run("orders", "reconcile")
    assert (clean.exit_code, clean.stdout) == (0, "")

    with shop.app.app_context(), db.transaction() as connection:
        connection.execute(update(sandbox_intents).values(refunded=300))
    assert run("orders", "reconcile").stdout == (
        f"{order_no}: 300 refunded at the provider, 0 here\n"
    )
    with shop.app.app_context(), db.transaction() as connection:
        connection.execute(update(ledger).values(amount=2400))
    assert run("orders", "reconcile").stdout.splitlines()[:2] == [
        f"{order_no}-1: charged -100 of what it costs",
        f"{order_no}: 2500 captured at the provider, 2400 here",
    ]
    with shop.app.app_context(), db.transaction() as connection:
        connection.execute(delete(orders))
    told = run("orders", "reconcile")
    assert (told.exit_code, f"{order_no}: paid, without order" in told.stdout) == (1, True)


def test_a_payment_of_a_session_that_ended_is_found(run: Run, shop: Shop, alice: User) -> None:
    alice.put(shop.product())
    started = alice.call("POST", "/checkout/sessions").json["data"]
    alice.call("POST", "/checkout/sessions/finish-active", json={"ordered": False})
    assert run("orders", "reconcile").exit_code == 0
    with shop.app.app_context(), db.transaction() as connection:
        connection.execute(update(sandbox_intents).values(captured=1250))

    told = run("orders", "reconcile").stdout
    assert told == f"{started['orderNo']}: 1250 are paid, and there is no order\n"
