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
