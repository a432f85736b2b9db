"""Requests made from the OpenAPI documents: no 5xx, and no answer that the documents don't tell.

With valid credentials and, mixed in, ids and tokens of things that exist: otherwise every request
would end at the door.
"""

import base64
import json
import random
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis.strategies as st
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core import NotSet
from schemathesis.core.parameters import ParameterLocation as Where
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jay import errors
from jay.checkout.addresses import LONGEST
from jay.errors import RouteNotFound
from tests import photos
from tests.api.buying import BUYER, bought
from tests.builders import Platform, Shop, User, add_platform, add_shop
from tests.depth import few_or_all

EXAMPLES = few_or_all(10, 40)
"""Of each kind (requests as they should be, and broken ones) for each operation."""

PICTURE = photos.saved(photos.halves((40, 40)), "PNG")

pytestmark = pytest.mark.one_database  # it is about what is said, not about what is stored

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
TRACKING = base64.b64encode(
    json.dumps({"session_id": "s", "start_time": "2025-01-01T12:00:00Z", "source": "x"}).encode()
).decode()

# Refusals of requests that fit the document: rules that JSON Schema can't say.
RULES = {
    "IDEMPOTENCY_KEY_REUSED",  # the same short key is generated again and again
    "IDEMPOTENCY_KEY_TOO_SHORT",  # where all TVs of a partner share one, it must be random
    "TRANSFER_URL_REFUSED",
    "PICTURE_REFUSED",
    "PRECONDITION_FAILED",
    "TRACKING_NOT_VALID",
    "MALFORMED_REQUEST",  # next_token, which must be one of this service
}


class World:
    """A service with a user, a guest, products and a transfer, so that requests find something."""

    def __init__(self, app: Flask, client: FlaskClient) -> None:
        self.app = app
        self.platform: Platform = add_platform(app, client)
        self.shop: Shop = add_shop(app, client)
        self.seller: Shop = add_shop(app, client, "seller")
        self.alice: User = self.platform.user("alice")
        variants = [{"sku": "mug-s", "value": "S"}, {"sku": "mug-l", "value": "L"}]
        self.products = [
            self.shop.product("mug", stock_count=None, variants=variants),
            self.shop.product("hat", stock_count=1000),
            self.shop.product("sold", stock_count=0),
            self.shop.product("shown", not_shoppable=True),
            self.shop.product("few", shipping={"orderLimit": 2}),
        ]
        self.alice.put(self.products[0], 2)
        self.alice.put(self.products[2], 0)

    def credentials(self, path: str) -> dict[str, str]:
        """Return the headers of somebody who may call the operation."""
        if path.startswith("/v1"):
            # What a configuration may come to be must not keep anything from being bought.
            return {"X-API-Key": (self.seller if "/orders" in path else self.shop).key}
        return {"X-API-Key": self.platform.key, "Authorization": f"Bearer {self.alice.token}"}

    def make_real(self, case: Case, chance: random.Random) -> None:
        """Name things that exist, in most of the requests."""

        def mostly() -> bool:
            return chance.random() < 0.9

        product = chance.choice(self.products)
        parameters: dict[str, Any] = case.path_parameters
        if "userId" in parameters and mostly():
            parameters["userId"] = self.alice.id
        if "productId" in parameters and mostly():
            parameters["productId"] = product
            if mostly():
                self.alice.put(product, 0)
        if "sku" in parameters and mostly():
            self.shop.product("spare")
            parameters["sku"] = "spare"
            for name in ("lang", "country"):
                case.query.pop(name, None)
        if "displayToken" in parameters and mostly():
            parameters["displayToken"] = self.display_token(claimed=not mostly())
        self.make_bought(case, chance, wanted=mostly())
        self.make_payable(case.path, wanted=mostly())
        if case.path.endswith("/guests") and not mostly():
            case.query["jayToken"] = self.alice.transfer()["jayToken"]
        if mostly():
            case.body = self.with_real_ids(case.body, product, chance)
            self.make_headers_real(case)

    def make_payable(self, path: str, *, wanted: bool) -> None:
        """Have something to pay for, and a checkout where one is asked for."""
        if "/checkout/" in path and wanted:
            self.alice.put(self.products[1], 2)
            if not path.endswith("/sessions"):
                self.alice.call("POST", "/checkout/sessions")
            if path.endswith("/pay"):
                stored = {"customerId": "C-1", "paymentToken": "pm_sandbox_4242", "pin": None}
                self.alice.call("PATCH", "/comfort", json={**stored, "consent": {"version": "1"}})

    def make_bought(self, case: Case, chance: random.Random, *, wanted: bool) -> None:
        """Have an order, and in half of the requests something that can be done with it."""
        if "partNo" not in case.path_parameters or not wanted:
            return
        buyer = self.platform.user(f"buyer-{chance.random()}")
        number = bought(buyer, self.seller, (self.seller.product("sold"), 1), **BUYER)
        case.path_parameters["partNo"] = f"{number}-1"
        if chance.random() < 0.5:
            case.body = {
                "PATCH": {"state": chance.choice(["accepted", "cancelled"])},
                "POST": {"amount": chance.randint(1, 100), "reason": "torn"},
            }.get(case.method, case.body)

    def make_headers_real(self, case: Case) -> None:
        """Carry a session, and conditions that hold: else nothing would ever change."""
        if "/tracking/session" in case.path:
            case.headers["X-JAY-Tracking"] = TRACKING
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = secrets.token_urlsafe(16)
        for header in ("If-Match", "If-None-Match"):
            if header in case.headers:
                case.headers[header] = self.alice.call("GET").headers["ETag"]

    def with_real_ids(self, body: Any, product: str, chance: random.Random) -> Any:
        """Put ids, SKUs and tokens that exist into a body, where it has some."""
        if isinstance(body, list) and body and all(isinstance(item, str) for item in body):
            return [product, *body[1:]]
        if not isinstance(body, dict):
            return body
        body = dict(body)
        body.pop("fullPrice", None)  # what it costs is not drawn
        for line in body.get("products") or ():
            if isinstance(line, dict) and isinstance(line.get("productId"), str):
                line["productId"] = product
            if isinstance(line, dict) and isinstance(line.get("sku"), str):
                line["sku"] = chance.choice(["mug", "mug-s", line["sku"]])
        for line in body.get("lines") or ():
            if isinstance(line, dict) and isinstance(line.get("sku"), str):
                line["sku"] = chance.choice(["sold", line["sku"]])
        if isinstance(body.get("guestToken"), str):
            body["guestToken"] = self.platform.guest((product, 0)).token
        if isinstance(body.get("url"), str) and "sku" not in body:
            body["url"] = "https://shop.example/basket?x=1#y"
        return body

    def display_token(self, *, claimed: bool) -> str:
        """Start a transfer and return what its screen is named by."""
        offer = self.alice.transfer()
        if claimed:
            self.platform.redeem(offer["jayToken"])
        return str(offer["displayUrl"]).rsplit("/", 1)[1]

    def allow_all(self) -> None:
        """Let nobody be refused for having asked too often."""
        for rate in self.app.extensions["jay.rates"].values():
            rate.forget()


@pytest.fixture
def world(app: Flask, client: FlaskClient) -> World:
    """What requests can find."""
    return World(app, client)


def documented(document: dict[str, Any], case: Case) -> dict[str, Any]:
    """Return the answers that the document tells for an operation, by status.

    Without ``default``: an answer that falls under it is one that nobody has thought of.
    """
    operation = document["paths"][case.path][case.method.lower()]
    found = {}
    for status, answer in operation["responses"].items():
        if status != "default":
            name = answer.get("$ref", "").rpartition("/")[2]
            found[status] = document["components"]["responses"][name] if name else answer
    return found


def error_codes(answer: dict[str, Any]) -> set[int]:
    """Return the numbers of the errors that the document tells for a status."""
    examples = answer["content"]["application/json"]["examples"].values()
    return {example["value"]["error"]["code"] for example in examples}


def assert_told(document: dict[str, Any], case: Case, response: Response) -> None:
    """Check an answer against the document, to the number of the error."""
    answers = documented(document, case)
    asked = f"{case.method} {case.path} {case.path_parameters!r}"
    said = f"{asked}: {response.status_code} {response.content[:300]!r}"
    assert response.status_code < 500, said
    assert str(response.status_code) in answers, said
    case.validate_response(response, checks=CHECKS)
    if response.status_code >= 400:
        told = error_codes(answers[str(response.status_code)])
        if is_broken(case, Where.PATH):
            told.add(RouteNotFound.code)
        assert response.json()["error"]["code"] in told, said


def is_broken(case: Case, where: Where) -> bool:
    """Tell whether a part of a request was made not to fit the document."""
    component = case.meta.components.get(where) if case.meta else None
    return component is not None and component.mode.is_negative


def operations(app: Flask, prefix: str) -> Iterator[Any]:
    """Yield the operations of a document."""
    config = schemathesis.Config()
    schema = schemathesis.openapi.from_wsgi(f"{prefix}/openapi.json", app, config=config)
    for result in schema.get_all_operations():
        yield result.ok()


Run = Callable[[Case, random.Random], None]


def try_out(operation: Any, mode: GenerationMode, run: Run) -> None:
    """Let requests be made from the document."""

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode), number=st.integers(0, 10**6))
    def each(case: Case, number: int) -> None:
        run(case, random.Random(number))

    each()


@pytest.mark.parametrize("prefix", ["/v2", "/v1"])
def test_requests_that_fit_the_document(prefix: str, app: Flask, world: World) -> None:
    document = app.test_client().get(f"{prefix}/openapi.json").json
    succeeded: Counter[str] = Counter()

    def run(case: Case, chance: random.Random) -> None:
        world.allow_all()
        world.make_real(case, chance)
        if "position" in case.path_parameters and chance.random() < 0.9:
            case.path_parameters["position"] = "1"
            case.body = PICTURE if case.method == "PUT" else case.body
        response = case.call(headers=world.credentials(case.path))
        assert_told(document, case, response)
        succeeded[case.operation.label] += response.status_code in {200, 304}
        if response.status_code in {400, 412, 415, 422}:
            details = response.json()["error"]["details"]
            if isinstance(details, dict) and "reason" in details:
                details = details["constant"]
            assert details in RULES if isinstance(details, str) else refused_by_rule(details), (
                f"{case.method} {case.path}: {response.content!r} {case.body!r}"
            )

    labels = []
    for operation in operations(app, prefix):
        labels.append(operation.label)
        try_out(operation, GenerationMode.POSITIVE, run)

    assert len(labels) >= 12
    assert [label for label in labels if succeeded[label] < few_or_all(1, 3)] == [], succeeded


@pytest.mark.parametrize("prefix", ["/v2", "/v1"])
def test_requests_that_do_not_fit_the_document(prefix: str, app: Flask, world: World) -> None:
    document = app.test_client().get(f"{prefix}/openapi.json").json
    refused: Counter[str] = Counter()

    def run(case: Case, chance: random.Random) -> None:
        world.allow_all()
        if not any(is_broken(case, where) for where in (Where.PATH, Where.HEADER, Where.BODY)):
            world.make_real(case, chance)
        elif "userId" in case.path_parameters and not is_broken(case, Where.PATH):
            case.path_parameters["userId"] = world.alice.id
        response = case.call(headers=world.credentials(case.path))
        assert_told(document, case, response)
        if is_broken(case, Where.BODY) and not isinstance(case.body, NotSet):
            assert response.status_code >= 400, f"{case.path} {case.body!r}: {response.content!r}"
            refused[case.operation.label] += 1

    with_body = []
    for operation in operations(app, prefix):
        # Any bytes fit a body that is a file.
        if any(body.media_type == "application/json" for body in operation.body):
            with_body.append(operation.label)
        try_out(operation, GenerationMode.NEGATIVE, run)

    assert len(with_body) >= 5
    assert [label for label in with_body if not refused[label]] == []


def refused_by_rule(fields: dict[str, Any]) -> bool:
    """Tell whether field errors are of a kind that JSON Schema can't say."""
    return bool(fields) and all(
        message in SAID_IN_WORDS for messages in leaves(fields) for message in messages
    )


def _is_token_error(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, errors.TokenError)


SAID_IN_WORDS = {
    "Does not go with this state.",  # of an order
    "Is not in this order.",
    "Must say something.",  # how a parcel is followed
    "Must be 1 to 50.",  # a part of the address is a text
    "Not allowed together with jayToken.",
    "Only the first 20 errors are listed.",
    "Not a valid integer.",  # 1.0 is an integer to JSON Schema, and a float here
    "Must not contain a NUL character.",
    "Must not contain control characters.",
    "Must not be in the future.",  # nor how late it is
    # Addresses and legal details are lines of text that can be printed, postcodes are a country's,
    # and lengths are counted once blanks are gone.
    *("Must be one line of text.", "Must not be blank.", "Not a postcode of this country."),
    *("Not a valid e-mail address.", "Must be 4 to 8 digits.", "Must not be larger than 100 kB."),
    "A merchant of the cart does not deliver to this country.",
    *(f"Must not be longer than {most}." for most in LONGEST.values()),
    "Must be an https URL.",
    "Must be an http or https URL.",  # the pattern tells how it begins
    "The last digit does not fit the others.",  # of a GTIN
    "Not a valid email address.",  # formats are annotations (JSON Schema, 7.2)
    # A guestToken is a string to JSON Schema, whatever it holds.
    *(error.sentence() for error in vars(errors).values() if _is_token_error(error)),
}


def leaves(node: Any) -> Iterator[list[str]]:
    """Yield the lists of messages in field errors."""
    if isinstance(node, dict):
        for child in node.values():
            yield from leaves(child)
    else:
        yield node
