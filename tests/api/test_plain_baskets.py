"""Plain requests for a basket are answered before Flask, in the very words of the routes."""

from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jay.auth.tokens import Tokens
from jay.baskets import service
from jay.errors import (
    Busy,
    InternalError,
    JayError,
    KeySetUnavailable,
    OutcomeUnknown,
    TokenMalformed,
    TokenSignatureInvalid,
)
from tests.api.checks import Log, assert_refused, rows
from tests.api.plain_ways import BY_ROUTE, both, both_failing, flask_requests, headers_of
from tests.builders import Platform, Shop, User
from tests.clock import MovedClock
from tests.conftest import Apps


def get(user: User, **more: Any) -> TestResponse:
    return user.call("GET", **more)


def post(user: User, product_id: str, body: str = '{"count": 2}', **more: Any) -> TestResponse:
    more = {"content_type": "application/json", **more}
    return user.product("POST", product_id, data=body, **more)


def assert_same(plain: TestResponse, routed: TestResponse, *another: str) -> None:
    """Check that both say the same, but for some headers."""
    assert plain.status_code == routed.status_code
    for name in another:
        plain.headers.pop(name), routed.headers.pop(name)
    assert headers_of(plain) == headers_of(routed)
    assert plain.data == routed.data


@pytest.mark.parametrize("user_id", ["alice", "auth0/4711", "a b+c@example.org", "100%"])
def test_a_basket_is_read_as_by_the_route(
    user_id: str, app: Flask, platform: Platform, shop: Shop
) -> None:
    user = platform.user(user_id)
    assert post(user, shop.product()).status_code == 200
    assert post(user, shop.product("cup"), '{"count": 0}').status_code == 200

    plain, routed = both(app, lambda **more: get(user, **more))

    assert len(plain.json["data"]["cart"]) == len(plain.json["data"]["saved"]) == 1
    assert_same(plain, routed)


def test_a_basket_that_nobody_has_touched_is_read_as_by_the_route(app: Flask, alice: User) -> None:
    assert_same(*both(app, lambda **more: get(alice, **more)))


def test_a_guest_reads_as_by_the_route(app: Flask, platform: Platform, shop: Shop) -> None:
    guest = platform.guest((shop.product(), 1))

    assert_same(*both(app, lambda **more: get(guest, **more)))


@pytest.mark.parametrize(
    "body", ['{"count": 3}', '{"count":0}', ' {\n"count" :\t-1 } ', '{"count":999}']
)
def test_a_product_is_set_as_by_the_route(body: str, app: Flask, alice: User, shop: Shop) -> None:
    mug = shop.product(stock_count=None)

    plain, routed = both(app, lambda **more: post(alice, mug, body, **more))

    assert plain.status_code == 200
    assert_same(plain, routed, "ETag")


def test_each_way_counts_versions_and_events_alike(app: Flask, alice: User, shop: Shop) -> None:
    plain, routed = both(app, lambda **more: post(alice, shop.product(), **more))

    first, second = (one.get_etag()[0] for one in (plain, routed))
    assert (first or "").removesuffix("1") == (second or "").removesuffix("2")
    assert rows(app, "events") == 2


@pytest.mark.parametrize("product", ["gone", "out", "look"])
def test_what_the_rules_refuse_is_refused_in_the_words_of_the_route(
    product: str, app: Flask, alice: User, shop: Shop
) -> None:
    ids = {
        "gone": "no/such/product",
        "out": shop.product("out", stock_count=0),
        "look": shop.product("look", not_shoppable=True),
    }

    plain, routed = both(app, lambda **more: post(alice, ids[product], **more))

    assert plain.status_code in {404, 409}
    assert_same(plain, routed)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        "{",
        '{"count": 1.0}',
        '{"count": "1"}',
        '{"count": null}',
        '{"count": true}',
        '{"count": 01}',
        '{"count": -0}',
        '{"count": -2}',
        '{"count": 1000}',
        '{"count": 1, "count": 2}',
        '{"count": 1, "more": 2}',
        '{"count": 1}\x0b',
        '{"count": 1} ' + " " * 100,
    ],
)
def test_any_other_body_goes_to_the_route(body: str, app: Flask, alice: User, shop: Shop) -> None:
    mug = shop.product()

    with flask_requests(app) as seen:
        response = post(alice, mug, body)

    assert len(seen) == 1
    assert response.status_code in {200, 400, 422}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://tv.example"},
        {"X-API-Version": "2025-07-21"},
        {"x-jay-api-version": "2025-07-21"},
        {"If-Match": "*"},
        {"If-None-Match": '"x"'},
        {"Idempotency-Key": "a-key-of-a-test"},
        {"Content-Encoding": "identity"},
        {"X-Forwarded-For": "192.0.2.1"},
        {"Forwarded": "for=192.0.2.1"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_what_has_a_condition_goes_to_the_route(
    headers: dict[str, str], app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product()
    put = post(alice, mug)

    with flask_requests(app) as seen:
        assert get(alice, headers=headers).status_code == 200
        assert post(alice, mug, headers=headers).status_code == put.status_code

    assert len(seen) == 2


def test_other_types_methods_and_queries_go_to_the_route(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product()

    with flask_requests(app) as seen:
        assert alice.call("HEAD").data == b""
        assert get(alice, query_string={"provider_id": "x"}).status_code == 200
        assert post(alice, mug, content_type="text/plain").status_code == 415
        assert post(alice, mug, content_type="application/json; charset=utf-8").status_code == 200
        assert alice.product("GET", mug).status_code == 405

    assert len(seen) == 5


@pytest.mark.parametrize(
    "path",
    ["", "/", "/alice/", "/alice/products", "/alice/products/", "/alice/products//x", "/a/b"],
)
def test_addresses_that_are_no_routes_of_these_lead_to_flask(
    path: str, app: Flask, platform: Platform
) -> None:
    user = platform.user("a/b")

    for method in ("GET", "POST"):
        with flask_requests(app) as seen:
            platform.call(method, f"/baskets/users{path}", token=user.token, json={"count": 1})
        assert len(seen) == 1


def test_who_may_not_enter_is_refused_by_the_route(
    app: Flask, platform: Platform, alice: User, shop: Shop
) -> None:
    mallory = User(platform, "mallory", alice.token)
    with flask_requests(app) as seen:
        assert get(mallory).status_code == 403
        assert get(User(platform, "alice", "nonsense")).status_code == 401
        basic = {"Authorization": "Basic x"}
        assert platform.call("GET", "/baskets/users/alice", headers=basic).status_code == 401
        assert alice.call("GET", headers={"X-API-Key": "jay_nonsense"}).status_code == 401
        assert alice.call("GET", headers={"X-API-Key": shop.key}).status_code == 403

    assert len(seen) == 5


@pytest.mark.parametrize("error", [None, TokenSignatureInvalid, KeySetUnavailable])
def test_a_token_is_verified_once_and_refused_in_the_words_of_the_route(
    error: type[JayError] | None, app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, verify = list[str](), Tokens.verify

    def noted(self: Tokens, token: str, *given: Any, **more: Any) -> Any:
        asked.append(token)
        if error is not None:
            raise error
        return verify(self, token, *given, **more)

    monkeypatch.setattr(Tokens, "verify", noted)
    stranger = User(alice.platform, "alice", "nonsense")

    plain = get(stranger)
    assert asked == ["nonsense"]
    routed = get(stranger, headers=BY_ROUTE)

    assert_refused(plain, error or TokenMalformed)
    assert_same(plain, routed)


def test_both_ways_count_for_the_same_limits(
    apps: Apps, database_url: str, alice: User, app: Flask
) -> None:
    few = apps.on(database_url, requests_per_user=3)
    alice.platform.client = few.test_client()

    answers = [get(alice, headers=headers) for headers in ({}, BY_ROUTE, {}, {}, BY_ROUTE)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    left = [str(answer.headers["RateLimit"]).split(",")[0] for answer in answers]
    assert left[:3] == [f'"user-requests";r={n};t=60' for n in (2, 1, 0)]
    assert_same(answers[3], answers[4])


@pytest.mark.parametrize("error", [Busy, OutcomeUnknown])
def test_a_busy_database_is_told_in_the_words_of_the_route_after_one_wait(
    error: type[JayError],
    twin: Flask,
    alice: User,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice.platform.client = twin.test_client()

    plain, routed, _ = both_failing(
        monkeypatch, log, (service, "assign"), error, lambda **more: post(alice, "mug", **more)
    )

    assert_same(plain, routed)


def test_what_crashes_is_done_once_and_told_in_the_words_of_the_route(
    twin: Flask, alice: User, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.platform.client = twin.test_client()

    plain, routed, lines = both_failing(
        monkeypatch,
        log,
        (service, "assign"),
        InternalError,
        lambda **more: post(alice, "mug", **more),
    )

    assert_same(plain, routed)
    left = [str(one.headers["RateLimit"]).split(",")[0] for one in (plain, routed)]
    first, second = (int(part.split(";r=")[1].split(";")[0]) for part in left)
    assert first == second + 1
    assert all("a fault of ours" in line["exception"] for line in (lines[0], lines[2]))


def test_what_crashes_before_it_is_counted_is_left_to_the_route(
    app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_args: Any, **_more: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Tokens, "verify", crash)

    with flask_requests(app) as seen:
        response = get(alice)

    assert (len(seen), response.status_code) == (1, 500)


def test_both_ways_are_logged_alike(twin: Flask, alice: User, shop: Shop, log: Log) -> None:
    mug = shop.product()
    alice.platform.client = twin.test_client()
    log.lines()
    named = {"X-Request-ID": "my-id.1"}

    for send in (lambda **more: get(alice, **more), lambda **more: post(alice, mug, **more)):
        plain, routed = send(headers=named), send(headers={**named, **BY_ROUTE})
        assert plain.headers["X-Request-ID"] == routed.headers["X-Request-ID"] == "my-id.1"
        lines = [{**line, "timestamp": "", "ms": 0} for line in log.lines()]
        assert len(lines) == 2
        assert lines[0] == lines[1]


def test_an_expired_token_opens_nothing_before_flask(
    app: Flask, alice: User, clock: MovedClock
) -> None:
    assert get(alice).status_code == 200
    clock.move(3600 + 31)

    with flask_requests(app) as seen:
        assert get(alice).status_code == 401

    assert len(seen) == 1


def test_over_https_it_says_so_as_the_route_does(
    apps: Apps, database_url: str, alice: User, app: Flask
) -> None:
    secure = apps.on(database_url, public_url="https://jay.example")
    alice.platform.client = secure.test_client()

    plain, routed = both(secure, lambda **more: get(alice, **more))

    assert "Strict-Transport-Security" in plain.headers
    assert_same(plain, routed)
