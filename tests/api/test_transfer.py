"""``POST /v2/baskets/users/{userId}/transfer``, what a screen reads of it, and redeeming it."""

import base64
import io
import json
import re
from typing import Any
from urllib.parse import quote

import pytest
import zxingcpp
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from jay.errors import (
    NotYourBasket,
    QrCodeGone,
    TokenOfAnotherPartner,
    TokenRevoked,
    TransferCancelled,
    TransferClaimed,
    TransferExpired,
    TransferUnknown,
    TransferUrlRefused,
)
from tests.api.browser import Browser
from tests.api.checks import Log, assert_refused, dump, field_errors
from tests.builders import Platform, Shop, User
from tests.clock import MovedClock


def display_token(offer: dict[str, Any]) -> str:
    token: str = offer["displayUrl"].rsplit("/", 1)[1]
    return token


def redeemed(platform: Platform, offer: dict[str, Any], **headers: str) -> User:
    response = platform.redeem(offer["jayToken"], **headers)
    assert response.status_code == 200, response.json
    return User(platform, response.json["data"]["userId"], response.json["data"]["token"])


def status(client: FlaskClient, offer: dict[str, Any]) -> dict[str, Any]:
    response = client.get(offer["statusUrl"])
    assert response.status_code == 200
    data: dict[str, Any] = response.json["data"]
    return data


def decoded(png: bytes) -> Any:
    return zxingcpp.read_barcode(Image.open(io.BytesIO(png)))


# --- starting ---


def test_the_answer_says_everything_that_a_screen_needs(alice: User) -> None:
    offer = alice.transfer()

    assert list(offer) == [
        "expires",
        "jaySource",
        "jayToken",
        "url",
        "qrCodeImageUrl",
        "qrCodeImageBase64",
        "displayUrl",
        "statusUrl",
        "userCode",
    ]
    screen = f"http://localhost/v2/transfers/{display_token(offer)}"
    assert offer["expires"] == "2025-06-04T12:01:00Z"
    assert offer["jaySource"] == "kino"
    assert offer["url"] == f"http://localhost/t/{offer['jayToken']}"
    assert offer["qrCodeImageUrl"] == f"{screen}/qr.png"
    assert offer["statusUrl"] == f"{screen}/status"
    assert offer["displayUrl"] == f"http://localhost/tv/{display_token(offer)}"
    assert offer["qrCodeImageBase64"] is None
    assert re.fullmatch(r"[2-9A-HJKMNP-Z]{4} [2-9A-HJKMNP-Z]{4}", offer["userCode"])


def test_the_tokens_hold_128_bits_and_say_nothing_of_each_other(alice: User) -> None:
    offers = [alice.transfer() for _ in range(20)]
    tokens = [offer["jayToken"] for offer in offers] + [display_token(offer) for offer in offers]

    assert len(set(tokens)) == 40
    assert all(re.fullmatch(r"[\w-]{22,}", token) for token in tokens)


def test_the_screens_token_redeems_nothing_and_the_qr_codes_token_shows_nothing(
    alice: User, client: FlaskClient
) -> None:
    offer = alice.transfer()

    assert_refused(alice.platform.redeem(display_token(offer)), TransferUnknown)
    for path in ("status", "qr.png", "qr.svg"):
        assert_refused(client.get(f"/v2/transfers/{offer['jayToken']}/{path}"), TransferUnknown)
    assert client.get(f"/tv/{offer['jayToken']}").status_code == 404


@pytest.mark.parametrize("more", [{}, {"json": {}}, {"json": {"url": None}}])
def test_the_body_may_be_absent(more: dict[str, Any], alice: User) -> None:
    response = alice.call("POST", "/transfer", **more)

    assert response.status_code == 200
    assert response.json["data"]["url"].startswith("http://localhost/t/")


@pytest.mark.parametrize("body", [{"url": 1}, {"url": []}, {"uri": "https://shop.example"}, []])
def test_a_body_of_another_shape_is_refused(body: Any, alice: User) -> None:
    field_errors(alice.call("POST", "/transfer", json=body))


@pytest.mark.parametrize("value", ["1", "TRUE", "yes", ""])
def test_qr_is_true_or_false(value: str, alice: User) -> None:
    assert list(field_errors(alice.call("POST", f"/transfer?qr={value}"))) == ["qr"]


def test_an_empty_basket_can_be_transferred(alice: User, shop: Shop) -> None:
    phone = redeemed(alice.platform, alice.transfer())

    mug = shop.product("mug")
    phone.put(mug)

    assert alice.cart() == {mug: 1}


def test_offering_does_not_change_what_is_in_the_basket(alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug"), 2)
    before = alice.basket()

    alice.transfer()

    assert alice.basket() == before


def test_a_guest_may_transfer_too(platform: Platform, shop: Shop) -> None:
    mug = shop.product("mug")
    guest = platform.guest((mug, 2))

    assert redeemed(platform, guest.transfer()).cart() == {mug: 2}


# --- the web shop's address ---


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example", "https://shop.example?{added}"),
        ("https://shop.example/", "https://shop.example/?{added}"),
        ("https://shop.example/b?a=1&b=%20x+y&c", "https://shop.example/b?a=1&b=%20x+y&c&{added}"),
        ("https://shop.example/b#top", "https://shop.example/b?{added}#top"),
        ("https://shop.example/b?a=1#/x?y=z", "https://shop.example/b?a=1&{added}#/x?y=z"),
        ("https://shop.example:443/b", "https://shop.example:443/b?{added}"),
        ("HTTPS://SHOP.example/B", "https://SHOP.example/B?{added}"),
        ("https://shop.example/k%C3%B6rbe", "https://shop.example/k%C3%B6rbe?{added}"),
    ],
)
def test_a_web_shop_gets_source_and_token_added_to_its_address(
    url: str, expected: str, alice: User
) -> None:
    offer = alice.transfer(url=url, qr="true")

    added = f"jaySource=kino&jayToken={offer['jayToken']}"
    assert offer["url"] == expected.format(added=added)
    assert decoded(base64.b64decode(offer["qrCodeImageBase64"])).text == offer["url"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://shop.example/",
        "https://shop.example:8443/",
        "https://shop.example.evil.example/",
        "https://www.shop.example/",
        "https://evilshop.example/",
        "https://shop.example@evil.example/",
        "https://user@shop.example/",
        "https://user:password@shop.example/",
        "https://@shop.example/",
        "https://evil.example\\@shop.example/",
        "https://shop.example\\@evil.example/",
        "https:\\\\shop.example\\",
        "https://evil.example#@shop.example/",
        "https://evil.example?https://shop.example/",
        "https://shop.example./",
        "https://shop.example%2eevil.example/",
        "https://shop.example%00.evil.example/",
        "https://shop。example/",
        "https://\u0455hop.example/",
        "https:/shop.example/",
        "https:///shop.example/",
        "https:shop.example",
        "//shop.example/",
        "/basket",
        "shop.example",
        "javascript:alert(1)",
        "javascript://shop.example/%0aalert(1)",
        "data:text/html,shop.example",
        "ftp://shop.example/",
        "file:///etc/passwd",
        " https://shop.example/",
        "https://shop.example/ ",
        "https://shop.example/a b",
        "https://shop.example/a\tb",
        "https://shop.example/a\nb",
        "ht\ntps://evil.example/",
        "https://shop.example:port/",
        "https://shop.example:99999/",
        "https://[shop.example]/",
        "https://[::1",
        "",
    ],
)
def test_an_address_on_another_origin_is_refused_and_nothing_is_offered(
    url: str, alice: User, client: FlaskClient
) -> None:
    offer = alice.transfer()

    assert_refused(alice.call("POST", "/transfer", json={"url": url}), TransferUrlRefused)

    assert status(client, offer)["state"] == "pending"


@pytest.mark.parametrize("url", ["https://shop.example/\0", "https://shop.example/" + "x" * 1000])
def test_an_address_that_can_not_be_kept_is_refused(url: str, alice: User) -> None:
    assert list(field_errors(alice.call("POST", "/transfer", json={"url": url}))) == ["url"]


@pytest.mark.parametrize("filler", ["x", "ü", "€", "😀"])
def test_every_accepted_address_fits_into_a_qr_code(
    filler: str, alice: User, client: FlaskClient
) -> None:
    url = "https://shop.example/?q=".ljust(1000, filler)

    response = alice.call("POST", "/transfer?qr=true", json={"url": url})

    assert response.status_code in {200, 422}
    if response.status_code == 200:
        data = response.json["data"]
        assert decoded(base64.b64decode(data["qrCodeImageBase64"])).text == data["url"]
        assert client.get(data["qrCodeImageUrl"]).status_code == 200


def test_each_partner_has_origins_of_its_own(rival: Platform, alice: User) -> None:
    alice.transfer(url="https://shop.example/")

    response = rival.user().call("POST", "/transfer", json={"url": "https://other.example/"})

    assert_refused(response, TransferUrlRefused)


# --- the QR code ---


def test_the_image_in_the_answer_decodes_to_the_url(alice: User) -> None:
    offer = alice.transfer(qr="true")

    png = base64.b64decode(offer["qrCodeImageBase64"], validate=True)

    assert png.startswith(b"\x89PNG\r\n")
    assert decoded(png).text == offer["url"]


def test_the_image_at_its_address_is_the_same_and_needs_no_key(
    alice: User, client: FlaskClient
) -> None:
    offer = alice.transfer(qr="true")

    response = client.get(offer["qrCodeImageUrl"])

    assert (response.status_code, response.mimetype) == (200, "image/png")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.data == base64.b64decode(offer["qrCodeImageBase64"])
    assert decoded(response.data).text == offer["url"]


def test_the_image_of_a_web_shops_transfer_at_its_address_decodes_to_the_url(
    alice: User, client: FlaskClient
) -> None:
    offer = alice.transfer(url="https://shop.example/b?a=1#top")

    assert decoded(client.get(offer["qrCodeImageUrl"]).data).text == offer["url"]


def test_the_image_is_large_and_quiet_enough(alice: User, client: FlaskClient) -> None:
    image = Image.open(io.BytesIO(client.get(alice.transfer()["qrCodeImageUrl"]).data))
    code = zxingcpp.read_barcode(image)
    modules = 17 + 4 * int(code.extra["Version"])
    pixels = image.width / (modules + 8)

    assert code.ec_level == "M"
    assert pixels >= 8
    assert image.width == image.height
    assert (code.position.top_left.x, code.position.top_left.y) == (4 * pixels, 4 * pixels)
    dark = image.convert("L").point(lambda value: 255 - value).getbbox()
    assert dark == (4 * pixels, 4 * pixels, image.width - 4 * pixels, image.height - 4 * pixels)


@pytest.mark.parametrize("kind", ["qr.png", "qr.svg"])
def test_the_image_dies_with_the_transfer(
    kind: str, alice: User, client: FlaskClient, clock: MovedClock
) -> None:
    def image(offer: dict[str, Any]) -> Any:
        return client.get(offer["qrCodeImageUrl"].replace("qr.png", kind))

    cancelled, claimed = alice.transfer(), alice.transfer()
    assert_refused(image(cancelled), TransferCancelled)
    assert image(claimed).status_code == 200

    redeemed(alice.platform, claimed)
    assert_refused(image(claimed), QrCodeGone)

    expired = alice.transfer()
    clock.move(60)
    assert_refused(image(expired), TransferExpired)


# --- the minute ---


def test_it_can_be_redeemed_until_just_before_60_seconds(alice: User, clock: MovedClock) -> None:
    offer = alice.transfer()
    clock.move(59.999)

    assert alice.platform.redeem(offer["jayToken"]).status_code == 200


def test_it_is_dead_at_exactly_60_seconds(alice: User, clock: MovedClock) -> None:
    offer = alice.transfer()
    clock.move(60)

    assert_refused(alice.platform.redeem(offer["jayToken"]), TransferExpired)


def test_a_clock_that_is_set_back_brings_no_claimed_transfer_back(
    alice: User, clock: MovedClock
) -> None:
    offer = alice.transfer()
    redeemed(alice.platform, offer)
    clock.move(-30)

    assert_refused(alice.platform.redeem(offer["jayToken"]), TransferClaimed)


def test_a_code_that_a_clock_made_which_was_ahead_does_not_live_until_then(
    alice: User, client: FlaskClient, clock: MovedClock
) -> None:
    clock.move(3600)
    offer = alice.transfer()
    clock.move(-3600)

    for _ in range(2):
        assert_refused(alice.platform.redeem(offer["jayToken"]), TransferExpired)
        clock.move(1800)
    # A later one is as good as any.
    assert alice.platform.redeem(alice.transfer()["jayToken"]).status_code == 200


def test_clocks_of_our_machines_may_be_a_little_apart(alice: User, clock: MovedClock) -> None:
    offer = alice.transfer()
    clock.move(-2)

    assert alice.platform.redeem(offer["jayToken"]).status_code == 200


def test_looking_at_it_does_not_make_it_last_longer(
    alice: User, client: FlaskClient, clock: MovedClock
) -> None:
    offer = alice.transfer()
    for _ in range(6):
        clock.move(10)
        client.get(offer["url"])
        status(client, offer)

    assert_refused(alice.platform.redeem(offer["jayToken"]), TransferExpired)


# --- one winner ---


def test_the_second_one_is_too_late(alice: User) -> None:
    offer = alice.transfer()
    redeemed(alice.platform, offer)

    for headers in ({}, {"Idempotency-Key": "other-0123456789abcdef"}):
        response = alice.platform.redeem(offer["jayToken"], **headers)
        assert_refused(response, TransferClaimed)
        assert response.json["error"]["details"] == "TRANSFER_CLAIMED"


def test_the_winner_may_repeat_and_gets_the_very_same_credentials(
    alice: User, shop: Shop, clock: MovedClock
) -> None:
    alice.put(shop.product("mug"), 2)
    offer = alice.transfer()
    key = {"Idempotency-Key": "a4a8c6ba-5d58-4a2c-b8ff-1a2f0d3f2a2e"}
    clock.move(20.123)
    first = alice.platform.redeem(offer["jayToken"], **key)

    clock.move(10.5)
    soon = alice.platform.redeem(offer["jayToken"], **key)
    clock.move(600 - 10.6)
    late = alice.platform.redeem(offer["jayToken"], **key)

    assert first.status_code == 200
    assert first.data == soon.data == late.data
    assert_refused(alice.platform.redeem(offer["jayToken"]), TransferClaimed)


def test_after_ten_minutes_nobody_gets_the_credentials_again(
    alice: User, clock: MovedClock
) -> None:
    offer = alice.transfer()
    key = {"Idempotency-Key": "a4a8c6ba-5d58-4a2c-b8ff-1a2f0d3f2a2e"}
    redeemed(alice.platform, offer, **key)

    clock.move(600)

    for _ in range(2):
        assert_refused(alice.platform.redeem(offer["jayToken"], **key), TransferClaimed)


def test_another_process_gives_the_winner_the_same_credentials(alice: User, twin: Flask) -> None:
    offer = alice.transfer()
    there = Platform(twin.test_client(), "kino", alice.platform.key)

    first = alice.platform.redeem(offer["jayToken"], **{"Idempotency-Key": "k-0123456789abcdef"})
    again = there.redeem(offer["jayToken"], **{"Idempotency-Key": "k-0123456789abcdef"})

    assert first.status_code == 200
    assert first.data == again.data


def test_the_loser_gains_nothing_by_the_key_of_another_transfer(alice: User) -> None:
    key = {"Idempotency-Key": "k-0123456789abcdef"}
    redeemed(alice.platform, alice.transfer(), **key)
    offer = alice.transfer()
    redeemed(alice.platform, offer)

    assert alice.platform.redeem(offer["jayToken"], **key).status_code in {409, 422}


def test_under_another_partners_key_there_is_no_such_transfer(
    alice: User, rival: Platform, client: FlaskClient
) -> None:
    offer = alice.transfer()

    assert_refused(rival.redeem(offer["jayToken"]), TransferUnknown)
    assert status(client, offer)["state"] == "pending"

    key = {"Idempotency-Key": "k-0123456789abcdef"}
    redeemed(alice.platform, offer, **key)
    assert_refused(rival.redeem(offer["jayToken"], **key), TransferUnknown)


def test_a_newer_transfer_cancels_the_older_one(alice: User, client: FlaskClient) -> None:
    older, newer = alice.transfer(), alice.transfer()

    assert_refused(alice.platform.redeem(older["jayToken"]), TransferCancelled)
    assert status(client, older)["state"] == "cancelled"
    assert alice.platform.redeem(newer["jayToken"]).status_code == 200


def test_a_newer_transfer_does_not_touch_what_is_over(
    alice: User, client: FlaskClient, clock: MovedClock
) -> None:
    claimed = alice.transfer()
    redeemed(alice.platform, claimed)
    expired = alice.transfer()
    clock.move(60)

    alice.transfer()

    assert status(client, claimed)["state"] == "claimed"
    assert status(client, expired)["state"] == "expired"


def test_another_users_transfer_cancels_nothing(alice: User, client: FlaskClient) -> None:
    offer = alice.transfer()

    alice.platform.user("bob").transfer()

    assert status(client, offer)["state"] == "pending"


@pytest.mark.parametrize("token", ["unknown", "x" * 200, "a/b", "' OR 1=1 --", "ü", "%00"])
def test_an_unknown_token_is_not_found(token: str, alice: User) -> None:
    alice.transfer()

    assert_refused(alice.platform.redeem(quote(token, safe="")), TransferUnknown)


@pytest.mark.parametrize("token", ["", "x" * 201, "%00"])
def test_a_token_of_another_shape_is_refused(token: str, alice: User) -> None:
    response = alice.platform.redeem(token)

    assert list(field_errors(response)) == ["jayToken"]


def test_the_short_code_does_not_redeem(alice: User) -> None:
    code = alice.transfer()["userCode"]

    for typed in (code, code.replace(" ", "")):
        assert_refused(alice.platform.redeem(quote(typed)), TransferUnknown)


# --- the state, for a screen of one's own ---


def test_a_fresh_transfer_is_pending(alice: User, client: FlaskClient) -> None:
    assert status(client, alice.transfer()) == {
        "state": "pending",
        "secondsLeft": 60,
        "pollSeconds": 1.5,
    }


@pytest.mark.parametrize(("passed", "left"), [(0.5, 60), (1, 59), (59, 1), (59.999, 1)])
def test_the_seconds_left_are_rounded_up(
    passed: float, left: int, alice: User, client: FlaskClient, clock: MovedClock
) -> None:
    offer = alice.transfer()
    clock.move(passed)

    assert status(client, offer)["secondsLeft"] == left


def test_it_is_opened_when_a_person_looks_at_it(
    alice: User, app: Flask, client: FlaskClient
) -> None:
    offer = alice.transfer()

    client.get(offer["url"])  # a preview, a scanner
    assert status(client, offer)["state"] == "pending"
    Browser(app).look(offer)

    assert status(client, offer)["state"] == "opened"


def test_it_is_claimed_when_it_was_redeemed(
    alice: User, client: FlaskClient, clock: MovedClock
) -> None:
    offer = alice.transfer()
    client.get(offer["url"])
    redeemed(alice.platform, offer)

    for _ in range(2):
        assert (status(client, offer)["state"], status(client, offer)["secondsLeft"]) == (
            "claimed",
            0,
        )
        clock.move(3599)


def test_after_an_hour_the_address_of_its_screen_leads_nowhere(
    alice: User, client: FlaskClient, clock: MovedClock
) -> None:
    offer = alice.transfer()
    redeemed(alice.platform, offer)

    clock.move(3600)

    assert client.get(offer["statusUrl"]).json["error"]["details"] == "TRANSFER_UNKNOWN"
    assert client.get(offer["displayUrl"]).status_code == 404


@pytest.mark.parametrize("opened", [True, False])
def test_it_is_expired_after_the_minute(
    opened: bool, alice: User, app: Flask, client: FlaskClient, clock: MovedClock
) -> None:
    offer = alice.transfer()
    if opened:
        Browser(app).look(offer)
    clock.move(60)

    assert (status(client, offer)["state"], status(client, offer)["secondsLeft"]) == ("expired", 0)


def test_the_state_needs_no_key_but_its_address(client: FlaskClient, app: Flask) -> None:
    assert_refused(client.get("/v2/transfers/unknown/status"), TransferUnknown)


# --- what the new credentials open ---


def test_both_see_each_others_changes(alice: User, shop: Shop) -> None:
    mug, hat = shop.product("mug"), shop.product("hat")
    alice.put(mug, 2)
    phone = redeemed(alice.platform, alice.transfer())

    assert phone.basket() == alice.basket()
    phone.put(hat, 3)
    assert alice.cart() == {mug: 2, hat: 3}
    alice.product("DELETE", mug)
    assert phone.cart() == {hat: 3}
    assert phone.call("GET").headers["ETag"] == alice.call("GET").headers["ETag"]


def test_the_answer_holds_credentials_of_a_new_guest_and_the_basket(
    alice: User, shop: Shop, clock: MovedClock
) -> None:
    alice.put(shop.product("mug"), 2)
    offer = alice.transfer()
    clock.move(30)

    data = alice.platform.redeem(offer["jayToken"]).json["data"]

    assert set(data) == {"userId", "token", "expires", "basket"}
    assert data["userId"].startswith("g-")
    assert data["expires"] == "2025-07-04T12:00:30Z"
    assert data["basket"] == alice.basket()
    assert "alice" not in json.dumps(data)
    claims = json.loads(base64.urlsafe_b64decode(data["token"].split(".")[1] + "=="))
    assert "alice" not in json.dumps(claims)


def test_each_transfer_gives_credentials_of_their_own(alice: User) -> None:
    phones = [redeemed(alice.platform, alice.transfer()) for _ in range(3)]

    assert len({phone.id for phone in phones}) == 3
    assert all(phone.call("GET").status_code == 200 for phone in phones)


def test_the_credentials_open_nothing_else(alice: User, rival: Platform) -> None:
    phone = redeemed(alice.platform, alice.transfer())

    assert_refused(User(alice.platform, "alice", phone.token).call("GET"), NotYourBasket)
    assert_refused(User(rival, phone.id, phone.token).call("GET"), TokenOfAnotherPartner)
    assert alice.platform.user(phone.id).cart() == {}


def test_a_user_id_of_a_phone_is_no_way_into_the_basket(alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug"))
    phone = redeemed(alice.platform, alice.transfer())

    assert alice.platform.user(phone.id).cart() == {}


def test_the_phone_may_take_the_basket_further(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    phone = redeemed(alice.platform, alice.transfer())
    tablet = redeemed(alice.platform, phone.transfer())

    tablet.put(mug, 4)

    assert alice.cart() == phone.cart() == {mug: 4}


def test_the_credentials_die_with_the_basket(alice: User, shop: Shop) -> None:
    mug = shop.product("mug")
    alice.put(mug)
    phone = redeemed(alice.platform, alice.transfer())

    alice.call("DELETE")

    for response in (phone.call("GET"), phone.put(mug), phone.product("DELETE", mug)):
        assert_refused(response, TokenRevoked)
    assert_refused(phone.call("POST", "/transfer"), TokenRevoked)
    alice.put(mug, 7)  # what comes after it is another basket
    assert_refused(phone.call("GET"), TokenRevoked)
    assert_refused(phone.call("DELETE"), TokenRevoked)
    assert alice.cart() == {mug: 7}


def test_a_pending_transfer_dies_with_the_basket(alice: User, shop: Shop) -> None:
    alice.put(shop.product("mug"))
    offer = alice.transfer()

    alice.call("DELETE")

    assert_refused(alice.platform.redeem(offer["jayToken"]), TransferCancelled)


def test_the_winner_can_not_repeat_for_a_deleted_basket(alice: User) -> None:
    offer, key = alice.transfer(), {"Idempotency-Key": "k-0123456789abcdef"}
    redeemed(alice.platform, offer, **key)

    alice.call("DELETE")

    response = alice.platform.redeem(offer["jayToken"], **key)
    assert response.status_code in {200, 410}
    if response.status_code == 200:  # the stored answer: it opens nothing any more
        phone = User(
            alice.platform, response.json["data"]["userId"], response.json["data"]["token"]
        )
        assert_refused(phone.call("GET"), TokenRevoked)


# --- nothing of it is kept or logged ---


def secrets_of(offer: dict[str, Any], phone: User) -> list[str]:
    code = offer["userCode"]
    return [
        offer["jayToken"],
        display_token(offer),
        code,
        code.replace(" ", ""),
        phone.token,
        phone.platform.key,
    ]


def test_no_secret_is_in_the_database(app: Flask, alice: User, client: FlaskClient) -> None:
    offer = alice.transfer(qr="true", url="https://shop.example/")
    client.get(f"/t/{offer['jayToken']}")
    phone = redeemed(alice.platform, offer, **{"Idempotency-Key": "my-random-retry-key"})
    phone.call("GET")

    stored = dump(app)

    assert "shop.example" in stored
    assert [s for s in secrets_of(offer, phone) if s in stored] == []
    assert "my-random-retry-key" not in stored


def test_no_secret_is_in_the_log(alice: User, twin: Flask, log: Log) -> None:
    client = twin.test_client()
    there = Platform(client, "kino", alice.platform.key)
    user = User(there, "alice", alice.token)
    offer = user.transfer(qr="true")
    for address in ("statusUrl", "qrCodeImageUrl", "displayUrl", "url"):
        assert client.get(offer[address]).status_code == 200
    phone = redeemed(there, offer)
    phone.call("GET")
    there.redeem(offer["jayToken"])
    client.get(offer["url"])
    client.get(offer["url"] + "/nothing-here")

    lines = log.lines()

    assert [line["event"] for line in lines] == ["request"] * 10
    logged = json.dumps(lines)
    assert [s for s in secrets_of(offer, phone) if s in logged] == []
    assert phone.id not in logged
    assert "alice" not in logged


def test_a_crash_while_redeeming_does_not_log_the_token(
    alice: User, twin: Flask, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = alice.transfer()
    there = Platform(twin.test_client(), "kino", alice.platform.key)

    def crash(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError(f"at {offer['url']} or ?jaySource=kino&jayToken={offer['jayToken']}")

    monkeypatch.setattr("jay.transfers.service.claim", crash)
    log.lines()

    assert there.redeem(offer["jayToken"]).status_code == 500
    lines = log.lines()
    assert [line["event"] for line in lines] == ["unhandled exception", "request"]
    assert offer["jayToken"] not in json.dumps(lines)
