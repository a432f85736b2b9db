"""``flask key issue``, ``list`` and ``revoke``."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from jay import db
from jay.auth.models import api_keys
from jay.sealing import hash_secret
from tests.cli.conftest import Run
from tests.clock import MovedClock


@pytest.fixture(autouse=True)
def owners(run: Run) -> None:
    run("partner", "add", "kino")
    run("merchant", "add", "mugshop")


def issue(run: Run, *owner: str) -> str:
    return run("key", "issue", *(owner or ("--partner", "kino"))).stdout.strip()


def enters(app: Flask, key: str, path: str = "/v2/baskets/guests") -> int:
    method = "POST" if path.startswith("/v2") else "GET"
    return app.test_client().open(path, method=method, headers={"X-API-Key": key}).status_code


# --- issue


def test_issue_prints_the_key_and_nothing_else(run: Run) -> None:
    result = run("key", "issue", "--partner", "kino")

    assert result.exit_code == 0
    assert re.fullmatch(r"jay_[A-Za-z0-9_-]{43}\n", result.stdout)
    assert result.stderr == ""


def test_each_key_is_another_one(run: Run) -> None:
    assert len({issue(run) for _ in range(3)}) == 3


def test_only_the_hash_of_a_key_is_in_the_database(app: Flask, run: Run) -> None:
    key = issue(run)

    with app.app_context(), db.reading() as connection:
        row = connection.execute(select(api_keys)).one()
    assert row.key_hash == hash_secret(key)
    assert [value for value in row if isinstance(value, str) and key in value] == []
    assert row.prefix == key[:11]
    assert (row.demo, row.revoked) == (False, None)


def test_a_partners_key_opens_the_basket_api_and_not_the_other(app: Flask, run: Run) -> None:
    key = issue(run, "--partner", "kino")

    assert enters(app, key) == 200
    assert enters(app, key, "/v1/shops/config") == 403


def test_a_merchants_key_opens_the_product_api_and_not_the_other(app: Flask, run: Run) -> None:
    key = issue(run, "--merchant", "mugshop")

    assert enters(app, key, "/v1/shops/config") == 200
    assert enters(app, key) == 403


def test_two_keys_of_one_owner_work_side_by_side(app: Flask, run: Run) -> None:
    keys = [issue(run), issue(run)]

    assert [enters(app, key) for key in keys] == [200, 200]


@pytest.mark.parametrize(
    ("owner", "code"),
    [
        ((), 2),
        (("--partner", "kino", "--merchant", "mugshop"), 2),
        (("--partner", "nobody"), 1),
        (("--merchant", "nobody"), 1),
        (("--merchant", "kino"), 1),
        (("--partner", ""), 1),
    ],
)
def test_a_key_needs_one_owner_that_exists(
    run: Run, app: Flask, owner: tuple[str, ...], code: int
) -> None:
    result = run("key", "issue", *owner)

    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr != ""
    with app.app_context(), db.reading() as connection:
        assert connection.execute(select(api_keys)).all() == []


# --- list


def test_list_shows_prefix_owner_and_state_and_never_a_key(run: Run, clock: MovedClock) -> None:
    first = issue(run, "--partner", "kino")
    clock.move(60)
    second = issue(run, "--merchant", "mugshop")
    run("key", "revoke", first[:11])

    result = run("key", "list")

    header, *lines = result.stdout.splitlines()
    assert header.split() == ["PREFIX", "OWNER", "ISSUED", "(UTC)", "STATE"]
    assert [line.split() for line in lines] == [
        [first[:11], "partner", "kino", "2025-06-04", "12:00", "revoked", "2025-06-04", "12:01"],
        [second[:11], "merchant", "mugshop", "2025-06-04", "12:01", "valid"],
    ]
    assert first not in result.output
    assert second not in result.output


def test_list_stays_in_columns_with_the_longest_name(run: Run) -> None:
    run("merchant", "add", "m" * 40)
    issue(run, "--merchant", "m" * 40)

    line = run("key", "list").stdout.splitlines()[1]

    assert line.split()[1:4] == ["merchant", "m" * 40, "2025-06-04"]


def test_list_of_no_keys_has_a_header_alone(run: Run) -> None:
    assert len(run("key", "list").stdout.splitlines()) == 1


# --- revoke


def test_a_revoked_key_stops_working_within_five_seconds(
    app: Flask, run: Run, clock: MovedClock
) -> None:
    key = issue(run)
    assert enters(app, key) == 200

    result = run("key", "revoke", key[:11])
    clock.move(5)

    assert (result.exit_code, result.stdout) == (0, "")
    assert key[:11] in result.stderr
    assert enters(app, key) == 401


def test_revoking_one_key_leaves_the_others(app: Flask, run: Run, clock: MovedClock) -> None:
    lost, kept = issue(run), issue(run)

    run("key", "revoke", lost[:11])
    clock.move(5)

    assert [enters(app, lost), enters(app, kept)] == [401, 200]


def test_revoking_a_second_time_is_an_error_and_keeps_the_first_moment(
    app: Flask, run: Run, clock: MovedClock
) -> None:
    prefix = issue(run)[:11]
    run("key", "revoke", prefix)
    revoked = clock.now
    clock.move(60)

    result = run("key", "revoke", prefix)

    assert result.exit_code == 1
    assert "no valid key" in result.stderr
    with app.app_context(), db.reading() as connection:
        assert connection.execute(select(api_keys.c.revoked)).scalar_one() == revoked


@pytest.mark.parametrize("prefix", ["jay_unknown", "jay_", "", "%"])
def test_an_unknown_or_shortened_prefix_revokes_nothing(app: Flask, run: Run, prefix: str) -> None:
    key = issue(run)

    assert run("key", "revoke", prefix).exit_code == 1

    assert enters(app, key) == 200


def test_the_whole_key_is_no_prefix(run: Run) -> None:
    assert run("key", "revoke", issue(run)).exit_code == 1


# --- replace


def test_a_replaced_key_is_accepted_beside_the_new_one_until_the_stated_time(
    app: Flask, run: Run, clock: MovedClock
) -> None:
    old = issue(run)

    result = run("key", "replace", old[:11], "--until", "2025-06-04 18:00")

    new = result.stdout.strip()
    assert re.fullmatch(r"jay_[A-Za-z0-9_-]{43}", new)
    assert "2025-06-04 18:00 UTC" in result.stderr
    assert [enters(app, old), enters(app, new)] == [200, 200]
    clock.move(6 * 3600 - 1)
    assert [enters(app, old), enters(app, new)] == [200, 200]
    clock.move(1)
    assert [enters(app, old), enters(app, new)] == [401, 200]


def test_a_key_that_is_known_in_a_process_ends_at_that_moment_there_too(
    app: Flask, run: Run, clock: MovedClock
) -> None:
    old = issue(run)
    run("key", "replace", old[:11], "--until", "2025-06-04 12:01")
    clock.move(58)
    assert enters(app, old) == 200

    clock.move(2)  # less than a look-up is remembered for

    assert enters(app, old) == 401


def test_a_week_is_given_by_default_and_the_new_key_has_the_same_owner(
    app: Flask, run: Run, clock: MovedClock
) -> None:
    old = issue(run, "--merchant", "mugshop")

    new = run("key", "replace", old[:11]).stdout.strip()

    assert enters(app, new, "/v1/shops/config") == 200
    states = {line[:11]: line for line in run("key", "list").stdout.splitlines()[1:]}
    assert states[old[:11]].endswith("valid until 2025-06-11 12:00")
    assert states[new[:11]].endswith("valid")
    clock.move(7 * 86400)
    assert "revoked 2025-06-11 12:00" in run("key", "list").stdout


def test_what_is_replaced_can_be_ended_earlier_or_later(
    app: Flask, run: Run, clock: MovedClock
) -> None:
    early, late = issue(run), issue(run)
    for key in (early, late):
        run("key", "replace", key[:11], "--until", "2025-06-04 13:00")

    assert run("key", "revoke", early[:11]).exit_code == 0
    assert run("key", "revoke", late[:11], "--at", "2025-06-04 15:00").exit_code == 0

    clock.move(2 * 3600)
    assert [enters(app, early), enters(app, late)] == [401, 200]


@pytest.mark.parametrize("until", ["2025-06-04 12:00", "yesterday", ""])
@pytest.mark.one_database
def test_the_moment_must_be_still_to_come(app: Flask, run: Run, until: str) -> None:
    old = issue(run)

    assert run("key", "replace", old[:11], "--until", until).exit_code == 2
    assert run("key", "revoke", old[:11], "--at", until).exit_code == 2

    assert len(run("key", "list").stdout.splitlines()) == 2


@pytest.mark.one_database
def test_a_key_is_replaced_once(run: Run) -> None:
    old, gone = issue(run), issue(run)
    run("key", "revoke", gone[:11])
    assert run("key", "replace", old[:11]).exit_code == 0

    for prefix in (old[:11], gone[:11], "jay_unknown"):
        result = run("key", "replace", prefix)
        assert (result.exit_code, result.stdout) == (1, "")


def test_the_keys_of_one_owner_can_be_listed(run: Run) -> None:
    mine, other = issue(run), issue(run, "--merchant", "mugshop")

    def listed(*options: str) -> list[str]:
        return [line[:11] for line in run("key", "list", *options).stdout.splitlines()[1:]]

    assert listed("--partner", "kino") == [mine[:11]]
    assert listed("--merchant", "mugshop") == [other[:11]]
    assert listed("--partner", "mugshop") == []
