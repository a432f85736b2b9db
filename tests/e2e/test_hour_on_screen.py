"""A TV stays on: nothing piles up within an hour, and a lost network comes back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, CDPSession, Page, Route, expect

from tests.depth import few_or_all
from tests.e2e.actors import DEMO_BASKET_KEY, TvApp, data
from tests.e2e.service import Service
from tests.e2e.states import BY_NAME, Visitor
from tests.e2e.watched import NOTE_REQUESTS, expect_state

HOUR_SECONDS = 3600
POLL_SECONDS = 10
STEP_SECONDS = 10

# Which timers wait, and the most that ever did.
COUNT_TIMERS = """
(() => {
  const waiting = new Set();
  window.mostTimers = 0;
  window.timers = () => waiting.size;
  const added = id => {
    waiting.add(id);
    window.mostTimers = Math.max(window.mostTimers, waiting.size);
    return id;
  };
  const {setTimeout, setInterval, clearTimeout, clearInterval} = window;
  window.setTimeout = (call, ...more) => {
    const id = setTimeout(() => { waiting.delete(id); call(); }, ...more);
    return added(id);
  };
  window.setInterval = (...all) => added(setInterval(...all));
  window.clearTimeout = id => { waiting.delete(id); clearTimeout(id); };
  window.clearInterval = id => { waiting.delete(id); clearInterval(id); };
})()
"""


@dataclass
class Hall:
    """A TV in fast-forward, whose service answers what the test wants."""

    page: Page
    cdp: CDPSession
    state: str = "pending"
    purchase: str = "none"
    lost: bool = False
    polls: int = 0

    def answer(self, route: Route) -> None:
        """Answer a poll, or lose it."""
        self.polls += 1
        if self.lost:
            route.abort()
            return
        status = {"state": self.state, "secondsLeft": 60, "pollSeconds": POLL_SECONDS}
        status |= {"purchase": self.purchase} if self.state == "claimed" else {}
        route.fulfill(content_type="application/json", body=json.dumps({"data": status}))

    def pass_seconds(self, seconds: int, *, step: float = STEP_SECONDS) -> None:
        """Let time pass in steps, in each of which an answer can arrive."""
        for _ in range(int(seconds / step)):
            self.page.clock.run_for(step * 1000)
            self.page.evaluate("allAnswered()")
            if self.page.evaluate("timers()") == 0:
                self.page.clock.run_for(seconds * 1000)
                return

    def counts(self) -> dict[str, int]:
        """Count what could pile up."""
        self.cdp.send("HeapProfiler.collectGarbage")
        found = self.cdp.send("Memory.getDOMCounters")
        return {
            "nodes": self.page.evaluate("document.getElementsByTagName('*').length"),
            "listeners": found["jsEventListeners"],
            "timers": self.page.evaluate("timers()"),
            "history": self.page.evaluate("history.length"),
        }


@contextmanager
def hall(
    service: Service, browser: Browser, state: str = "tv-pending", *, url: str | None = None
) -> Iterator[Hall]:
    """Switch a TV on whose clock the test moves.

    :param url: the page of a transfer, whose polls the service answers itself.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
    page = context.new_page()
    service.move_clock(0)
    page.clock.install()
    page.add_init_script(COUNT_TIMERS)
    page.add_init_script(NOTE_REQUESTS)
    seen = Hall(page, context.new_cdp_session(page))
    try:
        if url is None:
            page.route("**/status", seen.answer)
            BY_NAME[state].lead(Visitor(service, page, "en"))
        else:
            page.goto(url)
        page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
        yield seen
    finally:
        context.close()


def test_nothing_piles_up_within_an_hour(moved_service: Service, browser: Browser) -> None:
    # What piles up with each question is seen after 90 of them; a deep run asks for the hour.
    seconds = few_or_all(HOUR_SECONDS // 4, HOUR_SECONDS)
    with hall(moved_service, browser) as tv:
        tv.pass_seconds(60)
        before, polls = tv.counts(), tv.polls
        tv.pass_seconds(seconds)
        after = tv.counts()
        most = tv.page.evaluate("mostTimers")

    assert after == before
    assert most <= 2
    # As often as the server said.
    assert 0.8 <= (tv.polls - polls) * POLL_SECONDS / seconds <= 1.2


def test_a_kiosks_code_has_one_timer_more_for_the_next_person(
    moved_service: Service, browser: Browser
) -> None:
    with hall(moved_service, browser, "tv-kiosk-pending") as kiosk:
        kiosk.pass_seconds(600)

        assert kiosk.page.evaluate("mostTimers") <= 3


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_a_tv_asks_no_more_when_all_is_over(
    moved_service: Service, browser: Browser, state: str
) -> None:
    with hall(moved_service, browser) as tv:
        tv.state = state
        tv.pass_seconds(60)
        expect_state(tv.page, state)
        asked = tv.polls
        tv.pass_seconds(HOUR_SECONDS)

        assert tv.polls == asked
        assert tv.page.evaluate("timers()") == 0


@pytest.mark.parametrize("state", ["expired", "cancelled"])
def test_a_tv_that_was_left_alone_for_an_hour_offers_no_code_that_it_would_not_get(
    moved_service: Service, browser: Browser, state: str
) -> None:
    with hall(moved_service, browser) as tv:
        button = tv.page.get_by_role("button", name="New code")
        instead = tv.page.locator(".card").get_by_text("Get a new code in the app")
        tv.state = state
        tv.pass_seconds(3000)
        expect(button).to_be_visible()
        expect(instead).to_be_hidden()

        tv.pass_seconds(600)

        expect(button).to_be_hidden()
        expect(instead).to_be_visible()
        expect(tv.page.get_by_role("button", name="Close")).to_be_focused()


def test_a_tv_asks_for_a_quarter_of_an_hour_what_becomes_of_a_basket(
    moved_service: Service, browser: Browser
) -> None:
    with hall(moved_service, browser) as tv:
        tv.state = "claimed"
        tv.pass_seconds(60)
        expect_state(tv.page, "claimed")
        tv.pass_seconds(860)
        asked = tv.polls
        tv.pass_seconds(HOUR_SECONDS)

        assert tv.polls == asked
        assert tv.page.evaluate("timers()") == 0


def test_a_tv_says_that_a_basket_is_paid_for_and_ordered(
    moved_service: Service, browser: Browser
) -> None:
    with hall(moved_service, browser) as tv:
        tv.state = "claimed"
        for purchase, shown in (("paying", "paying"), ("none", "claimed"), ("ordered", "ordered")):
            tv.purchase = purchase
            tv.pass_seconds(30)
            expect_state(tv.page, shown)
        asked = tv.polls
        tv.pass_seconds(120)

        assert tv.polls == asked  # there is nothing more to be told


@pytest.mark.parametrize("state", ["tv-ordered", "tv-expired", "tv-cancelled", "tv-gone"])
def test_a_tv_that_was_too_late_never_asks(
    moved_service: Service, browser: Browser, state: str
) -> None:
    with hall(moved_service, browser, state) as tv:
        tv.pass_seconds(600)

        assert tv.polls == 0


def test_a_lost_network_is_told_calmly_and_recovers(
    moved_service: Service, browser: Browser
) -> None:
    with hall(moved_service, browser) as tv:
        message = tv.page.get_by_text("No connection. We keep trying.")
        expect(message).to_be_hidden()
        tv.lost = True
        tv.pass_seconds(30)
        expect(message).to_be_visible()
        expect_state(tv.page, "pending")

        tv.lost = False
        tv.pass_seconds(20)
        expect(message).to_be_hidden()
        expect_state(tv.page, "pending")


def test_a_tv_asks_less_often_while_the_network_is_lost(
    moved_service: Service, browser: Browser
) -> None:
    with hall(moved_service, browser) as tv:
        tv.lost = True
        tv.pass_seconds(600)

        # Ten seconds apart, and a fifth less to spread the TVs of a city.
        assert 600 / 10 - 10 <= tv.polls <= 600 / 8 + 10
        tv.state, tv.lost = "claimed", False
        tv.pass_seconds(20)
        expect_state(tv.page, "claimed")


def test_a_tv_follows_the_phone_within_two_seconds(
    moved_service: Service, browser: Browser
) -> None:
    app = TvApp(moved_service, DEMO_BASKET_KEY)
    offer = app.guest().transfer()
    with hall(moved_service, browser, url=offer["displayUrl"]) as tv:
        expect_state(tv.page, "pending")

        tv.page.context.new_page().goto(offer["url"])
        tv.pass_seconds(2, step=0.5)
        expect_state(tv.page, "opened")

        data(app.redeem(offer["jayToken"]))
        tv.pass_seconds(2, step=0.5)
        expect_state(tv.page, "claimed")
