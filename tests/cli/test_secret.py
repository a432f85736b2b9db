"""JAY_SECRET_KEY is changed: the old one opens meanwhile, and ``secret reseal`` seals all anew."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select

from jay import create_app, db, make_ready
from jay.checkout.comfort import comfort_settings, seal_of
from jay.config import ConfigError, settings_from
from jay.merchants import service as merchants
from jay.merchants.models import merchants as merchants_table
from jay.ops.reseal import SEALED, reseal
from jay.sealing import Seal, Secret, WrongKey
from tests.api.browser import Browser, text_of
from tests.builders import Platform, add_platform, add_shop
from tests.cli.conftest import runner_of
from tests.clock import PATIENCE_SECONDS, MovedClock
from tests.conftest import SECRET, settings

NEW = "another secret of 32 bytes, for tests"
NEWEST = "the third secret of 32 bytes, for tests"
WRITES = 20
Having = Callable[[str], Flask]


@pytest.fixture
def having(new_database_url: str, clock: MovedClock, tmp_path: Path) -> Iterator[Having]:
    """Have a process with a secret, on one and the same database."""
    made: list[Flask] = []

    def have(secret: str) -> Flask:
        config = settings(new_database_url, tmp_path / "data", secret_key=secret)
        made.append(create_app(config, clock=clock))
        return made[-1]

    yield have
    for app in made:
        app.extensions["jay.db"].dispose()


def token_of(app: Flask, secret: str) -> str:
    with app.app_context(), db.reading() as connection:
        row = connection.execute(select(merchants_table)).one()
    return merchants.open_webhook_token(row.webhook_token, row.id, secret=secret)


def customer_of(app: Flask, secret: str) -> bytes:
    with app.app_context(), db.reading() as connection:
        row = connection.execute(select(comfort_settings)).one()
    return seal_of(row.partner_id, row.user_id, secret).open(row.customer_id)


def test_everything_goes_on_while_the_secret_is_changed_twice(having: Having) -> None:
    before = make_ready(having(SECRET))
    kino = add_platform(before, before.test_client())
    shop = add_shop(before, before.test_client())
    alice, guest = kino.user("alice"), kino.guest((shop.product(), 1))
    alice.call("PATCH", "/comfort", json={"customerId": "C-1"})
    claimed = kino.redeem(guest.transfer()["jayToken"]).json["data"]
    phone = Browser(before)
    phone.take(guest.transfer())
    with before.app_context(), db.transaction() as connection:
        identifier = merchants.merchant_id(connection, "mugshop")
        merchants.keep_webhook_token(connection, identifier, "hush", secret=SECRET)

    for secret, older in ((NEW, (SECRET,)), (NEWEST, (NEW, SECRET))):
        app = make_ready(having(Secret(secret, older)))
        assert token_of(app, Secret(secret, older)) == "hush"
        for _ in range(2):  # any number of times
            result = runner_of(app)("secret", "reseal", "--batch", "1")
            assert result.exit_code == 0, result.output
        assert token_of(app, secret) == "hush"
        assert customer_of(app, secret) == b"C-1"

        there = Platform(app.test_client(), "kino", kino.key)
        for user, token in ((guest.id, guest.token), (claimed["userId"], claimed["token"])):
            answer = there.call("GET", f"/baskets/users/{user}", token=token)
            assert answer.status_code == 200, answer.json
        phone._client.application = app
        assert "Mug" in text_of(phone.get("/basket"))

    alone = make_ready(having(NEWEST))
    again = Platform(alone.test_client(), "kino", kino.key)
    # What a guest holds itself is signed; what a transfer gave names its basket sealed, 30 days.
    assert again.call("GET", f"/baskets/users/{guest.id}", token=guest.token).status_code == 200
    with pytest.raises(ConfigError):
        make_ready(having(SECRET))


def test_what_nobody_can_open_is_told_and_left(having: Having) -> None:
    app = having(SECRET)
    add_shop(app, app.test_client())
    with app.app_context(), db.transaction() as connection:
        identifier = merchants.merchant_id(connection, "mugshop")
        merchants.keep_webhook_token(connection, identifier, "hush", secret="lost " * 8)

    result = runner_of(having(Secret(NEW, (SECRET,))))("secret", "reseal")

    assert (result.exit_code, "1 can't be opened" in result.stderr) == (1, True)
    assert token_of(app, "lost " * 8) == "hush"


def test_what_is_changed_meanwhile_is_left_as_it_is(having: Having) -> None:
    app = having(SECRET)
    add_shop(app, app.test_client())
    secret = Secret(NEW, (SECRET,))
    with app.app_context():
        with db.transaction() as connection:
            identifier = merchants.merchant_id(connection, "mugshop")
            merchants.keep_webhook_token(connection, identifier, "first", secret=SECRET)
        [done] = reseal(db.database().write, SEALED[1], secret=secret, batch=10)
        with db.transaction() as connection:
            merchants.keep_webhook_token(connection, identifier, "second", secret=NEW)
        [again] = reseal(db.database().write, SEALED[1], secret=secret, batch=10)

    assert (done.renewed, again.renewed) == (1, 0)
    assert token_of(app, NEW) == "second"


def test_what_is_written_while_it_runs_is_kept(having: Having) -> None:
    """By a process that knows the old secret alone, and by one that has both."""
    both = Secret(NEW, (SECRET,))
    old, new = having(SECRET), having(both)
    kino = add_platform(old, old.test_client())
    add_shop(old, old.test_client())
    alice = replace(kino, client=new.test_client()).user("alice")
    with old.app_context(), db.transaction() as connection:
        shop = merchants.merchant_id(connection, "mugshop")
    begin = Barrier(3)

    def write_tokens() -> None:
        begin.wait(PATIENCE_SECONDS)
        with old.app_context():
            for number in range(WRITES):
                word = f"hush {number}"
                db.write(merchants.keep_webhook_token, shop, word, secret=SECRET)

    def write_customers() -> None:
        begin.wait(PATIENCE_SECONDS)
        for number in range(WRITES):
            answer = alice.call("PATCH", "/comfort", json={"customerId": f"C-{number}"})
            assert answer.status_code == 200, answer.json

    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write) for write in (write_tokens, write_customers)]
        begin.wait(PATIENCE_SECONDS)
        resealed = 0
        while not all(each.done() for each in writing) or not resealed:
            with new.app_context():  # the command would take the log's place to write to, too
                for sealed in SEALED:
                    list(reseal(db.database().write, sealed, secret=both, batch=1))
            resealed += 1
        for each in writing:
            each.result()
    assert token_of(new, both) == f"hush {WRITES - 1}"
    assert runner_of(new)("secret", "reseal").exit_code == 0

    assert token_of(new, NEW) == f"hush {WRITES - 1}"
    assert customer_of(new, NEW) == f"C-{WRITES - 1}".encode()


def test_a_seal_opens_what_older_secrets_have_closed_and_closes_with_the_new_one() -> None:
    old, new = Seal("x", SECRET, "a"), Seal("x", Secret(NEW, (SECRET,)), "a")

    assert new.open(old.close(b"it")) == b"it"
    assert new.open_alike(old.close_alike(b"it")) == b"it"
    assert Seal("x", NEW, "a").open(new.close(b"it")) == b"it"
    assert new.renewed(new.close(b"it")) is None
    assert Seal("x", NEW, "a").open(new.renewed(old.close(b"it")) or "") == b"it"
    for other in (Seal("x", SECRET, "b"), Seal("y", SECRET, "a"), Seal("x", NEWEST, "a")):
        with pytest.raises(WrongKey):
            new.open(other.close(b"it"))


def test_older_secrets_come_from_the_environment(tmp_path: Path) -> None:
    environ = {"JAY_DATA_DIR": str(tmp_path), "JAY_SECRET_KEY": NEWEST}

    read = settings_from(
        {
            **environ,
            "JAY_SECRET_KEY_OLD": f"{SECRET.replace(',', '')}, {NEW.replace(',', '')}",
        }
    )

    assert isinstance(read.secret_key, Secret)
    assert read.secret_key == NEWEST
    assert len(read.secret_key.older) == 2
    with pytest.raises(ConfigError, match="JAY_SECRET_KEY_OLD"):
        settings_from({**environ, "JAY_SECRET_KEY_OLD": "short"})
