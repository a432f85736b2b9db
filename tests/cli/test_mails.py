"""Mails in the outbox: they leave by the mail server, wait where there is none, and keep quiet."""

import sqlite3
from collections.abc import Callable, Iterator

import psycopg
import pytest
import structlog
from flask import Flask
from sqlalchemy import Connection, select

from jay import db, make_ready
from jay.db import prepared
from jay.net.addresses import LOOPBACK
from jay.net.client import Client
from jay.outbox import delivery, mails, service
from jay.outbox.delivery import Deliverer, transports_of
from jay.outbox.kinds import MessageKind
from jay.outbox.letters import Letter
from jay.outbox.models import DELIVERED, FAILED, WAITING, DeliveryResult, Destination, Message
from jay.outbox.models import outbox as outbox_table
from jay.outbox.transports.http import Sender
from jay.outbox.transports.mail import Mailer
from tests.clock import MovedClock
from tests.conftest import SECRET
from tests.post_office import FROM, PostOffice, post_office
from tests.unit.test_mail_sending import LETTER, TO

pytestmark = pytest.mark.one_database


def addressed(_connection: Connection, _message: Message, _secret: str) -> Destination:
    return Destination(TO, write=lambda: LETTER)


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as running:
        yield running


Make = Callable[..., Deliverer]


@pytest.fixture
def make(app: Flask, office: PostOffice, clock: MovedClock) -> Make:
    """Make what sends, with the kinds of a test."""

    def made(kind: MessageKind, *more: MessageKind) -> Deliverer:
        ways = {"http": Sender(Client(LOOPBACK)), mails.MAIL: Mailer(office.server, FROM)}
        kinds = {each.name: each for each in (kind, *more)}
        database = app.extensions["jay.db"]
        return Deliverer(database, ways, kinds, clock=clock, secret=SECRET, jitter=lambda: 1.0)

    return made


@pytest.fixture
def put(app: Flask, clock: MovedClock) -> Callable[..., int]:
    """Put a mail about an order in, and return its id."""

    def put(kind: str = "greeting", subject: str = "J2345") -> int:
        with app.app_context(), db.transaction() as connection:
            lane = mails.lane_of("J2345")
            (made,) = service.enqueue(connection, kind, {subject: None}, lane=lane, now=clock())
            return made

    return put


def row(app: Flask, identifier: int) -> tuple[str, str | None, int]:
    columns = (outbox_table.c.state, outbox_table.c.reason, outbox_table.c.attempts)
    with app.app_context(), db.reading() as connection:
        query = select(*columns).where(outbox_table.c.id == identifier)
        return tuple(connection.execute(query).one())


GREETING = mails.mail_kind("greeting", addressed)


def test_a_mail_leaves_and_nothing_personal_lies_in_the_outbox(
    app: Flask, office: PostOffice, make: Make, put: Callable[..., int]
) -> None:
    number = put()
    make(GREETING).run()

    assert [each["To"] for each in office.mails] == [TO]
    assert row(app, number) == (DELIVERED, None, 1)
    with app.app_context(), db.reading() as connection:
        stored = repr(connection.execute(select(outbox_table)).all())
    assert TO not in stored
    assert "schön" not in stored


def test_where_the_server_refuses_the_address_neither_row_nor_log_quotes_it(
    app: Flask, office: PostOffice, make: Make, put: Callable[..., int]
) -> None:
    office.says["RCPT"] = f"550 5.1.1 <{TO}>: unknown"
    number = put()
    with structlog.testing.capture_logs() as logs:
        sender = make(GREETING)
        sender._report = delivery.write_log
        sender.run()

    assert row(app, number) == (FAILED, "the mail server answered 550", 1)
    assert [line["event"] for line in logs] == ["message failed"]
    assert "ada" not in repr(logs)


def test_one_address_that_is_refused_for_now_keeps_no_other_mail_waiting(
    app: Flask, office: PostOffice, make: Make, put: Callable[..., int], clock: MovedClock
) -> None:
    def first_refused(_connection: Connection, message: Message, _secret: str) -> Destination:
        office.says = {"RCPT": "450 later"} if message.subject == "J1" else {}
        return Destination(TO, write=lambda: LETTER)

    late, other = put(subject="J1"), put(subject="J2")
    make(mails.mail_kind("greeting", first_refused)).run()

    assert row(app, late) == (WAITING, "the mail server answered 450", 1)
    assert row(app, other) == (DELIVERED, None, 1)
    clock.move(31)
    office.says = {}
    make(GREETING).run()
    assert row(app, late) == (DELIVERED, None, 2)


def test_a_mail_that_cannot_be_written_or_addressed_ends_nothing(
    app: Flask, office: PostOffice, make: Make, put: Callable[..., int]
) -> None:
    def broken(*_: object) -> Letter:
        raise ZeroDivisionError

    def lost(*_: object) -> DeliveryResult:
        raise KeyError("ada.lovelace@example.com")

    unwritten, unaddressed, good = put("unwritten"), put("unaddressed", "J3"), put("greeting", "J4")
    make(
        GREETING,
        mails.mail_kind("unwritten", lambda *_: Destination(TO, write=broken)),
        mails.mail_kind("unaddressed", lost),
    ).run()

    assert row(app, unwritten)[:2] == (WAITING, "it can't be written: ZeroDivisionError")
    assert row(app, unaddressed)[:2] == (WAITING, "nobody knows where to: KeyError")
    assert row(app, good)[0] == DELIVERED


def test_what_goes_wrong_in_the_database_is_no_fault_of_a_mail(
    app: Flask, put: Callable[..., int], clock: MovedClock
) -> None:
    def failing(connection: Connection, *_: object) -> Destination:
        prepared.execute(connection, "SELECT 1 FROM nowhere")
        raise AssertionError

    number = put()
    kinds = {"greeting": mails.mail_kind("greeting", failing)}
    with (
        app.app_context(),
        pytest.raises((sqlite3.Error, psycopg.Error)),
        db.transaction() as connection,
    ):
        service.take(connection, mails.lane_of("J2345"), kinds, secret=SECRET, now=clock())

    assert row(app, number) == (WAITING, None, 0)


def test_a_server_that_is_away_is_asked_again_for_days(
    app: Flask, office: PostOffice, make: Make, put: Callable[..., int], clock: MovedClock
) -> None:
    office.says["MAIL"] = "450 not now"
    number = put()
    for seconds, state in ((0, WAITING), (4 * 86400, WAITING), (86400, FAILED)):
        clock.move(seconds)
        make(GREETING).run()
        assert row(app, number)[0] == state


def test_without_a_mail_server_mails_wait_and_lose_nothing(
    app: Flask, make: Make, put: Callable[..., int], clock: MovedClock
) -> None:
    number = put()
    ways = transports_of(Client(LOOPBACK), app.extensions["jay.settings"])
    kinds = {"greeting": GREETING}
    database = app.extensions["jay.db"]
    Deliverer(database, ways, kinds, clock=clock, secret=SECRET).run()
    assert row(app, number) == (WAITING, None, 0)

    clock.move(30 * 86400)
    make(GREETING).run()

    assert row(app, number) == (DELIVERED, None, 1)


def test_a_start_without_a_mail_server_says_so(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    make_ready(app)

    assert capsys.readouterr().out.count("mails wait: there is no mail server") == 1


def test_a_demo_writes_mails_into_files(
    demo_app: Callable[..., Flask], put: Callable[..., int], clock: MovedClock
) -> None:
    demo = demo_app()
    ways = transports_of(Client(LOOPBACK), demo.extensions["jay.settings"])
    put()
    database = demo.extensions["jay.db"]
    Deliverer(database, ways, {"greeting": GREETING}, clock=clock, secret=SECRET).run()

    folder = demo.extensions["jay.settings"].mail_folder
    assert [file.suffix for file in folder.iterdir()] == [".eml"]
    for file in folder.iterdir():
        file.unlink()
