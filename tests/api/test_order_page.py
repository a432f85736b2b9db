"""The page of an order: for who has its address, and saying no more than such a one may know."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, select

from jay import db
from jay.checkout.contacts import contacts
from jay.db.routing import BUCKETS
from jay.orders import service, steps
from jay.orders.models import Actor, Parcel, PartNo, PartState, orders
from tests.api.desk import ADA, EMAIL, Desk
from tests.builders import Shop, User, add_shop
from tests.clock import NOON
from tests.conftest import SECRET

pytestmark = pytest.mark.one_database


def page_of(desk: Desk, order_no: str) -> str:
    with desk.app.app_context(), db.reading() as connection:
        order = service.find(connection, order_no)
        assert order is not None
        return f"/orders/{service.token_of(order, secret=SECRET)}"


@pytest.fixture
def bought(desk: Desk, alice: User, shop: Shop, client: FlaskClient) -> str:
    """The number of an order from two shops."""
    hats = add_shop(desk.app, client, "hatshop")
    hat = hats.product("hat", price=1000, name="Hut <b>")
    return desk.buy(alice, (shop.product("mug"), 2), (hat, 1), language="de")


def shown(client: FlaskClient, address: str, lang: str = "en") -> str:
    answer = client.get(address, headers={"Accept-Language": lang})
    assert answer.status_code == 200
    return unescape(answer.text).replace("\u00a0", " ")


def test_right_after_buying_it_says_thank_you_and_later_how_far_it_is(
    desk: Desk, client: FlaskClient, bought: str
) -> None:
    address = page_of(desk, bought)

    first = shown(client, address, "de")
    desk.clock.move(31 * 60)
    later = shown(client, address, "de")

    assert "Danke für deine Bestellung!" in first
    assert "Danke" not in later
    assert "Deine Bestellung" in later
    for told in (
        "2 \u00d7 Mug",
        "25,00 €",
        "35,00 €",
        "Hut <b>",
        "Verkauft von hatshop",
        "Eingegangen",
    ):
        assert told in first
        assert told in later


def test_it_shows_a_town_and_nobodys_name_street_or_mail(
    desk: Desk, client: FlaskClient, bought: str
) -> None:
    said = shown(client, page_of(desk, bought))

    assert "20095 Hamburg" in said
    personal = [ADA["firstName"], ADA["lastName"], ADA["street"], EMAIL]
    assert [one for one in personal if one in said] == []


def test_nothing_of_it_is_kept_found_or_handed_on(
    desk: Desk, client: FlaskClient, bought: str
) -> None:
    answer = client.get(page_of(desk, bought))

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert '<meta name="robots" content="noindex">' in answer.text
    assert "Set-Cookie" not in answer.headers


def test_its_address_is_random_and_stored_as_a_hash_that_leads_to_where_it_lies(
    desk: Desk, client: FlaskClient, bought: str
) -> None:
    token = page_of(desk, bought).rpartition("/")[2]
    with desk.app.app_context(), db.reading() as connection:
        row = connection.execute(select(orders)).one()

    assert 0 <= row.routing_key < BUCKETS
    assert token not in repr(row)
    for guess in (token[:-1], token + "x", token[:3], bought, token.swapcase(), "x", "ü" * 26):
        assert client.get(f"/orders/{guess}").status_code == 404, guess


def test_no_mail_is_promised_where_no_address_is_known(
    desk: Desk, client: FlaskClient, alice: User, shop: Shop
) -> None:
    known = desk.buy(alice, (shop.product("mug"), 1))
    unknown = desk.buy(alice, (shop.product("pot"), 1))
    with desk.app.app_context(), db.transaction() as connection:
        connection.execute(delete(contacts).where(contacts.c.order_no == unknown))

    assert "an e-mail with all the details is on its way" in shown(client, page_of(desk, known))
    said = shown(client, page_of(desk, unknown))
    assert "e-mail with all the details" not in said
    assert "We have no e-mail address of yours" in said


def test_a_parcel_can_be_followed(desk: Desk, client: FlaskClient, bought: str) -> None:
    with desk.app.app_context(), db.transaction() as connection:
        parcel = Parcel(0, "DHL", "0034", "https://dhl.example/0034")
        part_no, mine = PartNo(bought, 1), {"by": Actor.MERCHANT, "now": NOON}
        steps.accept(connection, part_no, merchant=None, **mine)
        steps.ship(connection, part_no, [steps.Wanted("mug", 1)], parcel, merchant=None, **mine)

    said = shown(client, page_of(desk, bought))

    assert "Partly on its way" in said
    assert 'href="https://dhl.example/0034" rel="noreferrer noopener"' in said


def test_a_new_part_can_be_cancelled_once_and_its_money_goes_back(
    desk: Desk, client: FlaskClient, bought: str
) -> None:
    address = page_of(desk, bought)

    answer = client.post(address + "/cancel", data={"part": "2"})
    again = client.post(address + "/cancel", data={"part": "2"})

    assert (answer.status_code, answer.headers["Location"]) == (303, address)
    assert again.status_code == 409
    with desk.app.app_context(), db.reading() as connection:
        order = service.find(connection, bought)
        assert order is not None
        states = [part.state for part in service.parts_of(connection, order)]
    assert states == [PartState.NEW, PartState.CANCELLED]
    assert desk.till.intents() == [("captured", 3500, 1000)]
    said = shown(client, address)
    assert "Cancelled" in said
    assert re.search(r"Goes back to you</dt><dd>€10\.00", said)
    subjects = [mail["Subject"].partition(":")[0] for mail in desk.deliver()]
    assert "Storniert" in subjects


def test_what_the_merchant_has_begun_with_can_be_withdrawn_from_instead(
    desk: Desk, client: FlaskClient, bought: str
) -> None:
    address = page_of(desk, bought)
    with desk.app.app_context(), db.transaction() as connection:
        steps.accept(connection, PartNo(bought, 1), merchant=None, by=Actor.MERCHANT, now=NOON)

    answer = client.post(address + "/cancel", data={"part": "1"})

    assert answer.status_code == 409
    assert "can't be cancelled any more" in unescape(answer.text)
    assert f'href="/withdraw?order={bought}-1"' in answer.text
    assert f'value="{bought}-1"' in client.get(f"/withdraw?order={bought}-1").text


@pytest.mark.parametrize("part", ["", "3", "-1", "1.0", "²", "9" * 40])
def test_what_is_no_part_is_not_there(
    desk: Desk, client: FlaskClient, bought: str, part: str
) -> None:
    answer = client.post(page_of(desk, bought) + "/cancel", data={"part": part})

    assert answer.status_code == 404
