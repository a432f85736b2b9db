"""A merchant's orders by mail: its part alone, in words and as order.json, once under one id."""

import json
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from jay import db
from jay.merchants.models import merchants
from jay.orders import events
from jay.orders.handover import WAITS
from jay.orders.models import Actor, Happening, PartNo
from jay.outbox.delivery import Deliverer
from jay.outbox.mails import MAIL
from jay.outbox.models import DELIVERED, FAILED, WAITING, outbox
from jay.outbox.transports.mail import Mailer
from tests.api.buying import BUYER, HANDED_OVER, bought
from tests.api.desk import words
from tests.builders import LEGAL, Shop, User, add_shop
from tests.cli.conftest import runner_of
from tests.clock import MovedClock
from tests.conftest import SECRET
from tests.post_office import FROM, PostOffice, post_office

pytestmark = pytest.mark.one_database

TO = "orders@hatshop.example"


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as running:
        yield running


@pytest.fixture
def hats(app: Flask, client: FlaskClient) -> Shop:
    """A merchant who wants its orders by mail."""
    made = add_shop(app, client, "hatshop")
    assert made.call("PATCH", "/shops/config", json={"orderEmail": TO}).status_code == 200
    return made


Deliver = Callable[[], list[EmailMessage]]


@pytest.fixture
def deliver(app: Flask, office: PostOffice, clock: MovedClock) -> Deliver:
    """Send what is due, and return what this merchant has got so far."""

    def sent() -> list[EmailMessage]:
        ways, kinds = {MAIL: Mailer(office.server, FROM)}, app.extensions["jay.outbox"]
        Deliverer(app.extensions["jay.db"], ways, kinds, clock=clock, secret=SECRET).run()
        return [mail for mail in office.mails if mail["To"] == TO]

    return sent


def attached(mail: EmailMessage) -> Any:
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("order.json", "application/json")
    return json.loads(file.get_content())


def rows(app: Flask) -> list[Any]:
    with app.app_context(), db.reading() as connection:
        query = select(outbox).where(outbox.c.kind.in_(HANDED_OVER))
        return list(connection.execute(query.order_by(outbox.c.id)).all())


def test_it_gets_its_part_alone_in_words_and_as_the_api_shows_it(
    deliver: Deliver, alice: User, shop: Shop, hats: Shop
) -> None:
    hat = hats.product("hat-7", price=1000, vat=7.0, name="Hut & <b>Band</b>")
    order_no = bought(alice, hats, (shop.product("mug"), 2), (hat, 3), **BUYER)

    (mail,) = deliver()

    assert attached(mail) == hats.call("GET", f"/shops/orders/{order_no}-2").json["data"]
    assert attached(mail)["customer"]["billing"]["city"] == "Berlin"
    assert mail["Subject"] == f"Neue Bestellung {order_no}-2"
    text, html = words(mail), unescape(words(mail, "html"))
    for told in ("hat-7", "30,00 €", "Große Straße 7a", "10115 Berlin", "zoe@example.org"):
        assert told in text, told
        assert told in html.replace("\u00a0", " "), told
    assert "<b>Band</b>" not in words(mail, "html")
    assert "Mug" not in text + html


def test_what_happens_to_it_later_is_told_too(
    deliver: Deliver, app: Flask, alice: User, hats: Shop
) -> None:
    with app.app_context(), db.transaction() as connection:
        connection.execute(update(merchants).values(lang="en"))
    order_no = bought(alice, hats, (hats.product("hat"), 2), **BUYER)
    cancelled = {"state": "cancelled", "lines": [{"sku": "hat", "count": 1}]}
    hats.call("PATCH", f"/shops/orders/{order_no}-1", json=cancelled)

    created, cancellation, refund = deliver()

    assert [mail["Subject"] for mail in (created, cancellation, refund)] == [
        f"New order {order_no}-1",
        f"Cancelled: order {order_no}-1",
        f"Refund: order {order_no}-1",
    ]
    assert "- 1 x " in words(cancellation)
    assert "€12.50" in words(refund)
    assert "Große Straße" not in words(cancellation)  # no more of the shopper than is needed
    assert "zoe" not in repr(rows(app)).lower()


def test_what_went_wrong_with_money_names_no_shopper_in_an_imprints_mailbox(
    deliver: Deliver, office: PostOffice, alice: User, shop: Shop, hats: Shop
) -> None:
    app = hats.app
    mug, hat = shop.product("mug"), hats.product("hat", price=1000)
    order_no = bought(alice, shop, (mug, 2), (hat, 1), **BUYER)
    deliver()
    office.mails.clear()
    with app.app_context(), db.transaction() as connection:
        now = app.extensions["jay.clock"]()
        for number in (1, 2):
            part, by = PartNo(order_no, number), Actor.SERVICE
            failed = {"amount": 700}
            events.record(connection, part, Happening.REFUND_FAILED, by, failed, now=now)
            events.record(connection, part, Happening.DISPUTED, by, now=now)
    deliver()

    assert [mail["To"] for mail in office.mails].count(TO) == 2
    assert [mail["To"] for mail in office.mails].count(LEGAL["email"]) == 2
    for mail in office.mails:
        assert list(mail.iter_attachments()) == []
        told = words(mail) + unescape(words(mail, "html"))
        for personal in ("zoe@", "Zoë", "Berlin", "Große Straße", "order.json"):
            assert personal not in told
        assert order_no in told
        assert "/docs" in told
        assert any(amount in told for amount in ("7,00", "25,00", "10,00"))


def test_it_is_tried_by_the_contracts_table_under_one_id(
    deliver: Deliver, office: PostOffice, clock: MovedClock, alice: User, hats: Shop
) -> None:
    app = hats.app
    office.says["DATA"] = "450 later"
    bought(alice, hats, (hats.product("hat"), 1), **BUYER)
    for wait in WAITS[:2]:
        deliver()
        [waiting] = rows(app)
        assert (waiting.state, waiting.due - clock.now) == (WAITING, wait)
        clock.now = waiting.due
    office.says = {"after": ""}  # it takes the mail, and hangs up

    (mail,) = deliver()
    assert mail["Message-ID"] == f"<{waiting.key}@{FROM.domain}>"
    assert [row.state for row in rows(app)] == [DELIVERED]


def test_a_merchant_that_names_no_address_any_more_is_shown_to_the_operator(
    deliver: Deliver, app: Flask, alice: User, hats: Shop
) -> None:
    order_no = bought(alice, hats, (hats.product("hat"), 1), **BUYER)
    hats.call("PATCH", "/shops/config", json={"orderEmail": None})

    assert deliver() == []
    [row] = rows(app)
    assert (row.state, "set orderEmail" in row.reason) == (FAILED, True)
    assert f"{order_no}-1" in runner_of(app)("orders", "list", "--parked").stdout

    hats.call("PATCH", "/shops/config", json={"orderEmail": TO})
    assert runner_of(app)("orders", "retry", order_no).exit_code == 0
    assert len(deliver()) == 1


def test_with_a_webhook_nothing_is_mailed_and_with_neither_it_waits(
    deliver: Deliver, app: Flask, alice: User, shop: Shop, hats: Shop
) -> None:
    with app.app_context(), db.transaction() as connection:
        is_hats = merchants.c.name == "hatshop"
        url = "https://hatshop.example/hook"
        connection.execute(update(merchants).where(is_hats).values(order_webhook_url=url))
    bought(alice, hats, (hats.product("hat"), 1), (shop.product("mug"), 1), **BUYER)

    assert [row.kind for row in rows(app)] == ["merchant.order.created"]
    assert deliver() == []
