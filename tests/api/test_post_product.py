"""``POST /v1/shops/products``: full product descriptions."""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from jay import db
from jay.errors import (
    MalformedRequest,
    PayloadTooLarge,
    SkuTaken,
    UnsupportedMediaType,
    ValidationFailed,
)
from jay.merchants import service as merchants
from jay.products import feeding
from tests.api.checks import assert_refused, body, field_errors, rows
from tests.api.feed import details, post, stored
from tests.builders import Shop, User
from tests.clock import NOON, PATIENCE_SECONDS

# As printed in the public description; placeholders ("string") are replaced where they can't stand.
PRINTED = {
    "sku": "TO122S074-A12",
    "stockCount": 0,
    "price": 2799,
    "orgPrice": 3599,
    "lang": "de",
    "country": "DE",
    "currency": "EUR",
    "shippingModel": {
        "shippingFlatRate": 499,
        "shippingPerItem": 0,
        "shippingScale": [{"start": 0, "price": 399}],
        "orderLimit": 0,
    },
    "vat": 19,
    "name": "LOGO - Kapuzenpullover - white",
    "brand": "Tommy Hilfiger",
    "subLine": "string",
    "description": "Softfinish innen, Kängurutasche\n\nKragen: Kapuze\nÄrmelbündchen: Gerippt",
    "gender": 2,
    "material": "100% linen",
    "colour": "red",
    "colourCode": 11806517,
    "fit": "slim",
    "notShoppable": True,
    "url": "https://shop.example/hoodie",
    "urlLabel": "string",
    "urlNote": "string",
    "urlImageUrl": "https://shop.example/link.png",
    "images": [{"url": "https://shop.example/hoodie.jpg", "copyrightText": "transfermedia GmbH."}],
    "variants": [
        {
            "sku": "TO122S074-A12-65",
            "stockCount": 0,
            "price": 2799,
            "orgPrice": 3599,
            "value": "6½",
            "type": "size",
        }
    ],
}


def test_the_printed_example_is_stored_as_it_was_sent(shop: Shop, alice: User) -> None:
    response = shop.call("POST", "/shops/products", json=PRINTED)

    assert response.status_code == 200
    main, variant = "mugshop/de-DE/TO122S074-A12", "mugshop/de-DE/TO122S074-A12-65"
    assert response.json["data"] == {
        "productId": main,
        "variants": [{"sku": "TO122S074-A12-65", "productId": variant}],
    }
    found = details(alice, main)
    not_shown = {"sku", "stockCount", "shippingModel", "variants"}
    assert {name: found[name] for name in PRINTED if name not in not_shown} == {
        name: value for name, value in PRINTED.items() if name not in not_shown
    }
    assert found["currentStockCount"] == 0
    assert found["variants"] == [
        {
            "productId": variant,
            "type": "size",
            "value": "6½",
            "price": 2799,
            "orgPrice": 3599,
            "lowestPrice30": None,
            "currentStockCount": 0,
        }
    ]


def test_sku_and_name_are_enough(shop: Shop, alice: User) -> None:
    response = shop.call("POST", "/shops/products", json={"sku": "mug", "name": "Mug"})

    assert response.json == {"data": {"productId": "mugshop/de-DE/mug", "variants": []}}
    found = details(alice, "mugshop/de-DE/mug")
    assert (found["lang"], found["country"], found["currency"]) == ("de", "DE", "EUR")
    assert (found["price"], found["orgPrice"], found["vat"]) == (None, None, 0.0)
    assert (found["notShoppable"], found["images"], found["brand"]) == (False, [], None)


@pytest.mark.parametrize("missing", ["sku", "name"])
def test_sku_and_name_are_required(missing: str, shop: Shop) -> None:
    fields = {"sku": "mug", "name": "Mug"}
    del fields[missing]

    assert list(field_errors(shop.call("POST", "/shops/products", json=fields))) == [missing]


def test_what_is_absent_the_second_time_keeps_its_price_and_stock(shop: Shop, alice: User) -> None:
    mug = post(
        shop,
        price=900,
        orgPrice=1000,
        stockCount=5,
        currency="GBP",
        vat=7,
        shippingModel={"orderLimit": 2},
        variants=[{"sku": "mug-s", "price": 800, "stockCount": 3}],
    )

    post(shop, variants=[{"sku": "mug-s"}])

    found = details(alice, mug)
    assert (found["price"], found["orgPrice"], found["currentStockCount"]) == (900, 1000, 5)
    assert (found["currency"], found["vat"]) == ("GBP", 7.0)
    assert found["variants"][0]["price"] == 800
    assert found["variants"][0]["currentStockCount"] == 3
    assert alice.put(mug, 3).json["error"]["details"]["constant"] == "ORDER_LIMIT"


def test_what_describes_the_product_is_replaced_as_a_whole(shop: Shop, alice: User) -> None:
    mug = post(shop, colour="red", brand="Nord", notShoppable=True, images=PRINTED["images"])

    post(shop, name="Becher", material="Ton")

    found = details(alice, mug)
    assert (found["name"], found["material"]) == ("Becher", "Ton")
    assert (found["colour"], found["brand"], found["images"]) == (None, None, [])
    assert found["notShoppable"] is False


def test_a_stock_of_null_is_without_limit(shop: Shop, alice: User) -> None:
    mug = post(shop, stockCount=3)
    assert details(alice, mug)["currentStockCount"] == 3

    post(shop, stockCount=None)

    assert details(alice, mug)["currentStockCount"] is None
    assert details(alice, mug)["outOfStock"] is False


def test_a_variant_without_limit_does_not_take_the_stock_of_its_main_product(
    shop: Shop, alice: User
) -> None:
    post(shop, stockCount=0, variants=[{"sku": "s", "stockCount": None}, {"sku": "m"}])

    free, taken = details(alice, "mugshop/de-DE/mug")["variants"]

    assert (free["currentStockCount"], taken["currentStockCount"]) == (None, 0)


@pytest.mark.parametrize("stock", [0, -1, -(2**31) + 1])
def test_a_stock_of_zero_or_less_is_out_of_stock(stock: int, shop: Shop, alice: User) -> None:
    found = details(alice, post(shop, stockCount=stock))

    assert (found["outOfStock"], found["currentStockCount"]) == (True, 0)


def test_the_largest_numbers_are_stored(shop: Shop, alice: User) -> None:
    most, largest = 2**31 - 1, 10**12
    found = details(alice, post(shop, price=largest, orgPrice=largest, stockCount=most))

    assert (found["price"], found["orgPrice"]) == (largest, largest)
    assert found["currentStockCount"] == most
    sku = {"sku": "mug", "price": largest - 1}
    assert shop.call("PATCH", "/shops/products", json={"products": [sku]}).status_code == 200
    assert details(alice, "mugshop/de-DE/mug")["price"] == largest - 1


def test_a_price_of_zero_and_one_above_the_original_are_stored(shop: Shop, alice: User) -> None:
    assert details(alice, post(shop, price=0))["price"] == 0
    found = details(alice, post(shop, price=2000, orgPrice=1000))
    assert (found["price"], found["orgPrice"]) == (2000, 1000)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("sent", "stored_as"),
    [
        *(("€", "EUR"), ("$", "USD"), ("£", "GBP"), ("¥", "JPY"), ("EUR", "EUR"), ("JPY", "JPY")),
        # Money of several countries begins with X, too.
        *(("XAF", "XAF"), ("XCD", "XCD"), ("XOF", "XOF"), ("XPF", "XPF")),
    ],
)
def test_currency_symbols_become_their_codes(
    sent: str, stored_as: str, shop: Shop, alice: User
) -> None:
    assert details(alice, post(shop, currency=sent))["currency"] == stored_as


@pytest.mark.parametrize(
    "brand", ["Nord", {"name": "Nord"}, {"name": "N", "logoUrl": "https://x.example"}]
)
def test_a_brand_is_a_text_or_an_object(brand: Any, shop: Shop, alice: User) -> None:
    found = details(alice, post(shop, brand=brand))["brand"]

    assert found == (brand if isinstance(brand, str) else {"logoUrl": None, **brand})


@pytest.mark.one_database
@pytest.mark.parametrize("gender", [1, 2, 3, 4, {"code": 4}, {"code": 1, "label": "Herren"}])
def test_a_gender_is_a_code_or_an_object(gender: Any, shop: Shop, alice: User) -> None:
    assert details(alice, post(shop, gender=gender))["gender"] == gender


@pytest.mark.parametrize(
    "text",
    [
        "Größe 6½",
        "שלום",
        "مرحبا",
        "😀👩‍👩‍👧",
        "a\r\n\tb",
        "< script >",
        "'; DROP TABLE products",
        "\u200b\ufeff",
    ],
)
def test_any_text_is_stored_to_the_letter(text: str, shop: Shop, alice: User) -> None:
    found = details(alice, post(shop, name=text, description=text, colour=text, brand=text))

    assert {found[name] for name in ("name", "description", "colour", "brand")} == {text}


# --- variants ---


def test_the_variant_set_is_replaced(shop: Shop, alice: User) -> None:
    mug = post(shop, price=1, variants=[{"sku": "s", "value": "S"}, {"sku": "m", "value": "M"}])

    post(shop, variants=[{"sku": "l", "value": "L"}, {"sku": "m", "value": "Medium"}])

    values = [(v["productId"], v["value"]) for v in details(alice, mug)["variants"]]
    assert values == [("mugshop/de-DE/l", "L"), ("mugshop/de-DE/m", "Medium")]
    assert details(alice, "mugshop/de-DE/s")["currentStockCount"] == -1


@pytest.mark.parametrize("more", [{}, {"variants": []}])
def test_without_variants_there_are_none_any_more(
    more: dict[str, Any], shop: Shop, alice: User
) -> None:
    mug = post(shop, variants=[{"sku": "s"}])

    post(shop, **more)

    assert details(alice, mug)["variants"] == []


def test_50_variants_are_accepted_and_51_are_not(app: Flask, shop: Shop) -> None:
    variants = [{"sku": f"mug-{number}"} for number in range(51)]

    found = field_errors(stored(shop, variants=variants))
    assert list(found) == ["variants"]
    assert rows(app, "products") == 0

    assert len(stored(shop, variants=variants[:50]).json["data"]["variants"]) == 50


@pytest.mark.parametrize(
    ("sku", "variants"),
    [
        ("hat", ["x", "x"]),
        ("hat", ["hat"]),
        ("hat", ["mug"]),
        ("mug", ["mug-s", "mug"]),
    ],
)
def test_a_sku_can_not_stand_for_two_things(
    sku: str, variants: list[str], app: Flask, shop: Shop, alice: User
) -> None:
    mug = post(shop, name="Mug", variants=[{"sku": "mug-s", "value": "S"}])
    before = details(alice, mug), rows(app, "products")

    response = stored(shop, sku=sku, name="New", variants=[{"sku": s} for s in variants])

    assert_refused(response, SkuTaken)
    assert (details(alice, mug), rows(app, "products")) == before


def test_the_same_sku_in_another_language_or_country_is_another_product(
    shop: Shop, alice: User
) -> None:
    ids = [
        post(shop, name=f"{lang}-{country}", lang=lang, country=country)
        for lang, country in (("de", "DE"), ("de", "AT"), ("en", "GB"))
    ]

    assert ids == ["mugshop/de-DE/mug", "mugshop/de-AT/mug", "mugshop/en-GB/mug"]
    assert [details(alice, p)["name"] for p in ids] == ["de-DE", "de-AT", "en-GB"]


def test_two_merchants_may_have_the_same_skus(shop: Shop, other_shop: Shop, alice: User) -> None:
    mine = post(shop, name="Mine", price=1, variants=[{"sku": "s"}])
    theirs = post(other_shop, name="Theirs", price=2, variants=[{"sku": "s"}])

    assert (mine, theirs) == ("mugshop/de-DE/mug", "bookshop/de-DE/mug")
    assert details(alice, mine)["name"] == "Mine"
    assert details(alice, theirs)["price"] == 2
    post(other_shop, variants=[])
    assert len(details(alice, mine)["variants"]) == 1


# --- what is refused ---

REFUSED = [
    ("sku", '""'),
    ("sku", "1"),
    ("sku", "null"),
    ("sku", '"' + "x" * 201 + '"'),
    ("sku", '" "'),
    ("sku", r'"\u00a0\u3000"'),
    ("sku", r'"a\u0000b"'),
    ("sku", r'"a\nb"'),
    ("name", '""'),
    ("name", '" "'),
    ("name", r'"\t\n\u2003"'),
    ("name", "null"),
    ("name", r'"a\u0000b"'),
    ("name", '"' + "x" * 501 + '"'),
    ("price", "-1"),
    ("price", "1000000000001"),
    ("price", "9" * 30),
    ("price", "1.0"),
    ("price", "27.99"),
    ("price", '"2799"'),
    ("price", "true"),
    ("price", "null"),
    ("orgPrice", "-1"),
    ("orgPrice", "1000000000001"),
    ("stockCount", "2147483648"),
    ("stockCount", "-2147483648"),
    ("stockCount", "1.5"),
    ("stockCount", '"1"'),
    ("stockCount", "false"),
    ("vat", "-0.1"),
    ("vat", "1001"),
    ("vat", '"19"'),
    ("vat", "true"),
    ("lang", '"DE"'),
    ("lang", '"xx"'),
    ("lang", '"deu"'),
    ("lang", '"de\\n"'),
    ("lang", '""'),
    ("lang", "1"),
    ("country", '"de"'),
    ("country", '"XX"'),
    ("country", '"UK"'),
    ("country", '"DEU"'),
    ("country", '"ZZ"'),
    ("currency", '"eur"'),
    ("currency", '"EU"'),
    ("currency", '"QQQ"'),
    ("currency", '"€€"'),
    ("currency", '"XXX"'),
    ("currency", '"XTS"'),
    ("currency", '"XAU"'),
    ("currency", '"XDR"'),
    ("currency", '""'),
    ("gender", "0"),
    ("gender", "5"),
    ("gender", '"male"'),
    ("gender", "true"),
    ("gender", '{"code": 5}'),
    ("gender", '{"label": "x"}'),
    ("brand", "1"),
    ("brand", '["Nord"]'),
    ("brand", "{}"),
    ("brand", '{"name": ""}'),
    ("brand", '{"name": " "}'),
    ("brand", '{"name": "N", "logoUrl": "javascript:alert(1)"}'),
    ("brand", '{"name": "N", "country": "DE"}'),
    ("brand", r'"a\u0000b"'),
    ("colourCode", "-1"),
    ("colourCode", "16777216"),
    ("colourCode", '"red"'),
    ("notShoppable", "1"),
    ("notShoppable", '"true"'),
    ("notShoppable", "null"),
    ("url", '"javascript:alert(1)"'),
    ("url", '"JaVaScRiPt:alert(1)"'),
    ("url", '" javascript:alert(1)"'),
    ("url", '"data:text/html,x"'),
    ("url", '"//shop.example"'),
    ("url", '"shop.example"'),
    ("url", '"https://"'),
    ("url", '"https://user:pw@shop.example"'),
    ("url", '"https://shop.example/a b"'),
    ("url", r'"https://shop.example/\u0000"'),
    ("urlImageUrl", '"javascript:alert(1)"'),
    ("images", '[{"url": "javascript:alert(1)"}]'),
    ("images", '[{"copyrightText": "x"}]'),
    ("images", '[{"url": "https://x.example", "width": 1}]'),
    ("images", '["https://x.example"]'),
    ("images", "{}"),
    ("description", r'"a\u0000b"'),
    ("description", '"' + "x" * 20_001 + '"'),
    ("description", "1"),
    ("shippingModel", "1"),
    ("shippingModel", '{"shippingFlatRate": -1}'),
    ("shippingModel", '{"shippingFlatRate": 1.5}'),
    ("shippingModel", '{"shippingPerItem": "1"}'),
    ("shippingModel", '{"orderLimit": -1}'),
    ("shippingModel", '{"shippingScale": [{"start": -1}]}'),
    ("shippingModel", '{"shippingScale": [{"from": 1}]}'),
    ("shippingModel", '{"flatRate": 1}'),
    ("variants", "null"),
    ("variants", "[1]"),
    ("variants", "[{}]"),
    ("variants", '[{"sku": ""}]'),
    ("variants", '[{"sku": " "}]'),
    ("variants", '[{"sku": "s", "price": -1}]'),
    ("variants", '[{"sku": "s", "name": "S"}]'),
    ("variants", r'[{"sku": "s", "value": "\u0000"}]'),
    ("productId", '"mine"'),
    ("merchant_id", "1"),
    ("stock_count", "1"),
]


@pytest.mark.parametrize(("field", "value"), REFUSED)
@pytest.mark.one_database
def test_what_is_wrong_is_named_and_nothing_is_stored(
    field: str, value: str, app: Flask, shop: Shop
) -> None:
    fields = {"sku": '"mug"', "name": '"Mug"', field: value}
    text = "{" + ", ".join(f'"{name}": {content}' for name, content in fields.items()) + "}"

    response = shop.call("POST", "/shops/products", **body(text))

    assert list(field_errors(response)) == [field]
    assert rows(app, "products") == 0


@pytest.mark.parametrize(
    "text",
    [
        '{"sku": "mug", "name": "Mug", "vat": NaN}',
        '{"sku": "mug", "name": "Mug", "vat": Infinity}',
        '{"sku": "mug", "name": "Mug", "vat": -Infinity}',
        r'{"sku": "mug", "name": "\ud800"}',
        r'{"sku": "\udfff", "name": "Mug"}',
        b'{"sku": "mug", "name": "\xff"}',
        '{"sku": "mug", "name": "Größe"}'.encode("latin-1"),
        '{"sku": "mug", "name": "Mug"}'.encode("utf-16"),
        '{"sku": "mug", "name": "Mug"',
        "{'sku': 'mug', 'name': 'Mug'}",
        "{sku: 1}",
        "name=Mug",
        "[" * 100_000,
        '{"sku":' * 10_000,
    ],
)
@pytest.mark.one_database
def test_what_is_no_json_is_malformed(text: str | bytes, app: Flask, shop: Shop) -> None:
    assert_refused(shop.call("POST", "/shops/products", **body(text)), MalformedRequest)
    assert rows(app, "products") == 0


@pytest.mark.parametrize("vat", ["1e309", "-1e309", "1e999999"])
def test_a_number_beyond_all_floats_is_refused(vat: str, shop: Shop) -> None:
    text = f'{{"sku": "mug", "name": "Mug", "vat": {vat}}}'

    response = shop.call("POST", "/shops/products", **body(text))

    assert response.json["error"]["code"] in {MalformedRequest.code, ValidationFailed.code}


@pytest.mark.parametrize("text", ["[]", "1", "null", '"mug"'])
@pytest.mark.one_database
def test_a_document_of_another_kind_is_refused(text: str, shop: Shop) -> None:
    assert_refused(shop.call("POST", "/shops/products", **body(text)), ValidationFailed)


def test_a_missing_body_is_refused(shop: Shop) -> None:
    assert set(field_errors(shop.call("POST", "/shops/products"))) == {"sku", "name"}


def test_a_body_of_more_than_a_mebibyte_is_refused(app: Flask, shop: Shop) -> None:
    start = '{"sku": "mug", "name": "Mug", "description": "'
    fitting = start + "x" * (1024 * 1024 - len(start) - 2) + '"}'

    assert_refused(shop.call("POST", "/shops/products", **body(fitting)), ValidationFailed)
    assert_refused(shop.call("POST", "/shops/products", **body(fitting + " ")), PayloadTooLarge)
    assert rows(app, "products") == 0


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "text/json", "", None]
)
@pytest.mark.one_database
def test_a_body_of_another_media_type_is_refused(content_type: str | None, shop: Shop) -> None:
    text = '{"sku": "mug", "name": "Mug"}'

    response = shop.call("POST", "/shops/products", data=text, content_type=content_type)

    assert_refused(response, UnsupportedMediaType)


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/merge-patch+json"]
)
def test_json_may_be_called_by_its_other_names(content_type: str, shop: Shop) -> None:
    text = '{"sku": "mug", "name": "Mug"}'

    response = shop.call("POST", "/shops/products", data=text, content_type=content_type)

    assert response.status_code == 200


def test_several_wrong_fields_are_all_named(shop: Shop) -> None:
    response = stored(shop, price=-1, vat="x", colur="red", variants=[{"sku": "s"}, {"sku": 1}])

    found = field_errors(response)

    assert set(found) == {"price", "vat", "colur", "variants"}
    assert list(found["variants"]) == ["1"]
    assert list(found["variants"]["1"]) == ["sku"]


def test_addresses_are_stored_and_never_fetched(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda *args: called.append(args))
    inside = "http://169.254.169.254/latest/meta-data"

    response = stored(
        shop,
        url=inside,
        urlImageUrl="http://127.0.0.1:9/x.png",
        images=[{"url": "http://[::1]/x.png"}],
    )

    assert response.status_code == 200
    assert called == []


def test_a_shop_writes_under_its_own_name_only(
    shop: Shop, other_shop: Shop, client: FlaskClient, alice: User
) -> None:
    mug = post(shop, name="Mine")

    post(other_shop, sku="../../mugshop/de-DE/mug", name="Theirs")

    assert details(alice, mug)["name"] == "Mine"


def test_of_two_products_at_once_that_claim_a_variant_the_later_one_has_it(
    app: Flask, shop: Shop, alice: User
) -> None:
    there = replace(shop, client=app.test_client())
    with ThreadPoolExecutor(1) as pool:
        with app.app_context(), db.transaction() as connection:
            merchant = merchants.merchant_by_id(
                connection, merchants.merchant_id(connection, shop.name) or 0
            )
            feeding.put_product(
                connection,
                merchant,
                now=NOON,
                sku="mug",
                name="Mug",
                variants=[{"sku": "s"}],
                volatile={},
                description={},
            )
            second = pool.submit(stored, there, sku="hat", variants=[{"sku": "s"}])
            with pytest.raises(TimeoutError):
                second.result(0.5)  # neither is there for the other one to see, so it waits
        assert second.result(PATIENCE_SECONDS).status_code == 200

    assert details(alice, "mugshop/de-DE/s")["mainProductIdentifier"] == "mugshop/de-DE/hat"
    assert details(alice, "mugshop/de-DE/mug")["variants"] == []


def test_html_in_texts_becomes_text(shop: Shop, alice: User) -> None:
    texts = {
        "name": "Mug &amp; <b>more</b>",
        "description": "<p>Fine.</p><script>alert(1)</script><ul><li>one</li><li>two</li></ul>",
        "material": "100&nbsp;% clay",
        "subLine": "5 < 6 & AT&T",
    }

    found = details(alice, post(shop, **texts))

    assert found["name"] == "Mug & more"
    assert found["description"] == "Fine.\none\ntwo"
    assert found["material"] == "100 % clay"
    assert found["subLine"] == "5 < 6 & AT&T"


@pytest.mark.parametrize("name", ["<b></b>", "&nbsp;", "<script>x</script>"])
def test_a_name_of_nothing_but_html_is_none(shop: Shop, name: str) -> None:
    response = shop.call("POST", "/shops/products", json={"sku": "A", "name": name})

    assert list(field_errors(response)) == ["name"]


def test_a_long_text_is_measured_without_its_html_and_with_it_only_so_far(shop: Shop) -> None:
    long = "<p>" + "x" * 20_000 + "</p>"
    body = {"sku": "A", "name": "Mug", "description": long}
    assert shop.call("POST", "/shops/products", json=body).status_code == 200

    body["description"] = "<p></p>" * 5_000
    assert list(field_errors(shop.call("POST", "/shops/products", json=body))) == ["description"]
