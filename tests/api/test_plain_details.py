"""Details of products are told before Flask where they are plainly asked for, as by the route."""

import gzip
import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jay.baskets import service
from jay.db.standby import beat
from jay.errors import (
    Busy,
    InternalError,
    JayError,
    TokenMalformed,
)
from tests.api.checks import Log, assert_refused
from tests.api.plain_ways import BY_ROUTE, both, both_failing, flask_requests
from tests.api.test_plain_baskets import assert_same
from tests.builders import Platform, Shop, User
from tests.clock import NOON
from tests.conftest import Apps, NewDatabase

PATH = "/baskets/products/details"


def ask(user: User, body: Any, **more: Any) -> TestResponse:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    more = {"content_type": "application/json", **more}
    return user.platform.call("POST", PATH, token=user.token, data=data, **more)


@pytest.fixture
def several(shop: Shop) -> list[str]:
    """Products that differ in what is told of them."""
    sizes = [{"sku": "S", "variant": {"type": "size", "value": "S"}}]
    return [
        shop.product("mug", stock_count=None),
        shop.product("hat", variants=sizes, not_shoppable=True),
        shop.product("pen", stock_count=0, org_price=2000),
        "no/such\u20ac",
    ]


def test_products_are_told_as_by_the_route(app: Flask, alice: User, several: list[str]) -> None:
    plain, routed = both(app, lambda **more: ask(alice, [*several, several[0]], **more))

    told = [one["productId"] for one in plain.json["data"]["products"]]
    assert (plain.status_code, told) == (200, [*several, several[0]])
    assert_same(plain, routed)


def test_a_guest_is_told_as_by_the_route(
    app: Flask, platform: Platform, several: list[str]
) -> None:
    guest = platform.guest((several[0], 1))

    assert_same(*both(app, lambda **more: ask(guest, several, **more)))


@pytest.mark.parametrize("body", [' [ "MUG" ] ', '["\\u006dug", "a:b", "c:d"]', '["MUG","MUG"]'])
def test_ids_may_be_written_in_any_way(
    body: str, app: Flask, alice: User, several: list[str]
) -> None:
    body = body.replace("MUG", several[0])

    plain, routed = both(app, lambda **more: ask(alice, body, **more))

    assert plain.status_code == 200
    assert_same(plain, routed)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "{}",
        "[]",
        "[",
        "[1]",
        "[null]",
        '[["x"]]',
        '[{"a": 1, "a": 2}]',
        '[""]',
        '["\\u0000"]',
        '["\\ud800"]',
        '["x"] ["y"]',
        b'["\xff"]',
        '["x"]'.encode("utf-16"),
        gzip.compress(b'["x"]', mtime=0),
        json.dumps(["x"] * 51),
        json.dumps(["x" * 501]),
        '["x"]' + " " * 8190,
        " " * 70_000,
    ],
    ids=lambda body: repr(body[:60]),
)
def test_any_other_body_goes_to_the_route(body: str | bytes, app: Flask, alice: User) -> None:
    with flask_requests(app) as seen:
        response = ask(alice, body)

    assert len(seen) == 1
    assert response.status_code in ({200} if len(body) > 8190 else set()) | {400, 413, 415, 422}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://tv.example"},
        {"X-API-Version": "2025-07-21"},
        {"Idempotency-Key": "a-key-of-a-test"},
        {"X-Forwarded-For": "192.0.2.1"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_what_asks_for_more_goes_to_the_route(
    headers: dict[str, str], app: Flask, alice: User, several: list[str]
) -> None:
    with flask_requests(app) as seen:
        assert ask(alice, several, headers=headers).status_code == 200

    assert len(seen) == 1


def test_other_types_methods_queries_and_paths_go_to_the_route(app: Flask, alice: User) -> None:
    with flask_requests(app) as seen:
        assert ask(alice, ["x"], query_string={"provider_id": "x"}).status_code == 200
        assert ask(alice, ["x"], content_type="text/plain").status_code == 415
        assert alice.platform.call("GET", PATH).status_code == 405
        assert alice.platform.call("POST", PATH + "/").status_code == 404

    assert len(seen) == 4


def test_who_may_not_enter_is_refused_by_the_route(
    app: Flask, platform: Platform, alice: User, shop: Shop
) -> None:
    with flask_requests(app) as seen:
        assert_refused(ask(User(platform, "alice", "nonsense"), ["x"]), TokenMalformed)
        assert platform.call("POST", PATH, json=["x"]).status_code == 401
        assert ask(alice, ["x"], headers={"X-API-Key": shop.key}).status_code == 403

    assert len(seen) == 3


def test_both_ways_count_for_the_same_limits(
    apps: Apps, database_url: str, alice: User, several: list[str]
) -> None:
    few = apps.on(database_url, requests_per_user=3)
    alice.platform.client = few.test_client()
    ways: list[dict[str, str]] = [{}, BY_ROUTE, {}, {}, BY_ROUTE]

    answers = [ask(alice, several, headers=headers) for headers in ways]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    left = [str(answer.headers["RateLimit"]).split(",")[0] for answer in answers]
    assert left[:3] == [f'"user-requests";r={n};t=60' for n in (2, 1, 0)]
    assert_same(answers[3], answers[4])


@pytest.mark.parametrize("error", [Busy, InternalError])
def test_what_fails_is_tried_once_and_told_in_the_words_of_the_route(
    error: type[JayError],
    twin: Flask,
    alice: User,
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alice.platform.client = twin.test_client()

    plain, routed, _ = both_failing(
        monkeypatch, log, (service, "details"), error, lambda **more: ask(alice, ["mug"], **more)
    )

    assert_same(plain, routed)


def test_both_ways_are_logged_alike(twin: Flask, alice: User, log: Log) -> None:
    alice.platform.client = twin.test_client()
    log.lines()
    named = {"X-Request-ID": "my-id.1"}

    for more in ({}, BY_ROUTE):
        assert ask(alice, ["mug"], headers={**named, **more}).headers["X-Request-ID"] == "my-id.1"

    lines = [{**line, "timestamp": "", "ms": 0} for line in log.lines()]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert lines[0]["route"] == "/v2/baskets/products/details"


@pytest.fixture
def empty(_new_sqlite: NewDatabase) -> str:
    return _new_sqlite()


@pytest.mark.one_database
@pytest.mark.usefixtures("app")
def test_a_standby_is_asked_where_it_is_fresh(
    apps: Apps,
    database_url: str,
    empty: str,
    alice: User,
    several: list[str],
) -> None:
    reading = apps.on(database_url, database_read_url=empty)
    alice.platform.client = reading.test_client()

    def stocks() -> list[int | None]:
        plain, routed = both(reading, lambda **more: ask(alice, several, **more))
        assert_same(plain, routed)
        return [one["currentStockCount"] for one in plain.json["data"]["products"]]

    assert stocks() == [None, 10, 0, -1]  # nobody keeps it up to date

    standby = reading.extensions["jay.standby"]
    with standby.database.transaction() as connection:
        beat(connection, now=NOON)
    standby._looked_again = 0.0

    assert stocks() == [-1] * 4  # there is nothing in it
    standby.database.dispose()
