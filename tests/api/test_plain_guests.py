"""Guests that are plainly asked for are made before Flask, in the very words of the route."""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from jay import db
from jay.db.types import metadata
from jay.errors import (
    Busy,
    CartFull,
    InternalError,
    JayError,
    NotShoppable,
    OrderLimit,
    OutcomeUnknown,
    OutOfStock,
    ProductNotFound,
    TooManyRequests,
)
from jay.guests import service
from jay.partners import service as partners
from tests.api.checks import Log, assert_refused, rows
from tests.api.plain_ways import BY_ROUTE, both, both_failing, flask_requests, headers_of
from tests.builders import Platform, Shop, User
from tests.clock import MovedClock
from tests.conftest import Apps
from tests.load.wrk import TRACKING

ADDRESS = "203.0.113.7"


def create(platform: Platform, body: Any = None, **more: Any) -> TestResponse:
    data = body if isinstance(body, str | bytes) or body is None else json.dumps(body)
    typed = {} if data is None else {"content_type": "application/json"}
    more = {"environ_base": {"REMOTE_ADDR": ADDRESS}, **typed, **more}
    return platform.call("POST", "/baskets/guests", data=data, **more)


def of(*lines: tuple[str, int]) -> dict[str, Any]:
    return {"products": [{"productId": one, "count": count} for one, count in lines]}


def told(response: TestResponse) -> Any:
    """Return what an answer says, but for who the guest is."""
    content = response.json
    data = content.get("data", {})
    if "token" in data:
        header, claims, signature = data.pop("token").split(".")
        said = orjson.loads(base64.urlsafe_b64decode(claims + "=="))
        assert said.pop("sub") == data.pop("userId")
        data |= {"header": header, "claims": list(said.items()), "signed": len(signature)}
    return content


def assert_same(plain: TestResponse, routed: TestResponse) -> None:
    assert plain.status_code == routed.status_code
    assert headers_of(plain) == headers_of(routed)
    assert told(plain) == told(routed)


def left(response: TestResponse) -> dict[str, int]:
    """Return what an answer says is left of each limit."""
    parts = [part.split(";") for part in response.headers["RateLimit"].split(", ")]
    return {name.strip('"'): int(number.removeprefix("r=")) for name, number, _ends in parts}


def test_a_guest_is_made_as_by_the_route(app: Flask, platform: Platform) -> None:
    plain, routed = both(app, lambda **more: create(platform, **more))

    assert plain.status_code == 200
    token, user_id = plain.json["data"]["token"], plain.json["data"]["userId"]
    assert User(platform, user_id, token).basket() == plain.json["data"]["basket"]
    assert_same(plain, routed)
    assert (rows(app, "baskets"), rows(app, "events")) == (2, 2)


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        ' {"products" : [ ] } ',
        '{"products": [{"productId": "MUG"}]}',
        '{"products": [{"count": 0, "productId": "MUG"}, {"productId": "CUP", "count": 3}]}',
        '{"products": [{"productId": "MUG", "count": 2}, {"productId": "MUG", "count": 999}]}',
        '{"products": [{"productId": "\\u004dUG", "count": 2}]}',
    ],
)
def test_products_are_put_in_as_by_the_route(
    body: str, app: Flask, platform: Platform, shop: Shop
) -> None:
    body = body.replace("MUG", shop.product(stock_count=None)).replace("CUP", shop.product("cup"))
    body = body.replace("\\u004dUG", shop.product().replace("m", "\\u006d"))

    plain, routed = both(app, lambda **more: create(platform, body, **more))

    assert plain.status_code == 200
    assert_same(plain, routed)


@pytest.mark.parametrize("error", [ProductNotFound, OutOfStock, NotShoppable, OrderLimit, CartFull])
def test_what_the_rules_refuse_is_refused_in_the_words_of_the_route(
    error: type[JayError], app: Flask, platform: Platform, shop: Shop
) -> None:
    bodies: dict[type[JayError], Callable[[], dict[str, Any]]] = {
        ProductNotFound: lambda: of((shop.product(), 1), ("no/such\u20ac", 1)),
        OutOfStock: lambda: of((shop.product(stock_count=0), 1)),
        NotShoppable: lambda: of((shop.product(not_shoppable=True), 1)),
        OrderLimit: lambda: of((shop.product(shipping={"orderLimit": 3}), 4)),
        CartFull: lambda: of(*((one, 1) for one in shop.products(21))),
    }
    body = bodies[error]()

    plain, routed = both(app, lambda **more: create(platform, body, **more))

    assert_refused(plain, error)
    assert_same(plain, routed)
    assert rows(app, "baskets") == 0


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "[]",
        "{",
        "\ufeff{}",
        "{}".encode("utf-16"),
        b'{"products": [{"productId": "\xff"}]}',
        gzip.compress(b"{}", mtime=0),
        '{"products": null}',
        '{"products": {}}',
        '{"products": [[]]}',
        '{"products": [{}]}',
        '{"products": [], "more": 1}',
        '{"products": [], "products": []}',
        '{"products": [{"productId": "MUG", "count": 1, "count": 2}]}',
        '{"products": [{"productId": "MUG", "count": 1.0}]}',
        '{"products": [{"productId": "MUG", "count": "1"}]}',
        '{"products": [{"productId": "MUG", "count": true}]}',
        '{"products": [{"productId": "MUG", "count": null}]}',
        '{"products": [{"productId": "MUG", "count": -1}]}',
        '{"products": [{"productId": "MUG", "count": 1000}]}',
        '{"products": [{"productId": "MUG", "more": 1}]}',
        '{"products": [{"productId": ""}]}',
        '{"products": [{"productId": "\\u0000"}]}',
        '{"products": [{"productId": "\\ud800"}]}',
        '{"products": [{"productId": 1}]}',
        '{"products": [{"productId": "' + "x" * 501 + '"}]}',
        '{"products": [' + ", ".join(['{"productId": "x"}'] * 401) + "]}",
        "[" * 8000,
        "{}" + " " * 8191,
        " " * 70_000,
    ],
    ids=lambda body: repr(body[:60]),
)
def test_any_other_body_goes_to_the_route(
    body: str | bytes, app: Flask, platform: Platform, shop: Shop
) -> None:
    mug = shop.product()
    sent = body.replace("MUG", mug) if isinstance(body, str) else body

    with flask_requests(app) as seen:
        response = create(platform, sent)

    assert len(seen) == 1
    assert response.status_code == (200 if body[:2] == "{}" else response.status_code)
    assert response.status_code in {200, 400, 413, 415, 422}
    assert rows(app, "baskets") == (response.status_code == 200)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://tv.example"},
        {"X-API-Version": "2025-07-21"},
        {"x-jay-api-version": "2025-07-21"},
        {"Idempotency-Key": "a-key-of-a-test-0123456789"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"Forwarded": "for=192.0.2.1"},
        {"Content-Encoding": "identity"},
        {"Transfer-Encoding": "chunked"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_what_asks_for_more_goes_to_the_route(
    headers: dict[str, str], app: Flask, platform: Platform
) -> None:
    with flask_requests(app) as seen:
        assert create(platform, headers=headers).status_code == 200

    assert len(seen) == 1


@pytest.mark.parametrize("length", ["x", "-1", "+2", "2 ", "9" * 5000, "70000"])
def test_an_odd_length_is_judged_by_the_route(length: str, app: Flask, platform: Platform) -> None:
    with flask_requests(app) as seen:
        create(platform, "{}", environ_overrides={"CONTENT_LENGTH": length})

    assert len(seen) == 1


def test_a_body_whose_length_is_not_told_is_read_by_the_route(
    app: Flask, platform: Platform, shop: Shop
) -> None:
    body = json.dumps(of((shop.product(), 2))).encode()
    untold = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}

    for more in ({"HTTP_TRANSFER_ENCODING": "chunked"}, {"SERVER_PROTOCOL": "HTTP/2"}):
        with flask_requests(app) as seen:
            response = create(platform, body, environ_overrides={**untold, **more})
        assert len(seen) == 1
        assert len(response.json["data"]["basket"]["cart"]) == 1


def test_other_types_methods_and_queries_go_to_the_route(app: Flask, platform: Platform) -> None:
    with flask_requests(app) as seen:
        assert create(platform, query_string={"provider_id": "x"}).status_code == 200
        assert create(platform, query_string={"jayToken": "x"}).status_code == 404
        assert create(platform, "{}", content_type="text/plain").status_code == 415
        utf_8 = "application/json; charset=utf-8"
        assert create(platform, "{}", content_type=utf_8).status_code == 200
        assert platform.call("GET", "/baskets/guests").status_code == 405
        assert platform.call("OPTIONS", "/baskets/guests").status_code == 200
        assert platform.call("POST", "/baskets/guests/").status_code == 404

    assert len(seen) == 7


def test_the_headers_of_others_change_nothing(app: Flask, platform: Platform) -> None:
    odd = {"Authorization": "Bearer nonsense", "If-Match": '"x"', "Accept-Encoding": "gzip"}

    assert_same(
        *both(app, lambda headers=None: create(platform, headers={**odd, **(headers or {})}))
    )


def test_who_may_not_enter_is_refused_by_the_route(
    app: Flask, platform: Platform, shop: Shop
) -> None:
    with flask_requests(app) as seen:
        for key, status in (("", 401), ("jay_nonsense", 401), ("x" * 300, 401), (shop.key, 403)):
            assert create(platform, headers={"X-API-Key": key}).status_code == status

    assert len(seen) == 4
    assert rows(app, "baskets") == 0


# --- limits ---


@pytest.mark.parametrize(
    "limits",
    [{"requests_per_key": 3}, {"guests_per_key": 3}, {"guests_per_address": 3}],
    ids=lambda limits: next(iter(limits)),
)
@pytest.mark.parametrize("address", [ADDRESS, "2001:db8:1:2::3", "unreadable"])
def test_both_ways_count_for_the_same_limits(
    limits: dict[str, int], address: str, apps: Apps, database_url: str, platform: Platform
) -> None:
    platform.client = apps.on(database_url, **limits).test_client()
    ways: list[dict[str, str]] = [{}, BY_ROUTE, {}, {}, BY_ROUTE]
    base = {"REMOTE_ADDR": address}

    answers = [create(platform, headers=headers, environ_base=base) for headers in ways]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    first, second, third = (left(answer) for answer in answers[:3])
    assert list(first) == list(second)
    assert [first[name] - second[name] for name in first] == [1] * len(first)
    assert [second[name] - third[name] for name in first] == [1] * len(first)
    assert_same(answers[3], answers[4])


def test_what_one_limit_refuses_uses_up_no_other(
    apps: Apps, database_url: str, platform: Platform
) -> None:
    platform.client = apps.on(database_url, guests_per_address=1, guests_per_key=9).test_client()
    assert create(platform).status_code == 200
    for headers in ({}, BY_ROUTE):
        assert_refused(create(platform, headers=headers), TooManyRequests)

    assert left(create(platform, environ_base={"REMOTE_ADDR": "203.0.113.8"}))["guests"] == 7


def test_a_partner_has_limits_of_its_own(app: Flask, platform: Platform, clock: MovedClock) -> None:
    with app.app_context(), db.transaction() as connection:
        identifier = partners.partner_id(connection, platform.name)
        partners.change_partner(connection, identifier, {"limits": {"guests": 2}})
    clock.move(60)

    answers = [create(platform, headers=headers) for headers in ({}, BY_ROUTE, {}, BY_ROUTE)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert_same(answers[2], answers[3])


def test_behind_a_trusted_proxy_it_counts_for_the_address_that_the_proxy_tells(
    apps: Apps, database_url: str, platform: Platform
) -> None:
    trusting = apps.on(database_url, trusted_proxies=1, guests_per_address=1)
    platform.client = trusting.test_client()

    with flask_requests(trusting) as seen:
        answers = [
            create(platform, headers={"X-Forwarded-For": address}).status_code
            for address in ("192.0.2.1, 192.0.2.2", "192.0.2.1, 192.0.2.3", "192.0.2.2")
        ]

    assert (answers, seen) == ([200, 200, 429], [])


# --- what goes wrong, and what is noted ---


@pytest.mark.parametrize("error", [Busy, OutcomeUnknown])
def test_a_busy_database_is_told_in_the_words_of_the_route_after_one_wait(
    error: type[JayError],
    twin: Flask,
    platform: Platform,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform.client = twin.test_client()

    plain, routed, _ = both_failing(
        monkeypatch, log, (service, "start"), error, lambda **more: create(platform, **more)
    )

    assert_same(plain, routed)


def test_what_crashes_is_done_once_and_told_in_the_words_of_the_route(
    twin: Flask, platform: Platform, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.client = twin.test_client()

    plain, routed, _ = both_failing(
        monkeypatch,
        log,
        (service, "start"),
        InternalError,
        lambda **more: create(platform, **more),
    )

    assert_same(plain, routed)
    first, second = left(plain), left(routed)
    assert [first[name] - second[name] for name in first] == [1] * 3


def test_both_ways_are_logged_alike(twin: Flask, platform: Platform, log: Log) -> None:
    platform.client = twin.test_client()
    log.lines()
    named = {"X-Request-ID": "my-id.1"}

    plain, routed = (create(platform, headers={**named, **more}) for more in ({}, BY_ROUTE))

    assert plain.headers["X-Request-ID"] == routed.headers["X-Request-ID"] == "my-id.1"
    lines = [{**line, "timestamp": "", "ms": 0} for line in log.lines()]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert lines[0]["route"] == "/v2/baskets/guests"


@pytest.mark.parametrize("header", [TRACKING, "nonsense"])
def test_both_ways_record_the_same_event(header: str, app: Flask, platform: Platform) -> None:
    for more in ({}, BY_ROUTE):
        assert create(platform, headers={"X-JAY-Tracking": header, **more}).status_code == 200

    events = metadata.tables["events"]
    known = [one for one in events.c if one.name not in {"id", "routing_key"}]
    with app.app_context(), db.reading() as connection:
        plain, routed = connection.execute(select(*known)).all()
    assert plain == routed
    assert (plain.session_id is None) == (header == "nonsense")
