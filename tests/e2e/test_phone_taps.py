"""On a slow or doubtful network: no tap is lost, and no hint of the browser is a lock."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, BasketOfUser, Merchant, TvApp
from tests.e2e.purchasing import take_over
from tests.e2e.service import Service
from tests.e2e.watched import Screens

MINUTE = 60


@pytest.fixture
def ids(service: Service) -> list[str]:
    """Two products of a merchant."""
    merchant = Merchant(service, DEMO_SHOP_KEY)
    skus = ("TAPS-A", "TAPS-B")
    return [merchant.post(sku, f"Tasse {sku[-1]}", price=1000, stockCount=90)[sku] for sku in skus]


@pytest.fixture
def basket(service: Service, ids: list[str]) -> BasketOfUser:
    """A basket with one of each."""
    return TvApp(service, DEMO_BASKET_KEY).guest(*((identifier, 1) for identifier in ids))


def opened(phone: Page, basket: BasketOfUser) -> Page:
    phone.goto(basket.transfer()["url"])
    return take_over(phone)


def count(phone: Page, number: int = 0) -> str:
    return phone.locator("input[name=count]").nth(number).input_value()


def more(phone: Page, number: int = 0) -> None:
    phone.locator("button[value=plus]").nth(number).tap()


def settled(phone: Page) -> None:
    expect(phone.locator("html:not([data-counting])")).to_have_count(1)


def test_the_count_moves_at_once_and_taps_are_collected(
    service: Service, screens: Screens, basket: BasketOfUser, ids: list[str]
) -> None:
    phone = screens.phone(service)
    phone.clock.install()
    opened(phone, basket)
    sent: list[str] = []
    phone.on("request", lambda r: sent.append(r.post_data or "") if r.method == "POST" else None)
    # However slow this machine is, the phone's owner is quick.
    phone.clock.pause_at(phone.evaluate("Date.now()") / 1000 + MINUTE)

    seen = []
    for _ in range(5):
        more(phone)
        seen.append(count(phone))
    phone.clock.resume()
    settled(phone)

    assert seen == ["2", "3", "4", "5", "6"]
    assert [re.findall(r"count=\d+", body) for body in sent] == [["count=6"]]
    assert basket.cart() == {ids[0]: 6, ids[1]: 1}
    expect(phone.locator(".totals .all dd")).to_contain_text("70,00")


def test_the_checkout_knows_the_counts_that_were_tapped(
    service: Service, screens: Screens, basket: BasketOfUser, ids: list[str]
) -> None:
    phone = opened(screens.phone(service), basket)
    asked: list[str] = []
    paths = ("/basket/items", "/checkout")
    phone.on("request", lambda r: asked.append(r.url.removeprefix(service.url)))

    more(phone)
    more(phone)
    phone.get_by_role("link", name="Zur Kasse").tap()

    expect(phone).to_have_url(re.compile(r"/checkout$"))
    assert [path for path in asked if path in paths] == list(paths)
    assert basket.cart() == {ids[0]: 3, ids[1]: 1}


def test_a_change_that_the_network_loses_is_sent_again(
    service: Service, screens: Screens, basket: BasketOfUser, ids: list[str]
) -> None:
    phone = screens.phone(service)
    phone.clock.install()
    opened(phone, basket)
    # While the service is started anew, and behind the login page of a network.
    answers = [(503, "busy"), (404, "<h1>Not found</h1>"), (200, "<main>Welcome</main>")]
    lost: list[int] = []

    def lose(route: Route) -> None:
        status, body = answers[len(lost) % len(answers)]
        lost.append(status)
        route.fulfill(status=status, body=body)

    screens.allow_refusal(503)
    screens.allow_refusal(404)
    phone.route("**/basket/items", lose)
    more(phone)
    for number, wait in enumerate((600, 3100, 6100), start=1):
        phone.clock.run_for(wait)
        expect(phone.locator("#news")).to_contain_text("Keine Verbindung")
        assert len(lost) >= number
        assert count(phone) == "2"

    phone.unroute("**/basket/items")
    phone.clock.run_for(13_000)
    settled(phone)

    assert basket.cart()[ids[0]] == 2


def test_another_button_waits_for_the_counts(
    service: Service, screens: Screens, basket: BasketOfUser, ids: list[str]
) -> None:
    phone = opened(screens.phone(service), basket)

    more(phone)
    phone.locator("button[value=remove]").nth(1).tap()
    expect(phone.locator(".undone")).to_be_visible()

    assert basket.cart() == {ids[0]: 2}


def test_whoever_leaves_at_once_loses_nothing(
    service: Service, screens: Screens, basket: BasketOfUser, ids: list[str]
) -> None:
    phone = opened(screens.phone(service), basket)

    more(phone)
    more(phone)
    phone.goto(f"{service.url}/code")
    phone.goto(f"{service.url}/basket")

    expect(phone.locator("input[name=count]").first).to_have_value("3")


def test_a_browser_that_believes_to_be_offline_is_not_believed(
    service: Service, screens: Screens, basket: BasketOfUser
) -> None:
    phone = screens.phone(service)
    phone.add_init_script("Object.defineProperty(navigator, 'onLine', {get: () => false})")

    opened(phone, basket)

    phone.locator("button[value=remove]").first.tap()
    expect(phone.locator(".undone")).to_be_visible()


def test_what_stalls_in_the_network_locks_no_button(
    service: Service, screens: Screens, basket: BasketOfUser
) -> None:
    phone = screens.phone(service)
    phone.clock.install()
    phone.goto(basket.transfer()["url"])
    sent: list[str] = []

    def stall(route: Route) -> None:
        if route.request.resource_type != "document":
            route.continue_()
            return
        sent.append(route.request.method)
        # While a page is being loaded nothing can be looked at; nor is an answer ever seen here.
        route.abort("aborted") if len(sent) == 1 else route.continue_()

    phone.route("**/t/**", stall)
    button = phone.locator("#take .button").first
    button.tap()
    expect(phone.locator("body.waiting")).to_have_count(1)
    button.tap()  # a second tap on a slow network is no second try
    assert sent == ["POST"]

    phone.clock.run_for(5_000)
    expect(phone.locator("body.waiting")).to_have_count(0)
    button.tap()

    expect(phone).to_have_url(re.compile(r"/basket$"))
    assert sent == ["POST", "POST"]
    screens.wrong = [wrong for wrong in screens.wrong if "ERR_ABORTED" not in wrong]


@pytest.mark.parametrize("typed", ["{}", "{} ", "Code: {}"])
def test_a_code_goes_off_by_itself(
    service: Service, screens: Screens, basket: BasketOfUser, typed: str
) -> None:
    phone = screens.phone(service)
    code = basket.transfer()["userCode"]
    phone.goto(service.url)
    field = phone.locator("#user_code")

    if typed == "Code: {}":  # pasted
        field.evaluate(
            "(field, text) => { field.value = text; field.dispatchEvent("
            "new InputEvent('input', {inputType: 'insertFromPaste', bubbles: true})); }",
            typed.format(code),
        )
    else:
        field.press_sequentially(code.replace(" ", "").lower())

    expect(phone).to_have_url(re.compile(r"/t/"))


def test_seven_characters_do_not(service: Service, screens: Screens) -> None:
    phone = screens.phone(service)
    phone.goto(f"{service.url}/code")

    phone.locator("#user_code").press_sequentially("2222 222")

    expect(phone).to_have_url(re.compile(r"/code$"))


def test_a_page_that_was_translated_counts_on(
    service: Service, screens: Screens, basket: BasketOfUser
) -> None:
    phone = screens.phone(service)
    phone.clock.install()
    phone.goto(basket.transfer()["url"])
    phone.evaluate(
        """() => {
            const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            const texts = [];
            while (walk.nextNode()) { texts.push(walk.currentNode); }
            for (const text of texts) {
                const font = document.createElement('font');
                text.replaceWith(font);
                font.append(text);
            }
        }"""
    )

    phone.clock.run_for(5000)

    expect(phone.locator("[data-clock]")).to_have_text(re.compile(r"^0:5[0-5]$"))
    for frozen in ("[data-clock]", ".pair strong"):
        assert phone.locator(frozen).get_attribute("translate") == "no"
