"""The log of the whole path: one JSON object a line, and no secret in any of them."""

import json
import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.clock import PATIENCE_SECONDS
from tests.e2e.actors import DEMO_SHOP_KEY, Merchant, TvApp, data, error_of
from tests.e2e.purchasing import press_take
from tests.e2e.service import Service
from tests.e2e.watched import Screens, expect_state

# Gunicorn's own lines, such as "[2025-06-04 12:00:00 +0000] [123] [ERROR] Worker ...".
_OF_GUNICORN = re.compile(r"\[[^\]]+\] \[\d+\] \[[A-Z]+\] |Listening at ")


def test_no_secret_of_the_whole_path_is_in_the_log(service: Service, screens: Screens) -> None:
    secrets = set()
    merchant = Merchant(service, DEMO_SHOP_KEY)
    product = merchant.post("LOGGED", "Protokollheft", price=500, stockCount=9)["LOGGED"]
    app = TvApp(service, service.add_partner("log-kino"))
    secrets |= {app.key, merchant.key}

    basket = app.guest((product, 1))
    data(basket.product("PATCH", product, 2))
    offer = basket.transfer()
    secrets |= {basket.user_id, basket.token, *secrets_of(offer)}

    # On the screens: looked at, typed, taken over, changed, scanned too late.
    tv, phone, late = screens.tv(service), screens.phone(service), screens.phone(service)
    tv.goto(offer["displayUrl"])
    phone.goto(f"{service.url}/code")
    phone.get_by_label("Code", exact=True).fill(offer["userCode"])
    expect(phone).to_have_url(re.compile(r"/t/"))
    secrets.add(phone.url.rsplit("/", 1)[1])
    press_take(phone)
    expect(phone).to_have_url(f"{service.url}/basket")
    phone.get_by_role("button", name="Eins mehr").click()
    expect(phone.locator("input[name=count]")).to_have_value("3")
    expect_state(tv, "claimed")
    screens.allow_refusal(409)
    late.goto(offer["url"])
    secrets |= {cookie["value"] for page in (tv, phone, late) for cookie in cookies(page)}

    # Over the API: redeemed, repeated, refused.
    offer = basket.transfer()
    key = "an-idempotency-key-of-the-web-shop"
    won = data(app.redeem(offer["jayToken"], **{"Idempotency-Key": key}))
    assert data(app.redeem(offer["jayToken"], **{"Idempotency-Key": key}))["token"] == won["token"]
    assert error_of(app.redeem(offer["jayToken"])) == (409, "TRANSFER_CLAIMED")
    secrets |= {key, won["userId"], won["token"], *secrets_of(offer)}

    # Where there is no such route, method, body or user.
    token = offer["jayToken"]
    for method, path, status in (
        ("GET", f"/t/{token}/and/more", 404),
        ("GET", f"/nowhere/{token}?jayToken={token}", 404),
        ("DELETE", f"/t/{token}", 405),
        ("GET", f"/v2/baskets/users/{basket.user_id}x?key={app.key}", 403),
        ("POST", f"/v2/baskets/guests?jayToken={token}&products=%00", 409),
    ):
        answer = app.call(method, path, token=basket.token)
        assert answer.status == status, (path, answer.data)
    broken = app.call("POST", "/v2/baskets/guests", headers={"Content-Type": "application/json"})
    assert broken.status in {200, 400}

    log = service.gunicorn.log()
    assert found_in(log, secrets) == set()
    ours = [line for line in log.splitlines() if not _OF_GUNICORN.match(line)]
    assert {"/t/<token>", "/tv/<display_token>", "/code", "/basket", "/v2/baskets/guests"} <= {
        json.loads(line).get("route") for line in ours
    }


def _unknown_protocol(path: str) -> bytes:
    return f"GET {path} HTTP/7.3\r\nHost: localhost\r\n\r\n".encode()


def _unknown_method(path: str) -> bytes:
    return f"g@t {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def _no_protocol(path: str) -> bytes:
    return f"GET {path}\r\nHost: localhost\r\n\r\n".encode()


def _broken_header(path: str) -> bytes:
    return f"GET / HTTP/1.1\r\nHost: localhost\r\nReferer {path}\r\n\r\n".encode()


def _long_line(path: str) -> bytes:
    return f"GET {path}?{'x' * 9000} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@pytest.mark.parametrize(
    "malformed", [_unknown_protocol, _unknown_method, _no_protocol, _broken_header, _long_line]
)
def test_no_secret_of_a_malformed_request_is_in_the_log(
    service: Service, malformed: Callable[[str], bytes]
) -> None:
    token = f"a-secret-{malformed.__name__}"

    with socket.create_connection(
        ("127.0.0.1", service.gunicorn.port), timeout=PATIENCE_SECONDS
    ) as connection:
        connection.sendall(malformed(f"/t/{token}"))
        answer = connection.recv(1000)

    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505"))
    assert found_in(service.gunicorn.log(), {token}) == set()


def secrets_of(offer: dict[str, str]) -> set[str]:
    """Return what must stay between the TV, the phone and the service."""
    display_token = urlsplit(offer["displayUrl"]).path.rsplit("/", 1)[1]
    code = offer["userCode"]
    return {offer["jayToken"], display_token, code, code.replace(" ", "")}


def cookies(page: Page) -> list[dict[str, str]]:
    """Return the cookies of a browser."""
    return [dict(cookie) for cookie in page.context.cookies()]  # type: ignore[arg-type]


def found_in(log: str, secrets: set[str]) -> set[str]:
    """Return the secrets that the log holds, encoded or not."""
    assert all(len(secret) >= 8 for secret in secrets), secrets
    return {secret for secret in secrets if secret in log or secret.split(".")[-1] in log}
