"""Two phones on one basket, the look of a partner and the choice of a size, in real browsers."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, BasketOfUser, Merchant, TvApp, data
from tests.e2e.purchasing import TAKE, take_over
from tests.e2e.service import Service
from tests.e2e.watched import NOTE_REQUESTS, Screens, press_until_focused, rows, scan

NEWS = "Auf einem anderen Gerät geändert."
POLL_SECONDS = 4
POLL = "**/basket/state"


@pytest.fixture
def ids(service: Service) -> dict[str, str]:
    """Three products of a merchant."""
    merchant = Merchant(service, DEMO_SHOP_KEY)
    return {
        sku: merchant.post(f"TWO-{sku}", f"Tasse {sku}", price=1000, stockCount=90)[f"TWO-{sku}"]
        for sku in ("A", "B", "C")
    }


@pytest.fixture
def basket(service: Service, ids: dict[str, str]) -> BasketOfUser:
    """A basket with two of them; the TV is the other device."""
    return TvApp(service, DEMO_BASKET_KEY).guest((ids["A"], 1), (ids["B"], 2))


def opened(phone: Page, basket: BasketOfUser) -> Page:
    """Take the basket over, and come to its page; the phone's clock can be moved then."""
    phone.clock.install()
    phone.add_init_script(NOTE_REQUESTS)
    phone.goto(basket.transfer()["url"])
    return take_over(phone)


def button(phone: Page, action: str, name: str) -> Locator:
    return phone.get_by_role("button", name=re.compile(f"^{action} ?: {name}$"))


def ask(phone: Page) -> None:
    """Let the time pass until the phone asks what is new, and wait for the answer."""
    with phone.expect_response(POLL):
        phone.clock.run_for((POLL_SECONDS + 1) * 1000)


def news(phone: Page) -> None:
    ask(phone)
    expect(phone.locator("#news")).to_have_text(NEWS)


def test_the_other_devices_change_appears_by_itself_and_is_said(
    service: Service, screens: Screens, basket: BasketOfUser, ids: dict[str, str]
) -> None:
    phone = opened(screens.phone(service), basket)
    expect(phone.locator("#news")).to_have_text("")

    data(basket.product("POST", ids["C"], 3))
    data(basket.product("DELETE", ids["A"]))
    news(phone)

    assert rows(phone, "name", "count") == [("Tasse B", "2"), ("Tasse C", "3")]
    expect(phone.locator(".totals .all dd")).to_have_text("50,00 €")
    phone.clock.run_for(10_000)
    expect(phone.locator("#news")).to_have_text("")
    # The new buttons work as the old ones did.
    phone.get_by_role("button", name="Eins mehr: Tasse C").tap()
    expect(phone.locator(".totals .all dd")).to_have_text("60,00 €")
    assert basket.cart() == {ids["B"]: 2, ids["C"]: 4}


def test_focus_and_scroll_stay_where_they_are(
    service: Service, screens: Screens, basket: BasketOfUser, ids: dict[str, str]
) -> None:
    small = {"width": 390, "height": 500}
    phone = opened(screens.phone(service, viewport=small), basket)
    pressed = button(phone, "Merken", "Tasse B")
    pressed.focus()
    pressed.scroll_into_view_if_needed()
    phone.evaluate("window.scrollBy(0, 60)")
    before = pressed.bounding_box()
    assert before is not None
    assert phone.evaluate("window.pageYOffset") > 0

    data(basket.product("POST", ids["B"], 5))
    news(phone)

    expect(pressed).to_be_focused()
    after = pressed.bounding_box()
    assert after is not None
    assert abs(after["y"] - before["y"]) < 2


def test_when_the_focused_product_is_gone_the_focus_goes_to_the_heading(
    service: Service, screens: Screens, basket: BasketOfUser, ids: dict[str, str]
) -> None:
    phone = opened(screens.phone(service), basket)
    button(phone, "Merken", "Tasse A").focus()

    data(basket.product("DELETE", ids["A"]))
    news(phone)

    expect(phone.get_by_role("heading", level=1)).to_be_focused()


def test_a_half_typed_count_is_not_taken_away_and_its_conflict_is_told(
    service: Service, screens: Screens, basket: BasketOfUser, ids: dict[str, str]
) -> None:
    phone = opened(screens.phone(service), basket)
    field = phone.get_by_label("Anzahl: Tasse B").and_(phone.get_by_role("textbox"))
    field.fill("9")
    asked: list[str] = []
    phone.on("request", lambda request: asked.append(request.url))

    data(basket.product("POST", ids["B"], 5))
    phone.clock.run_for(3 * POLL_SECONDS * 1000)
    assert asked == []  # what is new can wait
    expect(field).to_have_value("9")
    field.press("Enter")

    expect(phone.get_by_role("alert")).to_contain_text("Ein anderes Gerät hat „Tasse B“")
    expect(field).to_have_value("5")
    assert basket.cart()[ids["B"]] == 5


def test_the_offer_to_undo_survives_a_change_of_another_device(
    service: Service, screens: Screens, basket: BasketOfUser, ids: dict[str, str]
) -> None:
    phone = opened(screens.phone(service), basket)
    button(phone, "Entfernen", "Tasse B").tap()
    expect(phone.locator(".undone")).to_contain_text("Entfernt: Tasse B")

    data(basket.product("POST", ids["C"], 1))
    news(phone)
    phone.get_by_role("button", name="Rückgängig").tap()

    expect(button(phone, "Entfernen", "Tasse B")).to_be_visible()
    assert basket.cart() == {ids["A"]: 1, ids["C"]: 1, ids["B"]: 2}


def test_a_basket_that_is_deleted_elsewhere_says_what_to_do(
    service: Service, screens: Screens, basket: BasketOfUser
) -> None:
    phone = opened(screens.phone(service), basket)
    screens.allow_refusal(404)

    data(basket.call("DELETE"))

    ask(phone)
    heading = phone.get_by_role("heading", level=1)
    expect(heading).to_have_text("Diesen Warenkorb gibt es nicht mehr")
    expect(phone.get_by_role("link", name="Code eingeben")).to_be_visible()


def test_a_page_that_nobody_sees_does_not_ask(
    service: Service, screens: Screens, basket: BasketOfUser, ids: dict[str, str]
) -> None:
    phone = opened(screens.phone(service), basket)
    asked: list[str] = []
    phone.on(
        "request", lambda request: asked.append(request.url) if "/basket" in request.url else None
    )
    show = """state => {
        Object.defineProperty(document, 'visibilityState', {value: state, configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }"""

    phone.evaluate(show, "hidden")
    data(basket.product("POST", ids["C"], 1))
    phone.clock.run_for(60_000)
    assert asked == []

    phone.evaluate(show, "visible")
    expect(phone.locator("#news")).to_have_text(NEWS)


def test_a_lost_network_is_asked_less_and_less_and_recovers(
    service: Service, screens: Screens, basket: BasketOfUser, ids: dict[str, str]
) -> None:
    phone = opened(screens.phone(service), basket)
    tries: list[str] = []

    def refuse(route: Route) -> None:
        tries.append(route.request.url)
        route.fulfill(status=500, body="broken")

    screens.allow_refusal(500)
    phone.route(POLL, refuse)
    for _ in range(120):
        phone.clock.run_for(1000)
        phone.evaluate("allAnswered()")
    # Every 4 s would be 30 tries; twice the time after each failure is no more than a handful.
    assert 3 <= len(tries) <= 8

    phone.unroute(POLL)
    data(basket.product("POST", ids["C"], 1))
    for _ in range(70):
        phone.clock.run_for(1000)
        phone.evaluate("allAnswered()")
        if phone.locator("#news").inner_text() == NEWS:
            break
    expect(button(phone, "Entfernen", "Tasse C")).to_be_visible()


def test_without_javascript_a_conflict_is_told_all_the_same(
    service: Service, screens: Screens, basket: BasketOfUser, ids: dict[str, str]
) -> None:
    phone = opened(screens.phone(service, java_script_enabled=False), basket)
    data(basket.product("POST", ids["B"], 5))

    phone.get_by_role("button", name="Eins mehr: Tasse B").click()

    expect(phone.get_by_role("alert")).to_contain_text("Ein anderes Gerät hat „Tasse B“")
    assert basket.cart()[ids["B"]] == 5
    phone.get_by_role("button", name="Eins mehr: Tasse B").click()
    expect(phone.get_by_role("alert")).to_have_count(0)
    assert basket.cart()[ids["B"]] == 6


# --- the look of a partner


def test_a_partner_s_colour_and_logo_are_on_every_screen(
    service: Service, screens: Screens, ids: dict[str, str], tmp_path: Path
) -> None:
    logo = tmp_path / "logo.png"
    Image.new("RGB", (400, 100), "#7a1f5c").save(logo)
    key = service.add_partner("gelb", "--colour", "#FFD500", "--logo", str(logo))
    tv, phone = screens.tv(service), screens.phone(service)
    basket = TvApp(service, key).guest((ids["A"], 1))
    tv.goto(basket.transfer()["displayUrl"])
    phone.goto(scan(tv))

    for page in (tv, phone):
        picture = page.locator(".brand img.logo")
        expect(picture).to_be_visible()
        expect(picture).to_have_js_property("naturalWidth", 400)
    take = phone.get_by_role("button", name=TAKE)
    expect(take).to_have_css("background-color", "rgb(255, 213, 0)")
    expect(take).to_have_css("color", "rgb(20, 22, 28)")
    expect(tv.locator("#glow stop").first).to_have_attribute("stop-color", "#ffd500")


# --- the kiosk: which size


@pytest.mark.parametrize("java_script", [True, False], ids=["script", "no script"])
def test_a_size_is_chosen_with_the_remote_control_and_without_it(
    service: Service, screens: Screens, java_script: bool
) -> None:
    tv = screens.tv(service, java_script_enabled=java_script)
    tv.goto(f"{service.url}/kiosk/demo")
    tile = tv.locator(".tile").first
    tile.focus()
    tv.keyboard.press("Enter")
    expect(tv.get_by_role("heading", name="Welche Größe?")).to_be_visible()
    expect(tv.locator(".choice").first).to_be_focused()

    # Back, with nothing picked and the focus where it was.
    if java_script:
        press_until_focused(tv, "ArrowDown", tv.get_by_role("link", name="Zurück"))
        tv.keyboard.press("Enter")
    else:
        tv.get_by_role("link", name="Zurück").click()
    expect(tile).to_be_focused()
    expect(tv.locator(".mini")).to_have_count(0)

    tile.click()
    tv.locator(".choice", has_text="L").click()
    expect(tv.locator(".mini")).to_have_count(1)
    expect(tile.locator(".count")).to_be_visible()
    expect(tile).to_be_focused()


def test_the_choice_leaves_no_trace_and_idles_back_to_the_start(
    service: Service, screens: Screens
) -> None:
    tv = screens.tv(service)
    tv.clock.install()
    tv.goto(f"{service.url}/kiosk/demo")
    length = tv.evaluate("history.length")
    tv.locator(".tile").first.click()
    tv.locator(".choice").first.click()
    expect(tv.locator(".mini")).to_have_count(1)
    expect(tv).to_have_url(re.compile(r"/kiosk/demo\?page=1$"))
    tv.locator(".tile").first.click()
    expect(tv.locator(".choice").first).to_be_focused()
    assert tv.evaluate("history.length") == length

    tv.clock.fast_forward(45_000)
    expect(tv.locator(".asleep-text")).to_be_visible()
    tv.clock.fast_forward(16_000)

    expect(tv).to_have_url(f"{service.url}/kiosk/demo")
    expect(tv.locator(".mini")).to_have_count(0)


def test_after_thank_you_the_kiosk_returns_to_the_start_by_itself(
    service: Service, screens: Screens
) -> None:
    tv, phone = screens.tv(service), screens.phone(service)
    tv.clock.install()
    tv.goto(f"{service.url}/kiosk/demo")
    tv.locator(".tile").nth(1).click()
    expect(tv.locator(".mini")).to_have_count(1)
    tv.get_by_role("button", name="Code zeigen").click()
    expect(tv).to_have_url(re.compile(r"/tv/"))
    phone.goto(scan(tv))
    take_over(phone)
    tv.clock.run_for(2_000)
    expect(tv.locator("#transfer")).to_have_attribute("data-state", "claimed")

    tv.clock.run_for(50_000)
    expect(tv).to_have_url(re.compile(r"/tv/"))
    tv.clock.run_for(12_000)

    expect(tv).to_have_url(f"{service.url}/kiosk/demo")
    expect(tv.locator(".mini")).to_have_count(0)
