"""``GET`` and ``DELETE /v1/shops/products/{sku}``, and every field that describes a product."""

from typing import Any

import pytest
from flask import Flask

from jay import db
from jay.errors import SkuNotFound
from jay.merchants import service as merchants
from jay.products import feeding, listing, schemas, service, stored
from tests.api.checks import assert_refused, field_errors
from tests.api.feed import details, post
from tests.api.feed import stored as send
from tests.builders import Shop, User
from tests.clock import NOON, MovedClock

MUG, S = "mugshop/de-DE/mug", "mugshop/de-DE/s"
FURTHER: dict[str, Any] = {
    "orgPriceKind": "rrp",
    "basePrice": {"content": 0.75, "unit": "l"},
    "manufacturer": {
        "name": "Nord GmbH",
        "address": "Hafenstraße 1, 20457 Hamburg, DE",
        "email": "safety@nord.example",
        "url": "https://nord.example",
    },
    "responsiblePerson": {"name": "Nord EU", "address": "Hamburg", "email": "eu@nord.example"},
    "gtin": "4012345678901",
    "mpn": "N-1",
    "safety": [{"lang": "de", "text": "Heiß!", "imageUrl": "https://nord.example/hot.png"}],
    "withdrawalException": "hygiene",
    "durabilityGuaranteeYears": 5,
}


def get(shop: Shop, sku: str, query: str = "") -> Any:
    response = shop.call("GET", f"/shops/products/{sku}{query}")
    assert response.status_code == 200, response.json
    return response.json["data"]


def test_a_product_is_as_it_was_sent_with_its_ids(shop: Shop) -> None:
    body = {
        "sku": "mug",
        "name": "Mug",
        "lang": "de",
        "country": "DE",
        "stockCount": None,
        "price": 900,
        "orgPrice": 1200,
        "currency": "EUR",
        "vat": 19.0,
        "type": "size",
        "shippingModel": {"orderLimit": 2},
        "value": "L",
        "colour": "red",
        **FURTHER,
        "notShoppable": True,
    }
    variant = {
        "sku": "s",
        "stockCount": 3,
        "price": 800,
        "currency": "GBP",
        "vat": 5.0,
        "shippingModel": {},
        "type": "size",
        "value": "S",
        "colour": "blue",
        "gtin": "96385074",
        "images": [{"url": "https://shop.example/s.jpg", "copyrightText": None}],
    }
    post(shop, **body, variants=[variant])

    expected = {**body, "productId": MUG, "variants": [{**variant, "productId": S}]}
    assert get(shop, "mug") == expected
    assert get(shop, "s") == expected
    assert get(shop, "%20mug%20", "?lang=de&country=DE") == expected


def test_an_empty_shipping_model_of_a_variant_is_free_and_none_is_that_of_its_product(
    app: Flask, shop: Shop
) -> None:
    flat = {"shippingFlatRate": 490}
    variants = [
        {"sku": "s", "shippingModel": {}},
        {"sku": "m", "shippingModel": None},
        {"sku": "l"},
    ]
    post(shop, price=900, shippingModel=flat, variants=variants)

    ids = [f"mugshop/de-DE/{sku}" for sku in ("s", "m", "l")]
    with app.app_context(), db.reading() as connection:
        found = service.find_many(connection, ids, now=NOON)

    assert [found[one].shipping.cost(1) for one in ids] == [0, 490, 490]


def test_the_main_product_is_chosen_as_one_of_its_variants(shop: Shop, alice: User) -> None:
    post(shop, price=900, type="size", value="L", variants=[{"sku": "s", "value": "S"}])

    alice.put(MUG, 2)
    alice.put(S)

    assert alice.cart() == {MUG: 2, S: 1}
    chosen = details(alice, MUG)
    assert (chosen["variant"], chosen["price"]) == ("L", 900)
    assert [one["productId"] for one in chosen["variants"]] == [MUG, S]


def test_what_is_not_set_is_absent(shop: Shop) -> None:
    post(shop)

    found = get(shop, "mug")
    place = {"lang": "de", "country": "DE", "variants": []}
    assert found == {"productId": MUG, "sku": "mug", "name": "Mug", **place}


def test_what_patch_set_on_a_variant_shows(shop: Shop) -> None:
    post(shop, variants=[{"sku": "s"}])
    patch = {"currency": "GBP", "vat": 5, "shippingModel": {"orderLimit": 9}}
    shop.call("PATCH", "/shops/products", json={**patch, "products": [{"sku": "s"}]})

    assert get(shop, "mug")["variants"] == [{"sku": "s", "productId": S, **patch}]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("sku", ["hat", "mug?country=AT", "%00", "x" * 300])
def test_an_unknown_sku_is_not_found(method: str, sku: str, shop: Shop) -> None:
    post(shop)

    assert_refused(shop.call(method, f"/shops/products/{sku}"), SkuNotFound)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_product_of_another_merchant_is_not_found(
    method: str, shop: Shop, other_shop: Shop
) -> None:
    post(other_shop)

    assert_refused(shop.call(method, "/shops/products/mug"), SkuNotFound)
    assert get(other_shop, "mug")["name"] == "Mug"


def test_a_sku_may_hold_a_slash(shop: Shop) -> None:
    post(shop, sku="a/b")

    assert get(shop, "a/b")["sku"] == "a/b"


def test_a_deleted_product_stays_in_baskets_as_no_longer_sold_and_comes_back(
    shop: Shop, alice: User, clock: MovedClock
) -> None:
    post(shop, price=900, stockCount=3, variants=[{"sku": "s", "price": 800}])
    alice.put(MUG)
    alice.put(S)

    response = shop.call("DELETE", "/shops/products/mug")

    expected = {"productId": MUG, "variants": [{"sku": "s", "productId": S}]}
    assert (response.status_code, response.json) == (200, {"data": expected})
    assert alice.cart() == {MUG: 1, S: 1}
    assert [details(alice, one)["currentStockCount"] for one in (MUG, S)] == [-1, -1]
    assert shop.call("GET", "/shops/products").json["data"]["blocks"] == []
    assert_refused(shop.call("GET", "/shops/products/mug"), SkuNotFound)
    assert_refused(shop.call("DELETE", "/shops/products/mug"), SkuNotFound)
    patched = {"products": [{"sku": "mug", "price": 1}]}
    assert shop.call("PATCH", "/shops/products", json=patched).json["data"]["updated"] == 0

    clock.move(60)
    post(shop, variants=[{"sku": "s"}])

    assert details(alice, MUG)["price"] == 900
    assert details(alice, S)["price"] == 800


def test_a_deleted_variant_leaves_its_product(shop: Shop, alice: User) -> None:
    post(shop, variants=[{"sku": "s"}, {"sku": "m"}])

    assert shop.call("DELETE", "/shops/products/s").json["data"] == {
        "productId": S,
        "variants": [],
    }
    assert [one["sku"] for one in get(shop, "mug")["variants"]] == ["m"]


def test_further_fields_show_in_the_details_and_only_where_set(shop: Shop, alice: User) -> None:
    found = details(alice, post(shop, **FURTHER, variants=[{"sku": "s", "mpn": "N-2"}]))

    assert {name: found[name] for name in FURTHER} == FURTHER
    assert details(alice, S)["mpn"] == "N-2"
    assert details(alice, S)["gtin"] == FURTHER["gtin"]
    assert not FURTHER.keys() & details(alice, post(shop, sku="hat")).keys()


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("orgPriceKind", "uvp"),
        ("basePrice", {"content": 0, "unit": "l"}),
        ("basePrice", {"content": 1, "unit": "litre"}),
        ("basePrice", {"content": 1}),
        ("manufacturer", {"address": "Hamburg"}),
        ("manufacturer", {"name": "N", "email": "nobody"}),
        ("manufacturer", {"name": "N", "url": "javascript:alert(1)"}),
        ("responsiblePerson", {"name": "N", "url": "https://x.example"}),
        ("gtin", "4012345678902"),
        ("gtin", "123"),
        ("gtin", "401234567890\uff11"),
        ("gtin", 4012345678901),
        ("mpn", "x" * 201),
        ("safety", [{"text": "Hot"}]),
        ("safety", [{"lang": "xx", "text": "Hot"}]),
        ("safety", [{"lang": "en", "text": "Hot", "imageUrl": "data:x"}]),
        ("safety", [{"lang": "en", "text": "Hot"}] * 21),
        ("withdrawalException", "sealed"),
        ("durabilityGuaranteeYears", 0),
        ("durabilityGuaranteeYears", "2"),
    ],
)
def test_a_wrong_further_field_is_named(field: str, value: Any, shop: Shop) -> None:
    assert list(field_errors(send(shop, **{field: value}))) == [field]


# --- SKUs are the same everywhere


@pytest.mark.parametrize(
    "written",
    ["Ä1 ", " Ä1", "\tÄ1\n", "\u00a0Ä1\u2003", "\u200bÄ1\ufeff", "A\u03081"],
)
def test_a_sku_is_the_same_however_it_is_written(
    written: str, app: Flask, shop: Shop, alice: User
) -> None:
    mug = post(shop, sku="Ä1", price=1, variants=[{"sku": "Ä1-s"}])

    assert post(shop, sku=written, variants=[{"sku": "Ä1-s"}]) == mug
    response = shop.call(
        "PATCH", "/shops/products", json={"products": [{"sku": written, "price": 2}]}
    )

    assert response.json["data"]["updated"] == 1
    assert details(alice, mug)["price"] == 2


def test_a_main_product_is_sold_out_when_all_of_its_variants_are(shop: Shop, alice: User) -> None:
    post(shop, price=1, stockCount=0, value="L", variants=[{"sku": "s", "stockCount": 1}])

    found = details(alice, MUG)
    assert (found["outOfStock"], found["variant"]) == (False, "L")
    assert [(v["value"], v["currentStockCount"]) for v in found["variants"]] == [("L", 0), ("", 1)]
    assert alice.put(MUG).json["error"]["details"] == "OUT_OF_STOCK"

    post(shop, value="L", variants=[{"sku": "s", "stockCount": 0}])
    assert details(alice, MUG)["outOfStock"] is True


def test_each_value_is_written_as_its_schema_says(app: Flask, shop: Shop) -> None:
    with app.app_context(), db.transaction() as connection:
        merchant = merchants.merchant_by_id(
            connection, merchants.merchant_id(connection, shop.name) or 0
        )
        result = feeding.put_product(
            connection,
            merchant,
            now=NOON,
            sku="mug",
            name="Mug",
            variants=[{"sku": "s", "price": 5, "description": {"colour": "red"}}],
            volatile={"price": 7, "vat": None, "shipping": {"orderLimit": 2}},
            description=FURTHER,
        )
        updated = feeding.update_volatile(
            connection, merchant, now=NOON, items=[{"sku": "s"}, {"sku": "x"}], shared={}
        )
        blocks, _ = listing.list_skus(connection, merchant)
        found = stored.find(connection, merchant, None, None, "mug")

    views = {
        schemas.StoredProductSchema: schemas.stored_view(result),
        schemas.UpdatedSchema: schemas.updated_view(updated),
        schemas.SkuPageSchema: schemas.sku_page_view(blocks, "next"),
        schemas.DescribedProductSchema: schemas.product_view(found),
        schemas.ProductSchema: schemas.product_body(found),
    }
    for schema, view in views.items():
        assert schema().validate(view) == {}, schema
