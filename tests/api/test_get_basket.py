"""``GET /v2/baskets/users/{userId}``."""

import pytest
from flask import Flask

from tests.api.checks import rows
from tests.builders import Shop, User
from tests.clock import MovedClock


def test_without_one_the_basket_is_empty_and_none_is_made(app: Flask, alice: User) -> None:
    response = alice.call("GET")

    assert response.status_code == 200
    assert response.json == {
        "data": {
            "expires": "2026-06-04T12:00:00Z",
            "lastChanged": "2025-06-04T12:00:00Z",
            "cart": [],
            "saved": [],
            "checkout": [],
        }
    }
    assert rows(app, "baskets") == 0


def test_the_lists_hold_ids_and_counts_alone(alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    alice.put(mug, 2)
    alice.put(hat, 0)

    basket = alice.basket()

    assert basket["cart"] == [{"productId": mug, "count": 2}]
    assert basket["saved"] == [{"productId": hat, "count": 0}]
    assert basket["checkout"] == []


def test_reading_changes_nothing(alice: User, shop: Shop, clock: MovedClock) -> None:
    alice.put(shop.product("mug"))
    first = alice.call("GET")
    clock.move(60)

    second = alice.call("GET")

    assert second.json == first.json
    assert second.headers["ETag"] == first.headers["ETag"]


def test_the_entity_tag_is_strong_and_changes_with_every_change(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    tags = [alice.put(mug, count).headers["ETag"] for count in (1, 2, 2, 0, 1)]
    tags.append(alice.product("DELETE", mug).headers["ETag"])
    tags.append(alice.call("DELETE").headers["ETag"])
    tags.append(alice.put(mug, 1).headers["ETag"])

    assert len(set(tags)) == len(tags)
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


@pytest.mark.parametrize(
    "form", ["{tag}", "W/{tag}", '"no", {tag}', "*", '"{bare}-gzip"', 'W/"{bare};gzip"']
)
def test_a_current_if_none_match_gets_304(form: str, alice: User, shop: Shop) -> None:
    tag = alice.put(shop.product("mug")).headers["ETag"]

    sent = form.format(tag=tag, bare=tag.strip('"'))
    response = alice.call("GET", headers={"If-None-Match": sent})

    assert response.status_code == 304
    assert response.data == b""
    assert response.headers["ETag"] == tag
    assert response.headers["X-API-Version"] == "2025-09-15"


def test_another_if_none_match_gets_the_basket(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    stale = alice.put(mug, 1).headers["ETag"]
    alice.put(mug, 2)

    for tags in (stale, '"other"', f'{stale}, "other"'):
        response = alice.call("GET", headers={"If-None-Match": tags})
        assert response.status_code == 200
        assert response.json["data"]["cart"] == [{"productId": mug, "count": 2}]


def test_an_expired_basket_is_not_unchanged(alice: User, shop: Shop, clock: MovedClock) -> None:
    tag = alice.put(shop.product("mug")).headers["ETag"]
    clock.move(365 * 86400)
    alice.token = alice.platform.token("alice", expires_in=366 * 86400)

    response = alice.call("GET", headers={"If-None-Match": tag})

    assert response.status_code == 200
    assert response.json["data"]["cart"] == []


def test_head_answers_the_same_headers_without_a_body(alice: User, shop: Shop) -> None:
    tag = alice.put(shop.product("mug")).headers["ETag"]

    response = alice.call("HEAD")

    assert response.status_code == 200
    assert response.headers["ETag"] == tag
    assert response.data == b""


def test_no_cache_keeps_a_basket(alice: User) -> None:
    assert alice.call("GET").headers["Cache-Control"] == "no-store"
