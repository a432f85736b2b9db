"""Bodies, ids and headers that no honest client sends: refused or stored intact, never a 500."""

import base64
import gzip
import io
import json
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jay.errors import (
    MalformedRequest,
    NotInBasket,
    PayloadTooLarge,
    ProductNotFound,
    TransferUnknown,
    UnsupportedMediaType,
    VersionUnknown,
)
from jay.web.seldom import FORWARDED
from tests.api.checks import Log, assert_refused, body, field_errors, rows
from tests.api.feed import post
from tests.builders import Platform, Shop, User

LIMIT = 2**16
"""Bytes that the Basket API takes."""
NEWEST, OLDER = "2025-09-15", "2025-07-21"

Send = Callable[..., TestResponse]


@pytest.fixture
def mug(shop: Shop, alice: User) -> str:
    """A product that alice has seven of."""
    identifier = shop.product("mug", stock_count=None)
    assert alice.put(identifier, 7).status_code == 200
    return identifier


@pytest.fixture(params=["POST", "PATCH"])
def send(request: pytest.FixtureRequest, alice: User, mug: str) -> Send:
    """Send a count for the mug in whichever way."""
    return lambda **more: alice.product(request.param, mug, **more)


# --- names that come twice ---

TWICE = {
    "a count": '{"count": 1, "count": 999}',
    "the same count": '{"count": 7, "count": 7}',
    "null first": '{"count": null, "count": 2}',
    "escaped": '{"count": 1, "\\u0063ount": 2}',
    "without spaces": '{"count":1,"count":2}',
    "with line ends": '{\n"count"\n:\n1,\n"count"\n:\n2\n}',
    "after an unknown one": '{"x": 1, "count": 1, "count": 2}',
    "an unknown one": '{"x": 1, "x": 2}',
    "the empty name": '{"": 1, "": 2}',
    "deeper": '{"count": 1, "x": {"y": [{"z": 1, "z": 2}]}}',
    "beside a long number": f'{{"count": {"9" * 300}, "count": 1}}',
}


@pytest.mark.parametrize("kind", TWICE)
@pytest.mark.one_database
def test_a_name_that_comes_twice_is_refused(kind: str, send: Send, alice: User, mug: str) -> None:
    response = send(**body(TWICE[kind]))

    assert_refused(response, MalformedRequest)
    assert response.json["error"]["message"].endswith("the same name twice.")
    assert alice.cart() == {mug: 7}


@pytest.mark.one_database
def test_a_parameter_that_says_two_things_is_refused(alice: User, mug: str) -> None:
    path = "/transfer?qr={}&qr={}&utm=1&utm=2"

    for said in (("true", "false"), ("false", "true"), ("true", "")):
        found = field_errors(alice.call("POST", path.format(*said)))
        assert found == {"qr": ["Must be given once."]}
    assert alice.call("POST", path.format("true", "true")).status_code == 200


def test_in_every_body_a_name_that_comes_twice_is_refused(
    app: Flask, platform: Platform, alice: User, shop: Shop, client: FlaskClient
) -> None:
    before = {table: rows(app, table) for table in ("baskets", "products", "transfers")}
    guests = '{"products": [{"productId": "a", "count": 1, "count": 2}]}'
    feed = '{"sku": "a", "name": "A", "variants": [{"sku": "b", "price": 1, "price": 2}]}'
    for response in (
        platform.call("POST", "/baskets/guests", **body(guests)),
        platform.call("POST", "/baskets/guests", **body('{"products": [], "products": []}')),
        platform.call(
            "POST", "/baskets/products/details", token=alice.token, **body('[{"a": 1, "a": 2}]')
        ),
        alice.call("POST", "/transfer", **body('{"url": null, "url": null}')),
        alice.call("POST", "/merge", **body('{"guestToken": "a", "guestToken": "b"}')),
        alice.call("PATCH", "/comfort", **body('{"customerId": "a", "customerId": null}')),
        shop.call("POST", "/shops/products", **body(feed)),
        shop.call("PATCH", "/shops/products", **body('{"vat": 19, "vat": 0}')),
        shop.call("PATCH", "/shops/config", **body('{"vat": 19, "vat": 0}')),
        client.post("/v1/playouts/news/tracking/session", **body('{"userId": "a", "userId": "b"}')),
    ):
        assert_refused(response, MalformedRequest)

    assert {table: rows(app, table) for table in before} == before


def test_the_same_name_in_different_objects_is_no_repetition(platform: Platform, mug: str) -> None:
    lines = [{"productId": mug, "count": 1}, {"productId": mug, "count": 2}]

    response = platform.call("POST", "/baskets/guests", json={"products": lines})

    assert response.json["data"]["basket"]["cart"] == [{"productId": mug, "count": 3}]


def test_names_within_texts_are_no_names(shop: Shop, alice: User) -> None:
    name = '{"a": 1, "a": 2}, "name": "x": :::'

    identifier = post(shop, name=name, subLine='"name":')

    response = alice.platform.call(
        "POST", "/baskets/products/details", token=alice.token, json=[identifier]
    )
    assert response.json["data"]["products"][0]["name"] == name


# --- counts ---

NO_COUNTS = {
    "2^31": 2**31,
    "2^53": 2**53,
    "2^53 + 1": 2**53 + 1,
    "2^63 - 1": 2**63 - 1,
    "2^63": 2**63,
    "2^64": 2**64,
    "-2^63": -(2**63),
    "1000": 1000,
    "-2": -2,
    "300 digits": int("9" * 300),
    "true": True,
    "false": False,
    "a text": "1",
    "an empty text": "",
    "a list": [1],
    "an object": {"count": 1},
    "0.5": 0.5,
}
NO_AMOUNTS = [10**12 + 1, 2**53, 2**63, 2**64, 10**300, -(2**63), 1e308]
NO_NUMBERS = ["1.0", "1e0", "1E2", "-0.0", "1e309", "-1e309", "1e-400", "9" * 400]
NO_JSON = ["NaN", "Infinity", "-Infinity", "01", "+1", "0x1", "1_000", "1.", ".5", "undefined", ""]


@pytest.mark.parametrize("kind", NO_COUNTS)
@pytest.mark.one_database
def test_what_is_no_count_is_refused(kind: str, send: Send, alice: User, mug: str) -> None:
    response = send(**body(json.dumps({"count": NO_COUNTS[kind]})))

    assert list(field_errors(response)) == ["count"]
    assert alice.cart() == {mug: 7}


@pytest.mark.parametrize("number", NO_NUMBERS, ids=lambda number: number[:8])
@pytest.mark.one_database
def test_a_number_that_is_no_integer_is_refused(
    number: str, send: Send, alice: User, mug: str
) -> None:
    response = send(**body(f'{{"count": {number}}}'))

    # One that no machine can hold may be called bad JSON as well.
    assert response.status_code in ({400, 422} if "09" in number or len(number) > 8 else {422})
    assert alice.cart() == {mug: 7}


@pytest.mark.parametrize("number", NO_JSON)
@pytest.mark.one_database
def test_what_is_no_json_is_malformed(number: str, send: Send, alice: User, mug: str) -> None:
    assert_refused(send(**body(f'{{"count": {number}}}')), MalformedRequest)
    assert alice.cart() == {mug: 7}


@pytest.mark.parametrize("field", ["stockCount", "price", "orgPrice", "colourCode", "vat"])
@pytest.mark.parametrize("number", NO_AMOUNTS, ids=lambda number: f"{number:.3g}")
def test_numbers_that_no_database_holds_are_refused_by_the_feed(
    field: str, number: float, app: Flask, shop: Shop
) -> None:
    fields = {"sku": "big", "name": "Big", field: number}

    response = shop.call("POST", "/shops/products", **body(json.dumps(fields)))

    assert list(field_errors(response)) == [field]
    assert rows(app, "products") == 0


# --- bombs ---

BOMBS = {
    "lists": b"[" * 100_000,
    "closed lists": b"[" * 100_000 + b"]" * 100_000,
    "objects": b'{"count":' * 100_000,
    "closed objects": b'{"count":' * 100_000 + b"1" + b"}" * 100_000,
    "lists that a parser lets through": b"[" * 1000 + b"]" * 1000,
    "objects that a parser lets through": b'{"count":' * 1000 + b"1" + b"}" * 1000,
    "objects in the count": b'{"count":' * 500 + b"1" + b"}" * 500,
    "a list in the count": b'{"count":' + b"[" * 900 + b"]" * 900 + b"}",
    "a list in the count, and more": b'{"count":' + b"[" * 1000 + b"]" * 1000 + b',"x":1}',
    "many names": json.dumps(dict.fromkeys(map(str, range(5_000)))).encode(),
    "long name": json.dumps({"x" * (LIMIT - 100): 1}).encode(),
    "long number": b'{"count": ' + b"9" * (LIMIT - 100) + b"}",
    "long fraction": b'{"count": 0.' + b"9" * (LIMIT - 100) + b"}",
    "long text": json.dumps({"count": "x" * (LIMIT - 100)}).encode(),
}


CALLS, CALLS_PER_BYTE = 5_000, 1
"""What a refusal may cost: as much for the request, and in proportion to what has to be read."""


@contextmanager
def counted_calls() -> Iterator[Counter[str]]:
    """Count what this thread calls, in Python and below: work that no busy machine makes more."""
    calls: Counter[str] = Counter()

    def note(_frame: Any, event: str, _argument: Any) -> None:
        calls[event] += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.one_database
def test_a_bomb_is_refused_with_little_work(kind: str, send: Send, alice: User, mug: str) -> None:
    with counted_calls() as calls:
        response = send(**body(BOMBS[kind]))

    assert response.status_code in {400, 413, 422}, response.status
    assert set(response.json) == {"error"}
    assert calls.total() <= CALLS + CALLS_PER_BYTE * len(BOMBS[kind])
    assert alice.cart() == {mug: 7}


@pytest.mark.parametrize("depth", [50, 900, 1000])
def test_a_bomb_in_the_feed_is_refused(depth: int, app: Flask, shop: Shop) -> None:
    for field in ("brand", "gender", "shippingModel", "images", "variants", "unknown"):
        for start, end in (("[", "]"), ('{"name":', "}")):
            nested = start * depth + "1" + end * depth
            text = f'{{"sku": "x", "name": "X", "{field}": {nested}}}'
            response = shop.call("POST", "/shops/products", **body(text))
            assert response.status_code in {400, 422}, (field, response.json)

    assert rows(app, "products") == 0


class Endless(io.RawIOBase):
    """A body that never ends; it counts what is read of it."""

    def __init__(self) -> None:
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        assert self.given < 4 * LIMIT, "it is read without limit"
        buffer[:] = b" " * len(buffer)
        self.given += len(buffer)
        return len(buffer)


@pytest.mark.one_database
def test_a_declared_body_of_much_more_than_that_is_refused_unread(
    send: Send, alice: User, mug: str
) -> None:
    endless = Endless()
    environ = {"wsgi.input": endless, "CONTENT_LENGTH": str(100 * LIMIT)}

    response = send(content_type="application/json", environ_overrides=environ)

    assert_refused(response, PayloadTooLarge)
    assert endless.given <= LIMIT
    assert alice.cart() == {mug: 7}


@pytest.mark.one_database
def test_a_chunked_body_without_length_is_read_to_the_limit_only(
    send: Send, alice: User, mug: str
) -> None:
    # What comes before the limit must not be taken for the whole.
    beginning = io.BytesIO(b'{"count": 8}' + b" " * LIMIT + b"and more")
    for stream in (Endless(), beginning):
        environ = {
            "wsgi.input": stream,
            "wsgi.input_terminated": True,
            "HTTP_TRANSFER_ENCODING": "chunked",
        }
        response = send(content_type="application/json", environ_overrides=environ)
        assert_refused(response, PayloadTooLarge)

    assert alice.cart() == {mug: 7}


@pytest.mark.one_database
def test_a_chunked_body_that_ends_counts(send: Send, alice: User, mug: str) -> None:
    environ = {
        "wsgi.input": io.BytesIO(b'{"count": 8}'),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }

    assert send(content_type="application/json", environ_overrides=environ).status_code == 200
    assert alice.cart() == {mug: 8}


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "9" * 400, "12, 12", ""])
@pytest.mark.one_database
def test_a_content_length_that_is_none_never_fails_the_service(
    length: str, send: Send, alice: User, mug: str
) -> None:
    environ = {"wsgi.input": io.BytesIO(b'{"count": 8}'), "CONTENT_LENGTH": length}

    response = send(content_type="application/json", environ_overrides=environ)

    assert response.status_code in {200, 400, 413}
    assert alice.cart()[mug] in ({1, 7} if response.status_code == 200 else {7})


def test_a_body_that_ends_too_early_changes_nothing(send: Send, alice: User, mug: str) -> None:
    environ = {"wsgi.input": io.BytesIO(b'{"count": 8'), "CONTENT_LENGTH": "12"}

    response = send(content_type="application/json", environ_overrides=environ)

    assert_refused(response, MalformedRequest)
    assert alice.cart() == {mug: 7}


# --- how a body is written ---


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "gzip, br", "identity, gzip", None])
@pytest.mark.one_database
def test_a_compressed_body_is_refused_for_that(
    coding: str | None, send: Send, alice: User, mug: str
) -> None:
    told = {} if coding is None else {"headers": {"Content-Encoding": coding}}
    plain = b'{"count": 8}'
    zipped = gzip.compress(plain)
    packed = [zipped, zipped[:-4], b"\x1f\x8b" + b"\0" * 20, gzip.compress(b"0" * LIMIT)]
    for data in packed if coding is None else [*packed, plain]:
        response = send(**body(data), **told)
        assert_refused(response, UnsupportedMediaType)
        assert response.json["error"]["message"] == "The request body must not be compressed."
        assert response.headers["Accept-Encoding"] == "identity"

    assert alice.cart() == {mug: 7}


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
@pytest.mark.one_database
def test_a_body_that_is_called_uncompressed_is_taken(
    coding: str, send: Send, alice: User, mug: str
) -> None:
    assert send(json={"count": 8}, headers={"Content-Encoding": coding}).status_code == 200
    assert alice.cart() == {mug: 8}


@pytest.mark.one_database
def test_every_door_refuses_what_is_called_compressed(
    platform: Platform, alice: User, shop: Shop, client: FlaskClient
) -> None:
    labelled = {"headers": {"Content-Encoding": "gzip"}}
    for response in (
        platform.call("POST", "/baskets/guests", json={}, **labelled),
        platform.call("POST", "/baskets/products/details", token=alice.token, json=[], **labelled),
        shop.call("PATCH", "/shops/config", json={"vat": 19}, **labelled),
        shop.call("PUT", "/shops/pictures/mug/1", data=b"\x89PNG", **labelled),
    ):
        assert_refused(response, UnsupportedMediaType)
    assert client.post("/code", data={"code": "x"}, **labelled).status_code == 415


ENCODED = {
    "UTF-16": '{"count": 8}'.encode("utf-16"),
    "UTF-16 LE": '{"count": 8}'.encode("utf-16-le"),
    "UTF-32": '{"count": 8}'.encode("utf-32"),
    "UTF-8 with BOM": b'\xef\xbb\xbf{"count": 8}',
    "Latin-1": '{"ü": 8}'.encode("latin-1"),
    "overlong": b'{"count": 8, "\xc0\xaf": 1}',
    "cut": b'{"count": 8, "\xe2\x82": 1}',
    "CESU-8": b'{"count": 8, "\xed\xa0\xbd\xed\xb8\x80": 1}',
    "a lone surrogate": b'{"count": 8, "\\ud83d": 1}',
    "a low surrogate": b'{"count": 8, "\\ude00\\ud83d": 1}',
    "NUL behind": b'{"count": 8}\0',
    "NUL before": b'\0{"count": 8}',
    "NUL in a text": b'{"count": 8, "a\0b": 1}',
}


@pytest.mark.parametrize("kind", ENCODED)
@pytest.mark.parametrize("charset", ["", "; charset=utf-16", "; charset=iso-8859-1", "; charset=x"])
@pytest.mark.one_database
def test_json_is_utf_8_and_nothing_else(
    kind: str, charset: str, send: Send, alice: User, mug: str
) -> None:
    response = send(data=ENCODED[kind], content_type=f"application/json{charset}")

    assert_refused(response, MalformedRequest)
    assert alice.cart() == {mug: 7}


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=iso-8859-1", "application/json;charset=utf-8", "APPLICATION/JSON"],
)
@pytest.mark.one_database
def test_a_charset_has_no_meaning_for_json(
    content_type: str, send: Send, alice: User, mug: str
) -> None:
    assert send(data=b'{"count": 8}', content_type=content_type).status_code == 200
    assert alice.cart() == {mug: 8}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "text/html; application/json",
        "application/json, text/plain",
        "a/b/application/json",
        "\xff",
        "x" * 10_000,
    ],
)
@pytest.mark.one_database
def test_a_body_of_another_type_is_refused(
    content_type: str | None, send: Send, alice: User, mug: str
) -> None:
    response = send(data=b'{"count": 8}', content_type=content_type)

    assert_refused(response, UnsupportedMediaType)
    assert alice.cart() == {mug: 7}


@pytest.mark.parametrize("text", ["null", "1", '"count"', "[]", "[1]", "true", '["count"]'])
@pytest.mark.one_database
def test_a_body_that_is_no_object_is_refused(text: str, send: Send, alice: User, mug: str) -> None:
    field_errors(send(**body(text)))

    assert alice.cart() == {mug: 7}


# --- ids ---

ODD_IDS = [
    "😀",
    "👨\u200d👩\u200d👧",
    "שלום",
    "\u202egnp.exe",
    "\u00e9",
    "\u0130",
    "ß",
    "a b",
    "a+b",
    "100%",
    "%00",
    "%2F",
    "a?b=c&d",
    "a#b",
    "a;b",
    "a\\b",
    "a'b",
    'a"b',
    "<script>",
    "..",
    "a/../b",
    "a//b",
    "\uffff",
    "\U0010ffff",
    "' OR 1=1 --",
    "{{7*7}}",
    "${x}",
    "x" * 200,
    "😀" * 100,
]


@pytest.mark.parametrize("sku", ODD_IDS)
def test_an_odd_id_is_stored_and_answered_to_the_letter(
    sku: str, shop: Shop, alice: User, platform: Platform
) -> None:
    identifier = post(shop, sku=sku, price=100)
    assert identifier == f"mugshop/de-DE/{sku}"

    assert alice.put(identifier, 3).status_code == 200
    assert alice.cart() == {identifier: 3}
    assert platform.guest((identifier, 2)).cart() == {identifier: 2}
    assert alice.product("PATCH", identifier, json={"count": 0}).status_code == 200
    assert alice.saved() == [identifier]
    listed = shop.call("GET", "/shops/products").json["data"]["blocks"]
    assert [block["skus"] for block in listed] == [[sku]]
    assert alice.product("DELETE", identifier).status_code == 200
    assert alice.saved() == []


def test_an_id_is_composed_and_has_more_than_blanks(shop: Shop) -> None:
    # Contract, product-v1: blanks at the ends are stripped, NFC.
    assert post(shop, sku="\ufeffe\u0301\u200b", price=100) == "mugshop/de-DE/\u00e9"
    for blank in ("\u200b", "\ufeff"):
        response = shop.call("POST", "/shops/products", json={"sku": blank, "name": "Mug"})
        assert list(field_errors(response)) == ["sku"]


@pytest.mark.parametrize("other", ["e\u0301", "É", "E\u0301", "e"])
def test_ids_that_look_alike_are_different_ones(other: str, shop: Shop, alice: User) -> None:
    identifier = post(shop, sku="é", price=100)
    alice.put(identifier)

    assert_refused(alice.put(f"mugshop/de-DE/{other}"), ProductNotFound)
    assert_refused(alice.product("DELETE", f"mugshop/de-DE/{other}"), NotInBasket)


@pytest.mark.parametrize("user_id", [i for i in ODD_IDS if "/" not in i and i not in {".", ".."}])
def test_an_odd_user_id_has_a_basket_of_its_own(
    user_id: str, platform: Platform, shop: Shop
) -> None:
    mug, user = shop.product("mug"), platform.user(user_id)

    assert user.put(mug, 2).status_code == 200

    assert user.cart() == {mug: 2}
    assert platform.user(f"{user_id}x").cart() == {}


NO_TEXT = ["%00", "a%00b", "%ff", "%c0%af", "%ed%a0%80", "%f8%88%80%80%80", "%e2%82", "%zz", "%"]


@pytest.mark.parametrize("written", NO_TEXT)
def test_bytes_that_are_no_text_never_fail_the_service(
    written: str, alice: User, platform: Platform, client: FlaskClient
) -> None:
    for method in ("POST", "PATCH", "DELETE"):
        response = alice.call(method, f"/products/{written}")
        assert_refused(response, ProductNotFound if method == "POST" else NotInBasket)
    response = platform.call("GET", f"/baskets/users/{written}", token=alice.token)
    assert response.status_code == 403
    for path in (
        f"/v2/transfers/{written}/status",
        f"/v2/transfers/{written}/qr.png",
        f"/v2/transfers/{written}/qr.svg",
    ):
        assert_refused(client.get(path), TransferUnknown)
    response = platform.call("POST", f"/baskets/guests?jayToken={written}")
    assert response.status_code in {404, 422}
    for query in (f"provider_id={written}", f"{written}=1", f"qr=true&x={written}"):
        assert alice.call("POST", f"/transfer?{query}").status_code == 200
        assert alice.call("DELETE", f"?{query}").status_code == 200


@pytest.mark.parametrize("text", ["\\u0000", "a\\u0000b"])
def test_nul_in_a_text_is_refused_or_known_to_nobody(
    text: str, app: Flask, alice: User, shop: Shop, client: FlaskClient
) -> None:
    platform = alice.platform
    products = f'{{"products": [{{"productId": "{text}"}}]}}'
    for response in (
        platform.call("POST", "/baskets/guests", **body(products)),
        platform.call(
            "POST", "/baskets/products/details", token=alice.token, **body(f'["{text}"]')
        ),
        alice.call("POST", "/merge", **body(f'{{"guestToken": "{text}"}}')),
        alice.call("PATCH", "/comfort", **body(f'{{"customerId": "{text}"}}')),
        alice.call("POST", "/transfer", **body(f'{{"url": "https://shop.example/{text}"}}')),
        shop.call("POST", "/shops/products", **body(f'{{"sku": "{text}", "name": "x"}}')),
        shop.call("POST", "/shops/products", **body(f'{{"sku": "x", "name": "{text}"}}')),
        shop.call("PATCH", "/shops/products", **body(f'{{"products": [{{"sku": "{text}"}}]}}')),
        shop.call("PATCH", "/shops/config", **body(f'{{"orderEmail": "{text}@x.example"}}')),
        client.post("/v1/playouts/x/tracking/session", **body(f'{{"userId": "{text}"}}')),
    ):
        field_errors(response)

    assert rows(app, "products") == rows(app, "baskets") == 0


# --- headers ---


def test_the_version_header_twice(alice: User) -> None:
    """As one field with a list, which a version is not (RFC 9110, 5.3)."""
    for versions in ([NEWEST, NEWEST], [NEWEST, OLDER], [OLDER, ""]):
        environ = {"HTTP_X_API_VERSION": ", ".join(versions)}
        response = alice.call("GET", environ_overrides=environ)
        assert_refused(response, VersionUnknown)
        assert response.json["error"]["details"] == {"supported": [NEWEST, OLDER]}
        assert response.headers["X-API-Version"] == NEWEST


@pytest.mark.parametrize(
    ("first", "second", "served"),
    [
        (NEWEST, OLDER, NEWEST),
        (OLDER, NEWEST, OLDER),
        (OLDER, "nonsense", OLDER),
        ("nonsense", OLDER, None),
        ("", OLDER, None),
        (None, OLDER, OLDER),
        (None, "2099-01-01", None),
        ("2099-01-01", None, None),
        ("2025-09-15\n", None, None),
        ("2025-09-15\0", None, None),
        ("\xe2\x80\xae2025-09-15", None, None),
        ("2025-09-15" * 1000, None, None),
    ],
)
@pytest.mark.one_database
def test_the_version_in_both_spellings(
    first: str | None, second: str | None, served: str | None, alice: User
) -> None:
    given = {"HTTP_X_API_VERSION": first, "HTTP_X_JAY_API_VERSION": second}
    environ = {name: value for name, value in given.items() if value is not None}

    response = alice.call("GET", environ_overrides=environ)

    assert response.headers.getlist("X-API-Version") == [served or NEWEST]
    if served is None:
        assert_refused(response, VersionUnknown)
    else:
        assert response.status_code == 200


INJECTED = [
    "abc\r\nSet-Cookie: evil=1",
    "abc\nX-Evil: 1",
    "abc\rX-Evil: 1",
    "abc\x0bX-Evil: 1",
    "abc\xc2\x85X-Evil: 1",
    "abc\xe5\x98\x8a\xe5\x98\x8dX-Evil: 1",
    "abc%0d%0aX-Evil: 1",
    '"}\n{"event": "request", "evil": true}',
    "\0",
    "\x1b[2J",
    "../../etc/passwd",
    "${jndi:ldap://evil.example/a}",
    "abc\n",
]
CARRIERS = [
    *("HTTP_X_REQUEST_ID", "HTTP_X_JAY_TRACKING", "HTTP_X_API_VERSION", "HTTP_ORIGIN"),
    *("HTTP_IDEMPOTENCY_KEY", "HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH", "HTTP_USER_AGENT"),
    *("HTTP_X_FORWARDED_FOR", "HTTP_REFERER", "HTTP_ACCEPT_LANGUAGE", "HTTP_COOKIE"),
    *("CONTENT_TYPE", "HTTP_ACCESS_CONTROL_REQUEST_METHOD", "HTTP_RANGE", "HTTP_X_API_KEY"),
]


@pytest.mark.one_database
@pytest.mark.parametrize("carrier", CARRIERS)
def test_no_header_becomes_another_header_or_a_line_of_the_log(
    carrier: str, platform: Platform, twin: Flask, log: Log
) -> None:
    client = twin.test_client()
    user = User(Platform(client, "kino", platform.key), "alice", platform.token("alice"))
    asked = 0
    for value in INJECTED:
        for response in (
            user.call("GET", environ_overrides={carrier: value}),
            user.product("POST", "unknown", environ_overrides={carrier: value}),
            client.options("/v2/baskets/users/alice", environ_overrides={carrier: value}),
            client.get("/v1/playouts/x/tracking/session", environ_overrides={carrier: value}),
            client.get("/code", environ_overrides={carrier: value}),
            client.get("/v2/nothing", environ_overrides={carrier: value}),
        ):
            asked += 1
            assert response.status_code < 500, (carrier, value)
            assert "X-Evil" not in response.headers
            assert "evil" not in str(response.headers)
            assert all(
                character not in f"{name}{content}"
                for name, content in response.headers
                for character in "\r\n\0"
            )

    lines = log.lines()  # which reads each line as a JSON object
    told = [line["event"] for line in lines if line["event"] != FORWARDED]
    assert told == ["request"] * asked
    logged = json.dumps(lines, ensure_ascii=False).lower()
    assert [
        word for word in ("evil", "jndi", "\x1b", "passwd", "set-cookie") if word in logged
    ] == []


@pytest.mark.parametrize("asked", [*INJECTED, "x" * 65, "", "a b", "ü"])
@pytest.mark.one_database
def test_an_unharmless_request_id_is_replaced(asked: str, client: FlaskClient) -> None:
    environ = {"HTTP_X_REQUEST_ID": asked.encode().decode("latin-1")}

    given = client.get("/v2/", environ_overrides=environ).headers["X-Request-ID"]

    assert len(given) == 16
    assert given.isalnum()


@pytest.mark.parametrize("name", ["session_id", "start_time", "source", "user_id", "provider_name"])
@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\u2028", "</script>", "\x1b[2J"])
@pytest.mark.one_database
def test_a_tracking_session_with_line_ends_comes_back_as_base64_only(
    name: str, value: str, client: FlaskClient, alice: User
) -> None:
    session = {"session_id": "s", "start_time": "t", "source": "x", name: value}
    header = base64.b64encode(json.dumps(session).encode()).decode()

    response = client.get("/v1/playouts/tracking/session", headers={"X-JAY-Tracking": header})

    assert response.status_code in {200, 400}
    assert "X-Evil" not in response.headers
    assert "\n" not in response.headers.get("X-JAY-Tracking", "")
    changed = alice.product("DELETE", "unknown", headers={"X-JAY-Tracking": header})
    assert_refused(changed, NotInBasket)


@pytest.mark.parametrize(
    "path",
    [
        '/v2/x\n{"event": "evil"}',
        "/v2/baskets/users/alice%0a%7b%22event%22%3a%22evil%22%7d",
        "/v2/baskets/users/alice/products/%0d%0aX-Evil:%201",
        "/v2%0d%0aX-Evil:%201",
        "/code%0d%0aSet-Cookie:%20evil=1",
    ],
)
def test_no_address_becomes_a_header_or_a_line_of_the_log(
    path: str, platform: Platform, twin: Flask, log: Log
) -> None:
    there = Platform(twin.test_client(), "kino", platform.key)
    headers = {"X-API-Key": there.key, "Authorization": f"Bearer {platform.token('alice')}"}

    response = there.client.open(quote(path, safe="/%"), method="DELETE", headers=headers)

    assert response.status_code in {403, 404, 405}
    assert "evil" not in str(response.headers).lower()
    (line,) = log.lines()
    assert "evil" not in json.dumps(line).lower()


def test_nothing_of_a_body_makes_the_service_call_out(
    shop: Shop, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []
    original = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: (called.append(a), original(*a, **k))
    )
    address = "http://127.0.0.1:9/secret"

    post(shop, url=address, urlImageUrl=address, images=[{"url": address}], brand={"name": "x"})
    shop.call("PATCH", "/shops/config", json={"orderWebhookUrl": address})
    alice.call("POST", "/transfer", json={"url": address})

    assert [call for call in called if 9 in call] == []
