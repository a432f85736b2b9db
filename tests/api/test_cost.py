"""No request costs much, however it is made: bounds are judged before the work."""

import contextlib
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import flask
import marshmallow as ma
import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient

from jay.errors import JayError, MalformedRequest
from jay.web.blueprint import Blueprint
from jay.web.bodies import MAX_TOKENS, load_json_body
from jay.web.pages import SAFE_METHODS
from jay.web.schema import ERRORS_TOLD, List, Schema, told
from jay.web.versions import api_of_path
from tests.api.browser import Browser
from tests.api.checks import body
from tests.api.test_page_doors import address, changing
from tests.builders import Platform, Shop, User

MEGABYTE = 2**20
KIBIBYTE = 1024

SECONDS = 0.25
"""Processor time of a request at most. It is measured on this process alone, and a busy machine
makes it longer; so tests allow four times of it, which is a fiftieth of what it once was."""

MOST_ANSWERED = 32 * KIBIBYTE


def filled(start: bytes, item: bytes, end: bytes, size: int = MEGABYTE) -> bytes:
    """Repeat an item as often as fits."""
    count = (size - len(start) - len(end) - 2) // (len(item) + 1)
    return start + b",".join([item] * count) + end


def numbered(start: bytes, end: bytes, value: bytes, size: int) -> bytes:
    """Fill an object with as many names as fit."""
    each = 10 + len(value)
    names = (b'"%06d":%s' % (number, value) for number in range((size - 200) // each))
    return start + b",".join(names) + end


def worst(size: int) -> dict[str, bytes]:
    """Return bodies that cost most to look at, each as long as is allowed."""
    lists = ("products", "variants", "images", "safety", "merchantShippingScale")
    return {
        **{
            f"empty {name}": filled(b'{"%s":[' % name.encode(), b"{}", b"]}", size)
            for name in lists
        },
        **{
            f"wrong {name}": filled(
                b'{"%s":[' % name.encode(), b'{"a":1,"b":2,"sku":[],"productId":3}', b"]}", size
            )
            for name in lists
        },
        "array of objects": filled(b"[", b"{}", b"]", size),
        "array of texts": filled(b"[", b'"a"', b"]", size),
        "array of numbers": filled(b"[", b"1", b"]", size),
        "array of nulls": filled(b"[", b"null", b"]", size),
        "deep arrays": b"[" * (size // 2) + b"]" * (size // 2),
        "deep objects": b'{"a":' * (size // 6 - 1) + b"1" + b"}" * (size // 6 - 1),
        "rather deep": filled(b"[", b"[" * 900 + b"]" * 900, b"]", size),
        "wide": numbered(b"{", b"}", b"1", size),
        "wide inside": numbered(b'{"products":[{', b"}]}", b"{}", size),
        "a long name": b'{"' + b"n" * (size - 10) + b'":1}',
        "a long text": b'{"sku":"' + b"t" * (size - 20) + b'"}',
        "a long token": b'{"guestToken":"' + b"." * (size - 40) + b'"}',
        "escapes": b'{"sku":"' + b"\\u0001" * (size // 6 - 10) + b'"}',
        "a long number": b'{"count":' + b"9" * (size - 20) + b"}",
        "a long fraction": b'{"count":0.' + b"3" * (size - 20) + b"}",
        "one name often": filled(b"{", b'"a":1', b"}", size),
        "objects with names": filled(b'{"products":[', b'{"a":1}', b"]}", size),
        "spaces": b" " * size,
    }


def operations(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Yield method, rule and endpoint of each operation that may have a body."""
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) - SAFE_METHODS):
            if api_of_path(rule.rule) is not None:
                yield method, rule.rule, rule.endpoint


@pytest.mark.one_database
def test_no_request_costs_much(
    app: Flask, platform: Platform, alice: User, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    mug = shop.product("mug")
    spent: list[tuple[float, int, str]] = []
    bodies = {size: worst(size) for size in (64 * KIBIBYTE, MEGABYTE)}
    for method, rule, _ in operations(app):
        path = rule[3:].replace("<userId>", "alice").replace("<playoutId>", "news")
        path = path.replace("<partNo>", "AAAA-AAAA-AAAA-1").replace("<position>", "1")
        path = path.replace("<path:productId>", mug).replace("<path:sku>", "mug")
        size = 64 * KIBIBYTE if rule.startswith("/v2/") else MEGABYTE
        for name, content in {**bodies[size], "too large": b"[" * (MEGABYTE + 1)}.items():
            began = time.process_time()
            if rule.startswith("/v1/"):
                answer = shop.call(method, path, **body(content))
            else:
                answer = platform.call(method, path, token=alice.token, **body(content))
            spent.append(
                (time.process_time() - began, len(answer.data), f"{method} {rule}: {name}")
            )
            assert answer.status_code < 500, (rule, name)
            assert len(answer.data) <= MOST_ANSWERED, (rule, name)
    spent.sort(reverse=True)
    with capsys.disabled():
        print()
        for seconds, length, what in spent[:3]:
            print(f"  {seconds * 1000:5.0f} ms, {length:5d} bytes: {what}")
    assert [each for each in spent if each[0] > 4 * SECONDS] == []


@pytest.mark.one_database
@pytest.mark.parametrize("name", worst(100))
def test_no_body_takes_much_memory(app: Flask, name: str) -> None:
    content = worst(MEGABYTE)[name]
    with app.test_request_context(method="POST", **body(content)):
        flask.request.max_content_length = MEGABYTE
        tracemalloc.start()
        try:
            with contextlib.suppress(JayError):
                load_json_body()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 20 * MEGABYTE


@pytest.mark.one_database
def test_commas_in_texts_are_no_values(app: Flask) -> None:
    text = {"description": ',\\"' * 100_000}
    with app.test_request_context(method="POST", json=text):
        assert load_json_body() == text
    with (
        app.test_request_context(method="POST", json=[*range(MAX_TOKENS + 2)]),
        pytest.raises(MalformedRequest),
    ):
        load_json_body()


FORM, PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"


def worst_forms(size: int) -> dict[str, tuple[str, bytes]]:
    """Return forms that cost most to read, all of them with a token that is right."""
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    token = part % (b"csrf", b"right")
    one = part % (b"a", b"")

    def form(item: bytes) -> tuple[str, bytes]:
        return FORM, b"csrf=right" + item * ((size - 10) // len(item))

    def parts(item: bytes) -> tuple[str, bytes]:
        return PARTS, token + item * ((size - 200) // len(item)) + b"--x--"

    return {
        "one name often": form(b"&a"),
        "names without an end": (FORM, b"csrf=right&" + b"a" * (size - 20)),
        "escapes": (FORM, b"csrf=right&name=" + b"%C3%84" * ((size - 30) // 6)),
        "half an escape": (FORM, b"csrf=right&name=" + b"%" * (size - 30)),
        "quotes": (FORM, b"csrf=right&name=" + b"'" * (size - 30)),
        "spaces": (FORM, b"csrf=right&products=" + b"a+" * ((size - 30) // 2)),
        "many parts": parts(one),
        "one long part": (PARTS, token + part % (b"name", b"n" * (size - 300)) + b"--x--"),
        "parts that do not end": (PARTS, token + b"--x\r\n" * ((size - 200) // 5)),
    }


@pytest.mark.one_database
def test_no_form_costs_much(
    app: Flask, platform: Platform, alice: User, shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    alice.put(shop.product("mug"), 2)
    offer = alice.transfer()
    browser = Browser(app)
    spent: list[tuple[float, int, str]] = []
    forms = {size: worst_forms(size) for size in (64 * KIBIBYTE, MEGABYTE)}
    for method, rule in changing(app):
        path = address(rule, offer)
        for size, worst_ones in forms.items():
            for name, (kind, content) in worst_ones.items():
                with browser._client.session_transaction() as session:
                    session["csrf"] = "right"
                began = time.process_time()
                answer = browser._client.open(path, method=method, data=content, content_type=kind)
                length = len(answer.data)
                what = f"{method} {rule.rule}: {name}, {size // KIBIBYTE} KiB"
                spent.append((time.process_time() - began, length, what))
                assert answer.status_code < 500, what
                assert length <= MOST_ANSWERED, what
    spent.sort(reverse=True)
    with capsys.disabled():
        print()
        for seconds, length, what in spent[:3]:
            print(f"  {seconds * 1000:5.0f} ms, {length:5d} bytes: {what}")
    assert [each for each in spent if each[0] > 4 * SECONDS] == []


@pytest.mark.one_database
def test_pages_take_forms_of_64_kibibytes(app: Flask) -> None:
    browser = Browser(app)
    with browser._client.session_transaction() as session:
        session["csrf"] = "right"

    statuses = [
        browser.post("/code", csrf="right", more="x" * n).status_code for n in (60_000, 2**16)
    ]

    assert statuses == [404, 413]


def schemas_of(app: Flask) -> set[type[ma.Schema]]:
    """Return every schema that loads a part of a request, those inside of others included."""
    found: set[type[ma.Schema]] = set()

    def walk(schema: ma.Schema) -> None:
        if type(schema) in found:
            return
        found.add(type(schema))
        for field in schema.load_fields.values():
            for one in insides(field):
                if isinstance(one, ma.fields.Nested):
                    walk(one.schema)

    for documented in documents_of(app):
        for parameter in documented.get("arguments", {}).get("parameters", ()):
            walk(parameter["schema"])
    return found


def documents_of(app: Flask) -> Iterator[dict[str, Any]]:
    for blueprint in app.blueprints.values():
        if isinstance(blueprint, Blueprint):
            for operation in blueprint._docs.values():
                yield from (documented for documented in operation.values() if documented)


def insides(field: ma.fields.Field[Any]) -> Iterator[ma.fields.Field[Any]]:
    """Yield a field and those that it is made of."""
    yield field
    if isinstance(field, ma.fields.List):
        yield from insides(field.inner)
    for one in getattr(field, "alternatives", ()):
        yield from insides(one)


def test_every_list_is_bounded_before_its_items_are_looked_at(app: Flask) -> None:
    found = schemas_of(app)
    assert len(found) > 12
    lists = 0
    for schema in found:
        assert issubclass(schema, Schema)  # which bounds the number of fields
        for field in schema().load_fields.values():
            for one in insides(field):
                if not isinstance(one, ma.fields.List):
                    continue
                lists += 1
                where = f"{schema.__name__}.{field.name}"
                assert isinstance(one, List), where
                bounds = [r for r in one.validators if isinstance(r, ma.validate.Length)]
                most = min(r.max for r in bounds if r.max is not None)
                looked_at: list[Any] = []
                setattr(one.inner, "deserialize", _note(looked_at))  # noqa: B010
                with pytest.raises(ma.ValidationError):
                    one.deserialize([{}] * (most + 1))
                assert looked_at == [], where
    assert lists >= 6


def _note(seen: list[Any]) -> Callable[..., Any]:
    def deserialize(value: Any, *_args: Any, **_kwargs: Any) -> Any:
        seen.append(value)
        return value

    return deserialize


def test_at_most_twenty_errors_are_told(platform: Platform, client: FlaskClient) -> None:
    lines = [{"productId": "", "count": -1}] * 400

    answer = platform.call("POST", "/baskets/guests", json={"products": lines})

    assert answer.status_code == 422
    details = answer.json["error"]["details"]
    assert len(details["products"]) == ERRORS_TOLD / 2
    assert details["_schema"] == ["Only the first 20 errors are listed."]


def test_names_in_errors_are_cut() -> None:
    assert told({"n" * 5000: ["Unknown field."]}) == {"n" * 100: ["Unknown field."]}
    assert orjson.dumps(told({"a": ["x"]})) == b'{"a":["x"]}'


@pytest.mark.one_database
def test_the_basket_api_takes_64_kibibytes_and_the_feed_a_mebibyte(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    def put(size: int) -> int:
        content = b'{"count":1}' + b" " * (size - 11)
        return alice.product("POST", mug, **body(content)).status_code

    assert put(64 * KIBIBYTE) == 200
    assert put(64 * KIBIBYTE + 1) == 413
    big = b'{"products":[]}' + b" " * (MEGABYTE - 15)
    assert shop.call("PATCH", "/shops/products", **body(big)).status_code == 200
    assert shop.call("PATCH", "/shops/products", **body(big + b" ")).status_code == 413
