"""The dated versions: which one a request gets, and that every answer says which one it was."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jay.errors import VersionUnknown
from tests.api.checks import assert_refused
from tests.builders import Shop, User

pytestmark = pytest.mark.one_database

NEWEST, OLDER = "2025-09-15", "2025-07-21"
SPELLINGS = ["X-API-Version", "x-jay-api-version"]


def test_without_a_header_the_newest_version_answers(alice: User, shop: Shop) -> None:
    assert alice.call("GET").headers["X-API-Version"] == NEWEST
    assert shop.call("GET", "/shops/config").headers["X-API-Version"] == "2025-07-09"


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("version", [NEWEST, OLDER])
def test_both_spellings_ask_for_a_version(spelling: str, version: str, alice: User) -> None:
    response = alice.call("GET", headers={spelling: version})

    assert response.status_code == 200
    assert response.headers["X-API-Version"] == version


def test_x_api_version_wins(alice: User) -> None:
    for one, other in ((NEWEST, OLDER), (OLDER, NEWEST)):
        headers = {"x-jay-api-version": other, "X-API-Version": one}
        assert alice.call("GET", headers=headers).headers["X-API-Version"] == one


def test_x_api_version_wins_over_one_that_does_not_exist(alice: User) -> None:
    headers = {"X-API-Version": OLDER, "x-jay-api-version": "nonsense"}
    assert alice.call("GET", headers=headers).status_code == 200

    headers = {"X-API-Version": "nonsense", "x-jay-api-version": OLDER}
    assert_refused(alice.call("GET", headers=headers), VersionUnknown)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(
    "asked",
    [
        "2025-09-16",
        "2099-01-01",
        "2025-9-15",
        "20250915",
        "2025-09-15T00:00:00Z",
        "2025-09-15, 2025-07-21",
        "v2",
        "latest",
        "",
        "*",
        "2025-07-09",
        "\xff",
    ],
)
def test_an_unknown_version_lists_the_supported_ones(
    asked: str, spelling: str, alice: User
) -> None:
    response = alice.call("GET", headers={spelling: asked})

    assert_refused(response, VersionUnknown)
    assert response.json["error"]["details"] == {"supported": [NEWEST, OLDER]}
    assert response.headers["X-API-Version"] == NEWEST


def test_an_unknown_version_changes_nothing(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    response = alice.product(
        "POST", mug, json={"count": 1}, headers={"X-API-Version": "2024-01-01"}
    )

    assert_refused(response, VersionUnknown)
    assert alice.cart() == {}


def test_each_api_has_versions_of_its_own(shop: Shop) -> None:
    response = shop.call("GET", "/shops/config", headers={"X-API-Version": NEWEST})

    assert_refused(response, VersionUnknown)
    assert response.json["error"]["details"] == {"supported": ["2025-07-09"]}


ANSWERS: dict[str, tuple[int, Any]] = {
    "information": (200, lambda u: u.platform.client.get("/v2/")),
    "the document": (200, lambda u: u.platform.client.get("/v2/openapi.json")),
    "a redirect": (308, lambda u: u.platform.client.get("/v2")),
    "success": (200, lambda u: u.call("GET")),
    "not modified": (304, lambda u: u.call("GET", headers={"If-None-Match": "*"})),
    "no key": (401, lambda u: u.platform.client.get("/v2/baskets/users/alice")),
    "no token": (401, lambda u: u.platform.call("GET", "/baskets/users/alice")),
    "another user": (403, lambda u: u.platform.call("GET", "/baskets/users/bob", token=u.token)),
    "unknown product": (404, lambda u: u.put("unknown")),
    "unknown route": (404, lambda u: u.platform.call("GET", "/nothing/here")),
    "wrong method": (405, lambda u: u.platform.call("PUT", "/baskets/guests")),
    "precondition": (412, lambda u: u.call("DELETE", headers={"If-Match": '"old"'})),
    "too large": (413, lambda u: u.call("POST", "/transfer", data=b" " * 2**20 + b"  ")),
    "media type": (415, lambda u: u.call("POST", "/transfer", data=b"{}")),
    "validation": (422, lambda u: u.call("POST", "/transfer", json={"x": 1})),
    "malformed": (
        400,
        lambda u: u.call("POST", "/transfer", data=b"{", content_type="application/json"),
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_says_which_version_it_was(kind: str, alice: User) -> None:
    status, ask = ANSWERS[kind]

    response: TestResponse = ask(alice)

    assert response.status_code == status
    assert response.headers.getlist("X-API-Version") == [NEWEST]


def test_refusals_say_the_version_that_was_asked_for(alice: User) -> None:
    headers = {"X-API-Version": OLDER}

    for response in (
        alice.product("POST", "unknown", headers=headers),
        alice.platform.call("GET", "/baskets/users/alice", headers=headers),
        alice.platform.client.get("/v2/baskets/users/alice", headers=headers),
    ):
        assert response.status_code in {401, 404}
        assert response.headers["X-API-Version"] == OLDER


def test_a_crash_says_its_version(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jay.baskets.service.read", lambda *_args, **_more: 1 / 0)

    response = alice.call("GET", headers={"X-API-Version": OLDER})

    assert response.status_code == 500
    assert response.headers["X-API-Version"] == OLDER


def test_the_product_api_says_its_version_too(client: FlaskClient, shop: Shop) -> None:
    for response in (
        client.get("/v1/"),
        client.get("/v1/shops/config"),
        client.get("/v1/nothing"),
        client.delete("/v1/shops/config"),
        shop.call("POST", "/shops/products", json={}),
    ):
        assert response.headers.getlist("X-API-Version") == ["2025-07-09"]


@pytest.mark.parametrize("path", ["/healthz", "/code", "/docs/errors", "/v2x", "/v20/"])
def test_what_is_no_api_has_no_version(path: str, app: Flask, client: FlaskClient) -> None:
    response = client.get(path, headers={"X-API-Version": "nonsense"})

    assert response.status_code in {200, 404}
    assert "X-API-Version" not in response.headers


@pytest.mark.parametrize(
    ("prefix", "versions"), [("/v2", [NEWEST, OLDER]), ("/v1", ["2025-07-09"])]
)
def test_the_information_names_versions_and_documents(
    prefix: str, versions: list[str], client: FlaskClient
) -> None:
    data = client.get(f"{prefix}/").json["data"]

    assert set(data) == {"name", "versions", "defaultVersion", "openapi", "errors"}
    assert data["versions"] == versions
    assert data["defaultVersion"] == versions[0]
    assert client.get(data["openapi"]).json["info"]["version"] == versions[0]
    assert client.get(data["errors"]).status_code == 200
