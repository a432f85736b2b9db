"""Two devices on one basket: each learns of the other's changes, and overwrites none of them."""

import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.browser import Browser, csrf_of, text_of
from tests.builders import Shop, User
from tests.clock import MovedClock

SAYS_SO = "Not changed: another device has just changed “Blue Mug”. This is how it is now."


@pytest.fixture
def mug(alice: User, shop: Shop) -> str:
    """A blue mug, twice in the basket."""
    identifier = shop.product("mug", name="Blue Mug", price=1250)
    alice.put(identifier, 2)
    return identifier


@pytest.fixture
def hat(alice: User, shop: Shop, mug: str) -> str:
    """A hat, once in the basket."""
    identifier = shop.product("hat", name="Red Hat", price=2000)
    alice.put(identifier, 1)
    return identifier


@pytest.fixture
def phone(app: Flask, alice: User, hat: str) -> Browser:
    """A phone that has taken the basket over."""
    browser = Browser(app)
    browser.take(alice.transfer())
    return browser


def state(phone: Browser) -> TestResponse:
    return phone.get("/basket/state")


def fields(page: TestResponse, product_id: str, within: str = "acts") -> dict[str, str]:
    """Return what a page's form about a product sends along."""
    forms = re.findall(rf'<form class="{within}".*?</form>', page.get_data(as_text=True), re.DOTALL)
    form = next(form for form in forms if f'name="product_id" value="{product_id}"' in form)
    return dict(re.findall(r'<input [^>]*?name="(\w+)" value="([^"]*)"', form))


def press(phone: Browser, page: TestResponse, action: str, product_id: str, **more: str) -> str:
    """Press a button of a page that may be older than the basket; return what is said then."""
    within = "toast" if action == "undo" else "acts"
    response = phone.post(
        "/basket/items", **{**fields(page, product_id, within), "action": action, **more}
    )
    assert (response.status_code, response.headers["Location"]) == (303, "/basket")
    return text_of(phone.get("/basket"))


# --- what a page asks


def test_the_state_is_the_version_that_the_page_has(phone: Browser) -> None:
    html = phone.get("/basket").get_data(as_text=True)

    data = state(phone).json["data"]

    assert f'data-state="/basket/state" data-version="{data["version"]}"' in html
    assert f'data-poll="{data["pollSeconds"]}"' in html
    assert 1 <= data["pollSeconds"] <= 10


def test_the_state_changes_with_every_change_of_another_device(
    alice: User, mug: str, phone: Browser
) -> None:
    seen = [state(phone).json["data"]["version"]]
    for count in (5, 0, 1):
        alice.put(mug, count)
        seen.append(state(phone).json["data"]["version"])
    alice.product("DELETE", mug)
    seen.append(state(phone).json["data"]["version"])

    assert seen == sorted(set(seen))


def test_asking_changes_nothing_and_is_never_kept(alice: User, phone: Browser) -> None:
    before = alice.call("GET").headers["ETag"]

    response = state(phone)

    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers
    assert response.json["data"].keys() == {"version", "pollSeconds"}
    assert alice.call("GET").headers["ETag"] == before


def test_asking_leaves_the_offer_to_undo_where_it_is(mug: str, phone: Browser) -> None:
    page = phone.get("/basket")
    phone.post("/basket/items", **{**fields(page, mug), "action": "remove"})

    state(phone)

    assert "Removed: Blue Mug Undo" in text_of(phone.get("/basket"))


def test_without_a_basket_there_is_no_state(app: Flask, alice: User, phone: Browser) -> None:
    assert state(Browser(app)).status_code == 404
    alice.call("DELETE")
    assert state(phone).status_code == 404


def test_the_state_ends_with_the_credentials(phone: Browser, clock: MovedClock) -> None:
    clock.move(31 * 86400)

    assert state(phone).status_code == 404


# --- conflicts


@pytest.mark.parametrize("action", ["plus", "minus", "save", "remove"])
def test_an_edit_of_a_product_that_another_device_has_changed_is_not_done(
    action: str, alice: User, mug: str, hat: str, phone: Browser
) -> None:
    old = phone.get("/basket")
    alice.put(mug, 7)

    said = press(phone, old, action, mug)

    assert alice.cart() == {mug: 7, hat: 1}
    assert SAYS_SO in said
    assert "€87.50" in said


def test_the_product_that_it_is_about_is_marked(alice: User, mug: str, phone: Browser) -> None:
    old = phone.get("/basket")
    alice.put(mug, 7)
    phone.post("/basket/items", **{**fields(old, mug), "action": "plus"})

    assert phone.get("/basket").get_data(as_text=True).count(" touched") == 1
    assert " touched" not in phone.get("/basket").get_data(as_text=True)


def test_a_typed_count_does_not_overwrite_the_other_ones(
    alice: User, mug: str, phone: Browser
) -> None:
    old = phone.get("/basket")
    alice.put(mug, 7)

    assert SAYS_SO in press(phone, old, "set", mug, count="3")
    assert alice.cart()[mug] == 7


def test_what_was_removed_meanwhile_is_not_put_back(
    alice: User, mug: str, hat: str, phone: Browser
) -> None:
    old = phone.get("/basket")
    alice.product("DELETE", mug)

    assert "This was removed on another device." in press(phone, old, "plus", mug)
    assert alice.cart() == {hat: 1}


def test_what_was_saved_meanwhile_is_not_removed(alice: User, mug: str, phone: Browser) -> None:
    old = phone.get("/basket")
    alice.put(mug, 0)

    assert SAYS_SO in press(phone, old, "remove", mug)
    assert alice.saved() == [mug]


def test_what_was_put_into_the_basket_meanwhile_is_not_removed_from_the_saved_list(
    alice: User, mug: str, phone: Browser
) -> None:
    alice.put(mug, 0)
    old = phone.get("/basket")
    alice.put(mug, 4)

    assert SAYS_SO in press(phone, old, "remove", mug)
    assert alice.cart()[mug] == 4


def test_undo_does_not_overwrite_what_another_device_has_put_back(
    alice: User, mug: str, phone: Browser
) -> None:
    phone.post("/basket/items", **{**fields(phone.get("/basket"), mug), "action": "remove"})
    old = phone.get("/basket")
    alice.put(mug, 9)

    assert SAYS_SO in press(phone, old, "undo", mug)
    assert alice.cart()[mug] == 9


def test_undo_works_although_another_product_was_changed(
    alice: User, mug: str, hat: str, phone: Browser
) -> None:
    phone.post("/basket/items", **{**fields(phone.get("/basket"), mug), "action": "remove"})
    old = phone.get("/basket")
    alice.put(hat, 3)

    assert "Not changed" not in press(phone, old, "undo", mug)
    assert alice.cart() == {hat: 3, mug: 2}


def test_edits_of_other_products_go_through(
    alice: User, mug: str, hat: str, phone: Browser
) -> None:
    for action, count in (("plus", 3), ("minus", 2), ("save", None), ("cart", 1), ("remove", None)):
        old = phone.get("/basket")
        alice.put(hat, alice.cart()[hat] + 1)

        assert "Not changed" not in press(phone, old, action, mug)
        assert alice.cart().get(mug) == count
    assert alice.cart() == {hat: 6}


def test_what_was_changed_and_changed_back_is_no_conflict(
    alice: User, mug: str, phone: Browser
) -> None:
    old = phone.get("/basket")
    alice.put(mug, 7)
    alice.put(mug, 2)

    assert "Not changed" not in press(phone, old, "plus", mug)
    assert alice.cart()[mug] == 3


def test_when_both_devices_ask_for_the_same_nobody_is_bothered(
    alice: User, mug: str, phone: Browser
) -> None:
    old = phone.get("/basket")
    alice.put(mug, 3)

    assert "Not changed" not in press(phone, old, "plus", mug)
    assert alice.cart()[mug] == 3


def test_two_quick_taps_of_one_phone_are_no_conflict(alice: User, mug: str, phone: Browser) -> None:
    old = phone.get("/basket")

    said = [press(phone, old, "plus", mug) for _ in range(2)]

    assert alice.cart()[mug] == 3
    assert not any("Not changed" in text for text in said)


def test_after_the_message_the_same_button_works(alice: User, mug: str, phone: Browser) -> None:
    old = phone.get("/basket")
    alice.put(mug, 7)
    phone.post("/basket/items", **{**fields(old, mug), "action": "plus"})

    press(phone, phone.get("/basket"), "plus", mug)

    assert alice.cart()[mug] == 8


@pytest.mark.parametrize(
    "form",
    [
        {"version": "", "seen": "2"},
        {"version": "x", "seen": "2"},
        {"version": "-1", "seen": ""},
        {"version": "٣", "seen": "٢"},
        {"version": "9" * 500, "seen": "9" * 500},
        {"version": "0"},
        {"seen": "2"},
    ],
)
def test_no_version_fails_the_service(
    form: dict[str, str], alice: User, mug: str, phone: Browser
) -> None:
    csrf = csrf_of(phone.get("/basket"))

    response = phone.post("/basket/items", csrf=csrf, action="plus", product_id=mug, **form)

    assert response.status_code == 303
    assert alice.cart()[mug] in {2, 3}


def test_the_message_is_there_in_german(app: Flask, alice: User, mug: str, hat: str) -> None:
    phone = Browser(app, language="de")
    phone.take(alice.transfer())
    old = phone.get("/basket")
    alice.put(mug, 7)

    said = press(phone, old, "plus", mug)

    assert "Nicht geändert: Ein anderes Gerät hat „Blue Mug“ gerade geändert." in said
    assert 'data-text="Auf einem anderen Gerät geändert."' in old.get_data(as_text=True)
