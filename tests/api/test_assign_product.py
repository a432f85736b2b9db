"""``POST /v2/baskets/users/{userId}/products/{productId}``."""

from urllib.parse import quote

import pytest
from flask import Flask

from jay.errors import (
    CartFull,
    NotShoppable,
    OrderLimit,
    OutOfStock,
    PreconditionFailed,
    ProductNotFound,
    SavedFull,
    ValidationFailed,
)
from tests.api.checks import assert_refused, body, field_errors, rows
from tests.builders import Shop, User
from tests.clock import MovedClock


def test_a_count_puts_the_product_into_the_cart(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    response = alice.put(mug, 2)

    assert response.status_code == 200
    assert response.json["data"]["cart"] == [{"productId": mug, "count": 2}]


def test_the_answer_is_the_basket_as_it_is_read_afterwards(alice: User, shop: Shop) -> None:
    answer = alice.put(shop.product("mug"), 2)

    read = alice.call("GET")

    assert answer.json == read.json
    assert answer.headers["ETag"] == read.headers["ETag"]
    assert list(answer.json) == ["data"]
    assert set(answer.json["data"]) == {"expires", "lastChanged", "cart", "saved", "checkout"}


def test_an_absent_count_means_one(alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")

    alice.product("POST", mug, json={})
    alice.product("POST", hat)

    assert alice.cart() == {mug: 1, hat: 1}


def test_a_count_overwrites_and_does_not_add_up(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 5)

    alice.put(mug, 2)

    assert alice.cart() == {mug: 2}


def test_zero_saves_a_product_that_is_not_in_the_basket(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    response = alice.put(mug, 0)

    assert response.json["data"]["cart"] == []
    assert response.json["data"]["saved"] == [{"productId": mug, "count": 0}]


def test_zero_moves_the_product_from_the_cart_to_the_saved_list(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)

    alice.put(mug, 0)

    assert alice.cart() == {}
    assert alice.saved() == [mug]


def test_a_count_moves_the_product_from_the_saved_list_to_the_cart(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 0)

    alice.put(mug, 3)

    assert alice.cart() == {mug: 3}
    assert alice.saved() == []


@pytest.mark.parametrize("count", [0, 2])
def test_minus_one_removes_from_both_lists(count: int, alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    alice.put(hat)
    alice.put(mug, count)

    response = alice.put(mug, -1)

    assert response.status_code == 200
    assert alice.cart() == {hat: 1}
    assert alice.saved() == []


def test_the_order_is_that_in_which_products_came_to_their_list(alice: User, shop: Shop) -> None:
    mug, hat, pen, cup = (shop.product(sku) for sku in ("mug", "hat", "pen", "cup"))
    for product_id in (pen, mug, hat):
        alice.put(product_id)
    alice.put(mug, 7)  # overwritten in its place
    alice.put(pen, 0)
    alice.put(cup, 0)
    alice.put(pen, 1)  # came to the cart anew

    assert list(alice.cart()) == [mug, hat, pen]
    assert alice.saved() == [cup]


# --- limits ---


def test_the_21st_product_is_refused_and_changes_nothing(alice: User, shop: Shop) -> None:
    for number in range(20):
        alice.put(shop.product(f"mug-{number}"))
    before = alice.basket()

    response = alice.put(shop.product("one-more"))

    assert response.status_code == 409
    assert response.json["error"]["details"] == "CART_FULL"
    assert alice.basket() == before


def test_overwriting_stays_allowed_with_20_products(alice: User, shop: Shop) -> None:
    ids = shop.products(20)
    for product_id in ids:
        alice.put(product_id)

    response = alice.put(ids[7], 5)

    assert response.status_code == 200
    assert alice.cart()[ids[7]] == 5


def test_with_20_products_in_the_cart_another_one_can_be_saved_but_not_moved(
    alice: User, shop: Shop
) -> None:
    for number in range(20):
        alice.put(shop.product(f"mug-{number}"))
    hat = shop.product("hat")

    assert alice.put(hat, 0).status_code == 200
    assert_refused(alice.put(hat, 1), CartFull)
    assert alice.saved() == [hat]


def test_a_product_that_leaves_makes_room_for_another_one(alice: User, shop: Shop) -> None:
    ids = shop.products(21)
    for product_id in ids[:20]:
        alice.put(product_id)

    alice.put(ids[0], 0)

    assert alice.put(ids[20]).status_code == 200
    assert len(alice.cart()) == 20


def test_the_201st_saved_product_is_refused_and_changes_nothing(alice: User, shop: Shop) -> None:
    for mug in shop.products(200):
        assert alice.put(mug, 0).status_code == 200
    hat = shop.product("hat")
    alice.put(hat, 1)
    before = alice.basket()

    assert_refused(alice.put(hat, 0), SavedFull)
    assert_refused(alice.put(shop.product("pen"), 0), SavedFull)

    assert alice.basket() == before


@pytest.mark.parametrize("count", [1, 999])
def test_the_smallest_and_the_largest_count_are_kept(count: int, alice: User, shop: Shop) -> None:
    mug = shop.product("mug", stock_count=None)

    alice.put(mug, count)

    assert alice.cart() == {mug: count}


# --- what may be bought ---


def test_an_unknown_product_is_not_found_and_nothing_is_made(
    app: Flask, alice: User, shop: Shop
) -> None:
    for count in (1, 0):
        assert_refused(alice.put("mugshop/de-DE/no-such-mug", count), ProductNotFound)

    assert rows(app, "baskets") == 0


def test_a_product_that_is_for_looking_only_can_be_saved_but_not_bought(
    alice: User, shop: Shop
) -> None:
    recipe = shop.product("recipe", not_shoppable=True)

    assert_refused(alice.put(recipe, 1), NotShoppable)
    assert alice.put(recipe, 0).status_code == 200
    assert alice.saved() == [recipe]


@pytest.mark.parametrize("stock", [0, -3])
def test_a_sold_out_product_can_be_saved_but_not_bought(
    stock: int, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug", stock_count=stock)

    assert_refused(alice.put(mug, 1), OutOfStock)
    assert alice.put(mug, 0).status_code == 200
    assert alice.saved() == [mug]


def test_a_product_without_a_price_can_be_saved_but_not_bought(alice: User, shop: Shop) -> None:
    mug = shop.product("mug", price=None)

    assert_refused(alice.put(mug, 1), NotShoppable)
    assert alice.put(mug, 0).status_code == 200


def test_a_product_for_nothing_can_be_bought(alice: User, shop: Shop) -> None:
    sample = shop.product("sample", price=0)

    assert alice.put(sample, 1).status_code == 200


def test_a_product_without_a_stock_limit_can_be_bought(alice: User, shop: Shop) -> None:
    download = shop.product("download", stock_count=None)

    assert alice.put(download, 999).status_code == 200


def test_the_order_limit_is_the_largest_count(alice: User, shop: Shop) -> None:
    mug = shop.product("mug", shipping={"orderLimit": 3})

    assert alice.put(mug, 3).status_code == 200
    assert_refused(alice.put(mug, 4), OrderLimit)
    assert alice.cart() == {mug: 3}


@pytest.mark.parametrize("limit", [0, None])
def test_an_order_limit_of_zero_or_null_is_none(limit: int | None, alice: User, shop: Shop) -> None:
    mug = shop.product("mug", shipping={"orderLimit": limit})

    assert alice.put(mug, 999).status_code == 200


def test_a_variant_is_a_product_of_its_own(alice: User, shop: Shop) -> None:
    main = shop.product(
        "shirt",
        stock_count=0,
        shipping={"orderLimit": 2},
        variants=[{"sku": "shirt-m", "stock_count": 5}, {"sku": "shirt-l"}],
    )
    medium, large = "mugshop/de-DE/shirt-m", "mugshop/de-DE/shirt-l"

    assert alice.put(medium, 2).status_code == 200
    assert_refused(alice.put(medium, 3), OrderLimit)
    assert_refused(alice.put(large, 1), OutOfStock)
    assert_refused(alice.put(main, 1), OutOfStock)
    assert alice.cart() == {medium: 2}


def test_a_sold_out_product_in_the_cart_keeps_its_count_when_more_is_refused(
    alice: User, shop: Shop
) -> None:
    mug = shop.product("mug", stock_count=1)
    alice.put(mug, 1)
    shop.product("mug", stock_count=0)
    before = alice.call("GET").headers["ETag"]

    assert_refused(alice.put(mug, 2), OutOfStock)

    assert alice.cart() == {mug: 1}
    assert alice.call("GET").headers["ETag"] == before


# --- product ids ---


@pytest.mark.parametrize(
    "sku",
    [
        "a/b/c",
        "a b",
        "100%",
        "100%25",
        "größe",
        "a//b",
        "a?b=c&d",
        "a#b",
        "a+b",
        "6½",
        "😀",
        "a\\b",
        "a/",
        "/a",
    ],
)
def test_any_product_id_works(sku: str, alice: User, shop: Shop) -> None:
    product_id = shop.product(sku)
    assert product_id == f"mugshop/de-DE/{sku}"

    assert alice.put(product_id, 2).status_code == 200
    assert alice.cart() == {product_id: 2}
    assert alice.product("PATCH", product_id, json={"count": 3}).status_code == 200
    assert alice.product("DELETE", product_id).status_code == 200
    assert alice.cart() == {}


def test_slashes_in_a_product_id_arrive_encoded_or_not(alice: User, shop: Shop) -> None:
    product_id = shop.product("a//b c")

    for path in (quote(product_id, safe="/"), quote(product_id, safe="")):
        assert alice.call("POST", f"/products/{path}", json={"count": 1}).status_code == 200

    assert alice.cart() == {product_id: 1}


@pytest.mark.parametrize("product_id", ["a\0b", "\0", "x" * 5000, "😀" * 300, "%", "."])
def test_no_product_id_fails_the_service(product_id: str, alice: User, shop: Shop) -> None:
    for count in (1, 0):
        assert_refused(alice.put(product_id, count), ProductNotFound)
    for method in ("PATCH", "DELETE"):
        assert alice.product(method, product_id).status_code == 404


# --- the body ---


@pytest.mark.one_database
@pytest.mark.parametrize(
    "count",
    [
        *("-2", "-999", "1000", "2147483648", "9223372036854775808", "1" + 30 * "0", "1e2"),
        *('"1"', '""', "1.0", "1.5", "true", "false", "null", "[1]", "{}"),
    ],
)
def test_a_count_is_a_json_integer_in_its_limits(count: str, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    response = alice.product("POST", mug, **body(f'{{"count": {count}}}'))

    assert list(field_errors(response)) == ["count"]
    assert alice.cart() == {}


def test_an_unknown_field_is_named(alice: User, shop: Shop) -> None:
    response = alice.product("POST", shop.product("mug"), json={"count": 1, "price": 1})

    assert list(field_errors(response)) == ["price"]
    assert alice.cart() == {}


@pytest.mark.one_database
@pytest.mark.parametrize("text", ["[]", "[1]", '"1"', "1", "true", "null"])
def test_the_body_must_be_an_object(text: str, alice: User, shop: Shop) -> None:
    response = alice.product("POST", shop.product("mug"), **body(text))

    assert_refused(response, ValidationFailed)
    assert alice.cart() == {}


def test_a_field_that_comes_twice_is_refused(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    response = alice.product("POST", mug, **body('{"count": 1, "count": 2}'))

    assert response.status_code == 400
    assert alice.cart() == {}


# --- what else a change does ---


def test_a_change_is_dated(alice: User, shop: Shop, clock: MovedClock) -> None:
    mug = shop.product("mug")
    clock.move(90)

    data = alice.put(mug).json["data"]

    assert data["lastChanged"] == "2025-06-04T12:01:30Z"
    assert data["expires"] == "2026-06-04T12:01:30Z"


def test_a_clock_that_runs_behind_never_dates_a_change_back(
    alice: User, shop: Shop, clock: MovedClock
) -> None:
    mug = shop.product("mug")
    clock.move(10)
    alice.put(mug, 1)
    clock.move(-5)

    assert alice.put(mug, 2).json["data"]["lastChanged"] == "2025-06-04T12:00:10Z"


def test_a_refused_change_is_not_dated(alice: User, shop: Shop, clock: MovedClock) -> None:
    alice.put(shop.product("mug"))
    before = alice.call("GET")
    clock.move(60)

    alice.put("unknown")

    after = alice.call("GET")
    assert after.json == before.json
    assert after.headers["ETag"] == before.headers["ETag"]


# --- If-Match ---


def test_a_stale_if_match_is_refused_and_changes_nothing(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    stale = alice.put(mug, 1).headers["ETag"]
    alice.put(mug, 2)

    response = alice.product("POST", mug, json={"count": 3}, headers={"If-Match": stale})

    assert_refused(response, PreconditionFailed)
    assert alice.cart() == {mug: 2}


def test_a_current_if_match_lets_the_change_pass_once(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    headers = {"If-Match": alice.put(mug, 1).headers["ETag"]}

    assert alice.product("POST", mug, json={"count": 2}, headers=headers).status_code == 200
    assert_refused(
        alice.product("POST", mug, json={"count": 3}, headers=headers), PreconditionFailed
    )
    assert alice.cart() == {mug: 2}


CHANGED_BY_PROXIES = [
    *('W/"{}"', '"{}-gzip"', '"{}--gzip"', '"{};gzip"', '"{}-br"', '"{}-zstd"', 'W/"{}-gzip"'),
    '"no-gzip", W/"{};gzip"',
]


@pytest.mark.parametrize("form", CHANGED_BY_PROXIES)
def test_a_tag_that_only_a_proxy_has_changed_names_the_state(
    form: str, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")
    tag = alice.put(mug, 1).headers["ETag"].strip('"')
    current = {"If-Match": form.format(tag)}

    assert alice.product("POST", mug, json={"count": 2}, headers=current).status_code == 200
    # And what was the state before is stale, however it is written.
    stale = alice.product("POST", mug, json={"count": 3}, headers=current)
    assert_refused(stale, PreconditionFailed)


@pytest.mark.parametrize("form", ['"{}-7"', '"{}gzip"', '"{}-gzip-gzip"', '"-gzip"', '"{}-"', "{}"])
def test_another_tag_is_another_tag(form: str, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    tag = alice.put(mug, 1).headers["ETag"].strip('"')

    response = alice.product("POST", mug, json={"count": 2}, headers={"If-Match": form.format(tag)})

    assert (response.status_code == 200) is (form == "{}")


@pytest.mark.parametrize("form", ["*", '"no", {tag}', '{tag}, "no"'])
def test_if_match_may_be_a_star_or_a_list(form: str, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    tag = alice.put(mug, 1).headers["ETag"]

    headers = {"If-Match": form.format(tag=tag)}

    assert alice.product("POST", mug, json={"count": 2}, headers=headers).status_code == 200


def test_the_tag_of_another_users_basket_does_not_match(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 1)
    tag = alice.platform.user("bob").put(mug, 1).headers["ETag"]

    response = alice.product("POST", mug, json={"count": 2}, headers={"If-Match": tag})

    assert_refused(response, PreconditionFailed)


def test_the_tag_of_an_untouched_basket_lets_the_first_change_pass(
    alice: User, shop: Shop, clock: MovedClock
) -> None:
    mug = shop.product("mug")
    headers = {"If-Match": alice.call("GET").headers["ETag"]}
    clock.move(30)

    assert alice.product("POST", mug, json={"count": 1}, headers=headers).status_code == 200
    assert_refused(
        alice.product("POST", mug, json={"count": 2}, headers=headers), PreconditionFailed
    )
