"""A browser that keeps no cookies: it is told so, and takes a basket over all the same."""

import re
from typing import Any

import pytest
from flask import Flask

from tests.api.browser import text_of
from tests.builders import Shop, User

FROM_HERE = {"Sec-Fetch-Site": "same-origin", "Accept-Language": "en"}


@pytest.fixture
def phone(app: Flask) -> Any:
    """A phone whose browser keeps no cookies."""
    return app.test_client(use_cookies=False)


@pytest.fixture
def mug(alice: User, shop: Shop) -> str:
    """A mug, twice in the basket."""
    identifier = shop.product("mug", name="Blue Mug")
    alice.put(identifier, 2)
    return identifier


def fields(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))


def take(phone: Any, alice: User, **more: str) -> tuple[Any, str]:
    path = alice.transfer()["url"].removeprefix("http://localhost")
    form = fields(phone.get(path).get_data(as_text=True))
    return phone.post(path, data={**form, **more}, headers=FROM_HERE), path


def test_it_is_told_what_is_wrong(phone: Any, alice: User, mug: str) -> None:
    path = alice.transfer()["url"].removeprefix("http://localhost")

    refused = phone.post(path, data={"csrf": "x"}, headers={"Accept-Language": "en"})

    assert refused.status_code == 403
    assert "Your browser sent no cookie" in text_of(refused)
    assert "Allow cookies" in text_of(refused)
    assert "open for too long" not in text_of(refused)


def test_a_page_that_was_open_for_too_long_is_told_so(app: Flask) -> None:
    phone = app.test_client()
    phone.get("/code")

    refused = phone.post("/code", data={"csrf": "x"}, headers={"Accept-Language": "en"})

    assert "open for too long" in text_of(refused)


def test_it_takes_the_basket_over(phone: Any, alice: User, mug: str) -> None:
    taken, path = take(phone, alice)

    assert taken.status_code == 200
    assert "Your browser keeps no cookies" in text_of(taken)
    assert "Blue Mug" in text_of(taken)
    assert taken.headers["Cache-Control"] == "no-store"
    assert phone.get(path).status_code == 409


def test_it_changes_the_basket(phone: Any, alice: User, mug: str) -> None:
    taken, _path = take(phone, alice)
    form = fields(taken.get_data(as_text=True))

    page = phone.post("/basket/items", data={**form, "action": "plus", "product_id": mug})

    assert page.status_code == 200
    assert alice.cart() == {mug: 3}
    page = phone.post(
        "/basket/items",
        data={**fields(page.get_data(as_text=True)), "action": "remove", "product_id": mug},
        headers=FROM_HERE,
    )
    assert "Removed: Blue Mug Undo" in text_of(page)
    assert alice.cart() == {}


def test_a_lost_answer_can_be_asked_for_again(phone: Any, alice: User, mug: str) -> None:
    path = alice.transfer()["url"].removeprefix("http://localhost")
    form = fields(phone.get(path).get_data(as_text=True))

    answers = [phone.post(path, data=form, headers=FROM_HERE) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    other = fields(phone.get("/code").get_data(as_text=True))
    assert phone.post(path, data={**other, "once": "guess"}, headers=FROM_HERE).status_code == 409


@pytest.mark.parametrize("site", [None, "cross-site", "same-site", "none"])
def test_no_other_site_can_make_it_take_a_basket(
    site: str | None, phone: Any, alice: User, mug: str
) -> None:
    offer = alice.transfer()
    path = offer["url"].removeprefix("http://localhost")
    form = fields(phone.get(path).get_data(as_text=True))

    headers = {} if site is None else {"Sec-Fetch-Site": site}
    assert phone.post(path, data=form, headers=headers).status_code == 403

    assert phone.get(path).status_code == 200


def test_with_cookies_the_secret_of_the_page_still_counts(
    app: Flask, alice: User, mug: str
) -> None:
    phone = app.test_client()
    path = alice.transfer()["url"].removeprefix("http://localhost")
    phone.get(path)

    assert phone.post(path, data={"csrf": "x"}, headers=FROM_HERE).status_code == 403


@pytest.mark.one_database
@pytest.mark.parametrize(
    "credential", ["", "1", "1.", ".x", "1.eyJ", "999999999.x", "9" * 40 + ".x", "x.y.z", "1.\0"]
)
def test_a_made_up_credential_opens_nothing(credential: str, phone: Any, mug: str) -> None:
    form = {"credential": credential, "action": "plus", "product_id": mug}

    assert phone.post("/basket/items", data=form, headers=FROM_HERE).status_code in {403, 404}


def test_it_types_a_code(phone: Any, alice: User, mug: str) -> None:
    offer = alice.transfer()

    typed = phone.post("/code", data={"user_code": offer["userCode"]}, headers=FROM_HERE)

    assert typed.status_code == 303
    assert "/t/" in typed.headers["Location"]
