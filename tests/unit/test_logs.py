"""The log: one JSON object a line, by route, and never a secret in one."""

import errno
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from select import PIPE_BUF
from typing import Any

import pytest
from flask import Flask

from jay import create_app
from jay.web import logs
from tests.clock import PATIENCE_SECONDS
from tests.conftest import settings
from tests.unit import logged_app
from tests.unit.logged_app import API_KEY, DISPLAY_TOKEN, JAY_TOKEN, JWT, PRODUCT, SECRETS, USER

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a process of the service prints while it is asked for secrets."""
    command = [sys.executable, "-m", logged_app.__name__, str(tmp_path_factory.mktemp("logs"))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def requests(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "request"]


# --- a real process


def test_every_line_is_a_json_object_with_time_and_level(lines: list[dict[str, Any]]) -> None:
    assert len(lines) > 10
    for line in lines:
        assert {"event", "level", "timestamp"} <= line.keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["timestamp"])


def test_a_request_is_logged_by_its_route_and_not_by_its_path(
    lines: list[dict[str, Any]],
) -> None:
    assert [(line["method"], line["route"]) for line in requests(lines)] == [
        ("GET", "/v2/baskets/users/<userId>"),
        ("POST", "/v2/baskets/users/<userId>/products/<path:productId>"),
        ("POST", "/v2/baskets/guests"),
        ("GET", "/v2/transfers/<displayToken>/status"),
        ("GET", "/t/<token>"),
        ("GET", "/tv/<display_token>"),
        ("GET", "none"),
        ("GET", "/crash/<token>"),
        ("GET", "/fault/<token>"),
        ("GET", "/healthz"),
    ]


def test_a_request_is_logged_with_nothing_else_than_this(lines: list[dict[str, Any]]) -> None:
    for line in requests(lines):
        assert line.keys() == {
            *("event", "level", "timestamp"),
            *("id", "method", "route", "status", "ms"),
        }


def test_files_are_not_logged(output: str) -> None:
    assert "tv.css" not in output
    assert "static" not in output


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_in_any_line(output: str, secret: str) -> None:
    assert secret not in output
    assert secret[8:] not in output


@pytest.mark.parametrize("private", [USER, PRODUCT, "SECRET-GIFT", "127.0.0.1"])
def test_nobody_can_read_who_did_what(output: str, private: str) -> None:
    assert private not in output


def test_a_crash_is_logged_with_its_traceback_and_its_secrets_masked(
    lines: list[dict[str, Any]],
) -> None:
    crash = next(line for line in lines if line["event"] == "unhandled exception")

    assert "Traceback" in crash["exception"]
    assert "RuntimeError: key *** of *** at http://x/t/***" in crash["exception"]
    assert crash["level"] == "error"


def test_the_cause_of_a_refusal_by_us_is_logged(lines: list[dict[str, Any]]) -> None:
    fault = next(line for line in lines if line["event"] == "request failed")

    assert fault["error"] == "BUSY"
    assert "no connection for /t/*** with ***" in fault["reason"]


def test_the_statuses_are_those_of_the_answers(lines: list[dict[str, Any]]) -> None:
    statuses = [line["status"] for line in requests(lines)]

    assert statuses[:4] == [401, 401, 401, 404]
    assert statuses[7:] == [500, 503, 200]


def test_the_id_of_a_proxy_is_taken_over(lines: list[dict[str, Any]]) -> None:
    assert requests(lines)[-1]["id"] == "from-the-proxy_1.2"


def test_each_request_has_an_id_of_its_own(lines: list[dict[str, Any]]) -> None:
    assert len({line["id"] for line in requests(lines)}) == len(requests(lines))


# --- masking


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (API_KEY, "***"),
        (f"X-API-Key: {API_KEY}, next", "X-API-Key: ***, next"),
        (JWT, "***"),
        (f"token={JWT}&x=1", "token=***&x=1"),
        (f"Authorization: Bearer {JWT}", "Authorization: ***"),
        ("Bearer  opaque-token.x more", "*** more"),
        (f"/t/{JAY_TOKEN}", "/t/***"),
        (f"https://jay.tv/t/{JAY_TOKEN}?lang=de", "https://jay.tv/t/***?lang=de"),
        (f"/tv/{DISPLAY_TOKEN}", "/tv/***"),
        (f"https://jay.tv/orders/{DISPLAY_TOKEN}/cancel", "https://jay.tv/orders/***/cancel"),
        (f"/v2/transfers/{DISPLAY_TOKEN}/qr.png", "/v2/transfers/***/qr.png"),
        (
            f"https://shop.example/?jaySource=a&jayToken={JAY_TOKEN}#x",
            "https://shop.example/?jaySource=a&jayToken=***#x",
        ),
        (f"two: {API_KEY} {JWT}", "two: *** ***"),
    ],
)
def test_secrets_are_masked_wherever_they_turn_up(text: str, masked: str) -> None:
    assert logs._mask(None, "info", {"event": text}) == {"event": masked}


@pytest.mark.parametrize(
    "text",
    [
        "/t/<token>",
        "/v2/transfers/<displayToken>/status",
        "request",
        "jay_",
        "a bearer of news",
        "",
    ],
)
def test_what_is_no_secret_stays_readable(text: str) -> None:
    assert logs._mask(None, "info", {"event": text}) == {"event": text}


def test_numbers_stay_numbers() -> None:
    assert logs._mask(None, "info", {"status": 200, "ms": 1.5}) == {"status": 200, "ms": 1.5}


# --- the request id


@pytest.fixture(scope="module")
def small_app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("ids")
    return create_app(settings(f"sqlite:///{folder / 'jay.sqlite3'}", folder))


def answered_id(app: Flask, sent: str) -> str:
    environ = {"HTTP_X_REQUEST_ID": sent}
    return app.test_client().get("/healthz", environ_overrides=environ).headers["X-Request-ID"]


@pytest.mark.parametrize("sent", ["a", "A-b_c.9", "x" * 64, "7b1d3f2e-5b7e-4c59-9e0a-1d2c3b4a5f60"])
def test_a_harmless_request_id_is_answered_as_it_came(small_app: Flask, sent: str) -> None:
    assert answered_id(small_app, sent) == sent


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "x" * 65,
        "a b",
        "a\r\nSet-Cookie: jay=1",
        "a\n",
        '"},{"event":"forged',
        "<script>",
        "ä",
        "\x00",
        "../x",
    ],
)
def test_any_other_request_id_is_replaced(small_app: Flask, sent: str) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", answered_id(small_app, sent))


def test_an_error_carries_the_request_id_too(small_app: Flask) -> None:
    response = small_app.test_client().get("/v2/nowhere", headers={"X-Request-ID": "me"})

    assert (response.status_code, response.headers["X-Request-ID"]) == (404, "me")


def test_the_row_that_postgresql_quotes_is_masked_and_the_traceback_kept() -> None:
    quoted = (
        'NotNullViolation: null value in column "name"\nDETAIL:  Failing row contains (Ada,\nx).'
        "\n\nThe above exception was the direct cause\n(psycopg.errors.NotNullViolation)"
        "\nDETAIL:  Failing row contains (Ada, 7).\n[SQL: INSERT INTO people]"
    )

    masked = logs._mask(None, "error", {"exception": quoted})["exception"]

    assert masked == (
        'NotNullViolation: null value in column "name"\nDETAIL:***'
        "\n\nThe above exception was the direct cause\n(psycopg.errors.NotNullViolation)"
        "\nDETAIL:***[SQL: INSERT INTO people]"
    )


# --- without room


class FullDisk(io.StringIO):
    """Has no room for a line."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_what_can_not_be_logged_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = create_app(settings(f"sqlite:///{tmp_path / 'jay.sqlite3'}", tmp_path))
    monkeypatch.setattr(sys, "stdout", FullDisk())

    logs._Lines().error("a line")

    assert app.test_client().get("/healthz").status_code == 200


# --- while others wait


class Noted(io.StringIO):
    """Notes what is written at once."""

    def __init__(self) -> None:
        super().__init__()
        self.lots: list[str] = []
        self.written = threading.Event()

    def write(self, text: str) -> int:
        self.lots.append(text)
        self.written.set()
        return len(text)


@contextmanager
def held_back() -> Iterator[Noted]:
    """Hold lines back; give what reaches standard output."""
    noted = Noted()
    with redirect_stdout(noted):
        logs.hold_back_while(lambda: True)
        try:
            yield noted
        finally:
            logs.hold_back_while(None)


def write_requests(number: int) -> None:
    for _ in range(number):
        logs.write_request("i" * 64, "POST", "/v2/baskets/users/<userId>", 200, 0.0)


def test_so_many_lines_are_written_at_once_that_no_other_process_writes_between_them() -> None:
    with held_back() as noted:
        write_requests(100)
        assert 100 - sum(lot.count("\n") for lot in noted.lots) < logs.MOST_HELD_BACK

    assert len([json.loads(line) for line in "".join(noted.lots).splitlines()]) == 100
    assert len(noted.lots) < 20
    assert all(lot.endswith("\n") and len(lot) <= PIPE_BUF for lot in noted.lots)


def test_a_line_that_is_longer_is_written_by_itself() -> None:
    with held_back() as noted:
        logs._held.extend(["a\n", "b" * PIPE_BUF + "\n", "c\n"])

    assert [lot[0] for lot in noted.lots] == ["a", "b", "c"]


def test_what_is_held_back_is_written_after_a_moment_though_nobody_follows() -> None:
    with held_back() as noted:
        write_requests(1)

        assert noted.written.wait(PATIENCE_SECONDS)
