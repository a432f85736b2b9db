"""Errors on pages: each says what to do next, leads to where the person was, and looks like it."""

import re
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from jay.errors import Busy, OutcomeUnknown, TooManyRequests
from jay.kiosk import pages as kiosk_pages
from jay.transfers import tv as tv_pages
from tests.api.browser import Browser, csrf_of, problems_of, text_of
from tests.builders import Platform, Shop, User, add_platform


@pytest.fixture
def kiosk(app: Flask) -> Platform:
    """A partner whose products may be picked on a public screen."""
    return add_platform(app, app.test_client(), "corner", kiosk=True)


@pytest.fixture
def phone(app: Flask) -> Browser:
    """A phone."""
    return Browser(app)


def buttons(page: TestResponse) -> list[tuple[str, str]]:
    """Return where the buttons of a page lead, and what they say."""
    html = page.get_data(as_text=True)
    return re.findall(r'<a class="button[^"]*" href="([^"]+)"[^>]*>([^<]+)</a>', html)


def languages(page: TestResponse) -> list[str]:
    """Return where the links to the languages lead."""
    return re.findall(r'href="([^"]+)" lang="', page.get_data(as_text=True))


# --- the phone: an outdated form


def test_an_outdated_claim_leads_back_to_the_claim(alice: User, phone: Browser) -> None:
    offer = alice.transfer()
    phone.get(offer["url"])
    path = urlsplit(offer["url"]).path

    page = phone.post(offer["url"], csrf="old")

    assert page.status_code == 403
    assert buttons(page)[0] == (path, "Try again")
    assert phone.submit(path).headers["Location"] == "/basket"


def test_an_outdated_basket_leads_back_to_the_basket(alice: User, phone: Browser) -> None:
    phone.take(alice.transfer())

    page = phone.post("/basket/items", csrf="old", action="plus")

    assert buttons(page) == [("/basket", "Try again"), ("/code", "Enter a code")]
    assert "Your basket is safe." in text_of(page)


def test_an_outdated_code_leads_back_to_the_code(phone: Browser) -> None:
    assert buttons(phone.post("/code", csrf="old")) == [("/code", "Try again")]


def test_where_there_is_nothing_a_phone_is_not_sent_back(phone: Browser) -> None:
    assert buttons(phone.get("/nowhere")) == [("/code", "Enter a code")]


def test_a_basket_that_is_busy_can_be_tried_again(
    alice: User, phone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.take(alice.transfer())

    def busy(*_args: object, **_more: object) -> None:
        raise Busy

    monkeypatch.setattr("jay.baskets.service.read", busy)

    page = phone.get("/basket")

    assert page.status_code == 503
    assert buttons(page)[0] == ("/basket", "Try again")


def test_a_basket_of_which_nobody_knows_whether_it_was_changed_can_be_looked_at(
    alice: User, phone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.take(alice.transfer())

    def break_off(*_args: object, **_more: object) -> None:
        raise OutcomeUnknown

    monkeypatch.setattr("jay.baskets.service.read", break_off)

    page = phone.get("/basket")

    assert page.status_code == 503
    assert "It may have worked, or not." in text_of(page)
    assert "A lot is going on" not in text_of(page)


# --- the other language


@pytest.mark.parametrize("path", ["/basket/items", "/code", "/basket", "/t/x", "/tv/x"])
def test_the_other_language_of_what_answers_a_form_can_be_opened(path: str, phone: Browser) -> None:
    page = phone.post(path, csrf="old")

    for address in languages(page):
        assert phone.get(address).status_code != 405, address


def test_the_other_language_of_a_refused_claim_is_the_same_refusal(
    app: Flask, alice: User, phone: Browser
) -> None:
    offer = alice.transfer()
    csrf = csrf_of(phone.get(offer["url"]))
    Browser(app).take(offer)

    german, _english = languages(phone.post(offer["url"], csrf=csrf))

    assert "Schon übernommen" in text_of(phone.get(german))


def test_the_other_language_of_an_outdated_basket_is_the_basket(
    alice: User, phone: Browser
) -> None:
    phone.take(alice.transfer())

    german, _english = languages(phone.post("/basket/items", csrf="old"))

    assert german == "/basket?lang=de"
    assert "Dein Warenkorb" in text_of(phone.get(german))


# --- TV and kiosk


def on_a_large_screen(page: TestResponse) -> bool:
    html = page.get_data(as_text=True)
    return "/static/css/tv.css" in html and "/static/css/phone.css" not in html


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("/kiosk/unknown", "/kiosk"),
        ("/kiosk/unknown/choose", "/kiosk"),
        ("/kiosk/corner/nowhere", "/kiosk/corner"),
        ("/kiosk/corner/code", "/kiosk/corner"),
        ("/kiosk/a/b/c", "/kiosk"),
    ],
)
def test_an_error_at_the_kiosk_leads_to_its_start(
    path: str, home: str, kiosk: Platform, phone: Browser
) -> None:
    page = phone.get(path)

    assert page.status_code in {404, 405}
    assert on_a_large_screen(page)
    assert problems_of(page) == []
    # Above a partner that there is not, or whose kiosk is closed, stands the list of those open.
    (address, words), *others = buttons(page)
    assert (words, others) == ("To the start", [])
    assert address in {home, "/kiosk/unknown", "/kiosk/a"}
    if address == home:
        assert phone.get(home).status_code in {200, 303, 302}


@pytest.mark.parametrize("path", ["/kiosk/corner", "/kiosk/corner/code", "/kiosk/corner/reset"])
def test_an_outdated_form_of_the_kiosk_leads_to_the_wall(
    path: str, kiosk: Platform, phone: Browser
) -> None:
    page = phone.post(path, csrf="old")

    assert page.status_code == 403
    assert on_a_large_screen(page)
    assert buttons(page) == [("/kiosk/corner", "To the start")]
    # A kiosk that nobody touches goes there by itself, with a script and without one.
    html = page.get_data(as_text=True)
    assert 'id="wall" data-idle="20"' in html
    assert 'data-home="/kiosk/corner"' in html
    assert (
        '<noscript><meta http-equiv="refresh" content="20; url=/kiosk/corner"></noscript>' in html
    )


@pytest.mark.parametrize("error", [TooManyRequests, Busy])
def test_a_kiosk_that_can_not_go_on_says_so_and_leads_to_the_wall(
    error: type[Exception],
    kiosk: Platform,
    shop: Shop,
    phone: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_args: object) -> None:
        raise error

    monkeypatch.setattr(kiosk_pages, "take_all", refuse)

    page = phone.submit("/kiosk/corner", "/kiosk/corner", product_id=shop.product("mug"))

    assert page.status_code in {429, 503}
    assert page.headers["Retry-After"]
    assert on_a_large_screen(page)
    # It says that trying again helps, and what was picked is still there.
    assert buttons(page) == [("/kiosk/corner", "Try again")]


def test_an_error_below_a_tvs_address_looks_like_the_tv(phone: Browser) -> None:
    page = phone.get("/tv/unknown/nowhere")

    assert page.status_code == 404
    assert on_a_large_screen(page)
    assert "Get a new code in the app" in text_of(page)
    assert buttons(page) == []


def test_a_tv_that_asks_for_too_many_codes_can_try_again(
    alice: User, phone: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = alice.transfer()

    def refuse(*_args: object) -> None:
        raise TooManyRequests

    monkeypatch.setattr(tv_pages, "take_all", refuse)

    page = phone.post(offer["displayUrl"])

    assert page.status_code == 429
    assert on_a_large_screen(page)
    path = urlsplit(offer["displayUrl"]).path
    assert buttons(page) == [(path, "Try again")]
    # In the app's frame, too: there a page that may not be framed is no page at all.
    assert "frame-ancestors https://tv.example" in page.headers["Content-Security-Policy"]
    # And tries again by itself, with a script and without one: it may hang at a kiosk.
    html = page.get_data(as_text=True)
    assert f'data-idle="20" data-net="ok" data-used data-home="{path}"' in html
    assert "/static/js/kiosk.js" in html
    assert f'<noscript><meta http-equiv="refresh" content="20; url={path}"></noscript>' in html
