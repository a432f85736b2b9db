"""``PUT /v1/shops/pictures/{sku}/{position}``: a merchant sends a picture itself."""

import io
import tempfile
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from jay.errors import (
    Busy,
    PictureRefused,
    SkuNotFound,
    TooManyRequests,
    UnsupportedMediaType,
    ValidationFailed,
)
from jay.pictures import routes
from tests import photos
from tests.api.browser import Browser
from tests.api.checks import assert_refused
from tests.api.feed import details, post
from tests.builders import Shop, User
from tests.conftest import Apps
from tests.full_disk import Full, FullDisk

pytestmark = pytest.mark.one_database

PNG = photos.saved(photos.halves((300, 200)), "PNG")
OTHER = photos.saved(photos.halves((320, 200)), "PNG")
NAMED = "https://images.shop.example/{}.jpg"


def put(shop: Shop, position: int = 1, content: bytes = PNG, sku: str = "mug") -> str:
    answer = shop.call("PUT", f"/shops/pictures/{sku}/{position}", data=content)
    assert answer.status_code == 200, answer.json
    url: str = answer.json["data"]["url"]
    return url


def urls(alice: User, product: str) -> list[str]:
    return [image["url"] for image in details(alice, product)["images"]]


def test_it_is_shown_at_once_and_its_address_is_the_products(
    app: Flask, shop: Shop, alice: User
) -> None:
    mug = post(shop, price=500)
    url = put(shop)

    assert urls(alice, mug) == [url]
    with Browser(app).get(url) as file:
        assert (file.status_code, file.content_type) == (200, "image/jpeg")
    alice.put(mug)
    html = Browser(app).get(alice.transfer()["displayUrl"]).get_data(as_text=True)
    assert "<picture>" in html


def test_it_stands_in_place_of_what_the_description_names_and_outlives_it(
    shop: Shop, alice: User
) -> None:
    images = [{"url": NAMED.format(number)} for number in (1, 2)]
    mug = post(shop, images=images)
    second, ninth = put(shop, 2), put(shop, 9, OTHER)
    assert urls(alice, mug) == [NAMED.format(1), second, ninth]

    post(shop, images=[{"url": NAMED.format(3)}])

    assert urls(alice, mug) == [NAMED.format(3), second, ninth]


def test_whose_picture_it_is_is_said_by_the_description(shop: Shop, alice: User) -> None:
    mug = post(shop, images=[{"url": NAMED.format(1), "copyrightText": "Studio Hafen"}])
    put(shop, 2, OTHER)

    assert put(shop) == urls(alice, mug)[0]

    assert [image.get("copyrightText") for image in details(alice, mug)["images"]] == [
        "Studio Hafen",
        None,
    ]


def test_it_can_be_replaced_and_taken_back(shop: Shop, alice: User) -> None:
    mug = post(shop, images=[{"url": NAMED.format(1)}])
    put(shop)
    other = put(shop, 1, OTHER)
    assert urls(alice, mug) == [other]

    for _ in range(2):
        answer = shop.call("DELETE", "/shops/pictures/mug/1")
        assert answer.json["data"] == {"productId": mug, "position": 1, "url": None}
    assert urls(alice, mug) == [NAMED.format(1)]


def test_a_variant_has_its_products_picture_or_one_of_its_own(shop: Shop, alice: User) -> None:
    post(shop, variants=[{"sku": "mug-s"}, {"sku": "mug/l"}])
    of_all, of_one = put(shop), put(shop, 1, OTHER, sku="mug%2Fl")

    assert urls(alice, "mugshop/de-DE/mug-s") == [of_all]
    assert urls(alice, "mugshop/de-DE/mug/l") == [of_one]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(photos.SVG, "SVG"), (b"", "UNKNOWN_KIND"), (PNG[:200], "BROKEN"), (b"GIF89a", "BROKEN")],
)
def test_what_is_no_picture_is_refused_with_its_reason(
    shop: Shop, content: bytes, reason: str
) -> None:
    post(shop)

    answer = shop.call("PUT", "/shops/pictures/mug/1", data=content)

    assert answer.status_code == PictureRefused.status
    assert answer.json["error"]["code"] == PictureRefused.code
    assert answer.json["error"]["details"] == {"constant": "PICTURE_REFUSED", "reason": reason}


def test_there_must_be_such_a_product_of_this_merchant(shop: Shop, other_shop: Shop) -> None:
    post(shop)

    for caller, sku in ((shop, "hat"), (other_shop, "mug")):
        assert_refused(caller.call("PUT", f"/shops/pictures/{sku}/1", data=PNG), SkuNotFound)
        assert_refused(caller.call("DELETE", f"/shops/pictures/{sku}/1"), SkuNotFound)


@pytest.mark.parametrize("position", ["0", "51", "first", "-1", "9" * 5000])
def test_a_position_counts_from_one_to_the_most_pictures(shop: Shop, position: str) -> None:
    post(shop)

    answer = shop.call("PUT", f"/shops/pictures/mug/{position}", data=PNG)

    assert answer.status_code == ValidationFailed.status
    assert answer.json["error"]["details"] == {"position": ["Must be 1 to 50."]}


def test_pictures_never_hold_all_threads(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    post(shop, price=500)
    monkeypatch.setattr(routes, "_reading", None)  # nobody gets so far
    assert [routes._places.acquire(blocking=False) for _ in range(2)] == [True, True]
    try:
        assert_refused(shop.call("PUT", "/shops/pictures/mug/1", data=PNG), Busy)
    finally:
        routes._places.release(2)


def test_a_disk_without_room_for_the_last_bytes_is_one_that_is_busy(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(shop, price=500)
    with monkeypatch.context() as patched:
        patched.setattr(routes, "IN_MEMORY", 1)
        patched.setattr(FullDisk, "room", 0)
        patched.setattr(tempfile, "TemporaryFile", Full)
        assert_refused(shop.call("PUT", "/shops/pictures/mug/1", data=PNG), Busy)
    put(shop)


def test_what_wraps_the_file_is_no_file(shop: Shop) -> None:
    post(shop)

    for body in ({"json": {}}, {"data": {"file": (io.BytesIO(PNG), "mug.png")}}):
        answer = shop.call("PUT", "/shops/pictures/mug/1", **body)
        assert_refused(answer, UnsupportedMediaType)


def test_it_may_be_as_large_as_one_that_is_fetched(shop: Shop) -> None:
    post(shop)

    content = PNG + bytes((20 << 20) - len(PNG))
    put(shop, content=content)
    assert shop.call("PUT", "/shops/pictures/mug/1", **chunked(content)).status_code == 200


def chunked(body: bytes) -> dict[str, Any]:
    """Return a body whose length nobody tells, as the server hands it on."""
    return {
        "input_stream": io.BytesIO(body),
        "headers": {"Transfer-Encoding": "chunked"},
        "environ_overrides": {"wsgi.input_terminated": True},
    }


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_is_too_large_is_refused(shop: Shop, told: bool) -> None:
    post(shop)
    body = bytes((20 << 20) + 1)
    how = {"data": body} if told else chunked(body)

    assert shop.call("PUT", "/shops/pictures/mug/1", **how).status_code == 413


def test_the_other_routes_take_no_more_than_before(shop: Shop) -> None:
    post(shop)

    assert shop.call("POST", "/shops/products", data=bytes((1 << 20) + 1)).status_code == 413


def test_so_many_a_minute(
    apps: Apps, database_url: str, app: Flask, shop: Shop, other_shop: Shop
) -> None:
    limited = apps.on(database_url, pictures_per_merchant=2).test_client()
    for one in (shop, other_shop):
        post(one)
    mine, other = replace(shop, client=limited), replace(other_shop, client=limited)
    put(mine)
    put(mine)

    assert_refused(mine.call("PUT", "/shops/pictures/mug/1", data=PNG), TooManyRequests)
    put(other)
