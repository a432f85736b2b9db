"""``flask partner list``, ``show`` and ``change``."""

from collections.abc import Callable
from typing import Any

import click
import pytest
from flask import Flask
from joserfc.jwk import ECKey

from jay.auth.guards import KEYS_CACHED_SECONDS
from jay.partners.cli import partner_cli
from tests.builders import Platform, User
from tests.cli.conftest import Run
from tests.cli.test_partner import P256, RSA, Written, jwk, platform, signed, stored
from tests.clock import MovedClock
from tests.conftest import Apps

CHANGES = {
    "display_name": (("--display-name", "Kino Süd"), "Kino Süd"),
    "issuer": (("--issuer", "https://id.kino.example"), "https://id.kino.example"),
    "audience": (("--audience", "jay"), "jay"),
    "jwks_url": (("--jwks-url", "https://id.example/keys"), "https://id.example/keys"),
    "transfer_origins": (
        ("--transfer-origin", "https://new.example"),
        ("https://shop.example", "https://new.example"),
    ),
    "cors_origins": (("--cors-origin", "https://app.example"), ("https://app.example",)),
    "kiosk": (("--kiosk",), True),
    "country": (("--country", "AT"), "AT"),
    "test_payments": (("--test-payments",), True),
    "colour": (("--colour", "#112233"), "#112233"),
    "limits": (("--limit", "requests=7", "--limit", "guests=8"), {"requests": 7, "guests": 8}),
}


@pytest.fixture
def kino(run: Run) -> None:
    run("partner", "add", "kino", "--transfer-origin", "https://shop.example")


def fields(app: Flask) -> dict[str, Any]:
    return dict(vars(stored(app)))


@pytest.mark.parametrize("field", CHANGES)
@pytest.mark.usefixtures("kino")
@pytest.mark.one_database
def test_each_thing_is_changed_and_nothing_else(app: Flask, run: Run, field: str) -> None:
    options, expected = CHANGES[field]
    before = fields(app)

    result = run("partner", "change", "kino", *options)

    assert (result.exit_code, result.stdout) == (0, ""), result.output
    after = fields(app)
    assert after[field] == expected
    goes_along = {"jwks_url": {"algorithms"}, "colour": {"palette"}}.get(field, set())
    changed = {name for name, value in after.items() if value != before[name]}
    assert changed == {field, *goes_along}


@pytest.mark.usefixtures("kino")
@pytest.mark.one_database
def test_a_limit_goes_back_to_the_default_and_the_others_stay(app: Flask, run: Run) -> None:
    run("partner", "change", "kino", "--limit", "requests=7", "--limit", "guests=8")

    run("partner", "change", "kino", "--limit", "requests=default")

    assert stored(app).limits == {"guests": 8}
    assert "guests=8 a minute" in run("partner", "show", "kino").stdout


@pytest.mark.parametrize("limit", ["requests", "requests=0", "requests=-1", "requests=x", "all=1"])
@pytest.mark.usefixtures("kino")
@pytest.mark.one_database
def test_a_limit_that_is_none_is_refused(app: Flask, run: Run, limit: str) -> None:
    result = run("partner", "change", "kino", "--limit", limit)

    assert result.exit_code == 2
    assert stored(app).limits == {}


def test_change_takes_whatever_add_takes() -> None:
    def names(command: str) -> set[str]:
        found = partner_cli.commands[command]
        return {each.name for each in found.params if isinstance(each, click.Option)}

    assert names("add") - names("change") == set()


@pytest.mark.parametrize(
    ("given", "flag", "field", "left"),
    [
        (("--issuer", "i"), ("--no-issuer",), "issuer", None),
        (("--audience", "a"), ("--no-audience",), "audience", None),
        (("--kiosk",), ("--no-kiosk",), "kiosk", False),
        (("--test-payments",), ("--live-payments",), "test_payments", False),
        (("--colour", "#112233"), ("--no-colour",), "colour", None),
        (("--jwks-url", "https://id.example/k"), ("--no-keys",), "jwks_url", None),
        (
            ("--transfer-origin", "https://two.example"),
            ("--drop-transfer-origin", "https://SHOP.example/x"),
            "transfer_origins",
            ("https://two.example",),
        ),
        (
            ("--cors-origin", "https://app.example"),
            ("--drop-cors-origin", "https://app.example"),
            "cors_origins",
            (),
        ),
    ],
)
@pytest.mark.usefixtures("kino")
@pytest.mark.one_database
def test_what_was_given_is_taken_away(
    app: Flask, run: Run, *, given: tuple[str, ...], flag: tuple[str, ...], field: str, left: Any
) -> None:
    run("partner", "change", "kino", *given)

    assert run("partner", "change", "kino", *flag).exit_code == 0

    assert fields(app)[field] == left


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 2),
        (("--display-name", " "), 2),
        (("--display-name", "two\nlines"), 2),
        (("--country", "XX"), 2),
        (("--issuer", "i", "--no-issuer"), 2),
        (("--jwks-url", "https://id.example/k", "--no-keys"), 2),
        (("--jwks-url", "http://id.example/k"), 2),
        (("--drop-transfer-origin", "https://other.example"), 1),
        (("--algorithm", "ES256"), 2),
    ],
)
@pytest.mark.usefixtures("kino")
@pytest.mark.one_database
def test_what_can_not_be_is_refused(
    app: Flask, run: Run, options: tuple[str, ...], status: int
) -> None:
    before = fields(app)

    assert run("partner", "change", "kino", *options).exit_code == status

    assert fields(app) == before


@pytest.mark.parametrize("command", ["show", "change"])
def test_who_is_not_there_is_named(run: Run, command: str) -> None:
    more = ("--kiosk",) if command == "change" else ()
    result = run("partner", command, "nobody", *more)

    assert (result.exit_code, "no partner 'nobody'" in result.stderr) == (1, True)


@pytest.mark.one_database
def test_an_algorithm_alone_must_fit_the_keys_that_are_there(
    app: Flask, run: Run, written: Written
) -> None:
    run("partner", "add", "kino", "--public-key", written("k.pem", RSA.as_pem(private=False)))

    assert run("partner", "change", "kino", "--algorithm", "ES256").exit_code == 2
    assert run("partner", "change", "kino", "--algorithm", "PS256").exit_code == 0

    assert fields(app)["algorithms"] == ("PS256",)


# --- what was verified before


Changed = Callable[[Run, Written], None]


def another_key(run: Run, written: Written) -> None:
    run("partner", "change", "kino", "--public-key", written("n.pem", P256.as_pem(private=False)))


@pytest.mark.parametrize(
    "change",
    [
        another_key,
        lambda run, _: run("partner", "change", "kino", "--no-keys"),
        lambda run, _: run("partner", "change", "kino", "--issuer", "https://other.example"),
        lambda run, _: run("partner", "change", "kino", "--audience", "other"),
        lambda run, w: run(
            "partner", "change", "kino", "--jwks", w("s.json", {"keys": [jwk(RSA, kid="r")]})
        ),
    ],
    ids=["key", "no keys", "issuer", "audience", "set"],
)
@pytest.mark.one_database
def test_a_verified_token_ends_with_what_it_was_verified_by(
    *,
    app: Flask,
    apps: Apps,
    database_url: str,
    run: Run,
    written: Written,
    clock: MovedClock,
    change: Changed,
) -> None:
    kino, key = opened(app, run, written)
    other = apps.on(database_url, "other")
    elsewhere = User(Platform(other.test_client(), "kino", key), "alice", kino.token)
    assert [kino.call("GET").status_code, elsewhere.call("GET").status_code] == [200, 200]

    change(run, written)
    clock.move(KEYS_CACHED_SECONDS)

    assert [kino.call("GET").status_code, elsewhere.call("GET").status_code] == [401, 401]


def opened(app: Flask, run: Run, written: Written) -> tuple[User, str]:
    """Return a user with a token that its partner has signed, and the API key."""
    signing_key = ECKey.generate_key("P-256")
    run("partner", "add", "kino", "--public-key", written("k.pem", signing_key.as_pem(False)))
    kino = platform(app, run, signing_key)
    return signed(kino, "alice", None), kino.key


@pytest.mark.one_database
def test_a_token_goes_on_when_something_else_changes(
    app: Flask, run: Run, written: Written, clock: MovedClock
) -> None:
    kino, _key = opened(app, run, written)
    kino.call("GET")

    run("partner", "change", "kino", "--display-name", "Kino Süd", "--kiosk")
    clock.move(KEYS_CACHED_SECONDS)

    assert kino.call("GET").status_code == 200


# --- list and show


def test_list_shows_who_is_there(run: Run) -> None:
    run("partner", "add", "zoo", "--country", "AT", "--kiosk", "--display-name", "Zoo TV")
    run("partner", "add", "kino", "--jwks-url", "https://id.kino.example/jwks.json")

    header, *lines = run("partner", "list").stdout.splitlines()

    assert header.split() == ["NAME", "COUNTRY", "KIOSK", "TOKENS", "SHOWN", "AS"]
    assert [line.split() for line in lines] == [
        ["kino", "DE", "no", "JWKS", "URL", "kino"],
        ["zoo", "AT", "yes", "guests", "Zoo", "TV"],
    ]


@pytest.mark.one_database
def test_show_tells_everything_that_was_set_up(run: Run, written: Written) -> None:
    document = {"keys": [jwk(P256, kid="one"), jwk(RSA, kid="other")]}
    run("partner", "add", "kino", "--jwks", written("jwks.json", document))
    for options, _ in CHANGES.values():
        if options[0] != "--jwks-url":
            run("partner", "change", "kino", *options)

    told = run("partner", "show", "kino").stdout

    for options, _ in CHANGES.values():
        if options[0] not in ("--jwks-url", "--kiosk", "--test-payments"):
            assert options[1] in told
    assert f"EC one (thumbprint {P256.thumbprint()})" in told
    assert f"RSA other (thumbprint {RSA.thumbprint()})" in told
    assert "/kiosk/kino" in told
    assert "tests only" in told
    assert "key list --partner kino" in told
