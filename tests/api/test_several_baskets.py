"""Several baskets of one phone are a list: nothing is overwritten without a word."""

import re
from typing import Any

import pytest
from flask import Flask

from tests.api.browser import Browser, csrf_of, session_of, text_of
from tests.builders import Platform, Shop, User

TOGETHER = "Put both together"


@pytest.fixture
def bob(platform: Platform) -> User:
    """Another user of the platform, on another TV."""
    return platform.user("bob")


@pytest.fixture
def ids(shop: Shop) -> dict[str, str]:
    """Three products."""
    return {sku: shop.product(sku, name=f"Blue {sku}") for sku in ("mug", "hat", "pen")}


@pytest.fixture
def phone(app: Flask, alice: User, bob: User, ids: dict[str, str]) -> Browser:
    """A phone that holds Alice's basket; Bob's holds other things."""
    alice.put(ids["mug"], 3)
    alice.put(ids["pen"], 0)
    bob.put(ids["mug"], 2)
    bob.put(ids["hat"], 1)
    browser = Browser(app)
    browser.take(alice.transfer())
    return browser


def keys(phone: Browser) -> dict[str, str]:
    """Return the key of each basket of the list that is not open, by what is in it."""
    html = phone.get("/baskets").get_data(as_text=True)
    found = {}
    for card in re.findall(r'<li class="card basket">.*?</li>', html, re.DOTALL):
        key = re.search(r'name="key" value="(\w+)"', card)
        names = re.search(r'class="names">(.*?)</p>', card, re.DOTALL)
        if key is not None:
            found[" ".join(re.sub(r"<[^>]+>", "", names[1]).split()) if names else ""] = key[1]
    return found


def press(phone: Browser, action: str, key: str = "") -> Any:
    return phone.submit("/baskets", action=action, key=key)


def test_the_claim_page_says_so_before(phone: Browser, bob: User) -> None:
    said = text_of(phone.get(bob.transfer()["url"]))

    assert "You already have a basket on this phone" in said
    assert "3 items. It stays" in said
    assert TOGETHER in said


def test_a_phone_without_a_basket_is_not_bothered(app: Flask, bob: User) -> None:
    bob.put("x", 1)
    said = text_of(Browser(app).get(bob.transfer()["url"]))

    assert "already have a basket" not in said
    assert TOGETHER not in said


def test_taking_another_one_keeps_the_first(
    phone: Browser, alice: User, bob: User, ids: dict[str, str]
) -> None:
    phone.take(bob.transfer())

    page = text_of(phone.get("/basket"))
    assert "Blue hat" in page
    assert "You have 1 more basket on this phone" in page
    assert alice.cart() == {ids["mug"]: 3}
    assert list(keys(phone)) == ["Blue mug"]


def test_the_way_back(phone: Browser, bob: User) -> None:
    phone.take(bob.transfer())

    assert press(phone, "open", keys(phone)["Blue mug"]).headers["Location"] == "/basket"

    assert "Blue hat" not in text_of(phone.get("/basket"))
    assert list(keys(phone)) == ["Blue mug, Blue hat"]


def test_both_can_be_put_together_by_the_rules_of_merging(
    phone: Browser, alice: User, bob: User, ids: dict[str, str]
) -> None:
    offer = bob.transfer()

    phone.submit(offer["url"], how="together")

    assert bob.cart() == {ids["mug"]: 3, ids["hat"]: 1}
    assert bob.saved() == [ids["pen"]]
    assert alice.cart() == {ids["mug"]: 3}, "the first one is the way back"
    assert "Blue hat" in text_of(phone.get("/basket"))


def test_so_they_can_later(phone: Browser, bob: User, ids: dict[str, str]) -> None:
    phone.take(bob.transfer())

    press(phone, "join", keys(phone)["Blue mug"])

    assert bob.cart() == {ids["mug"]: 3, ids["hat"]: 1}


def test_the_same_basket_again_is_one_in_the_list(phone: Browser, alice: User) -> None:
    assert "already have a basket" not in text_of(phone.get(alice.transfer()["url"]))

    phone.take(alice.transfer())

    assert keys(phone) == {}
    assert "more basket" not in text_of(phone.get("/basket"))


def test_baskets_of_two_partners_are_not_put_together(
    phone: Browser, rival: Platform, alice: User, ids: dict[str, str]
) -> None:
    eve = rival.user("eve")
    eve.put(ids["hat"], 1)
    offer = eve.transfer()
    assert TOGETHER not in text_of(phone.get(offer["url"]))

    phone.submit(offer["url"], how="together")

    assert eve.cart() == {ids["hat"]: 1}
    press(phone, "join", keys(phone)["Blue mug"])
    assert eve.cart() == {ids["hat"]: 1}


def test_when_the_open_one_ends_the_others_are_still_there(phone: Browser, bob: User) -> None:
    phone.take(bob.transfer())
    bob.call("DELETE")

    page = phone.get("/basket")

    assert page.status_code == 404
    assert "This basket has ended" in text_of(page)
    assert "Open my basket" in text_of(page)
    assert "Blue mug" in text_of(phone.get("/basket"))


def test_one_can_be_taken_off_the_phone_and_put_back(phone: Browser, bob: User) -> None:
    phone.take(bob.transfer())
    press(phone, "let-go", keys(phone)["Blue mug"])
    assert keys(phone) == {}

    press(phone, "put-back")

    assert list(keys(phone)) == ["Blue mug"]


def test_where_the_list_has_filled_up_undo_brings_back_and_nothing_is_lost(
    app: Flask, platform: Platform, shop: Shop
) -> None:
    phone = Browser(app)
    first, *others = shop.products(5)

    def take(product: str) -> None:
        user = platform.user(f"owner of {product}")
        user.put(product)
        phone.take(user.transfer())

    for product in (first, *others[:2]):
        take(product)
    press(phone, "let-go", keys(phone)["Mug-0"])
    for product in others[2:]:
        take(product)
    assert list(keys(phone)) == ["Mug-3", "Mug-2", "Mug-1"]

    press(phone, "put-back")
    assert list(keys(phone)) == ["Mug-3", "Mug-2", "Mug-0"]
    press(phone, "put-back")

    assert list(keys(phone)) == ["Mug-3", "Mug-2", "Mug-1"]


def test_a_phone_holds_four_and_says_before_which_one_goes(
    app: Flask, platform: Platform, ids: dict[str, str]
) -> None:
    phone = Browser(app)
    for number in range(5):
        user = platform.user(f"user-{number}")
        user.put(ids["mug"], number + 1)
        offer = user.transfer()
        told = "as many baskets as it can" in text_of(phone.get(offer["url"]))
        assert told == (number == 4)
        phone.take(offer)

    assert len(session_of(phone)["others"]) == 3
    cookie = phone.post("/basket/items", csrf="x").headers.get("Set-Cookie", "")
    assert len(cookie.partition(";")[0]) < 4000
    assert "You have 3 more baskets" in text_of(phone.get("/basket"))


@pytest.mark.parametrize("action", ["open", "join", "let-go", "put-back", "", "x"])
@pytest.mark.parametrize("key", ["", "unknown", "x" * 5000])
def test_nothing_unknown_changes_the_list(action: str, key: str, phone: Browser, bob: User) -> None:
    phone.take(bob.transfer())
    before = keys(phone)

    assert press(phone, action, key).status_code == 303

    assert keys(phone) == before


def test_without_the_pages_secret_nothing_is_changed(phone: Browser, bob: User) -> None:
    phone.take(bob.transfer())
    key = keys(phone)["Blue mug"]

    assert phone.post("/baskets", action="open", key=key).status_code == 403
    assert phone.post("/baskets", csrf="wrong", action="open", key=key).status_code == 403
    assert "Blue hat" in text_of(phone.get("/basket"))


def test_no_list_shows_a_credential(phone: Browser, bob: User) -> None:
    phone.take(bob.transfer())
    page = phone.get("/baskets")
    press(phone, "let-go", keys(phone)["Blue mug"])

    for each in (page, phone.get("/baskets")):
        assert "eyJ" not in each.get_data(as_text=True)
    assert csrf_of(page)
