"""``flask baskets purge``: what has expired goes, in small steps that can be stopped."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from jay import db
from jay.auth.models import signing_keys
from jay.baskets.models import baskets
from jay.db.types import metadata
from jay.merchants import service as merchants
from jay.ops.purge import EXPIRED, purge
from jay.outbox.models import DELIVERED, FAILED, WAITING, outbox
from jay.outbox.webhooks import ADD_PRODUCT, lane_of
from jay.transfers.models import transfers
from jay.web.limits import tries
from jay.web.stored_answers import idempotency_keys
from tests.api.checks import dump, rows
from tests.builders import Platform, Shop, User, add_platform, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON, PATIENCE_SECONDS, MovedClock

MINUTE, HOUR, DAY = 60, 3600, 86400
BASKETS = EXPIRED[0]
NOTHING = {
    "baskets": 0,
    "transfers": 0,
    "answers": 0,
    "tries": 0,
    "guest keys": 0,
    "logins": 0,
    "checkouts": 0,
    "names and addresses": 0,
    "withdrawals": 0,
    "payment news": 0,
    "prices of before": 0,
    "addresses of pictures": 0,
    "pictures": 0,
    "webhooks": 0,
    "orders": 0,
}


@pytest.fixture
def platform(app: Flask, client: FlaskClient) -> Platform:
    return add_platform(app, client)


@pytest.fixture
def shop(app: Flask, client: FlaskClient) -> Shop:
    return add_shop(app, client)


def purged(run: Run, *options: str) -> dict[str, int]:
    """Run the command and return what it says that it has deleted."""
    result = run("baskets", "purge", *options)
    assert result.exit_code == 0, result.output
    lines = (line.rsplit(": ", 1) for line in result.stdout.splitlines())
    counts = {name: int(count) for name, count in lines}
    del counts["files of pictures"]  # those of other tests: all have one folder
    return counts


def long_lived(platform: Platform, name: str = "alice") -> User:
    return User(platform, name, platform.token(name, expires_in=1000 * DAY))


def user_ids(app: Flask) -> set[str]:
    with app.app_context(), db.reading() as connection:
        return set(connection.execute(select(baskets.c.user_id)).scalars())


# --- what goes, and what stays ---


def test_on_an_empty_database_there_is_nothing_to_do(run: Run) -> None:
    assert purged(run) == NOTHING


def test_what_is_alive_stays(
    app: Flask, run: Run, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.put(mug)
    platform.guest((mug, 2))
    alice.transfer()
    platform.call("POST", "/baskets/guests", headers={"Idempotency-Key": "k-0123456789abcdef"})
    platform.client.post("/code", data={"user_code": "AAAAAAAA"})
    clock.move(MINUTE - 1)
    before = dump(app)

    assert purged(run) == NOTHING

    assert dump(app) == before


def test_a_guests_basket_goes_after_30_days_and_a_users_after_365(
    app: Flask, run: Run, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.put(mug)
    guest = platform.guest((mug, 1))
    clock.move(DAY)
    later = platform.guest((mug, 1))

    clock.move(29 * DAY - 1)
    assert purged(run)["baskets"] == 0
    clock.move(1)
    assert purged(run)["baskets"] == 1
    assert user_ids(app) == {"alice", later.id}
    assert guest.id not in dump(app)

    clock.move(335 * DAY - 1)
    assert purged(run)["baskets"] == 1
    assert user_ids(app) == {"alice"}
    clock.move(1)
    assert purged(run)["baskets"] == 1
    assert user_ids(app) == set()


def test_a_change_keeps_a_users_basket(
    app: Flask, run: Run, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.put(mug)
    clock.move(300 * DAY)
    alice.put(mug, 2)
    clock.move(65 * DAY)

    assert purged(run)["baskets"] == 0

    assert alice.cart() == {mug: 2}


def test_a_basket_that_came_alive_again_stays(
    app: Flask, run: Run, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug, hat = long_lived(platform), shop.product("mug"), shop.product("hat")
    alice.put(mug)
    clock.move(365 * DAY)
    alice.put(hat, 3)

    assert purged(run)["baskets"] == 0

    assert alice.cart() == {hat: 3}


def test_a_basket_that_comes_alive_while_it_is_being_purged_stays(
    app: Flask, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, bob, mug = long_lived(platform), long_lived(platform, "bob"), shop.product("mug")
    alice.put(mug)
    bob.put(mug)
    clock.move(365 * DAY)
    revived, go = threading.Event(), threading.Event()

    def revive() -> None:
        alive = {"expires": clock.now + timedelta(days=1)}
        with app.app_context(), db.transaction() as connection:
            connection.execute(update(baskets).where(baskets.c.user_id == "alice").values(alive))
            revived.set()
            assert go.wait(PATIENCE_SECONDS)

    def delete() -> list[int]:
        with app.app_context():
            return list(purge(db.write, BASKETS, now=clock.now, batch=100, most=100))

    with ThreadPoolExecutor(2) as pool:
        reviving = pool.submit(revive)
        assert revived.wait(PATIENCE_SECONDS)
        # It has chosen both by now, or is about to, and waits for what the other one has changed.
        deleting = pool.submit(delete)
        with pytest.raises(TimeoutError):
            deleting.result(0.5)
        go.set()
        reviving.result(PATIENCE_SECONDS)
        assert deleting.result(PATIENCE_SECONDS) == [1]

    assert user_ids(app) == {"alice"}


def test_after_the_purge_a_user_begins_anew(
    app: Flask, run: Run, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    old = alice.put(mug).headers["ETag"]
    clock.move(365 * DAY)
    purged(run)

    response = alice.put(mug, 2)

    assert response.status_code == 200
    assert response.headers["ETag"] != old
    assert alice.cart() == {mug: 2}


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("answers", DAY), ("tries", DAY), ("transfers", HOUR + DAY)],
)
def test_each_kind_goes_when_nobody_needs_it_any_more(
    kind: str, seconds: int, app: Flask, platform: Platform, clock: MovedClock
) -> None:
    run = runner_of(app)
    with app.app_context(), db.transaction() as connection:
        partner_id = connection.execute(select(metadata.tables["partners"].c.id)).scalar_one()
        for number in range(3):
            connection.execute(**_row(kind, number, partner_id))
    clock.move(seconds - 1)
    assert purged(run) == NOTHING
    assert _count(app) == 3

    clock.move(1)

    assert purged(run) == {**NOTHING, kind: 3}
    assert _count(app) == 0


def _row(kind: str, number: int, partner_id: int) -> dict[str, Any]:
    name = f"{kind}-{number}"
    if kind == "answers":
        values = {"key_hash": name, "request_hash": "x", "answer": "x", "created": NOON}
        return {"statement": insert(idempotency_keys).values(values)}
    if kind == "tries":
        return {"statement": insert(tries).values(key=name, since=NOON, count=number)}
    claimed = {"claimed": NOON, "claimed_by": "g", "claimant_hash": "x"} if number == 1 else {}
    hashes = {f"{secret}_hash": f"{secret}-{name}" for secret in ("display", "token", "code")}
    times = {"created": NOON, "expires": NOON + timedelta(seconds=MINUTE)}
    values = {"partner_id": partner_id, "basket_id": "gone", "url": None, "pair": "fox", **times}
    values |= {"routing_key": number % 4096, "basket_key": 0}
    return {"statement": insert(transfers).values({**values, **hashes, **claimed})}


def _count(app: Flask) -> int:
    return sum(rows(app, table.name) for table in (idempotency_keys, tries, transfers))


def test_a_webhook_goes_30_days_after_its_end_and_never_while_it_waits(
    app: Flask, run: Run, shop: Shop, clock: MovedClock
) -> None:
    with app.app_context(), db.transaction() as connection:
        merchant = merchants.merchant_id(connection, shop.name)
        for state in (DELIVERED, FAILED, WAITING):
            times = dict.fromkeys(("created", "since", "due"), NOON - timedelta(days=9))
            values = {"kind": ADD_PRODUCT.name, "subject": state, "key": state, "state": state}
            finished = None if state == WAITING else NOON
            statement = insert(outbox).values(
                merchant_id=merchant, lane=lane_of(merchant, ADD_PRODUCT), finished=finished
            )
            connection.execute(statement.values(**values, **times))
    clock.move(30 * DAY - 1)
    assert purged(run)["webhooks"] == 0

    clock.move(1)

    assert purged(run)["webhooks"] == 2
    assert rows(app, "outbox") == 1


def test_a_purged_answer_can_be_had_anew_and_a_kept_one_is_replayed(
    run: Run, platform: Platform, clock: MovedClock
) -> None:
    def send(key: str) -> Any:
        return platform.call("POST", "/baskets/guests", headers={"Idempotency-Key": key})

    old = send("old-0123456789abcdef")
    clock.move(HOUR)
    young = send("young-0123456789abcdef")
    clock.move(DAY - HOUR)

    assert purged(run)["answers"] == 1

    assert send("young-0123456789abcdef").data == young.data
    assert send("old-0123456789abcdef").data != old.data


def test_events_products_and_comfort_settings_stay(
    app: Flask, run: Run, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice = long_lived(platform)
    alice.put(shop.product("mug"))
    alice.call("PATCH", "/comfort", json={"customerId": "C"})
    clock.move(1000 * DAY)

    assert purged(run) == {**NOTHING, "baskets": 1}

    for table in ("events", "products", "comfort_settings", "partners", "merchants"):
        assert rows(app, table) == 1


# --- in small steps ---


@pytest.fixture
def seven(app: Flask, platform: Platform, clock: MovedClock) -> None:
    """Seven baskets that have expired, and one that has not."""
    for _ in range(7):
        platform.guest()
    clock.move(30 * DAY)
    platform.guest()


@pytest.mark.parametrize(("batch", "steps"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (1000, [7])])
def test_each_step_is_a_transaction_of_so_many_rows(
    batch: int, steps: list[int], app: Flask, seven: None, clock: MovedClock
) -> None:
    left = []
    with app.app_context():
        for _ in purge(db.write, BASKETS, now=clock.now, batch=batch, most=1000):
            with db.reading() as connection:  # another connection sees what is committed
                left.append(len(connection.execute(select(baskets.c.id)).all()))

    assert left == [8 - sum(steps[: number + 1]) for number in range(len(steps))]


def test_at_most_so_many_go_and_the_rest_the_next_time(app: Flask, run: Run, seven: None) -> None:
    assert purged(run, "--most", "5", "--batch", "2")["baskets"] == 5
    assert rows(app, "baskets") == 3
    assert purged(run, "--most", "1")["baskets"] == 1
    assert purged(run, "--most", "5")["baskets"] == 1
    assert purged(run, "--most", "5")["baskets"] == 0
    assert rows(app, "baskets") == 1


def test_it_can_be_stopped_after_each_step_and_run_again(
    app: Flask, run: Run, seven: None, clock: MovedClock
) -> None:
    with app.app_context():
        steps = purge(db.write, BASKETS, now=clock.now, batch=2, most=1000)
        assert next(steps) == 2
        steps.close()  # type: ignore[attr-defined]
    assert rows(app, "baskets") == 6

    assert purged(run, "--batch", "2")["baskets"] == 5


def test_a_step_that_fails_leaves_what_came_before_it_done(
    app: Flask, run: Run, seven: None, clock: MovedClock
) -> None:
    calls = []

    def failing(work: Any) -> int:
        def counted(connection: Any) -> int:
            deleted: int = work(connection)
            calls.append(deleted)
            if len(calls) == 2:
                raise RuntimeError("the power is out")
            return deleted

        return db.write(counted)

    with app.app_context(), pytest.raises(RuntimeError):
        list(purge(failing, BASKETS, now=clock.now, batch=2, most=1000))

    assert rows(app, "baskets") == 6
    assert purged(run)["baskets"] == 5


def test_four_at_once_stand_in_nobodys_way(
    app: Flask, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    for _ in range(40):
        platform.guest()
    clock.move(30 * DAY)

    def work(number: int) -> int:
        if number == 4:
            client = app.test_client()
            there = User(Platform(client, "kino", platform.key), "alice", alice.token)
            return sum(there.put(mug, count).status_code == 200 for count in range(1, 21))
        with app.app_context():
            return sum(purge(db.write, BASKETS, now=clock.now, batch=3, most=1000))

    with ThreadPoolExecutor(5) as pool:
        *deleted, written = pool.map(work, range(5))

    assert (sum(deleted), written) == (40, 20)
    assert user_ids(app) == {"alice"}


@pytest.mark.parametrize("options", [("--batch", "0"), ("--most", "0"), ("--batch", "100001")])
def test_senseless_sizes_are_refused(
    options: tuple[str, ...], app: Flask, run: Run, seven: None
) -> None:
    assert run("baskets", "purge", *options).exit_code == 2
    assert rows(app, "baskets") == 8


# --- guest keys ---


@pytest.fixture
def own_run(new_app: Flask, clock: MovedClock) -> Run:
    """Commands on a database whose guest keys no other test knows."""
    clock.now = NOON
    return runner_of(new_app)


def kids(app: Flask) -> list[str]:
    with app.app_context(), db.reading() as connection:
        return list(
            connection.execute(
                select(signing_keys.c.kid).order_by(signing_keys.c.created)
            ).scalars()
        )


def test_a_retired_guest_key_goes_when_no_token_of_it_can_be_alive(
    new_app: Flask, own_run: Run, clock: MovedClock
) -> None:
    platform = add_platform(new_app, new_app.test_client())
    platform.guest()
    (first,) = kids(new_app)
    clock.move(DAY)
    second = own_run("guest-key", "rotate").stdout.strip()
    # A process signs with the old one until it has heard of the new one.
    clock.move(MINUTE)
    late = platform.guest()

    clock.move(30 * DAY + 29)
    assert purged(own_run)["guest keys"] == 0
    assert late.call("GET").status_code == 200

    clock.move(DAY - MINUTE - 30)
    assert purged(own_run)["guest keys"] == 0
    clock.move(1)
    assert purged(own_run)["guest keys"] == 1
    assert kids(new_app) == [second] != [first]


def test_the_key_that_signs_never_goes(new_app: Flask, own_run: Run, clock: MovedClock) -> None:
    platform = add_platform(new_app, new_app.test_client())
    platform.guest()
    clock.move(10_000 * DAY)

    assert purged(own_run)["guest keys"] == 0

    assert platform.guest().basket()["cart"] == []
    assert len(kids(new_app)) == 1
