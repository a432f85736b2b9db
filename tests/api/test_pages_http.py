"""The phone's and the TV's pages, without a browser's eyes."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jay import db
from tests.api.browser import Browser, csrf_of, problems_of, session_of, text_of
from tests.builders import Platform, Shop, User, add_platform
from tests.clock import MovedClock
from tests.conftest import Apps


@pytest.fixture
def phone(app: Flask) -> Browser:
    """The phone that scans."""
    return Browser(app)


@pytest.fixture
def tv(app: Flask) -> Browser:
    """The TV that shows the code."""
    return Browser(app, address="127.0.0.2")


def state(offer: dict[str, Any], user: User) -> str:
    found: str = user.platform.client.get(offer["statusUrl"]).json["data"]["state"]
    return found


def code_of(offer: dict[str, Any]) -> str:
    code: str = offer["userCode"]
    return code


# --- the claim page ---


def test_looking_never_claims(app: Flask, alice: User) -> None:
    offer = alice.transfer()

    for _ in range(3):
        for browser in (Browser(app), Browser(app, language="de")):
            assert browser.get(offer["url"]).status_code == 200
            assert browser.get(f"{offer['url']}?lang=de").status_code == 200
    assert app.test_client().head(offer["url"]).status_code == 200
    assert app.test_client().options(offer["url"]).status_code == 200

    assert state(offer, alice) == "pending"
    assert alice.platform.redeem(offer["jayToken"]).status_code == 200


def test_the_page_shows_who_asks_and_what_is_in_the_basket(
    app: Flask, alice: User, shop: Shop, phone: Browser, clock: MovedClock
) -> None:
    alice.put(shop.product("mug", name="Blue Mug"), 2)
    offer = alice.transfer()
    clock.move(13)

    said = text_of(phone.get(offer["url"]))

    assert "kino" in said
    assert "Blue Mug" in said
    assert "€25.00" in said
    assert "0:47" in said


def test_phone_and_tv_show_the_same_picture(alice: User, phone: Browser, tv: Browser) -> None:
    offer = alice.transfer()

    pictures = [
        set(re.findall(r"/static/pairs/\w+\.svg", browser.get(offer[name]).get_data(as_text=True)))
        for browser, name in ((phone, "url"), (tv, "displayUrl"))
    ]

    assert pictures[0] == pictures[1]
    assert len(pictures[0]) == 1


def test_the_button_claims_and_leads_to_the_basket(alice: User, shop: Shop, phone: Browser) -> None:
    alice.put(shop.product("mug", name="Blue Mug"), 2)
    offer = alice.transfer()

    response = phone.take(offer)

    assert (response.status_code, response.headers["Location"]) == (303, "/basket")
    assert state(offer, alice) == "claimed"
    assert "Blue Mug" in text_of(phone.get("/basket"))


def test_what_a_machine_fetches_changes_nothing_that_others_see(app: Flask, alice: User) -> None:
    offer = alice.transfer()
    before = alice.platform.client.get(offer["displayUrl"]).get_data(as_text=True)

    for address in (offer["url"], f"{offer['url']}?lang=de", f"{offer['url']}/opened"):
        for method in ("GET", "HEAD", "OPTIONS"):
            app.test_client().open(urlsplit(address).path, method=method)

    assert state(offer, alice) == "pending"
    assert alice.platform.client.get(offer["displayUrl"]).get_data(as_text=True) == before


@pytest.mark.parametrize("csrf", [None, "", "wrong"])
def test_only_the_page_itself_tells_that_it_is_looked_at(
    csrf: str | None, alice: User, phone: Browser
) -> None:
    offer = alice.transfer()
    page = phone.get(offer["url"])

    assert phone.post(f"{offer['url']}/opened", csrf=csrf).status_code == 403
    assert state(offer, alice) == "pending"
    for _ in range(2):
        assert phone.post(f"{offer['url']}/opened", csrf=csrf_of(page)).status_code == 204
        assert state(offer, alice) == "opened"


def test_typing_the_code_is_looking(alice: User, phone: Browser) -> None:
    offer = alice.transfer()

    phone.submit("/code", user_code=code_of(offer))

    assert state(offer, alice) == "opened"


@pytest.mark.parametrize("csrf", [None, "", "wrong", "ü"])
def test_without_the_pages_own_secret_the_button_does_nothing(
    csrf: str | None, alice: User, phone: Browser
) -> None:
    offer = alice.transfer()
    phone.get(offer["url"])

    assert phone.post(offer["url"], csrf=csrf).status_code == 403

    assert state(offer, alice) == "pending"
    assert phone.get("/basket").status_code == 404


def test_the_secret_of_another_session_does_nothing(
    app: Flask, alice: User, phone: Browser
) -> None:
    offer = alice.transfer()
    stolen = csrf_of(Browser(app).get(offer["url"]))

    assert phone.post(offer["url"], csrf=stolen).status_code == 403
    phone.get(offer["url"])
    assert phone.post(offer["url"], csrf=stolen).status_code == 403
    assert state(offer, alice) == "pending"


def test_the_winners_browser_may_repeat(alice: User, shop: Shop, phone: Browser) -> None:
    mug = shop.product("mug")
    offer = alice.transfer()
    csrf = csrf_of(phone.get(offer["url"]))

    answers = [phone.post(offer["url"], csrf=csrf) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [303] * 3
    assert phone.get(offer["url"]).headers["Location"] == "/basket"
    alice.put(mug, 1)
    assert "Mug" in text_of(phone.get("/basket"))


def test_the_winner_may_repeat_after_the_minute(
    alice: User, phone: Browser, clock: MovedClock
) -> None:
    offer = alice.transfer()
    csrf = csrf_of(phone.get(offer["url"]))
    phone.post(offer["url"], csrf=csrf)
    clock.move(300)

    assert phone.post(offer["url"], csrf=csrf).status_code == 303
    assert phone.get("/basket").status_code == 200


def test_the_second_phone_is_told_that_it_is_too_late(
    app: Flask, alice: User, phone: Browser
) -> None:
    offer = alice.transfer()
    second = Browser(app)
    csrf = csrf_of(second.get(offer["url"]))
    phone.take(offer)

    for response in (second.post(offer["url"], csrf=csrf), second.get(offer["url"])):
        assert response.status_code == 409
        assert "Already taken over" in text_of(response)
    assert second.get("/basket").status_code == 404


def test_the_page_is_dead_at_exactly_60_seconds(
    alice: User, phone: Browser, clock: MovedClock
) -> None:
    offer = alice.transfer()
    csrf = csrf_of(phone.get(offer["url"]))
    clock.move(60)

    for response in (phone.post(offer["url"], csrf=csrf), phone.get(offer["url"])):
        assert response.status_code == 410
        assert "Time is up" in text_of(response)
    assert state(offer, alice) == "expired"


def test_the_button_works_until_just_before(alice: User, phone: Browser, clock: MovedClock) -> None:
    offer = alice.transfer()
    csrf = csrf_of(phone.get(offer["url"]))
    clock.move(59.999)

    assert phone.post(offer["url"], csrf=csrf).status_code == 303


def test_a_cancelled_one_points_to_the_newer_code(alice: User, phone: Browser) -> None:
    offer = alice.transfer()
    csrf = csrf_of(phone.get(offer["url"]))
    alice.transfer()

    for response in (phone.get(offer["url"]), phone.post(offer["url"], csrf=csrf)):
        assert response.status_code == 410
        assert "There is a newer code" in text_of(response)


@pytest.mark.parametrize("token", ["unknown", "%00", "x" * 3000, "' OR 1=1 --", "😀"])
def test_an_unknown_one_says_so(token: str, alice: User, phone: Browser) -> None:
    alice.transfer()

    response = phone.get(f"/t/{token}")

    assert response.status_code == 404
    assert "We do not know this code" in text_of(response)


def test_a_web_shops_transfer_is_only_shown_here(alice: User, phone: Browser) -> None:
    offer = alice.transfer(url="https://shop.example/basket?a=1#top")
    address = f"/t/{offer['jayToken']}"

    page = phone.get(address)

    assert problems_of(page, allowed=offer["url"]) == []
    assert offer["url"].replace("&", "&amp;") in page.get_data(as_text=True)
    assert "Continue to shop.example" in text_of(page)
    phone.post(address, csrf=csrf_of(phone.get("/code")))
    assert state(offer, alice) == "pending"
    assert alice.platform.redeem(offer["jayToken"]).status_code == 200


@pytest.mark.parametrize("rest", ["", "/", "?a=1", "#top", "?next=/x", "/?a=1#b/c"])
def test_of_a_web_shops_address_people_see_the_host_and_no_token(
    rest: str, alice: User, phone: Browser
) -> None:
    offer = alice.transfer(url=f"https://shop.example{rest}")

    shown = text_of(phone.get(f"/t/{offer['jayToken']}"))

    assert re.search(r"Continue to shop\.example(?!\S)", shown)
    assert offer["jayToken"] not in shown


# --- the session ---


def cookies_of(response: TestResponse) -> list[str]:
    return response.headers.getlist("Set-Cookie")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(alice: User, phone: Browser) -> None:
    answers = [phone.get("/code"), phone.take(alice.transfer())]

    cookies = [cookie for answer in answers for cookie in cookies_of(answer)]
    assert len(cookies) == 2
    for cookie in cookies:
        attributes = {part.strip() for part in cookie.split(";")[1:]}
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= attributes


def test_behind_https_the_cookie_is_secure(app: Flask, apps: Apps, database_url: str) -> None:
    safe = apps.on(database_url, public_url="https://basket.example")

    cookies = cookies_of(Browser(safe).get("/code"))

    assert len(cookies) == 1
    assert cookies[0].startswith("__Host-jay=")
    assert "Secure" in [part.strip() for part in cookies[0].split(";")]


def test_the_token_in_the_cookie_is_no_secret_of_the_tv(alice: User, phone: Browser) -> None:
    offer = alice.transfer()

    cookies = " ".join(cookies_of(phone.take(offer)))

    assert offer["jayToken"] not in cookies
    assert offer["displayUrl"].rsplit("/", 1)[1] not in cookies


def test_the_apis_neither_read_nor_set_a_cookie(alice: User, phone: Browser) -> None:
    phone.take(alice.transfer())

    assert phone.get("/v2/baskets/users/alice").status_code == 401
    assert cookies_of(phone.get("/v2/")) == []
    assert cookies_of(alice.call("GET")) == []


def test_the_session_ends_with_the_basket(alice: User, phone: Browser) -> None:
    phone.take(alice.transfer())
    csrf = csrf_of(phone.get("/code"))

    alice.call("DELETE")

    answers = [phone.get("/basket"), phone.post("/basket/items", csrf=csrf, action="plus")]
    for response in answers:
        assert response.status_code == 404
        assert "This basket has ended" in text_of(response)
    assert "token" not in session_of(phone)


def test_after_a_basket_has_ended_another_one_can_be_taken_over(
    alice: User, platform: Platform, phone: Browser
) -> None:
    phone.take(alice.transfer())
    alice.call("DELETE")
    phone.get("/basket")

    phone.take(platform.user("bob").transfer())

    assert phone.get("/basket").status_code == 200
    assert "ended" not in session_of(phone)


def test_a_phone_that_never_had_a_basket_is_told_so(phone: Browser) -> None:
    assert "No basket on this phone yet" in text_of(phone.get("/basket"))


@pytest.mark.parametrize("path", ["/basket", "/basket/state"])
def test_while_the_key_of_a_credential_is_missing_the_session_keeps_it(
    path: str, taken: str, app: Flask, phone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    csrf = csrf_of(phone.get("/basket"))
    doorkeeper = app.extensions["jay.auth"]
    doorkeeper.forget()
    with monkeypatch.context() as lost:
        lost.setattr(doorkeeper.tokens.guest_keys, "find", lambda _kid: None)
        answers = [phone.get(path), phone.post("/basket/items", csrf=csrf, action="plus")]

    assert [answer.status_code for answer in answers] == [503, 503]
    assert phone.get("/basket").status_code == 200


def test_when_the_key_of_a_credential_was_revoked_its_basket_has_ended(
    taken: str, alice: User, app: Flask, phone: Browser, clock: MovedClock
) -> None:
    keys = app.extensions["jay.auth"].tokens.guest_keys
    with app.app_context(), db.transaction() as connection:
        for key in keys.key_set()["keys"]:
            assert keys.revoke(connection, key["kid"], now=clock.now)
    clock.move(121)

    assert phone.get("/basket").status_code == 404
    phone.take(alice.transfer())
    assert phone.get("/basket").status_code == 200


def test_while_a_key_is_missing_another_basket_can_be_taken_and_the_first_stays(
    taken: str, alice: User, app: Flask, phone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = alice.platform.user("bob")
    bob.put(taken)
    doorkeeper = app.extensions["jay.auth"]
    doorkeeper.forget()
    with monkeypatch.context() as lost:
        lost.setattr(doorkeeper.tokens.guest_keys, "find", lambda _kid: None)
        phone.take(bob.transfer())

    assert phone.get("/basket").status_code == 200
    assert len(session_of(phone)["others"]) == 1


def test_the_session_ends_with_its_credentials(
    alice: User, phone: Browser, clock: MovedClock
) -> None:
    phone.take(alice.transfer())
    clock.move(30 * 86400 + 30)

    assert phone.get("/basket").status_code == 404


# --- the short code ---


@pytest.mark.parametrize(
    "write",
    [
        str,
        str.lower,
        lambda code: code.replace(" ", ""),
        lambda code: code.replace(" ", "-"),
        lambda code: f" {code} ",
    ],
)
def test_a_typed_code_leads_to_the_claim_page(
    write: Callable[[str], str], alice: User, shop: Shop, phone: Browser
) -> None:
    alice.put(shop.product("mug", name="Blue Mug"))
    offer = alice.transfer()

    response = phone.submit("/code", user_code=write(code_of(offer)))

    assert response.status_code == 303
    address = response.headers["Location"]
    assert address.startswith("/t/")
    assert offer["jayToken"] not in address
    assert state(offer, alice) == "opened"
    assert "Blue Mug" in text_of(phone.get(address))
    assert phone.submit(address).headers["Location"] == "/basket"
    assert state(offer, alice) == "claimed"


def refusal(browser: Browser, typed: str) -> tuple[int, str]:
    """Return status and page, without what differs by itself."""
    response = browser.submit("/code", user_code=typed)
    page = response.get_data(as_text=True)
    assert typed[:9] in page
    return response.status_code, page.replace(typed[:9], "TYPED").replace(csrf_of(response), "CSRF")


def test_wrong_expired_used_and_cancelled_codes_get_the_same_answer(
    app: Flask, alice: User, phone: Browser, clock: MovedClock
) -> None:
    expired = code_of(alice.transfer())
    clock.move(60)
    used = alice.transfer()
    alice.platform.redeem(used["jayToken"])
    cancelled = code_of(alice.transfer())
    alice.transfer()

    answers = {refusal(phone, typed) for typed in ("WRNG WRNG", expired, code_of(used), cancelled)}

    assert len(answers) == 1
    assert next(iter(answers))[0] == 404


def test_the_code_is_dead_at_exactly_60_seconds(
    alice: User, phone: Browser, clock: MovedClock
) -> None:
    offer = alice.transfer()
    clock.move(59.999)
    assert phone.submit("/code", user_code=code_of(offer)).status_code == 303

    clock.move(0.001)
    assert phone.submit("/code", user_code=code_of(offer)).status_code == 404


def test_the_sixth_wrong_try_in_a_minute_is_refused_and_a_minute_later_it_works_again(
    alice: User, phone: Browser, clock: MovedClock
) -> None:
    answers = [phone.submit("/code", user_code="WRNG WRNG").status_code for _ in range(5)]
    clock.move(59)
    offer = alice.transfer()

    sixth = phone.submit("/code", user_code="WRNG WRNG")
    right = phone.submit("/code", user_code=code_of(offer))

    assert answers == [404] * 5
    assert (sixth.status_code, right.status_code) == (429, 429)
    assert int(sixth.headers["Retry-After"]) <= 60
    assert "Too many tries" in text_of(sixth)
    clock.move(1)  # tries while it is refused don't make anybody wait longer
    assert phone.submit("/code", user_code=code_of(offer)).status_code == 303


def test_the_limit_holds_for_an_address_whatever_the_session(app: Flask, alice: User) -> None:
    for _ in range(5):
        assert Browser(app).submit("/code", user_code="WRNG WRNG").status_code == 404

    assert Browser(app).submit("/code", user_code="WRNG WRNG").status_code == 429
    elsewhere = Browser(app, address="192.0.2.7")
    assert elsewhere.submit("/code", user_code=code_of(alice.transfer())).status_code == 303


def test_the_limit_holds_across_processes(app: Flask, twin: Flask) -> None:
    for served in (app, twin, app, twin, app):
        assert Browser(served).submit("/code", user_code="WRNG WRNG").status_code == 404

    assert Browser(twin).submit("/code", user_code="WRNG WRNG").status_code == 429


def test_a_forwarded_address_is_not_believed_by_itself(app: Flask) -> None:
    client = app.test_client()
    csrf = csrf_of(client.get("/code"))

    answers = [
        client.post(
            "/code",
            data={"csrf": csrf, "user_code": "WRNG WRNG"},
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        ).status_code
        for number in range(6)
    ]

    assert answers == [404] * 5 + [429]


def test_right_codes_are_no_wrong_tries(alice: User, phone: Browser) -> None:
    for _ in range(8):
        typed = code_of(alice.transfer())
        assert phone.submit("/code", user_code=typed).status_code == 303


def test_a_code_without_the_pages_secret_is_not_looked_at(alice: User, phone: Browser) -> None:
    phone.get("/code")

    for _ in range(9):
        response = phone.post("/code", user_code=code_of(alice.transfer()))
        assert response.status_code == 403


@pytest.mark.parametrize("typed", ["", "x" * 5000, "\0", "ß" * 8, "😀", "<script>"])
def test_nothing_that_is_typed_fails_the_service(typed: str, phone: Browser) -> None:
    response = phone.submit("/code", user_code=typed)

    assert response.status_code == 404
    assert problems_of(response) == []


def test_a_form_without_fields_is_just_a_wrong_code(phone: Browser) -> None:
    assert phone.submit("/code").status_code == 404


# --- the basket page ---


@pytest.fixture
def taken(alice: User, shop: Shop, phone: Browser) -> str:
    """A blue mug, twice in the basket that the phone has taken over."""
    mug = shop.product("mug", name="Blue Mug", price=1250)
    alice.put(mug, 2)
    phone.take(alice.transfer())
    return mug


def press(phone: Browser, action: str, product_id: str, **form: str) -> TestResponse:
    response = phone.submit(
        "/basket", "/basket/items", action=action, product_id=product_id, **form
    )
    assert (response.status_code, response.headers["Location"]) == (303, "/basket")
    return phone.get("/basket")


@pytest.mark.parametrize(
    ("form", "count"),
    [
        ({"action": "plus"}, 3),
        ({"action": "plus", "count": "2"}, 3),
        ({"action": "plus", "count": "7"}, 8),
        ({"action": "plus", "count": "999"}, 999),
        ({"action": "minus"}, 1),
        ({"action": "minus", "count": "1"}, 1),
        ({"action": "minus", "count": "0"}, 1),
        ({"action": "set", "count": "12"}, 12),
        ({"action": "set", "count": " 5 "}, 5),
        ({"action": "set", "count": "999999"}, 999),
        ({"action": "set", "count": ""}, 2),
        ({"action": "set", "count": "abc"}, 2),
        ({"action": "set", "count": "-1"}, 2),
        ({"action": "set", "count": "1.5"}, 2),
        ({"action": "set", "count": "\u0663"}, 3),
        ({"action": "set", "count": "\uff11 \uff12"}, 12),
        ({"action": "set"}, 2),
        ({"action": "nonsense"}, 2),
        ({"action": ""}, 2),
    ],
)
def test_a_button_changes_the_count(
    form: dict[str, str], count: int, taken: str, alice: User, phone: Browser
) -> None:
    page = press(phone, product_id=taken, **form)

    assert page.status_code == 200
    assert alice.cart() == {taken: count}


def test_two_quick_taps_on_the_same_page_count_once(
    taken: str, alice: User, phone: Browser
) -> None:
    csrf = csrf_of(phone.get("/basket"))

    for _ in range(2):
        phone.post("/basket/items", csrf=csrf, action="plus", product_id=taken, count="2")

    assert alice.cart() == {taken: 3}


def test_zero_removes(taken: str, alice: User, phone: Browser) -> None:
    page = press(phone, "set", taken, count="0")

    assert (alice.cart(), alice.saved()) == ({}, [])
    assert "Removed: Blue Mug" in text_of(page)


def test_for_later_saves_and_move_to_basket_brings_it_back(
    taken: str, alice: User, phone: Browser
) -> None:
    page = press(phone, "save", taken)
    assert (alice.cart(), alice.saved()) == ({}, [taken])
    assert "Saved for later" in text_of(page)

    press(phone, "cart", taken)
    assert (alice.cart(), alice.saved()) == ({taken: 1}, [])


def test_a_removed_product_can_be_taken_back(taken: str, alice: User, phone: Browser) -> None:
    page = press(phone, "remove", taken, count="2")
    assert alice.cart() == {}
    assert "Removed: Blue Mug Undo" in text_of(page)

    undo = re.search(r'name="count" value="(\d+)"', page.get_data(as_text=True))
    assert undo
    phone.post("/basket/items", csrf=csrf_of(page), action="undo", product_id=taken, count=undo[1])

    assert alice.cart() == {taken: 2}


def test_a_removed_saved_product_comes_back_to_the_saved_list(
    taken: str, alice: User, phone: Browser
) -> None:
    alice.put(taken, 0)
    page = press(phone, "remove", taken)

    undo = re.search(r'name="count" value="(\d+)"', page.get_data(as_text=True))
    assert undo
    phone.post("/basket/items", csrf=csrf_of(page), action="undo", product_id=taken, count=undo[1])

    assert (alice.cart(), alice.saved()) == ({}, [taken])


def test_undo_is_offered_once(taken: str, phone: Browser) -> None:
    press(phone, "remove", taken)

    assert "Undo" not in text_of(phone.get("/basket"))


@pytest.mark.parametrize("action", ["plus", "minus", "set", "save", "cart", "remove", "undo"])
@pytest.mark.parametrize("product_id", ["unknown", "", "a\0b", "x" * 3000, "😀"])
def test_no_product_that_is_not_there_fails_the_service(
    action: str, product_id: str, taken: str, alice: User, phone: Browser
) -> None:
    page = press(phone, action, product_id, count="1")

    assert page.status_code == 200
    assert alice.cart() == {taken: 2}
    expected = "no longer available" if action == "undo" else "removed on another device"
    assert expected in text_of(page)


@pytest.mark.parametrize("csrf", [None, "", "wrong"])
def test_without_the_pages_secret_nothing_is_changed(
    csrf: str | None, taken: str, alice: User, phone: Browser
) -> None:
    form = {"action": "remove", "product_id": taken}

    assert phone.post("/basket/items", csrf=csrf, **form).status_code == 403
    assert alice.cart() == {taken: 2}


def test_looking_changes_nothing(taken: str, alice: User, phone: Browser) -> None:
    before = alice.call("GET").headers["ETag"]

    phone.get("/basket")
    assert phone.get(f"/basket/items?action=remove&product_id={taken}").status_code == 405

    assert alice.call("GET").headers["ETag"] == before


def test_sold_out_is_told_and_nothing_is_changed(
    taken: str, alice: User, shop: Shop, phone: Browser
) -> None:
    shop.product("mug", name="Blue Mug", stock_count=0)

    page = press(phone, "plus", taken)

    assert "sold out at the moment" in text_of(page)
    assert alice.cart() == {taken: 2}


def test_a_full_basket_is_told(taken: str, alice: User, shop: Shop, phone: Browser) -> None:
    hat = shop.product("hat")
    alice.put(hat, 0)
    for number in range(19):
        alice.put(shop.product(f"pen-{number}"))

    assert "Your basket is full" in text_of(press(phone, "cart", hat))
    assert alice.saved() == [hat]


def test_the_order_limit_is_told(alice: User, shop: Shop, phone: Browser) -> None:
    mug = shop.product("mug", shipping={"orderLimit": 2})
    alice.put(mug, 2)
    phone.take(alice.transfer())

    assert "sells at most 2 of this in one order" in text_of(press(phone, "plus", mug))


def test_prices_and_totals_are_those_of_now(
    taken: str, alice: User, shop: Shop, phone: Browser
) -> None:
    shop.product("mug", name="Blue Mug", price=1000, shipping={"shippingFlatRate": 499})

    said = text_of(phone.get("/basket"))

    changed = "Price changed: €10.00 instead of €12.50"
    for words in ("€20.00", "€10.00 each", changed, "€4.99", "€24.99"):
        assert words in said


def test_a_vanished_product_is_shown_and_can_be_removed(
    alice: User, shop: Shop, phone: Browser
) -> None:
    shop.product("shirt", variants=[{"sku": "shirt-m"}])
    medium = "mugshop/de-DE/shirt-m"
    alice.put(medium, 2)
    phone.take(alice.transfer())
    shop.call("POST", "/shops/products", json={"sku": "shirt", "name": "Shirt"})

    said = text_of(phone.get("/basket"))
    assert "No longer available" in said
    assert "each" not in said
    press(phone, "remove", medium)
    assert alice.cart() == {}


def test_a_change_on_another_device_is_seen(taken: str, alice: User, phone: Browser) -> None:
    alice.put(taken, 5)

    assert "€62.50" in text_of(phone.get("/basket"))


# --- the TV ---


def test_the_tv_shows_code_basket_and_time(
    alice: User, shop: Shop, tv: Browser, clock: MovedClock
) -> None:
    for sku in ("mug", "hat", "pen", "cup", "bag"):
        alice.put(shop.product(sku))
    offer = alice.transfer()
    clock.move(13)

    page = tv.get(offer["displayUrl"])

    said = text_of(page)
    for words in ("kino", "Mug", "Hat", "Pen", "+2 more", offer["userCode"], "localhost/code"):
        assert words in said
    html = page.get_data(as_text=True)
    assert 'data-left="47"' in html
    assert 'data-state="pending"' in html
    assert offer["qrCodeImageUrl"].removeprefix("http://localhost").replace("png", "svg") in html
    assert offer["jayToken"] not in html
    assert '<noscript><meta http-equiv="refresh"' in html


def test_looking_at_the_tv_is_not_looking_at_the_phone(alice: User, tv: Browser) -> None:
    offer = alice.transfer()

    tv.get(offer["displayUrl"])

    assert state(offer, alice) == "pending"


@pytest.mark.parametrize("final", ["opened", "claimed", "expired", "cancelled"])
def test_the_tv_follows_the_state(
    final: str, alice: User, tv: Browser, phone: Browser, clock: MovedClock
) -> None:
    offer = alice.transfer()
    {
        "opened": lambda: phone.look(offer),
        "claimed": lambda: phone.take(offer),
        "expired": lambda: clock.move(60),
        "cancelled": alice.transfer,
    }[final]()

    html = tv.get(offer["displayUrl"]).get_data(as_text=True)

    assert f'data-state="{final}"' in html
    assert ("qr.svg" in html) is (final == "opened")


def test_the_tv_gets_a_new_code_for_the_same_basket(
    alice: User, shop: Shop, tv: Browser, phone: Browser, clock: MovedClock
) -> None:
    mug = shop.product("mug")
    alice.put(mug)
    offer = alice.transfer()
    clock.move(60)

    response = tv.post(offer["displayUrl"])

    assert response.status_code == 303
    address = response.headers["Location"]
    assert re.fullmatch(r"/tv/[\w-]{22,}", address)
    page = text_of(tv.get(address))
    assert offer["userCode"] not in page
    code = re.search(r"\b[2-9A-Z]{4} [2-9A-Z]{4}\b", page)
    assert code
    claim = phone.submit("/code", user_code=code[0]).headers["Location"]
    phone.submit(claim)
    press(phone, "plus", mug)
    assert alice.cart() == {mug: 2}


def test_a_new_code_cancels_the_old_one(alice: User, tv: Browser) -> None:
    offer = alice.transfer()

    tv.post(offer["displayUrl"])

    assert state(offer, alice) == "cancelled"


def test_a_screen_that_was_left_alone_for_an_hour_gets_no_new_code_and_says_how_to_go_on(
    alice: User, tv: Browser, clock: MovedClock
) -> None:
    offer = alice.transfer()
    clock.move(3599.5)
    assert 'data-renewable="1"' in tv.get(offer["displayUrl"]).get_data(as_text=True)
    clock.move(0.5)

    for response in (tv.post(offer["displayUrl"]), tv.get(offer["displayUrl"])):
        assert response.status_code == 404
        said = text_of(response)
        assert "kino" in said
        assert "Get a new code in the app" in said
        assert "New code" not in said


def test_without_a_script_a_screen_that_is_left_alone_finds_that_out(
    alice: User, tv: Browser, clock: MovedClock
) -> None:
    offer = alice.transfer()
    clock.move(600)

    html = tv.get(offer["displayUrl"]).get_data(as_text=True)

    assert '<noscript><meta http-equiv="refresh" content="3000"></noscript>' in html


def test_renewals_do_not_prolong_the_hour(alice: User, tv: Browser, clock: MovedClock) -> None:
    screens = [alice.transfer()["displayUrl"]]
    for _ in range(2):
        clock.move(1799.5)
        screens.append(tv.post(screens[-1]).headers["Location"])
    clock.move(1)

    assert 'data-state="pending"' in tv.get(screens[-1]).get_data(as_text=True)
    assert tv.post(screens[-1]).status_code == 404
    clock.move(59)
    said = tv.get(screens[-1]).get_data(as_text=True)
    assert 'data-state="expired"' in said
    assert 'data-renewable="0"' in said
    clock.move(60)
    assert tv.get(screens[-1]).status_code == 404


def test_what_was_taken_over_gets_no_new_code(alice: User, tv: Browser, phone: Browser) -> None:
    offer = alice.transfer()
    phone.take(offer)

    response = tv.post(offer["displayUrl"])

    assert response.status_code == 303
    assert 'data-state="claimed"' in tv.get(response.headers["Location"]).get_data(as_text=True)


@pytest.mark.parametrize("end", ["claimed", "claimed and reset", "reset"])
def test_when_a_kiosks_person_has_gone_no_screen_shows_or_offers_the_basket(
    end: str, kiosk: Platform, shop: Shop, tv: Browser, phone: Browser
) -> None:
    tv.submit("/kiosk/corner?lang=de", "/kiosk/corner", product_id=shop.product("mug", name="Krug"))
    screens = [tv.submit("/kiosk/corner", "/kiosk/corner/code").headers["Location"]]
    screens.append(tv.submit(screens[0]).headers["Location"])
    if "claimed" in end:
        code = re.search(r"\b[2-9A-Z]{4} [2-9A-Z]{4}\b", text_of(tv.get(screens[-1])))
        assert code
        phone.submit(phone.submit("/code", user_code=code[0]).headers["Location"])
    if "reset" in end:
        tv.submit("/kiosk/corner", "/kiosk/corner/reset")

    for somebody in (tv, Browser(kiosk.client.application)):
        for screen in screens:
            seen, asked = somebody.get(screen), somebody.post(screen)
            assert "Krug" not in seen.get_data(as_text=True)
            assert asked.headers["Location"] == "/kiosk/corner"
    assert ("Krug" in text_of(phone.get("/basket"))) is ("claimed" in end)


def test_a_kiosks_screen_that_was_left_alone_for_an_hour_leads_back_to_the_wall(
    kiosk: Platform, shop: Shop, tv: Browser, clock: MovedClock
) -> None:
    tv.submit("/kiosk/corner?lang=de", "/kiosk/corner", product_id=shop.product("mug"))
    screen = tv.submit("/kiosk/corner", "/kiosk/corner/code").headers["Location"]
    clock.move(3600)

    for response in (tv.get(screen), tv.post(screen)):
        assert (response.status_code, response.headers["Location"]) == (303, "/kiosk/corner")


def test_an_unknown_screen_says_so(tv: Browser) -> None:
    for response in (tv.get("/tv/unknown"), tv.post("/tv/unknown"), tv.get("/tv/%00")):
        assert response.status_code == 404
        assert "This code is gone" in text_of(response)


def test_the_screen_of_a_deleted_basket_gets_no_new_code(alice: User, tv: Browser) -> None:
    offer = alice.transfer()
    alice.call("DELETE")

    assert tv.post(offer["displayUrl"]).status_code == 410


# --- the kiosk ---


@pytest.fixture
def kiosk(app: Flask) -> Platform:
    """A partner whose products may be picked on a public screen."""
    return add_platform(app, app.test_client(), "corner", kiosk=True)


def test_at_the_kiosk_one_picks_and_takes_along(
    kiosk: Platform, shop: Shop, tv: Browser, phone: Browser
) -> None:
    mug = shop.product("mug", name="Blue Mug")
    wall = "/kiosk/corner?lang=de"
    assert "Blue Mug" in text_of(tv.get(wall))

    for _ in range(2):
        assert tv.submit(wall, "/kiosk/corner", product_id=mug).status_code == 303
    screen = tv.submit(wall, "/kiosk/corner/code").headers["Location"]
    code = re.search(r"\b[2-9A-Z]{4} [2-9A-Z]{4}\b", text_of(tv.get(screen)))
    assert code
    phone.submit(phone.submit("/code", user_code=code[0]).headers["Location"])

    assert "Pick what you like." in text_of(tv.get("/kiosk/corner?lang=en"))
    assert "Blue Mug" in text_of(phone.get("/basket"))


def test_the_next_person_at_the_kiosk_finds_nothing(
    kiosk: Platform, shop: Shop, tv: Browser
) -> None:
    mug = shop.product("mug")
    wall = "/kiosk/corner?lang=de"
    tv.submit(wall, "/kiosk/corner", product_id=mug)
    assert "1 Artikel" in text_of(tv.get(wall))

    tv.submit(wall, "/kiosk/corner/reset")

    assert "1 Artikel" not in text_of(tv.get(wall))


def test_what_a_phone_has_is_out_of_the_kiosks_reach_though_nobody_has_reset_it(
    kiosk: Platform, shop: Shop, tv: Browser, phone: Browser
) -> None:
    mug, lamp = shop.product("mug", name="Krug"), shop.product("lamp", name="Leuchte")
    tv.submit("/kiosk/corner?lang=de", "/kiosk/corner", product_id=mug)
    screen = tv.get(tv.submit("/kiosk/corner", "/kiosk/corner/code").headers["Location"])
    code = re.search(r"\b[2-9A-Z]{4} [2-9A-Z]{4}\b", text_of(screen))
    assert code
    phone.submit(phone.submit("/code", user_code=code[0]).headers["Location"])

    # The next person, or whoever has kept a copy of the cookie.
    assert "1 Artikel" not in text_of(tv.get("/kiosk/corner"))
    assert tv.get("/kiosk/corner/picked").headers["Location"].startswith("/kiosk/corner?")
    tv.submit("/kiosk/corner", "/kiosk/corner/picked", product_id=mug, action="remove")
    asked = tv.submit("/kiosk/corner", "/kiosk/corner/code")
    assert asked.headers["Location"] == "/kiosk/corner"
    tv.submit("/kiosk/corner", "/kiosk/corner", product_id=lamp)

    assert "Leuchte" in text_of(tv.get("/kiosk/corner/picked"))
    mine = text_of(phone.get("/basket"))
    assert "Krug" in mine
    assert "Leuchte" not in mine


@pytest.mark.parametrize("path", ["/kiosk/corner", "/kiosk/corner/code", "/kiosk/corner/reset"])
def test_without_the_pages_secret_the_kiosk_does_nothing(
    path: str, kiosk: Platform, tv: Browser
) -> None:
    tv.get("/kiosk/corner")

    assert tv.post(path).status_code == 403
    assert tv.post(path, csrf="wrong").status_code == 403


@pytest.mark.parametrize("name", ["kino", "unknown", "%00", "x" * 3000])
def test_only_partners_that_allow_it_have_a_kiosk(
    name: str, platform: Platform, kiosk: Platform, tv: Browser
) -> None:
    assert tv.get(f"/kiosk/{name}").status_code == 404
    for path in (f"/kiosk/{name}", f"/kiosk/{name}/code"):
        assert tv.submit("/kiosk/corner", path, product_id="x").status_code == 404


@pytest.mark.parametrize("product_id", ["", "unknown", "a\0b", "x" * 3000])
def test_nothing_that_is_picked_fails_the_kiosk(
    product_id: str, kiosk: Platform, tv: Browser
) -> None:
    response = tv.submit("/kiosk/corner", "/kiosk/corner", product_id=product_id)

    assert response.status_code == 303
    assert "There is no more of this right now" in text_of(tv.get("/kiosk/corner"))


@pytest.mark.parametrize("page", ["0", "-1", "abc", "1.5"])
def test_what_is_no_page_number_of_the_kiosk_is_the_first_page(
    page: str, kiosk: Platform, shop: Shop, tv: Browser
) -> None:
    shop.product("mug")

    assert tv.get(f"/kiosk/corner?page={page}").status_code == 200


@pytest.mark.parametrize("page", ["3", "5000", "9" * 30])
def test_beyond_the_last_page_of_the_kiosk_is_the_last_page(
    page: str, kiosk: Platform, shop: Shop, app: Flask
) -> None:
    for number in range(9):
        shop.product(f"mug-{number}")
    tv = Browser(app, language="de")

    response = tv.get(f"/kiosk/corner?page={page}")

    assert (response.status_code, response.headers["Location"]) == (303, "/kiosk/corner?page=2")
    assert "2 / 2" in text_of(tv.get("/kiosk/corner?page=2"))


def test_a_kiosk_without_products_has_one_page(kiosk: Platform, tv: Browser) -> None:
    assert tv.get("/kiosk/corner?page=2").headers["Location"] == "/kiosk/corner?page=1"
    assert tv.get("/kiosk/corner?page=1").status_code == 200


# --- every page ---


def every_page(app: Flask, alice: User, shop: Shop, clock: MovedClock) -> dict[str, TestResponse]:
    """Open each page in each of its states, with names that try to break out."""
    evil = "<script>alert(1)</script>\"' onload=alert(1) {{7*7}}"
    add_platform(app, app.test_client(), "corner", kiosk=True, display_name=evil)
    alice.put(shop.product("mug", name=evil, description={"brand": evil}), 2)
    alice.put(shop.product("hat", name=evil), 0)
    phone, other, tv = Browser(app), Browser(app), Browser(app, address="127.0.0.9")
    cancelled, offer = alice.transfer(), alice.transfer()
    pages = {
        "claim": phone.get(offer["url"] + '?lang=en&x="><script>'),
        "cancelled": phone.get(cancelled["url"]),
        "unknown": phone.get("/t/unknown"),
        "no session": phone.get("/basket"),
        "outdated form": phone.post(offer["url"]),
        "tv": tv.get(offer["displayUrl"]),
        "tv unknown": tv.get("/tv/unknown"),
    }
    phone.take(offer)
    pages |= {
        "claimed": other.get(offer["url"]),
        "tv claimed": tv.get(offer["displayUrl"]),
        "basket": phone.get("/basket"),
        "basket undo": press(phone, "remove", "mugshop/de-DE/mug"),
        "basket message": press(phone, "plus", "unknown"),
        "code": other.get('/code?lang="><script>'),
        "wrong code": other.submit("/code", user_code='"><script>'),
    }
    for _ in range(5):
        pages["too many tries"] = other.submit("/code", user_code="x")
    expired = alice.transfer()
    clock.move(60)
    pages |= {
        "expired": other.get(expired["url"]),
        "tv expired": tv.get(expired["displayUrl"]),
        "kiosk start": tv.get("/kiosk"),
        "kiosk": tv.get("/kiosk/corner?lang=de"),
        "nothing there": phone.get("/nothing"),
        "wrong method": phone.post("/basket"),
        "errors": phone.get("/docs/errors"),
    }
    pages["kiosk start"] = Browser(app).get(pages["kiosk start"].headers.get("Location", "/kiosk"))
    return pages


EXPECTED = {
    "claim": 200,
    "cancelled": 410,
    "unknown": 404,
    "no session": 404,
    "outdated form": 403,
    "tv": 200,
    "tv unknown": 404,
    "claimed": 409,
    "tv claimed": 200,
    "basket": 200,
    "basket undo": 200,
    "basket message": 200,
    "code": 200,
    "wrong code": 404,
    "too many tries": 429,
    "expired": 410,
    "tv expired": 200,
    "kiosk start": 200,
    "kiosk": 200,
    "nothing there": 404,
    "wrong method": 405,
    "errors": 200,
}


@pytest.fixture
def pages(app: Flask, alice: User, shop: Shop, clock: MovedClock) -> dict[str, TestResponse]:
    """Every page, in each of its states."""
    return every_page(app, alice, shop, clock)


def test_each_page_is_there(pages: dict[str, TestResponse]) -> None:
    assert {name: page.status_code for name, page in pages.items()} == EXPECTED
    assert {page.mimetype for page in pages.values()} == {"text/html"}


def test_every_page_is_strict_about_what_it_loads(pages: dict[str, TestResponse]) -> None:
    for name, page in pages.items():
        policy = dict(
            part.strip().split(" ", 1)
            for part in page.headers["Content-Security-Policy"].split(";")
        )
        assert policy["default-src"] == "'none'", name
        assert policy["base-uri"] == "'none'", name
        assert policy["form-action"] == "'self'", name
        for source in ("script-src", "style-src", "img-src", "connect-src"):
            assert policy[source] == "'self'", name
        # The app, not the web shop.
        allowed = "https://tv.example" if name in {"tv", "tv claimed", "tv expired"} else "'none'"
        assert policy["frame-ancestors"] == allowed, name


def test_no_page_is_kept_or_tells_where_one_came_from(pages: dict[str, TestResponse]) -> None:
    for name, page in pages.items():
        assert page.headers["Cache-Control"] == "no-store", name
        assert page.headers["Referrer-Policy"] == "no-referrer", name
        assert page.headers["X-Content-Type-Options"] == "nosniff", name


def test_no_page_has_code_or_style_of_its_own_or_leads_elsewhere(
    pages: dict[str, TestResponse],
) -> None:
    assert {name: found for name, page in pages.items() if (found := problems_of(page))} == {}


def test_names_are_shown_and_never_run(pages: dict[str, TestResponse]) -> None:
    for name in ("claim", "basket", "tv", "kiosk"):
        html = pages[name].get_data(as_text=True)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html, name
        assert "{{7*7}}" in html, name


def test_no_page_names_a_token_or_user(pages: dict[str, TestResponse], alice: User) -> None:
    for name, page in pages.items():
        html = page.get_data(as_text=True)
        assert "alice" not in html, name
        assert "eyJ" not in html, name
        assert alice.platform.key not in html, name


def test_a_crash_is_answered_as_a_page(
    alice: User, phone: Browser, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jay.baskets.service.read", lambda *_args, **_more: 1 / 0)

    response = phone.get("/basket")

    assert response.status_code == 500
    assert "That went wrong" in text_of(response)
    assert "division" not in response.get_data(as_text=True)
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert response.headers["Cache-Control"] == "no-store"


def test_every_file_that_pages_load_is_there(
    pages: dict[str, TestResponse], phone: Browser
) -> None:
    addresses = {
        address
        for page in pages.values()
        for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.get_data(as_text=True))
    }

    assert len(addresses) >= 6
    for address in addresses:
        response = phone.get(address)
        assert response.status_code == 200, address
        response.close()


# --- languages ---

ENGLISH, GERMAN = "Enter the code from the TV", "Gib den Code vom Fernseher ein"


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("de", GERMAN),
        ("de-AT,de;q=0.9,en;q=0.8", GERMAN),
        ("en-GB", ENGLISH),
        ("fr,de;q=0.5", GERMAN),
        ("en;q=0.1,de;q=0.9", GERMAN),
        ("fr", ENGLISH),
        ("", ENGLISH),
        ("*", ENGLISH),
        ("de;q=x,,;", ENGLISH),
        ("ü" * 500, ENGLISH),
    ],
)
def test_the_language_is_the_one_that_the_browser_prefers(
    header: str, expected: str, app: Flask
) -> None:
    browser = Browser(app, language=header.encode().decode("latin-1"))

    page = browser.get("/code")

    if header == "de;q=x,,;":
        assert page.status_code == 200
    else:
        assert expected in text_of(page)


def test_the_address_wins_and_is_remembered(app: Flask) -> None:
    browser = Browser(app, language="en")

    page = browser.get("/code?lang=de")

    assert GERMAN in text_of(page)
    assert '<html lang="de"' in page.get_data(as_text=True)
    assert GERMAN in text_of(browser.get("/code"))
    assert ENGLISH in text_of(browser.get("/code?lang=en"))
    assert ENGLISH in text_of(browser.get("/code"))


@pytest.mark.one_database
@pytest.mark.parametrize("lang", ["", "xx", "DE", "../de", "de%00", "de_DE", "en.po"])
def test_a_language_that_there_is_not_is_ignored(lang: str, app: Flask) -> None:
    assert GERMAN in text_of(Browser(app, language="de").get(f"/code?lang={lang}"))


def test_every_page_speaks_german(app: Flask, alice: User, shop: Shop, clock: MovedClock) -> None:
    alice.put(shop.product("mug", name="Tasse"), 2)
    phone, other = Browser(app, language="de"), Browser(app, language="de")
    offer = alice.transfer()

    assert "Warenkorb vom Fernseher übernehmen?" in text_of(phone.get(offer["url"]))
    assert "Nimm deinen Warenkorb mit." in text_of(phone.get(offer["displayUrl"]))
    phone.take(offer)
    said = text_of(phone.get("/basket"))
    assert "Dein Warenkorb" in said
    assert "25,00\xa0€" in phone.get("/basket").get_data(as_text=True)
    assert "Schon übernommen" in text_of(other.get(offer["url"]))
    assert "Hier ist nichts" in text_of(other.get("/nothing"))
    assert "Bitte noch einmal" in text_of(other.post("/code"))


def test_the_other_language_is_one_link_away(app: Flask, alice: User) -> None:
    page = Browser(app).get("/code?x=1")

    assert 'href="?x=1&amp;lang=de"' in page.get_data(as_text=True)
