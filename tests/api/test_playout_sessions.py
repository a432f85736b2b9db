"""``/v1/playouts/.../tracking/session``: hands out the sessions that ``X-JAY-Tracking`` carries."""

import base64
import hashlib
import json
import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from jay import db
from jay.errors import MalformedRequest, TrackingNotValid
from jay.events import events
from jay.web.tracking import Ignored
from tests.api.checks import assert_refused, body, dump, field_errors, rows
from tests.builders import Shop, User
from tests.clock import MovedClock

NEW, OLDER = "/v1/playouts/news/tracking/session", "/v1/playouts/tracking/session"
ADDRESSES = [NEW, OLDER]
HEADER, COOKIE = "X-JAY-Tracking", "__Secure-jay_tracking"
# The one that the public documents print.
PRINTED = (
    "eyJzZXNzaW9uX2lkIjoiZXhhbXBsZS1zZXNzaW9uLWlkLTEyMzQiLCJzdGFydF90aW1lIjoiMjAyNS0wMS0wMVQxMjow"
    "MDowMC4wMDAwMDAiLCJzb3VyY2UiOiJqYXkuYXBpLnBsYXlvdXQuZXhhbXBsZSJ9"
)


@pytest.fixture(params=ADDRESSES)
def address(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def data(response: TestResponse) -> dict[str, Any]:
    assert response.status_code == 200, response.json
    found: dict[str, Any] = response.json["data"]
    return found


def decoded(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token))
    return found


def encoded(content: Any) -> str:
    return base64.b64encode(json.dumps(content).encode()).decode()


def cookie_of(response: TestResponse) -> Any:
    (header,) = response.headers.getlist("Set-Cookie")
    return SimpleCookie(header)[COOKIE]


# --- starting ---


def test_a_session_is_base64_of_json(address: str, client: FlaskClient, clock: MovedClock) -> None:
    clock.move(5)

    found = data(client.post(address))

    source = "jay.api.playout.news" if address == NEW else "jay.api.playout"
    assert decoded(found["token"]) == {
        "session_id": found["sessionId"],
        "start_time": "2025-06-04T12:00:05Z",
        "source": source,
    }
    assert re.fullmatch(r"[\w-]{22,}", found["sessionId"])
    assert (found["startTime"], found["source"]) == ("2025-06-04T12:00:05Z", source)
    assert (found["userId"], found["providerName"]) == (None, None)


def test_it_comes_in_the_body_a_header_and_a_cookie(address: str, client: FlaskClient) -> None:
    response = client.post(address)

    token = data(response)["token"]
    assert response.headers[HEADER] == token
    assert cookie_of(response).value == token
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-API-Version"] == "2025-07-09"


def test_the_cookie_is_for_https_and_out_of_reach_of_scripts(
    address: str, client: FlaskClient
) -> None:
    for response in (client.post(address), client.get(address, headers={HEADER: PRINTED})):
        cookie = cookie_of(response)

        # The prefix __Secure- makes browsers refuse it without Secure.
        assert cookie["secure"] is cookie["httponly"] is True
        assert cookie["samesite"] == "None"
        assert cookie["path"] == "/"
        assert (cookie["domain"], cookie["expires"], cookie["max-age"]) == ("", "", "")


def test_each_session_is_another_one(address: str, client: FlaskClient) -> None:
    assert len({data(client.post(address))["sessionId"] for _ in range(20)}) == 20


def test_the_user_id_is_handed_out_as_a_hash_only(address: str, client: FlaskClient) -> None:
    response = client.post(address, json={"userId": "alice@kino.example"})

    found = data(response)
    assert found["userId"] == hashlib.sha256(b"alice@kino.example").hexdigest()
    assert decoded(found["token"])["user_id"] == found["userId"]
    assert "alice" not in response.get_data(as_text=True) + str(response.headers)
    assert "alice" not in json.dumps(decoded(found["token"]))


def test_the_same_user_gets_the_same_hash_and_another_one_another(client: FlaskClient) -> None:
    hashes = [
        data(client.post(NEW, json={"userId": user}))["userId"]
        for user in ("alice", "alice", "bob")
    ]

    assert hashes[0] == hashes[1] != hashes[2]


def test_the_provider_is_part_of_the_session(address: str, client: FlaskClient) -> None:
    found = data(client.post(address, json={"providerName": "netflix"}))

    assert found["providerName"] == decoded(found["token"])["provider_name"] == "netflix"


def test_nothing_is_stored_and_nobody_is_asked_for_a_key(
    app: Flask, address: str, client: FlaskClient
) -> None:
    before = dump(app)

    token = data(client.post(address, json={"userId": "alice"}))["token"]
    data(client.get(address, headers={HEADER: token}))
    data(client.delete(address, headers={HEADER: token}))

    assert dump(app) == before


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"userId": ""}, "userId"),
        ({"userId": 1}, "userId"),
        ({"userId": None}, "userId"),
        ({"userId": "x" * 256}, "userId"),
        ({"userId": "a\0b"}, "userId"),
        ({"providerName": ""}, "providerName"),
        ({"providerName": "x" * 101}, "providerName"),
        ({"providerName": "a\0b"}, "providerName"),
        ({"sessionId": "mine"}, "sessionId"),
        ({"source": "mine"}, "source"),
    ],
)
@pytest.mark.one_database
def test_a_body_of_another_shape_is_refused(
    content: dict[str, Any], field: str, address: str, client: FlaskClient
) -> None:
    response = client.post(address, json=content)

    assert list(field_errors(response)) == [field]
    assert "Set-Cookie" not in response.headers


def test_a_body_that_is_no_json_is_refused(address: str, client: FlaskClient) -> None:
    assert_refused(client.post(address, **body("{")), MalformedRequest)


@pytest.mark.parametrize(
    "playout",
    [
        "news",
        "n",
        "x" * 100,
        "x" * 5000,
        "Ünïcödé 🙂",
        "🙂" * 300,
        "a.b",
        "a b",
        "a\0b",
        "\0",
        "\n",
    ],
)
@pytest.mark.one_database
def test_whatever_the_playout_is_called_its_session_is_valid(
    playout: str, client: FlaskClient
) -> None:
    address = f"/v1/playouts/{quote(playout, safe='')}/tracking/session"
    full = {"userId": "u" * 255, "providerName": "🙂" * 100}

    for content in ({}, full):
        found = data(client.post(address, json=content))

        assert found["source"].startswith("jay.api.playout.")
        assert data(client.get(address, headers={HEADER: found["token"]})) == found


# --- reading ---


def test_the_session_in_the_header_is_read(address: str, client: FlaskClient) -> None:
    response = client.get(address, headers={HEADER: PRINTED})

    assert data(response) | {"token": ""} == {
        "token": "",
        "sessionId": "example-session-id-1234",
        "startTime": "2025-01-01T12:00:00.000000",
        "source": "jay.api.playout.example",
        "userId": None,
        "providerName": None,
    }
    assert decoded(data(response)["token"]) == decoded(PRINTED + "==")
    assert response.headers[HEADER] == data(response)["token"]


def test_the_session_in_the_cookie_is_read(address: str, client: FlaskClient) -> None:
    started = client.post(address, json={"userId": "alice", "providerName": "netflix"})
    sent = started.headers["Set-Cookie"].split(";")[0]
    stranger = client.application.test_client(use_cookies=False)

    assert data(stranger.get(address, headers={"Cookie": sent})) == data(started)


def test_the_header_is_what_counts_where_there_are_both(client: FlaskClient) -> None:
    cookie = data(client.post(NEW))["token"]
    header = data(client.post(NEW))["token"]
    stranger = client.application.test_client(use_cookies=False)
    both = {HEADER: header, "Cookie": f"{COOKIE}={cookie}"}

    assert data(stranger.get(NEW, headers=both))["token"] == header


def test_both_addresses_read_each_others_sessions(client: FlaskClient) -> None:
    for start, read in ((NEW, OLDER), (OLDER, NEW)):
        started = data(client.post(start))
        assert data(client.get(read, headers={HEADER: started["token"]})) == started


# --- ending ---


def test_ending_a_session_removes_its_cookie(address: str, client: FlaskClient) -> None:
    started = data(client.post(address))
    assert client.get(address).status_code == 200

    response = client.delete(address)

    assert data(response) == started
    cookie = cookie_of(response)
    assert (cookie.value, cookie["max-age"]) == ("", "0")
    # A browser takes only a cookie with the same name, path and flags for the same.
    assert cookie["secure"] is cookie["httponly"] is True
    assert (cookie["samesite"], cookie["path"]) == ("None", "/")
    assert_refused(client.get(address), TrackingNotValid)


# --- missing or not valid ---

INVALID = {
    "not base64": "%%%",
    "not JSON": base64.b64encode(b"session").decode(),
    "an array": encoded([1]),
    "an empty object": encoded({}),
    "no session_id": encoded({"start_time": "x", "source": "x"}),
    "no start_time": encoded({"session_id": "x", "source": "x"}),
    "no source": encoded({"session_id": "x", "start_time": "x"}),
    "a number": encoded({"session_id": 1, "start_time": "x", "source": "x"}),
    "NUL": encoded({"session_id": "a\0", "start_time": "x", "source": "x"}),
    "5 KB": encoded({"session_id": "x", "start_time": "x", "source": "x", "y": "y" * 5000}),
    "emoji": "🙂".encode().decode("latin-1"),
}


def assert_not_valid(response: TestResponse) -> None:
    assert_refused(response, TrackingNotValid)
    assert response.status_code == 400
    assert response.json["error"]["code"] == 1001
    assert response.json["error"]["details"] == "TRACKING_NOT_VALID"
    assert "Set-Cookie" not in response.headers
    assert HEADER not in response.headers


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.one_database
def test_without_a_session_there_is_none(method: str, address: str, client: FlaskClient) -> None:
    assert_not_valid(client.open(address, method=method))
    assert_not_valid(client.open(address, method=method, headers={HEADER: ""}))
    assert_not_valid(client.open(address, method=method, headers={"Cookie": f"{COOKIE}="}))


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize("token", INVALID.values(), ids=INVALID.keys())
@pytest.mark.one_database
def test_an_invalid_session_is_told_as_such(
    token: str, method: str, address: str, client: FlaskClient
) -> None:
    assert_not_valid(client.open(address, method=method, headers={HEADER: token}))
    cookie = {"Cookie": f"{COOKIE}={token}"}
    assert_not_valid(client.open(address, method=method, headers=cookie))


def test_an_invalid_header_is_not_mended_by_a_cookie(client: FlaskClient) -> None:
    client.post(NEW)

    assert_not_valid(client.get(NEW, headers={HEADER: "%%%"}))


# --- what it is for ---


def test_the_session_is_accepted_by_the_basket_api_and_recorded(
    app: Flask, address: str, client: FlaskClient, alice: User, shop: Shop
) -> None:
    broken = Ignored.count
    found = data(client.post(address, json={"userId": "alice", "providerName": "netflix"}))
    headers = {HEADER: found["token"]}

    response = alice.product("POST", shop.product("mug"), json={"count": 2}, headers=headers)

    assert response.status_code == 200
    with app.app_context(), db.reading() as connection:
        event = connection.execute(select(events)).one()
    assert (event.session_id, event.source) == (found["sessionId"], found["source"])
    assert event.provider == "netflix"
    assert Ignored.count == broken
    assert found["userId"] not in repr(event)


def test_the_session_that_the_public_documents_print_is_recorded(
    app: Flask, alice: User, shop: Shop
) -> None:
    alice.product("POST", shop.product("mug"), headers={HEADER: PRINTED})

    with app.app_context(), db.reading() as connection:
        event = connection.execute(select(events)).one()
    assert event.session_id == "example-session-id-1234"
    assert event.source == "jay.api.playout.example"


def test_sessions_alone_are_no_events(app: Flask, client: FlaskClient) -> None:
    for address in ADDRESSES:
        client.post(address)
        client.get(address)
        client.delete(address)

    assert rows(app, "events") == 0
