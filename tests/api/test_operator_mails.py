"""What the operator is told by mail: each thing once a day, as long as it is open."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from jay import db
from jay.merchants.models import merchants
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.ops import alarms, operator_mails
from jay.orders import events
from jay.orders.models import Attention, PartNo
from jay.outbox.delivery import Deliverer, transports_of
from jay.outbox.mails import MAIL
from jay.outbox.transports.mail import Mailer
from tests.api.buying import bought
from tests.api.checks import rows
from tests.api.test_withdrawal import declare, typed
from tests.builders import Shop, User, add_shop
from tests.cli.conftest import runner_of
from tests.clock import MovedClock
from tests.conftest import SECRET, Apps
from tests.post_office import FROM, post_office

TO = "ops@jay.example"
WORKERS = 4

Told = Callable[[], Counter[str]]


@pytest.fixture
def watched(apps: Apps, app: Flask, database_url: str) -> Flask:
    """The service of an operator who wants to be told."""
    return apps.on(database_url, operator_email=TO)


@pytest.fixture
def told(watched: Flask, clock: MovedClock) -> Iterator[Told]:
    """Let some workers look and deliver, and return the subjects of what they have sent."""
    with post_office() as office:
        ways = transports_of(Client(LOOPBACK)) | {MAIL: Mailer(office.server, FROM)}
        kinds = watched.extensions["jay.outbox"]

        def look(_worker: int) -> None:
            with watched.app_context():
                operator_mails.once()

        def work() -> Counter[str]:
            office.mails.clear()
            deliverer = Deliverer(
                watched.extensions["jay.db"], ways, kinds, clock=clock, secret=SECRET
            )
            deliverer.run()
            with ThreadPoolExecutor(WORKERS) as pool:
                list(pool.map(look, range(WORKERS)))
            deliverer.run()
            mine = [mail for mail in office.mails if mail["To"] == TO]
            for mail in mine:
                body = mail.get_body(("plain",))
                assert body is not None
                assert "    flask --app app orders " in body.get_content()
            return Counter(mail["Subject"] for mail in mine)

        yield work


def attend(app: Flask, order_no: str, why: Attention | None) -> None:
    with app.app_context(), db.transaction() as connection:
        events.attend(connection, PartNo(order_no, 1), why)


def test_each_thing_is_told_once_a_day_until_somebody_has_looked_at_it(
    watched: Flask, told: Told, alice: User, shop: Shop, clock: MovedClock
) -> None:
    assert told() == {}
    with watched.app_context(), db.transaction() as connection:
        address = {"order_webhook_url": "http://shop.example/hook"}  # gets no orders: no https
        connection.execute(update(merchants).values(**address))
    parked, disputed = bought(alice, shop), bought(alice, shop)
    attend(watched, disputed, Attention.DISPUTED)
    declare(watched.test_client(), "/withdraw", typed("what I bought"))

    first = told()

    shop_is_mute = {f"Order {one}-1 does not reach its merchant": 1 for one in (parked, disputed)}
    open_still = {
        f"Payment disputed: order {disputed}-1": 1,
        "A withdrawal has to be looked at": 1,
    }
    assert first == shop_is_mute | open_still
    clock.move(timedelta(hours=23).total_seconds())
    assert told() == {}
    clock.move(timedelta(hours=1).total_seconds())
    assert told() == open_still
    attend(watched, disputed, None)
    attend(watched, parked, Attention.REFUND_FAILED)
    identifier = runner_of(watched)("orders", "withdrawals").output.split()[0]
    runner_of(watched)("orders", "close-withdrawal", identifier)
    assert told() == {f"Refund failed: order {parked}-1": 1}
    clock.move(timedelta(days=1).total_seconds())
    attend(watched, parked, None)
    assert told() == {}


def test_of_a_kind_the_oldest_are_told_in_a_day_and_how_many_more_there_are(
    watched: Flask,
    told: Told,
    alice: User,
    shop: Shop,
    *,
    clock: MovedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alarms._OF_KIND, "most", 2)
    clock.move(1)
    disputed = bought(alice, shop)
    attend(watched, disputed, Attention.DISPUTED)
    failed = []
    for number in range(4):
        clock.move(1)
        failed.append(bought(alice, shop))
        attend(watched, failed[-1], Attention.SHARE_FAILED)
        declare(watched.test_client(), "/withdraw", typed(f"what I bought {number}"))
    attend(watched, bought(alice, shop), Attention.SHOP_REFUND)

    first = told()

    share = "Merchant's share not moved: order {}-1"
    assert first.pop(f"Payment disputed: order {disputed}-1") == 1
    assert first.pop("And 2 more: merchants' shares that were not moved") == 1
    assert first.pop("And 2 more: withdrawals that have to be looked at") == 1
    assert first.pop("A withdrawal has to be looked at") == 2
    assert {one for one in first if "Refunded" not in one} == {
        share.format(failed[n]) for n in (0, 1)
    }
    assert told() == {}
    # What was left out does not count as told: a day later its turn has come.
    for one in failed[:2]:
        attend(watched, one, None)
    clock.move(timedelta(hours=12).total_seconds())
    assert told() == {}
    clock.move(timedelta(hours=12).total_seconds())
    later = told()
    assert {one for one in later if "share" in one} == {share.format(failed[n]) for n in (2, 3)}
    clock.move(timedelta(hours=23).total_seconds())
    assert told() == {}


@pytest.mark.one_database
def test_what_somebody_has_typed_is_in_no_mail_to_the_operator(watched: Flask, told: Told) -> None:
    add_shop(watched, watched.test_client())
    declare(watched.test_client(), "/withdraw", typed("what I bought"))
    with watched.app_context():
        operator_mails.once()
    assert rows(watched, "outbox") == 2
    with watched.app_context(), db.reading() as connection:
        stored = repr(connection.exec_driver_sql("SELECT * FROM outbox").all())
    assert "lovelace" not in stored.lower()
    assert told() == {"A withdrawal has to be looked at": 1}
