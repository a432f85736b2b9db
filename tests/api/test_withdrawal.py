"""The withdrawal function: word by word, in two steps, for everybody, and acknowledged at once."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from jay import db
from jay.checkout.order_numbers import new_order_no
from jay.orders import service, withdrawal_pages
from jay.orders.models import Happening, OrderPart
from jay.orders.withdrawals import ACKNOWLEDGED
from jay.outbox.models import outbox
from tests.api.desk import EMAIL, Desk, words
from tests.api.test_order_page import page_of
from tests.builders import Shop, User, add_shop
from tests.cli.conftest import runner_of
from tests.clock import NOON

pytestmark = pytest.mark.one_database

BUTTONS = {
    "/widerruf": ("Vertrag widerrufen", "Widerruf bestätigen"),
    "/withdraw": ("Withdraw from contract", "Confirm withdrawal"),
}
UNKNOWN = new_order_no(7)


def typed(number: str, **changes: str) -> dict[str, str]:
    return {"name": "Ada Lovelace", "number": number, "email": EMAIL, "products": "", **changes}


def buttons(page: TestResponse) -> list[str]:
    return re.findall(r'<button class="button[^>]*>([^<]*)</button>', page.text)


def declare(client: FlaskClient, path: str, said: dict[str, str]) -> TestResponse:
    """Go through both steps."""
    asked = client.post(path, data=said)
    assert asked.status_code == 200, asked.text
    (nonce,) = re.findall(r'name="nonce" value="([^"]+)"', asked.text)
    return client.post(path, data={**said, "nonce": nonce, "step": "confirm"})


def parts_of(desk: Desk, order_no: str) -> list[OrderPart]:
    with desk.app.app_context(), db.reading() as connection:
        order = service.find(connection, order_no)
        assert order is not None
        return service.parts_of(connection, order)


def withdrawn(part: OrderPart) -> bool:
    return any(event.kind is Happening.WITHDRAWN for event in part.events)


@pytest.mark.parametrize("path", BUTTONS)
def test_both_buttons_say_what_the_law_says(client: FlaskClient, path: str) -> None:
    first, second = BUTTONS[path]

    form = client.get(path)
    asked = client.post(path, data=typed(UNKNOWN))

    assert buttons(form) == [first]
    assert buttons(asked)[0] == second
    assert f'lang="{"de" if path == "/widerruf" else "en"}"' in form.text
    assert "Set-Cookie" not in form.headers
    assert form.headers["Cache-Control"] == "no-store"
    assert form.headers["Referrer-Policy"] == "no-referrer"


def confirm(client: FlaskClient, address: int, said: dict[str, str]) -> int:
    return client.post(
        "/withdraw",
        data={**said, "nonce": f"{address}", "step": "confirm"},
        environ_base={"REMOTE_ADDR": f"192.0.2.{address}"},
    ).status_code


def test_many_addresses_together_get_no_further(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(alice, (shop.product("mug"), 1))
    guesses = [typed(order_no, email=f"guess{n}@example.org") for n in range(10)]
    assert [confirm(client, n, one) for n, one in enumerate(guesses)] == [200] * 10

    # The right one is no more than a wrong one now, and whoever it is has declared all the same.
    wrong = declare(client, "/withdraw", typed(order_no, email="guess@example.org"))
    right = declare(client, "/withdraw", typed(order_no))

    assert wrong.text.replace("guess@example.org", EMAIL) == right.text
    assert not withdrawn(parts_of(desk, order_no)[0])
    assert EMAIL in [one["To"] for one in desk.deliver() if one["Subject"].endswith("has arrived")]
    listed = runner_of(app)("orders", "withdrawals").output
    assert listed.count("too many named the order at once") == 2
    assert f"{order_no}: Ada Lovelace <{EMAIL}>" in listed
    handed_out = runner_of(app)("customer", "export", "--order", order_no).stdout
    assert EMAIL in str(json.loads(handed_out)["withdrawals"])
    assert "guess" not in handed_out
    desk.clock.move(60)
    declare(client, "/withdraw", typed(order_no))
    assert withdrawn(parts_of(desk, order_no)[0])


def test_nobody_shuts_it_for_others(
    client: FlaskClient, desk: Desk, alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal_pages.TRIES_OF_ALL, "most", 20)
    order_no = desk.buy(alice, (shop.product("mug"), 1))
    victim = [typed(f"number {n}", email="Victim@example.org") for n in range(11)]
    others = [typed(new_order_no(n), email=f"eve{n}@example.org") for n in range(11)]

    answers = [confirm(client, n, one) for n, one in enumerate([*victim, *others])]

    assert set(answers) == {200}
    # What withdraws from a contract is acknowledged all the same.
    declare(client, "/withdraw", typed(order_no))
    assert withdrawn(parts_of(desk, order_no)[0])
    told = [one["To"] for one in desk.deliver() if one["Subject"].endswith("has arrived")]
    assert (told.count("Victim@example.org"), told.count(EMAIL)) == (5, 1)
    assert len(told) == 5 + 9 + 1


@pytest.mark.parametrize("path", ["/code", "/basket", "/nowhere", "/widerruf", "/legal"])
def test_every_page_of_the_phone_leads_there(client: FlaskClient, path: str) -> None:
    page = client.get(path, headers={"Accept-Language": "de"})

    assert '<a class="withdraw" href="/widerruf">Vertrag widerrufen</a>' in page.text


def test_who_withdraws_is_told_at_once_with_date_and_time(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    hats = add_shop(app, client, "hatshop")
    order_no = desk.buy(alice, (shop.product("mug"), 2), (hats.product("hat", price=1000), 1))
    desk.deliver()

    page = declare(client, "/widerruf", typed(order_no.lower()))

    assert "04.06.2025, 14:00:00 MESZ" in page.text
    mail = desk.deliver()[-1]
    assert (mail["To"], mail["Subject"]) == (EMAIL, "Dein Widerruf ist eingegangen")
    for kind in ("plain", "html"):
        said = unescape(words(mail, kind))
        told = ["04.06.2025, 14:00:00 MESZ", "Ada Lovelace", order_no.lower(), "14 Tagen"]
        assert [one for one in told if one not in said] == []
    parts = parts_of(desk, order_no)
    assert [withdrawn(part) for part in parts] == [True, True]
    assert [part.refund_due for part in parts] == [NOON + timedelta(days=14)] * 2


def test_a_number_that_does_not_exist_is_answered_alike_and_shown_to_the_operator(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(alice, (shop.product("mug"), 1))
    real = declare(client, "/withdraw", typed(order_no))
    none = declare(client, "/withdraw", typed(UNKNOWN))
    stranger = declare(client, "/withdraw", typed(order_no, email="eve@example.com"))

    assert none.text.replace(UNKNOWN, order_no) == real.text
    assert stranger.text.replace("eve@example.com", EMAIL) == real.text
    mails = [one for one in desk.deliver() if one["Subject"] == "Your withdrawal has arrived"]
    assert sorted(one["To"] for one in mails) == [EMAIL, EMAIL, "eve@example.com"]
    told = {words(one).replace(UNKNOWN, order_no) for one in mails if one["To"] == EMAIL}
    assert len(told) == 1
    listed = runner_of(app)("orders", "withdrawals").output
    assert f"{UNKNOWN}: Ada Lovelace <{EMAIL}>" in listed
    assert "there is no such order" in listed
    assert "the order has another e-mail address" in listed
    assert "withdrawn from" not in listed


def test_a_mailbox_gets_few_acknowledgements_of_what_nobody_knows_and_its_own_ones_always(
    client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(alice, (shop.product("mug"), 1))
    desk.deliver()
    for number in range(8):
        page = declare(client, "/withdraw", typed(f"number {number}"))
        assert " BST" in page.text
        desk.clock.move(60)
    declare(client, "/withdraw", typed(order_no))

    told = [one for one in desk.deliver() if one["Subject"] == "Your withdrawal has arrived"]
    assert len(told) == 5 + 1
    assert any(order_no in words(one) for one in told)
    desk.clock.move(24 * 3600)
    declare(client, "/withdraw", typed("another"))
    assert "another" in words(desk.deliver()[-1])


def test_nothing_typed_becomes_a_link_in_a_mail_to_a_stranger(
    client: FlaskClient, desk: Desk
) -> None:
    links = {"name": "Win shop.example/now", "products": "a.example/?b"}
    declare(client, "/withdraw", typed("win.example", email="stranger@example.org", **links))

    mail = desk.deliver()[-1]
    for kind in ("plain", "html"):
        said = unescape(words(mail, kind))
        # For who reads it nothing has changed: the character that parts the names has no width.
        assert links["products"] in said.replace("\u200c", "")
        assert [name for name in ("shop.example", "win.example", "a.example") if name in said] == []


def test_once_the_money_is_back_nothing_is_due_any_more(
    desk: Desk, alice: User, shop: Shop, client: FlaskClient
) -> None:
    order_no = desk.buy(alice, (shop.product("mug", name="Mug"), 3), (shop.product("pot"), 1))
    declare(client, "/withdraw", typed(order_no, products="mug"))
    path = f"/shops/orders/{order_no}-1"
    refund = {"lines": [{"sku": "mug", "count": 2}], "reason": "withdrawn"}

    some = shop.call("POST", f"{path}/refunds", json=refund).json["data"]
    assert some["refundDue"] == "2025-06-18T12:00:00Z"
    refund["lines"][0]["count"] = 1
    whole = shop.call("POST", f"{path}/refunds", json=refund).json["data"]

    assert whole["refundDue"] is None
    address = page_of(desk, order_no)
    page = client.get(address, headers={"Accept-Language": "en"}).text
    assert "due back" not in page
    assert 'class="button second" href="/withdraw?order=' in page  # from the pot


def test_what_the_operator_finds_out_is_withdrawn_from_and_closed(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(alice, (shop.product("mug"), 1))
    declare(client, "/withdraw", typed("it was a mug", email="ada@work.example"))
    run = runner_of(app)
    identifier = run("orders", "withdrawals").output.split()[0]
    desk.clock.move(24 * 3600)

    assert run("orders", "withdraw", identifier, f"{order_no}-7").exit_code == 1
    done = run("orders", "withdraw", identifier, f"{order_no}-1")

    assert f"Withdrawn from: {order_no}-1." in done.output
    (part,) = parts_of(desk, order_no)
    assert withdrawn(part)
    assert part.refund_due == NOON + timedelta(days=14)  # from when it was declared
    assert "Nothing to look at." in run("orders", "withdrawals").output
    listed = run("orders", "withdrawals", "--all").output
    assert f"{identifier}  2025-06-04 12:00:00 UTC  withdrawn from {order_no}-1" in listed
    # It belongs to the order from now on: in what is handed out, and in the books.
    for command in (("customer", "export", "--order"), ("orders", "voucher")):
        (kept,) = json.loads(run(*command, order_no).stdout)["withdrawals"]
        assert (kept["orderNo"], kept["parts"]) == (order_no, [1])
    declare(client, "/withdraw", typed("it was no mug"))
    other = run("orders", "withdrawals").output.split()[0]
    assert run("orders", "close-withdrawal", other).exit_code == 0
    assert run("orders", "close-withdrawal", other).exit_code == 1
    assert run("orders", "withdraw", other, order_no).exit_code == 1


def test_what_the_operator_withdraws_from_is_what_was_named_or_all_if_that_is_said(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    bells = add_shop(app, client, "bellshop")
    mug, hat = shop.product("mug", name="Tasse"), shop.product("hat", name="Hut", price=1000)
    order_no = desk.buy(alice, (mug, 1), (hat, 2), (bells.product("bell", name="Glocke"), 1))
    run = runner_of(app)

    def assign(products: str, *words: str) -> str:
        declare(client, "/withdraw", typed(order_no, products=products, email="a@work.example"))
        identifier = run("orders", "withdrawals").output.split()[0]
        return run("orders", "withdraw", identifier, order_no, *words).output

    assert f"Withdrawn from: {order_no}-1." in assign("der Hut")
    first, second = parts_of(desk, order_no)
    assert (first.events[-1].details, withdrawn(second)) == ({"lines": {"2": 2}}, False)
    assert "names no product" in (refused := assign("the red one"))
    assert "--whole" in refused
    assert "to look at" in run("orders", "withdrawals").output
    assert not withdrawn(parts_of(desk, order_no)[1])
    desk.clock.move(60)
    assert f"Withdrawn from: {order_no}-1, {order_no}-2." in assign("the red one", "--whole")
    assert [part.withdrawn_whole for part in parts_of(desk, order_no)] == [True, True]


def test_what_the_operator_withdraws_from_is_acknowledged_once(
    client: FlaskClient, desk: Desk, alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = runner_of(desk.app)
    order_nos = [desk.buy(alice, (shop.product("mug"), 1)) for _ in range(2)]
    desk.deliver()
    declare(client, "/withdraw", typed("the first"))
    monkeypatch.setattr(withdrawal_pages.TRIES_OF_ALL, "most", 0)
    declare(client, "/withdraw", typed("the second"))  # at a busy time: not acknowledged
    listed = run("orders", "withdrawals").output
    for one, order_no in zip(
        re.findall(r"^(\S+)  2025", listed, re.MULTILINE), order_nos, strict=True
    ):
        assert run("orders", "withdraw", one, order_no).exit_code == 0

    told = [words(one) for one in desk.deliver() if one["Subject"] == "Your withdrawal has arrived"]

    assert [sum(said in one for one in told) for said in ("the first", "the second")] == [1, 1]


def test_one_part_or_some_products_can_be_withdrawn_from(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    hats = add_shop(app, client, "hatshop")
    mug, pot = shop.product("mug", name="Große Tasse"), shop.product("pot", price=300)
    order_no = desk.buy(alice, (mug, 2), (pot, 1), (hats.product("hat", price=1000), 1))

    declare(client, "/withdraw", typed(order_no, products="die GROSSE tasse, bitte"))
    first, second = parts_of(desk, order_no)
    assert first.events[-1].details == {"lines": {"1": 2}}
    assert not withdrawn(second)

    declare(client, "/withdraw", typed(f"{order_no}-2"))
    assert withdrawn(parts_of(desk, order_no)[1])

    declare(client, "/withdraw", typed(order_no, products="the red one"))
    assert "no product of the order is called so" in runner_of(app)("orders", "withdrawals").output


def test_after_some_products_all_of_it_can_still_be_withdrawn_from(
    client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug", name="Gro\u00dfe Tasse", price=1000)
    bell = shop.product("bell", name="Glocke", price=500)
    order_no = desk.buy(alice, (mug, 2), (bell, 1))
    address = page_of(desk, order_no)

    declare(client, "/withdraw", typed(order_no, products="Glocke"))
    some = unescape(client.get(address).text)
    declare(client, "/withdraw", typed(order_no))
    whole = unescape(client.get(address).text)
    declare(client, "/withdraw", typed(order_no))

    assert "1 withdrawn" in some
    assert "You have withdrawn from some of it" in some
    assert f'href="/withdraw?order={order_no}-1"' in some
    assert "You have withdrawn from it" in whole
    assert f'href="/withdraw?order={order_no}-1"' not in whole
    events = parts_of(desk, order_no)[0].events
    told = [event.details for event in events if event.kind is Happening.WITHDRAWN]
    assert told == [{"lines": {"2": 1}}, {}]


def test_sent_twice_it_is_one_declaration_of_the_first_moment(
    app: Flask, client: FlaskClient, desk: Desk, alice: User, shop: Shop
) -> None:
    order_no = desk.buy(alice, (shop.product("mug"), 1))
    said = {**typed(order_no), "nonce": "n-1", "step": "confirm"}
    first = client.post("/withdraw", data=said)
    desk.clock.move(60)

    again = client.post("/withdraw", data=said)

    assert again.text == first.text
    with app.app_context(), db.reading() as connection:
        query = select(outbox.c.id).where(outbox.c.kind == ACKNOWLEDGED)
        assert len(connection.execute(query).all()) == 1
    assert len(parts_of(desk, order_no)[0].events) == 2


def test_what_is_missing_is_said_at_its_field_and_nothing_typed_is_lost(
    client: FlaskClient,
) -> None:
    page = client.post(
        "/widerruf",
        data={
            "name": "Ada",
            "number": "\u2800",
            "email": "ada@",
            "products": "http://spam.example",
        },
    )

    assert page.status_code == 422
    assert page.text.count('aria-invalid="true"') == 3
    assert 'value="Ada"' in page.text
    assert 'value="ada@"' in page.text
    assert "keine Links" in page.text
    changed = client.post("/widerruf", data={**typed(UNKNOWN), "step": "change"})
    assert f'value="{UNKNOWN}"' in changed.text
    assert buttons(changed) == ["Vertrag widerrufen"]


def test_one_address_alone_can_not_send_any_number(client: FlaskClient) -> None:
    answers = [
        client.post("/withdraw", data={**typed(f"J{n}"), "nonce": "n", "step": "confirm"})
        for n in range(61)
    ]

    assert [one.status_code for one in answers] == [200] * 60 + [429]


def test_neither_the_outbox_nor_the_table_says_who_it_was(
    app: Flask, client: FlaskClient, desk: Desk
) -> None:
    declare(client, "/withdraw", typed(UNKNOWN))

    with app.app_context(), db.reading() as connection:
        rows = [
            connection.exec_driver_sql(f"SELECT * FROM {table}").all()
            for table in ("outbox", "withdrawals", "events")
        ]
    # Not "ada": three such letters come up in a random key now and then.
    assert re.search(r"lovelace|\bada\b|@example", repr(rows), re.IGNORECASE) is None
