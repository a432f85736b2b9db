"""What is limited against floods: guests, transfers and polls, in each process."""

import ast
import contextlib
import functools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Request
from werkzeug.test import TestResponse

from jay import db
from jay.auth import service as auth
from jay.checkout import flow
from jay.errors import CartFull, TooManyRequests, ValidationFailed
from jay.partners import service as partners
from jay.transfers import qr
from jay.web import rates
from jay.web.rates import Left, Rate
from tests.api.browser import Browser
from tests.api.checks import assert_refused, body, rows
from tests.api.test_cost import operations
from tests.builders import Platform, Shop, User, add_platform
from tests.clock import NOON, MovedClock
from tests.conftest import Apps

LimitedTo = Callable[..., Platform]


@pytest.fixture
def limited(apps: Apps, platform: Platform, database_url: str) -> LimitedTo:
    """Have an app with small limits on the same database, and the platform's client of it."""

    def make(**limits: int) -> Platform:
        return replace(platform, client=apps.on(database_url, **limits).test_client())

    return make


def new_guest(platform: Platform, address: str = "10.0.0.1", **more: Any) -> TestResponse:
    return platform.call("POST", "/baskets/guests", environ_base={"REMOTE_ADDR": address}, **more)


def assert_limited(response: TestResponse) -> None:
    assert_refused(response, TooManyRequests)
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0


def statuses(send: Callable[[], TestResponse], many: int) -> list[int]:
    return [send().status_code for _ in range(many)]


def assert_window(send: Callable[[], TestResponse], clock: MovedClock, most: int) -> None:
    """Check that so many pass in a minute, and that refused ones push nothing into the future."""
    assert statuses(send, most) == [200] * most
    for seconds in (0, 30, 29, 0.9):
        clock.move(seconds)
        for _ in range(5):
            assert_limited(send())
    clock.move(0.1)
    assert statuses(send, most) == [200] * most
    assert_limited(send())


# --- guests ---


def test_an_address_makes_so_many_guests_a_minute(limited: LimitedTo, clock: MovedClock) -> None:
    platform = limited(guests_per_address=3)

    assert_window(lambda: new_guest(platform), clock, 3)


def test_a_key_makes_so_many_guests_a_minute(limited: LimitedTo, clock: MovedClock) -> None:
    platform = limited(guests_per_key=3)
    numbers = iter(range(1000))

    assert_window(lambda: new_guest(platform, f"10.0.0.{next(numbers)}"), clock, 3)


def test_a_refused_guest_is_not_made(app: Flask, limited: LimitedTo) -> None:
    platform = limited(guests_per_address=3)

    statuses(lambda: new_guest(platform), 10)

    assert rows(app, "baskets") == rows(app, "events") == 3


def test_other_addresses_and_other_keys_have_limits_of_their_own(
    app: Flask, limited: LimitedTo, rival: Platform
) -> None:
    platform = limited(guests_per_address=3, guests_per_key=5)
    with app.app_context(), db.transaction() as connection:
        owner = partners.partner_id(connection, "kino")
        second = replace(platform, key=auth.issue_key(connection, partner=owner, now=NOON))
    theirs = replace(rival, client=platform.client)

    assert statuses(lambda: new_guest(platform, "10.0.0.1"), 4) == [200] * 3 + [429]
    # What the address limit has refused does not count for the key.
    assert statuses(lambda: new_guest(platform, "10.0.0.2"), 2) == [200] * 2
    assert_limited(new_guest(platform, "10.0.0.3"))
    for other in (second, theirs):
        assert statuses(lambda one=other: new_guest(one, "10.0.0.4"), 1) == [200]


def test_the_address_limit_holds_across_keys(limited: LimitedTo, rival: Platform) -> None:
    platform = limited(guests_per_address=3)
    theirs = replace(rival, client=platform.client)
    statuses(lambda: new_guest(platform), 3)

    assert_limited(new_guest(theirs))


def test_a_header_can_not_fake_the_address(limited: LimitedTo) -> None:
    platform = limited(guests_per_address=3)
    numbers = iter(range(1000))

    def send() -> TestResponse:
        faked = f"10.9.9.{next(numbers)}"
        headers = {"X-Forwarded-For": faked, "X-Real-IP": faked, "Forwarded": f"for={faked}"}
        return new_guest(platform, headers=headers)

    assert statuses(send, 4) == [200] * 3 + [429]


def test_behind_a_trusted_proxy_the_client_counts_and_not_the_proxy(limited: LimitedTo) -> None:
    platform = limited(guests_per_address=3, trusted_proxies=1)

    def send(client: str) -> TestResponse:
        return new_guest(platform, headers={"X-Forwarded-For": f"1.2.3.4, {client}"})

    assert statuses(lambda: send("10.0.0.1"), 4) == [200] * 3 + [429]
    assert send("10.0.0.2").status_code == 200


def test_redeeming_is_not_limited_with_the_guests(limited: LimitedTo) -> None:
    platform = limited(guests_per_address=1, guests_per_key=1)
    alice = platform.user()
    new_guest(platform)
    assert_limited(new_guest(platform))

    for _ in range(3):
        assert platform.redeem(alice.transfer()["jayToken"]).status_code == 200


def test_a_refused_guest_does_not_use_its_idempotency_key_up(
    app: Flask, limited: LimitedTo, clock: MovedClock
) -> None:
    platform, key = limited(guests_per_address=1), {"Idempotency-Key": "k-0123456789abcdef"}
    new_guest(platform)
    assert_limited(new_guest(platform, headers=key))

    clock.move(60)

    made = new_guest(platform, headers=key)
    assert (made.status_code, made.headers.get("Idempotency-Replayed")) == (200, None)
    # A repetition makes no guest, so it is answered whatever the limit.
    for _ in range(3):
        assert new_guest(platform, headers=key).data == made.data
    assert rows(app, "baskets") == 2


def test_an_invalid_request_is_not_counted(limited: LimitedTo, shop: Shop) -> None:
    platform = limited(guests_per_address=1, guests_per_key=1)
    for _ in range(3):
        assert_refused(new_guest(platform, json={"products": 1}), ValidationFailed)

    assert new_guest(platform).status_code == 200


def test_one_that_a_rule_refuses_is_counted(limited: LimitedTo, shop: Shop) -> None:
    # It has cost the database as much as any other.
    platform = limited(guests_per_address=2)
    lines = [{"productId": mug} for mug in shop.products(21)]
    for _ in range(2):
        assert_refused(new_guest(platform, json={"products": lines}), CartFull)

    assert_limited(new_guest(platform))


# --- all requests ---


def test_a_user_and_a_key_make_so_many_requests_a_minute(
    limited: LimitedTo, clock: MovedClock
) -> None:
    platform = limited(requests_per_user=2, requests_per_key=4)
    alice, bob = platform.user(), platform.user("bob")

    assert statuses(lambda: alice.call("GET"), 3) == [200, 200, 429]
    assert statuses(lambda: bob.call("GET"), 3) == [200, 200, 429]
    assert_limited(platform.user("eve").call("GET"))
    clock.move(60)
    assert statuses(lambda: alice.call("GET"), 1) == [200]


def test_who_knows_the_key_alone_locks_no_user_out(limited: LimitedTo) -> None:
    platform = limited(requests_per_key=2)

    def flood(**more: Any) -> list[int]:
        return statuses(lambda: platform.call("GET", "/baskets/users/eve", **more), 5)

    assert flood() == flood(headers={"Authorization": "Bearer ey"}) == [401] * 5
    assert statuses(lambda: new_guest(platform), 3) == [200, 200, 429]
    assert statuses(lambda: platform.user().call("GET"), 3) == [200, 200, 429]


def test_what_has_no_valid_token_counts_for_its_address(
    limited: LimitedTo, clock: MovedClock
) -> None:
    platform = limited(requests_per_user=2)

    def ask(address: str) -> int:
        origin = {"REMOTE_ADDR": address}
        return platform.call("GET", "/baskets/users/eve", environ_base=origin).status_code

    addresses = [f"2001:db8:0:{number}::1" for number in range(5)]
    assert [ask("10.0.0.1") for _ in range(3)] == [401, 401, 429]
    assert ask("10.0.0.2") == 401
    assert [ask(each) for each in [*addresses, *addresses]] == [401] * 8 + [429] * 2
    clock.move(60)
    assert ask("10.0.0.1") == 401


def test_a_merchants_key_makes_so_many_requests_a_minute(
    app: Flask, apps: Apps, shop: Shop, database_url: str
) -> None:
    client = apps.on(database_url, requests_per_key=2).test_client()

    def send() -> TestResponse:
        return client.get("/v1/shops/config", headers={"X-API-Key": shop.key})

    assert statuses(send, 3) == [200, 200, 429]


def test_answers_say_what_is_left(limited: LimitedTo, clock: MovedClock) -> None:
    platform = limited(requests_per_user=2, requests_per_key=9)
    alice = platform.user()
    alice.call("GET")
    clock.move(15.5)

    told = alice.call("GET").headers
    refused = alice.call("GET").headers

    assert told["RateLimit-Policy"] == '"user-requests";q=2;w=60, "requests";q=9;w=60'
    assert told["RateLimit"] == '"user-requests";r=0;t=45, "requests";r=7;t=45'
    # What is beyond a user's own limit is none of its partner's.
    assert refused["RateLimit-Policy"] == '"user-requests";q=2;w=60'
    assert refused["RateLimit"] == '"user-requests";r=0;t=45'
    assert (told.get("Retry-After"), refused["Retry-After"]) == (None, "45")


def test_what_was_only_asked_is_told_where_it_refuses(limited: LimitedTo) -> None:
    alice = limited(transfers_per_user=1).user()
    alice.transfer()

    told = alice.call("POST", "/transfer").headers

    assert '"transfers";r=0;t=60' in told["RateLimit"]


def test_polls_say_it_too_and_pages_of_nobody_say_nothing(alice: User) -> None:
    offer = alice.transfer()

    assert poll(alice, offer).headers["RateLimit"] == '"polls";r=119;t=60'
    assert "RateLimit" not in alice.platform.client.get("/code").headers


def test_a_partner_has_limits_of_its_own(
    app: Flask, limited: LimitedTo, rival: Platform, clock: MovedClock
) -> None:
    platform = limited(requests_per_user=5, guests_per_address=2)
    with app.app_context(), db.transaction() as connection:
        kino = partners.partner_id(connection, "kino")
        limits = {"user-requests": 1, "guests-per-address": 3}
        partners.change_partner(connection, kino, {"limits": limits})
    clock.move(60)
    theirs = replace(rival, client=platform.client)

    assert statuses(lambda: platform.user().call("GET"), 2) == [200, 429]
    assert statuses(lambda: theirs.user().call("GET"), 2) == [200, 200]
    assert statuses(lambda: new_guest(platform), 4) == [200] * 3 + [429]
    assert statuses(lambda: new_guest(theirs, "10.0.0.2"), 3) == [200] * 2 + [429]


# --- transfers ---


def test_a_user_starts_so_many_transfers_a_minute(limited: LimitedTo, clock: MovedClock) -> None:
    alice = limited(transfers_per_user=3).user()

    assert_window(lambda: alice.call("POST", "/transfer"), clock, 3)


def test_a_refused_transfer_does_not_cancel_the_pending_one(limited: LimitedTo) -> None:
    platform = limited(transfers_per_user=2)
    alice = platform.user()
    alice.transfer()
    offer = alice.transfer()

    assert_limited(alice.call("POST", "/transfer?qr=true"))

    assert platform.redeem(offer["jayToken"]).status_code == 200


def test_other_users_and_other_partners_namesakes_are_not_held_up(
    limited: LimitedTo, rival: Platform
) -> None:
    platform = limited(transfers_per_user=1)
    alice = platform.user()
    namesake = replace(rival, client=platform.client).user("alice")
    alice.transfer()
    assert_limited(alice.call("POST", "/transfer"))

    for other in (platform.user("bob"), platform.guest(), namesake):
        assert other.call("POST", "/transfer").status_code == 200


# --- checkouts ---


def test_a_user_starts_so_many_checkouts_a_minute(
    limited: LimitedTo, shop: Shop, clock: MovedClock
) -> None:
    platform = limited(checkouts_per_user=2)
    alice, mug = platform.user(), shop.product("mug")
    alice.put(mug)

    assert_window(lambda: alice.call("POST", "/checkout/sessions"), clock, 2)
    platform.user("bob").put(mug)
    assert platform.user("bob").call("POST", "/checkout/sessions").status_code == 200


def test_the_provider_is_asked_for_so_many_returns_of_an_address(
    limited: LimitedTo, shop: Shop, clock: MovedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = limited(checkouts_per_user=1)
    alice, asked = platform.user(), list[str]()
    alice.put(shop.product("mug"))
    started = alice.call("POST", "/checkout/sessions").json["data"]
    monkeypatch.setattr(flow, "settle", asked.append)

    for _ in range(3):
        assert platform.client.get(f"/checkout/return/{started['orderNo']}").status_code < 400
    assert asked == [started["orderNo"]]
    clock.move(60)
    platform.client.get(f"/checkout/return/{started['orderNo']}")
    assert len(asked) == 2


def test_everything_else_goes_on(limited: LimitedTo, shop: Shop) -> None:
    platform = limited(
        transfers_per_user=1, guests_per_address=1, guests_per_key=1, polls_per_screen=1
    )
    alice, mug = platform.user(), shop.product("mug")
    alice.transfer()
    platform.guest()

    for count in range(1, 20):
        assert alice.put(mug, count).status_code == 200
        assert alice.call("GET").status_code == 200


def test_a_kiosk_gets_so_many_codes_a_minute(
    limited: LimitedTo, shop: Shop, clock: MovedClock
) -> None:
    app = limited(transfers_per_user=2).client.application
    add_platform(app, app.test_client(), "corner", kiosk=True)
    kiosk = Browser(app)
    kiosk.submit("/kiosk/corner", product_id=shop.product("mug"))

    def codes(many: int) -> list[int]:
        ask = functools.partial(kiosk.submit, "/kiosk/corner", "/kiosk/corner/code")
        return statuses(ask, many)

    assert codes(3) == [303, 303, 429]
    clock.move(60)
    assert codes(1) == [303]


# --- when they are asked ---

COUNTED_INSIDE = {
    "checkout/routes.py patch_comfort": "only a new PIN counts, which the body tells",
    "checkout/pages.py _start": "asked before the form is looked at",
    "checkout/psp_routes.py come_back": "a GET",
    "kiosk/pages.py _shopper": "only a new guest counts; the form says nothing of that",
    "kiosk/pages.py show_code": "it looks at no form",
    "transfers/pages.py type_code": "its form has nothing but the code that is tried",
    "transfers/routes.py get_status": "a GET",
    "transfers/routes.py _qr_payload": "a GET",
    "transfers/polling.py _status": "a GET",
    "baskets/plain.py _admitted": "as the guards do; plain bodies are short",
    "guests/plain.py _create": "plain bodies are short",
    "transfers/tv.py renew": "it looks at no form",
    "operators/pages.py log_in": "the form says of whom",
    "orders/withdrawal_pages.py _declared": "only what is whole counts",
}
"""Where something is counted beside ``budgets=``, and why that is not too late."""

COUNTERS = {"rates", "limit", "tally", "TRIES_OF_NUMBER", "TRIES_OF_ALL"}


def test_every_limit_of_an_operation_is_asked_before_its_body(
    app: Flask, limited: LimitedTo, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = limited()
    alice, merchant = platform.user(), replace(shop, client=platform.client)
    monkeypatch.setattr(Rate, "ask", lambda rate, *_more: Left(rate.name, 1, 0, 60, passes=False))
    monkeypatch.setattr(Request, "get_data", lambda *_more, **_options: pytest.fail("it was read"))
    refused = set[str]()

    for method, rule, endpoint in operations(app):
        path = rule[3:].replace("<userId>", "alice").replace("<playoutId>", "news")
        path = (
            re.sub(r"<path:\w+>", "mug", path).replace("<partNo>", "A").replace("<position>", "1")
        )
        if rule.startswith("/v1/"):
            send = merchant.call
        else:
            send = functools.partial(platform.call, token=alice.token)
        # Without a limit of its own it reads its body, which is forbidden here.
        with contextlib.suppress(pytest.fail.Exception):
            if send(method, path, **body(b"{")).status_code == TooManyRequests.status:
                refused.add(endpoint)

    assert refused == {
        *("guests.create_guest", "transfers.start_transfer"),
        *("checkout.start_checkout", "checkout.pay_checkout", "product_pictures.put_picture"),
    }


def test_whatever_is_counted_elsewhere_has_a_reason() -> None:
    package = Path(rates.__file__).parents[1]
    found = set[str]()
    for file in package.rglob("*.py"):
        place = file.relative_to(package).as_posix()
        if place.startswith("web/") or place == "auth/guards.py":
            continue  # what counts, and who may enter at all: before any body
        for function in ast.walk(ast.parse(file.read_text())):
            if isinstance(function, ast.FunctionDef) and any(map(counts, ast.walk(function))):
                found.add(f"{place} {function.name}")

    assert found == COUNTED_INSIDE.keys()


def counts(node: ast.AST) -> bool:
    """Tell whether something is counted here."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func
    if isinstance(called, ast.Name):
        return called.id in {"take", "take_all"}
    if not isinstance(called, ast.Attribute) or called.attr not in {"take", "take_all"}:
        return False
    of = called.value
    return (of.attr if isinstance(of, ast.Attribute) else getattr(of, "id", "")) in COUNTERS


# --- polls ---


def poll(user: User, offer: dict[str, Any]) -> TestResponse:
    return user.platform.client.get(offer["statusUrl"])


def test_a_screen_polls_so_often_a_minute(limited: LimitedTo, clock: MovedClock) -> None:
    alice = limited(polls_per_screen=3).user()
    offer = alice.transfer()

    assert_window(lambda: poll(alice, offer), clock, 3)


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_a_code_is_drawn_so_often_a_minute(
    kind: str, limited: LimitedTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, drawn = limited(polls_per_screen=3).user(), list[str]()
    screen = alice.transfer()["statusUrl"].removesuffix("status")
    monkeypatch.setattr(qr, kind, lambda url: drawn.append(url) or b"")

    assert statuses(lambda: alice.platform.client.get(f"{screen}qr.{kind}"), 5).count(429) == 2
    assert len(drawn) == 3


def test_a_refused_poll_moves_no_deadline(limited: LimitedTo, clock: MovedClock) -> None:
    alice = limited(polls_per_screen=2).user()
    offer = alice.transfer()
    poll(alice, offer)
    clock.move(40)
    assert poll(alice, offer).json["data"]["secondsLeft"] == 20
    for _ in range(10):
        assert_limited(poll(alice, offer))

    clock.move(19.9)

    assert_limited(poll(alice, offer))
    assert alice.platform.redeem(offer["jayToken"]).status_code == 200
    clock.move(0.1)
    assert poll(alice, offer).json["data"]["state"] == "claimed"


def test_each_screen_is_counted_on_its_own(limited: LimitedTo) -> None:
    platform = limited(polls_per_screen=2)
    alice, bob = platform.user(), platform.user("bob")
    ours, theirs = alice.transfer(), bob.transfer()

    assert statuses(lambda: poll(alice, ours), 3) == [200, 200, 429]
    assert statuses(lambda: poll(bob, theirs), 3) == [200, 200, 429]


def test_a_screen_that_keeps_to_its_interval_is_never_refused(
    app: Flask, alice: User, clock: MovedClock
) -> None:
    # With the limits as they are delivered, and two tabs open.
    offer = alice.transfer()
    seconds = poll(alice, offer).json["data"]["pollSeconds"]
    for _ in range(int(70 / seconds)):
        clock.move(seconds)
        for _ in range(2):
            assert poll(alice, offer).status_code == 200
