"""Where redirects lead: to a path, or to the public URL, and never to what ``Host`` says."""

from urllib.parse import urlsplit

import pytest
from flask import Flask

from tests.api.browser import Browser
from tests.builders import User

pytestmark = pytest.mark.one_database

LIES = {
    "Host": "evil.example",
    "Forwarded": "host=evil.example;proto=https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Port": "4711",
    "X-Original-URL": "/evil",
    "X-Rewrite-URL": "/evil",
    "X-Script-Name": "/evil",
}
LED_ON = [
    "/v2",
    "/v1?x=1",
    "//code",
    "/Code/",
    "/catalogue/",
    "/kiosk/",
    "/code.",
    "/basket",
    "/login",
]


@pytest.mark.parametrize("path", LED_ON)
def test_no_redirect_leads_where_a_header_says(path: str, app: Flask) -> None:
    answer = Browser(app).get(path, headers=LIES)

    assert answer.status_code in {200, 302, 303, 308, 401, 404}
    assert urlsplit(answer.headers.get("Location", "")).netloc in {"", "localhost"}
    assert "evil" not in answer.get_data(as_text=True) + str(answer.headers)


def test_an_api_without_its_slash_leads_to_the_public_url(app: Flask) -> None:
    answer = Browser(app).get("/v2?x=1", headers=LIES)

    assert (answer.status_code, answer.headers["Location"]) == (308, "http://localhost/v2/?x=1")
    assert "no-store" in answer.headers["Cache-Control"]


def test_addresses_in_answers_are_of_the_public_url(alice: User, app: Flask) -> None:
    client = app.test_client()
    headers = {"X-API-Key": alice.platform.key, "Authorization": f"Bearer {alice.token}", **LIES}

    offer = client.post(f"/v2/baskets/users/{alice.id}/transfer", headers=headers).json["data"]

    for name in ("url", "qrCodeImageUrl", "displayUrl", "statusUrl"):
        assert offer[name].startswith("http://localhost/"), name
