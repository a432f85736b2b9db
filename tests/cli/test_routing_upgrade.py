"""The migration that gives all that belongs to a shopper its routing key, with people at work.

The secrets of transfers are written here as the release before made them: a display token, the
``jayToken`` and short code that it gave, and the token that typing the code gave.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import alembic.command
import pytest
from flask import Flask
from sqlalchemy import select, text

from jay import db
from jay.baskets.models import baskets
from jay.checkout.comfort import comfort_settings
from jay.db.routing import routing_key
from jay.errors import TransferCancelled, TransferClaimed
from jay.events import events
from jay.merchants.service import merchant_id
from jay.ops.cli import alembic_config
from jay.outbox import webhooks
from jay.outbox.models import outbox
from jay.outbox.webhooks import ADD_PRODUCT
from jay.sealing import hash_secret
from jay.transfers.models import transfers
from tests.api.browser import Browser
from tests.api.checks import assert_refused
from tests.builders import Platform, Shop, User, add_platform, add_shop
from tests.cli.conftest import Run, runner_of
from tests.clock import NOON, MovedClock
from tests.conftest import Apps, Copies
from tests.receiver import Receiver, receiving

BEFORE = "0015"


@dataclass(frozen=True)
class Old:
    """The secrets of a transfer of before."""

    display: str
    token: str
    code: str
    typed: str


OPEN = Old("A" * 22, "SQ32vxuq3g6ntw5uWhMZzw", "SYZBW75H", "6LE0mcExVLXKIlMvpLQcxA")
CLAIMED = Old("B" * 22, "9YS4AsWy0RdtLSIIo3Jz4Q", "9HXW8RNQ", "mHBXOZ5c1Ok0lrCXcW0wsg")
ORPHAN = Old("C" * 22, "VYEKSzSGm22yniuA0fHsWg", "5H98J7RY", "apLSERqe5tG03a9RmpimsA")
LATE = Old("D" * 22, "bqT7ASHkmuRmR0ko2ZR7sw", "5Y2T2GSH", "EuVBpek6II8NrWR8mhQbYQ")


@dataclass
class World:
    """What there was before the upgrade, as it is after it."""

    app: Flask
    run: Run
    platform: Platform
    shop: Shop
    mug: str
    alice: User
    guest: User
    phone: User
    """With credentials from a transfer of alice's basket, made before."""

    def browser(self) -> Browser:
        return Browser(self.app)

    def status(self, old: Old) -> Any:
        answer = self.app.test_client().get(f"/v2/transfers/{old.display}/status")
        assert answer.status_code == 200, answer.json
        return answer.json["data"]["state"]

    def rows(self, table: Any) -> list[Any]:
        with self.app.app_context(), db.reading() as connection:
            return list(connection.execute(select(table)).all())


@pytest.fixture(scope="module")
def _receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def receiver(_receiver: Receiver) -> Receiver:
    _receiver.requests.clear()
    return _receiver


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def upgraded(
    request: pytest.FixtureRequest, _receiver: Receiver, apps: Apps, clock: MovedClock
) -> tuple[str, World]:
    """A database that was brought up to date with people at work; the tests have copies."""
    clock.now = NOON
    url: str = request.getfixturevalue(f"_new_{request.param}")()
    app = apps.on(url, demo=True)
    run, client = runner_of(app), app.test_client()
    platform, shop = add_platform(app, client), add_shop(app, client)
    shop.call("PATCH", "/shops/config", json={"addProductWebhookUrl": _receiver.url})
    mug, alice = shop.product("mug"), platform.user()
    alice.put(mug, 2)
    alice.call("PATCH", "/comfort", json={"customerId": "C-1"})
    guest, kiosk = platform.guest((mug, 3)), platform.guest((mug, 4))
    with app.app_context(), db.transaction() as connection:
        merchant = merchant_id(connection, shop.name) or 0
        webhooks.enqueue(
            connection, merchant, ADD_PRODUCT, {"waits": json.dumps("waits")}, now=NOON
        )
        query = select(baskets.c.user_id, baskets.c.id)
        identifiers = {row.user_id: row.id for row in connection.execute(query)}

    alembic.command.downgrade(alembic_config(url), BEFORE)
    with app.app_context(), db.transaction() as connection:
        offer = Offering(connection, identifiers["alice"])
        offer(LATE, offered=NOON - timedelta(minutes=5))
        offer(OPEN, typed_hash=hash_secret(OPEN.typed))
        offer(CLAIMED, basket_id=identifiers[kiosk.id], kiosk=True, claimed=NOON, claimed_by="g")
        offer(ORPHAN, basket_id="gone")
        claims = {"iss": "jay-basket", "aud": "kino", "sub": "g-phone", "iat": 1}
        claims |= {"exp": int(NOON.timestamp()) + 3600, "basket": identifiers["alice"]}
        credential = app.extensions["jay.auth"].tokens.guest_keys.sign(claims)
    app.extensions["jay.db"].dispose()
    assert run("db", "upgrade").exit_code == 0
    app.extensions["jay.db"].dispose()

    phone = User(platform, "g-phone", credential)
    return url, World(app, run, platform, shop, mug, alice, guest, phone)


@pytest.fixture
def world(upgraded: tuple[str, World], copies: Copies, apps: Apps) -> Iterator[World]:
    original, made = upgraded
    kind = made.app.extensions["jay.db"].url.get_backend_name()
    url = copies.of(original, kind, "jay_upgraded")
    app = apps.on(url, demo=True)
    client = app.test_client()
    platform, shop = replace(made.platform, client=client), replace(made.shop, client=client)
    alice, guest, phone = (
        replace(user, platform=platform) for user in (made.alice, made.guest, made.phone)
    )
    yield World(app, runner_of(app), platform, shop, made.mug, alice, guest, phone)
    apps.close(url)


class Offering:
    """Writes transfers as the release before did."""

    def __init__(self, connection: Any, basket_id: str) -> None:
        self._connection = connection
        self._basket_id = basket_id

    def __call__(self, old: Old, *, offered: Any = NOON, **more: Any) -> None:
        row = {
            "partner_id": 1,
            "basket_id": self._basket_id,
            "display_hash": hash_secret(old.display),
            "token_hash": hash_secret(old.token),
            "code_hash": hash_secret(old.code),
            "pair": "fox",
            "kiosk": False,
            "created": offered,
            "expires": offered + timedelta(seconds=60),
            **more,
        }
        if self._connection.dialect.name == "sqlite":
            at = {name: value for name, value in row.items() if hasattr(value, "isoformat")}
            row |= {name: f"{value:%Y-%m-%d %H:%M:%S.%f}" for name, value in at.items()}
        columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
        statement = f"INSERT INTO transfers ({columns}) VALUES ({values})"
        self._connection.execute(text(statement), row)


def test_everybody_keeps_the_basket(world: World) -> None:
    assert world.alice.cart() == {world.mug: 2}
    assert world.guest.cart() == {world.mug: 3}
    assert world.alice.put(world.mug, 5).status_code == 200
    assert world.alice.call("PATCH", "/comfort", json={}).json["data"]["customerIdSet"]

    for row in (*world.rows(baskets), *world.rows(comfort_settings)):
        assert row.routing_key == routing_key(row.partner_id, row.user_id)


def test_what_happened_before_is_still_told(world: World) -> None:
    found = world.rows(events)

    assert {row.routing_key for row in found} == {0}
    assert [row.kind for row in found].count("basket_created") == 2
    world.alice.put(world.mug, 1)
    (new,) = [row for row in world.rows(events) if row not in found]
    assert new.id > max(row.id for row in found)


def test_credentials_of_before_open_their_basket_and_change_it(world: World) -> None:
    assert world.phone.cart() == {world.mug: 2}
    assert world.phone.put(world.mug, 7).status_code == 200
    assert world.alice.cart() == {world.mug: 7}
    further = world.platform.redeem(world.phone.transfer()["jayToken"]).json["data"]
    assert further["basket"]["cart"] == [{"productId": world.mug, "count": 7}]

    world.alice.call("DELETE")

    assert world.phone.call("GET").status_code == 401


def test_a_guest_of_before_can_be_merged(world: World) -> None:
    body = {"guestToken": world.guest.token}

    assert world.alice.call("POST", "/merge", json=body).status_code == 200

    assert world.alice.cart() == {world.mug: 3}
    assert world.guest.cart() == {}


def test_a_running_transfer_is_claimed_by_its_token_once(world: World) -> None:
    assert world.status(OPEN) == "pending"

    answer = world.platform.redeem(OPEN.token)

    assert answer.json["data"]["basket"]["cart"] == [{"productId": world.mug, "count": 2}]
    assert world.status(OPEN) == "claimed"
    assert_refused(world.platform.redeem(OPEN.token), TransferClaimed)
    taken = User(world.platform, answer.json["data"]["userId"], answer.json["data"]["token"])
    assert taken.cart() == {world.mug: 2}


def test_its_screen_shows_the_code_that_it_has_and_the_code_works(world: World) -> None:
    screen = world.browser().get(f"/tv/{OPEN.display}")
    assert "SYZB W75H" in screen.get_data(as_text=True)

    phone = world.browser()
    claim = phone.submit("/code", user_code=OPEN.code)

    assert claim.status_code == 303
    assert world.status(OPEN) == "opened"
    assert phone.submit(claim.headers["Location"]).headers["Location"] == "/basket"
    assert world.status(OPEN) == "claimed"


def test_a_claim_page_that_a_typed_code_had_led_to_claims(world: World) -> None:
    phone = world.browser()

    assert phone.submit(f"/t/{OPEN.typed}").headers["Location"] == "/basket"
    assert world.status(OPEN) == "claimed"


def test_a_screen_of_before_gets_a_new_code(world: World) -> None:
    tv = world.browser()

    answer = tv.post(f"/tv/{OPEN.display}")

    assert answer.status_code == 303
    assert tv.get(answer.headers["Location"]).status_code == 200
    assert_refused(world.platform.redeem(OPEN.token), TransferCancelled)


@pytest.mark.parametrize("how", ["POST /transfer", "DELETE"])
def test_a_running_transfer_is_cancelled_as_ever(how: str, world: World) -> None:
    method, _, path = how.partition(" ")
    assert world.alice.call(method, path).status_code == 200

    assert world.status(OPEN) == "cancelled"
    assert_refused(world.platform.redeem(OPEN.token), TransferCancelled)


def test_what_had_ended_has_ended(world: World) -> None:
    assert [world.status(old) for old in (LATE, CLAIMED, ORPHAN)] == [
        "expired",
        "claimed",
        "cancelled",
    ]
    # The kiosk's person has gone with the basket: nothing of it is on the screen.
    assert "data-state" in world.browser().get(f"/tv/{CLAIMED.display}").get_data(as_text=True)
    assert sorted(row.claimed for row in world.rows(baskets)) == [False, False, True]
    assert len(world.rows(transfers)) == 4


def test_what_waits_in_the_outbox_goes_on_its_way(world: World, receiver: Receiver) -> None:
    assert [row.subject for row in world.rows(outbox)] == ["waits"]

    assert world.run("webhooks", "deliver").stdout.startswith("1 delivered")

    assert receiver.bodies == ["waits"]


def test_the_way_back_keeps_the_baskets(world: World) -> None:
    new = world.alice.transfer()

    url = world.app.extensions["jay.settings"].database_url
    alembic.command.downgrade(alembic_config(url), BEFORE)
    world.app.extensions["jay.db"].dispose()
    assert world.run("db", "upgrade").exit_code == 0

    assert world.alice.cart() == {world.mug: 2}
    assert_refused(world.platform.redeem(new["jayToken"]), TransferCancelled)
