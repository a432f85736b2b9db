"""Handing parts over to merchants: signed, at least once under one id, by the contract's table."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from jay import db
from jay.connectors.webhook.mails import FAILING, SWITCHED_OFF
from jay.merchants.models import merchants as merchants_table
from jay.orders.handover import WAITS
from jay.outbox import service
from jay.outbox.delivery import Deliverer
from jay.outbox.models import FAILED, WAITING, outbox, outbox_addresses
from tests.api.buying import BUYER, HANDED_OVER, bought
from tests.builders import Shop, User, add_shop
from tests.cli.conftest import runner_of
from tests.clock import MovedClock
from tests.conftest import SECRET
from tests.receiver import KEY, Receiver, verified


def messages(app: Flask) -> list[Any]:
    with app.app_context(), db.reading() as connection:
        query = select(outbox).where(outbox.c.kind.in_(HANDED_OVER))
        return list(connection.execute(query.order_by(outbox.c.id)).all())


def test_each_step_is_told_signed_with_the_part_as_the_api_shows_it(
    alice: User, shop: Shop, receiver: Receiver, deliverer: Deliverer
) -> None:
    order_no = bought(alice, shop, **BUYER)
    path = f"/shops/orders/{order_no}-1"
    deliverer.run()

    told = verified(receiver.requests[0])
    assert told == {
        "type": "order.created",
        "timestamp": "2025-06-04T12:00:00Z",
        "data": shop.call("GET", path).json["data"],
    }
    assert told["data"]["customer"]["email"] == "zoe@example.org"
    shop.call("PATCH", path, json={"state": "cancelled"})
    deliverer.run()
    assert [verified(one)["type"] for one in receiver.requests] == [
        *("order.created", "order.cancelled", "order.refunded")
    ]
    stored = repr(messages(shop.app)).lower()
    assert "zoe" not in stored
    assert "berlin" not in stored


def test_each_merchant_gets_its_own_part(
    client: FlaskClient,
    alice: User,
    shop: Shop,
    receiver: Receiver,
    deliverer: Deliverer,
) -> None:
    hats = add_shop(shop.app, client, "hatshop")  # it is told nothing, and pulls
    order_no = bought(alice, shop, (shop.product(), 1), (hats.product("hat"), 1))
    deliverer.run()

    [one] = [verified(request)["data"] for request in receiver.requests]
    assert (one["orderId"], [line["sku"] for line in one["lines"]]) == (f"{order_no}-1", ["mug"])
    [pulled] = hats.call("GET", "/shops/orders").json["data"]["orders"]
    assert pulled["orderId"] == f"{order_no}-2"


def test_it_is_tried_by_the_table_under_one_id_and_then_parked(
    alice: User, shop: Shop, receiver: Receiver, deliverer: Deliverer, clock: MovedClock
) -> None:
    receiver.answer_with(500)
    bought(alice, shop)
    moments, began = [], clock.now
    while messages(shop.app)[0].state == WAITING:
        clock.now = max(clock.now, messages(shop.app)[0].due)
        with shop.app.app_context(), db.transaction() as connection:
            connection.execute(outbox_addresses.delete())  # one message: its address never rests
        before = len(receiver.requests)
        deliverer.run()
        moments += [clock.now - began] * (len(receiver.requests) - before)

    waits = [after - before for before, after in pairwise(moments)]
    assert waits == list(WAITS)
    assert moments[0] == timedelta()
    assert (messages(shop.app)[0].state, len(moments)) == (FAILED, 10)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    stamps = [int(request.headers["webhook-timestamp"]) for request in receiver.requests]
    assert stamps == [int((began + moment).timestamp()) for moment in moments]

    receiver.answer_with(200)
    result = runner_of(shop.app)("webhooks", "retry", str(messages(shop.app)[0].id))
    assert result.exit_code == 0
    deliverer.run()
    assert verified(receiver.requests[-1])["type"] == "order.created"


def test_a_server_may_ask_for_time(
    alice: User, shop: Shop, receiver: Receiver, deliverer: Deliverer, clock: MovedClock
) -> None:
    receiver.answer_with(503, Retry_After="3600")
    bought(alice, shop)
    deliverer.run()

    assert messages(shop.app)[0].due == clock.now + timedelta(hours=1)


def test_410_switches_the_address_off_and_tells_the_merchant_once(
    alice: User, shop: Shop, receiver: Receiver, deliverer: Deliverer
) -> None:
    receiver.answer_with(410)
    first, second = bought(alice, shop), bought(alice, shop)
    deliverer.run()

    assert len(receiver.requests) == 1
    assert [message.state for message in messages(shop.app)] == [FAILED, FAILED]
    assert shop.call("GET", "/shops/config").json["data"]["orderWebhookUrl"] is None
    with shop.app.app_context(), db.reading() as connection:
        mails = service.about(connection, shop.name, [SWITCHED_OFF, FAILING])
    assert [(mail.kind, mail.body) for mail in mails] == [(SWITCHED_OFF, f"{first}-1")]
    assert second != first


def test_the_merchant_is_told_once_when_its_address_keeps_failing(
    alice: User, shop: Shop, receiver: Receiver, deliverer: Deliverer, clock: MovedClock
) -> None:
    receiver.answer_with(500)
    for _ in range(3):
        bought(alice, shop)
    for _ in range(12):
        deliverer.run()
        clock.move(600)

    def told() -> list[Any]:
        with shop.app.app_context(), db.reading() as connection:
            return list(service.about(connection, shop.name, [FAILING]))

    [mail] = told()
    with shop.app.app_context(), db.reading() as connection:
        find = shop.app.extensions["jay.outbox"][FAILING].find
        message = service._message(connection, mail)
        by_law = find(connection, message, SECRET).address
    shop.call("PATCH", "/shops/config", json={"orderEmail": "orders@shop.example"})
    with shop.app.app_context(), db.reading() as connection:
        destination = find(connection, message, SECRET)
    assert "@" in by_law
    assert destination.address == "orders@shop.example"
    letter = destination.write()
    assert letter.subject == "Bestellungen erreichen deinen Webhook gerade nicht"
    for said in (letter.text, letter.html):
        assert message.body in said
        assert "/docs" in said


def test_a_rotated_secret_signs_beside_the_older_one_for_a_while(
    alice: User, shop: Shop, receiver: Receiver, deliverer: Deliverer, clock: MovedClock
) -> None:
    run = runner_of(shop.app)
    refused = run("merchant", "webhook-secret", shop.name)
    assert (refused.exit_code, "--rotate" in refused.stderr) == (1, True)
    new = run("merchant", "webhook-secret", shop.name, "--rotate").stdout.strip()

    order_no = bought(alice, shop)
    deliverer.run()
    assert verified(receiver.requests[0], new) == verified(receiver.requests[0], KEY)
    clock.move(24 * 3600)
    shop.call("PATCH", f"/shops/orders/{order_no}-1", json={"state": "cancelled"})
    deliverer.run()
    verified(receiver.requests[1], new)
    assert len(receiver.requests[1].headers["webhook-signature"].split(" ")) == 1
    assert new not in repr(messages(shop.app))


def test_a_stored_address_that_gives_names_away_gets_nothing_until_it_is_mended(
    alice: User, shop: Shop, receiver: Receiver, deliverer: Deliverer
) -> None:
    def store(url: str) -> None:
        with shop.app.app_context(), db.transaction() as connection:
            connection.execute(update(merchants_table).values(order_webhook_url=url))

    store(f"http://shop.example:{receiver.port}/hook")  # by a version that took it
    order_no = bought(alice, shop)
    deliverer.run()

    (message,) = messages(shop.app)
    assert (message.state, receiver.requests) == (FAILED, [])
    assert "not https" in message.reason
    parked = runner_of(shop.app)("orders", "list", "--parked").output
    assert f"{order_no}-1" in parked
    store(receiver.url)  # in a network that the operator allows
    assert runner_of(shop.app)("orders", "retry", order_no).exit_code == 0
    deliverer.run()
    assert [verified(one)["type"] for one in receiver.requests] == ["order.created"]


def test_without_a_secret_nothing_is_sent(
    alice: User, shop: Shop, receiver: Receiver, deliverer: Deliverer
) -> None:
    with shop.app.app_context(), db.transaction() as connection:
        connection.execute(update(merchants_table).values(order_secrets=None))
    bought(alice, shop)
    deliverer.run()

    assert receiver.requests == []
    assert "merchant webhook-secret" in messages(shop.app)[0].reason
