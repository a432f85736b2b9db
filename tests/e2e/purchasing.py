"""The way from the basket on the TV to the phone, and to a paid order, in German."""

import re

from playwright.sync_api import Page, expect

from tests.e2e.checkout_states import PAYS, ZOE
from tests.e2e.watched import expect_same_pair, expect_state, scan

TAKE = "Ja, übernehmen"


def go_to_checkout(tv: Page, phone: Page, display_url: str) -> None:
    """Take the basket over that the TV shows, and tell the address."""
    tv.goto(display_url)
    phone.goto(scan(tv))
    expect_same_pair(tv, phone)
    press_take(phone)
    expect_state(tv, "claimed")
    phone.get_by_role("link", name="Zur Kasse").click()
    tell_address(phone)


def take_over(phone: Page) -> Page:
    """Take over the basket that the page asks about, and come to its page."""
    press_take(phone)
    expect(phone).to_have_url(re.compile(r"/basket$"))
    return phone


def press_take(phone: Page) -> None:
    """Press the button of the page that asks whether to take a basket over."""
    phone.get_by_role("button", name=TAKE).click()


def tell_address(phone: Page) -> None:
    """Fill the form in."""
    for name, text in ZOE.items():
        if name != "countryCode":
            phone.locator(f"#{name}").fill(text)
    phone.locator("#countryCode").select_option(ZOE["countryCode"])
    phone.get_by_role("button", name="Weiter").click()


def pay(phone: Page, card: str = PAYS) -> None:
    """Press the button, and pay with a card."""
    phone.get_by_role("button", name="Zahlungspflichtig bestellen").click()
    phone.get_by_label("Kartennummer").fill(card)
    phone.locator(".fields .button").click()
