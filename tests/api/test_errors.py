"""Every error has a number of its own, one envelope, and a place in the documentation."""

import html
from collections import Counter
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from jay.db.database import Database
from jay.errors import (
    AuthError,
    BasketError,
    Busy,
    CatalogueError,
    CheckoutError,
    InternalError,
    JayError,
    MalformedRequest,
    MethodNotAllowed,
    OrderError,
    PayloadTooLarge,
    RequestError,
    RouteNotFound,
    ServiceError,
    TokenError,
    TransferError,
    UnsupportedMediaType,
    UpstreamError,
    all_errors,
)
from jay.web.responses import EXPIRED, json_error
from tests.api.checks import assert_refused, body, field_errors
from tests.builders import Shop, User

pytestmark = pytest.mark.one_database

BANDS = {
    RequestError: range(1001, 1100),
    AuthError: range(1100, 1200),
    BasketError: range(2001, 2100),
    TransferError: range(2100, 2200),
    CatalogueError: range(2200, 2300),
    CheckoutError: range(2300, 2400),
    OrderError: range(2400, 2500),
    UpstreamError: range(3001, 4000),
    ServiceError: range(4001, 5000),
}

# What clients have been written against: a number never changes its meaning.
PUBLISHED = {
    "TRACKING_NOT_VALID": (400, 1001),
    "MALFORMED_REQUEST": (400, 1002),
    "VALIDATION_FAILED": (422, 1003),
    "VERSION_UNKNOWN": (400, 1004),
    "ROUTE_NOT_FOUND": (404, 1005),
    "METHOD_NOT_ALLOWED": (405, 1006),
    "PAYLOAD_TOO_LARGE": (413, 1007),
    "UNSUPPORTED_MEDIA_TYPE": (415, 1008),
    "TOO_MANY_REQUESTS": (429, 1009),
    "PRECONDITION_FAILED": (412, 1010),
    "API_KEY_MISSING": (401, 1101),
    "API_KEY_UNKNOWN": (401, 1102),
    "API_KEY_REVOKED": (401, 1103),
    "API_KEY_FOR_ANOTHER_API": (403, 1104),
    "TOKEN_MISSING": (401, 1111),
    "TOKEN_MALFORMED": (401, 1112),
    "TOKEN_EXPIRED": (401, 1113),
    "TOKEN_UNSIGNED": (401, 1114),
    "TOKEN_ALGORITHM_REFUSED": (401, 1115),
    "TOKEN_KEY_UNKNOWN": (401, 1116),
    "TOKEN_SIGNATURE_INVALID": (401, 1117),
    "TOKEN_CLAIMS_INVALID": (401, 1118),
    "TOKEN_OF_ANOTHER_PARTNER": (401, 1119),
    "TOKEN_REVOKED": (401, 1120),
    "NOT_YOUR_BASKET": (403, 1121),
    "PRODUCT_NOT_FOUND": (404, 2001),
    "NOT_IN_BASKET": (404, 2002),
    "NOT_SHOPPABLE": (409, 2003),
    "OUT_OF_STOCK": (409, 2004),
    "ORDER_LIMIT": (409, 2005),
    "CART_FULL": (409, 2006),
    "SAVED_FULL": (409, 2007),
    "TRANSFER_UNKNOWN": (404, 2101),
    "TRANSFER_EXPIRED": (410, 2102),
    "TRANSFER_CLAIMED": (409, 2103),
    "TRANSFER_CANCELLED": (410, 2104),
    "TRANSFER_URL_REFUSED": (422, 2105),
    "QR_CODE_GONE": (410, 2106),
    "SKU_TAKEN": (409, 2201),
    "SKU_NOT_FOUND": (404, 2202),
    "KEY_SET_UNAVAILABLE": (503, 3001),
    "INTERNAL_ERROR": (500, 4001),
    "BUSY": (503, 4002),
    "OUTCOME_UNKNOWN": (503, 4003),
}


def subclasses(family: type[JayError]) -> list[type[JayError]]:
    found = family.__subclasses__()
    return found + [deeper for cls in found for deeper in subclasses(cls)]


def test_no_two_errors_share_a_number_or_a_constant() -> None:
    errors = list(all_errors())

    assert len(errors) >= len(PUBLISHED)
    assert [n for n, times in Counter(e.code for e in errors).items() if times > 1] == []
    assert [c for c, times in Counter(e.constant() for e in errors).items() if times > 1] == []


def test_every_error_without_kinds_of_its_own_has_a_number() -> None:
    numbered = [cls for cls in subclasses(JayError) if not cls.code or "code" in vars(cls)]
    leaves = [cls for cls in numbered if not set(cls.__subclasses__()) & set(numbered)]

    assert [cls.__name__ for cls in leaves if not cls.code] == []
    assert set(leaves) <= set(all_errors())


def test_every_number_is_in_the_band_of_its_family() -> None:
    strays = [
        (cls.__name__, cls.code)
        for family, band in BANDS.items()
        for cls in all_errors(family)
        if cls.code not in band
    ]

    assert strays == []
    in_families = {cls for family in BANDS for cls in all_errors(family)}
    assert in_families == set(all_errors())


def test_published_numbers_keep_their_meaning() -> None:
    known = {error.constant(): (error.status, error.code) for error in all_errors()}

    assert {constant: known.get(constant) for constant in PUBLISHED} == PUBLISHED


@pytest.mark.parametrize("error", list(all_errors()), ids=lambda error: error.__name__)
def test_every_error_is_answered_in_the_envelope(error: type[JayError], app: Flask) -> None:
    with app.test_request_context():
        response = json_error(error())

    assert response.status_code == error.status
    assert 400 <= error.status < 600
    said = response.get_json()["error"]
    assert said == {
        "code": error.code,
        "message": error.sentence(),
        "details": error.constant(),
    }
    assert type(said["code"]) is int
    assert said["message"].endswith(".")
    if issubclass(error, TokenError):
        assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    if error.status in {429, 503}:
        assert int(response.headers["Retry-After"]) >= 1


def test_every_error_is_in_the_documentation(client: FlaskClient) -> None:
    response = client.get("/docs/errors")

    assert response.status_code == 200
    table = [" ".join(row.split()) for row in response.get_data(as_text=True).split("<tr>")]
    for error in all_errors():
        said = f"<code>{error.constant()}</code><br>{error.sentence()}"
        number = f'<a id="{error.code}" href="#{error.code}">{error.code}</a>'
        cells = (number, error.status, said)
        wanted = "".join(f"<td>{cell}</td>" for cell in cells)
        assert [row for row in table if wanted in html.unescape(row)], wanted


# --- where errors come from ---


def test_broken_json_is_malformed(alice: User, shop: Shop) -> None:
    for text in ("{", '{"count": }', '{"count": 1,}', "count=1", '{"count": 1} x'):
        assert_refused(alice.product("POST", shop.product("mug"), **body(text)), MalformedRequest)

    assert alice.cart() == {}


def test_a_wrong_method_says_which_ones_there_are(alice: User, shop: Shop) -> None:
    response = alice.call("PUT")
    assert_refused(response, MethodNotAllowed)
    assert set(response.headers["Allow"].split(", ")) >= {"GET", "DELETE"}

    response = shop.call("DELETE", "/shops/products")
    assert_refused(response, MethodNotAllowed)
    assert set(response.headers["Allow"].split(", ")) >= {"GET", "POST", "PATCH"}


def test_a_body_that_is_too_large_is_refused(alice: User, shop: Shop) -> None:
    text = '{"count": 1}' + " " * 2**20

    assert_refused(alice.product("POST", shop.product("mug"), **body(text)), PayloadTooLarge)
    assert alice.cart() == {}


def test_a_body_that_is_not_json_is_refused(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    for more in ({"data": b'{"count": 1}'}, {"data": {"count": "1"}}):
        assert_refused(alice.product("POST", mug, **more), UnsupportedMediaType)

    assert alice.cart() == {}


def test_a_body_in_another_encoding_is_refused_for_that(alice: User, shop: Shop) -> None:
    told = alice.product("POST", shop.product("mug"), **body('{"ü": 1}'.encode("latin-1")))

    assert_refused(told, MalformedRequest)
    assert told.json["error"]["message"].endswith("it is not written in UTF-8.")


@pytest.mark.parametrize(
    "path", ["/v2/nothing", "/v2/baskets", "/v2/baskets/users/", "/v1/nothing", "/v1//shops/config"]
)
def test_an_unknown_address_of_an_api_is_answered_in_json(path: str, client: FlaskClient) -> None:
    assert_refused(client.get(path), RouteNotFound)


@pytest.mark.parametrize("path", ["/nothing", "/t/", "/basket/nothing", "/favicon.ico"])
def test_an_unknown_page_is_answered_as_a_page(path: str, client: FlaskClient) -> None:
    response = client.get(path)

    assert (response.status_code, response.mimetype) == (404, "text/html")


def test_all_unknown_fields_are_named(alice: User, shop: Shop) -> None:
    fields = {"count": 1, "price": 1, "userId": "bob", "__proto__": {}}

    response = alice.product("POST", shop.product("mug"), json=fields)

    assert set(field_errors(response)) == {"price", "userId", "__proto__"}
    assert alice.cart() == {}


@pytest.mark.parametrize("count", ['"1"', "1.0", "true", "1e0", "[1]", '{"$gt": 0}'])
def test_nothing_is_made_into_a_number(count: str, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 7)

    for method in ("POST", "PATCH"):
        response = alice.product(method, mug, **body(f'{{"count": {count}}}'))
        assert list(field_errors(response)) == ["count"]

    assert alice.cart() == {mug: 7}


def test_a_crash_is_answered_in_the_envelope_and_tells_nothing(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_args: Any, **_more: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("jay.baskets.service.read", crash)

    response = alice.call("GET")

    assert_refused(response, InternalError)
    assert response.json["error"]["details"] == "INTERNAL_ERROR"
    assert "secret" not in response.get_data(as_text=True)
    assert response.headers["X-Request-ID"]


def test_a_crash_changes_nothing(alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    mug = shop.product("mug")
    alice.put(mug, 1)
    with monkeypatch.context() as patched:
        patched.setattr("jay.baskets.service.save", lambda *_args, **_more: 1 / 0)
        assert_refused(alice.put(mug, 2), InternalError)

    assert alice.cart() == {mug: 1}
    assert alice.put(mug, 3).status_code == 200


def test_a_busy_database_asks_to_come_back(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_args: Any, **_more: Any) -> None:
        raise Busy

    monkeypatch.setattr("jay.baskets.service.read", busy)

    response = alice.call("GET")

    assert_refused(response, Busy)
    assert response.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("abc-123", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("a b", False),
        ("a<b>", False),
        ("ü", False),
        ("", False),
    ],
)
def test_only_a_harmless_request_id_is_taken_over(
    asked: str, kept: bool, client: FlaskClient
) -> None:
    response = client.get("/v2/", headers={"X-Request-ID": asked})

    answered = response.headers["X-Request-ID"]
    assert (answered == asked) is kept
    assert answered


@pytest.mark.parametrize("path", ["/v2/", "/v1/nothing", "/code", "/healthz", "/static/css/tv.css"])
def test_no_answer_may_be_sniffed_or_read_by_other_origins(path: str, client: FlaskClient) -> None:
    response = client.get(path, headers={"Origin": "https://evil.example"})

    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in response.headers
    response.close()


@pytest.mark.parametrize("path", ["/v2/transfers/a/status", "/v1/info", "/code"])
def test_who_has_waited_too_long_for_a_thread_costs_no_more_of_it(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(Database, "reading", None)

    answer = client.get(path, environ_overrides={EXPIRED: True})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    if path.startswith("/v"):
        assert_refused(answer, Busy)
