"""A merchant takes its orders another way: what waits goes there, and nothing is told twice."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from jay import db
from jay.connectors import handing
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.orders.handover import messages_about
from jay.orders.models import PartNo
from jay.outbox.delivery import Deliverer, transports_of
from jay.outbox.mails import MAIL, lane_of
from jay.outbox.models import DELIVERED, FAILED
from jay.outbox.transports.mail import Mailer
from tests.api.buying import bought
from tests.builders import Shop, User
from tests.cli.conftest import runner_of
from tests.clock import PATIENCE_SECONDS, MovedClock
from tests.conftest import SECRET
from tests.post_office import FROM, PostOffice, post_office
from tests.receiver import Receiver, verified

TO = "orders@shop.example"
WORKERS = 3


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as running:
        yield running


@pytest.fixture
def worker(shop: Shop, receiver: Receiver, office: PostOffice, clock: MovedClock) -> Deliverer:
    """Delivers by every way."""
    assert receiver.url
    settings = shop.app.extensions["jay.settings"]
    return Deliverer(
        shop.app.extensions["jay.db"],
        {**transports_of(Client(LOOPBACK)), MAIL: Mailer(office.server, FROM)},
        {kind.name: kind for kind in handing.kinds(settings)},
        clock=clock,
        secret=SECRET,
    )


@pytest.fixture(autouse=True)
def _on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let addresses on loopback get orders, as a network of the operator's."""
    monkeypatch.setattr(
        "jay.connectors.webhook.connector.keeps_secrets", lambda _url, _allowed: True
    )


def work(worker: Deliverer) -> None:
    """Turn what is due to its way, and send it: a lane in which nothing was rests for a second."""
    for _ in range(2):
        worker.run()


def by_mail(office: PostOffice) -> list[str]:
    files = [file for mail in office.mails for file in mail.iter_attachments()]
    return [json.loads(file.get_content())["orderId"] for file in files]


def by_webhook(receiver: Receiver) -> list[str]:
    return [verified(request)["data"]["orderId"] for request in receiver.requests]


def told(shop: Shop, order_no: str) -> list[tuple[str, str]]:
    with shop.app.app_context(), db.reading() as connection:
        found = messages_about(connection, PartNo(order_no, 1))
    return [(row.kind, row.state) for row in found]


def change(shop: Shop, *way: str) -> str:
    done = runner_of(shop.app)("merchant", "connect", shop.name, *way)
    assert done.exit_code == 0, done.output
    return done.stderr


def test_what_waits_while_many_workers_send_is_told_once_by_one_of_both_ways(
    alice: User, shop: Shop, receiver: Receiver, office: PostOffice, worker: Deliverer
) -> None:
    receiver.answer_when_released()
    numbers = [f"{bought(alice, shop)}-1" for _ in range(8)]
    with ThreadPoolExecutor(WORKERS) as pool:
        at_work = [pool.submit(worker.run) for _ in range(WORKERS)]
        assert receiver.arrived.wait(PATIENCE_SECONDS)  # it is on its way, and stays there
        change(shop, "mail", "--address", TO)
        receiver.release.set()
        for each in at_work:
            each.result()
    work(worker)

    assert Counter(by_webhook(receiver) + by_mail(office)) == Counter(numbers)
    assert 1 <= len(receiver.requests) <= WORKERS


def test_what_may_have_arrived_stays_until_somebody_says_otherwise(
    alice: User, shop: Shop, receiver: Receiver, office: PostOffice, worker: Deliverer
) -> None:
    receiver.answer_with(500)
    tried = bought(alice, shop)
    work(worker)
    waits = bought(alice, shop)

    said = change(shop, "mail", "--address", TO)
    work(worker)

    assert "1 earlier part is not sent by webhook yet, and will go by mail." in said
    assert "1 earlier part is not delivered by webhook" in said
    assert "orders retry sends what has not by mail" in said
    assert told(shop, waits) == [("merchant-mail.order.created", DELIVERED)]
    assert by_mail(office) == [f"{waits}-1"]
    shop.app.extensions["jay.clock"].move(10)
    work(worker)
    assert told(shop, tried) == [("merchant.order.created", FAILED)]
    assert runner_of(shop.app)("orders", "retry", tried).exit_code == 0
    work(worker)
    assert by_mail(office) == [f"{one}-1" for one in (waits, tried)]
    assert len(receiver.requests) == 1


def test_what_follows_a_message_that_was_given_up_is_not_said_to_go_the_new_way(
    alice: User, shop: Shop, receiver: Receiver, worker: Deliverer, clock: MovedClock
) -> None:
    receiver.answer_with(500)
    order_no = bought(alice, shop)
    while told(shop, order_no) != [("merchant.order.created", FAILED)]:
        clock.move(24 * 3600)
        work(worker)
    shop.call("PATCH", f"/shops/orders/{order_no}-1", json={"state": "cancelled"})

    said = change(shop, "mail", "--address", TO)

    assert "1 earlier part is not delivered by webhook" in said
    assert "will go by mail." not in said


def test_the_steps_of_a_part_come_in_their_order_by_the_new_way(
    alice: User, shop: Shop, receiver: Receiver, office: PostOffice, worker: Deliverer
) -> None:
    order_no = bought(alice, shop)
    path = f"/shops/orders/{order_no}-1"
    shop.call("PATCH", path, json={"state": "cancelled"})
    change(shop, "mail", "--address", TO)

    work(worker)

    steps = ("created", "cancelled", "refunded")
    assert told(shop, order_no) == [(f"merchant-mail.order.{one}", DELIVERED) for one in steps]
    assert office.mails[0]["Subject"] == f"Neue Bestellung {order_no}-1"
    assert (len(office.mails), receiver.requests) == (3, [])


def test_what_happens_next_does_not_overtake_the_order_by_the_new_way(
    alice: User, shop: Shop, receiver: Receiver, office: PostOffice, worker: Deliverer
) -> None:
    order_no = bought(alice, shop)
    change(shop, "mail", "--address", TO)
    shop.call("PATCH", f"/shops/orders/{order_no}-1", json={"state": "cancelled"})

    # The new way is asked first, as by the thread that happens to be the quicker one.
    worker.attempt(lane_of(f"{order_no}-1"))
    assert office.mails == []
    work(worker)

    steps = ("created", "cancelled", "refunded")
    assert told(shop, order_no) == [(f"merchant-mail.order.{one}", DELIVERED) for one in steps]
    assert office.mails[0]["Subject"] == f"Neue Bestellung {order_no}-1"
    assert (len(office.mails), receiver.requests) == (3, [])


def test_what_happens_next_follows_the_order_by_the_way_before_that_still_sends_it(
    alice: User, shop: Shop, receiver: Receiver, office: PostOffice, worker: Deliverer
) -> None:
    change(shop, "mail", "--address", TO)
    office.says["RCPT"] = "451 later"
    order_no = bought(alice, shop)
    work(worker)
    change(shop, "webhook", "--address", receiver.url)  # the mailbox stays in the configuration
    shop.call("PATCH", f"/shops/orders/{order_no}-1", json={"state": "cancelled"})

    work(worker)
    assert receiver.requests == []
    office.says.clear()
    shop.app.extensions["jay.clock"].move(10)
    work(worker)

    steps = ("created", "cancelled", "refunded")
    assert told(shop, order_no) == [(f"merchant-mail.order.{one}", DELIVERED) for one in steps]
    assert office.mails[0]["Subject"] == f"Neue Bestellung {order_no}-1"
    later = bought(alice, shop)
    work(worker)
    assert by_webhook(receiver) == [f"{later}-1"]


def test_what_happens_next_does_not_wait_for_an_order_that_stays_where_it_was_tried(
    alice: User, shop: Shop, receiver: Receiver, office: PostOffice, worker: Deliverer
) -> None:
    receiver.answer_with(500)
    order_no = bought(alice, shop)
    work(worker)
    change(shop, "mail", "--address", TO)
    shop.call("PATCH", f"/shops/orders/{order_no}-1", json={"state": "cancelled"})

    work(worker)

    assert by_mail(office) == [f"{order_no}-1"] * 2


def test_a_merchant_that_changes_its_configuration_itself_gets_what_waits(
    alice: User, shop: Shop, receiver: Receiver, office: PostOffice, worker: Deliverer
) -> None:
    order_no = bought(alice, shop)
    changes = {"orderWebhookUrl": None, "orderEmail": TO}
    assert shop.call("PATCH", "/shops/config", json=changes).status_code == 200

    work(worker)

    assert by_mail(office) == [f"{order_no}-1"]


def test_an_address_that_wants_no_more_leaves_the_rest_to_the_mailbox(
    alice: User, shop: Shop, receiver: Receiver, office: PostOffice, worker: Deliverer
) -> None:
    assert shop.call("PATCH", "/shops/config", json={"orderEmail": TO}).status_code == 200
    receiver.answer_with(410)
    first, second = bought(alice, shop), bought(alice, shop)

    work(worker)

    assert told(shop, first) == [("merchant.order.created", FAILED)]
    assert by_mail(office) == [f"{second}-1"]


def test_without_another_way_it_waits_to_be_asked_for(
    alice: User, shop: Shop, receiver: Receiver, worker: Deliverer
) -> None:
    order_no = bought(alice, shop)
    assert "not delivered by webhook, which has ended" in change(shop, "pull")

    work(worker)

    assert told(shop, order_no) == [("merchant.order.created", FAILED)]
    listed = shop.call("GET", "/shops/orders").json
    assert listed is not None
    assert [one["orderId"] for one in listed["data"]["orders"]] == [f"{order_no}-1"]
