"""``POST /v2/baskets/guests`` without a transfer."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from werkzeug.test import TestResponse

from jay.errors import (
    ApiKeyMissing,
    Busy,
    CartFull,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    ProductNotFound,
    SavedFull,
    TokenExpired,
)
from tests.api.checks import assert_refused, field_errors, rows
from tests.builders import Platform, Shop, User
from tests.clock import PATIENCE_SECONDS, MovedClock


def create(platform: Platform, *lines: dict[str, Any], **more: Any) -> TestResponse:
    return platform.call("POST", "/baskets/guests", json={"products": list(lines), **more})


def test_a_guest_gets_credentials_and_an_empty_basket(platform: Platform) -> None:
    response = platform.call("POST", "/baskets/guests")

    assert response.status_code == 200
    data = response.json["data"]
    assert set(data) == {"userId", "token", "expires", "basket"}
    assert data["expires"] == "2025-07-04T12:00:00Z"
    assert data["basket"] == {
        "expires": "2025-07-04T12:00:00Z",
        "lastChanged": "2025-06-04T12:00:00Z",
        "cart": [],
        "saved": [],
        "checkout": [],
    }
    assert User(platform, data["userId"], data["token"]).basket() == data["basket"]


def test_the_basket_holds_the_products(platform: Platform, shop: Shop) -> None:
    mug, hat, pen = shop.product("mug"), shop.product("hat"), shop.product("pen")

    data = create(
        platform,
        {"productId": pen, "count": 2},
        {"productId": mug},
        {"productId": hat, "count": 0},
    ).json["data"]

    assert data["basket"]["cart"] == [
        {"productId": pen, "count": 2},
        {"productId": mug, "count": 1},
    ]
    assert data["basket"]["saved"] == [{"productId": hat, "count": 0}]
    assert User(platform, data["userId"], data["token"]).basket() == data["basket"]


def test_each_guest_is_somebody_else(platform: Platform, shop: Shop) -> None:
    guests = [platform.guest((shop.product("mug"), n)) for n in (1, 2, 3)]

    assert len({guest.id for guest in guests}) == 3
    assert [list(guest.cart().values()) for guest in guests] == [[1], [2], [3]]
    assert all(len(guest.id) >= 22 for guest in guests)


def test_the_same_product_several_times_adds_up(platform: Platform, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")

    guest = platform.guest((mug, 2), (hat, 1), (mug, 3))

    assert guest.basket()["cart"] == [
        {"productId": mug, "count": 5},
        {"productId": hat, "count": 1},
    ]


@pytest.mark.parametrize("counts", [(0, 2), (2, 0), (0, 2, 0)])
def test_any_count_above_zero_wins_over_zero(
    counts: tuple[int, ...], platform: Platform, shop: Shop
) -> None:
    mug = shop.product("mug")

    guest = platform.guest(*((mug, count) for count in counts))

    assert guest.cart() == {mug: 2}
    assert guest.saved() == []


def test_zero_and_zero_is_saved(platform: Platform, shop: Shop) -> None:
    mug = shop.product("mug")

    guest = platform.guest((mug, 0), (mug, 0))

    assert (guest.cart(), guest.saved()) == ({}, [mug])


def test_counts_never_add_up_to_more_than_999(platform: Platform, shop: Shop) -> None:
    mug = shop.product("mug", stock_count=None)

    assert platform.guest((mug, 999), (mug, 999)).cart() == {mug: 999}


def test_lines_that_add_up_above_the_order_limit_are_refused(
    app: Flask, platform: Platform, shop: Shop
) -> None:
    mug = shop.product("mug", shipping={"orderLimit": 3})

    assert_refused(
        create(platform, {"productId": mug, "count": 2}, {"productId": mug, "count": 2}), OrderLimit
    )
    assert rows(app, "baskets") == 0


def test_when_one_product_is_refused_nothing_is_made(
    app: Flask, platform: Platform, shop: Shop
) -> None:
    mug = {"productId": shop.product("mug")}
    refused = {
        ProductNotFound: {"productId": "unknown"},
        OutOfStock: {"productId": shop.product("hat", stock_count=0)},
        NotShoppable: {"productId": shop.product("recipe", not_shoppable=True)},
    }

    for error, line in refused.items():
        assert_refused(create(platform, mug, line), error)

    assert rows(app, "baskets") == 0


def test_a_sold_out_product_can_be_saved(platform: Platform, shop: Shop) -> None:
    hat = shop.product("hat", stock_count=0)

    assert platform.guest((hat, 0)).saved() == [hat]


def test_the_limits_of_the_basket_hold(app: Flask, platform: Platform, shop: Shop) -> None:
    ids = shop.products(201)

    assert_refused(create(platform, *({"productId": p} for p in ids[:21])), CartFull)
    assert_refused(create(platform, *({"productId": p, "count": 0} for p in ids)), SavedFull)
    assert rows(app, "baskets") == 0
    assert len(platform.guest(*((p, 1) for p in ids[:20])).cart()) == 20


def test_20_products_in_40_lines_fit(platform: Platform, shop: Shop) -> None:
    ids = shop.products(20)

    guest = platform.guest(*((p, 1) for p in ids + ids))

    assert guest.cart() == dict.fromkeys(ids, 2)


@pytest.mark.one_database
@pytest.mark.parametrize("count", [-1, -2, 1000, "1", 1.0, True, None])
def test_a_count_is_a_json_integer_from_zero_on(
    count: Any, app: Flask, platform: Platform, shop: Shop
) -> None:
    response = create(platform, {"productId": shop.product("mug"), "count": count})

    found = field_errors(response)
    assert list(found["products"]) == ["0"]
    assert list(found["products"]["0"]) == ["count"]
    assert rows(app, "baskets") == 0


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({}, "productId"),
        ({"productId": ""}, "productId"),
        ({"productId": None}, "productId"),
        ({"productId": 1}, "productId"),
        ({"productId": "a\0b"}, "productId"),
        ({"productId": "a", "price": 1}, "price"),
    ],
)
def test_a_wrong_line_is_named(line: dict[str, Any], field: str, platform: Platform) -> None:
    found = field_errors(create(platform, {"productId": "x"}, line))

    assert list(found) == ["products"]
    assert list(found["products"]) == ["1"]
    assert list(found["products"]["1"]) == [field]


def test_an_unknown_field_is_named(app: Flask, platform: Platform) -> None:
    assert list(field_errors(create(platform, userId="admin"))) == ["userId"]
    assert rows(app, "baskets") == 0


def test_unknown_query_parameters_are_ignored(platform: Platform) -> None:
    path = "/baskets/guests?provider_id=netflix&utm_source=tv"

    assert platform.call("POST", path).status_code == 200


def test_only_the_key_is_needed_and_a_token_does_not_matter(platform: Platform) -> None:
    assert_refused(platform.client.post("/v2/baskets/guests"), ApiKeyMissing)
    assert platform.call("POST", "/baskets/guests", token="garbage").status_code == 200


def test_products_together_with_a_transfer_are_refused(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    offer = alice.transfer()
    path = f"/baskets/guests?jayToken={offer['jayToken']}"

    for products in ([{"productId": mug}], []):
        response = alice.platform.call("POST", path, json={"products": products})
        assert list(field_errors(response)) == ["products"]

    assert alice.platform.redeem(offer["jayToken"]).status_code == 200


def test_the_token_ends_after_30_days(platform: Platform, clock: MovedClock) -> None:
    guest = platform.guest()

    clock.move(30 * 86400 + 29)
    assert guest.call("GET").status_code == 200

    clock.move(1)
    assert_refused(guest.call("GET"), TokenExpired)


def test_the_token_is_worth_nothing_in_another_basket(platform: Platform, shop: Shop) -> None:
    one, other = platform.guest((shop.product("mug"), 1)), platform.guest()

    intruder = User(platform, one.id, other.token)

    assert intruder.call("GET").status_code == 403


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_guest_that_a_dead_connection_may_have_made_can_be_asked_for_again(
    app: Flask, platform: Platform, database_url: str
) -> None:
    assert create(platform).status_code == 200
    with app.extensions["jay.db"].transaction() as connection:
        process = connection.scalar(text("SELECT pg_backend_pid()"))
    # Where there are several servers, there are several functions of that name.
    ends = text("SELECT pg_terminate_backend(CAST(:process AS integer), CAST(:patience AS bigint))")
    administrator = create_engine(database_url)
    with administrator.connect() as connection:
        given = {"process": process, "patience": PATIENCE_SECONDS * 1000}
        assert connection.scalar(ends, given)
    administrator.dispose()

    # Nobody was told of it, so there is no doubt to tell of.
    assert_refused(create(platform), Busy)

    assert create(platform).status_code == 200
