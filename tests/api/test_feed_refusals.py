"""What the feed refuses: the error's number, and a catalogue in which nothing has changed."""

import json
from typing import Any, NamedTuple

import pytest
from flask import Flask

from jay.errors import (
    ApiKeyForAnotherApi,
    ApiKeyMissing,
    ApiKeyUnknown,
    JayError,
    MalformedRequest,
    PayloadTooLarge,
    SkuTaken,
    UnsupportedMediaType,
    ValidationFailed,
)
from tests.api.checks import assert_refused, dump
from tests.api.feed import post
from tests.builders import Platform, Shop

MUG = {"sku": "mug", "name": "Changed", "price": 1}
PATH = "/shops/products"


class Refused(NamedTuple):
    """A request, and the error that answers it. ``body`` is sent as JSON unless it is bytes."""

    method: str
    body: Any
    error: type[JayError] = ValidationFailed
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it


def full(**fields: Any) -> Refused:
    """A full description of the mug that is there already."""
    return Refused("POST", {**MUG, **fields})


def prices(*products: Any, **shared: Any) -> Refused:
    """New prices: right ones for the mug and its size, and others."""
    right = [{"sku": "mug", "price": 1}, {"sku": "mug-s", "price": 1}]
    return Refused("PATCH", {"products": [*right, *products], **shared})


def raw(method: str, text: str | bytes, error: type[JayError] = MalformedRequest) -> Refused:
    """A body to the byte."""
    return Refused(method, text.encode() if isinstance(text, str) else text, error)


REFUSED = {
    # --- how many
    "51 products": prices(*({"sku": f"x-{number}"} for number in range(49))),
    "51 times one product": prices(*([{"sku": "mug"}] * 49)),
    "51 variants": full(variants=[{"sku": f"x-{number}"} for number in range(51)]),
    "no product at all": Refused("POST", {}),
    # --- who is who
    "a variant twice": full(variants=[{"sku": "x"}, {"sku": "x"}])._replace(error=SkuTaken),
    "a variant of its own name": full(variants=[{"sku": "mug"}])._replace(error=SkuTaken),
    "a variant with variants": full(sku="cup", variants=[{"sku": "mug"}])._replace(error=SkuTaken),
    "a SKU of white space": prices({"sku": " \u3000"}),
    "a product without SKU": prices({"price": 1}),
    "a full one with a SKU of white space": full(sku="\u2003"),
    "a name of white space": full(name=" \n"),
    # --- numbers
    "a negative price": full(price=-1),
    "a negative price among others": prices({"sku": "cup", "price": -1}),
    "a negative price of a variant": full(variants=[{"sku": "x", "price": -1}]),
    "a price of null": prices({"sku": "cup", "price": None}),
    "a price with a fraction": prices({"sku": "cup", "price": 9.5}),
    "a price above 10^12": prices({"sku": "cup", "price": 10**12 + 1}),
    "a price of 2^53": prices({"sku": "cup", "price": 2**53}),
    "a price of 2^63": full(price=2**63),
    "a stock of true": prices({"sku": "cup", "stockCount": True}),
    "a stock as text": prices({"sku": "cup", "stockCount": "5"}),
    "a negative tax": prices(vat=-0.5),
    "a tax of NaN": raw("PATCH", '{"vat": NaN, "products": [{"sku": "mug", "price": 1}]}'),
    "a tax of 1e309": raw("PATCH", '{"vat": 1e309, "products": [{"sku": "mug", "price": 1}]}'),
    # --- codes
    "an unknown language": full(lang="xx"),
    "an unknown language of a call": prices(lang="xx"),
    "a language in capitals": prices(lang="DE"),
    "an unknown country": full(country="XX"),
    "a country in small letters": prices(country="de"),
    "a currency in small letters": prices(currency="eur"),
    "no currency": full(currency="XXX"),
    "no currency of a call": prices(currency="XXX"),
    "gold": prices(currency="XAU"),
    # --- texts
    "a script as address": full(url="javascript:alert(1)"),
    "a script as picture": full(images=[{"url": "javascript:alert(1)"}]),
    "a script as the brand's logo": full(brand={"name": "B", "logoUrl": "javascript:alert(1)"}),
    "a NUL in a SKU": prices({"sku": "a\0"}),
    "a NUL in a text": full(description="a\0"),
    "a lone surrogate": raw("POST", r'{"sku": "mug", "name": "\ud800"}'),
    "no UTF-8": raw("POST", b'{"sku": "mug", "name": "\xff"}'),
    "no UTF-8 among prices": raw("PATCH", b'{"products": [{"sku": "\xc3\x28", "price": 1}]}'),
    # --- fields
    "an unknown field": full(prize=1),
    "an unknown field of a product": prices({"sku": "cup", "name": "Cup"}),
    "an unknown field of a call": prices(merchant="mugshop"),
    "a field twice": raw("PATCH", '{"products": [{"sku": "mug", "price": 1, "price": 2}]}'),
    "products that are no list": Refused("PATCH", {"products": {"sku": "mug", "price": 1}}),
    "a product that is no object": prices("cup"),
    "a time without zone": prices(asOf="2025-06-04T11:00:00"),
    "a time that is far ahead": prices(asOf="2025-06-04T12:05:01Z"),
    # --- bodies
    "more than a mebibyte": raw("PATCH", b" " * (2**20 + 1), PayloadTooLarge),
    "a full one of more than a mebibyte": raw("POST", b"[" * (2**20 + 1), PayloadTooLarge),
    "half a body": raw("PATCH", json.dumps({"products": [MUG]})[:-2]),
    "a form": Refused(
        "POST", b"sku=mug&name=Mug", UnsupportedMediaType, {"Content-Type": "text/plain"}
    ),
    # --- keys
    "no key": full()._replace(error=ApiKeyMissing, headers={"X-API-Key": ""}),
    "an unknown key": prices()._replace(error=ApiKeyUnknown, headers={"X-API-Key": "jay_unknown"}),
}


def send(shop: Shop, refused: Refused, key: str | None = None) -> Any:
    data = refused.body if isinstance(refused.body, bytes) else json.dumps(refused.body).encode()
    headers = {"Content-Type": "application/json", **refused.headers}
    if key is not None:
        headers["X-API-Key"] = key
    return shop.call(refused.method, PATH, data=data, headers=headers)


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """A merchant with a mug in one size, and a cup."""
    post(shop, price=900, stockCount=5, variants=[{"sku": "mug-s", "price": 800}])
    post(shop, sku="cup", name="Cup", price=500)
    return shop


@pytest.mark.one_database
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_changes_nothing(kind: str, app: Flask, shop: Shop) -> None:
    before = dump(app)

    assert_refused(send(shop, REFUSED[kind]), REFUSED[kind].error)

    assert dump(app) == before


@pytest.mark.parametrize("request_of", [full(), prices()], ids=["full", "prices"])
def test_with_a_basket_key_nothing_is_changed(
    request_of: Refused, app: Flask, shop: Shop, platform: Platform
) -> None:
    before = dump(app)

    assert_refused(send(shop, request_of, platform.key), ApiKeyForAnotherApi)

    assert dump(app) == before


@pytest.mark.parametrize("request_of", [full(), prices()], ids=["full", "prices"])
def test_without_what_is_wrong_the_same_requests_do_change_something(
    request_of: Refused, app: Flask, shop: Shop
) -> None:
    before = dump(app)

    assert send(shop, request_of).status_code == 200

    assert dump(app) != before


def test_several_wrong_products_are_all_named_by_their_number(shop: Shop) -> None:
    response = send(shop, prices({"sku": "cup", "price": -1}, {"sku": "cup"}, {"sku": " ", "x": 1}))

    errors = response.json["error"]["details"]["products"]
    assert {number: set(fields) for number, fields in errors.items()} == {
        "2": {"price"},
        "4": {"sku", "x"},
    }
