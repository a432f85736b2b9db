"""After each change of the basket: focus, scroll and screen readers are where the person is."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, BasketOfUser, Merchant, TvApp, data
from tests.e2e.purchasing import press_take, take_over
from tests.e2e.service import Service
from tests.e2e.watched import Screens

SIZES = {"large": (390, 844), "small": (320, 568)}
LEAST_FOR_THE_LIST = 0.75

both_ways = pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])


@pytest.fixture
def ids(service: Service) -> list[str]:
    """Six products of a merchant."""
    merchant = Merchant(service, DEMO_SHOP_KEY)
    skus = [f"FOCUS-{letter}" for letter in "ABCDEF"]
    return [merchant.post(sku, f"Tasse {sku[-1]}", price=1000, stockCount=90)[sku] for sku in skus]


@pytest.fixture
def basket(service: Service, ids: list[str]) -> BasketOfUser:
    """A basket with two of each."""
    return TvApp(service, DEMO_BASKET_KEY).guest(*((identifier, 2) for identifier in ids))


def opened(phone: Page, basket: BasketOfUser) -> Page:
    """Take the basket over, and come to its page."""
    phone.goto(basket.transfer()["url"])
    return take_over(phone)


def button(phone: Page, action: str, name: str) -> Locator:
    return phone.get_by_role("button", name=re.compile(f"^{action} ?: {name}$"))


@both_ways
@pytest.mark.parametrize(
    ("pressed", "focused", "said"),
    [
        ("Eins mehr", ("Eins mehr", "Tasse D"), "Tasse D: 3 im Warenkorb. Gesamt: 130,00 €"),
        ("Eins weniger", ("Eins mehr", "Tasse D"), "Tasse D: 1 im Warenkorb. Gesamt: 110,00 €"),
        ("Merken", ("Merken", "Tasse E"), "Gemerkt: Tasse D"),
        ("Entfernen", ("Rückgängig", "Tasse D"), "Entfernt: Tasse D"),
    ],
)
def test_a_key_press_leaves_the_focus_where_it_makes_sense(
    service: Service,
    screens: Screens,
    basket: BasketOfUser,
    *,
    script: bool,
    pressed: str,
    focused: tuple[str, str],
    said: str,
) -> None:
    phone = opened(screens.phone(service, java_script_enabled=script), basket)
    before = button(phone, pressed, "Tasse D")
    before.focus()

    phone.keyboard.press("Enter")

    target = button(phone, *focused)
    expect(target).to_be_focused()
    expect(target).to_be_in_viewport()
    status = phone.locator("#said")
    expect(status).to_have_role("status")
    expect(status).to_have_text(said)
    if script:
        # What was there when the page was loaded is not announced: it changes a moment later.
        expect(status).to_have_js_property("textContent", said.replace(" €", "\xa0€") + "\xa0")
    else:
        expect(target).to_have_accessible_description(said)


def test_with_a_script_the_page_stays_where_it_was(
    service: Service, screens: Screens, basket: BasketOfUser
) -> None:
    phone = opened(screens.phone(service), basket)
    more = button(phone, "Eins mehr", "Tasse D")
    more.scroll_into_view_if_needed()
    phone.evaluate("window.scrollBy(0, 80)")
    before = more.bounding_box()

    more.tap()

    expect(phone.locator("#said")).to_contain_text("3 im Warenkorb")
    assert more.bounding_box() == before


def test_what_is_told_in_a_card_does_not_push_its_buttons_below_the_bar(
    service: Service, screens: Screens, basket: BasketOfUser, ids: list[str]
) -> None:
    width, height = SIZES["small"]
    phone = opened(screens.phone(service, viewport={"width": width, "height": height}), basket)
    more = button(phone, "Eins mehr", "Tasse D")
    # Just above the bar.
    more.evaluate("button => window.scrollTo(0, button.getBoundingClientRect().bottom - 500)")
    data(basket.product("POST", ids[3], 5))

    more.tap()
    expect(phone.get_by_role("alert")).to_be_visible()

    expect(more).to_be_focused()
    box, bar = more.bounding_box(), phone.locator(".thumb").bounding_box()
    assert box is not None
    assert bar is not None
    assert box["y"] + box["height"] <= bar["y"]


def test_whoever_taps_sees_no_focus_until_a_key_is_pressed(
    service: Service, screens: Screens, basket: BasketOfUser
) -> None:
    phone = opened(screens.phone(service), basket)
    more = button(phone, "Eins mehr", "Tasse A")

    more.tap()
    expect(phone.locator("#said")).to_contain_text("3 im Warenkorb")
    expect(more).to_be_focused()
    expect(phone.locator("html.tapped")).to_have_count(1)

    phone.keyboard.press("Tab")
    expect(phone.locator("html.tapped")).to_have_count(0)
    outline = phone.evaluate("getComputedStyle(document.activeElement).outlineColor")
    assert outline == "rgb(20, 22, 28)"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("action", ["plus", "remove"])
def test_the_list_has_the_screen_to_itself_whatever_is_told(
    service: Service,
    screens: Screens,
    basket: BasketOfUser,
    ids: list[str],
    *,
    size: str,
    action: str,
) -> None:
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    phone = opened(screens.phone(service, viewport=viewport), basket)
    if action == "plus":  # which another device is faster with
        data(basket.product("POST", ids[0], 5))

    phone.locator(f"button[value={action}]").first.tap()
    expect(phone.locator("[role=alert], .undone").first).to_be_in_viewport()

    bars = [phone.locator(name).bounding_box() for name in (".head", ".thumb")]
    taken = sum(bar["height"] for bar in bars if bar is not None)
    assert len(bars) == 2
    assert 1 - taken / height >= LEAST_FOR_THE_LIST


@both_ways
def test_an_outdated_page_leads_back_to_a_fresh_one(
    service: Service, screens: Screens, basket: BasketOfUser, *, script: bool
) -> None:
    phone = screens.phone(service, java_script_enabled=script)
    offer = basket.transfer()
    screens.allow_refusal(403)
    phone.goto(offer["url"])
    # Another session has taken the place of the one that the page was made for.
    phone.context.clear_cookies()
    phone.context.request.get(f"{service.url}/code")
    press_take(phone)
    expect(phone.get_by_role("heading", level=1)).to_have_text("Bitte noch einmal")

    phone.get_by_role("link", name="Noch einmal").click()
    press_take(phone)

    expect(phone).to_have_url(re.compile(r"/basket$"))
