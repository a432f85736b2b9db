"""``POST /v2/baskets/users/{userId}/merge``: after a log-in, a guest's entries join the user's."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jay.baskets import models
from jay.errors import (
    CartFull,
    GuestNotAllowed,
    NothingToMerge,
    NotYourBasket,
    PreconditionFailed,
    SavedFull,
    TokenError,
    TokenExpired,
    TokenOfAnotherPartner,
    TokenRevoked,
    TokenSignatureInvalid,
)
from tests.api.checks import assert_refused, dump, field_errors, rows
from tests.builders import Platform, Shop, User
from tests.clock import PATIENCE_SECONDS, MovedClock

DAY = 86400

Result = TypeVar("Result")


def merge(user: User, guest: User, **more: Any) -> TestResponse:
    return user.call("POST", "/merge", json={"guestToken": guest.token}, **more)


def merged(user: User, guest: User) -> dict[str, Any]:
    response = merge(user, guest)
    assert response.status_code == 200, response.json
    data: dict[str, Any] = response.json["data"]
    return data


def assert_field(response: TestResponse, error: type[TokenError]) -> None:
    """Check that the guest's token is refused as a field: the caller's own is a good one."""
    assert field_errors(response) == {"guestToken": [error.sentence()]}
    assert "WWW-Authenticate" not in response.headers


def claimed(owner: User) -> User:
    """Take the owner's basket over to another device."""
    response = owner.platform.redeem(owner.transfer()["jayToken"])
    assert response.status_code == 200, response.json
    return User(owner.platform, response.json["data"]["userId"], response.json["data"]["token"])


def products(shop: Shop, kind: str, many: int) -> list[str]:
    return shop.products(many, kind)


def cart_list(user: User) -> list[str]:
    return [entry["productId"] for entry in user.basket()["cart"]]


def at_once(many: int, work: Callable[[int], Result]) -> list[Result]:
    barrier = threading.Barrier(many)

    def run(number: int) -> Result:
        barrier.wait(PATIENCE_SECONDS)
        return work(number)

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(run, range(many)))


def elsewhere(app: Flask, user: User) -> User:
    """Return the same user with a client of its own, for another thread."""
    return replace(user, platform=replace(user.platform, client=app.test_client()))


# --- what becomes of the entries ---


def test_the_guests_entries_join_the_users(alice: User, shop: Shop) -> None:
    mug, hat, pen, cap = (shop.product(sku) for sku in ("mug", "hat", "pen", "cap"))
    guest = alice.platform.guest((pen, 3), (cap, 0))
    alice.put(mug, 2)
    alice.put(hat, 0)

    data = merged(alice, guest)

    assert data["cart"] == [{"productId": mug, "count": 2}, {"productId": pen, "count": 3}]
    assert data["saved"] == [{"productId": hat, "count": 0}, {"productId": cap, "count": 0}]
    assert data == alice.basket()


def test_the_answer_has_the_new_entity_tag(alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug"))
    before = alice.call("GET").headers["ETag"]

    response = merge(alice, alice.platform.guest((shop.product("hat"), 1)))

    assert response.headers["ETag"] == alice.call("GET").headers["ETag"] != before


def test_a_user_without_a_basket_gets_one(alice: User, shop: Shop, clock: MovedClock) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    guest = alice.platform.guest((mug, 2), (hat, 0))
    clock.move(60)

    data = merged(alice, guest)

    assert (alice.cart(), alice.saved()) == ({mug: 2}, [hat])
    assert data["lastChanged"] == "2025-06-04T12:01:00Z"
    assert data["expires"] == "2026-06-04T12:01:00Z"


def test_an_empty_guest_basket_changes_no_entry(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)

    assert merged(alice, alice.platform.guest())["cart"] == [{"productId": mug, "count": 2}]


@pytest.mark.parametrize(
    ("own", "guests", "expected"),
    [(2, 5, 5), (5, 2, 5), (3, 3, 3), (0, 4, 4), (4, 0, 4), (0, 0, 0), (1, 999, 999)],
)
def test_a_product_in_both_keeps_the_larger_count(
    own: int, guests: int, expected: int, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug", stock_count=None)
    guest = alice.platform.guest((mug, guests))
    alice.put(mug, own)

    merged(alice, guest)

    assert alice.cart() == ({mug: expected} if expected else {})
    assert alice.saved() == ([] if expected else [mug])


def test_the_order_is_that_in_which_products_came_to_the_list(alice: User, shop: Shop) -> None:
    a, b, c, d, e, f, g, h = (shop.product(sku) for sku in "abcdefgh")
    for product, count in ((a, 1), (b, 1), (c, 0), (d, 0), (e, 0)):
        alice.put(product, count)

    merged(alice, alice.platform.guest((f, 1), (d, 2), (a, 3), (g, 0), (c, 0), (h, 0)))

    # What was in a list stays where it was; what comes to it, comes to its end.
    assert cart_list(alice) == [a, b, f, d]
    assert alice.saved() == [c, e, g, h]


def test_what_does_not_fit_the_cart_is_saved(alice: User, shop: Shop) -> None:
    own, guests = products(shop, "own", 18), products(shop, "guest", 5)
    for product in own:
        alice.put(product)
    kept = shop.product("kept")
    alice.put(kept, 0)

    merged(alice, alice.platform.guest(*((product, 2) for product in guests)))

    assert cart_list(alice) == own + guests[:2]
    assert alice.saved() == [kept, *guests[2:]]


def test_a_full_cart_still_takes_larger_counts(alice: User, shop: Shop) -> None:
    own, other = products(shop, "own", 20), shop.product("other")
    for product in own:
        alice.put(product)

    merged(alice, alice.platform.guest((other, 2), (own[19], 7)))

    assert alice.cart() == {**dict.fromkeys(own, 1), own[19]: 7}
    assert alice.saved() == [other]


def test_a_saved_product_that_the_guest_wants_stays_saved_when_the_cart_is_full(
    alice: User, shop: Shop
) -> None:
    first, second = shop.product("first"), shop.product("second")
    own = products(shop, "own", 20)
    for product in own:
        alice.put(product)
    for product in (first, second):
        alice.put(product, 0)

    merged(alice, alice.platform.guest((first, 3)))

    assert list(alice.cart()) == own
    assert alice.saved() == [first, second]


def test_two_full_carts_lose_nothing(alice: User, shop: Shop) -> None:
    own, guests = products(shop, "own", 20), products(shop, "guest", 20)
    for product in own:
        alice.put(product)

    merged(alice, alice.platform.guest(*((product, 1) for product in guests)))

    assert (cart_list(alice), alice.saved()) == (own, guests)


def test_nothing_is_dropped_beyond_200_saved_products(alice: User, shop: Shop) -> None:
    ids = products(shop, "mug", 441)
    own, guests, carts = ids[:200], ids[200:400], ids[400:440]
    merged(alice, alice.platform.guest(*((product, 0) for product in own)))
    merged(alice, alice.platform.guest(*((product, 1) for product in carts[:20])))
    assert len(alice.saved()) == 200

    merged(alice, alice.platform.guest(*((p, 0) for p in guests), *((p, 1) for p in carts[20:])))

    assert alice.cart() == dict.fromkeys(carts[:20], 1)
    assert alice.saved() == [*own, *guests, *carts[20:]]
    # From here on the limits hold again, and everything can still be removed.
    assert_refused(alice.put(ids[440], 0), SavedFull)
    assert_refused(alice.put(ids[440], 1), CartFull)
    assert alice.product("DELETE", own[0]).status_code == 200
    assert_refused(alice.put(ids[440], 0), SavedFull)


def test_saved_never_exceeds_its_bound_and_the_oldest_that_go_are_told(
    alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "MAX_SAVED_AFTER_MERGES", 3)
    own, guests = products(shop, "own", 2), products(shop, "guest", 3)
    for product in own:
        alice.put(product, 0)

    first = merged(alice, alice.platform.guest((guests[0], 0)))
    second = merged(alice, alice.platform.guest((guests[1], 0), (guests[2], 0)))

    assert "dropped" not in first
    assert second["dropped"] == [{"productId": product, "count": 0} for product in own]
    assert alice.saved() == guests


def test_saved_holds_500_after_merges() -> None:
    assert models.MAX_SAVED_AFTER_MERGES == 500


def test_products_that_can_not_be_bought_any_more_come_along(alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    guest = alice.platform.guest((mug, 5), (hat, 2))
    shop.product("mug", stock_count=0)
    shop.product("hat", not_shoppable=True)

    merged(alice, guest)

    assert alice.cart() == {mug: 5, hat: 2}


# --- once ---


def test_the_second_time_there_is_nothing_left(app: Flask, alice: User, shop: Shop) -> None:
    guest = alice.platform.guest((shop.product("mug"), 2))
    merged(alice, guest)
    alice.call("DELETE")
    before = dump(app)

    for user in (alice, alice.platform.user("bob")):
        assert_refused(merge(user, guest), NothingToMerge)

    assert dump(app) == before


def test_of_twenty_at_once_one_merges(app: Flask, alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    guest = alice.platform.guest((mug, 2))
    alice.put(hat)

    answers = at_once(20, lambda _: merge(elsewhere(app, alice), guest))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    for answer in answers:
        if answer.status_code == 409:
            assert_refused(answer, NothingToMerge)
    assert alice.cart() == {hat: 1, mug: 2}


def test_of_twenty_users_at_once_one_gets_the_entries(
    app: Flask, platform: Platform, shop: Shop
) -> None:
    mug = shop.product("mug")
    guest = platform.guest((mug, 2))
    users = [platform.user(f"user-{number}") for number in range(20)]

    answers = at_once(20, lambda number: merge(elsewhere(app, users[number]), guest))

    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
    for user, answer in zip(users, answers, strict=True):
        assert user.cart() == ({mug: 2} if answer.status_code == 200 else {})


def test_twenty_guests_at_once_join_one_user(app: Flask, alice: User, shop: Shop) -> None:
    ids = products(shop, "mug", 20)
    guests = [alice.platform.guest((product, 1)) for product in ids]

    answers = at_once(20, lambda number: merge(elsewhere(app, alice), guests[number]))

    assert [answer.status_code for answer in answers] == [200] * 20
    assert alice.cart() == dict.fromkeys(ids, 1)


def test_what_the_guest_puts_in_meanwhile_is_never_lost(
    app: Flask, alice: User, shop: Shop
) -> None:
    ids = products(shop, "mug", 19)
    guest = alice.platform.guest()

    def work(number: int) -> TestResponse:
        if number == 10:
            return merge(elsewhere(app, alice), guest)
        return elsewhere(app, guest).put(ids[number if number < 10 else number - 1])

    answers = at_once(20, work)

    assert [answer.status_code for answer in answers] == [200] * 20
    # Each came before the merge and joined, or after it and began a new basket of the guest.
    assert sorted([*alice.cart(), *guest.cart()]) == sorted(ids)


def test_what_the_user_puts_in_meanwhile_is_never_lost(app: Flask, alice: User, shop: Shop) -> None:
    ids = products(shop, "mug", 20)
    guest = alice.platform.guest((ids[0], 2))

    def work(number: int) -> TestResponse:
        there = elsewhere(app, alice)
        return merge(there, guest) if number == 0 else there.put(ids[number])

    answers = at_once(20, work)

    assert [answer.status_code for answer in answers] == [200] * 20
    assert alice.cart() == {**dict.fromkeys(ids, 1), ids[0]: 2}


def test_a_stale_if_match_changes_neither_basket(alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    guest = alice.platform.guest((mug, 2))
    stale = alice.put(hat, 1).headers["ETag"]
    current = alice.put(hat, 2).headers["ETag"]

    assert_refused(merge(alice, guest, headers={"If-Match": stale}), PreconditionFailed)
    assert (guest.cart(), alice.cart()) == ({mug: 2}, {hat: 2})

    assert merge(alice, guest, headers={"If-Match": current}).status_code == 200
    assert alice.cart() == {hat: 2, mug: 2}


# --- who may ---


def test_guests_may_not(app: Flask, platform: Platform, alice: User, shop: Shop) -> None:
    other = platform.guest((shop.product("mug"), 2))
    for guest in (platform.guest(), claimed(platform.guest()), claimed(alice)):
        before = dump(app)

        assert_refused(merge(guest, other), GuestNotAllowed)
        assert_refused(merge(guest, guest), GuestNotAllowed)

        assert dump(app) == before


def test_nobody_merges_into_somebody_elses_basket(platform: Platform, shop: Shop) -> None:
    guest = platform.guest((shop.product("mug"), 2))
    intruder = User(platform, "alice", platform.token("bob"))

    assert_refused(merge(intruder, guest), NotYourBasket)

    assert guest.cart() != {}


# --- what the guest's credentials open afterwards ---


def test_the_guests_own_credential_opens_an_empty_basket_afterwards(
    alice: User, shop: Shop
) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    guest = alice.platform.guest((mug, 2))
    merged(alice, guest)

    assert guest.basket()["cart"] == guest.basket()["saved"] == []
    guest.put(hat)

    assert alice.cart() == {mug: 2}
    assert guest.cart() == {hat: 1}
    assert User(alice.platform, "alice", guest.token).call("GET").status_code == 403


def test_credentials_claimed_from_the_guest_open_nothing_afterwards(
    alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")
    guest = alice.platform.guest((mug, 2))
    phone = claimed(guest)
    tablet = claimed(phone)
    merged(alice, guest)
    guest.put(shop.product("hat"))

    for one in (phone, tablet):
        assert_refused(one.call("GET"), TokenRevoked)
        assert_refused(one.put(mug, 9), TokenRevoked)
        assert_refused(one.call("DELETE"), TokenRevoked)
        assert_refused(one.call("POST", "/transfer"), TokenRevoked)
    assert alice.cart() == {mug: 2}


def test_a_transfer_that_the_guest_began_leads_nowhere_afterwards(alice: User, shop: Shop) -> None:
    guest = alice.platform.guest((shop.product("mug"), 2))
    offer = guest.transfer()
    merged(alice, guest)

    assert alice.platform.redeem(offer["jayToken"]).status_code == 410


def test_the_users_own_claimed_credentials_go_on(alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    alice.put(hat)
    phone = claimed(alice)

    merged(alice, alice.platform.guest((mug, 2)))

    assert phone.cart() == {hat: 1, mug: 2}


# --- whose basket can be merged ---


def test_a_credential_claimed_from_a_guest_names_the_guests_basket(alice: User, shop: Shop) -> None:
    # The phone that took the TV's basket over logs in: its entries are the guest's.
    mug = shop.product("mug")
    guest = alice.platform.guest((mug, 2))
    phone = claimed(guest)

    merged(alice, phone)

    assert alice.cart() == {mug: 2}
    assert guest.cart() == {}
    assert_refused(phone.call("GET"), TokenRevoked)
    assert_refused(merge(alice, guest), NothingToMerge)


def test_a_credential_claimed_from_the_users_own_basket_can_not_be_merged(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)
    phone = claimed(alice)
    before = dump(app)

    assert_refused(merge(alice, phone), NothingToMerge)
    assert_refused(merge(alice.platform.user("bob"), phone), NothingToMerge)

    assert dump(app) == before
    assert phone.cart() == alice.cart() == {mug: 2}


def test_another_users_basket_can_not_be_merged(app: Flask, alice: User, shop: Shop) -> None:
    bob = alice.platform.user("bob")
    bob.put(shop.product("mug"), 2)
    alice.put(shop.product("hat"))
    before = dump(app)

    for other in (bob, alice):
        assert_refused(merge(alice, other), NothingToMerge)

    assert dump(app) == before


def test_another_partners_guest_is_refused(
    app: Flask, alice: User, rival: Platform, shop: Shop
) -> None:
    mug = shop.product("mug")
    theirs = rival.guest((mug, 2))
    phone = claimed(theirs)
    before = dump(app)

    for guest in (theirs, phone):
        assert_field(merge(alice, guest), TokenOfAnotherPartner)

    assert dump(app) == before


def test_another_partners_user_is_refused(alice: User, rival: Platform) -> None:
    assert_field(merge(alice, rival.user("bob")), TokenSignatureInvalid)


def test_a_user_who_is_called_like_another_partners_guest_gets_nothing_of_it(
    app: Flask, alice: User, rival: Platform, shop: Shop
) -> None:
    mug = shop.product("mug")
    theirs = rival.guest((mug, 2))
    before = dump(app)

    assert_refused(merge(alice, alice.platform.user(theirs.id)), NothingToMerge)

    assert dump(app) == before
    assert theirs.cart() == {mug: 2}


def test_a_deleted_guest_basket_can_not_be_merged(alice: User, shop: Shop) -> None:
    guest = alice.platform.guest((shop.product("mug"), 2))
    guest.call("DELETE")

    assert_refused(merge(alice, guest), NothingToMerge)


def test_an_expired_guest_basket_can_not_be_merged(
    app: Flask, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice = User(platform, "alice", platform.token("alice", expires_in=100 * DAY))
    mug = shop.product("mug")
    guest, in_time = platform.guest((mug, 2)), platform.guest((mug, 3))
    clock.move(40)
    phone = claimed(guest)

    clock.move(30 * DAY - 41)
    assert merge(alice, in_time).status_code == 200

    clock.move(1)  # the tokens are still valid: the guest's by its leeway, the phone's by 40 s
    for credential in (guest, phone):
        assert_refused(merge(alice, credential), NothingToMerge)

    clock.move(40)
    assert_field(merge(alice, guest), TokenExpired)
    assert alice.cart() == {mug: 3}


@pytest.mark.parametrize("value", ["garbage", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", " "])
def test_what_is_no_token_is_refused(value: str, app: Flask, alice: User) -> None:
    response = alice.call("POST", "/merge", json={"guestToken": value})

    assert list(field_errors(response)) == ["guestToken"]
    assert "WWW-Authenticate" not in response.headers
    assert rows(app, "baskets") == 0


def test_a_token_that_was_tampered_with_is_refused(alice: User, shop: Shop) -> None:
    guest = alice.platform.guest((shop.product("mug"), 2))
    head, _claims, signature = guest.token.split(".")
    forged = replace(guest, token=f"{head}.{alice.token.split('.')[1]}.{signature}")

    assert_field(merge(alice, forged), TokenSignatureInvalid)


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "guestToken"),
        ({"guestToken": None}, "guestToken"),
        ({"guestToken": 1}, "guestToken"),
        ({"guestToken": ""}, "guestToken"),
        ({"guestToken": "x" * 8193}, "guestToken"),
        ({"guestToken": "a\0b"}, "guestToken"),
        ({"guestToken": "x", "guest_token": "x"}, "guest_token"),
        ({"guestToken": "x", "userId": "bob"}, "userId"),
    ],
)
def test_a_body_of_another_shape_is_refused(body: dict[str, Any], field: str, alice: User) -> None:
    assert list(field_errors(alice.call("POST", "/merge", json=body))) == [field]


def test_a_body_is_required(alice: User) -> None:
    assert list(field_errors(alice.call("POST", "/merge"))) == ["guestToken"]
