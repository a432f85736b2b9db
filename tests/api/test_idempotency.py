"""``Idempotency-Key``: a POST that is sent again is answered again, and done once."""

import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from jay import db
from jay.auth import service as auth
from jay.baskets import service as baskets
from jay.errors import (
    Busy,
    CartFull,
    IdempotencyInFlight,
    IdempotencyKeyReused,
    IdempotencyKeyTooShort,
    InternalError,
    MalformedRequest,
    OutOfStock,
    PreconditionFailed,
    ProductNotFound,
    TokenMalformed,
    TransferExpired,
)
from jay.guests import routes as guest_routes
from jay.partners import service as partners
from jay.sealing import Seal, WrongKey
from jay.transfers import qr
from jay.web import blueprint, idempotency, stored_answers
from jay.web.stored_answers import LEASE
from tests.api.buying import bought
from tests.api.checks import assert_refused, dump, field_errors, rows
from tests.builders import Platform, Shop, User
from tests.clock import NOON, PATIENCE_SECONDS, MovedClock

DAY = 86400
REPLAYED = "Idempotency-Replayed"

Send = Callable[..., TestResponse]
"""Sends one and the same request, each time with other headers if need be."""


A_KEY = "e3b6f6d2-5d5e-4a2c-9f0e-2b1c7a90d1aa"


def key(value: str = A_KEY) -> dict[str, dict[str, str]]:
    return {"headers": {"Idempotency-Key": value}}


# --- every POST there is ---


def _create_guest(alice: User, shop: Shop) -> Send:
    products = [{"productId": shop.product("mug"), "count": 2}]
    path, body = "/baskets/guests", {"products": products}
    return functools.partial(alice.platform.call, "POST", path, json=body)


def _redeem(alice: User, shop: Shop) -> Send:
    path = f"/baskets/guests?jayToken={alice.transfer()['jayToken']}"
    return functools.partial(alice.platform.call, "POST", path)


def _assign(alice: User, shop: Shop) -> Send:
    return functools.partial(alice.product, "POST", shop.product("mug/2"), json={"count": 3})


def _merge(alice: User, shop: Shop) -> Send:
    guest = alice.platform.guest((shop.product("mug"), 2))
    return functools.partial(alice.call, "POST", "/merge", json={"guestToken": guest.token})


def _details(alice: User, shop: Shop) -> Send:
    path, token = "/baskets/products/details", alice.token
    body = [shop.product("mug"), "unknown"]
    return functools.partial(alice.platform.call, "POST", path, token=token, json=body)


def _start_checkout(alice: User, shop: Shop) -> Send:
    alice.put(shop.product("mug"))
    return functools.partial(alice.call, "POST", "/checkout/sessions")


def _finish_checkout(alice: User, shop: Shop) -> Send:
    _start_checkout(alice, shop)()
    path, body = "/checkout/sessions/finish-active", {"ordered": False}
    return functools.partial(alice.call, "POST", path, json=body)


def _pay_checkout(alice: User, shop: Shop) -> Send:
    stored = {"customerId": "C-1", "paymentToken": "pm_sandbox_4242", "consent": {"version": "1"}}
    alice.call("PATCH", "/comfort", json=stored)
    alice.put(shop.product("mug"))
    return functools.partial(alice.call, "POST", "/checkout/sessions/pay")


def _transfer(alice: User, shop: Shop) -> Send:
    body = {"url": "https://shop.example/basket"}
    return functools.partial(alice.call, "POST", "/transfer?qr=true", json=body)


def _post_product(alice: User, shop: Shop) -> Send:
    body = {"sku": "mug", "name": "Mug"}
    return functools.partial(shop.call, "POST", "/shops/products", json=body)


def _refund_order(alice: User, shop: Shop) -> Send:
    path, body = f"/shops/orders/{bought(alice, shop)}-1/refunds", {"amount": 1, "reason": "late"}
    return functools.partial(shop.call, "POST", path, json=body)


def _cancel_a_piece(alice: User, shop: Shop) -> Send:
    path = f"/shops/orders/{bought(alice, shop, (shop.product(), 3))}-1"
    body = {"state": "cancelled", "lines": [{"sku": "mug", "count": 1}]}
    return functools.partial(shop.call, "PATCH", path, json=body)


# What stands behind a comma is another use of the same route.
POSTS: dict[str, Callable[[User, Shop], Send]] = {
    "guests.create_guest": _create_guest,
    "guests.create_guest, redeeming": _redeem,
    "baskets.assign_product": _assign,
    "baskets.merge_guest": _merge,
    "checkout.start_checkout": _start_checkout,
    "checkout.finish_active_checkout": _finish_checkout,
    "checkout.pay_checkout": _pay_checkout,
    "baskets.product_details": _details,
    "transfers.start_transfer": _transfer,
    "products.post_product": _post_product,
    "orders.refund_order": _refund_order,
    "orders.patch_order": _cancel_a_piece,
}


IN_STEPS = [
    *("guests.create_guest", "guests.create_guest, redeeming"),
    *("baskets.merge_guest", "transfers.start_transfer"),
    *("checkout.finish_active_checkout", "orders.refund_order", "orders.patch_order"),
]
OF_THEMSELVES = ["checkout.start_checkout", "checkout.pay_checkout"]
"""The same cart again is the same checkout, so nothing has to be recorded before it is there.

That a checkout which was paid is not followed by another one, see test_one_click.py.
"""

AT_ONCE = [name for name in POSTS if name not in (*IN_STEPS, *OF_THEMSELVES)]


@pytest.fixture(params=list(POSTS))
def send(request: pytest.FixtureRequest, alice: User, shop: Shop) -> Send:
    return POSTS[request.param](alice, shop)


# Whoever names no API key has nothing that a key could belong to.
KEYLESS = {"playouts.start_session", "playouts.start_session_older"}


def test_without_an_api_key_there_is_nothing_that_the_header_could_belong_to(
    app: Flask, client: FlaskClient
) -> None:
    one, other = (
        client.post("/v1/playouts/news/tracking/session", **key()).json["data"] for _ in range(2)
    )

    assert one["sessionId"] != other["sessionId"]
    assert rows(app, "idempotency_keys") == 0


def test_every_post_of_both_apis_is_among_these(app: Flask) -> None:
    routes = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.rule.startswith(("/v1/", "/v2/"))
    }

    assert {name.split(",")[0] for name in POSTS} | KEYLESS == routes | {"orders.patch_order"}


def test_what_is_kept_of_a_request_is_keyed_and_an_older_versions_plain_hash_counts(
    app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(idempotency, "_keyed", lambda _secret, *asked: idempotency._hash(*asked))
        send(**key())
    assert send(**key()).headers[REPLAYED] == "true"
    kept = rows_of(app)
    send(**key("another-key-of-16"))
    assert len({*kept, *rows_of(app)}) == 2


def rows_of(app: Flask) -> list[str]:
    with app.app_context(), db.reading() as connection:
        return list(connection.execute(text("SELECT request_hash FROM idempotency_keys")).scalars())


def test_a_repetition_is_answered_alike_and_does_nothing(
    app: Flask, send: Send, clock: MovedClock
) -> None:
    first = send(**key())
    assert first.status_code == 200, first.json
    assert REPLAYED not in first.headers
    before = dump(app)
    clock.move(30)

    for _ in range(3):
        again = send(**key())

        assert (again.status_code, again.mimetype) == (200, "application/json")
        assert again.data == first.data
        assert again.headers[REPLAYED] == "true"
        for name in {*first.headers.keys()} - {"X-Request-ID", "RateLimit", "RateLimit-Policy"}:
            assert again.headers[name] == first.headers[name]
    assert dump(app) == before


@pytest.mark.parametrize("send", AT_ONCE, indirect=True)
def test_a_crash_in_the_middle_leaves_nothing_and_the_repetition_does_it_once(
    app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(app)

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "make_response", crash)
        assert_refused(send(**key()), InternalError)
    assert dump(app) == before

    assert_done_once(app, send)


@pytest.mark.parametrize("send", AT_ONCE, indirect=True)
def test_a_crash_after_the_answer_was_stored_leaves_nothing_either(
    app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, store = dump(app), stored_answers.store

    def store_and_crash(*args: Any, **kwargs: Any) -> None:
        store(*args, **kwargs)
        crash()

    with monkeypatch.context() as patched:
        patched.setattr(stored_answers, "store", store_and_crash)
        assert_refused(send(**key()), InternalError)
    assert dump(app) == before

    assert_done_once(app, send)


@pytest.mark.parametrize("send", IN_STEPS, indirect=True)
def test_what_a_crash_leaves_after_a_step_is_continued_at_once(
    app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "make_response", crash)
        assert_refused(send(**key()), InternalError)
    stepped = effects(app)

    assert_done_once(app, send)

    assert effects(app) == stepped


@pytest.mark.parametrize("send", IN_STEPS, indirect=True)
@pytest.mark.parametrize("dies_at", ["record", "finish"])
def test_a_process_that_has_died_is_waited_for_and_then_gone_on_from_where_it_was(
    dies_at: str, app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch, clock: MovedClock
) -> None:
    before = effects(app)
    with monkeypatch.context() as patched:
        patched.setattr(stored_answers, dies_at, crash)
        patched.setattr(stored_answers, "release", lambda *_args, **_more: None)
        assert_refused(send(**key()), InternalError)
    left = effects(app)
    # A step and the record of it are one transaction.
    assert (left == before) == (dies_at == "record")

    assert_refused(send(**key()), IdempotencyInFlight)
    clock.move(LEASE.total_seconds() - 0.1)
    assert_refused(send(**key()), IdempotencyInFlight)
    clock.move(0.1)
    assert_done_once(app, send)

    assert dies_at == "record" or effects(app) == left


def test_a_lease_of_before_the_clock_was_set_back_holds_nobody_up(
    app: Flask, alice: User, monkeypatch: pytest.MonkeyPatch, clock: MovedClock
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(stored_answers, "finish", crash)
        patched.setattr(stored_answers, "release", lambda *_args, **_more: None)
        assert_refused(alice.call("POST", "/transfer", **key()), InternalError)

    clock.move(-DAY / 4)

    assert alice.call("POST", "/transfer", **key()).status_code == 200


@pytest.mark.parametrize("send", IN_STEPS, indirect=True)
def test_a_clock_that_jumps_while_a_key_is_reserved_makes_no_fault(
    app: Flask, send: Send, monkeypatch: pytest.MonkeyPatch, clock: MovedClock
) -> None:
    reserve = stored_answers.reserve

    def late(*args: Any, **kwargs: Any) -> bool:
        reserved = reserve(*args, **kwargs)
        clock.move(DAY)
        return reserved

    with monkeypatch.context() as patched:
        patched.setattr(stored_answers, "reserve", late)
        assert send(**key()).status_code < 500


def test_one_that_was_taken_for_dead_writes_nothing(
    app: Flask, platform: Platform, monkeypatch: pytest.MonkeyPatch, clock: MovedClock
) -> None:
    there = replace(platform, client=app.test_client())
    others: list[TestResponse] = []

    def late(*args: Any, **kwargs: Any) -> Any:
        if not others:
            others.append(platform)  # type: ignore[arg-type] - the next one is on time
            clock.move(LEASE.total_seconds())
            with ThreadPoolExecutor(1) as pool:
                others[0] = pool.submit(there.call, "POST", "/baskets/guests", **key()).result()
        return idempotency.step(*args, **kwargs)

    monkeypatch.setattr(guest_routes, "step", late)

    assert_refused(platform.call("POST", "/baskets/guests", **key()), IdempotencyInFlight)

    assert others[0].status_code == 200
    assert rows(app, "baskets") == rows(app, "events") == 1
    again = platform.call("POST", "/baskets/guests", **key())
    assert (again.data, again.headers[REPLAYED]) == (others[0].data, "true")


def test_a_merge_is_continued_though_the_guests_token_has_expired_meanwhile(
    alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, tokens = _merge(alice, shop), alice.platform.client.application.extensions["jay.auth"]
    with monkeypatch.context() as patched:
        patched.setattr(stored_answers, "finish", crash)
        assert_refused(send(**key()), InternalError)
    # Nothing of the request but its user's token is verified again.
    real = tokens.tokens.verify
    monkeypatch.setattr(
        tokens.tokens,
        "verify",
        lambda t, *a, **k: real(t, *a, **k) if t == alice.token else crash(),
    )

    done = send(**key())

    assert (done.status_code, alice.cart()) == (200, {shop.product("mug"): 2})


def effects(app: Flask) -> dict[str, int]:
    return {table: rows(app, table) for table in ("movements", "baskets", "transfers", "events")}


def test_nothing_slow_is_done_in_a_transaction(
    app: Flask, alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bodies, pictures and others' tokens: SQLite has one writer, and none of them may hold it."""
    seen = []

    def outside(real: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            seen.append(real.__name__)
            with ThreadPoolExecutor(1) as pool:  # another thread gets SQLite's lock at once
                pool.submit(_write_something, app).result(PATIENCE_SECONDS)
            return real(*args, **kwargs)

        return watched

    guest = alice.platform.guest((shop.product("mug"), 2))
    tokens = app.extensions["jay.auth"].tokens
    for holder, name in ((qr, "png"), (tokens, "verify"), (tokens, "issue")):
        monkeypatch.setattr(holder, name, outside(getattr(holder, name)))
    monkeypatch.setattr(blueprint, "load_json_body", outside(blueprint.load_json_body))

    for send in (
        functools.partial(alice.call, "POST", "/transfer?qr=true", json={}),
        functools.partial(alice.call, "POST", "/merge", json={"guestToken": guest.token}),
        functools.partial(alice.product, "POST", shop.product("mug"), json={"count": 2}),
        functools.partial(alice.platform.call, "POST", "/baskets/guests", json={}),
        functools.partial(shop.call, "POST", "/shops/products", json={"sku": "cup", "name": "C"}),
    ):
        assert send(**key(f"{len(seen)}-0123456789abcdef")).status_code == 200
    assert set(seen) == {"png", "verify", "issue", "load_json_body"}


def _write_something(app: Flask) -> None:
    with app.app_context(), db.transaction() as connection:
        stored_answers.release(connection, "nobody's", lease="none", now=NOON)


def crash(*_args: Any, **_more: Any) -> None:
    raise RuntimeError("as if the process had died")


def assert_done_once(app: Flask, send: Send) -> None:
    done = send(**key())
    assert (done.status_code, done.headers.get(REPLAYED)) == (200, None), done.json
    after = dump(app)
    again = send(**key())
    assert (again.status_code, again.headers.get(REPLAYED)) == (200, "true")
    assert dump(app) == after


def test_without_the_header_each_request_is_done(app: Flask, platform: Platform) -> None:
    answers = [platform.call("POST", "/baskets/guests") for _ in range(2)]

    assert answers[0].json["data"]["userId"] != answers[1].json["data"]["userId"]
    assert rows(app, "idempotency_keys") == 0


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_other_methods_do_not_know_the_header(
    method: str, app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")
    alice.put(mug)

    for _ in range(2):
        alice.put(mug)
        response = alice.product(method, mug, json={"count": 7}, **key())
        assert (response.status_code, response.headers.get(REPLAYED)) == (200, None)
    assert rows(app, "idempotency_keys") == 0


# --- what is stored, and what is not ---


def test_a_refusal_by_a_rule_is_replayed(alice: User, shop: Shop) -> None:
    for number in range(20):
        alice.put(shop.product(f"mug-{number}"))
    hat = shop.product("hat")
    full = alice.product("POST", hat, json={"count": 1}, **key())
    assert_refused(full, CartFull)
    assert REPLAYED not in full.headers
    alice.call("DELETE")

    again = alice.product("POST", hat, json={"count": 1}, **key())

    assert_refused(again, CartFull)
    assert (again.headers[REPLAYED], again.data) == ("true", full.data)
    assert alice.cart() == {}


def test_refusals_are_replayed_though_they_would_not_be_any_more(
    alice: User, shop: Shop, clock: MovedClock
) -> None:
    sold_out = shop.product("hat", stock_count=0)
    offer = alice.transfer()
    clock.move(60)
    platform = alice.platform
    expired = functools.partial(
        platform.redeem, offer["jayToken"], **{"Idempotency-Key": "e-0123456789abcdef"}
    )
    unknown = functools.partial(alice.product, "POST", "mugshop/de-DE/pen", **key("u"))
    empty = functools.partial(alice.product, "POST", sold_out, **key("s"))
    refused = [(expired, TransferExpired), (unknown, ProductNotFound), (empty, OutOfStock)]
    for again, error in refused:
        assert_refused(again(), error)
    clock.move(-60)
    shop.product("hat")
    assert shop.product("pen") == "mugshop/de-DE/pen"

    for again, error in refused:
        response = again()
        assert_refused(response, error)
        assert response.headers[REPLAYED] == "true"


@pytest.mark.parametrize(
    "wrong", [{"json": {"count": "x"}}, {"json": {"count": 1000}}, {"json": {"counts": 1}}]
)
def test_a_validation_error_does_not_use_the_key_up(
    wrong: dict[str, Any], app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")
    for _ in range(2):
        refused = alice.product("POST", mug, **wrong, **key())
        assert field_errors(refused)
        assert REPLAYED not in refused.headers
    assert rows(app, "idempotency_keys") == 0

    mended = alice.product("POST", mug, json={"count": 2}, **key())

    assert (mended.status_code, mended.headers.get(REPLAYED)) == (200, None)


def test_a_body_that_is_no_json_does_not_use_the_key_up(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")

    broken = alice.product(
        "POST", mug, data="{", content_type="application/json", headers=key()["headers"]
    )

    assert_refused(broken, MalformedRequest)
    assert rows(app, "idempotency_keys") == 0
    assert alice.product("POST", mug, json={"count": 2}, **key()).status_code == 200


def test_a_stale_if_match_does_not_use_the_key_up(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    stale = alice.put(mug, 1).headers["ETag"]
    current = alice.put(mug, 2).headers["ETag"]

    def put(tag: str) -> TestResponse:
        headers = {"Idempotency-Key": "k", "If-Match": tag}
        return alice.product("POST", mug, json={"count": 3}, headers=headers)

    assert_refused(put(stale), PreconditionFailed)
    done = put(current)

    assert (done.status_code, done.headers.get(REPLAYED)) == (200, None)
    assert alice.cart() == {mug: 3}


def test_a_wrong_token_in_the_body_is_told_each_time_as_a_wrong_field(alice: User) -> None:
    for _ in range(2):
        response = alice.call("POST", "/merge", json={"guestToken": "garbage"}, **key())

        assert field_errors(response) == {"guestToken": [TokenMalformed.sentence()]}


@pytest.mark.parametrize("error", [Busy, InternalError])
def test_a_failure_of_the_service_is_not_stored(
    error: type[Busy], app: Flask, alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mug, real = shop.product("mug"), baskets.assign

    def failing(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(baskets, "assign", failing)
        assert_refused(alice.product("POST", mug, json={"count": 2}, **key()), error)
    assert rows(app, "idempotency_keys") == rows(app, "baskets") == rows(app, "events") == 0

    done = alice.product("POST", mug, json={"count": 2}, **key())

    assert (done.status_code, done.headers.get(REPLAYED)) == (200, None)
    assert rows(app, "events") == 1


def test_what_is_refused_leaves_nothing_but_the_answer(
    app: Flask, platform: Platform, shop: Shop
) -> None:
    products = [{"productId": shop.product("mug")}, {"productId": "unknown"}]

    response = platform.call("POST", "/baskets/guests", json={"products": products}, **key())

    assert_refused(response, ProductNotFound)
    assert rows(app, "idempotency_keys") == 1
    assert rows(app, "baskets") == rows(app, "events") == 0


def test_what_was_done_before_a_rule_refused_it_is_undone(
    app: Flask, alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_in_the_end(real: Callable[..., Any]) -> Callable[..., None]:
        def work(*args: Any, **kwargs: Any) -> None:
            real(*args, **kwargs)
            raise CartFull

        return work

    mug, platform = shop.product("mug"), alice.platform
    for name in ("assign", "start_guest"):
        monkeypatch.setattr(baskets, name, full_in_the_end(getattr(baskets, name)))
    for _ in range(2):
        assert_refused(alice.product("POST", mug, json={"count": 2}, **key("a")), CartFull)
        assert_refused(
            platform.call("POST", "/baskets/guests", **key("b-0123456789abcdef")), CartFull
        )

    assert alice.cart() == {}
    assert rows(app, "idempotency_keys") == 2
    assert rows(app, "baskets") == rows(app, "events") == 0


# --- which request a key belongs to ---


def test_the_same_key_with_another_body_is_refused(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.product("POST", mug, json={"count": 2}, **key())

    for body in ({"json": {"count": 3}}, {"json": {}}, {}):
        assert_refused(alice.product("POST", mug, **body, **key()), IdempotencyKeyReused)

    assert alice.cart() == {mug: 2}


def test_the_same_key_with_another_path_is_refused(
    app: Flask, alice: User, platform: Platform, shop: Shop
) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    alice.product("POST", mug, json={"count": 2}, **key())
    before = dump(app)

    for response in (
        alice.product("POST", hat, json={"count": 2}, **key()),
        platform.user("bob").product("POST", mug, json={"count": 2}, **key()),
        alice.call("POST", "/transfer", **key()),
        platform.call("POST", "/baskets/guests", **key()),
    ):
        assert_refused(response, IdempotencyKeyReused)
    assert dump(app) == before


def test_the_same_key_with_another_query_is_refused(alice: User) -> None:
    assert alice.call("POST", "/transfer?qr=false", **key()).status_code == 200

    for query in ("?qr=true", "", "?qr=false&provider_id=netflix"):
        assert_refused(alice.call("POST", f"/transfer{query}", **key()), IdempotencyKeyReused)


def test_a_refused_reuse_does_not_use_the_key_up(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    first = alice.product("POST", mug, json={"count": 2}, **key())
    alice.product("POST", mug, json={"count": 3}, **key())

    again = alice.product("POST", mug, json={"count": 2}, **key())

    assert (again.data, again.headers[REPLAYED]) == (first.data, "true")


def test_keys_that_differ_are_different(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")

    for number, name in enumerate(("k", "K", "kk", "x" * 255, "!", "~", "0"), start=1):
        done = alice.product("POST", mug, json={"count": number}, **key(name))
        assert (done.status_code, done.headers.get(REPLAYED)) == (200, None)
        assert alice.cart() == {mug: number}


def test_another_partner_with_the_same_key_is_served(
    app: Flask, platform: Platform, rival: Platform
) -> None:
    ours, theirs = (one.call("POST", "/baskets/guests", **key()) for one in (platform, rival))

    assert ours.status_code == theirs.status_code == 200
    assert REPLAYED not in theirs.headers
    assert ours.json["data"]["userId"] != theirs.json["data"]["userId"]
    assert rows(app, "baskets") == 2


def test_another_api_key_of_the_same_partner_has_keys_of_its_own(
    app: Flask, platform: Platform
) -> None:
    with app.app_context(), db.transaction() as connection:
        owner = partners.partner_id(connection, "kino")
        second = replace(platform, key=auth.issue_key(connection, partner=owner, now=NOON))

    first, other = (one.call("POST", "/baskets/guests", **key()) for one in (platform, second))

    assert REPLAYED not in other.headers
    assert first.json["data"]["userId"] != other.json["data"]["userId"]


def test_a_merchant_and_a_partner_do_not_share_keys(alice: User, shop: Shop) -> None:
    assert _post_product(alice, shop)(**key()).status_code == 200
    assert alice.platform.call("POST", "/baskets/guests", **key()).status_code == 200


def test_the_guards_are_asked_before_anything_is_replayed(
    platform: Platform, alice: User, shop: Shop
) -> None:
    send = functools.partial(alice.product, "POST", shop.product("mug"), **key())
    assert send().status_code == 200
    bob = User(platform, "alice", platform.token("bob"))

    stolen = bob.product("POST", shop.product("mug"), **key())

    assert stolen.status_code == 403
    assert REPLAYED not in stolen.headers


# --- for how long ---


def long_lived(platform: Platform) -> User:
    return User(platform, "alice", platform.token("alice", expires_in=10 * DAY))


def test_it_is_replayed_until_just_before_24_hours(
    platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.product("POST", mug, json={"count": 2}, **key())
    alice.put(mug, 5)

    clock.move(DAY - 1)

    again = alice.product("POST", mug, json={"count": 2}, **key())
    assert again.headers[REPLAYED] == "true"
    assert alice.cart() == {mug: 5}


def test_after_24_hours_it_is_done_anew(platform: Platform, shop: Shop, clock: MovedClock) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.product("POST", mug, json={"count": 2}, **key())
    alice.put(mug, 5)

    clock.move(DAY)

    anew = alice.product("POST", mug, json={"count": 2}, **key())
    assert (anew.status_code, anew.headers.get(REPLAYED)) == (200, None)
    assert alice.cart() == {mug: 2}


def test_after_24_hours_the_key_may_be_used_for_another_request(
    app: Flask, platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    alice.product("POST", mug, json={"count": 2}, **key())
    clock.move(DAY)

    other = functools.partial(platform.call, "POST", "/baskets/guests", **key())
    made = other()

    assert made.status_code == 200
    assert other().data == made.data
    assert rows(app, "idempotency_keys") == 1
    reused = alice.product("POST", mug, json={"count": 2}, **key())
    assert_refused(reused, IdempotencyKeyReused)


def test_being_replayed_does_not_make_it_last_longer(
    platform: Platform, shop: Shop, clock: MovedClock
) -> None:
    alice, mug = long_lived(platform), shop.product("mug")
    send = functools.partial(alice.product, "POST", mug, **key())
    send()
    for _ in range(3):
        clock.move(DAY / 4)
        assert send().headers[REPLAYED] == "true"

    clock.move(DAY / 4)

    assert REPLAYED not in send().headers


# --- what a key looks like ---


@pytest.mark.one_database
@pytest.mark.parametrize("value", ["", " ", "a b", "x" * 256, "x" * 10_000, "ü", "€", "a\tb"])
def test_a_malformed_key_is_refused_and_nothing_is_done(
    value: str, app: Flask, alice: User, shop: Shop
) -> None:
    value = value.encode().decode("latin-1")

    response = alice.product("POST", shop.product("mug"), json={"count": 2}, **key(value))

    assert_refused(response, MalformedRequest)
    assert "Idempotency-Key" in response.json["error"]["message"]
    assert rows(app, "baskets") == rows(app, "idempotency_keys") == 0


def test_where_all_tvs_share_a_key_it_is_random(
    app: Flask, platform: Platform, alice: User, shop: Shop
) -> None:
    offer = alice.transfer()
    for path in ("/baskets/guests", f"/baskets/guests?jayToken={offer['jayToken']}"):
        for short in ("1", "4711", "x" * 15):
            response = platform.call("POST", path, **key(short))
            assert_refused(response, IdempotencyKeyTooShort)
            assert "16 characters" in response.json["error"]["message"]
    assert rows(app, "baskets") == 1
    assert rows(app, "idempotency_keys") == 0

    assert platform.call("POST", "/baskets/guests", **key("x" * 16)).status_code == 200
    # Users and merchants share their keys with nobody.
    assert alice.product("POST", shop.product("mug"), **key("1")).status_code == 200
    assert _post_product(alice, shop)(**key("1")).status_code == 200


# --- at the same time ---


class Held:
    """A use case that stops after its work, before its transaction commits."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self._real = real
        self.reached = threading.Event()
        self.go = threading.Event()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made = self._real(*args, **kwargs)
        self.reached.set()
        assert self.go.wait(PATIENCE_SECONDS)
        return made


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    stopped = Held(baskets.assign)
    monkeypatch.setattr(baskets, "assign", stopped)
    yield stopped
    stopped.go.set()


@pytest.fixture(params=["one process", "two processes"])
def other_client(request: pytest.FixtureRequest, app: Flask, twin: Flask) -> Any:
    return (app if request.param == "one process" else twin).test_client()


def test_a_repetition_while_the_first_is_at_work_never_does_it_twice(
    app: Flask, alice: User, shop: Shop, held: Held, other_client: Any
) -> None:
    mug = shop.product("mug")
    there = User(Platform(other_client, "kino", alice.platform.key), "alice", alice.token)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(alice.product, "POST", mug, json={"count": 2}, **key())
        assert held.reached.wait(PATIENCE_SECONDS)
        second = pool.submit(there.product, "POST", mug, json={"count": 2}, **key())

        if app.extensions["jay.db"].is_sqlite:
            # There is one writer: the second one waits for it, and is replayed.
            with pytest.raises(TimeoutError):
                second.result(0.3)
            held.go.set()
            assert second.result(PATIENCE_SECONDS).headers[REPLAYED] == "true"
            assert second.result().data == first.result().data
        else:
            assert_refused(second.result(PATIENCE_SECONDS), IdempotencyInFlight)
            held.go.set()
        done = first.result(PATIENCE_SECONDS)

    assert (done.status_code, done.headers.get(REPLAYED)) == (200, None)
    again = there.product("POST", mug, json={"count": 2}, **key())
    assert (again.data, again.headers[REPLAYED]) == (done.data, "true")
    assert rows(app, "events") == 1


# On SQLite there is one writer at a time.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_other_keys_do_not_wait_for_one_that_is_at_work(
    app: Flask, alice: User, shop: Shop, held: Held
) -> None:
    mug = shop.product("mug")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(alice.product, "POST", mug, json={"count": 2}, **key())
        assert held.reached.wait(PATIENCE_SECONDS)

        response = alice.platform.call("POST", "/baskets/guests", **key("other-0123456789abcdef"))

        assert response.status_code == 200
        held.go.set()
        assert first.result(PATIENCE_SECONDS).status_code == 200


def test_of_twenty_at_once_one_is_done(app: Flask, platform: Platform) -> None:
    barrier = threading.Barrier(20)

    def create(_number: int) -> TestResponse:
        there = replace(platform, client=app.test_client())
        barrier.wait(PATIENCE_SECONDS)
        return there.call("POST", "/baskets/guests", **key())

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(create, range(20)))

    assert rows(app, "baskets") == 1
    done = [answer for answer in answers if answer.status_code == 200]
    assert len([answer for answer in done if REPLAYED not in answer.headers]) == 1
    assert len({answer.data for answer in done}) == 1
    for answer in answers:
        if answer.status_code != 200:
            assert_refused(answer, IdempotencyInFlight)


def test_a_first_basket_made_by_another_meanwhile_is_no_obstacle(
    app: Flask, alice: User, shop: Shop
) -> None:
    # Two first writers of one basket: the one with the key meets a conflict inside of its
    # transaction, and must begin anew from where its work began.
    mug, hat = shop.product("mug"), shop.product("hat")
    guest = alice.platform.guest((mug, 2))
    send = functools.partial(alice.call, "POST", "/merge", json={"guestToken": guest.token})
    with ThreadPoolExecutor(1) as pool:
        with app.app_context(), db.transaction() as connection:
            partner_id = partners.partner_id(connection, "kino")
            assert partner_id is not None
            user = baskets.User(partner_id, "alice", guest=False, basket=None, expires=0)
            baskets.assign(connection, user, hat, count=1, context=baskets.Context(NOON))
            merged = pool.submit(send, **key())
            with pytest.raises(TimeoutError):
                merged.result(0.5)  # it waits for the row that this transaction has written
        response = merged.result(PATIENCE_SECONDS)

    assert response.status_code == 200, response.json
    assert alice.cart() == {hat: 1, mug: 2}


# --- secrets ---


def test_no_answer_is_stored_in_clear(app: Flask, alice: User, shop: Shop) -> None:
    guest = _create_guest(alice, shop)(**key("key-of-the-guest")).json["data"]
    offer = alice.call("POST", "/transfer?qr=true", **key("key-of-the-offer")).json["data"]
    phone = alice.platform.redeem(offer["jayToken"], **{"Idempotency-Key": "key-of-the-phone"})
    assert rows(app, "idempotency_keys") == 3

    stored = dump(app)

    for secret in (
        *(guest["token"], phone.json["data"]["token"]),
        *(guest["token"].split(".")[2], phone.json["data"]["token"].split(".")[2]),
        *(offer["jayToken"], offer["userCode"], offer["userCode"].replace(" ", "")),
        offer["displayUrl"].rsplit("/", 1)[1],
        *("key-of-the-guest", "key-of-the-offer", "key-of-the-phone"),
    ):
        assert secret not in stored


def test_who_reads_the_database_can_not_open_an_answer_without_the_key(
    app: Flask, alice: User, shop: Shop
) -> None:
    _create_guest(alice, shop)(**key("key-of-the-guest"))
    with app.app_context(), db.reading() as connection:
        row = connection.execute(stored_answers.idempotency_keys.select()).one()
    secret = app.extensions["jay.settings"].secret_key

    for guess in ("", "other", row.key_hash):
        with pytest.raises(WrongKey):
            Seal("idempotency", secret, guess).open(row.answer)


def test_the_log_does_not_show_the_key(twin: Flask, alice: User, shop: Shop, log: Any) -> None:
    there = replace(alice.platform, client=twin.test_client())
    for _ in range(2):
        there.call("POST", "/baskets/guests", **key("key-of-the-guest"))

    lines = log.lines()

    assert len(lines) == 2
    assert "key-of-the-guest" not in repr(lines)
