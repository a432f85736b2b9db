"""A thousand broken credentials and tracking headers: each refused or ignored, and none logged."""

import base64
import binascii
import json
import random
import string
from collections import Counter
from collections.abc import Callable

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jay.auth import jwks
from jay.web import responses
from tests.builders import User, add_platform, add_shop
from tests.depth import chance, few_or_all

pytestmark = pytest.mark.one_database  # refused at the door

MUTATIONS = few_or_all(300, 1000)
PIECE = 12
"""As many characters of a secret in a log line are a leak."""

PATH = "/v2/baskets/users/{}"
TRACKING = base64.urlsafe_b64encode(
    json.dumps(
        {
            "session_id": "a-session-of-the-fuzz-test",
            "start_time": "2025-01-01T12:00:00Z",
            "source": "jay.api.playout.news",
            "provider_name": "netflix",
        }
    ).encode()
).decode()

CONTROLS = "".join(map(chr, [*range(1, 32), 127]))
WIDE = ["ü", "€", "😀", "\u202e", "\u0130", "\u212a", "\u017f", "\u0000", "\ufeff"]
FOREIGN = [
    *("Bearer ", "bearer", "Basic ", "..", ".", "=", "==", "%00", "%2e", "\\u0000", "' OR 1=1 --"),
    *("eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9", "null", "undefined", "[object Object]"),
    *("jay_", "demo-basket-key", ",", ", ", ";", '"', "{}", "[]", "\t", "\r\n", "\r\nX-Evil: 1"),
]

Mutator = Callable[[random.Random, str, list[str]], str]


def wire(value: str) -> str:
    """Return a value as WSGI has it: each byte that was sent as one character."""
    return value.encode("utf-8", "surrogatepass").decode("latin-1")


def _flip_a_bit(chance: random.Random, value: str, _others: list[str]) -> str:
    position = chance.randrange(len(value))
    flipped = chr(ord(value[position]) ^ (1 << chance.randrange(8)))
    return value[:position] + flipped + value[position + 1 :]


def _flip_many_bits(chance: random.Random, value: str, others: list[str]) -> str:
    for _ in range(chance.randint(2, 40)):
        value = _flip_a_bit(chance, value, others)
    return value


def _truncate(chance: random.Random, value: str, _others: list[str]) -> str:
    cut = chance.randrange(len(value))
    return chance.choice([value[:cut], value[cut + 1 :]])


def _double(chance: random.Random, value: str, _others: list[str]) -> str:
    return value + chance.choice(["", " ", ",", ", ", ".", "\n"]) + value


def _insert(chance: random.Random, value: str, _others: list[str]) -> str:
    position = chance.randint(0, len(value))
    piece = chance.choice([*map(wire, WIDE), *CONTROLS, *FOREIGN, chr(chance.randint(128, 255))])
    return value[:position] + piece + value[position:]


def _lengthen(chance: random.Random, value: str, _others: list[str]) -> str:
    padding = chance.choice("A.= \x7f\xff") * chance.choice([1, 100, 4096, 8192, 100_000])
    return chance.choice([value + padding, padding + value])


def _change_case(chance: random.Random, value: str, _others: list[str]) -> str:
    return chance.choice([value.upper(), value.lower(), value.swapcase(), value.title()])


def _splice(chance: random.Random, value: str, others: list[str]) -> str:
    other = chance.choice(others)
    if chance.random() < 0.5 and value.count(".") == other.count(".") == 2:
        mine, theirs = value.split("."), other.split(".")
        taken = chance.randrange(3)
        return ".".join([*mine[:taken], theirs[taken], *mine[taken + 1 :]])
    return value[: chance.randint(1, len(value))] + other[chance.randrange(len(other)) :]


def _replace(chance: random.Random, value: str, others: list[str]) -> str:
    noise = "".join(chance.choices(string.printable, k=chance.randint(0, 200)))
    return chance.choice([*others, noise, *FOREIGN, "", " ", value[::-1]])


MUTATORS: list[Mutator] = [
    _flip_a_bit,
    _flip_many_bits,
    _truncate,
    _double,
    _insert,
    _lengthen,
    _change_case,
    _splice,
    _replace,
]


def segments(token: str) -> list[bytes | None]:
    """Return what the segments of a token hold; None for one that is no base64url."""
    found: list[bytes | None] = []
    for segment in token.strip().split("."):
        try:
            padded = segment.encode("latin-1") + b"=="
            found.append(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (binascii.Error, UnicodeEncodeError):
            found.append(None)
    return found


def means(value: str, token: str) -> bool:
    """Tell whether an Authorization header still carries this token, written in another way."""
    scheme, _, carried = value.partition(" ")
    if scheme.lower() != "bearer":
        return False
    return carried.strip() == token or (
        None not in segments(carried) and segments(carried) == segments(token)
    )


def pieces(text: str) -> set[str]:
    """Return all runs of so many characters that a log must not hold."""
    return {text[start : start + PIECE] for start in range(len(text) - PIECE + 1)}


def leaked(text: str, secrets: set[str]) -> set[str]:
    """Return the pieces of secrets in a text."""
    return pieces(text) & secrets


Outcomes = set[tuple[int, int]]
"""What the contract lets be answered: status and code."""

OPEN = (404, 2002)
"""The door is open, and the product is not in the basket."""


class Fuzz:
    """Requests whose headers are right but for one, and what the contract says about each."""

    def __init__(self, app: Flask, client: FlaskClient) -> None:
        self.client = client
        self.kino = add_platform(app, client, "kino")
        self.rival = add_platform(app, client, "rival")
        self.shop = add_shop(app, client)
        guest, self.bob = self.kino.guest(), self.kino.user("bob")
        data = self.kino.redeem(guest.transfer()["jayToken"]).json["data"]
        phone = User(self.kino, data["userId"], data["token"])
        self.users = [self.kino.user("alice"), guest, phone]
        self.keys = [self.kino.key, self.rival.key, self.shop.key]
        self.tokens = [user.token for user in (*self.users, self.bob, self.rival.guest())]

    def send(self, user: User, header: str, value: str) -> TestResponse:
        """Remove what is not in the basket: 404 when the door is open."""
        environ = {
            "HTTP_X_API_KEY": self.kino.key,
            "HTTP_AUTHORIZATION": f"Bearer {user.token}",
            "HTTP_X_JAY_TRACKING": TRACKING,
            header: value,
        }
        path = f"{PATH.format(user.id)}/products/unknown-product"
        return self.client.open(path, method="DELETE", environ_overrides=environ)

    def break_key(
        self, chance: random.Random, mutate: Mutator, _user: User
    ) -> tuple[str, Outcomes]:
        """Break the API key."""
        value = mutate(chance, self.kino.key, [*self.keys[1:], *self.tokens])
        known = {
            self.kino.key: {OPEN},
            self.shop.key: {(403, 1104)},  # a key, but not for this API
            self.rival.key: {(401, 1119), OPEN},  # which has the same identity provider
        }
        return value, known.get(value, {(401, 1101), (401, 1102)})

    def break_token(
        self, chance: random.Random, mutate: Mutator, user: User
    ) -> tuple[str, Outcomes]:
        """Break the bearer token."""
        others = [token for token in self.tokens if token != user.token]
        broken = mutate(chance, user.token, others + self.keys)
        value = chance.choice(["Bearer ", "Bearer ", "bEARER ", "Bearer  ", ""]) + broken
        if means(value, user.token):
            return value, {OPEN}
        if any(means(value, other.token) for other in (*self.users, self.bob)):
            return value, {(403, 1121)}  # whole and valid, but it opens another basket
        return value, {(401, code) for code in range(1111, 1120)}

    def break_tracking(
        self, chance: random.Random, mutate: Mutator, _user: User
    ) -> tuple[str, Outcomes]:
        """Break the tracking header, which never fails a shopper's request."""
        return mutate(chance, TRACKING, [*self.tokens, *self.keys]), {OPEN}


@pytest.fixture
def fuzz(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Fuzz:
    """A service whose log can be read: a logger holds on to the stream that it first wrote to."""
    for module in (responses, jwks):
        monkeypatch.setattr(module, "log", structlog.get_logger())
    return Fuzz(app, client)


def test_broken_headers(fuzz: Fuzz, capsys: pytest.CaptureFixture[str]) -> None:
    breakers = {
        "HTTP_X_API_KEY": fuzz.break_key,
        "HTTP_AUTHORIZATION": fuzz.break_token,
        "HTTP_X_JAY_TRACKING": fuzz.break_tracking,
    }
    secrets = set().union(*(pieces(secret) for secret in (*fuzz.keys, *fuzz.tokens, TRACKING)))
    drawn = chance()
    met: Counter[tuple[str, int, int]] = Counter()
    capsys.readouterr()

    for number in range(MUTATIONS):
        user, mutate = fuzz.users[number % 3], MUTATORS[number % len(MUTATORS)]
        header = drawn.choice(list(breakers))
        value, expected = breakers[header](drawn, mutate, user)

        response = fuzz.send(user, header, value)

        case = f"{mutate.__name__} of {header}: {value[:300]!r}"
        outcome = response.status_code, response.json["error"]["code"]
        assert outcome in expected, case
        if header == "HTTP_AUTHORIZATION" and response.status_code == 401:
            assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"', case
        answered = response.get_data(as_text=True) + str(response.headers)
        assert leaked(answered, secrets) == set(), case
        met[header, *outcome] += 1
        secrets |= pieces(value) if len(value) < 10_000 else set()

    assert_nothing_is_logged(capsys, secrets)
    # Every kind of outcome was met.
    assert met["HTTP_X_JAY_TRACKING", *OPEN] >= MUTATIONS // 4
    assert met["HTTP_X_API_KEY", 401, 1102] >= MUTATIONS // 5
    for code in (1111, 1112, 1117):  # missing, malformed, not signed by the partner
        assert met["HTTP_AUTHORIZATION", 401, code] >= MUTATIONS // 100, met


def assert_nothing_is_logged(capsys: pytest.CaptureFixture[str], secrets: set[str]) -> None:
    """Check that the log has a line for each request, and no piece of a secret."""
    captured = capsys.readouterr()
    lines = [json.loads(line) for line in captured.out.splitlines()]
    assert captured.err == ""
    assert [line["event"] for line in lines] == ["request"] * MUTATIONS
    assert {line["status"] for line in lines} <= {401, 403, 404}
    harmless = set().union(*(pieces(line["route"]) for line in lines), pieces('"timestamp"'))
    log = captured.out + json.dumps(lines, ensure_ascii=False)
    assert leaked(log, secrets - harmless) == set()


def test_secrets_in_a_crash_are_not_logged_either(
    fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alice = fuzz.users[0]
    sent = {"X-API-Key": fuzz.kino.key, "Authorization": f"Bearer {alice.token}"}

    def crash(*_args: object, **_more: object) -> None:
        raise RuntimeError(f"cannot read {alice.token} with {fuzz.kino.key}, of {sent}")

    monkeypatch.setattr("jay.baskets.service.read", crash)
    capsys.readouterr()

    assert fuzz.client.get(PATH.format("alice"), headers=sent).status_code == 500

    log = capsys.readouterr().out
    assert "RuntimeError" in log
    assert leaked(log, pieces(fuzz.kino.key) | pieces(alice.token)) == set()
