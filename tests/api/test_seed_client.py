"""The calls that the two public API descriptions print, played to the letter.

Changed are only host and credentials, the ids in paths, and the placeholder "string" where it
stands for something that must exist or be well-formed. Whoever wrote a client from the public text
alone sends exactly this.
"""
# ruff: noqa: E501 - lines stay as they are printed

import json
import re
import shlex
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from jay import db
from jay.events import events
from tests.builders import Platform, Shop, User

BASKET_SERVER = "https://live.basket.api.jay-metadata.com/v2"
PRODUCT_SERVER = "https://docs.jay-metadata.com/_mock/apis/product/2025-07-09/openapi"
MOUNTED = {BASKET_SERVER: "/v2", PRODUCT_SERVER: "/v1"}

ASSIGN = r"""
curl -i -X POST \
  'https://live.basket.api.jay-metadata.com/v2/baskets/users/{userId}/products/{productId}?provider_id=netflix' \
  -H 'Authorization: Bearer <YOUR_Bearer_HERE>' \
  -H 'Content-Type: application/json' \
  -H 'X-API-Key: string' \
  -H 'X-JAY-Tracking: eyJzZXNzaW9uX2lkIjoiZXhhbXBsZS1zZXNzaW9uLWlkLTEyMzQiLCJzdGFydF90aW1lIjoiMjAyNS0wMS0wMVQxMjowMDowMC4wMDAwMDAiLCJzb3VyY2UiOiJqYXkuYXBpLnBsYXlvdXQuZXhhbXBsZSJ9' \
  -H 'x-jay-api-version: 2025-09-15' \
  -d '{
    "count": 0
  }'
"""

REMOVE = r"""
curl -i -X DELETE \
  'https://live.basket.api.jay-metadata.com/v2/baskets/users/{userId}/products/{productId}?provider_id=netflix' \
  -H 'Authorization: Bearer <YOUR_Bearer_HERE>' \
  -H 'X-API-Key: string' \
  -H 'X-JAY-Tracking: eyJzZXNzaW9uX2lkIjoiZXhhbXBsZS1zZXNzaW9uLWlkLTEyMzQiLCJzdGFydF90aW1lIjoiMjAyNS0wMS0wMVQxMjowMDowMC4wMDAwMDAiLCJzb3VyY2UiOiJqYXkuYXBpLnBsYXlvdXQuZXhhbXBsZSJ9' \
  -H 'x-jay-api-version: 2025-09-15'
"""

UPDATE = r"""
curl -i -X PATCH \
  'https://live.basket.api.jay-metadata.com/v2/baskets/users/{userId}/products/{productId}?provider_id=netflix' \
  -H 'Authorization: Bearer <YOUR_Bearer_HERE>' \
  -H 'Content-Type: application/json' \
  -H 'X-API-Key: string' \
  -H 'X-JAY-Tracking: eyJzZXNzaW9uX2lkIjoiZXhhbXBsZS1zZXNzaW9uLWlkLTEyMzQiLCJzdGFydF90aW1lIjoiMjAyNS0wMS0wMVQxMjowMDowMC4wMDAwMDAiLCJzb3VyY2UiOiJqYXkuYXBpLnBsYXlvdXQuZXhhbXBsZSJ9' \
  -H 'x-jay-api-version: 2025-09-15' \
  -d '{
    "count": 0
  }'
"""

LIST_SKUS = r"""
curl -i -X GET \
  'https://docs.jay-metadata.com/_mock/apis/product/2025-07-09/openapi/shops/products?country=DE&lang=de&next_token=string'
"""

ADD_PRODUCT = r"""
curl -i -X POST \
  https://docs.jay-metadata.com/_mock/apis/product/2025-07-09/openapi/shops/products \
  -H 'Content-Type: application/json' \
  -d '{
    "sku": "string",
    "stockCount": 0,
    "price": 2799,
    "orgPrice": 3599,
    "lang": "de",
    "country": "DE",
    "currency": "EUR",
    "shippingModel": {
      "shippingFlatRate": 499,
      "shippingPerItem": 0,
      "shippingScale": [
        {
          "start": 0,
          "price": 399
        }
      ],
      "orderLimit": 0
    },
    "vat": 19,
    "name": "LOGO - Kapuzenpullover - white",
    "brand": "Tommy Hilfiger",
    "subLine": "string",
    "description": "Softfinish innen, Kängurutasche\n\nKragen: Kapuze\nÄrmelbündchen: Gerippt\nDetails Kapuze: Kapuze mit Tunnelzug\nMuster: Print\nDetails: Elastischer Bund, Stickerei\nArtikelnummer: TO122S074-A12",
    "gender": 2,
    "material": "100% linen",
    "colour": "red",
    "colourCode": 11806517,
    "fit": "slim",
    "notShoppable": true,
    "url": "string",
    "urlLabel": "string",
    "urlNote": "string",
    "urlImageUrl": "string",
    "images": [
      {
        "url": "string",
        "copyrightText": "transfermedia GmbH."
      }
    ],
    "variants": [
      {
        "sku": "string",
        "stockCount": 0,
        "price": 2799,
        "orgPrice": 3599,
        "value": "6½",
        "type": "size"
      }
    ]
  }'
"""

UPDATE_PRODUCTS = r"""
curl -i -X PATCH \
  https://docs.jay-metadata.com/_mock/apis/product/2025-07-09/openapi/shops/products \
  -H 'Content-Type: application/json' \
  -d '{
    "lang": "de",
    "country": "DE",
    "currency": "EUR",
    "shippingModel": {
      "shippingFlatRate": 499,
      "shippingPerItem": 0,
      "shippingScale": [
        {
          "start": 0,
          "price": 399
        }
      ],
      "orderLimit": 0
    },
    "vat": 19,
    "products": [
      {
        "sku": "string",
        "stockCount": 0,
        "price": 2799,
        "orgPrice": 3599
      }
    ]
  }'
"""

BASKET_CALLS = {"assign": ASSIGN, "update": UPDATE, "remove": REMOVE}
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
PROSE_HEADER, PRINTED_HEADER = "X-API-Version", "x-jay-api-version"


@dataclass
class Curl:
    """A printed call."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None

    @classmethod
    def read(cls, printed: str) -> "Curl":
        """Read it as a shell and curl would."""
        words = iter(shlex.split(printed.replace("\\\n", " ")))
        assert next(words) == "curl"
        call = cls()
        for word in words:
            if word == "-X":
                call.method = next(words)
            elif word == "-H":
                name, _, value = next(words).partition(": ")
                call.headers[name] = value
            elif word == "-d":
                call.body = next(words)
            elif word != "-i":
                call.url = word
        return call

    def send(self, client: FlaskClient) -> TestResponse:
        """Send it to the service instead of to the printed host."""
        (server,) = [server for server in MOUNTED if self.url.startswith(server + "/")]
        path = MOUNTED[server] + self.url.removeprefix(server)
        assert "{" not in path
        data = None if self.body is None else self.body.encode()
        return client.open(path, method=self.method, headers=self.headers, data=data)


def basket_call(printed: str, user: User, product_id: str) -> Curl:
    """Put ids and credentials into a printed call."""
    call = Curl.read(printed)
    for placeholder, value in (("{userId}", user.id), ("{productId}", product_id)):
        assert call.url.count(placeholder) == 1
        call.url = call.url.replace(placeholder, quote(value, safe=""))
    assert call.headers["Authorization"] == "Bearer <YOUR_Bearer_HERE>"
    call.headers["Authorization"] = f"Bearer {user.token}"
    assert call.headers["X-API-Key"] == "string"
    call.headers["X-API-Key"] = user.platform.key
    return call


def product_call(printed: str, shop: Shop, **placeholders: str) -> Curl:
    """Put the credential, and what must exist, into a printed call of the Product Data API.

    The description names the header for the key in its text, and prints it in no call.
    """
    call = Curl.read(printed)
    call.headers["X-API-Key"] = shop.key
    if call.body is None:
        for name, value in placeholders.items():
            assert f"{name}=string" in call.url
            call.url = call.url.replace(f"{name}=string", f"{name}={quote(value)}")
        return call
    body = json.loads(call.body)
    for path, value in placeholders.items():
        *parents, name = path.split("__")
        node: Any = body
        for parent in parents:
            node = node[int(parent) if parent.isdigit() else parent]
        assert node[name] == "string"
        node[name] = value
    call.body = json.dumps(body, ensure_ascii=False)
    return call


def the_product(shop: Shop, sku: str = "TO122S074-A12") -> Curl:
    """Return the printed product, with what must be well-formed."""
    return product_call(
        ADD_PRODUCT,
        shop,
        sku=sku,
        url="https://shop.example/hoodie",
        urlImageUrl="https://shop.example/link.jpg",
        images__0__url="https://shop.example/hoodie.jpg",
        variants__0__sku=f"{sku}-65",
    )


def assert_basket(response: TestResponse) -> dict[str, Any]:
    """Check that the answer has the documented shape, to the name."""
    assert response.status_code == 200, response.json
    assert response.mimetype == "application/json"
    assert response.headers["X-API-Version"] == "2025-09-15"
    assert list(response.json) == ["data"]
    data: dict[str, Any] = response.json["data"]
    assert list(data) == ["expires", "lastChanged", "cart", "saved", "checkout"]
    for moment in ("expires", "lastChanged"):
        assert re.fullmatch(TIME, data[moment])
    for name in ("cart", "saved", "checkout"):
        assert isinstance(data[name], list)
        for entry in data[name]:
            assert set(entry) == {"productId", "count"}
            assert isinstance(entry["productId"], str)
            assert type(entry["count"]) is int
    return data


def assert_error(response: TestResponse) -> None:
    """Check that a failure has the documented shape."""
    assert response.status_code >= 400
    assert list(response.json) == ["error"]
    error = response.json["error"]
    assert set(error) == {"code", "message", "details"}
    assert type(error["code"]) is int
    assert isinstance(error["message"], str)


@pytest.fixture(params=["partner's", "guest"])
def user(request: pytest.FixtureRequest, platform: Platform) -> User:
    """Both mechanisms for tokens that the description names."""
    return platform.user("user-4711") if request.param == "partner's" else platform.guest()


@pytest.fixture
def product(shop: Shop, client: FlaskClient) -> str:
    """The printed product, as the service knows it then."""
    response = the_product(shop).send(client)
    assert response.status_code == 200, response.json
    identifier: str = response.json["data"]["productId"]
    return identifier


def test_the_calls_are_read_as_they_are_printed() -> None:
    call = Curl.read(ASSIGN)

    assert (call.method, urlsplit(call.url).query) == ("POST", "provider_id=netflix")
    assert list(call.headers) == [
        "Authorization",
        "Content-Type",
        "X-API-Key",
        "X-JAY-Tracking",
        PRINTED_HEADER,
    ]
    assert json.loads(call.body or "") == {"count": 0}
    assert Curl.read(REMOVE).body is None
    assert "Kängurutasche\n\nKragen" in json.loads(Curl.read(ADD_PRODUCT).body or "")["description"]


def test_the_basket_calls_do_what_their_texts_say(
    user: User, product: str, client: FlaskClient
) -> None:
    saved = {"productId": product, "count": 0}

    data = assert_basket(basket_call(ASSIGN, user, product).send(client))
    assert (data["cart"], data["saved"]) == ([], [saved])

    data = assert_basket(basket_call(UPDATE, user, product).send(client))
    assert (data["cart"], data["saved"]) == ([], [saved])

    data = assert_basket(basket_call(REMOVE, user, product).send(client))
    assert data["cart"] == data["saved"] == data["checkout"] == []


def test_a_product_in_the_cart_is_saved_updated_and_removed(
    user: User, shop: Shop, client: FlaskClient
) -> None:
    mug = shop.product("mug")
    in_cart = {"productId": mug, "count": 2}
    more = basket_call(ASSIGN, user, mug)
    assert more.body is not None
    more.body = more.body.replace("0", "2")

    assert assert_basket(more.send(client))["cart"] == [in_cart]
    data = assert_basket(basket_call(UPDATE, user, mug).send(client))
    assert (data["cart"], data["saved"]) == ([], [{"productId": mug, "count": 0}])
    assert assert_basket(more.send(client)) | {"saved": [], "cart": [in_cart]} == user.basket()
    assert assert_basket(basket_call(REMOVE, user, mug).send(client))["cart"] == []


@pytest.mark.one_database
@pytest.mark.parametrize("spelling", [PROSE_HEADER, PRINTED_HEADER, None])
@pytest.mark.parametrize("name", BASKET_CALLS)
def test_the_version_may_be_asked_for_as_in_the_prose_as_printed_or_not_at_all(
    name: str, spelling: str | None, user: User, product: str, client: FlaskClient
) -> None:
    assert_basket(basket_call(ASSIGN, user, product).send(client))
    call = basket_call(BASKET_CALLS[name], user, product)
    version = call.headers.pop(PRINTED_HEADER)
    if spelling is not None:
        call.headers[spelling] = version

    assert_basket(call.send(client))


def test_the_printed_session_and_provider_are_what_is_recorded(
    user: User, product: str, client: FlaskClient, app: Flask
) -> None:
    for printed in BASKET_CALLS.values():
        assert_basket(basket_call(printed, user, product).send(client))

    columns = [events.c[name] for name in ("kind", "session_id", "source", "provider")]
    with app.app_context(), db.reading() as connection:
        found = connection.execute(
            select(*columns).where(events.c.product_id == product).order_by(events.c.id)
        ).all()
    session = ("example-session-id-1234", "jay.api.playout.example", "netflix")
    assert [tuple(row) for row in found] == [
        ("product_assigned", *session),
        ("product_updated", *session),
        ("product_removed", *session),
    ]


@pytest.mark.one_database
@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
@pytest.mark.parametrize("name", BASKET_CALLS)
def test_with_the_printed_placeholder_as_credential_the_basket_calls_are_refused(
    name: str, header: str, user: User, product: str, client: FlaskClient
) -> None:
    call = basket_call(BASKET_CALLS[name], user, product)
    call.headers[header] = Curl.read(BASKET_CALLS[name]).headers[header]

    response = call.send(client)

    assert response.status_code == 401
    assert_error(response)
    assert response.headers["X-API-Version"] == "2025-09-15"


def test_adding_the_printed_product_keeps_all_of_it(
    shop: Shop, user: User, product: str, client: FlaskClient
) -> None:
    response = user.platform.call(
        "POST", "/baskets/products/details", token=user.token, json=[product]
    )

    (found,) = response.json["data"]["products"]
    sent = json.loads(the_product(shop).body or "")
    kept = ("name", "brand", "subLine", "description", "gender", "material", "colour", "fit")
    kept += ("colourCode", "url", "urlLabel", "urlNote", "urlImageUrl", "images", "notShoppable")
    kept += ("price", "orgPrice", "currency", "vat", "lang", "country")
    assert {name: found[name] for name in kept} == {name: sent[name] for name in kept}
    (variant,) = found["variants"]
    assert (variant["value"], variant["type"]) == ("6½", "size")
    assert found["currentStockCount"] == 0


def test_updating_the_printed_products_is_answered_in_the_envelope(
    shop: Shop, product: str, client: FlaskClient
) -> None:
    for sku in ("TO122S074-A12", "TO122S074-A12-65"):
        response = product_call(UPDATE_PRODUCTS, shop, products__0__sku=sku).send(client)

        assert response.status_code == 200, response.json
        assert response.headers["X-API-Version"] == "2025-07-09"
        assert response.json == {"data": {"updated": 1, "unknownSkus": [], "stale": 0}}


def test_the_printed_placeholder_as_sku_is_no_error_of_the_call(
    shop: Shop, client: FlaskClient
) -> None:
    response = product_call(UPDATE_PRODUCTS, shop).send(client)

    assert response.status_code == 200
    assert response.json["data"]["unknownSkus"] == ["string"]


def test_the_skus_are_listed_in_the_documented_shape_page_by_page(
    shop: Shop, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jay.products.listing.SKUS_PER_PAGE", 1)
    for sku in ("A-1", "B-2"):
        assert the_product(shop, sku).send(client).status_code == 200

    first = product_call(LIST_SKUS, shop, next_token="").send(client)
    assert first.status_code == 200
    assert first.headers["X-API-Version"] == "2025-07-09"
    data = first.json["data"]
    assert set(data) == {"blocks", "nextToken"}
    assert data["blocks"] == [{"skus": ["A-1"], "lang": "de", "country": "DE"}]
    assert isinstance(data["nextToken"], str)

    last = product_call(LIST_SKUS, shop, next_token=data["nextToken"]).send(client)
    assert last.json == {"data": {"blocks": [{"skus": ["B-2"], "lang": "de", "country": "DE"}]}}


@pytest.mark.parametrize("printed", [LIST_SKUS, ADD_PRODUCT, UPDATE_PRODUCTS])
def test_exactly_as_printed_without_a_key_the_product_calls_are_refused(
    printed: str, client: FlaskClient
) -> None:
    response = Curl.read(printed).send(client)

    assert response.status_code == 401
    assert_error(response)
    assert response.headers["X-API-Version"] == "2025-07-09"


@pytest.mark.one_database
@pytest.mark.parametrize("spelling", [PROSE_HEADER, PRINTED_HEADER])
@pytest.mark.parametrize("printed", [LIST_SKUS, ADD_PRODUCT, UPDATE_PRODUCTS])
def test_the_product_calls_may_ask_for_their_version(
    printed: str, spelling: str, shop: Shop, client: FlaskClient
) -> None:
    call = the_product(shop) if printed is ADD_PRODUCT else product_call(printed, shop)
    call.url = call.url.removesuffix("&next_token=string")
    call.headers[spelling] = "2025-07-09"

    response = call.send(client)

    assert response.status_code == 200, response.json
    assert response.headers["X-API-Version"] == "2025-07-09"
