"""``flask guest-key rotate`` and ``list``: nobody is logged out."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select

from jay import create_app, db
from jay.auth.models import signing_keys
from tests.builders import Platform, add_platform
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON, MovedClock
from tests.conftest import settings

MINUTE, DAY = 60, 86400


@pytest.fixture
def here(new_app: Flask, clock: MovedClock) -> Flask:
    """An app on a database whose guest keys no other test knows."""
    clock.now = NOON
    return new_app


@pytest.fixture
def run(here: Flask) -> Run:
    return runner_of(here)


@pytest.fixture
def another(
    here: Flask, new_database_url: str, clock: MovedClock, tmp_path: Path
) -> Iterator[Callable[..., Flask]]:
    """Start the same service in another process."""
    made: list[Flask] = []

    def start(**changes: object) -> Flask:
        made.append(create_app(settings(new_database_url, tmp_path, **changes), clock=clock))
        return made[-1]

    yield start
    for one in made:
        one.extensions["jay.db"].dispose()


@pytest.fixture
def platform(here: Flask) -> Platform:
    return add_platform(here, here.test_client())


def on(app: Flask, platform: Platform) -> Platform:
    return Platform(app.test_client(), platform.name, platform.key)


def kid_of(token: str) -> str:
    head = token.split(".", maxsplit=1)[0]
    found: str = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]
    return found


def published(app: Flask) -> list[dict[str, Any]]:
    response = app.test_client().get("/.well-known/jwks.json")
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json["keys"]
    return found


def rotate(run: Run) -> str:
    result = run("guest-key", "rotate")
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.fullmatch(r"jay-guest-[0-9a-f]{16}\n", result.stdout)
    return result.stdout.strip()


def listed(run: Run) -> list[list[str]]:
    result = run("guest-key", "list")
    assert (result.exit_code, result.stderr) == (0, "")
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["KEY", "MADE", "(UTC)", "STATE"]
    return [line.split() for line in lines]


def stored(app: Flask) -> list[Any]:
    with app.app_context(), db.reading() as connection:
        query = select(signing_keys).order_by(signing_keys.c.created, signing_keys.c.kid)
        return list(connection.execute(query).all())


# --- revoke ---


def test_revoking_the_key_that_signs_makes_a_new_one_first(app: Flask, run: Run) -> None:
    kid = rotate(run)

    result = run("guest-key", "revoke", kid)

    assert (result.exit_code, result.output) == (0, "")
    assert kid not in {line[0] for line in listed(run)}
    assert len([line for line in listed(run) if line[-1] == "signs"]) == 1


def test_a_key_that_is_not_there_can_not_be_revoked(run: Run) -> None:
    result = run("guest-key", "revoke", "jay-guest-0000000000000000")

    assert result.exit_code == 1
    assert result.stderr == "Error: There is no guest key jay-guest-0000000000000000.\n"


# --- rotate ---


def test_tokens_of_the_old_key_stay_valid_until_they_expire(
    run: Run, platform: Platform, another: Callable[..., Flask], clock: MovedClock
) -> None:
    guest = platform.guest()
    rotate(run)
    elsewhere = on(another(), platform)

    for seconds in (0, MINUTE, 29 * DAY, DAY - MINUTE - 1):
        clock.move(seconds)
        for place in (platform, elsewhere):
            response = place.call("GET", f"/baskets/users/{guest.id}", token=guest.token)
            assert response.status_code == 200
    clock.move(31)
    assert guest.call("GET").status_code == 401


def test_another_process_signs_with_the_new_key_within_a_minute(
    run: Run, platform: Platform, another: Callable[..., Flask], clock: MovedClock
) -> None:
    elsewhere = on(another(), platform)
    old = kid_of(elsewhere.guest().token)
    clock.move(1)

    new = rotate(run)
    assert new != old
    assert kid_of(elsewhere.guest().token) in {old, new}
    clock.move(MINUTE - 1)

    assert kid_of(elsewhere.guest().token) == new


def test_tokens_of_old_and_new_key_are_accepted_everywhere_meanwhile(
    run: Run, platform: Platform, another: Callable[..., Flask], clock: MovedClock
) -> None:
    one, other = on(another(), platform), on(another(), platform)
    before = one.guest(), other.guest()
    clock.move(10)
    rotate(run)
    # One is started anew and has the new key, the other one has not heard of it.
    fresh = on(another(), platform)
    after = fresh.guest(), other.guest()
    assert kid_of(after[0].token) != kid_of(after[1].token)

    for guest in (*before, *after):
        for place in (one, other, fresh):
            response = place.call("GET", f"/baskets/users/{guest.id}", token=guest.token)
            assert response.status_code == 200, response.json


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_both_keys_are_published_after_a_minute_at_the_latest(
    here: Flask, run: Run, platform: Platform, another: Callable[..., Flask], clock: MovedClock
) -> None:
    elsewhere = another()
    guest = on(elsewhere, platform).guest()
    old = kid_of(guest.token)
    assert [key["kid"] for key in published(elsewhere)] == [old]

    new = rotate(run)
    clock.move(MINUTE)

    for app in (here, elsewhere):
        keys = published(app)
        assert [key["kid"] for key in keys] == [old, new]
        assert all("d" not in key for key in keys)
        newer = on(app, platform).guest()
        assert kid_of(newer.token) == new
        key_set = KeySet.import_key_set({"keys": keys})
        for token in (guest.token, newer.token):
            claims = jwt.decode(token, key_set, algorithms=["EdDSA"]).claims
            assert claims["aud"] == "kino"


def test_on_a_fresh_database_it_makes_the_only_key(here: Flask, run: Run) -> None:
    kid = rotate(run)

    assert [row.kid for row in stored(here)] == [kid]
    assert [key["kid"] for key in published(here)] == [kid]


def test_after_many_rotations_one_key_signs_and_all_verify(
    here: Flask, run: Run, platform: Platform, clock: MovedClock
) -> None:
    guests = []
    for _ in range(4):
        guests.append(platform.guest())
        rotate(run)
        clock.move(MINUTE)

    assert len({kid_of(guest.token) for guest in guests}) == 4
    assert [row.active for row in stored(here)] == [None, None, None, None, True]
    assert [guest.call("GET").status_code for guest in guests] == [200] * 4


def test_the_private_key_is_shown_to_nobody(here: Flask, run: Run) -> None:
    result = run("guest-key", "rotate")
    (row,) = stored(here)
    (key,) = published(here)

    assert row.private_key not in result.output + run("guest-key", "list").output
    assert '"d"' not in row.private_key
    assert set(key) >= {"kty", "crv", "x", "kid"}
    assert "d" not in key


def test_with_another_secret_nothing_is_rotated(
    here: Flask, run: Run, platform: Platform, another: Callable[..., Flask], clock: MovedClock
) -> None:
    # Else every process would soon meet a key that it can't open, and make no guests any more.
    platform.guest()
    before = stored(here)
    wrong = another(secret_key="another secret of 32 bytes, by mistake")

    result = runner_of(wrong)("guest-key", "rotate")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "JAY_SECRET_KEY" in result.stderr
    assert stored(here) == before
    clock.move(MINUTE)
    assert platform.guest().call("GET").status_code == 200


# --- list ---


def test_list_tells_which_key_signs_and_until_when_the_others_verify(
    run: Run, platform: Platform, clock: MovedClock
) -> None:
    old = kid_of(platform.guest().token)
    clock.move(DAY)
    new = rotate(run)
    clock.move(DAY)

    assert listed(run) == [
        [old, "2025-06-04", "12:00", "verifies", "until", "2025-07-05", "12:00"],
        [new, "2025-06-05", "12:00", "signs"],
    ]


def test_list_on_a_fresh_database_is_a_header_and_makes_no_key(here: Flask, run: Run) -> None:
    assert listed(run) == []
    assert stored(here) == []
