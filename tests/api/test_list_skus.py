"""``GET /v1/shops/products``: the SKUs of a merchant, page by page."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from itsdangerous import URLSafeSerializer
from sqlalchemy import event, insert, select

from jay import db
from jay.errors import MalformedRequest
from jay.merchants import service as merchants
from jay.products import listing, wanted
from jay.products.models import product_id, products
from tests.api.checks import assert_refused, field_errors
from tests.api.feed import post
from tests.builders import Shop
from tests.clock import NOON


def fill(shop: Shop, skus: Iterable[str], lang: str = "de", country: str = "DE") -> None:
    """Put main products into the catalogue, without the feed."""
    with shop.app.app_context(), db.transaction() as connection:
        merchant = merchants.merchant_id(connection, shop.name)
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


def want(shop: Shop, skus: Iterable[str], lang: str = "de", country: str = "DE") -> None:
    """Let an editor ask for SKUs."""
    with shop.app.app_context(), db.transaction() as connection:
        merchant = merchants.merchant_by_id(
            connection, merchants.merchant_id(connection, shop.name) or 0
        )
        wanted.want(connection, merchant, lang, country, skus, now=NOON)


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


@pytest.mark.one_database
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


@pytest.mark.one_database
@pytest.mark.parametrize(
    "change",
    [
        # Not the last one: some of its bits are padding (RFC 4648 section 3.5).
        lambda token: token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1],
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


# --- what is wanted and was not sent yet


def test_what_is_wanted_stands_among_what_was_sent(shop: Shop, other_shop: Shop) -> None:
    fill(shop, ["b", "d"])
    fill(shop, ["x"], "en", "GB")
    want(shop, ["a", "c", "e"])
    want(shop, ["b"], "de", "AT")
    want(other_shop, ["z"])

    assert page(shop)["blocks"] == [
        {"skus": ["b"], "lang": "de", "country": "AT"},
        {"skus": ["a", "b", "c", "d", "e"], "lang": "de", "country": "DE"},
        {"skus": ["x"], "lang": "en", "country": "GB"},
    ]


def test_pages_of_both_hold_each_sku_once_and_in_order(shop: Shop) -> None:
    fill(shop, (f"{number:04}" for number in range(0, 3000, 2)))
    want(shop, [f"{number:04}" for number in range(1, 3000, 2)])

    found = all_pages(shop)

    assert [len(listed(one)) for one in found] == [1000, 1000, 1000]
    assert [sku for _, _, sku in listed(*found)] == [f"{number:04}" for number in range(3000)]


@pytest.mark.parametrize("sent", [1, 999, 1000, 1001])
def test_wishes_go_on_where_products_end(sent: int, shop: Shop) -> None:
    want(shop, [f"w-{number:04}" for number in range(1500)])
    fill(shop, (f"a-{number:04}" for number in range(sent)))

    assert len(set(listed(*all_pages(shop)))) == 1500 + sent


def test_a_wish_that_ends_between_two_pages_neither_repeats_nor_hides_others(shop: Shop) -> None:
    fill(shop, (f"m-{number:04}" for number in range(1500)))
    want(shop, ["m-0000a", "m-1400a", "m-1400b"])
    first = page(shop)
    post(shop, sku="m-0000a")
    post(shop, sku="m-1400a")
    want(shop, ["a", "m-1400c"])

    rest = following(shop, first)

    found = [sku for _, _, sku in listed(first, rest)]
    assert len(found) == len(set(found))
    assert set(found) == {
        *(f"m-{number:04}" for number in range(1500)),
        *("m-0000a", "m-1400a", "m-1400b", "m-1400c"),
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?lang=de", [("de", "AT", "b"), ("de", "DE", "a")]),
        ("?country=AT", [("de", "AT", "b"), ("en", "AT", "c")]),
        ("?lang=en&country=AT", [("en", "AT", "c")]),
    ],
)
def test_the_filters_are_for_wishes_too(
    query: str, expected: list[tuple[str, str, str]], shop: Shop
) -> None:
    want(shop, ["a"])
    want(shop, ["b"], "de", "AT")
    want(shop, ["c"], "en", "AT")

    assert listed(page(shop, query)) == expected


def test_a_country_alone_goes_on_through_all_languages(shop: Shop) -> None:
    for lang in ("de", "en", "fr"):
        fill(shop, (f"{number:04}" for number in range(700)), lang, "CH")
        fill(shop, (f"{number:04}" for number in range(700)), lang, "DE")
    want(shop, ["0000"], "it", "CH")

    found = all_pages(shop, "?country=CH")

    assert [len(listed(one)) for one in found] == [1000, 1000, 101]
    assert listed(*found) == sorted(set(listed(*found)))
    assert {(lang, country) for lang, country, _ in listed(*found)} == {
        *(("de", "CH"), ("en", "CH"), ("fr", "CH"), ("it", "CH"))
    }


def test_another_merchants_languages_are_not_gone_through(shop: Shop, other_shop: Shop) -> None:
    fill(other_shop, ["book"], "sv", "CH")
    fill(shop, ["mug"], "de", "CH")

    assert listed(*all_pages(shop, "?country=CH")) == [("de", "CH", "mug")]


# --- what a page costs, as SQLite plans it: it reads along the index of the list and nothing else


@pytest.fixture
def plans(app: Flask, shop: Shop) -> Callable[..., list[str]]:
    """Return how SQLite looks products up for a page."""
    fill(shop, (f"{number:04}" for number in range(2000)))
    statements = []

    def note(_connection: Any, _cursor: Any, sql: str, parameters: Any, *_more: Any) -> None:
        statements.append((sql, parameters))

    def of(**query: Any) -> list[str]:
        engine = app.extensions["jay.db"].engine
        with app.app_context(), db.transaction() as connection:
            # As it knows what is in it, and not only how much.
            connection.exec_driver_sql("ANALYZE")
            merchant = merchants.merchant_by_id(
                connection, merchants.merchant_id(connection, shop.name) or 0
            )
            event.listen(engine, "before_cursor_execute", note)
            listing.list_skus(connection, merchant, **query)
            event.remove(engine, "before_cursor_execute", note)
            steps = [
                str(row[-1])
                for sql, parameters in statements
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
            ]
            connection.exec_driver_sql("DROP TABLE sqlite_stat1")
        return [step for step in steps if re.search(r" products( |$)", step)]

    return of


KEY = ("merchant_id", "lang", "country", "sku")
AFTER = ("de", "DE", "0500")
BESIDE = re.compile(r" AND sku=\?\)$| USING COVERING INDEX \S+ \(merchant_id=\?( AND lang>\?)?\)$")
"""A wish is looked up by its whole key, the next language as the least one of an index."""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("query", "found_by"),
    [
        ({}, "merchant_id=?"),
        ({"after": AFTER}, "merchant_id=? AND (lang,country,sku)>(?,?,?)"),
        ({"lang": "de"}, "merchant_id=? AND lang=?"),
        ({"lang": "de", "after": AFTER}, "merchant_id=? AND lang=? AND (country,sku)>(?,?)"),
        ({"lang": "de", "country": "DE"}, "merchant_id=? AND lang=? AND country=?"),
        (
            {"lang": "de", "country": "DE", "after": AFTER},
            "merchant_id=? AND lang=? AND country=? AND sku>?",
        ),
        ({"country": "DE"}, "merchant_id=? AND lang=? AND country=?"),
        ({"country": "DE", "after": AFTER}, "merchant_id=? AND lang=? AND country=? AND sku>?"),
    ],
)
def test_a_page_begins_where_the_page_before_ended(
    query: dict[str, Any], found_by: str, plans: Callable[..., list[str]]
) -> None:
    steps = [step for step in plans(**query) if not BESIDE.search(step)]

    assert steps == [f"SEARCH products USING INDEX ix_products_skus ({found_by})"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_looks_each_wish_up_by_its_whole_key(app: Flask, shop: Shop) -> None:
    # As a join it would read all products for each wish while an import is not analysed yet.
    with app.app_context(), db.reading() as connection:
        merchant = merchants.merchant_by_id(
            connection, merchants.merchant_id(connection, shop.name) or 0
        )
        wishes = select(wanted.wanted_skus.c.sku).where(wanted.is_open())
        sql = wishes.where(wanted.wanted_skus.c.merchant_id == merchant.id).compile(
            connection.engine, compile_kwargs={"literal_binds": True}
        )
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {sql}").scalars())
        connection.exec_driver_sql("RESET enable_seqscan")

    assert "Join" not in plan
    assert " AND ".join(f"({name} = wanted_skus.{name})" for name in KEY) in plan
