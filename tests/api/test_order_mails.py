"""The shopper's mails about an order: each once, whole, and to nobody else."""

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, insert, select, update

from jay import db
from jay.checkout import flow
from jay.checkout.contacts import contacts
from jay.checkout.order_numbers import routing_key_of
from jay.legal import service as legal
from jay.legal.models import Kind, Owner
from jay.merchants import service as merchants
from jay.orders.mails import RECEIVED
from jay.orders.models import Actor, Happening, PartNo, order_parcels, order_parts
from jay.outbox.models import FAILED, outbox
from tests.api.desk import EMAIL, Desk, words
from tests.builders import LEGAL, Shop, User, add_shop
from tests.clock import NOON

pytestmark = pytest.mark.one_database


def put_text(app: Flask, shop: str, kind: Kind, text: str, lang: str = "de") -> None:
    with app.app_context(), db.transaction() as connection:
        number = merchants.merchant_id(connection, shop)
        owner = Owner("merchant", number or 0)
        legal.put(connection, owner, kind, lang, url=None, text=text, now=NOON)


def test_the_mail_on_receipt_holds_the_whole_contract(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    hats = add_shop(app, client, "hatshop")
    hat = hats.product("hat", price=1000, vat=7.0, name="Hut & Band")
    order_no = desk.buy(alice, (shop.product("mug"), 2), (hat, 1), language="de")

    (mail,) = desk.deliver()

    assert mail["To"] == EMAIL
    text, html = words(mail), unescape(words(mail, "html"))
    told = ["mugshop", "hatshop", "2 x Mug", "12,50 €", "25,00 €", "10,00 €", "35,00 €", "4,64 €"]
    told += ["Hut & Band", "Ada Lovelace", "20095 Hamburg", "Deutschland", "Vertrag widerrufen"]
    told += [f"/widerruf?order={order_no}", "http://localhost/orders/"]
    assert [one for one in told if one not in text] == []
    assert [one for one in told if one.replace(" x ", " \u00d7 ") not in html] == []
    assert mail["Content-Language"] == "de"


def test_it_says_who_sells_by_law_as_it_was_then(
    app: Flask, desk: Desk, alice: User, shop: Shop
) -> None:
    desk.buy(alice, (shop.product("mug"), 1), language="de")
    changed = shop.call("PATCH", "/shops/config", json={"legal": {"name": "Somebody Else Ltd"}})
    assert changed.status_code == 200

    (mail,) = desk.deliver()

    for said in (words(mail), unescape(words(mail, "html"))):
        told = [LEGAL["name"], "Kaistraße 4", "20457 Hamburg", "Deutschland", LEGAL["email"]]
        assert [one for one in told if one not in said] == []
        assert "Somebody Else" not in said


def test_the_terms_come_in_the_version_that_was_shown(
    app: Flask, desk: Desk, alice: User, shop: Shop
) -> None:
    put_text(app, "mugshop", Kind.TERMS, "Es gilt das Übliche.")
    desk.buy(alice, (shop.product("mug"), 1), language="de")
    put_text(app, "mugshop", Kind.TERMS, "Es gilt etwas anderes.")

    (mail,) = desk.deliver()

    names = [file.get_filename() for file in mail.iter_attachments()]
    terms = next(file for file in mail.iter_attachments() if "terms" in file.get_filename())
    assert names == ["mugshop-terms-de-2.txt", "mugshop-withdrawal-de-1.txt"]
    assert terms.get_content().strip() == "Es gilt das Übliche."


def test_it_speaks_of_attached_terms_only_where_there_are_any(
    app: Flask, desk: Desk, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(alice, (shop.product("mug"), 1), language="en")
    with app.app_context(), db.transaction() as connection:
        of_order = order_parts.c.order_no == order_no
        connection.execute(update(order_parts).where(of_order).values(texts=[]))

    (mail,) = desk.deliver()

    assert [*mail.iter_attachments()] == []
    for said in (words(mail), unescape(words(mail, "html"))):
        assert "attached" not in said
        assert "You can withdraw from it by the link below" in said


def test_a_mail_comes_once_however_often_a_payment_is_settled(
    desk: Desk, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(alice, (shop.product("mug"), 1))
    for _ in range(3):
        with desk.app.app_context():
            flow.settle(order_no)
        desk.till.hear()
        desk.deliver()

    assert len(desk.office.mails) == 1


def test_what_happens_to_a_part_is_told_once_and_in_order(
    desk: Desk, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(
        alice, (shop.product("mug"), 3), (shop.product("pot", price=3000), 1), language="en"
    )
    part = PartNo(order_no, 1)
    number = desk.happens(part, Happening.SHIPPED, Actor.MERCHANT, lines={"1": 2})
    with desk.app.app_context(), db.transaction() as connection:
        connection.execute(
            insert(order_parcels).values(
                routing_key=routing_key_of(order_no),
                order_no=order_no,
                part=1,
                number=number,
                carrier="DHL",
                tracking_number="0034",
                url="https://dhl.example/0034",
            )
        )
    desk.happens(part, Happening.CANCELLED, Actor.SHOPPER, lines={"1": 1})
    desk.happens(part, Happening.REFUNDED, Actor.SERVICE, lines={"1": 1}, amount=1250)
    desk.happens(part, Happening.DELIVERED, Actor.MERCHANT)

    desk.deliver()
    _received, shipped, cancelled, refunded = desk.deliver()

    assert "2 x Mug" in words(shipped)
    number = shipped["Subject"].rpartition("order ")[2]
    assert all(f"Order number: {number}" in words(one) for one in (shipped, cancelled, refunded))
    assert "Pot" not in words(shipped)
    assert "https://dhl.example/0034" in words(shipped, "html")
    assert "You cancelled it" in words(cancelled)
    assert "Your money is on its way back: €12.50" in words(refunded)
    assert all(
        "Withdraw from contract" in words(each) and "/withdraw?order=" in words(each)
        for each in desk.office.mails
    )


def test_neither_the_outbox_nor_a_subject_says_who_it_was(
    desk: Desk, alice: User, shop: Shop
) -> None:
    desk.buy(alice, (shop.product("mug"), 1))

    with desk.app.app_context(), db.reading() as connection:
        stored = repr(connection.execute(select(outbox)).all())
    (mail,) = desk.deliver()

    # As words: a random number of an order may well have "ada" in it.
    told = set(re.findall(r"\w+", f"{stored} {mail['Subject']}".lower()))
    assert told & {"ada", "lovelace", "hamburg", "analytisch"} == set()


def test_names_are_no_markup(app: Flask, desk: Desk, alice: User, shop: Shop) -> None:
    mug = shop.product("mug", name="<script>alert(1)</script>\u202e")
    desk.buy(alice, (mug, 1), language="en")

    (mail,) = desk.deliver()

    assert "<script>" not in words(mail, "html")
    assert "&lt;script&gt;" in words(mail, "html")
    assert "\u202e" not in words(mail, "html") + words(mail)


def test_an_order_without_an_address_gets_no_mail_and_keeps_nobody_else_waiting(
    desk: Desk, alice: User, shop: Shop
) -> None:
    desk.buy(alice, (shop.product("mug"), 1))
    with desk.app.app_context(), db.transaction() as connection:
        connection.execute(delete(contacts))

    assert desk.deliver() == []

    with desk.app.app_context(), db.reading() as connection:
        query = select(outbox.c.state, outbox.c.reason).where(outbox.c.kind == RECEIVED)
        state, reason = connection.execute(query).one()
    assert (state, reason) == (FAILED, "no e-mail address of who has placed it is known")
