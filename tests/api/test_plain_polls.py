"""Plain polls of a TV are answered before Flask, in the very words of the route."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from jay.errors import Busy, InternalError, JayError, TooManyRequests, TransferUnknown
from jay.transfers import service
from tests.api.browser import Browser
from tests.api.checks import Log, assert_refused
from tests.api.plain_ways import BY_ROUTE, flask_requests, headers_of
from tests.builders import User
from tests.clock import MovedClock


@pytest.mark.parametrize("state", ["pending", "opened", "claimed", "expired", "cancelled"])
def test_a_plain_poll_and_the_route_say_the_same(
    state: str, app: Flask, client: FlaskClient, alice: User, clock: MovedClock
) -> None:
    offer = alice.transfer()
    {
        "pending": lambda: clock.move(13.5),
        "opened": lambda: Browser(app).look(offer),
        "claimed": lambda: alice.platform.redeem(offer["jayToken"]),
        "expired": lambda: clock.move(60),
        "cancelled": alice.transfer,
    }[state]()

    with flask_requests(app) as seen:
        plain = client.get(offer["statusUrl"])
        assert seen == []
        routed = client.get(offer["statusUrl"], headers=BY_ROUTE)
        assert len(seen) == 1

    assert plain.json["data"]["state"] == state
    assert plain.data == routed.data
    assert (plain.status_code, headers_of(plain)) == (200, headers_of(routed))


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://tv.example"},
        {"X-API-Version": "2025-07-21"},
        {"x-jay-api-version": "2025-07-21"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_what_is_not_plain_goes_to_the_route(
    headers: dict[str, str], app: Flask, client: FlaskClient, alice: User
) -> None:
    offer = alice.transfer()

    with flask_requests(app) as seen:
        response = client.get(offer["statusUrl"], headers=headers)

    assert len(seen) == 1
    assert response.status_code == 200
    assert response.headers["X-API-Version"] in {"2025-09-15", "2025-07-21"}


def test_other_methods_go_to_the_route(client: FlaskClient, alice: User) -> None:
    offer = alice.transfer()

    assert client.head(offer["statusUrl"]).data == b""
    assert client.post(offer["statusUrl"]).status_code == 405


def test_an_unknown_version_is_refused(client: FlaskClient, alice: User) -> None:
    response = client.get(alice.transfer()["statusUrl"], headers={"X-API-Version": "1999-01-01"})

    assert response.status_code == 400


@pytest.mark.parametrize("token", ["unknown", "", "a/b", "%00", "%2F", "ü", "x" * 3000])
def test_an_unknown_screen_gets_the_routes_answer(
    token: str, client: FlaskClient, alice: User
) -> None:
    alice.transfer()

    assert client.get(f"/v2/transfers/{token}/status").status_code == 404


def test_a_screen_that_was_left_alone_is_unknown(
    client: FlaskClient, alice: User, clock: MovedClock
) -> None:
    offer = alice.transfer()
    clock.move(3600)

    assert_refused(client.get(offer["statusUrl"]), TransferUnknown)


def test_too_many_plain_polls_are_refused(client: FlaskClient, alice: User) -> None:
    offer = alice.transfer()
    answers = [client.get(offer["statusUrl"]) for _ in range(121)]

    assert [answer.status_code for answer in answers[:120]] == [200] * 120
    assert_refused(answers[120], TooManyRequests)
    assert int(answers[120].headers["Retry-After"]) > 0


def test_what_is_refused_or_crashes_is_counted_once_and_told_in_the_words_of_the_route(
    twin: Flask, alice: User, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = "/v2/transfers/unknown/status"
    offer, client = alice.transfer(), twin.test_client()

    def both(url: str, error: type[JayError]) -> list[int]:
        """Ask plainly and by the route; return how many polls each has left."""
        log.lines()
        with flask_requests(twin) as seen:
            plain = client.get(url, headers={"X-Request-ID": "my-id.1"})
            assert seen == []
        routed = client.get(url, headers={"X-Request-ID": "my-id.1", **BY_ROUTE})
        assert_refused(plain, error)
        assert plain.data == routed.data
        assert headers_of(plain) == headers_of(routed)
        lines = [{**line, "timestamp": "", "ms": 0, "exception": ""} for line in log.lines()]
        assert lines
        assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
        told = [str(one.headers["RateLimit"]) for one in (plain, routed)]
        return [int(one.split(";r=")[1].split(";")[0]) for one in told]

    assert both(unknown, TransferUnknown) == [119, 118]
    for _ in range(118):
        assert client.get(unknown).status_code == 404
    assert both(unknown, TooManyRequests) == [0, 0]

    def crash(*_args: Any, **_more: Any) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(service, "find_by_display", crash)
    assert both(offer["statusUrl"], InternalError) == [119, 118]


def test_a_busy_database_is_told_in_the_words_of_the_route_after_one_wait(
    twin: Flask, alice: User, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = alice.transfer()
    asked: list[Any] = []

    def busy(*_args: Any, **_more: Any) -> None:
        asked.append(_args)
        raise Busy from TimeoutError("no answer")

    monkeypatch.setattr(service, "find_by_display", busy)
    log.lines()
    client = twin.test_client()

    plain = client.get(offer["statusUrl"], headers={"X-Request-ID": "my-id.1"})
    assert len(asked) == 1
    routed = client.get(offer["statusUrl"], headers={"X-Request-ID": "my-id.1", **BY_ROUTE})

    assert_refused(plain, Busy)
    assert plain.data == routed.data
    assert headers_of(plain) == headers_of(routed)
    assert plain.headers["X-Request-ID"] == routed.headers["X-Request-ID"]
    lines = [{**line, "timestamp": "", "ms": 0} for line in log.lines()]
    assert len(lines) == 4
    assert lines[:2] == lines[2:]
    assert lines[0]["reason"] == "no answer"


def test_a_plain_poll_is_logged_by_its_route_and_with_its_id(
    twin: Flask, alice: User, log: Log
) -> None:
    offer = alice.transfer()
    log.lines()
    client = twin.test_client()

    plain = client.get(offer["statusUrl"], headers={"X-Request-ID": "my-id.1"})
    client.get(offer["statusUrl"], headers={"X-Request-ID": "my-id.1", **BY_ROUTE})

    assert plain.headers["X-Request-ID"] == "my-id.1"
    lines = [{**line, "timestamp": "", "ms": 0} for line in log.lines()]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    assert lines[0]["route"] == "/v2/transfers/<displayToken>/status"


def test_an_id_that_could_break_a_line_is_not_taken_over(client: FlaskClient, alice: User) -> None:
    offer = alice.transfer()

    response = client.get(offer["statusUrl"], headers={"X-Request-ID": "a b<c>"})

    assert len(response.headers["X-Request-ID"]) == 16
