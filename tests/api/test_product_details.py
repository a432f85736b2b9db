"""``POST /v2/baskets/products/details``."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from jay.db import prepared
from jay.errors import ApiKeyMissing, TokenMissing
from tests.api.checks import assert_refused, field_errors
from tests.builders import Shop, User

PATH = "/baskets/products/details"


def details(user: User, *product_ids: str) -> list[dict[str, Any]]:
    response = user.platform.call("POST", PATH, token=user.token, json=list(product_ids))
    assert response.status_code == 200, response.json
    assert list(response.json["data"]) == ["products"]
    found: list[dict[str, Any]] = response.json["data"]["products"]
    return found


def test_a_product_is_described_in_full(alice: User, shop: Shop) -> None:
    image = {"url": "https://shop.example/mug.jpg", "copyrightText": "Mug Shop"}
    mug = shop.product(
        "mug-1",
        name="Der große Becher, 6½!",
        price=1250,
        org_price=1500,
        description={
            "brand": {"name": "Nord", "logoUrl": None},
            "description": "Groß.\n\nBlau.",
            "gender": 3,
            "colourCode": 255,
            "images": [image],
        },
    )

    assert details(alice, mug) == [
        {
            "productId": mug,
            "currentStockCount": 10,
            "count": 1,
            "variant": "",
            "mainProductIdentifier": mug,
            "shopSource": "mugshop",
            "slug": "der-große-becher-6½",
            "name": "Der große Becher, 6½!",
            "brand": {"name": "Nord", "logoUrl": None},
            "subLine": None,
            "description": "Groß.\n\nBlau.",
            "gender": 3,
            "material": None,
            "colour": None,
            "colourCode": 255,
            "fit": None,
            "url": None,
            "urlLabel": None,
            "urlNote": None,
            "urlImageUrl": None,
            "images": [image],
            "price": 1250,
            "orgPrice": 1500,
            "lowestPrice30": None,
            "currency": "EUR",
            "vat": 19.0,
            "notShoppable": False,
            "outOfStock": False,
            "lang": "de",
            "country": "DE",
            "variants": [],
        }
    ]


def test_the_order_is_that_of_the_request(alice: User, shop: Shop) -> None:
    mug, hat, pen = shop.product("mug"), shop.product("hat"), shop.product("pen")

    asked = [pen, "unknown", mug, hat, pen]

    assert [product["productId"] for product in details(alice, *asked)] == asked


def test_ids_may_hold_whatever_a_list_is_written_with(alice: User, shop: Shop) -> None:
    skus = ['"', "'", ",", "{}", "[1]", "\\", "NULL", "null", "%s", ":x", "a b", "ä😀", "\u2028"]
    ids = [shop.product(sku, variants=[{"sku": f"{sku}-s", "value": sku}]) for sku in skus]

    found = details(alice, *ids)

    assert [product["productId"] for product in found] == ids
    assert [product["variants"][0]["value"] for product in found] == skus


def test_of_an_unknown_product_there_is_only_a_stock_below_zero(alice: User, shop: Shop) -> None:
    found = details(alice, "unknown", shop.product("mug"))

    assert found[0] == {"productId": "unknown", "currentStockCount": -1}
    assert found[1]["name"] == "Mug"


def test_variants_come_with_their_main_product_and_take_what_they_lack_from_it(
    alice: User, shop: Shop
) -> None:
    main = shop.product(
        "shirt",
        price=2000,
        stock_count=4,
        variants=[
            {"sku": "shirt-l", "type": "size", "value": "L"},
            {"sku": "shirt-m", "type": "size", "value": "M", "price": 1800, "stock_count": None},
        ],
    )
    large, medium = f"{main}-l", f"{main}-m"
    variants = [
        {
            "productId": large,
            "type": "size",
            "value": "L",
            "price": 2000,
            "orgPrice": 2000,
            "lowestPrice30": None,
            "currentStockCount": 4,
        },
        {
            "productId": medium,
            "type": "size",
            "value": "M",
            "price": 1800,
            "orgPrice": 1800,
            "lowestPrice30": None,
            "currentStockCount": None,
        },
    ]

    of_main, of_medium = details(alice, main, medium)

    assert (of_main["productId"], of_main["variant"]) == (main, "")
    assert of_main["mainProductIdentifier"] == main
    assert (of_medium["productId"], of_medium["variant"]) == (medium, "M")
    assert of_medium["mainProductIdentifier"] == main
    assert (of_medium["name"], of_medium["price"], of_medium["vat"]) == ("Shirt", 1800, 19.0)
    assert of_main["variants"] == of_medium["variants"] == variants


@pytest.mark.parametrize(
    ("stock", "shown", "out"), [(None, None, False), (7, 7, False), (0, 0, True), (-5, 0, True)]
)
def test_sold_out_is_zero_and_without_limit_is_null(
    stock: int | None, shown: int | None, out: bool, alice: User, shop: Shop
) -> None:
    (found,) = details(alice, shop.product("mug", stock_count=stock))

    assert (found["currentStockCount"], found["outOfStock"]) == (shown, out)


def test_without_an_original_price_it_is_the_price(alice: User, shop: Shop) -> None:
    with_price, without = details(
        alice, shop.product("mug", price=900), shop.product("hat", price=None)
    )

    assert (with_price["price"], with_price["orgPrice"]) == (900, 900)
    assert (without["price"], without["orgPrice"]) == (None, None)


def test_products_of_all_merchants_are_known(alice: User, shop: Shop, other_shop: Shop) -> None:
    found = details(alice, shop.product("x"), other_shop.product("x"))

    assert [product["shopSource"] for product in found] == ["mugshop", "bookshop"]


def test_an_original_price_belongs_to_the_price_that_it_comes_with(alice: User, shop: Shop) -> None:
    main = shop.product(
        "shirt",
        price=2000,
        org_price=2500,
        stock_count=-3,
        variants=[
            {"sku": "a"},
            {"sku": "b", "price": 1800},
            {"sku": "c", "org_price": 2400},
            {"sku": "d", "price": 0, "org_price": 2300, "stock_count": 1},
        ],
    )

    listed = details(alice, main)[0]["variants"]
    alone = details(alice, *(f"mugshop/de-DE/{sku}" for sku in "abcd"))

    expected = [(2000, 2500, 0), (1800, 1800, 0), (2000, 2500, 0), (0, 2300, 1)]
    for shown in (listed, alone):
        assert [
            (one["price"], one["orgPrice"], one["currentStockCount"]) for one in shown
        ] == expected


@pytest.fixture
def statements(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A list that each statement of the service is added to."""
    found: list[str] = []
    execute = prepared.execute

    def note_and_execute(connection: Any, sql: str, *args: Any, **more: Any) -> Any:
        found.append(sql)
        return execute(connection, sql, *args, **more)

    def note(_connection: Any, _cursor: Any, sql: str, *_args: Any) -> None:
        found.append(sql)

    monkeypatch.setattr(prepared, "execute", note_and_execute)
    engine = app.extensions["jay.db"].readers
    event.listen(engine, "before_cursor_execute", note)
    yield found
    event.remove(engine, "before_cursor_execute", note)


def test_fifty_products_take_as_few_statements_as_one(
    alice: User, shop: Shop, statements: list[str]
) -> None:
    ids = [shop.product(f"p{n}", variants=[{"sku": f"p{n}-s"}]) for n in range(50)]
    details(alice, ids[0])  # whoever comes first looks up keys
    statements.clear()

    details(alice, ids[0])
    of_one = len(statements)
    assert len(details(alice, *ids)) == 50

    assert (of_one, len(statements) - of_one) == (2, 2)


def test_products_without_variants_take_one_statement(
    alice: User, shop: Shop, statements: list[str]
) -> None:
    ids = [shop.product(f"p{n}") for n in range(3)]
    gone = shop.product("p4", variants=[{"sku": "p4-s"}])
    shop.product("p4", variants=[])
    details(alice, *ids)
    statements.clear()

    assert [one["variants"] for one in details(alice, *ids, gone, "unknown")[:4]] == [[]] * 4

    assert len(statements) == 1


def test_50_ids_are_accepted_and_51_are_not(alice: User) -> None:
    ids = [f"product-{number}" for number in range(51)]

    assert len(details(alice, *ids[:50])) == 50
    response = alice.platform.call("POST", PATH, token=alice.token, json=ids)
    field_errors(response)


@pytest.mark.one_database
@pytest.mark.parametrize(
    "body", [[], {}, {"ids": ["a"]}, "a", [1], [None], [""], ["a\0b"], [["a"]]]
)
def test_the_body_must_be_a_list_of_ids(body: Any, alice: User) -> None:
    field_errors(alice.platform.call("POST", PATH, token=alice.token, json=body))


def test_the_body_must_not_be_missing(alice: User) -> None:
    field_errors(alice.platform.call("POST", PATH, token=alice.token))


def test_guests_may_ask_too(alice: User, shop: Shop) -> None:
    guest = alice.platform.guest()

    assert details(guest, shop.product("mug"))[0]["name"] == "Mug"


def test_key_and_token_are_needed(alice: User) -> None:
    assert_refused(alice.platform.client.post("/v2" + PATH, json=["a"]), ApiKeyMissing)
    assert_refused(alice.platform.call("POST", PATH, json=["a"]), TokenMissing)
