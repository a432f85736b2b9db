"""CORS: partners' web apps call the Basket API from a browser, and nobody else's do."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jay.clock import Clock
from jay.errors import (
    ApiKeyMissing,
    ApiKeyUnknown,
    Busy,
    MethodNotAllowed,
    ProductNotFound,
    RouteNotFound,
    TokenMissing,
    ValidationFailed,
    VersionUnknown,
    all_errors,
)
from tests.api.checks import assert_refused
from tests.builders import Platform, add_platform, add_shop
from tests.clock import MovedClock

OURS, SECOND, THEIRS = "https://app.kino.example", "http://localhost:8080", "https://rival.example"
# Look-alikes of registered origins, and what browsers send from nowhere.
STRANGERS = [
    "https://evil.example",
    "null",
    "*",
    "http://app.kino.example",
    "https://app.kino.example:8443",
    "https://app.kino.example.evil.example",
    "https://evil.example/https://app.kino.example",
    "https://evilapp.kino.example",
    "https://kino.example",
    "https://app.kino.example/",
    "https://APP.kino.example",
    "https://app.kino.example https://evil.example",
    "",
]
# What browsers let scripts read anyway (Fetch standard, "CORS-safelisted response-header name").
SAFELISTED = {
    *("cache-control", "content-language", "content-length", "content-type"),
    *("expires", "last-modified", "pragma"),
}
# What tells something to browsers and caches, not to scripts.
FOR_BROWSERS = {"vary", "x-content-type-options"}
USER_PATH = "/v2/baskets/users/alice"


@pytest.fixture
def here(app: Flask, twin: Flask) -> Flask:
    """The app of these tests: it has not looked up any origin before."""
    return twin


@pytest.fixture
def browser(here: Flask) -> FlaskClient:
    """A browser, which sends what a page on some origin asks for."""
    return here.test_client()


@pytest.fixture
def kino(here: Flask, browser: FlaskClient) -> Platform:
    return add_platform(here, browser, "kino", cors_origins=[OURS, SECOND])


@pytest.fixture
def competitor(here: Flask, browser: FlaskClient) -> Platform:
    return add_platform(here, browser, "competitor", cors_origins=[THEIRS])


@pytest.fixture
def mug(here: Flask, browser: FlaskClient) -> str:
    return add_shop(here, browser).product("mug")


def preflight(client: FlaskClient, path: str, origin: str, method: str = "POST") -> TestResponse:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type,x-api-key",
    }
    return client.options(path, headers=asked)


def granted(response: TestResponse) -> dict[str, str]:
    return {
        name.lower(): value
        for name, value in response.headers.items()
        if name.lower().startswith("access-control-")
    }


def names(header: str) -> set[str]:
    return {name.strip().lower() for name in header.split(",")}


def assert_readable(response: TestResponse, origin: str = OURS) -> None:
    """Check that the browser hands the answer to a page on this origin, and only that."""
    found = granted(response)
    assert found.get("access-control-allow-origin") == origin
    assert "access-control-allow-credentials" not in found
    assert "Origin" in response.vary


def assert_hidden(response: TestResponse) -> None:
    assert granted(response) == {}
    assert "Origin" in response.vary


def paths(app: Flask) -> Iterator[tuple[str, set[str]]]:
    """Return an address of each route of the Basket API, and its methods."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/v2"):
            path = re.sub(r"<[^>]+>", "x", rule.rule)
            yield path, (rule.methods or set()) - {"OPTIONS"}


# --- TV apps ---

APPS = ["null", "file://", "dvb://233a.1004.1044", "capacitor://localhost", "tizen-app://7jk"]


@pytest.mark.parametrize("origin", APPS)
def test_a_tv_app_without_a_web_address_can_be_registered(
    here: Flask, browser: FlaskClient, origin: str
) -> None:
    add_platform(here, browser, "tvapp", cors_origins=[origin])

    response = preflight(browser, USER_PATH, origin)

    assert response.headers["Access-Control-Allow-Origin"] == origin
    others = [other for other in [*APPS, "https://app.kino.example"] if other != origin]
    for other in others:
        assert_hidden(preflight(browser, USER_PATH, other))


# --- preflights ---


@pytest.mark.parametrize("origin", [OURS, SECOND, THEIRS])
def test_a_preflight_of_a_registered_origin_passes_on_every_route_without_a_key(
    origin: str, here: Flask, browser: FlaskClient, kino: Platform, competitor: Platform
) -> None:
    routes = list(paths(here))
    assert len(routes) >= 12
    for path, methods in routes:
        for method in methods:
            response = preflight(browser, path, origin, method)

            assert response.status_code in {200, 204}, path
            assert_readable(response, origin)
            assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
            assert response.headers["Access-Control-Max-Age"] == "7200"


@pytest.mark.one_database
@pytest.mark.parametrize("origin", STRANGERS)
def test_a_preflight_of_another_origin_is_granted_nothing_on_any_route(
    origin: str, here: Flask, browser: FlaskClient, kino: Platform
) -> None:
    for path, methods in paths(here):
        for method in methods:
            assert_hidden(preflight(browser, path, origin, method))


def test_a_preflight_grants_every_header_that_a_client_may_send(
    browser: FlaskClient, kino: Platform
) -> None:
    response = preflight(browser, USER_PATH, OURS, "GET")

    # Safelisted as request headers are only Accept, Accept-Language, Content-Language, Range and
    # some values of Content-Type; a wildcard would not cover Authorization.
    assert names(response.headers["Access-Control-Allow-Headers"]) >= {
        *("authorization", "content-type", "idempotency-key", "if-match", "if-none-match"),
        *("x-api-key", "x-api-version", "x-jay-api-version", "x-jay-tracking", "x-request-id"),
        # What an app's monitoring adds to every request.
        *("traceparent", "tracestate", "baggage", "sentry-trace", "b3", "x-b3-traceid"),
        *("newrelic", "x-datadog-trace-id", "elastic-apm-traceparent"),
    }
    assert "*" not in "".join(granted(response).values())


def test_a_preflight_is_answered_by_the_routes_own_methods_too(
    browser: FlaskClient, kino: Platform
) -> None:
    response = preflight(browser, "/v2/baskets/guests", OURS)

    assert set(response.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert response.data == b""


def test_without_any_registered_origin_nobody_is_granted_anything(
    here: Flask, browser: FlaskClient
) -> None:
    add_platform(here, browser)

    for origin in (OURS, *STRANGERS):
        assert_hidden(preflight(browser, USER_PATH, origin))


def test_an_origin_that_is_registered_later_is_known_within_five_seconds(
    here: Flask, browser: FlaskClient, kino: Platform, clock: MovedClock
) -> None:
    assert_hidden(preflight(browser, USER_PATH, THEIRS))
    add_platform(here, browser, "competitor", cors_origins=[THEIRS])

    clock.move(5)

    assert_readable(preflight(browser, USER_PATH, THEIRS), THEIRS)


# --- answers ---


def from_page(platform: Platform, origin: str, path: str, **more: Any) -> TestResponse:
    """Send what a page on an origin sends."""
    headers = {"Origin": origin, **more.pop("headers", {})}
    method = more.pop("method", "GET")
    return platform.call(method, path, headers=headers, **more)


def test_a_registered_page_reads_its_partners_answers(kino: Platform, mug: str) -> None:
    alice = kino.user()
    headers = {"Origin": OURS}

    for response in (
        alice.call("GET", headers=headers),
        alice.product("POST", mug, json={"count": 2}, headers=headers),
        alice.product("PATCH", mug, json={"count": 3}, headers=headers),
        alice.product("DELETE", mug, headers=headers),
        alice.call("POST", "/transfer", headers=headers),
        from_page(kino, OURS, "/baskets/guests", method="POST"),
        from_page(kino, OURS, "/"),
        from_page(kino, OURS, "/openapi.json"),
    ):
        assert response.status_code == 200, response.get_data(as_text=True)
        assert_readable(response)
        assert "Access-Control-Allow-Methods" not in response.headers


def test_an_answer_without_content_is_readable_too(kino: Platform) -> None:
    alice = kino.user()
    tag = alice.call("GET").headers["ETag"]

    response = alice.call("GET", headers={"Origin": OURS, "If-None-Match": tag})

    assert response.status_code == 304
    assert_readable(response)
    assert_readable(alice.call("HEAD", headers={"Origin": OURS}))


@pytest.mark.one_database
@pytest.mark.parametrize("origin", STRANGERS)
def test_another_page_reads_nothing(origin: str, kino: Platform) -> None:
    alice = kino.user()

    for response in (
        alice.call("GET", headers={"Origin": origin}),
        from_page(kino, origin, "/baskets/guests", method="POST"),
        from_page(kino, origin, "/"),
        from_page(kino, origin, "/nowhere"),
        from_page(kino, origin, "/baskets/users/alice"),
        from_page(replace(kino, key="wrong"), origin, "/baskets/users/alice"),
    ):
        assert_hidden(response)


def test_a_page_of_one_partner_reads_nothing_with_another_partners_key(
    kino: Platform, competitor: Platform
) -> None:
    for platform, origin in ((kino, THEIRS), (competitor, OURS)):
        for response in (
            platform.user().call("GET", headers={"Origin": origin}),
            from_page(platform, origin, "/baskets/guests", method="POST"),
            from_page(platform, origin, "/baskets/users/alice"),
        ):
            assert_hidden(response)


def test_without_an_origin_nothing_is_granted(kino: Platform) -> None:
    response = kino.user().call("GET")

    assert response.status_code == 200
    assert granted(response) == {}


def test_no_answer_allows_cookies_to_be_sent_along(here: Flask, kino: Platform) -> None:
    client = here.test_client()
    for path, methods in paths(here):
        for method in (*methods, "OPTIONS"):
            for origin in (OURS, "https://evil.example"):
                headers = {
                    "Origin": origin,
                    "X-API-Key": kino.key,
                    "Access-Control-Request-Method": "POST",
                }
                response = client.open(path, method=method, headers=headers)
                assert "Access-Control-Allow-Credentials" not in response.headers
                assert response.headers.get("Access-Control-Allow-Origin") in {
                    None,
                    OURS if origin == OURS else None,
                }


# --- errors ---


def test_errors_are_readable_for_registered_pages(kino: Platform, mug: str) -> None:
    alice, headers = kino.user(), {"Origin": OURS}
    stranger = replace(kino, key="jay_unknown")
    client = kino.client

    for response, error in (
        (client.get(USER_PATH, headers=headers), ApiKeyMissing),
        (from_page(stranger, OURS, "/baskets/users/alice"), ApiKeyUnknown),
        (from_page(kino, OURS, "/baskets/users/alice"), TokenMissing),
        (alice.product("POST", "unknown", json={"count": 1}, headers=headers), ProductNotFound),
        (alice.product("POST", mug, json={"count": "1"}, headers=headers), ValidationFailed),
        (from_page(kino, OURS, "/nowhere"), RouteNotFound),
        (from_page(kino, OURS, "/baskets/guests"), MethodNotAllowed),
        (alice.call("GET", headers={**headers, "X-API-Version": "1"}), VersionUnknown),
    ):
        assert_refused(response, error)
        assert_readable(response)


def test_an_outage_of_the_database_is_told_as_such(
    kino: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_args: object) -> None:
        raise Busy

    monkeypatch.setattr("jay.auth.service.find_key", unreachable)
    monkeypatch.setattr("jay.partners.service.cors_origins", unreachable)

    response = from_page(kino, OURS, "/baskets/users/alice")

    # Whether this page may read it is not known, but it stays what it is: 503, try again.
    assert_refused(response, Busy)
    assert "Origin" in response.vary
    assert preflight(kino.client, USER_PATH, OURS).status_code == 200


def test_a_crash_is_readable_for_registered_pages(
    kino: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("at the worst moment")

    alice = kino.user()
    monkeypatch.setattr("jay.baskets.service.read", crash)

    response = alice.call("GET", headers={"Origin": OURS})

    assert response.status_code == 500
    assert_readable(response)


# --- what scripts may read of the answers ---


def test_every_special_header_of_our_answers_is_exposed(kino: Platform, mug: str) -> None:
    alice, headers = kino.user(), {"Origin": OURS}
    once = {**headers, "Idempotency-Key": "k"}
    answers = [
        alice.call("GET", headers=headers),
        alice.product("POST", mug, json={"count": 2}, headers=once),
        alice.product("POST", mug, json={"count": 2}, headers=once),
        alice.product("POST", mug, json={"count": 3}, headers=once),
        alice.product("DELETE", "unknown", headers=headers),
        alice.call("POST", "/transfer", headers=headers),
        from_page(kino, OURS, "/baskets/guests", method="POST"),
        from_page(kino, OURS, "/baskets/users/alice"),
        from_page(kino, OURS, "/baskets/guests"),
        from_page(kino, OURS, "/nowhere"),
        from_page(kino, OURS, "/"),
    ]
    carried = {name.lower() for answer in answers for name in answer.headers.keys()}  # noqa: SIM118
    carried |= {name.lower() for error in all_errors() for name in error.headers}
    special = {name for name in carried if not name.startswith("access-control-")}
    special -= SAFELISTED | FOR_BROWSERS
    assert special >= {"etag", "idempotency-replayed", "www-authenticate", "retry-after"}

    for answer in answers:
        assert special - names(answer.headers["Access-Control-Expose-Headers"]) == set()


def test_pages_and_the_product_api_grant_nothing(
    here: Flask, browser: FlaskClient, kino: Platform
) -> None:
    for path in ("/v1/shops/config", "/v1/", "/", "/code", "/.well-known/jwks.json", "/healthz"):
        for response in (
            preflight(browser, path, OURS, "GET"),
            browser.get(path, headers={"Origin": OURS}),
        ):
            assert granted(response) == {}
