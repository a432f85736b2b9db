"""``/catalogue``: what there is, for the operator and the merchant's curiosity."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.test import TestResponse

from jay import db
from jay.errors import Busy
from jay.products import catalogue
from jay.products.catalogue import Filters, Shown
from jay.products.search import Query
from tests.api.browser import Browser, problems_of, text_of
from tests.builders import OPERATOR_PASSWORD, Shop, add_operator
from tests.conftest import Apps

REMOTE = "https://cdn.mugs.example/mug.jpg"


@pytest.fixture
def demo(app: Flask, apps: Apps, database_url: str) -> Flask:
    """The same service in demo mode, in which anybody may look."""
    return apps.on(database_url, demo=True)


@pytest.fixture
def desk(demo: Flask) -> Browser:
    """Somebody's browser, in demo mode."""
    return Browser(demo)


def logged_in(app: Flask, name: str) -> Browser:
    browser = Browser(app)
    assert browser.submit("/login", name=name, password=OPERATOR_PASSWORD).status_code == 303
    return browser


def ids_of(page: TestResponse) -> list[str]:
    """Return the ids of the products of a list, in its order."""
    assert page.status_code == 200
    return [unescape(found) for found in _COPIED.findall(page.get_data(as_text=True))]


_COPIED = re.compile(r'<p class="id">.*?<code>([^<]+)</code>')


def names_of(page: TestResponse) -> list[str]:
    assert page.status_code == 200
    return re.findall(r'<h2 class="name"><a [^>]+>([^<]+)</a>', page.get_data(as_text=True))


def link(page: TestResponse, rel: str) -> str | None:
    """Return where the next or the previous page is."""
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page.get_data(as_text=True))
    return found and unescape(found[1])


def found_by(browser: Browser, **asked: str) -> list[str]:
    return names_of(browser.get("/catalogue?" + urlencode(asked)))


# --- who may look ---


def test_in_demo_mode_anybody_may_look_and_gets_no_cookie(desk: Browser, shop: Shop) -> None:
    identifier = shop.product("mug")

    for path in ("/catalogue", f"/catalogue/{identifier}"):
        page = desk.get(path)
        assert page.status_code == 200
        assert "Mug" in text_of(page)
        assert "Set-Cookie" not in page.headers


@pytest.mark.parametrize("path", ["/catalogue", "/catalogue?q=mug", "/catalogue/mugshop/de-DE/mug"])
def test_else_only_who_is_logged_in(path: str, app: Flask, shop: Shop) -> None:
    shop.product("mug")
    add_operator(app)

    response = Browser(app).get(path)

    assert (response.status_code, b"Mug" in response.data) == (303, False)
    assert response.headers["Location"].startswith("/login?next=/catalogue")
    assert logged_in(app, "olga").get(path).status_code == 200


def test_what_is_not_there_is_not_told_to_strangers(app: Flask) -> None:
    assert Browser(app).get("/catalogue/mugshop/de-DE/none").status_code == 303


def test_an_account_of_a_merchant_sees_nothing_of_another_one(
    app: Flask, shop: Shop, other_shop: Shop
) -> None:
    own, foreign = shop.product("mug"), other_shop.product("novel", lang="en", country="GB")
    add_operator(app, "molly", merchant="mugshop")
    molly = logged_in(app, "molly")

    everything = molly.get("/catalogue")
    assert ids_of(everything) == [own]
    assert "bookshop" not in everything.get_data(as_text=True)
    assert "en-GB" not in everything.get_data(as_text=True)
    assert molly.get(f"/catalogue/{foreign}").status_code == 404
    for asked in ("q=novel", "merchant=bookshop", "locale=en-GB", "q=bookshop/en-GB/novel"):
        assert ids_of(molly.get(f"/catalogue?{asked}")) == []
    # Not even where a foreign product stands in the order of names.
    for side in ("before", "after"):
        assert ids_of(molly.get(f"/catalogue?{side}={foreign}")) == [own]


def test_an_account_without_a_merchant_sees_all(app: Flask, shop: Shop, other_shop: Shop) -> None:
    ids = {shop.product("mug"), other_shop.product("novel")}
    add_operator(app)

    assert set(ids_of(logged_in(app, "olga").get("/catalogue"))) == ids


# --- search ---


@pytest.mark.parametrize(
    "typed",
    [
        "Blouson",
        "blouson",
        "BLOUSON hafen",
        "hafen louso",
        "über",
        "UBER",
        "Nordhalm",
        "NJ-12",
        "nj-12-xl",
        "mugshop/de-DE/NJ-12",
        "mugshop/de-DE/NJ-12-XL",
        "MUGSHOP/de-de/nj",
        "mugshop/de-DE/",
        "100%",
        "a_b",
        "  blouson  ",
    ],
)
def test_a_product_is_found(typed: str, desk: Browser, shop: Shop) -> None:
    shop.product(
        "NJ-12",
        name="Blouson Überhafen 100% a_b",
        description={"brand": {"name": "Nordhalm"}},
        variants=[{"sku": "NJ-12-XL", "type": "size", "value": "XL"}],
    )
    shop.product("mug", lang="en", country="GB")

    assert found_by(desk, q=typed) == ["Blouson Überhafen 100% a_b"]


@pytest.mark.parametrize(
    "typed",
    [
        "%",
        "_",
        "mug%",
        "m_g",
        "/",
        "mug novel",
        "bookshop/de-DE/mug",
        "mugshop/en-GB/mug",
        "'",
        "\\",
    ],
)
def test_nothing_else_is_found(typed: str, desk: Browser, shop: Shop, other_shop: Shop) -> None:
    shop.product("mug")
    other_shop.product("novel")

    page = desk.get("/catalogue?" + urlencode({"q": typed}))

    assert ids_of(page) == []
    assert "Nothing found" in text_of(page)


@pytest.mark.parametrize(
    "query",
    [
        {"q": "a\0b"},
        {"q": "x" * 10_000},
        {"q": " ".join("ab" * 3_000)},
        {"q": "%" * 5_000},
        {"q": "\U0001f600\u202e"},
        {"merchant": "\0", "locale": "\0", "state": "\0", "before": "\0", "after": "\0"},
        {"merchant": "x" * 10_000, "locale": "de", "state": "sold"},
        {"after": "x" * 10_000},
        {"before": "nothing/de-DE/there", "after": "nothing/de-DE/there"},
        {"lang": "xx", "unknown": "1"},
    ],
    ids=range(10),
)
def test_odd_input_is_harmless(query: dict[str, str], desk: Browser, shop: Shop) -> None:
    shop.product("mug")

    assert desk.get("/catalogue?" + urlencode(query)).status_code == 200


def test_what_was_searched_stands_in_the_field_and_runs_nowhere(desk: Browser) -> None:
    html = desk.get("/catalogue?q=%22%3E%3Cscript%3Ealert(1)</script>").get_data(as_text=True)

    assert "<script>alert" not in html
    assert 'value="&#34;&gt;&lt;script&gt;alert(1)' in html


def test_a_product_that_is_described_anew_is_found_by_its_new_words(
    desk: Browser, shop: Shop
) -> None:
    body = {"sku": "a", "name": "Old", "brand": "X", "variants": [{"sku": "a-red"}]}
    for changes in ({}, {"name": "New", "brand": "Y", "variants": [{"sku": "a-blue"}]}):
        assert shop.call("POST", "/shops/products", json=body | changes).status_code == 200

    assert [found_by(desk, q=word) for word in ("old", "x", "a-red")] == [[], [], []]
    assert [found_by(desk, q=word) for word in ("new", "y", "a-blue")] == [["New"]] * 3


def test_a_product_is_there_once_whatever_matches(desk: Browser, shop: Shop) -> None:
    shop.product("mug", variants=[{"sku": f"mug-{n}"} for n in range(5)])

    assert ids_of(desk.get("/catalogue?q=mug")) == ["mugshop/de-DE/mug"]


# --- filters ---


@pytest.fixture
def variety(shop: Shop, other_shop: Shop) -> None:
    """Have products of two merchants, in two languages, in all states."""
    shop.product("a", stock_count=3)
    shop.product("b", stock_count=0)
    shop.product("c", stock_count=-1, lang="en", country="GB")
    shop.product("d", not_shoppable=True)
    shop.product("e", variants=[{"sku": "e-1", "stock_count": 1}, {"sku": "e-0", "stock_count": 0}])
    other_shop.product("f", stock_count=None, lang="en", country="IE")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, "ABCDEF"),
        ({"merchant": "mugshop"}, "ABCDE"),
        ({"merchant": "nobody"}, ""),
        ({"locale": "en-GB"}, "C"),
        ({"locale": "en-IE"}, "F"),
        ({"locale": "de-AT"}, ""),
        ({"state": "sold-out"}, "BCE"),
        ({"state": "not-shoppable"}, "D"),
        ({"state": "sold-out", "merchant": "mugshop", "locale": "de-DE"}, "BE"),
        ({"state": "sold-out", "q": "e-0"}, "E"),
        ({"merchant": "bookshop", "q": "mugshop/de-DE/a"}, ""),
    ],
)
@pytest.mark.usefixtures("variety")
def test_a_filter_leaves_the_others_out(asked: dict[str, str], names: str, desk: Browser) -> None:
    assert found_by(desk, **asked) == list(names)


@pytest.mark.usefixtures("variety")
def test_the_filters_offer_what_there_is(desk: Browser) -> None:
    html = desk.get("/catalogue?merchant=mugshop&locale=en-GB").get_data(as_text=True)

    assert re.findall(r"<option( selected)?>([\w-]+)</option>", html) == [
        ("", "bookshop"),
        (" selected", "mugshop"),
    ]
    places = re.findall(r'<option value="([a-z]{2}-[A-Z]{2})"( selected)?>([^<]+)<', html)
    assert places == [
        ("de-DE", "", "German, Germany"),
        ("en-GB", " selected", "English, United Kingdom"),
        ("en-IE", "", "English, Ireland"),
    ]


# --- page by page ---


@pytest.fixture
def many(shop: Shop) -> list[str]:
    """Have 45 products, of which pairs have the same name; return their ids in order."""
    ids = [shop.product(f"sku-{n:02}", name=f"Name {n // 2:02}") for n in range(45)]
    return sorted(ids)


def walk(browser: Browser, path: str | None, rel: str) -> list[list[str]]:
    pages = []
    while path is not None:
        page = browser.get(path)
        pages.append(ids_of(page))
        path = link(page, rel)
    return pages


def test_all_products_are_on_the_pages_once_and_in_order(desk: Browser, many: list[str]) -> None:
    pages = walk(desk, "/catalogue", "next")

    assert pages == [many[:20], many[20:40], many[40:]]


def test_the_way_back_shows_the_same_pages(desk: Browser, many: list[str]) -> None:
    last = f"/catalogue?after={many[39]}"

    assert walk(desk, last, "prev") == [many[40:], many[20:40], many[:20]]


def test_the_ends_have_no_link_that_leads_on(desk: Browser, many: list[str]) -> None:
    first, last = desk.get("/catalogue"), desk.get(f"/catalogue?after={many[39]}")

    assert (link(first, "prev"), link(last, "next")) == (None, None)
    assert link(desk.get(f"/catalogue?before={many[20]}"), "prev") is None


def test_what_is_added_meanwhile_neither_repeats_nor_hides_others(
    desk: Browser, many: list[str], shop: Shop
) -> None:
    first = desk.get("/catalogue")
    shop.product("new-1", name="Aaa")
    shop.product("new-2", name="Zzz")

    rest = walk(desk, link(first, "next"), "next")

    assert [one for page in rest for one in page] == [*many[20:], "mugshop/de-DE/new-2"]


def test_at_the_beginning_the_page_before_is_a_whole_one(
    desk: Browser, many: list[str], shop: Shop
) -> None:
    assert ids_of(desk.get(f"/catalogue?before={many[5]}")) == many[:20]


@pytest.fixture
def short_of_breath(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at ten products at the most, in portions of two and four."""
    monkeypatch.setattr(catalogue, "PORTIONS", (2, 4))
    monkeypatch.setattr(catalogue, "MOST_LOOKED_AT", 10)


@pytest.mark.parametrize("which", [range(45), range(0, 45, 3), [0, 44], [20], []], ids=str)
@pytest.mark.usefixtures("short_of_breath")
def test_looking_for_what_is_sold_out_goes_on_from_page_to_page(
    which: list[int], desk: Browser, shop: Shop
) -> None:
    for number in range(45):
        shop.product(f"sku-{number:02}", stock_count=0 if number in which else 1)
    wanted = [f"mugshop/de-DE/sku-{number:02}" for number in which]

    pages = walk(desk, "/catalogue?state=sold-out", "next")

    assert [one for page in pages for one in page] == wanted
    last = f"/catalogue?state=sold-out&before={shop.product('sku-99')}"
    back = walk(desk, last, "prev")
    assert sorted({one for page in back for one in page}) == wanted


@pytest.mark.usefixtures("short_of_breath")
def test_a_page_without_any_says_that_the_next_goes_on(desk: Browser, shop: Shop) -> None:
    for number in range(12):
        shop.product(f"sku-{number:02}", stock_count=0 if number == 11 else 1)

    page = desk.get("/catalogue?state=sold-out")

    assert "Nothing found so far" in text_of(page)
    assert ids_of(desk.get(str(link(page, "next")))) == ["mugshop/de-DE/sku-11"]


def test_behind_the_end_there_is_a_way_back(desk: Browser, many: list[str]) -> None:
    page = desk.get(f"/catalogue?after={many[-1]}")

    assert ids_of(page) == []
    assert ids_of(desk.get(str(link(page, "prev")))) == many[24:44]


def test_what_was_asked_for_is_kept_from_page_to_page(desk: Browser, many: list[str]) -> None:
    asked = "/catalogue?q=name&merchant=mugshop&locale=de-DE"

    pages = walk(desk, asked, "next")

    assert [len(page) for page in pages] == [20, 20, 5]
    following = link(desk.get(asked), "next")
    assert following is not None
    assert "q=name" in following
    assert walk(desk, following, "prev")[-1] == many[:20]


def test_few_products_are_counted(desk: Browser, shop: Shop) -> None:
    shop.product("mug")
    assert "1 product " in text_of(desk.get("/catalogue"))
    shop.product("tea")
    assert "2 products " in text_of(desk.get("/catalogue"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(query=Query(("mug",))),
        Filters(merchant="mugshop"),
        Filters(lang="de", country="DE"),
        Filters(state=Shown.NOT_SHOPPABLE),
        Filters(query=Query(("mug", "tea")), merchant="mugshop", lang="de", country="DE"),
    ],
)
@pytest.mark.parametrize("side", ["before", "after"])
def test_a_page_is_read_along_one_index_without_sorting(
    side: str, filters: Filters, app: Flask, shop: Shop
) -> None:
    identifier = shop.product("mug")
    with app.app_context(), db.reading() as connection:
        query = catalogue._matching(connection, filters)
        position = catalogue._position(connection, identifier, None)
        seen: list[str] = []
        engine_execute = connection.execute

        def explain(statement: Any) -> Any:
            sql = statement.compile(connection.engine, compile_kwargs={"literal_binds": True})
            seen.extend(row[3] for row in engine_execute(text(f"EXPLAIN QUERY PLAN {sql}")))
            return engine_execute(statement)

        connection.execute = explain  # type: ignore[method-assign]
        catalogue._find(connection, query, position, backwards=side == "before")

    index = "SEARCH products USING COVERING INDEX ix_products_catalogue "
    assert [step.partition("(")[0] for step in seen] == [index]


# --- what a product says ---


def test_price_stock_and_brand_are_told(desk: Browser, shop: Shop) -> None:
    shop.product("a", price=1000, org_price=1500, stock_count=1234, description={"brand": "Teewig"})

    said = text_of(desk.get("/catalogue"))

    assert "€10.00 1,234 left" in said
    assert "1,234 left" in said
    assert "Teewig" in said


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"stock_count": 0}, "Sold out"),
        ({"stock_count": -3}, "Sold out"),
        ({"stock_count": None}, "Unlimited"),
        ({"not_shoppable": True}, "Not for sale"),
        ({"price": None}, "No price"),
    ],
)
def test_each_state_has_its_words(
    fields: dict[str, Any], said: str, desk: Browser, shop: Shop
) -> None:
    identifier = shop.product("a", **fields)

    for path in ("/catalogue", f"/catalogue/{identifier}"):
        assert f" {said} " in text_of(desk.get(path)).partition("Show all")[0] + " "
        assert said in desk.get(path).get_data(as_text=True)


def test_what_nobody_has_set_is_said_to_be_unset(desk: Browser, shop: Shop) -> None:
    shop.call("POST", "/shops/products", json={"sku": "bare", "name": "Bare"})

    said = text_of(desk.get("/catalogue"))

    assert "Stock not set" in said
    assert "No price" in said


def test_variants_have_their_own_price_and_stock_or_their_products(
    desk: Browser, shop: Shop
) -> None:
    shop.product(
        "a",
        variants=[
            {"sku": "a-s", "value": "S", "price": 990, "stock_count": 0},
            {"sku": "a-m", "value": "M"},
        ],
    )

    said = text_of(desk.get("/catalogue"))

    assert "2 variants, 1 sold out" in said
    assert "S €9.90 Sold out" in said
    assert "M €12.50 10 left" in said


def test_of_very_many_variants_the_list_shows_the_first(desk: Browser, shop: Shop) -> None:
    variants = [{"sku": f"a-{n}", "value": f"value-{n}"} for n in range(50)]
    identifier = shop.product("a", variants=variants)

    listed, whole = text_of(desk.get("/catalogue")), text_of(desk.get(f"/catalogue/{identifier}"))

    assert "50 variants" in listed
    assert "42 more variants" in listed
    assert ("value-7 " in listed, "value-8 " in listed) == (True, False)
    assert all(f"value-{n} " in whole for n in range(50))


@pytest.mark.parametrize(
    ("language", "day", "minute"),
    [
        ("en", "4 Jun 2025", "4 Jun 2025, 11:58 UTC"),
        ("de", "04.06.2025", "04.06.2025, 11:58 UTC"),
    ],
)
def test_when_prices_and_stock_were_observed_is_told_in_the_pages_language(
    language: str, day: str, minute: str, demo: Flask, shop: Shop
) -> None:
    identifier = shop.product("a", variants=[{"sku": "a-s"}])
    told = {"sku": "a", "price": 990, "stockCount": 3}
    body = {"products": [told], "asOf": "2025-06-04T11:58:00Z"}
    browser = Browser(demo, language=language)
    with demo.app_context(), db.transaction() as connection:
        connection.execute(text("UPDATE products SET price_as_of = NULL, stock_as_of = NULL"))
    stored = {"en": "Stored: 4 Jun 2025", "de": "Gespeichert: 04.06.2025"}[language]
    assert stored in text_of(browser.get("/catalogue"))

    assert shop.call("PATCH", "/shops/products", json=body).status_code == 200

    label = {"en": "Price and stock:", "de": "Preis und Bestand:"}[language]
    assert f"{label} {day}" in text_of(browser.get("/catalogue"))
    assert minute in text_of(browser.get(f"/catalogue/{identifier}"))


# --- pictures ---


def test_a_picture_of_this_service_is_shown(desk: Browser, shop: Shop) -> None:
    url = "http://localhost/static/demo/mug.svg"
    shop.product("a", description={"images": [{"url": url}]})

    html = desk.get("/catalogue").get_data(as_text=True)

    assert '<img src="/static/demo/mug.svg" alt="" width="240" height="240" loading="lazy">' in html


def test_a_picture_elsewhere_is_named_and_never_loaded(desk: Browser, shop: Shop) -> None:
    identifier = shop.product("a", description={"images": [{"url": REMOTE}]})

    for path in ("/catalogue", f"/catalogue/{identifier}"):
        page = desk.get(path)
        assert "Picture at cdn.mugs.example" in text_of(page)
        assert "<img" not in page.get_data(as_text=True)


# --- one product ---


def everything(shop: Shop) -> str:
    body = {
        "sku": "all",
        "name": "Everything",
        "price": 1990,
        "orgPrice": 2990,
        "stockCount": 7,
        "vat": 7.5,
        "brand": {"name": "Nordhalm", "logoUrl": "https://cdn.mugs.example/logo.png"},
        "subLine": "Brushed inside",
        "description": "First line.\n<b>Second</b> line.",
        "gender": {"code": 2, "label": "Ladies"},
        "material": "Linen",
        "colour": "red",
        "colourCode": 0xB42625,
        "fit": "slim",
        "url": "https://shop.mugs.example/all",
        "urlLabel": "To the shop",
        "urlNote": "While stocks last",
        "urlImageUrl": "https://cdn.mugs.example/note.png",
        "images": [{"url": REMOTE, "copyrightText": "Mugs Inc."}],
        "shippingModel": {
            "shippingFlatRate": 490,
            "shippingPerItem": 50,
            "shippingScale": [{"start": 5, "price": 210}],
            "orderLimit": 3,
        },
        "variants": [{"sku": "all-m", "type": "size", "value": "M"}],
    }
    response = shop.call("POST", "/shops/products", json=body)
    assert response.status_code == 200, response.json
    identifier: str = response.json["data"]["productId"]
    return identifier


def test_everything_that_is_stored_is_told(desk: Browser, shop: Shop) -> None:
    page = desk.get(f"/catalogue/{everything(shop)}")

    said = text_of(page)
    for part in (
        *("Everything", "€19.90", "€29.90", "7 left", "7.5%", "Nordhalm", "Brushed inside"),
        *("First line. Second line.", "Ladies", "Linen", "red", "#b42625", "slim"),
        *("To the shop", "While stocks last", "Mugs Inc.", REMOTE, "mugshop/de-DE/all"),
        *("€4.90", "€0.50", "from 5 pieces on €2.10", "Most in one order 3", "German, Germany"),
        *("https://cdn.mugs.example/logo.png", "https://cdn.mugs.example/note.png", "mugshop"),
        *("mugshop/de-DE/all-m", "Size M", "4 Jun 2025"),
    ):
        assert part in said, part
    assert "<b>" not in page.get_data(as_text=True)
    assert 'href="https://shop.mugs.example/all" rel="noopener noreferrer nofollow"' in (
        page.get_data(as_text=True)
    )


def test_the_id_of_a_variant_leads_to_its_product(desk: Browser, shop: Shop) -> None:
    everything(shop)

    page = desk.get("/catalogue/mugshop/de-DE/all-m")

    assert "Everything" in text_of(page)
    assert '<tr class="chosen">' in page.get_data(as_text=True)


@pytest.mark.parametrize(
    "path", ["x", "mugshop/de-DE/none", "mugshop/de-DE/a-old", "%00", "x" * 5_000]
)
def test_what_there_is_not_is_said_to_be_gone(path: str, desk: Browser, shop: Shop) -> None:
    for variant in ("a-old", "a-new"):
        shop.product("a", variants=[{"sku": variant}])

    page = desk.get(f"/catalogue/{path}")

    assert page.status_code == 404
    assert "No such product" in text_of(page)
    assert 'href="/catalogue"' in page.get_data(as_text=True)


@pytest.mark.parametrize(
    "sku", ["a b", "a/b", "a//b", "a?b#c", "100%", "%2F", "ü€😀", "a&b=c", '"><i>', "a\\b", "+"]
)
def test_the_link_of_a_product_works_whatever_its_sku(sku: str, desk: Browser, shop: Shop) -> None:
    identifier = shop.product(sku, name="Odd")
    page = desk.get("/catalogue?q=odd")
    found = re.search(r'<h2 class="name"><a href="([^"]+)"', page.get_data(as_text=True))
    assert found is not None

    opened = desk.get(unescape(found[1]))

    assert (ids_of(page), opened.status_code) == ([identifier], 200)
    assert "Odd" in text_of(opened)


def test_the_way_back_remembers_the_search(desk: Browser, shop: Shop) -> None:
    identifier = shop.product("mug")

    html = desk.get(f"/catalogue/{identifier}?q=mug&state=sold-out").get_data(as_text=True)

    assert 'href="/catalogue?q=mug&amp;state=sold-out"' in html


# --- every page ---


@pytest.fixture
def pages(desk: Browser, shop: Shop) -> Callable[[], dict[str, TestResponse]]:
    """Open every page of the catalogue."""

    def opened() -> dict[str, TestResponse]:
        empty = desk.get("/catalogue")
        shop.product("mug", name="<script>alert(1)</script>{{7*7}}")
        return {
            "empty": empty,
            "list": desk.get("/catalogue"),
            "none": desk.get("/catalogue?q=zeppelin"),
            "product": desk.get("/catalogue/mugshop/de-DE/mug"),
            "gone": desk.get("/catalogue/mugshop/de-DE/gone"),
        }

    return opened


def test_every_page_is_strict_and_kept_by_nobody(
    pages: Callable[[], dict[str, TestResponse]],
) -> None:
    for name, page in pages().items():
        assert problems_of(page) == [], name
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'"), name
        assert page.headers["Cache-Control"] == "no-store", name
        assert page.headers["Referrer-Policy"] == "no-referrer", name


def test_names_are_shown_and_never_run(pages: Callable[[], dict[str, TestResponse]]) -> None:
    opened = pages()

    for name in ("list", "product"):
        html = opened[name].get_data(as_text=True)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "{{7*7}}" in html
        assert "<script>alert" not in html


def test_an_empty_catalogue_says_what_will_come(
    pages: Callable[[], dict[str, TestResponse]],
) -> None:
    assert "No products yet" in text_of(pages()["empty"])


def test_a_busy_database_is_told_as_these_pages_do(
    desk: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_args: Any, **_more: Any) -> None:
        raise Busy

    monkeypatch.setattr(catalogue, "find_page", busy)

    page = desk.get("/catalogue")

    assert page.status_code == 503
    assert "One moment" in text_of(page)
    assert "css/catalogue.css" in page.get_data(as_text=True)


def test_a_slash_at_the_end_is_forgiven(desk: Browser) -> None:
    assert desk.get("/catalogue/").headers["Location"] == "/catalogue"
