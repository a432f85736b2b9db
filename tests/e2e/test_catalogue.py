"""The catalogue in a real browser: an id is copied with one press."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.service import Service
from tests.e2e.test_old_browsers import TOO_NEW_TO_CALL, why_not_ecmascript_5
from tests.e2e.watched import Screens
from tests.servers import ROOT

MUG = "demo-shop/de-DE/TEEW-MUG-07"
# As browsers are where the service is reached without https.
WITHOUT_CLIPBOARD = "Object.defineProperty(window, 'isSecureContext', {value: false})"


def open_mug(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/catalogue?q={MUG}")
    expect(page.locator(".item")).to_have_count(1)


@pytest.mark.parametrize("https", [True, False])
def test_one_press_copies_the_id_and_says_so(
    service: Service, screens: Screens, *, https: bool
) -> None:
    page = screens.phone(service, permissions=["clipboard-read", "clipboard-write"])
    if not https:
        page.add_init_script(WITHOUT_CLIPBOARD)
    open_mug(page, service)

    page.get_by_role("button", name=f"{MUG} kopieren").click()

    expect(page.locator("#told")).to_have_text("Kopiert")
    assert page.evaluate("navigator.clipboard.readText()") == MUG


def test_without_a_script_there_is_the_id_and_no_button(service: Service, browser: Browser) -> None:
    context = browser.new_context(locale="de-DE", java_script_enabled=False)
    page = context.new_page()
    open_mug(page, service)

    expect(page.locator(".id code")).to_have_text(MUG)
    expect(page.locator(".copy")).to_be_hidden()
    page.locator(".id code").click()
    assert page.evaluate("String(window.getSelection())") == MUG
    context.close()


def test_the_script_is_ecmascript_5() -> None:
    script = (ROOT / "static" / "js" / "catalogue.js").read_text()

    assert why_not_ecmascript_5(script) == ""
    assert TOO_NEW_TO_CALL.search(script) is None


def test_a_keyboard_alone_finds_and_opens_a_product(service: Service, screens: Screens) -> None:
    page = screens.tv(service)
    page.goto(f"{service.url}/catalogue")

    page.get_by_label("Name, Marke, SKU oder Produkt-ID").focus()
    page.keyboard.type("raumschiff")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.locator(".item .name a").first.focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")

    expect(page.locator("h1")).to_have_text("Becher Raumschiff")
