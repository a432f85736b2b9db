"""A TV that meets what is not this service's, loses a picture, or has nothing more to show."""

import json
import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.actors import DEMO_BASKET_KEY, TvApp
from tests.e2e.purchasing import TAKE
from tests.e2e.service import Service
from tests.e2e.states import BY_NAME, Visitor
from tests.e2e.test_hour_on_screen import hall
from tests.e2e.watched import Screens, expect_state, scan

PAGE = "<h1>404 Not Found</h1><hr>nginx"
WEB_SHOP = "http://127.0.0.1:9000/warenkorb"


@pytest.fixture
def service(moved_service: Service) -> Service:
    """The service whose clock can be moved: these files need no other one beside it."""
    return moved_service


def shown(visitor_of: Service, page: Page, state: str) -> None:
    """Lead a TV to a state."""
    BY_NAME[state].lead(Visitor(visitor_of, page, "en"))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, PAGE),
        (410, ""),
        (502, PAGE),
        (200, "<h1>Welcome to the hotel's network</h1>"),
        (404, json.dumps({"error": "no route"})),
        (404, json.dumps({"error": {"details": "ROUTE_NOT_FOUND"}})),
        (404, "null"),
        (200, json.dumps({"data": {"state": "maintenance"}})),
        (200, json.dumps({"data": None})),
    ],
)
def test_what_is_not_this_services_answer_ends_nothing(
    moved_service: Service, browser: Browser, status: int, body: str
) -> None:
    def deployed(route: Route) -> None:
        tv.polls += 1
        route.fulfill(status=status, body=body)

    with hall(moved_service, browser) as tv:
        tv.page.unroute("**/status")
        tv.page.route("**/status", deployed)
        tv.pass_seconds(40)
        assert tv.polls > 2
        expect_state(tv.page, "pending")
        expect(tv.page.get_by_text("No connection. We keep trying.")).to_be_visible()

        tv.page.unroute("**/status")
        tv.page.route("**/status", tv.answer)
        tv.state = "claimed"
        tv.pass_seconds(20)
        expect_state(tv.page, "claimed")
        expect(tv.page.get_by_text("No connection. We keep trying.")).to_be_hidden()


def test_an_unknown_screen_offers_no_code_that_it_would_not_get(
    moved_service: Service, browser: Browser
) -> None:
    body = json.dumps({"error": {"code": 1, "details": "TRANSFER_UNKNOWN"}})
    with hall(moved_service, browser) as tv:
        tv.page.unroute("**/status")
        tv.page.route("**/status", lambda route: route.fulfill(status=404, body=body))
        tv.pass_seconds(20)

        expect_state(tv.page, "expired")
        expect(tv.page.get_by_role("button", name="New code")).to_be_hidden()
        expect(tv.page.get_by_role("button", name="Close")).to_be_focused()
        assert tv.page.evaluate("timers()") == 0


def test_a_new_code_is_asked_for_until_it_is_this_service_that_answers(
    moved_service: Service, browser: Browser
) -> None:
    answers = [
        lambda route: route.abort(),
        lambda route: route.fulfill(status=502, body=PAGE),
        lambda route: route.fulfill(status=200, body=PAGE),
    ]

    def deployed(route: Route) -> None:
        if route.request.method == "POST" and answers:
            answers.pop(0)(route)
        else:
            route.continue_()

    with hall(moved_service, browser, "tv-expired") as tv:
        page, before = tv.page, tv.page.url
        page.route("**/tv/*", deployed)
        page.keyboard.press("Enter")
        page.evaluate("allAnswered()")
        expect(page.get_by_text("No connection. We keep trying.")).to_be_visible()
        assert page.url == before
        while answers:
            page.clock.run_for(3000)
            page.evaluate("allAnswered()")

        page.clock.run_for(3000)
        expect(page).not_to_have_url(before)
        expect_state(page, "pending")


def test_the_code_stays_on_the_screen_while_it_is_looked_at_and_can_be_large_again(
    service: Service, screens: Screens
) -> None:
    offer = TvApp(service, DEMO_BASKET_KEY).guest().transfer()
    tv, phone = screens.tv(service), screens.phone(service)
    tv.goto(offer["displayUrl"])
    before = tv.locator("#qr").bounding_box()
    phone.goto(offer["url"])

    expect_state(tv, "opened")
    assert scan(tv) == offer["url"]
    expect(tv.locator(".typed strong")).to_have_text(offer["userCode"])
    tv.keyboard.press("Enter")  # nothing has the focus: OK is for the one button
    expect_state(tv, "pending")
    assert tv.locator("#qr").bounding_box() == before
    assert scan(tv) == offer["url"]
    with tv.expect_response("**/status"):
        pass
    expect_state(tv, "pending")

    phone.get_by_role("button", name=TAKE).tap()
    expect_state(tv, "claimed")


def test_without_a_script_the_code_can_be_large_again_too(
    moved_service: Service, browser: Browser
) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    try:
        page = context.new_page()
        shown(moved_service, page, "tv-opened")
        expect_state(page, "opened")
        page.get_by_role("link", name="Show the code again").click()
        expect_state(page, "pending")
        page.wait_for_event("framenavigated")  # it loads itself anew
        expect_state(page, "pending")
    finally:
        context.close()


def test_a_picture_that_does_not_come_is_asked_for_again(
    moved_service: Service, browser: Browser
) -> None:
    asked: list[str] = []

    def lossy(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) < 4:
            route.abort() if len(asked) % 2 else route.fulfill(status=502, body=PAGE)
        else:
            route.continue_()

    with hall(moved_service, browser) as tv:
        code = tv.page.locator(".typed strong").inner_text()
        tv.page.route("**/qr.svg*", lossy)
        tv.page.reload()
        expect(tv.page.locator(".card.code .instead strong")).to_be_visible()
        expect(tv.page.locator(".card.code .instead strong")).to_have_text(code)
        expect(tv.page.locator("#qr")).to_have_attribute("alt", re.compile(f"and type {code}$"))
        # In small steps, as what has failed is known a moment later; together less than the minute.
        for _ in range(40):
            if len(asked) < 4:
                tv.page.clock.run_for(1000)
                tv.page.wait_for_load_state("networkidle")
        expect(tv.page.locator("#transfer")).to_have_attribute("data-qr", "ok")
        assert scan(tv.page)
    assert len(asked) == 4


@pytest.mark.parametrize("state", ["tv-claimed", "tv-left-alone", "tv-gone", "tv-error"])
def test_where_a_tv_has_nothing_more_to_show_ok_leads_back_to_the_app(
    moved_service: Service, browser: Browser, state: str
) -> None:
    context = browser.new_context(locale="en-GB")
    try:
        page = context.new_page()
        page.add_init_script(
            "window.told = []; window.ReactNativeWebView ="
            " { postMessage: message => window.told.push(JSON.parse(message)) };"
            " window.close = () => window.told.push('closed'); window.history.back = () => {};"
        )
        shown(moved_service, page, state)
        expect(page.get_by_role("button", name="Close")).to_be_focused()
        page.keyboard.press("Enter")

        assert page.evaluate("told") == [{"jayBasket": "close"}, "closed"]
    finally:
        context.close()


def test_an_app_that_shows_the_page_in_a_frame_is_told_to_close_it(
    moved_service: Service, browser: Browser
) -> None:
    context = browser.new_context(locale="en-GB")
    try:
        page = context.new_page()
        shown(moved_service, page, "tv-claimed")
        address = page.url
        context.route(
            "**/app",
            lambda route: route.fulfill(
                content_type="text/html",
                body=f"<script>onmessage = event => window.told = JSON.parse(event.data)</script>"
                f'<iframe src="{address}" width="1280" height="720"></iframe>',
            ),
        )

        def framed(route: Route) -> None:
            answer = route.fetch()
            headers = {k: v for k, v in answer.headers.items() if "security" not in k}
            route.fulfill(response=answer, headers=headers)

        context.route("**/tv/*", framed)
        page.goto(moved_service.url + "/app")
        page.frames[1].get_by_role("button", name="Close").click()

        page.wait_for_function("window.told && told.jayBasket === 'close'")
    finally:
        context.close()


def test_a_transfer_to_a_web_shop_names_the_shop_and_promises_no_picture(
    moved_service: Service, browser: Browser
) -> None:
    context = browser.new_context(locale="en-GB")
    try:
        page = context.new_page()
        visitor = Visitor(moved_service, page, "en")
        offer = visitor.shopper().transfer(url=WEB_SHOP)
        visitor.open(offer["displayUrl"])

        said = page.locator("main").inner_text()
        assert "Your phone opens 127.0.0.1:9000" in said
        assert "Yes, take it" not in page.content()
        assert page.locator("img[src*=pairs]").count() == 0
        visitor.open(f"/t/{offer['jayToken']}")
        assert page.locator("img[src*=pairs]").count() == 0
    finally:
        context.close()
