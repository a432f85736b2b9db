"""Products become variants and back, and change their group: the same rows, ids and baskets."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from jay import db
from jay.errors import SkuTaken
from jay.products.models import products
from tests.api.checks import assert_refused
from tests.api.feed import details, post, stored
from tests.builders import Shop, User

MUG, HAT, S = "mugshop/de-DE/mug", "mugshop/de-DE/hat", "mugshop/de-DE/s"


def variants(user: User, product: str) -> list[str]:
    return [variant["productId"] for variant in details(user, product)["variants"]]


def found_by(app: Flask, product: str) -> Any:
    with app.app_context(), db.reading() as connection:
        query = select(products.c.search).where(products.c.id == product)
        return connection.execute(query).scalar_one()


def test_a_product_becomes_a_variant_and_keeps_its_id_basket_and_price(
    app: Flask, shop: Shop, alice: User
) -> None:
    post(shop, sku="s", name="Mug small", price=700, stockCount=3, colour="red")
    alice.put(S, 2)

    post(shop, price=900, variants=[{"sku": "s", "type": "size", "value": "S"}])

    found = details(alice, S)
    assert (found["name"], found["variant"], found["colour"]) == ("Mug", "S", None)
    assert (found["price"], found["currentStockCount"]) == (700, 3)
    assert variants(alice, MUG) == [S]
    assert alice.cart() == {S: 2}
    assert (found_by(app, S), found_by(app, MUG)) == (None, "mug mug s")


def test_a_variant_becomes_a_product_of_its_own_and_keeps_what_it_was(
    app: Flask, shop: Shop, alice: User
) -> None:
    post(shop, price=900, variants=[{"sku": "s", "price": 700, "value": "S"}, {"sku": "m"}])
    alice.put(S, 2)

    post(shop, sku="s", name="Mug small")

    found = details(alice, S)
    assert (found["name"], found["variant"], found["price"]) == ("Mug small", "", 700)
    assert found["mainProductIdentifier"] == S
    assert variants(alice, MUG) == ["mugshop/de-DE/m"]
    assert alice.cart() == {S: 2}
    assert (found_by(app, S), found_by(app, MUG)) == ("mug small s", "mug mug m")


def test_a_variant_changes_its_group(app: Flask, shop: Shop, alice: User) -> None:
    post(shop, variants=[{"sku": "s", "price": 700, "stockCount": 2}])
    alice.put(S)

    post(shop, sku="hat", name="Hat", variants=[{"sku": "s"}])

    found = details(alice, S)
    assert (found["name"], found["price"], found["currentStockCount"]) == ("Hat", 700, 2)
    assert (variants(alice, MUG), variants(alice, HAT)) == ([], [S])
    assert (found_by(app, MUG), found_by(app, HAT)) == ("mug mug", "hat hat s")
    assert alice.cart() == {S: 1}


def test_a_whole_group_gets_another_main_product(app: Flask, shop: Shop, alice: User) -> None:
    post(shop, price=5, stockCount=9, variants=[{"sku": "s"}, {"sku": "m"}])

    post(shop, sku="hat", name="Hat", variants=[{"sku": "m"}, {"sku": "mug"}, {"sku": "s"}])

    ids = [f"mugshop/de-DE/{sku}" for sku in ("m", "mug", "s")]
    assert variants(alice, HAT) == ids
    assert details(alice, MUG)["mainProductIdentifier"] == HAT
    assert (found_by(app, MUG), found_by(app, HAT)) == (None, "hat hat m mug s")


def test_a_group_and_its_variant_change_places(shop: Shop, alice: User) -> None:
    post(shop, variants=[{"sku": "s"}])

    post(shop, sku="s", name="Mug small", variants=[{"sku": "mug"}])

    assert variants(alice, S) == [MUG]
    assert details(alice, MUG)["name"] == "Mug small"


def test_a_product_with_other_variants_becomes_none_and_the_reason_names_one(
    shop: Shop, alice: User
) -> None:
    post(shop, variants=[{"sku": "s"}, {"sku": "m"}])

    response = stored(shop, sku="hat", name="Hat", variants=[{"sku": "mug"}, {"sku": "s"}])

    assert_refused(response, SkuTaken)
    expected = "The SKU mug is a product with variants of its own, such as m."
    assert response.json["error"]["message"] == expected
    assert variants(alice, MUG) == [S, "mugshop/de-DE/m"]


@pytest.mark.parametrize("listed", [["x", "y", "x"], ["y", "mug", "x"]])
def test_a_sku_that_is_there_twice_is_named(listed: list[str], shop: Shop) -> None:
    response = stored(shop, variants=[{"sku": sku} for sku in listed])

    assert_refused(response, SkuTaken)
    twice = "mug" if "mug" in listed else "x"
    assert response.json["error"]["message"].startswith(f"The SKU {twice} is there twice")


def test_what_was_no_longer_listed_is_free(shop: Shop, alice: User) -> None:
    post(shop, variants=[{"sku": "s", "price": 7}])
    post(shop, variants=[])

    post(shop, sku="hat", name="Hat", variants=[{"sku": "s"}])

    assert details(alice, S)["price"] == 7
    assert variants(alice, HAT) == [S]


def test_what_patch_set_on_a_variant_is_replaced_by_the_next_description(
    shop: Shop, alice: User
) -> None:
    body = {"sku": "mug", "currency": "EUR", "vat": 19, "shippingModel": {"orderLimit": 1}}
    post(shop, **body, price=1900, variants=[{"sku": "s", "price": 1900}])
    patch = {"currency": "GBP", "vat": 5, "shippingModel": {"orderLimit": 9}}
    shop.call("PATCH", "/shops/products", json={**patch, "products": [{"sku": "s", "price": 5}]})
    assert (details(alice, S)["currency"], details(alice, S)["vat"]) == ("GBP", 5.0)

    post(shop, price=2300, currency="USD", vat=7, variants=[{"sku": "s", "price": 2300}])

    found = details(alice, S)
    assert (found["price"], found["currency"], found["vat"]) == (2300, "USD", 7.0)
    assert alice.put(S, 2).json["error"]["details"]["constant"] == "ORDER_LIMIT"


@pytest.mark.parametrize(("currency", "org_price"), [("USD", 1000), ("EUR", 700)])
def test_a_variant_that_moves_keeps_a_former_price_that_is_in_the_same_currency(
    currency: str, org_price: int, shop: Shop, alice: User
) -> None:
    small = {"sku": "s", "type": "size", "value": "S", "price": 900}
    post(shop, price=900, currency="USD", variants=[{**small, "orgPrice": 1000}])

    hat = post(shop, sku="hat", price=800, currency=currency, variants=[{**small, "price": 700}])

    assert hat == HAT
    assert details(alice, S)["orgPrice"] == org_price
