"""``GET /v1/shops/products``: the SKUs of a merchant, page by page."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from itsdangerous import URLSafeSerializer
from sqlalchemy import insert, select

from jay import db
from jay.auth import service as auth
from jay.errors import MalformedRequest
from jay.products.models import product_id, products
from tests.api.checks import assert_refused, field_errors
from tests.api.feed import post
from tests.builders import Shop
from tests.clock import NOON


def fill(shop: Shop, skus: Iterable[str], lang: str = "de", country: str = "DE") -> None:
    """Put main products into the catalogue, without the feed."""
    with shop.app.app_context(), db.transaction() as connection:
        merchant = auth.merchant_id(connection, shop.name)
        rows = [
            {
                "id": product_id(shop.name, lang, country, sku),
                "merchant_id": merchant,
                "sku": sku,
                "lang": lang,
                "country": country,
                "name": sku,
                "created": NOON,
                "updated": NOON,
            }
            for sku in skus
        ]
        connection.execute(insert(products), rows)


def page(shop: Shop, query: str = "") -> dict[str, Any]:
    response = shop.call("GET", f"/shops/products{query}")
    assert response.status_code == 200, response.json
    data: dict[str, Any] = response.json["data"]
    return data


def following(shop: Shop, last: dict[str, Any], more: str = "") -> dict[str, Any]:
    return page(shop, f"?next_token={quote(last['nextToken'])}{more}")


def listed(*pages: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (block["lang"], block["country"], sku)
        for one in pages
        for block in one["blocks"]
        for sku in block["skus"]
    ]


def all_pages(shop: Shop, query: str = "") -> list[dict[str, Any]]:
    pages = [page(shop, query)]
    while "nextToken" in pages[-1]:
        assert len(pages) < 20
        pages.append(following(shop, pages[-1]))
    return pages


def test_without_products_there_are_no_blocks(shop: Shop) -> None:
    assert page(shop) == {"blocks": []}


def test_main_products_are_listed_in_blocks_per_language_and_country(shop: Shop) -> None:
    post(shop, sku="mug", variants=[{"sku": "mug-s"}])
    post(shop, sku="hat")
    post(shop, sku="mug", lang="en", country="GB")
    post(shop, sku="mug", country="AT")

    data = page(shop)

    assert list(data) == ["blocks"]
    assert sorted(data["blocks"], key=lambda block: str(block["country"])) == [
        {"skus": ["mug"], "lang": "de", "country": "AT"},
        {"skus": ["hat", "mug"], "lang": "de", "country": "DE"},
        {"skus": ["mug"], "lang": "en", "country": "GB"},
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?lang=de", {("de", "DE"), ("de", "AT")}),
        ("?country=GB", {("en", "GB")}),
        ("?lang=de&country=AT", {("de", "AT")}),
        ("?lang=en&country=DE", set()),
        ("?lang=&country=", {("de", "DE"), ("de", "AT"), ("en", "GB")}),
        ("?lang=fr", set()),
        ("?utm_source=x", {("de", "DE"), ("de", "AT"), ("en", "GB")}),
    ],
)
def test_language_and_country_filter(
    query: str, expected: set[tuple[str, str]], shop: Shop
) -> None:
    for lang, country in (("de", "DE"), ("de", "AT"), ("en", "GB")):
        fill(shop, ["mug"], lang, country)

    assert {(lang, country) for lang, country, _ in listed(page(shop, query))} == expected


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?lang=DE", "lang"),
        ("?lang=d", "lang"),
        ("?lang=deu", "lang"),
        ("?lang=de%0A", "lang"),
        ("?lang=%00%00", "lang"),
        ("?country=de", "country"),
        ("?country=DEU", "country"),
        ("?country=DE%0A", "country"),
    ],
)
def test_a_filter_of_another_shape_is_named(query: str, field: str, shop: Shop) -> None:
    assert list(field_errors(shop.call("GET", f"/shops/products{query}"))) == [field]


def test_another_merchants_products_are_not_listed(shop: Shop, other_shop: Shop) -> None:
    fill(shop, ["mug"])
    fill(other_shop, ["book"])

    assert listed(page(shop)) == [("de", "DE", "mug")]


@pytest.mark.parametrize(("count", "pages"), [(999, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_a_page_holds_a_thousand_skus(count: int, pages: int, shop: Shop) -> None:
    fill(shop, (f"sku-{number:04}" for number in range(count)))

    found = all_pages(shop)

    assert len(found) == pages
    assert all(len(listed(one)) == 1000 for one in found[:-1])
    assert [sku for _, _, sku in listed(*found)] == [f"sku-{n:04}" for n in range(count)]


def test_pages_go_on_across_languages_and_countries(shop: Shop) -> None:
    for lang, country in (("de", "DE"), ("de", "AT"), ("en", "GB")):
        fill(shop, (f"{number:04}" for number in range(700)), lang, country)

    found = all_pages(shop)

    assert [len(listed(one)) for one in found] == [1000, 1000, 100]
    assert len(set(listed(*found))) == 2100


def test_any_sku_can_be_the_last_of_a_page(shop: Shop) -> None:
    odd = ["~ü😀/ \"'%&?#", "~ü😀/ \"'%&?#2"]
    fill(shop, [f"{number:04}" for number in range(999)] + odd)

    found = listed(*all_pages(shop))

    assert len(found) == len(set(found)) == 1001


def test_the_filters_go_on_and_those_beside_the_token_are_ignored(shop: Shop) -> None:
    fill(shop, (f"{number:04}" for number in range(1500)))
    fill(shop, (f"{number:04}" for number in range(1500)), "en", "GB")
    first = page(shop, "?lang=de")

    second = following(shop, first, "&lang=en&country=GB")

    assert {(lang, country) for lang, country, _ in listed(second)} == {("de", "DE")}
    assert len(set(listed(first, second))) == 1500
    assert "nextToken" not in second


def test_products_that_are_added_or_removed_meanwhile_neither_repeat_nor_hide_others(
    shop: Shop,
) -> None:
    fill(shop, (f"m-{number:04}" for number in range(1500)))
    first = page(shop)
    fill(shop, (f"a-{number:04}" for number in range(600)))
    fill(shop, (f"z-{number:04}" for number in range(600)))
    with shop.app.app_context(), db.transaction() as connection:
        connection.execute(products.delete().where(products.c.sku == "m-0999"))

    rest = [following(shop, first)]
    while "nextToken" in rest[-1]:
        rest.append(following(shop, rest[-1]))

    found = [sku for _, _, sku in listed(first, *rest)]
    assert len(found) == len(set(found))
    assert {f"m-{number:04}" for number in range(1500)} <= set(found)


def test_an_empty_token_is_no_token(shop: Shop) -> None:
    fill(shop, ["mug"])

    assert listed(page(shop, "?next_token=")) == [("de", "DE", "mug")]


@pytest.fixture
def token(shop: Shop) -> str:
    fill(shop, (f"{number:04}" for number in range(1001)))
    found: str = page(shop)["nextToken"]
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: ("A" if token[0] != "A" else "B") + token[1:],
        lambda token: token + "x",
        lambda token: token[:-4],
        lambda token: token.rpartition(".")[0],
        lambda token: "." + token.rpartition(".")[2],
        lambda _: "garbage",
        lambda _: ".",
        lambda _: "ü😀",
        lambda _: "x" * 5000,
        lambda _: URLSafeSerializer("guessed").dumps({"after": ["de", "DE", "0000"]}),
    ],
)
def test_a_tampered_token_is_refused(change: Any, token: str, shop: Shop) -> None:
    assert page(shop, f"?next_token={quote(token)}")["blocks"]

    response = shop.call("GET", f"/shops/products?next_token={quote(change(token))}")

    assert_refused(response, MalformedRequest)


def test_another_merchants_token_is_refused(token: str, other_shop: Shop) -> None:
    response = other_shop.call("GET", f"/shops/products?next_token={quote(token)}")

    assert_refused(response, MalformedRequest)


def test_removed_variants_are_not_listed(app: Flask, shop: Shop) -> None:
    post(shop, variants=[{"sku": "s"}])
    post(shop)

    with app.app_context(), db.reading() as connection:
        assert len(connection.execute(select(products)).all()) == 2
    assert listed(page(shop)) == [("de", "DE", "mug")]
