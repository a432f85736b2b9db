"""``X-JAY-Tracking``: an event for each change, nothing personal, and no shopper is disturbed."""

import base64
import contextlib
import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from jay import db
from jay.baskets import service
from jay.baskets.models import Basket
from jay.db.types import metadata
from jay.errors import (
    CartFull,
    NotInBasket,
    PreconditionFailed,
    ProductNotFound,
    TransferClaimed,
)
from jay.events import events
from jay.web.tracking import Ignored
from tests.api.browser import Browser
from tests.api.checks import assert_refused, rows
from tests.builders import Platform, Shop, User
from tests.clock import NOON, MovedClock

SESSION = {
    "session_id": "a-session",
    "start_time": "2025-01-01T12:00:00.000000",
    "source": "jay.api.playout.example",
    "user_id": "hash-of-a-user",
    "provider_name": "netflix",
}


def encoded(content: Any) -> str:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.b64encode(text).decode()


def tracked(**changes: Any) -> dict[str, dict[str, str]]:
    """Return what sends a session along, without the fields that are None."""
    content = {name: value for name, value in {**SESSION, **changes}.items() if value is not None}
    return {"headers": {"X-JAY-Tracking": encoded(content)}}


def recorded(app: Flask) -> list[Any]:
    with app.app_context(), db.reading() as connection:
        return list(connection.execute(select(events).order_by(events.c.id)).all())


def seen(app: Flask) -> list[tuple[str, str | None, int | None]]:
    return [(event.kind, event.product_id, event.count) for event in recorded(app)]


def last(app: Flask) -> tuple[str | None, str | None, str | None]:
    """Return session, source and provider of the newest event."""
    event = recorded(app)[-1]
    return event.session_id, event.source, event.provider


@pytest.fixture(autouse=True)
def counted() -> Iterator[None]:
    Ignored.count = 0
    yield
    Ignored.count = 0


def put(user: User, product_id: str, count: int = 1, **more: Any) -> TestResponse:
    return user.product("POST", product_id, json={"count": count}, **more)


# --- an event for each change ---


def test_an_event_says_what_happened_and_where_it_came_from(
    app: Flask, alice: User, shop: Shop, clock: MovedClock
) -> None:
    mug = shop.product("mug")
    clock.move(5)

    put(alice, mug, 2, **tracked())

    (event,) = recorded(app)
    assert (event.kind, event.product_id, event.count) == ("product_assigned", mug, 2)
    assert (event.session_id, event.source) == ("a-session", "jay.api.playout.example")
    assert event.provider == "netflix"
    assert (event.at - NOON).total_seconds() == 5
    assert event.partner_id > 0


def test_every_change_of_a_product_is_an_event(app: Flask, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    for method, body in (
        ("POST", {"count": 2}),
        ("POST", {"count": 0}),
        ("PATCH", {"count": 3}),
        ("PATCH", {"count": 0}),
        ("POST", {"count": -1}),
        ("POST", {}),
        ("PATCH", {"count": -1}),
        ("POST", {"count": 1}),
        ("DELETE", None),
    ):
        response = alice.product(method, mug, json=body, **tracked())
        assert response.status_code == 200, response.json
        assert last(app) == ("a-session", "jay.api.playout.example", "netflix")

    assert seen(app) == [
        ("product_assigned", mug, 2),
        ("product_assigned", mug, 0),
        ("product_updated", mug, 3),
        ("product_updated", mug, 0),
        ("product_removed", mug, -1),
        ("product_assigned", mug, 1),
        ("product_removed", mug, -1),
        ("product_assigned", mug, 1),
        ("product_removed", mug, -1),
    ]


def test_deleting_a_basket_is_an_event(app: Flask, alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug"))

    alice.call("DELETE", **tracked())

    assert seen(app)[1:] == [("basket_deleted", None, None)]
    assert last(app)[0] == "a-session"


def test_a_new_guest_is_an_event(app: Flask, platform: Platform, shop: Shop) -> None:
    products = [{"productId": shop.product("mug"), "count": 2}]

    platform.call("POST", "/baskets/guests", json={"products": products}, **tracked())

    assert seen(app) == [("basket_created", None, None)]
    assert last(app)[0] == "a-session"


def test_a_merge_is_an_event(app: Flask, alice: User, shop: Shop) -> None:
    guest = alice.platform.guest((shop.product("mug"), 2))

    alice.call("POST", "/merge", json={"guestToken": guest.token}, **tracked())

    assert seen(app)[1:] == [("basket_merged", None, None)]
    assert last(app)[0] == "a-session"


def test_a_transfer_is_an_event_when_started_opened_and_claimed(
    app: Flask, alice: User, client: FlaskClient
) -> None:
    offer = alice.call("POST", "/transfer", **tracked()).json["data"]
    assert last(app)[0] == "a-session"

    for _ in range(3):  # a link preview, a person, a reload
        assert client.get(offer["url"]).status_code == 200
    for _ in range(2):
        Browser(app).look(offer)
    key = {"Idempotency-Key": "k-0123456789abcdef", **tracked(session_id="of-the-shop")["headers"]}
    for _ in range(2):
        assert alice.platform.redeem(offer["jayToken"], **key).status_code == 200

    assert [kind for kind, _, _ in seen(app)] == [
        *("transfer_started", "transfer_opened", "transfer_claimed")
    ]
    assert last(app)[0] == "of-the-shop"


def test_a_phone_that_takes_a_basket_over_is_an_event_once(app: Flask, alice: User) -> None:
    offer = alice.transfer()
    phone = Browser(app)

    phone.look(offer)
    assert phone.take(offer).status_code == 303
    phone.get(offer["url"])

    assert [kind for kind, _, _ in seen(app)] == [
        *("transfer_started", "transfer_opened", "transfer_claimed")
    ]


def test_events_are_of_the_partner_whose_basket_it_is(
    app: Flask, alice: User, rival: Platform, shop: Shop
) -> None:
    mug = shop.product("mug")
    alice.put(mug)
    rival.user("alice").put(mug)
    rival.guest()

    ours, theirs, theirs_too = (event.partner_id for event in recorded(app))
    assert ours != theirs == theirs_too


# --- and for nothing else ---


def test_what_changes_nothing_is_no_event(
    app: Flask, alice: User, shop: Shop, client: FlaskClient
) -> None:
    mug = shop.product("mug")
    tag = alice.put(mug, 2).headers["ETag"]
    offer = alice.transfer()
    before = rows(app, "events")

    for response in (
        alice.call("GET", **tracked()),
        alice.call("HEAD", **tracked()),
        alice.product("PATCH", mug, **tracked()),
        alice.product("PATCH", mug, json={"count": None}, **tracked()),
        alice.platform.call(
            "POST", "/baskets/products/details", token=alice.token, json=[mug], **tracked()
        ),
        alice.call("PATCH", "/comfort", json={"customerId": "C"}, **tracked()),
        alice.platform.user("bob").call("GET", **tracked()),
        alice.platform.user("bob").call("DELETE", **tracked()),
        client.get(offer["statusUrl"]),
        client.get(offer["displayUrl"]),
        client.get(offer["qrCodeImageUrl"]),
    ):
        assert response.status_code == 200, response.get_data(as_text=True)
    unchanged = alice.call("GET", headers={"If-None-Match": tag, **tracked()["headers"]})
    assert unchanged.status_code == 304

    assert rows(app, "events") == before


def test_what_is_refused_is_no_event(app: Flask, alice: User, shop: Shop) -> None:
    full = shop.products(21)
    for product in full[:20]:
        alice.put(product)
    stale = alice.put(full[0], 2).headers["ETag"]
    alice.put(full[0], 3)
    guest = alice.platform.guest()
    offer = alice.transfer()
    alice.platform.redeem(offer["jayToken"])
    before = rows(app, "events")

    assert_refused(put(alice, full[20], **tracked()), CartFull)
    assert_refused(put(alice, "unknown", **tracked()), ProductNotFound)
    assert_refused(alice.product("DELETE", full[20], **tracked()), NotInBasket)
    assert_refused(alice.product("PATCH", full[20], json={"count": 1}, **tracked()), NotInBasket)
    old = {"If-Match": stale, **tracked()["headers"]}
    assert_refused(put(alice, full[0], 4, headers=old), PreconditionFailed)
    assert_refused(alice.call("DELETE", headers=old), PreconditionFailed)
    redeem = functools.partial(alice.platform.redeem, offer["jayToken"], **tracked()["headers"])
    assert_refused(redeem(), TransferClaimed)
    for response, status in (
        (put(alice, full[0], 1000, **tracked()), 422),
        (put(User(alice.platform, "alice", guest.token), full[0], **tracked()), 403),
        (put(User(alice.platform, "alice", "garbage"), full[0], **tracked()), 401),
        (alice.call("POST", "/transfer", json={"url": "https://evil.example"}, **tracked()), 422),
        (alice.call("POST", "/merge", json={"guestToken": alice.token}, **tracked()), 409),
        (guest.call("POST", "/merge", json={"guestToken": guest.token}, **tracked()), 403),
        (alice.platform.call("POST", "/baskets/guests", json={"products": 1}, **tracked()), 422),
    ):
        assert response.status_code == status, response.json
    lines = {"products": [{"productId": full[0]}, {"productId": "unknown"}]}
    response = alice.platform.call("POST", "/baskets/guests", json=lines, **tracked())
    assert_refused(response, ProductNotFound)

    assert rows(app, "events") == before


def test_a_crash_after_the_change_leaves_neither_change_nor_event(
    app: Flask, alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    guest = alice.platform.guest((shop.product("mug"), 2))
    before = rows(app, "events")

    def crash(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("at the worst moment")

    with monkeypatch.context() as patched:
        patched.setattr(Basket, "take_in", crash)
        response = alice.call("POST", "/merge", json={"guestToken": guest.token}, **tracked())
    assert response.status_code == 500

    assert rows(app, "events") == before
    assert len(guest.cart()) == 1


def test_a_replayed_answer_is_no_event(app: Flask, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    once = {"Idempotency-Key": "k-0123456789abcdef", **tracked()["headers"]}
    for _ in range(3):
        assert put(alice, mug, 2, headers=once).status_code == 200

    assert seen(app) == [("product_assigned", mug, 2)]


# --- where it comes from ---


def test_the_provider_of_the_query_fills_in_where_the_session_names_none(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")
    path = f"/products/{mug}?provider_id=prime"

    for more, expected in (
        ({}, (None, None, "prime")),
        (tracked(provider_name=None), ("a-session", "jay.api.playout.example", "prime")),
        (tracked(), ("a-session", "jay.api.playout.example", "netflix")),
        ({"headers": {"X-JAY-Tracking": "broken"}}, (None, None, "prime")),
    ):
        assert alice.call("POST", path, **more).status_code == 200
        assert last(app) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/baskets/users/alice/products/mugshop/de-DE/mug"),
        ("PATCH", "/baskets/users/alice/products/mugshop/de-DE/mug"),
        ("DELETE", "/baskets/users/alice/products/mugshop/de-DE/mug"),
        ("DELETE", "/baskets/users/alice"),
        ("POST", "/baskets/users/alice/transfer"),
        ("POST", "/baskets/guests"),
    ],
)
def test_every_change_takes_the_provider(
    method: str, path: str, app: Flask, alice: User, shop: Shop
) -> None:
    alice.put(shop.product("mug"))
    body = {"count": 2} if method == "PATCH" else None

    response = alice.platform.call(
        method, f"{path}?provider_id=prime", token=alice.token, json=body
    )

    assert response.status_code == 200, response.json
    assert [event.provider for event in recorded(app)] == [None, "prime"]


@pytest.mark.one_database
@pytest.mark.parametrize("provider", ["", "x" * 201, "%00", "%ff", "%F0%9F%99%82", "a%0Ab", "'--"])
def test_no_provider_of_the_query_fails_a_request(
    provider: str, app: Flask, alice: User, shop: Shop
) -> None:
    for call, path in (
        (alice.call, f"/products/{shop.product('mug')}"),
        (alice.call, "/transfer"),
        (alice.platform.call, "/baskets/guests"),
    ):
        assert call("POST", f"{path}?provider_id={provider}").status_code == 200

    for event in recorded(app):
        assert event.provider is None or "\0" not in event.provider


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("second", "expected"), [("netflix", None), ("", None), ("prime", "prime")]
)
def test_a_provider_of_the_query_that_says_two_things_says_nothing(
    second: str, expected: str | None, app: Flask, alice: User, shop: Shop
) -> None:
    query = f"?provider_id=prime&provider_id={second}"
    for call, path in (
        (alice.call, f"/products/{shop.product('mug')}"),
        (alice.call, "/transfer"),
        (alice.platform.call, "/baskets/guests"),
    ):
        Ignored.count = 0
        assert call("POST", path + query).status_code == 200
        assert (last(app)[2], Ignored.count) == (expected, int(expected is None))


@pytest.mark.parametrize("session_id", ["1", "ümlaut 🙂", "x" * 200, "a\nb", "'; DROP--"])
def test_what_a_session_says_is_recorded_as_it_is(
    session_id: str, app: Flask, alice: User, shop: Shop
) -> None:
    put(alice, shop.product("mug"), **tracked(session_id=session_id))

    assert last(app) == (session_id, "jay.api.playout.example", "netflix")
    assert Ignored.count == 0


@pytest.mark.parametrize(
    "spell",
    [
        lambda header: header,
        lambda header: header.rstrip("="),
        lambda header: header.replace("+", "-").replace("/", "_"),
        lambda header: f"  {header} ",
    ],
)
def test_both_alphabets_of_base64_are_read_with_padding_or_without(
    spell: Callable[[str], str], app: Flask, alice: User, shop: Shop
) -> None:
    source = "\u00ff\u00fe?>~" * 7
    header = encoded(json.dumps({**SESSION, "source": source}, ensure_ascii=False).encode())
    assert "+" in header or "/" in header

    put(alice, shop.product("mug"), headers={"X-JAY-Tracking": spell(header)})

    assert last(app)[1] == source
    assert Ignored.count == 0


def test_fields_that_are_not_known_are_no_obstacle(app: Flask, alice: User, shop: Shop) -> None:
    put(alice, shop.product("mug"), **tracked(campaign="summer", nested={"a": [1]}))

    assert last(app)[0] == "a-session"
    assert "summer" not in repr(recorded(app))


BROKEN = {
    "not base64": "%%%",
    "one letter": "a",
    "spaces": "   ",
    "base64 of nothing": "====",
    "not JSON": encoded(b"session"),
    "cut": encoded(SESSION)[:40],
    "not UTF-8": encoded(b'{"session_id": "\xff\xfe"}'),
    "an array": encoded([SESSION]),
    "a text": encoded("session"),
    "a number": encoded(1),
    "null": encoded(None),
    "an empty object": encoded({}),
    "NaN": encoded(b'{"session_id": NaN, "start_time": "x", "source": "x"}'),
    "deep": encoded(b"[" * 2000),
    "5 KB": encoded({**SESSION, "campaign": "x" * 5000}),
    "NUL": encoded({**SESSION, "session_id": "a\0b"}),
    "NUL elsewhere": encoded({**SESSION, "provider_name": "a\0b"}),
    "a lone surrogate": encoded(json.dumps({**SESSION, "source": "\ud800"}).encode()),
    "raw emoji": "🙂".encode().decode("latin-1"),
    "raw umlaut": "ü".encode("latin-1").decode("latin-1"),
    "plain JSON": json.dumps(SESSION),
    "a name twice": encoded(json.dumps(SESSION)[:-1].encode() + b', "source": "other"}'),
    "a name twice inside": encoded(json.dumps(SESSION)[:-1].encode() + b', "x": {"y": 1, "y": 2}}'),
    "two in one": f"{encoded(SESSION)},{encoded(SESSION)}",
    **{
        f"without {name}": encoded({key: SESSION[key] for key in SESSION if key != name})
        for name in ("session_id", "start_time", "source")
    },
    **{
        f"{name} is {value!r}": encoded({**SESSION, name: value})
        for name in ("session_id", "start_time", "source")
        for value in (None, 1, "", [], {}, True)
    },
    **{f"a long {name}": encoded({**SESSION, name: "x" * 201}) for name in SESSION},
    **{
        f"{name} is {value!r}": encoded({**SESSION, name: value})
        for name in ("user_id", "provider_name")
        for value in (1, [], {}, False)
    },
}


@pytest.mark.one_database
@pytest.mark.parametrize("header", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_header_is_counted_and_ignored(
    header: str, app: Flask, alice: User, shop: Shop
) -> None:
    mug, headers = shop.product("mug"), {"X-JAY-Tracking": header}

    for number, response in enumerate(
        (
            put(alice, mug, 2, headers=headers),
            alice.product("PATCH", mug, json={"count": 3}, headers=headers),
            alice.product("DELETE", mug, headers=headers),
            alice.call("POST", "/transfer", headers=headers),
            alice.call("DELETE", headers=headers),
            alice.platform.call("POST", "/baskets/guests", headers=headers),
        ),
        start=1,
    ):
        assert response.status_code == 200, response.get_data(as_text=True)
        assert Ignored.count >= number
    assert Ignored.count == 6
    assert alice.call("GET", headers=headers).status_code == 200

    assert len(recorded(app)) == 6
    for event in recorded(app):
        assert (event.session_id, event.source, event.provider) == (None, None, None)


def test_no_header_and_an_empty_one_are_not_broken(app: Flask, alice: User, shop: Shop) -> None:
    for headers in ({}, {"X-JAY-Tracking": ""}):
        assert put(alice, shop.product("mug"), headers=headers).status_code == 200

    assert Ignored.count == 0


# --- nothing personal ---


def test_no_event_says_who_it_was(app: Flask, alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    guest = alice.platform.call("POST", "/baskets/guests", **tracked()).json["data"]
    put(alice, mug, 2, **tracked())
    body = {"guestToken": guest["token"]}
    assert alice.call("POST", "/merge", json=body, **tracked()).status_code == 200
    offer = alice.call("POST", "/transfer", **tracked()).json["data"]
    Browser(app).look(offer)
    phone = alice.platform.redeem(offer["jayToken"], **tracked()["headers"]).json["data"]
    alice.call("DELETE", **tracked())
    assert len(recorded(app)) == 7
    with app.app_context(), db.reading() as connection:
        baskets = connection.execute(metadata.tables["transfers"].select()).one()

    said = repr(recorded(app))

    for personal in (
        *("alice", "hash-of-a-user", guest["userId"], phone["userId"], baskets.basket_id),
        *(alice.token, guest["token"], phone["token"], offer["jayToken"], alice.platform.key),
        "127.0.0.1",
    ):
        assert personal not in said


def test_no_column_is_there_for_it() -> None:
    assert set(events.c.keys()) == {
        *("id", "at", "kind", "partner_id", "session_id", "source", "provider"),
        *("product_id", "count"),
        "routing_key",  # one of 4096, which many users share
    }


# --- what it costs ---


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("first", [True, False], ids=["first product", "another product"])
def test_putting_a_product_in_needs_two_statements_on_one_server(
    first: bool, app: Flask, alice: User, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    # The API key is looked up, and other connections of the pool are opened, beforehand.
    alice.platform.user("bob").put(hat)
    if not first:
        alice.put(hat)
    statements: list[str] = []
    execute = psycopg.Cursor.execute
    monkeypatch.setattr(service, "is_distributed", lambda _connection: False)

    def noted(cursor: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
        statements.append(str(query))
        return execute(cursor, query, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(psycopg.Cursor, "execute", noted)
        response = put(alice, mug, 2, **tracked())

    assert response.status_code == 200, response.json
    # Beside a basket that is not there yet no product is found: it is looked up alone.
    looked_up = ["SELECT", "SELECT"] if first else ["SELECT"]
    assert [statement.split()[0] for statement in statements] == [*looked_up, "WITH"]
    assert ("INSERT INTO baskets" in statements[-1]) == first
    assert ("UPDATE baskets" in statements[-1]) == (not first)
    assert "INSERT INTO events" in statements[-1]
    assert seen(app)[-1] == ("product_assigned", mug, 2)


def test_a_change_whose_event_can_not_be_stored_is_not_made(
    app: Flask, alice: User, shop: Shop
) -> None:
    mug = shop.product("mug")
    alice.put(mug, 2)

    with without_events(app):
        assert put(alice, mug, 3, **tracked()).status_code == 500
        assert alice.product("DELETE", mug, **tracked()).status_code == 500
        assert alice.call("DELETE", **tracked()).status_code == 500
        assert alice.call("POST", "/transfer", **tracked()).status_code == 500
        assert alice.platform.call("POST", "/baskets/guests", **tracked()).status_code == 500

    assert alice.cart() == {mug: 2}
    assert (rows(app, "baskets"), rows(app, "transfers"), rows(app, "events")) == (1, 0, 1)


@contextlib.contextmanager
def without_events(app: Flask) -> Iterator[None]:
    def rename(old: str, new: str) -> None:
        with app.app_context(), db.transaction() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    rename("events", "events_elsewhere")
    try:
        yield
    finally:
        rename("events_elsewhere", "events")
