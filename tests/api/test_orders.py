"""Orders: made with the payment, exactly once, one part per merchant."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from jay import db
from jay.checkout import flow
from jay.ops import removal
from jay.orders import ledger, service
from jay.orders.models import (
    Actor,
    Happening,
    Money,
    PartNo,
    PartState,
    orders,
)
from jay.sealing import WrongKey
from tests.api.buying import BUYER, bought, found, till_of
from tests.api.checks import rows
from tests.builders import Shop, User, add_shop
from tests.clock import NOON
from tests.conftest import SECRET


def test_a_payment_makes_an_order_with_a_part_for_each_merchant(
    app: Flask, client: FlaskClient, alice: User, shop: Shop
) -> None:
    hats = add_shop(app, client, "hatshop")
    mug = shop.product("mug", description={"gtin": "4006381333931", "url": "https://shop.example"})
    order_no = bought(alice, shop, (mug, 2), (hats.product("hat", price=1000, vat=7.0), 1))

    order, parts = found(shop, order_no)

    assert (order.amount, order.currency, order.provider) == (3500, "EUR", "sandbox")
    assert (order.method, order.created, order.test) == ("card", NOON, False)
    assert [(part.merchant, part.total, part.state) for part in parts] == [
        ("mugshop", 2500, PartState.NEW),
        ("hatshop", 1000, PartState.NEW),
    ]
    assert sum(part.tax for part in parts) == 399 + 65
    [line] = parts[0].lines
    assert (line.sku, line.ordered, line.left, line.price, line.tax) == ("mug", 2, 2, 1250, 399)
    assert line.described == {"gtin": "4006381333931", "url": "https://shop.example"}
    assert [(event.kind, event.by, event.number) for event in parts[1].events] == [
        (Happening.CREATED, Actor.SHOPPER, 1)
    ]
    with app.app_context(), db.reading() as connection:
        assert ledger.sums_of_part(connection, parts[1].part_no) == {Money.CHARGE: 1000}


def test_however_often_it_is_settled_there_is_one_order(alice: User, shop: Shop) -> None:
    order_no = bought(alice, shop, (shop.product(), 1))

    till_of(shop).hear()
    with shop.app.app_context():
        flow.settle(order_no)
        with db.reading() as connection:
            made = connection.execute(select(func.count()).select_from(orders)).scalar_one()

    assert made == 1
    assert len(found(shop, order_no)[1]) == 1


def test_the_token_of_its_page_leads_to_an_order_and_is_stored_for_nobody(
    alice: User, shop: Shop
) -> None:
    order, _ = found(shop, bought(alice, shop, (shop.product(), 1)))
    token = service.token_of(order, secret=SECRET)

    with shop.app.app_context(), db.reading() as connection:
        stored = connection.execute(select(orders)).one()
        assert service.find_by_token(connection, token) == order
        for wrong in (token[:-1], token + "A", "", "ABC", "\0" * 26, "ü" + token[1:], token[3:]):
            assert service.find_by_token(connection, wrong) is None
    assert len(token) >= 3 + 22
    assert token not in f"{stored} {order!r}"
    with pytest.raises(WrongKey):
        service.token_of(order, secret=SECRET[::-1])


def test_part_numbers_are_read_however_they_are_typed(alice: User, shop: Shop) -> None:
    order, [part] = found(shop, bought(alice, shop, (shop.product(), 1)))
    no = order.order_no
    spelled = f" {no[0]} {no[1:5]} {no[5:9]} {no[9:]} - 1 ".lower()

    assert str(part.part_no) == f"{no}-1"
    for written in (f"{no}-1", spelled, f"{no}/1", f"{no} 01", f"Order #{no}\u22121"):
        assert PartNo.typed(written) == part.part_no
    for wrong in (no, f"{no}-0", f"{no}-100", f"{no[:-1]}-1", f"{no}-x", "", "-1"):
        assert PartNo.typed(wrong) is None


@pytest.mark.parametrize("written", ["{}" + " " * 100 + "-1", "{}-" + "0" * 100 + "1"])
def test_what_is_too_long_for_a_number_is_not_taken_apart(
    alice: User, shop: Shop, written: str
) -> None:
    no = bought(alice, shop)

    # 4,000 hyphens kept a processor busy for half a second.
    assert PartNo.typed(written.format(no)) is None


@pytest.mark.parametrize("owner", [removal.PARTNER, removal.MERCHANT])
def test_what_was_only_a_demo_leaves_no_order_for_who_gets_its_id(
    owner: removal.Owner, alice: User, shop: Shop
) -> None:
    order, [part] = found(shop, bought(alice, shop, **BUYER))
    identifier = order.partner_id if owner is removal.PARTNER else part.merchant_id
    with shop.app.app_context(), db.transaction() as connection:
        removal.erase(connection, owner, identifier)

    gone = ("contacts", "orders", "order_parts", "order_lines", "order_events", "ledger")
    assert [rows(shop.app, table) for table in gone] == [0] * len(gone)
