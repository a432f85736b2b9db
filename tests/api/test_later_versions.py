"""What a later version has written: it is met while an installation is upgraded, or stepped back.

Each column of orders, payments and checkouts that holds one of some words may hold a further one
then: it is shown as it stands, and nothing is done about it but by the version that knows it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from flask import Flask
from sqlalchemy import Connection, Update, insert, select, update

from jay import db
from jay.checkout.models import Line, PartSums, SessionState, checkout_sessions
from jay.db.types import read_known
from jay.errors import OrderState, RefundTooHigh
from jay.legal.models import MERCHANT, legal_texts
from jay.orders import refunding, refunds, service
from jay.orders.looking import look_at
from jay.orders.models import (
    Actor,
    Attention,
    Money,
    MovementState,
    PartNo,
    PartState,
    movements,
    order_events,
    order_parts,
)
from jay.orders.withdrawals import Unclear, withdrawals
from jay.pictures.models import Reason, Unusable
from tests.api.buying import BUYER, bought, found, till_of
from tests.api.checks import assert_refused
from tests.builders import Shop, User, add_platform, add_shop
from tests.cli.conftest import runner_of
from tests.clock import NOON
from tests.conftest import SECRET, Apps
from tests.pictures import failed

LATER = "later"
"""A word that this version does not know."""


@dataclass
class Old:
    """This version, on tables that take the words of a later one."""

    app: Flask
    shop: Shop
    alice: User

    def write(self, *changes: Update) -> None:
        """Write as the later version does."""
        with self.app.app_context(), db.transaction() as connection:
            for change in changes:
                assert connection.execute(change).rowcount

    def get(self, path: str) -> str:
        answer = self.app.test_client().get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    def run(self, *words: str) -> str:
        done = runner_of(self.app)(*words)
        assert done.exit_code == 0, done.output
        return done.stdout


@pytest.fixture
def old(apps: Apps, new_database_url: str) -> Iterator[Old]:
    app = apps.on(new_database_url)
    with app.app_context(), db.transaction() as connection:
        for table in ("order_parts", "movements"):
            _take_any_word(connection, table)
    client = app.test_client()
    yield Old(app, add_shop(app, client), add_platform(app, client).user("alice"))
    apps.close(new_database_url)


def _take_any_word(connection: Connection, table: str) -> None:
    """Let the column ``state`` of a table hold any word."""
    with Operations(MigrationContext.configure(connection)).batch_alter_table(table) as changed:
        changed.drop_constraint(f"ck_{table}_state", type_="check")


def test_words_that_are_not_known_are_shown_as_they_stand(old: Old) -> None:
    order_no = bought(old.alice, old.shop, (old.shop.product(), 2), **BUYER)
    path = f"/shops/orders/{order_no}-1"
    back = {"amount": 300, "reason": "late"}
    assert old.shop.call("POST", f"{path}/refunds", json=back).status_code == 200
    old.write(
        update(order_parts).values(state=LATER, attention=LATER),
        update(order_events).values(kind=LATER, by=LATER),
        update(movements).values(state=LATER, by=LATER),
    )

    told = old.shop.call("GET", path).json["data"]
    assert (told["state"], told["refunds"][0]["state"]) == (LATER, LATER)
    assert {(one["kind"], one["by"]) for one in told["events"]} == {(LATER, LATER)}
    assert old.shop.call("GET", "/shops/orders").json["data"]["orders"] == [told]
    order, _ = found(old.shop, order_no)
    assert "Received" in old.get(f"/orders/{service.token_of(order, secret=SECRET)}")
    reason = look_at(Attention(LATER))
    assert reason.startswith("later, which only a later version knows")
    for words in (("list",), ("list", "--attention"), ("show", order_no)):
        assert reason in old.run("orders", *words), words
    assert old.run("customer", "export", "--email", str(BUYER["email"]))

    # No step is allowed from there, and what may have gone back counts as gone.
    assert_refused(old.shop.call("PATCH", path, json={"state": "accepted"}), OrderState)
    more = old.shop.call("POST", f"{path}/refunds", json={"amount": 2201, "reason": "late"})
    assert_refused(more, RefundTooHigh)
    old.run("orders", "attended", order_no)
    assert reason not in old.run("orders", "show", order_no)


def test_money_of_an_unknown_kind_is_moved_by_who_knows_it(old: Old) -> None:
    order_no = bought(old.alice, old.shop)
    with old.app.app_context(), db.transaction() as connection:
        part_no, by = PartNo(order_no, 1), Actor.OPERATOR
        refunds.reserve(connection, part_no, 500, by=by, now=NOON)
    old.write(update(movements).values(kind=LATER))

    with old.app.app_context():
        refunding.once()
        refunding.settle(order_no)
        with db.reading() as connection:
            [movement] = connection.execute(select(movements)).all()
    assert (movement.state, movement.attempts) == (MovementState.RESERVED, 0)
    assert till_of(old.shop).intents() == [("captured", 1250, 0)]


def test_a_checkout_in_an_unknown_state_keeps_its_money_and_its_stock(old: Old) -> None:
    till = till_of(old.shop)
    mug = old.shop.product()
    old.alice.put(mug)
    started = till.start(old.alice, **BUYER)
    till.pay(started)
    old.write(update(checkout_sessions).values(state=LATER))

    till.hear()
    assert till.intents() == [("authorised", 0, 0)]
    assert till.state(started) == LATER
    assert "We are finding out" in old.get(f"/checkout/return/{started['orderNo']}")


def test_what_only_a_later_version_says_of_a_line_is_left_out(old: Old) -> None:
    till = till_of(old.shop)
    old.alice.put(old.shop.product())
    started = till.start(old.alice, **BUYER)

    def later(stored: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one | {LATER: {"much": "more"}} for one in stored]

    with old.app.app_context(), db.reading() as connection:
        row = connection.execute(select(checkout_sessions)).one()
    values = {name: later(getattr(row, name)) for name in ("lines", "parts")}
    old.write(update(checkout_sessions).values(**values))

    active = old.alice.call("GET", "/checkout/sessions/active")
    assert active.json["data"]["positions"] == started["positions"]
    till.pay(started)
    till.hear()
    assert till.state(started) is SessionState.PAID
    assert [read_known(Line, one) for one in values["lines"]] == [Line(**row.lines[0])]
    assert [read_known(PartSums, one) for one in values["parts"]] == [PartSums(**row.parts[0])]


def test_texts_and_withdrawals_of_unknown_kinds_hinder_nobody(old: Old) -> None:
    said = {"name": "Zoë", "number": "J1", "email": "zoe@example.org"}
    form = {**said, "step": "confirm", "nonce": "n"}
    assert old.app.test_client().post("/withdraw", data=form).status_code == 200
    old.write(
        update(withdrawals).values(unclear=LATER),
        insert(legal_texts).values(
            owner=MERCHANT, owner_id=1, kind=LATER, lang="en", version=1, text="x", created=NOON
        ),
    )

    assert "later, which only a later version knows" in old.run("orders", "withdrawals")
    bought(old.alice, old.shop, **BUYER)


def test_why_a_picture_is_not_there_may_be_known_to_a_later_version_alone(
    apps: Apps, database_url: str, shop: Shop
) -> None:
    url = "https://images.shop.example/mug.jpg"
    shop.product("mug", description={"images": [{"url": url}]})
    failed(shop.app, url, Reason(LATER))
    demo = apps.on(database_url, demo=True)

    page = demo.test_client().get("/catalogue/mugshop/de-DE/mug")
    assert page.status_code == 200
    assert "known to a later version" in page.text
    listed = runner_of(shop.app)("products", "pictures", shop.name)
    assert listed.exit_code == 0, listed.output
    assert "1 later: Why is known to a later version" in listed.stdout
    with pytest.raises(KeyError):  # and nothing that a decoder says becomes one
        Unusable(Reason(LATER))


def test_a_word_is_what_it_says_and_no_member() -> None:
    later = PartState(LATER)

    assert (later, str(later), f"{later:<6}|") == (LATER, LATER, "later |")
    assert not later.is_known
    assert not Unclear(LATER).is_known
    assert PartState("new").is_known
    assert later not in list(PartState)
    assert later not in {PartState.NEW, PartState.CANCELLED}
    assert Unclear(LATER) == LATER
    assert Money("charge") is Money.CHARGE
    with pytest.raises(ValueError, match="1"):
        PartState(1)
