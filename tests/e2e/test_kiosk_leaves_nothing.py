"""One person's time at the kiosk leaves nothing for the next person."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from playwright.sync_api import Page, expect

from tests.e2e.service import SECRET, Service
from tests.e2e.watched import Screens, expect_state

IDLE_MS = 61_000
FRESH_SESSION = {"csrf", "_permanent"}

STORED = """async () => ({
  local: localStorage.length,
  session: sessionStorage.length,
  databases: (await indexedDB.databases()).length,
  caches: window.isSecureContext ? (await caches.keys()).length : 0,
  workers: navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0,
  history: history.state,
  name: window.name,
})"""
NOTHING_STORED = {
    "local": 0,
    "session": 0,
    "databases": 0,
    "caches": 0,
    "workers": 0,
    "history": None,
    "name": "",
}


def kiosk(service: Service, screens: Screens) -> Page:
    """Switch a kiosk on, whose browser's clock the test can move."""
    page = screens.tv(service)
    page.clock.install()
    page.goto(f"{service.url}/kiosk/demo")
    return page


def wall(page: Page) -> str:
    """Return the address at which everybody begins."""
    return re.sub(r"(https?://[^/]+)/.*", r"\1/kiosk/demo", page.url)


def shop_in_english(page: Page) -> None:
    """Be a person: choose a language, turn the page, pick two products."""
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Pick something")
    page.wait_for_load_state()
    page.get_by_role("link", name="Next page").click()
    expect(page.locator(".pager")).to_contain_text("2 /")
    page.wait_for_load_state()
    pick(page, 1)
    pick(page, 2)


def pick(page: Page, count: int) -> None:
    """Pick one more product."""
    page.locator("button.tile:enabled").nth(count - 1).click()
    expect(page.locator(".mini")).to_have_count(count)


def show_code(page: Page) -> None:
    """Ask for the code of what was picked."""
    page.get_by_role("button", name="Show code").click()
    expect_state(page, "pending")


def goes_away(page: Page, service: Service) -> None:
    """Leave the wall as it is."""
    page.clock.run_for(IDLE_MS)


def starts_again(page: Page, service: Service) -> None:
    """Press the button that forgets everything, after a question."""
    page.get_by_role("link", name="Change").click()
    page.get_by_role("link", name="Start again").click()
    page.get_by_role("button", name="Yes, start again").click()


def leaves_the_code(page: Page, service: Service) -> None:
    """Walk away from the code, which then expires."""
    show_code(page)
    page.wait_for_load_state()  # its picture, too, which is gone with the minute
    service.move_clock(60)
    page.clock.run_for(2_000)
    expect_state(page, "expired")
    page.clock.run_for(IDLE_MS)


def takes_it_along(page: Page, service: Service) -> None:
    """Take the basket over with a phone, and say so at the kiosk."""
    show_code(page)
    typed = page.locator(".typed strong").inner_text()
    phone = page.context.browser.new_context()  # type: ignore[union-attr]
    form = phone.new_page()
    form.goto(wall(page).replace("/kiosk/demo", "/code"))
    form.locator("#user_code").fill(typed)
    form.locator("#claim button").click()
    form.wait_for_url("**/basket")
    phone.close()
    page.clock.run_for(2_000)
    expect_state(page, "claimed")
    page.get_by_role("button", name="Start again").click()


Leave = Callable[[Page, Service], None]
every_way_to_leave = pytest.mark.parametrize(
    "leave", [goes_away, starts_again, leaves_the_code, takes_it_along]
)


def session_in(page: Page) -> dict[str, Any]:
    """Read what the service keeps in a browser, which is all that it keeps of a person."""
    app = Flask("reader")
    app.secret_key = SECRET
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    (cookie,) = page.context.cookies()
    content: dict[str, Any] = serializer.loads(cookie["value"])
    return content


@every_way_to_leave
def test_the_next_person_finds_a_fresh_kiosk(
    moved_service: Service, screens: Screens, leave: Leave
) -> None:
    page = kiosk(moved_service, screens)
    fresh = page.locator("main").inner_text()
    shop_in_english(page)
    of_the_first_person = session_in(page)
    assert not of_the_first_person.keys() <= FRESH_SESSION

    leave(page, moved_service)

    expect(page).to_have_url(wall(page))
    expect(page.locator(".mini, .tile .count")).to_have_count(0)
    expect(page.locator("main")).to_have_js_property("innerText", fresh)
    assert session_in(page).keys() <= FRESH_SESSION
    assert session_in(page)["csrf"] != of_the_first_person["csrf"]
    assert page.evaluate(STORED) == NOTHING_STORED


@every_way_to_leave
def test_no_button_of_the_browser_leads_back_to_the_last_person(
    moved_service: Service, screens: Screens, leave: Leave
) -> None:
    page = kiosk(moved_service, screens)
    fresh = page.evaluate("history.length")
    shop_in_english(page)
    leave(page, moved_service)
    expect(page).to_have_url(wall(page))
    expect(page.locator(".mini")).to_have_count(0)

    assert page.evaluate("history.length") == fresh
    for _ in range(2):
        page.go_back()
        expect(page.locator(".mini, .tile .count, .goods, .card")).to_have_count(0)
    page.go_forward()
    expect(page.locator(".mini, .tile .count, .goods, .card")).to_have_count(0)


def test_without_scripts_a_reset_forgets_the_person_too(
    moved_service: Service, screens: Screens
) -> None:
    page = screens.tv(moved_service, java_script_enabled=False)
    page.goto(f"{moved_service.url}/kiosk/demo?lang=en")
    pick(page, 1)
    starts_again(page, moved_service)
    expect(page.locator(".mini")).to_have_count(0)
    assert session_in(page).keys() <= FRESH_SESSION

    # The browser may go back, but fetches anew what it finds there.
    page.go_back()
    expect(page.locator(".mini, .tile .count")).to_have_count(0)


def test_a_kiosk_has_nothing_that_a_browser_could_remember_for_a_form(
    moved_service: Service, screens: Screens
) -> None:
    page = kiosk(moved_service, screens)
    shop_in_english(page)
    fields = page.locator("input:not([type=hidden]), textarea, select")
    expect(fields).to_have_count(0)
    show_code(page)
    expect(fields).to_have_count(0)


def test_nobody_is_sent_away_while_a_phone_can_still_scan(
    moved_service: Service, screens: Screens
) -> None:
    page = kiosk(moved_service, screens)
    shop_in_english(page)
    show_code(page)
    address = page.url

    page.clock.run_for(IDLE_MS)

    assert page.url == address


def test_whoever_is_still_there_is_asked_and_keeps_the_basket(
    moved_service: Service, screens: Screens
) -> None:
    page = kiosk(moved_service, screens)
    shop_in_english(page)
    page.clock.run_for(45_000)
    expect(page.get_by_text("Still there?")).to_be_visible()

    page.keyboard.press("ArrowLeft")

    expect(page.get_by_text("Still there?")).to_be_hidden()
    page.clock.run_for(45_000)
    expect(page.locator(".mini")).to_have_count(2)
