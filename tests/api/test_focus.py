"""After a change on the basket page: the focus, what is said, and what the session holds."""

import re

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jay.errors import Busy
from tests.api.browser import Browser, csrf_of, session_of, text_of
from tests.builders import Shop, User


@pytest.fixture
def ids(shop: Shop) -> dict[str, str]:
    """Three products."""
    return {sku: shop.product(sku, price=1000) for sku in ("mug", "hat", "pen")}


@pytest.fixture
def phone(app: Flask, alice: User, ids: dict[str, str]) -> Browser:
    """A phone with two of each in its basket."""
    for identifier in ids.values():
        alice.put(identifier, 2)
    browser = Browser(app)
    browser.take(alice.transfer())
    return browser


def press(phone: Browser, action: str, product_id: str, **form: str) -> TestResponse:
    phone.submit("/basket", "/basket/items", action=action, product_id=product_id, **form)
    return phone.get("/basket")


def focused(page: TestResponse) -> tuple[str, str] | str:
    """Return the product and the button that have the focus, or the tag of something else."""
    html = page.get_data(as_text=True)
    found = re.findall(r"<(\w+)([^>]*) autofocus", html)
    assert len(found) == 1, found
    tag, attributes = found[0]
    name = re.search(r'(?:name="(count)"|value="(\w+)")', attributes)
    if name is None:
        return str(tag)
    product = re.findall(r'name="product_id" value="([^"]+)"', html[: html.index(" autofocus")])[-1]
    return product.rpartition("/")[2], name[1] or name[2]


def said(page: TestResponse) -> str:
    found = re.search(r'id="said" role="status">([^<]*)<', page.get_data(as_text=True))
    assert found is not None
    return found[1]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("action", "form", "expected"),
    [
        ("plus", {}, ("hat", "plus")),
        ("plus", {"count": "998"}, ("hat", "count")),
        ("minus", {"count": "3"}, ("hat", "minus")),
        ("minus", {}, ("hat", "plus")),
        ("set", {"count": "7"}, ("hat", "count")),
        ("save", {}, ("pen", "save")),
        ("remove", {}, ("hat", "undo")),
    ],
)
def test_the_focus_stays_where_it_makes_sense(
    action: str,
    form: dict[str, str],
    expected: tuple[str, str],
    ids: dict[str, str],
    phone: Browser,
) -> None:
    assert focused(press(phone, action, ids["hat"], **form)) == expected


def test_saving_the_last_line_goes_to_the_one_before(ids: dict[str, str], phone: Browser) -> None:
    assert focused(press(phone, "save", ids["pen"])) == ("hat", "save")


def test_saving_the_only_line_goes_along_with_it(ids: dict[str, str], phone: Browser) -> None:
    for name in ("mug", "hat"):
        press(phone, "remove", ids[name])

    assert focused(press(phone, "save", ids["pen"])) == ("pen", "cart")


def test_moving_to_the_basket_goes_to_the_next_saved_one_and_then_along(
    ids: dict[str, str], phone: Browser
) -> None:
    for name in ("mug", "hat"):
        press(phone, "save", ids[name])

    assert focused(press(phone, "cart", ids["mug"])) == ("hat", "cart")
    assert focused(press(phone, "cart", ids["hat"])) == ("hat", "plus")


def test_undoing_goes_to_the_product_that_is_back(ids: dict[str, str], phone: Browser) -> None:
    press(phone, "remove", ids["hat"])

    assert focused(press(phone, "undo", ids["hat"], count="2")) == ("hat", "plus")


def test_what_has_gone_on_another_device_leads_to_the_top(
    alice: User, ids: dict[str, str], phone: Browser
) -> None:
    csrf = csrf_of(phone.get("/basket"))
    alice.product("DELETE", ids["hat"])
    phone.post("/basket/items", csrf=csrf, action="plus", product_id=ids["hat"])

    page = phone.get("/basket")

    assert focused(page) == "h1"
    assert "This was removed on another device." in text_of(page)


def test_what_is_sold_out_leads_to_saving_it(
    ids: dict[str, str], shop: Shop, phone: Browser
) -> None:
    shop.product("hat", price=1000, stock_count=0)

    assert focused(press(phone, "plus", ids["hat"])) == ("hat", "count")
    press(phone, "set", ids["hat"], count="1")
    assert focused(press(phone, "plus", ids["hat"])) == ("hat", "save")


def test_a_page_that_follows_no_change_takes_no_focus(phone: Browser) -> None:
    assert " autofocus" not in phone.get("/basket").get_data(as_text=True)


def test_a_reload_takes_no_focus(ids: dict[str, str], phone: Browser) -> None:
    press(phone, "plus", ids["hat"])

    page = phone.get("/basket")

    assert " autofocus" not in page.get_data(as_text=True)
    assert said(page) == ""


@pytest.mark.parametrize(
    ("action", "form", "expected"),
    [
        ("plus", {}, "Hat: 3 in the basket. Total: €70.00"),
        ("set", {"count": "1"}, "Hat: 1 in the basket. Total: €50.00"),
        ("save", {}, "Saved for later: Hat"),
        ("remove", {}, "Removed: Hat"),
    ],
)
def test_a_change_is_said(
    action: str, form: dict[str, str], expected: str, ids: dict[str, str], phone: Browser
) -> None:
    page = press(phone, action, ids["hat"], **form)

    assert said(page) == expected
    assert ' autofocus aria-describedby="said"' in page.get_data(as_text=True)


def test_what_did_not_work_is_said_once_and_in_the_card(
    ids: dict[str, str], shop: Shop, phone: Browser
) -> None:
    shop.product("hat", price=1000, stock_count=0)

    page = press(phone, "plus", ids["hat"])

    assert said(page) == ""
    card = re.search(
        r'<li class="line off touched".*?</li>', page.get_data(as_text=True), re.DOTALL
    )
    assert card is not None
    assert '<p class="note is-error" role="alert">' in card[0]


def test_what_was_removed_can_be_taken_back_where_it_stood(
    ids: dict[str, str], phone: Browser
) -> None:
    html = press(phone, "remove", ids["hat"]).get_data(as_text=True)

    assert re.findall(r'<li class="(\w+)', html) == ["line", "undone", "line"]


def test_the_last_one_of_a_basket_can_be_taken_back(
    alice: User, ids: dict[str, str], phone: Browser
) -> None:
    for name in ("mug", "hat", "pen"):
        page = press(phone, "remove", ids[name])

    assert "Removed: Pen Undo" in text_of(page)
    assert focused(page) == ("pen", "undo")


def test_what_could_not_be_written_is_not_told(
    alice: User, ids: dict[str, str], phone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    csrf = csrf_of(phone.get("/basket"))

    def busy(*_args: object, **_more: object) -> None:
        raise Busy

    with monkeypatch.context() as broken:
        broken.setattr("jay.baskets.service.apply", busy)
        refused = phone.post("/basket/items", csrf=csrf, action="remove", product_id=ids["hat"])

    assert refused.status_code == 503
    page = phone.get("/basket")
    assert said(page) == ""
    assert "Undo" not in text_of(page)
    assert alice.cart()[ids["hat"]] == 2


def test_the_offer_to_undo_never_names_the_product_of_a_later_change(
    ids: dict[str, str], phone: Browser
) -> None:
    csrf = csrf_of(phone.get("/basket"))
    # Quick fingers on a slow network: the page between the two changes is never shown.
    phone.post("/basket/items", csrf=csrf, action="remove", product_id=ids["hat"])

    phone.post("/basket/items", csrf=csrf, action="plus", product_id=ids["mug"])

    page = phone.get("/basket")
    assert said(page) == "Mug: 3 in the basket. Total: €50.00"
    assert "Undo" not in text_of(page)


# --- the session is a cookie, and short


@pytest.mark.parametrize("action", ["plus", "save", "remove", "undo", "x" * 5000])
def test_the_session_stays_short_whatever_is_sent(
    action: str, ids: dict[str, str], phone: Browser
) -> None:
    csrf = csrf_of(phone.get("/basket"))

    response = phone.post("/basket/items", csrf=csrf, action=action, product_id="ü" * 9000)

    cookie = response.headers["Set-Cookie"].partition(";")[0]
    assert len(cookie) < 4000
    assert phone.get("/basket").status_code == 200


def test_the_session_stays_short_with_the_longest_product(
    alice: User, shop: Shop, phone: Browser
) -> None:
    sku = "".join(chr(0x4E00 + number) for number in range(200))
    name = "".join(chr(0x5E00 + number) for number in range(500))
    longest = shop.product(sku, name=name)
    alice.put(longest, 2)
    csrf = csrf_of(phone.get("/basket"))

    response = phone.post("/basket/items", csrf=csrf, action="remove", product_id=longest)

    assert len(response.headers["Set-Cookie"].partition(";")[0]) < 4000
    page = phone.get("/basket")
    assert "Undo" in text_of(page)
    phone.post("/basket/items", csrf=csrf, action="undo", product_id=longest, count="2")
    assert alice.cart()[longest] == 2


def test_the_session_keeps_nothing_of_what_was_told(ids: dict[str, str], phone: Browser) -> None:
    before = session_of(phone).keys()

    press(phone, "remove", ids["hat"])
    press(phone, "plus", "unknown")

    assert session_of(phone).keys() == before
