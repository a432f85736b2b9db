"""``GET`` and ``PATCH /v1/shops/config``."""

import hashlib
from typing import Any

import pytest
from flask import Flask

from jay import db
from jay.i18n import LANGUAGES
from jay.legal import service as legal
from jay.merchants.service import merchant_id
from tests.api.checks import body, field_errors
from tests.api.feed import details, post
from tests.builders import Shop, User

DEFAULT = {
    "shippingModel": {
        "productShippingCalculationStrategy": "MAX",
        "merchantShippingScale": [],
    },
    "vat": None,
    "addProductWebhookUrl": None,
    "updateProductsWebhookUrl": None,
    "orderWebhookUrl": None,
    "feed": None,
    "orderEmail": None,
    "legal": {
        "name": "Mugs & More GmbH",
        "street": "Kaistraße",
        "houseNumber": "4",
        "zip": "20457",
        "city": "Hamburg",
        "countryCode": "DE",
        "email": "service@shop.example",
        "phone": None,
        "register": None,
        "vatId": None,
    },
    "texts": [
        {"kind": "terms", "lang": "de", "text": "Es gilt, was hier steht."},
        {"kind": "withdrawal", "lang": "de", "text": "Sie können widerrufen."},
    ],
    "withdrawalDays": 14,
    "returnCosts": "shopper",
    "deliveryCountries": None,
    "stripeAccount": None,
}


def config(shop: Shop) -> dict[str, Any]:
    response = shop.call("GET", "/shops/config")
    assert response.status_code == 200
    data: dict[str, Any] = response.json["data"]
    return data


def test_a_new_merchant_has_the_default_configuration(shop: Shop) -> None:
    assert config(shop) == DEFAULT


@pytest.mark.parametrize(
    "change",
    [
        {"vat": 19},
        {"vat": 0},
        {"vat": 7.5},
        {"addProductWebhookUrl": "https://shop.example/add"},
        {"updateProductsWebhookUrl": "https://shop.example/update?all=1"},
        {"orderWebhookUrl": "https://shop.example/order"},
        {"orderEmail": "orders@shop.example"},
        {"withdrawalDays": 30},
        {"returnCosts": "merchant"},
        {"deliveryCountries": ["DE", "AT"]},
        {"stripeAccount": "acct_1Nx"},
    ],
)
def test_each_field_is_changed_on_its_own(change: dict[str, Any], shop: Shop) -> None:
    response = shop.call("PATCH", "/shops/config", json=change)

    assert response.status_code == 200
    assert response.json["data"] == config(shop) == {**DEFAULT, **change}


def test_fields_keep_what_they_were_set_to(shop: Shop) -> None:
    shop.call("PATCH", "/shops/config", json={"vat": 19, "orderEmail": "orders@shop.example"})
    shop.call("PATCH", "/shops/config", json={"vat": 7})
    shop.call("PATCH", "/shops/config", json={})

    assert config(shop) == {**DEFAULT, "vat": 7, "orderEmail": "orders@shop.example"}


def test_null_unsets_a_field(shop: Shop) -> None:
    shop.call("PATCH", "/shops/config", json={"vat": 19, "orderWebhookUrl": "https://x.example"})
    shop.call("PATCH", "/shops/config", json={"vat": None, "orderWebhookUrl": None})

    assert config(shop) == DEFAULT


def test_the_parts_of_the_shipping_model_are_changed_on_their_own(shop: Shop) -> None:
    scale = [
        {"orderPriceStart": 0, "shippingCost": 499},
        {"orderPriceStart": 5000, "shippingCost": 0},
    ]

    for model in (
        {"merchantShippingScale": scale},
        {"productShippingCalculationStrategy": "SUM"},
        {},
    ):
        assert shop.call("PATCH", "/shops/config", json={"shippingModel": model}).status_code == 200

    assert config(shop)["shippingModel"] == {
        "productShippingCalculationStrategy": "SUM",
        "merchantShippingScale": scale,
    }


def test_the_fields_of_a_step_are_zero_when_absent(shop: Shop) -> None:
    steps = [{}, {"orderPriceStart": 100}, {"shippingCost": 5}]

    shop.call("PATCH", "/shops/config", json={"shippingModel": {"merchantShippingScale": steps}})

    assert config(shop)["shippingModel"]["merchantShippingScale"] == [
        {"orderPriceStart": 0, "shippingCost": 0},
        {"orderPriceStart": 100, "shippingCost": 0},
        {"orderPriceStart": 0, "shippingCost": 5},
    ]


def test_the_vat_is_the_default_of_products_without_one(shop: Shop, alice: User) -> None:
    plain, own = post(shop, sku="plain"), post(shop, sku="own", vat=7)

    shop.call("PATCH", "/shops/config", json={"vat": 19})

    assert details(alice, plain)["vat"] == 19.0
    assert details(alice, own)["vat"] == 7.0


def test_who_sells_is_told_field_by_field(shop: Shop) -> None:
    change = {"legal": {"phone": "+49 40 1", "houseNumber": None}}

    shop.call("PATCH", "/shops/config", json=change)

    legal = {**DEFAULT["legal"], "phone": "+49 40 1", "houseNumber": None}
    assert config(shop) == {**DEFAULT, "legal": legal}


def test_a_text_is_a_new_version_when_it_changes(app: Flask, shop: Shop) -> None:
    def tell(kind: str, lang: str, text: str | None) -> None:
        texts = [{"kind": kind, "lang": lang, "text": text}]
        answer = shop.call("PATCH", "/shops/config", json={"texts": texts})
        assert answer.status_code == 200, answer.json

    before = config(shop)
    tell("terms", "de", "Es gilt, was hier steht.")
    tell("terms", "en", "What stands here holds.")
    tell("terms", "de", "Es gilt etwas anderes.")
    tell("terms", "en", None)

    with app.app_context(), db.reading() as connection:
        identifier = merchant_id(connection, shop.name)
        assert identifier is not None
        seller = legal.sellers(connection, [identifier])[identifier]
    assert [(each.kind, each.lang, each.version) for each in seller.notices] == [
        ("terms", "de", 2),
        ("withdrawal", "de", 1),
    ]
    assert seller.notices[0].hash == hashlib.sha256(b"Es gilt etwas anderes.").hexdigest()
    assert config(shop)["texts"][0] == {**before["texts"][0], "text": "Es gilt etwas anderes."}


def test_texts_are_bounded_in_number(shop: Shop) -> None:
    langs = sorted(LANGUAGES)
    texts = [{"kind": "shipping", "lang": lang, "text": "x"} for lang in langs[:18]]
    assert shop.call("PATCH", "/shops/config", json={"texts": texts}).status_code == 200
    one_more = {"texts": [{"kind": "imprint", "lang": "de", "text": "x"}]}

    refused = shop.call("PATCH", "/shops/config", json=one_more)

    assert field_errors(refused) == {"texts": ["At most 20 in all."]}
    assert len(config(shop)["texts"]) == 20


def test_other_merchants_are_not_touched(shop: Shop, other_shop: Shop) -> None:
    shop.call("PATCH", "/shops/config", json={"vat": 19})

    assert config(other_shop) == DEFAULT


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("vat", "-1"),
        ("vat", "1001"),
        ("vat", '"19"'),
        ("vat", "true"),
        ("shippingModel", "null"),
        ("shippingModel", '{"productShippingCalculationStrategy": "MIN"}'),
        ("shippingModel", '{"productShippingCalculationStrategy": "sum"}'),
        ("shippingModel", '{"productShippingCalculationStrategy": null}'),
        ("shippingModel", '{"merchantShippingScale": null}'),
        ("shippingModel", '{"merchantShippingScale": [{"shippingCost": -1}]}'),
        ("shippingModel", '{"merchantShippingScale": [{"shippingCost": 1000000000001}]}'),
        ("shippingModel", '{"merchantShippingScale": [{"shippingCost": 1.0}]}'),
        ("shippingModel", '{"merchantShippingScale": [{"start": 1}]}'),
        ("shippingModel", '{"strategy": "SUM"}'),
        ("addProductWebhookUrl", '"javascript:alert(1)"'),
        ("updateProductsWebhookUrl", '"ftp://shop.example"'),
        ("orderWebhookUrl", '"shop.example"'),
        ("orderWebhookUrl", '"http://shop.example"'),
        ("orderWebhookUrl", '"http://127.0.0.1.shop.example"'),
        ("orderWebhookUrl", r'"https://shop.example/\u0000"'),
        ("orderEmail", '"orders"'),
        ("orderEmail", r'"a@shop.example\nBcc: b@evil.example"'),
        ("orderEmail", r'"a\u0000@shop.example"'),
        ("orderEmail", '"' + "a" * 250 + '@shop.example"'),
        ("legal", '{"city": ""}'),
        ("legal", r'{"name": "Mugs\nBcc: b@evil.example"}'),
        ("legal", '{"countryCode": "XX"}'),
        ("legal", '{"email": "-x@shop.example"}'),
        ("legal", '{"colour": "red"}'),
        ("texts", '[{"kind": "accessibility", "lang": "de", "text": "x"}]'),
        ("texts", '[{"kind": "terms", "lang": "xx", "text": "x"}]'),
        ("texts", '[{"kind": "terms", "lang": "de", "text": " "}]'),
        ("texts", '[{"kind": "terms", "lang": "de"}]'),
        ("texts", '[{"kind": "terms", "lang": "de", "text": "' + "é" * 50_001 + '"}]'),
        ("withdrawalDays", "13"),
        ("returnCosts", '"nobody"'),
        ("deliveryCountries", "[]"),
        ("deliveryCountries", '["XX"]'),
        ("stripeAccount", '"acct_1/../x"'),
        ("name", '"evil"'),
        ("shipping_strategy", '"SUM"'),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_changed(field: str, value: str, shop: Shop) -> None:
    text = f'{{"{field}": {value}, "orderEmail": "new@shop.example"}}'
    if field == "orderEmail":
        text = f'{{"vat": 7, "orderEmail": {value}}}'

    response = shop.call("PATCH", "/shops/config", **body(text))

    assert list(field_errors(response)) == [field]
    assert config(shop) == DEFAULT


def test_a_missing_body_changes_nothing(shop: Shop) -> None:
    assert shop.call("PATCH", "/shops/config").status_code in {200, 422}
    assert config(shop) == DEFAULT
