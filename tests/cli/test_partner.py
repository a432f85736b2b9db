"""``flask partner add``."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from jay import db
from jay.partners import service as partners
from jay.partners.models import Partner
from tests.builders import Platform, User
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON

RSA = RSAKey.import_key(
    rsa.generate_private_key(65537, 2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)
P256 = ECKey.generate_key("P-256")
P384 = ECKey.generate_key("P-384")
ED25519 = OKPKey.import_key(
    ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)
WEAK_PEM = (
    rsa.generate_private_key(65537, 1024)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)
Written = Callable[[str, object], str]


def stored(app: Flask, name: str = "kino") -> Partner | None:
    with app.app_context(), db.reading() as connection:
        return partners.partner_by_name(connection, name)


def jwk(key: Key, **more: Any) -> dict[str, Any]:
    return key.as_dict(private=False) | more


def platform(app: Flask, run: Run, signing_key: Key) -> Platform:
    key = run("key", "issue", "--partner", "kino").stdout.strip()
    return Platform(app.test_client(), "kino", key, signing_key=signing_key)


def test_a_partner_without_keys_is_added_with_its_name_to_show(app: Flask, run: Run) -> None:
    result = run("partner", "add", "kino")

    assert result.exit_code == 0
    partner = stored(app)
    assert (partner.display_name, partner.jwks, partner.jwks_url) == ("kino", None, None)
    assert (partner.algorithms, partner.transfer_origins, partner.kiosk) == ((), (), False)


def test_the_next_step_is_said_and_not_on_stdout(run: Run) -> None:
    result = run("partner", "add", "kino")

    assert "key issue --partner kino" in result.stderr
    assert result.stdout == ""


def test_everything_that_is_given_is_stored(app: Flask, run: Run) -> None:
    run(
        *("partner", "add", "kino", "--display-name", "Kino Nord", "--kiosk"),
        *("--issuer", "https://id.kino.example", "--audience", "jay"),
        *("--jwks-url", "https://id.kino.example/jwks.json"),
    )

    partner = stored(app)
    assert (partner.display_name, partner.kiosk) == ("Kino Nord", True)
    assert (partner.issuer, partner.audience) == ("https://id.kino.example", "jay")
    assert partner.jwks_url == "https://id.kino.example/jwks.json"
    assert partner.algorithms == ("RS256", "ES256")


# --- keys from files


@pytest.mark.one_database
@pytest.mark.parametrize("key", [RSA, P256, ED25519], ids=["rsa", "p-256", "ed25519"])
@pytest.mark.parametrize("kind", ["pem", "jwks", "jwk"])
def test_a_public_key_is_taken_with_the_algorithms_that_fit(
    app: Flask, run: Run, written: Written, key: Key, kind: str
) -> None:
    if kind == "pem":
        options = ("--public-key", written("key.pem", key.as_pem(private=False)))
    else:
        document = {"keys": [jwk(key, kid="a")]} if kind == "jwks" else jwk(key, kid="a")
        options = ("--jwks", written("jwks.json", document))

    result = run("partner", "add", "kino", *options)

    assert result.exit_code == 0, result.output
    fitting = {"RSA": ("RS256", "PS256"), "EC": ("ES256",), "OKP": ("EdDSA",)}
    assert stored(app).algorithms == fitting[key.key_type]


def test_several_keys_of_a_set_are_kept_with_their_ids(
    app: Flask, run: Run, written: Written
) -> None:
    document = {"keys": [jwk(P256, kid="one"), jwk(RSA, kid="other")]}

    run("partner", "add", "kino", "--jwks", written("jwks.json", document))

    assert [key.get("kid") for key in stored(app).jwks["keys"]] == ["one", "other"]
    assert stored(app).algorithms == ("RS256", "PS256", "ES256")


def test_an_algorithm_can_be_chosen(app: Flask, run: Run, written: Written) -> None:
    pem = written("key.pem", RSA.as_pem(private=False))

    run("partner", "add", "kino", "--public-key", pem, "--algorithm", "RS256")

    assert stored(app).algorithms == ("RS256",)


@pytest.mark.parametrize("algorithm", ["HS256", "none", "RS1", "es256k", ""])
@pytest.mark.one_database
def test_only_asymmetric_algorithms_can_be_chosen(app: Flask, run: Run, algorithm: str) -> None:
    result = run("partner", "add", "kino", "--algorithm", algorithm)

    assert result.exit_code == 2
    assert stored(app) is None


@pytest.mark.parametrize("kid", [None, "any-key-id-of-the-identity-provider"])
def test_a_token_is_verified_by_a_pem_key_whatever_kid_it_names(
    app: Flask, run: Run, written: Written, kid: str | None
) -> None:
    signing_key = ECKey.generate_key("P-256")
    run("partner", "add", "kino", "--public-key", written("k.pem", signing_key.as_pem(False)))
    kino = platform(app, run, signing_key)

    assert signed(kino, "alice", kid).call("GET").status_code == 200


def test_a_token_is_verified_by_the_key_of_a_set_that_it_names(
    app: Flask, run: Run, written: Written
) -> None:
    signing_key, other = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
    document = {"keys": [jwk(other, kid="old"), jwk(signing_key, kid="new")]}
    run("partner", "add", "kino", "--jwks", written("jwks.json", document))
    kino = platform(app, run, signing_key)

    assert signed(kino, "alice", "new").call("GET").status_code == 200
    assert signed(kino, "alice", "old").call("GET").status_code == 401
    assert signed(kino, "alice", "unknown").call("GET").status_code == 401


def signed(platform: Platform, user_id: str, kid: str | None) -> User:
    header = {"alg": "ES256"} | ({"kid": kid} if kid else {})
    claims = {"sub": user_id, "exp": int(NOON.timestamp()) + 3600}
    return User(platform, user_id, jwt.encode(header, claims, platform.signing_key))


PRIVATE = {
    "pem": P256.as_pem(private=True),
    "rsa pem": RSA.as_pem(private=True),
    "jwk": P256.as_dict(private=True),
    "set": {"keys": [jwk(P256), ED25519.as_dict(private=True)]},
    "symmetric": {"keys": [{"kty": "oct", "k": "c2VjcmV0"}]},
}


@pytest.mark.parametrize("kind", PRIVATE)
@pytest.mark.one_database
def test_a_private_key_is_refused_and_not_shown(
    app: Flask, run: Run, written: Written, kind: str
) -> None:
    content = PRIVATE[kind]
    option = "--public-key" if isinstance(content, bytes) else "--jwks"

    result = run("partner", "add", "kino", option, written("key", content))

    assert result.exit_code == 1
    assert "private" in result.stderr
    assert P256.as_dict(private=True)["d"] not in result.output
    assert stored(app) is None


@pytest.mark.filterwarnings("ignore:Key size should be")
@pytest.mark.parametrize(
    ("option", "content"),
    [
        ("--public-key", WEAK_PEM),
        ("--public-key", P384.as_pem(private=False)),
        ("--public-key", b"nonsense"),
        ("--public-key", b""),
        ("--public-key", b"\xff\x00"),
        ("--jwks", {"keys": [P384.as_dict(private=False)]}),
        ("--jwks", {"keys": []}),
        ("--jwks", []),
        ("--jwks", "text"),
        ("--jwks", b"{"),
        ("--jwks", b"\xff"),
        ("--jwks", P256.as_pem(private=False)),
    ],
)
@pytest.mark.one_database
def test_weak_keys_and_nonsense_are_refused_with_the_file_and_the_reason(
    app: Flask, run: Run, written: Written, option: str, content: object
) -> None:
    path = written("some-file", content)

    result = run("partner", "add", "kino", option, path)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path}: ")
    assert stored(app) is None


def test_a_weak_key_in_a_set_is_refused(app: Flask, run: Run, written: Written) -> None:
    number = 2**1023 + 1155
    weak = {"kty": "RSA", "n": _base64(number), "e": "AQAB"}

    with pytest.warns(match="2048"):
        result = run("partner", "add", "kino", "--jwks", written("jwks.json", weak))

    assert result.exit_code == 1
    assert stored(app) is None


def _base64(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("option", ["--public-key", "--jwks"])
def test_a_file_that_is_not_there_is_refused(app: Flask, run: Run, option: str) -> None:
    assert run("partner", "add", "kino", option, "/nowhere/key").exit_code == 2
    assert stored(app) is None


def test_only_one_source_of_keys_can_be_given(app: Flask, run: Run, written: Written) -> None:
    result = run(
        *("partner", "add", "kino"),
        *("--public-key", written("key.pem", P256.as_pem(private=False))),
        *("--jwks-url", "https://id.kino.example/jwks.json"),
    )

    assert result.exit_code == 2
    assert "only one" in result.stderr
    assert stored(app) is None


# --- the JWKS URL


@pytest.mark.parametrize(
    "url",
    [
        "http://id.kino.example/jwks.json",
        "ftp://id.kino.example/jwks.json",
        "id.kino.example",
        "",
        "https://user:password@id.kino.example/jwks.json",
        "https://id.kino.example/ jwks.json",
        "file:///etc/passwd",
    ],
)
@pytest.mark.one_database
def test_a_jwks_url_must_be_https(app: Flask, run: Run, url: str) -> None:
    result = run("partner", "add", "kino", "--jwks-url", url)

    assert result.exit_code == 2
    assert "--jwks-url" in result.stderr
    assert stored(app) is None


def test_a_plain_http_jwks_url_is_for_demo_mode(demo_app: Callable[..., Flask]) -> None:
    demo = demo_app()

    result = runner_of(demo)("partner", "add", "kino", "--jwks-url", "http://127.0.0.1:9/jwks")

    assert result.exit_code == 0
    assert stored(demo).jwks_url == "http://127.0.0.1:9/jwks"


# --- names and origins


def test_a_name_is_given_once(app: Flask, run: Run) -> None:
    run("partner", "add", "kino", "--display-name", "First")

    result = run("partner", "add", "kino", "--display-name", "Second")

    assert result.exit_code == 1
    assert "already" in result.stderr
    assert stored(app).display_name == "First"


@pytest.mark.parametrize("name", ["a", "kino", "kino-2", "0", "a" * 40])
def test_good_names(app: Flask, run: Run, name: str) -> None:
    assert run("partner", "add", name).exit_code == 0
    assert stored(app, name) is not None


@pytest.mark.parametrize("group", ["partner", "merchant"])
@pytest.mark.parametrize(
    "name",
    ["", "Kino", "kino_2", "kino nord", "kinö", "kino-", "a" * 41, "a/b", "a\n", "..", "kino.tv"],
)
@pytest.mark.one_database
def test_bad_names(app: Flask, run: Run, group: str, name: str) -> None:
    result = run(group, "add", name)

    assert result.exit_code == 2
    assert "lower case" in result.stderr


def test_apps_of_televisions_are_registered_by_their_origins(app: Flask, run: Run) -> None:
    given = ("https://TV.example/app", "null", "file:///opt/app", "dvb://233a.1004.1044")
    options = [word for origin in given for word in ("--cors-origin", origin)]

    run("partner", "add", "kino", *options)

    partner = stored(app)
    assert partner.cors_origins == ("https://tv.example", "null", "file://", "dvb://233a.1004.1044")
    assert partner.frame_sources == ("https://tv.example", "file:", "dvb://233a.1004.1044")


@pytest.mark.parametrize("origin", ["*", "javascript://x", "app://a;script-src", "tv.example"])
def test_what_is_no_origin_of_an_app_is_refused(app: Flask, run: Run, origin: str) -> None:
    result = run("partner", "add", "kino", "--cors-origin", origin)

    assert result.exit_code == 2
    assert "no origin of an app" in " ".join(result.stderr.split())


def test_transfer_origins_are_kept_in_their_normal_form(app: Flask, run: Run) -> None:
    run(
        *("partner", "add", "kino"),
        *("--transfer-origin", "HTTPS://Shop.Example:443/basket?a=1#b"),
        *("--transfer-origin", "http://localhost:9000"),
        *("--transfer-origin", "http://shop.example:80/"),
    )

    partner = stored(app)
    assert partner.transfer_origins == (
        "https://shop.example",
        "http://localhost:9000",
        "http://shop.example",
    )
    assert partner.may_transfer_to("https://shop.example/x")
    assert not partner.may_transfer_to("https://shop.example.evil/x")


@pytest.mark.parametrize(
    "url",
    [
        "shop.example",
        "ftp://shop.example",
        "https://user@shop.example",
        "https://a b",
        "https://",
        "",
    ],
)
@pytest.mark.one_database
def test_a_transfer_origin_must_be_an_http_url(app: Flask, run: Run, url: str) -> None:
    assert run("partner", "add", "kino", "--transfer-origin", url).exit_code == 2
    assert stored(app) is None


def test_an_elliptic_key_of_the_standard_library_is_taken(
    app: Flask, run: Run, written: Written
) -> None:
    pem = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )

    assert run("partner", "add", "kino", "--public-key", written("key.pem", pem)).exit_code == 0
    assert "d" not in stored(app).jwks["keys"][0]
