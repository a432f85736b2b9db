"""Nobody comes in without a key, and into a basket without a token of its own user."""

import base64
import hmac
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from werkzeug.test import TestResponse

from jay import db
from jay.auth import service as auth
from jay.errors import (
    ApiKeyForAnotherApi,
    ApiKeyMissing,
    ApiKeyRevoked,
    ApiKeyUnknown,
    JayError,
    NotYourBasket,
    TokenAlgorithmRefused,
    TokenClaimsInvalid,
    TokenExpired,
    TokenKeyUnknown,
    TokenMalformed,
    TokenMissing,
    TokenOfAnotherPartner,
    TokenSignatureInvalid,
    TokenUnsigned,
)
from jay.partners import service as partners
from tests.api.checks import Log, assert_refused
from tests.builders import PARTNER_KEY_PAIR, Platform, Shop, User, add_platform
from tests.clock import NOON, MovedClock

NOW = int(NOON.timestamp())
CLAIMS = {"sub": "alice", "iat": NOW, "exp": NOW + 3600}
HEADER = {"alg": "ES256", "kid": "partner-key-1"}
PUBLIC_PEM = PARTNER_KEY_PAIR.as_pem(private=False)
PUBLIC_JWK = json.dumps(PARTNER_KEY_PAIR.as_dict(private=False)).encode()
STRANGERS_KEY = ECKey.generate_key("P-256", {"kid": "partner-key-1"})
STRANGERS_RSA_KEY = RSAKey.generate_key(2048)

Signer = Callable[[bytes], bytes]


def es256(key: ECKey) -> Signer:
    def sign(data: bytes) -> bytes:
        r, s = decode_dss_signature(key.private_key.sign(data, ECDSA(SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)

    return sign


def hs256(secret: bytes) -> Signer:
    return lambda data: hmac.digest(secret, data, "sha256")


def no_signature(_data: bytes) -> bytes:
    return b""


partner = es256(PARTNER_KEY_PAIR)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header: Any = None, claims: Any = None, sign: Signer = partner) -> str:
    """Make a token by hand, as no library would; bytes are taken as they are."""
    parts = [HEADER if header is None else header, CLAIMS if claims is None else claims]
    encoded = [b64(p if isinstance(p, bytes) else json.dumps(p).encode()) for p in parts]
    data = ".".join(encoded)
    return f"{data}.{b64(sign(data.encode()))}"


def tampered(original: str, segment: int, replacement: str) -> str:
    parts = original.split(".")
    parts[segment] = replacement
    return ".".join(parts)


def enter(platform: Platform, bearer: str) -> TestResponse:
    return platform.call("GET", "/baskets/users/alice", token=bearer)


def revoke(app: Flask, key: str) -> None:
    with app.app_context(), db.transaction() as connection:
        assert auth.revoke_key(connection, key[: auth.PREFIX_LENGTH], now=NOON)


# --- API keys ---


def test_without_a_key_nothing_opens(client: FlaskClient) -> None:
    assert_refused(client.get("/v2/baskets/users/alice"), ApiKeyMissing)
    assert_refused(client.get("/v1/shops/config"), ApiKeyMissing)
    assert_refused(client.get("/v1/shops/config", headers={"X-API-Key": ""}), ApiKeyMissing)


@pytest.mark.parametrize(
    "key", ["jay_unknown", "x" * 201, "x" * 100_000, "jay_ÄÖÜ", "' OR 1=1 --", " "]
)
@pytest.mark.one_database
def test_an_unknown_key_is_refused(key: str, app: Flask, client: FlaskClient) -> None:
    key = key.encode().decode("latin-1")

    assert_refused(client.get("/v1/shops/config", headers={"X-API-Key": key}), ApiKeyUnknown)


def test_a_key_in_the_address_does_not_count(client: FlaskClient, shop: Shop) -> None:
    for name in ("X-API-Key", "api_key", "key"):
        assert_refused(client.get(f"/v1/shops/config?{name}={shop.key}"), ApiKeyMissing)


def test_a_key_that_is_cut_or_longer_is_another_key(client: FlaskClient, shop: Shop) -> None:
    for key in (shop.key[:-1], shop.key + "x", shop.key.upper()):
        assert_refused(client.get("/v1/shops/config", headers={"X-API-Key": key}), ApiKeyUnknown)


def test_a_revoked_key_is_refused(app: Flask, platform: Platform, alice: User) -> None:
    revoke(app, platform.key)

    assert_refused(alice.call("GET"), ApiKeyRevoked)


def test_a_revoked_key_ends_within_five_seconds_in_another_process(
    app: Flask, twin: Flask, alice: User, clock: MovedClock
) -> None:
    there = Platform(twin.test_client(), "kino", alice.platform.key)
    assert enter(there, alice.token).status_code == 200
    revoke(app, alice.platform.key)

    clock.move(5)

    assert_refused(enter(there, alice.token), ApiKeyRevoked)


def test_other_keys_of_the_owner_outlive_a_revoked_one(app: Flask, alice: User) -> None:
    with app.app_context(), db.transaction() as connection:
        owner = partners.partner_id(connection, "kino")
        second = auth.issue_key(connection, partner=owner, now=NOON)
    revoke(app, alice.platform.key)

    alice.platform.key = second

    assert alice.call("GET").status_code == 200


def test_a_basket_key_does_not_open_the_product_api(client: FlaskClient, alice: User) -> None:
    response = client.get("/v1/shops/config", headers={"X-API-Key": alice.platform.key})

    assert_refused(response, ApiKeyForAnotherApi)


def test_a_merchant_key_does_not_open_the_basket_api(alice: User, shop: Shop) -> None:
    alice.platform.key = shop.key

    assert_refused(alice.call("GET"), ApiKeyForAnotherApi)
    assert_refused(alice.platform.call("POST", "/baskets/guests"), ApiKeyForAnotherApi)


# --- every route ---

OPEN_TO_ALL = {
    "/v1/",
    "/v1/openapi.json",
    "/v1/playouts/<playoutId>/tracking/session",
    "/v1/playouts/tracking/session",
    "/v2/",
    "/v2/openapi.json",
    "/v2/transfers/<displayToken>/status",
    "/v2/transfers/<displayToken>/qr.png",
    "/v2/transfers/<displayToken>/qr.svg",
}


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield method and rule of all API routes: a new one can't be forgotten here."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith(("/v1/", "/v2/")):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield method, rule.rule


def filled(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda m: "bob" if m[1] == "userId" else "x", rule)


def test_every_route_but_the_public_ones_asks_for_a_key(app: Flask, client: FlaskClient) -> None:
    asked = [(method, rule) for method, rule in routes(app) if rule not in OPEN_TO_ALL]

    assert len(asked) >= 13
    for method, rule in asked:
        assert_refused(client.open(filled(rule), method=method), ApiKeyMissing)


def test_every_route_about_a_user_names_it_alike(app: Flask) -> None:
    about_users = [rule for _, rule in routes(app) if "/users/" in rule]

    assert about_users
    assert all("/users/<userId>" in rule for rule in about_users)


def test_every_route_of_a_user_refuses_another_users_token(app: Flask, platform: Platform) -> None:
    of_users = [(method, rule) for method, rule in routes(app) if "<userId>" in rule]
    foreign = platform.token("mallory")

    assert len(of_users) >= 6
    for method, rule in of_users:
        path = filled(rule).removeprefix("/v2")
        assert_refused(platform.call(method, path, token=foreign, json={}), NotYourBasket)


def test_every_route_of_a_user_refuses_a_missing_token(app: Flask, platform: Platform) -> None:
    for method, rule in routes(app):
        if "<userId>" in rule:
            path = filled(rule).removeprefix("/v2")
            assert_refused(platform.call(method, path, json={}), TokenMissing)


def test_every_route_of_a_user_refuses_a_guest_of_another_partner(
    app: Flask, platform: Platform, rival: Platform
) -> None:
    guest = rival.guest()
    for method, rule in routes(app):
        if "<userId>" in rule:
            path = filled(rule).removeprefix("/v2").replace("bob", guest.id)
            answer = platform.call(method, path, token=guest.token, json={})
            assert_refused(answer, TokenOfAnotherPartner)


def test_a_foreign_token_changes_nothing(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)
    mallory = User(alice.platform, "alice", alice.platform.token("mallory"))

    for response in (mallory.put(mug, 9), mallory.product("DELETE", mug), mallory.call("DELETE")):
        assert_refused(response, NotYourBasket)

    assert alice.cart() == {mug: 2}


@pytest.mark.parametrize("user_id", ["Alice", "alice ", "ALICE", "alicé", "al%69ce", "alice%00"])
def test_user_ids_are_compared_to_the_letter(user_id: str, platform: Platform) -> None:
    mallory = User(platform, user_id, platform.token("alice"))

    assert_refused(mallory.call("GET"), NotYourBasket)


@pytest.mark.parametrize(
    "user_id", ["auth0|64b", "a b", "ü", "a@b.example", "a%2Fb", "a?b#c", "😀"]
)
def test_any_user_id_without_a_slash_works(user_id: str, platform: Platform) -> None:
    assert platform.user(user_id).call("GET").status_code == 200


# --- partners are walled off ---


def test_the_same_user_id_at_two_partners_is_two_baskets(
    platform: Platform, rival: Platform, shop: Shop
) -> None:
    mug = shop.product("mug")
    platform.user("alice").put(mug, 3)

    assert rival.user("alice").cart() == {}
    rival.user("alice").call("DELETE")
    assert platform.user("alice").cart() == {mug: 3}


def test_another_partners_token_is_refused(platform: Platform, rival: Platform) -> None:
    assert_refused(enter(platform, rival.token("alice")), TokenSignatureInvalid)
    assert_refused(enter(rival, platform.token("alice")), TokenSignatureInvalid)


def test_a_token_that_was_verified_for_one_partner_is_not_for_another(
    platform: Platform, rival: Platform
) -> None:
    bearer = platform.token("alice")
    assert enter(platform, bearer).status_code == 200

    assert_refused(enter(rival, bearer), TokenSignatureInvalid)


def test_another_partners_guest_token_is_refused(platform: Platform, rival: Platform) -> None:
    guest = rival.guest()
    assert guest.call("GET").status_code == 200

    guest.platform = platform

    assert_refused(guest.call("GET"), TokenOfAnotherPartner)


def test_a_partner_without_keys_has_guests_only(app: Flask, client: FlaskClient) -> None:
    bare = add_platform(app, client, "bare", jwks=None, algorithms=[])

    assert bare.guest().call("GET").status_code == 200
    assert_refused(enter(bare, bare.token("alice")), TokenAlgorithmRefused)


# --- tokens: the header and the signature ---


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Basic YWxpY2U6", "eyJhbGciOiJub25lIn0"]
)
@pytest.mark.one_database
def test_no_bearer_token_is_a_missing_one(value: str, platform: Platform) -> None:
    headers = {"Authorization": value}

    response = platform.call("GET", "/baskets/users/alice", headers=headers)

    assert_refused(response, TokenMissing)
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


def test_the_name_of_the_scheme_may_be_in_any_case(platform: Platform) -> None:
    headers = {"Authorization": f"bEaReR {platform.token('alice')}"}

    assert platform.call("GET", "/baskets/users/alice", headers=headers).status_code == 200


def test_a_token_made_by_hand_opens_the_basket(platform: Platform) -> None:
    assert enter(platform, token()).status_code == 200


def test_a_token_without_kid_is_tried_with_the_partners_keys(platform: Platform) -> None:
    assert enter(platform, token({"alg": "ES256"})).status_code == 200


FORGED: dict[str, tuple[str, type[JayError]]] = {
    "none": (token({"alg": "none"}, sign=no_signature), TokenUnsigned),
    "NoNe": (token({"alg": "NoNe"}, sign=no_signature), TokenUnsigned),
    "NONE with a signature": (token({"alg": "NONE"}), TokenUnsigned),
    "none with the partner's kid": (token({**HEADER, "alg": "none"}), TokenUnsigned),
    "empty signature": (token(sign=no_signature), TokenUnsigned),
    "stripped signature": (token().rpartition(".")[0], TokenMalformed),
    "HS256 with the PEM": (token({"alg": "HS256"}, sign=hs256(PUBLIC_PEM)), TokenAlgorithmRefused),
    "HS256 with the PEM, kid": (
        token({**HEADER, "alg": "HS256"}, sign=hs256(PUBLIC_PEM.strip())),
        TokenAlgorithmRefused,
    ),
    "HS256 with the JWK": (token({"alg": "HS256"}, sign=hs256(PUBLIC_JWK)), TokenAlgorithmRefused),
    "HS256 with nothing": (token({"alg": "HS256"}, sign=hs256(b"")), TokenAlgorithmRefused),
    "HS256 that says ES256": (token(sign=hs256(PUBLIC_PEM)), TokenSignatureInvalid),
    "RS256": (
        jwt.encode({"alg": "RS256"}, CLAIMS, STRANGERS_RSA_KEY, algorithms=["RS256"]),
        TokenAlgorithmRefused,
    ),
    "es256 in lower case": (token({"alg": "es256"}), TokenAlgorithmRefused),
    "no alg": (token({"kid": "partner-key-1"}), TokenMalformed),
    "alg is a list": (token({"alg": ["ES256"]}), TokenMalformed),
    "alg is null": (token({"alg": None}), TokenMalformed),
    "a stranger's key": (token(sign=es256(STRANGERS_KEY)), TokenSignatureInvalid),
    "a signature of zeros": (token(sign=lambda _: bytes(64)), TokenSignatureInvalid),
    "a signature in DER": (
        token(sign=lambda d: PARTNER_KEY_PAIR.private_key.sign(d, ECDSA(SHA256()))),
        TokenSignatureInvalid,
    ),
    "other claims under the signature": (
        tampered(token(), 1, b64(json.dumps({**CLAIMS, "admin": True}).encode())),
        TokenSignatureInvalid,
    ),
    "another header over the signature": (
        tampered(token(), 0, b64(json.dumps({**HEADER, "typ": "JWT"}).encode())),
        TokenSignatureInvalid,
    ),
    "unknown kid": (token({**HEADER, "kid": "another"}), TokenKeyUnknown),
    "empty kid": (token({**HEADER, "kid": ""}), TokenKeyUnknown),
    "kid is a path": (token({**HEADER, "kid": "../../../dev/null"}), TokenKeyUnknown),
    "kid is SQL": (token({**HEADER, "kid": "x' OR '1'='1"}), TokenKeyUnknown),
    "kid is a number": (token({**HEADER, "kid": 1}), TokenMalformed),
    "kid of a guest key": (token({**HEADER, "kid": "jay-guest-0"}), TokenAlgorithmRefused),
    "unknown guest key": (
        token({"alg": "EdDSA", "typ": "guest+jwt", "kid": "jay-guest-0"}),
        TokenKeyUnknown,
    ),
    "unknown crit": (token({**HEADER, "crit": ["x"], "x": 1}), TokenMalformed),
    "empty crit": (token({**HEADER, "crit": []}), TokenMalformed),
    "jwk": (
        token(
            {"alg": "ES256", "jwk": STRANGERS_KEY.as_dict(private=False)},
            sign=es256(STRANGERS_KEY),
        ),
        TokenMalformed,
    ),
    "jku": (token({**HEADER, "jku": "http://127.0.0.1:9/keys"}), TokenMalformed),
    "x5u": (token({**HEADER, "x5u": "http://127.0.0.1:9/cert"}), TokenMalformed),
    "x5c": (token({**HEADER, "x5c": ["MIIB"]}), TokenMalformed),
    "unencoded payload": (token({**HEADER, "b64": False}), TokenMalformed),
    "compressed": (token({**HEADER, "zip": "DEF"}), TokenMalformed),
    "longer than 8 KiB": (token(claims={**CLAIMS, "x": "x" * 8192}), TokenMalformed),
    "a megabyte": ("x" * 1_000_000, TokenMalformed),
    "garbage": ("garbage", TokenMalformed),
    "dots": ("..", TokenMalformed),
    "many dots": ("." * 5000, TokenMalformed),
    "five segments": (".".join(["eyJhbGciOiJkaXIifQ"] * 5), TokenMalformed),
    "header is no base64": (tampered(token(), 0, "!"), TokenMalformed),
    "header is no JSON": (token(b"alg=ES256"), TokenMalformed),
    "header is a list": (token([HEADER]), TokenMalformed),
    "header is deep": (token(b'{"alg":' + b"[" * 3000), TokenMalformed),
    "header is not UTF-8": (token(b'{"alg":"\xff"}'), TokenMalformed),
    "umlauts": ("äöü.äöü.äöü".encode().decode("latin-1"), TokenMalformed),
    "payload is no JSON": (token(claims=b"sub=alice"), TokenMalformed),
    "payload is a list": (token(claims=[CLAIMS]), TokenMalformed),
    "payload is null": (token(claims=b"null"), TokenMalformed),
    "payload is deep": (token(claims=b'{"a":' + b"[" * 5000), TokenMalformed),
    "payload is not UTF-8": (token(claims=b'{"sub":"\xff"}'), TokenMalformed),
}


@pytest.mark.parametrize("kind", FORGED)
@pytest.mark.one_database
def test_a_forged_token_is_refused_with_a_number_of_its_own(
    kind: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer, error = FORGED[kind]
    called: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda *args: called.append(args))

    response = enter(platform, bearer)

    assert_refused(response, error)
    assert response.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert bearer not in response.get_data(as_text=True)
    assert called == []


def test_a_guest_token_signed_by_a_stranger_is_refused(platform: Platform) -> None:
    guest = platform.guest()
    header = json.loads(base64.urlsafe_b64decode(guest.token.split(".")[0] + "=="))
    stranger = OKPKey.generate_key("Ed25519")
    claims = {**CLAIMS, "iss": "jay-basket", "aud": "kino", "sub": guest.id}

    guest.token = token(header, claims, stranger.private_key.sign)

    assert_refused(guest.call("GET"), TokenSignatureInvalid)


def test_a_guest_token_without_its_type_is_refused(platform: Platform) -> None:
    guest = platform.guest()
    header = json.loads(base64.urlsafe_b64decode(guest.token.split(".")[0] + "=="))

    guest.token = tampered(guest.token, 0, b64(json.dumps({**header, "typ": "JWT"}).encode()))

    assert_refused(guest.call("GET"), TokenAlgorithmRefused)


def test_a_token_of_just_8_kib_is_accepted(platform: Platform) -> None:
    filler = 8192 - len(token())
    bearer = token(claims={**CLAIMS, "x": "x" * (filler * 3 // 4 - 12)})

    assert 8150 < len(bearer) <= 8192
    assert enter(platform, bearer).status_code == 200


# --- tokens: the claims ---


def test_a_token_ends_30_seconds_after_its_expiry(platform: Platform, clock: MovedClock) -> None:
    bearer = platform.token("alice", expires_in=60)

    clock.move(89.999)
    assert enter(platform, bearer).status_code == 200

    clock.move(0.001)
    assert_refused(enter(platform, bearer), TokenExpired)


def test_an_expired_token_is_refused_without_having_been_seen_before(
    platform: Platform, clock: MovedClock
) -> None:
    clock.move(90)

    assert_refused(enter(platform, platform.token("alice", expires_in=60)), TokenExpired)


def raw(name: str, value: str) -> bytes:
    """Write claims with a value as JSON would not."""
    rest = json.dumps({key: value for key, value in CLAIMS.items() if key != name})
    return f'{rest[:-1]},"{name}":{value}}}'.encode()


REFUSED_CLAIMS: dict[str, tuple[Any, type[JayError]]] = {
    "no exp": ({"sub": "alice"}, TokenClaimsInvalid),
    "exp null": ({**CLAIMS, "exp": None}, TokenClaimsInvalid),
    "exp text": ({**CLAIMS, "exp": str(NOW + 60)}, TokenClaimsInvalid),
    "exp true": ({**CLAIMS, "exp": True}, TokenClaimsInvalid),
    "exp list": ({**CLAIMS, "exp": [NOW + 60]}, TokenClaimsInvalid),
    "exp NaN": (raw("exp", "NaN"), TokenClaimsInvalid),
    "exp Infinity": (raw("exp", "Infinity"), TokenClaimsInvalid),
    "exp 1e999": (raw("exp", "1e999"), TokenClaimsInvalid),
    "exp of 400 digits": (raw("exp", "9" * 400), TokenClaimsInvalid),
    "exp negative": ({**CLAIMS, "exp": -1}, TokenExpired),
    "exp 0": ({**CLAIMS, "exp": 0}, TokenExpired),
    "exp negative of 400 digits": (raw("exp", "-" + "9" * 400), TokenClaimsInvalid),
    "nbf in the future": ({**CLAIMS, "nbf": NOW + 31}, TokenClaimsInvalid),
    "nbf text": ({**CLAIMS, "nbf": "0"}, TokenClaimsInvalid),
    "nbf NaN": (raw("nbf", "NaN"), TokenClaimsInvalid),
    "no sub": ({"exp": NOW + 60}, TokenClaimsInvalid),
    "sub null": ({**CLAIMS, "sub": None}, TokenClaimsInvalid),
    "sub empty": ({**CLAIMS, "sub": ""}, TokenClaimsInvalid),
    "sub too long": ({**CLAIMS, "sub": "a" * 256}, TokenClaimsInvalid),
    "sub number": ({**CLAIMS, "sub": 1}, TokenClaimsInvalid),
    "sub list": ({**CLAIMS, "sub": ["alice"]}, TokenClaimsInvalid),
    "sub with NUL": ({**CLAIMS, "sub": "ali\0ce"}, TokenClaimsInvalid),
    "sub with a line end": ({**CLAIMS, "sub": "alice\n"}, TokenClaimsInvalid),
}


@pytest.mark.parametrize("kind", REFUSED_CLAIMS)
@pytest.mark.one_database
def test_claims_that_are_not_as_they_must_be_are_refused(kind: str, platform: Platform) -> None:
    claims, error = REFUSED_CLAIMS[kind]

    assert_refused(enter(platform, token(claims=claims)), error)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": NOW + 0.5},
        {"exp": 10**18},
        {"exp": NOW - 29},
        {"nbf": NOW + 30},
        {"nbf": NOW},
        {"iat": NOW + 30},
        {"iat": NOW + 300},  # when it was issued is no reason to refuse it
        {"iss": "anybody", "aud": ["anything"]},
    ],
)
@pytest.mark.one_database
def test_claims_at_their_limits_are_accepted(changes: dict[str, Any], platform: Platform) -> None:
    assert enter(platform, token(claims={**CLAIMS, **changes})).status_code == 200


def test_a_user_id_of_255_characters_is_accepted(platform: Platform) -> None:
    assert platform.user("a" * 255).call("GET").status_code == 200


@pytest.mark.parametrize("sub", ["\\ud800", "alice\\udfff"])
def test_a_lone_surrogate_as_user_id_never_fails_the_service(sub: str, platform: Platform) -> None:
    bearer = token(claims=raw("sub", f'"{sub}"'))

    assert enter(platform, bearer).status_code in {401, 403}
    details = platform.call("POST", "/baskets/products/details", token=bearer, json=["x"])
    assert details.status_code in {200, 401}


AGREED = {"issuer": "https://id.kino.example", "audience": "jay"}


@pytest.mark.parametrize("audience", ["jay", ["jay"], ["other", "jay"]])
def test_the_agreed_issuer_and_audience_are_accepted(
    audience: Any, app: Flask, client: FlaskClient
) -> None:
    strict = add_platform(app, client, **AGREED)

    assert enter(strict, strict.token("alice", aud=audience)).status_code == 200


@pytest.mark.one_database
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://id.evil.example"},
        {"iss": "https://id.kino.example/"},
        {"iss": None},
        {"iss": ["https://id.kino.example"]},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": []},
        {"aud": None},
        {"aud": {"jay": True}},
        {"aud": "jay "},
    ],
)
def test_another_issuer_or_audience_is_refused(
    changes: dict[str, Any], app: Flask, client: FlaskClient
) -> None:
    strict = add_platform(app, client, **AGREED)

    assert_refused(enter(strict, strict.token("alice", **changes)), TokenClaimsInvalid)


# --- nothing of it is logged ---


def test_no_part_of_a_token_or_key_is_logged(
    platform: Platform, twin: Flask, log: Log, shop: Shop
) -> None:
    there = Platform(twin.test_client(), "kino", platform.key)
    bearers = [bearer for bearer, _ in FORGED.values()]
    bearers += [token(claims=claims) for claims, _ in REFUSED_CLAIMS.values()]
    bearers.append(platform.token("alice"))

    for bearer in bearers:
        enter(there, bearer)
    for key in ("jay_some-unknown-key", shop.key):
        Platform(twin.test_client(), "kino", key).call("POST", "/baskets/guests")

    lines = log.lines()
    assert sum(line["event"] == "request" for line in lines) == len(bearers) + 2
    logged = json.dumps(lines)
    assert "jay_" not in logged
    segments = {part for bearer in bearers for part in bearer.split(".") if len(part) > 8}
    assert [part for part in segments if part in logged] == []


def test_a_crash_does_not_log_the_token(
    platform: Platform, twin: Flask, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = platform.token("alice")

    def crash(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError(f"no: Bearer {bearer} and {platform.key}")

    monkeypatch.setattr("jay.baskets.service.read", crash)
    response = enter(Platform(twin.test_client(), "kino", platform.key), bearer)

    assert response.status_code == 500
    lines = log.lines()
    assert [line["event"] for line in lines] == ["unhandled exception", "request"]
    logged = json.dumps(lines)
    assert "RuntimeError" in logged
    assert platform.key not in logged
    assert [part for part in bearer.split(".") if part in logged] == []


def test_a_key_whose_time_in_the_cache_runs_out_while_it_is_asked_for_is_looked_up(
    app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RunsOut(dict[str, Any]):
        def __contains__(self, key: object) -> bool:
            return True

    monkeypatch.setattr(app.extensions["jay.auth"], "_keys", RunsOut())

    assert alice.call("GET").status_code == 200
