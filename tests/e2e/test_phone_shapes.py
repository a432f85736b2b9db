"""Phone pages, and those of the catalogue, at 200 % text and in any shape of screen."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page

from tests.clock import PATIENCE_SECONDS
from tests.e2e.chromium import started
from tests.e2e.states import BY_NAME, LANGUAGES, Visitor
from tests.e2e.tour import SHAPELESS, Tour, axe

ACTIONS = {
    "phone-claim": "#take .button",
    "phone-basket": "#pay",
    "phone-code": "#code .button",
    "phone-product": ".thumb .button",
    "phone-checkout-address-wrong": ".thumb .button",
    "phone-checkout-three-shops": None,
    "phone-order-on-its-way": None,
    "phone-withdrawal-wrong": None,
}
"""What there is to do on a page, that has to be in view; None: it stands where one has read all."""
LISTS = ("catalogue-search-variants", "catalogue-product-odd", "docs-errors")
SIZES = ((390, 844), (320, 568), (844, 390), (820, 1180), (1440, 900))

# By a setting of the browser, as people do it: media queries in rem follow.
LARGE_TEXT = "--blink-settings=defaultFontSize=32"

CUT_OFF = """() => {
  const found = [];
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) { found.push(`page wider by ${wide}`); }
  const unseen = '.sr, .enter, [hidden], svg, thead, .who .name,'
    + ' details:not([open]) > :not(summary)';
  for (const element of document.querySelectorAll('body *')) {
    const box = element.getBoundingClientRect();
    if (element.closest(unseen) || !box.width || !element.textContent.trim()) { continue; }
    const name = element.className || element.tagName;
    if (box.right > innerWidth + 1 || box.left < -1) { found.push(`${name} leaves the screen`); }
    const style = getComputedStyle(element);
    const narrow = box.width < 4 * parseFloat(style.fontSize);
    if (narrow && element.matches('.pictured .name')) { found.push(`${name} is squeezed`); }
    const clips = style.overflowX !== 'visible';
    const wider = element.scrollWidth > element.clientWidth + 1;
    if (clips && wider && !element.matches('input, select')) { found.push(`${name} is cut off`); }
  }
  return found;
}"""

BAR = """() => {
  const bar = document.querySelector('.thumb');
  const sticks = bar && getComputedStyle(bar).position === 'sticky';
  return sticks ? bar.getBoundingClientRect().height / innerHeight : 0;
}"""


@pytest.fixture(scope="module")
def large_text(browser: Browser) -> Iterator[Browser]:
    """A browser whose owner has set the text to twice its size."""
    with started(browser.browser_type, LARGE_TEXT) as large:
        yield large


@dataclass(frozen=True)
class Shown:
    """A page, and which one it is."""

    state: str
    page: Page


@pytest.fixture(scope="module", params=ACTIONS)
def shown(request: pytest.FixtureRequest, tour: Tour, browser: Browser) -> Iterator[Shown]:
    """A page in a state, which the tests look at one after the other."""
    with opened(tour, browser, request.param) as page:
        yield Shown(request.param, page)


@contextlib.contextmanager
def opened(tour: Tour, browser: Browser, state: str) -> Iterator[Page]:
    """Lead a new browser to a state."""
    width, height = SIZES[0]
    context = browser.new_context(
        locale=LANGUAGES["de"], viewport={"width": width, "height": height}
    )
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    page = context.new_page()
    tour.service.move_clock(0)
    BY_NAME[state].lead(Visitor(tour.service, page, "de", tour.known))
    tour.service.move_clock(0)
    yield page
    context.close()


@pytest.mark.parametrize("state", [*ACTIONS, *LISTS])
def test_nothing_is_lost_at_twice_the_size_of_text(
    tour: Tour, large_text: Browser, state: str
) -> None:
    with opened(tour, large_text, state) as page:
        assert (
            page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") == 32
        )

        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate(CUT_OFF) == [], (width, height)
            assert page.evaluate(BAR) <= 0.34, (width, height)


def test_nothing_is_lost_in_any_shape_of_screen(shown: Shown) -> None:
    for width, height in SIZES:
        shown.page.set_viewport_size({"width": width, "height": height})
        assert shown.page.evaluate(CUT_OFF) == [], (width, height)


def test_what_there_is_to_do_is_in_view(shown: Shown) -> None:
    action = ACTIONS[shown.state]
    for width, height in SIZES if action else ():
        shown.page.set_viewport_size({"width": width, "height": height})
        box = shown.page.locator(action).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= height, (width, height)
        if shown.state == "phone-code":
            field = shown.page.locator("#user_code").bounding_box()
            assert field is not None
            assert box["y"] - (field["y"] + field["height"]) <= 48, (width, height)


GROUND = "getComputedStyle(document.body).backgroundColor"


def test_at_night_the_ground_is_dark_and_all_words_can_be_read(shown: Shown) -> None:
    by_day = shown.page.evaluate(GROUND)

    shown.page.emulate_media(color_scheme="dark")

    assert shown.page.evaluate(GROUND) != by_day
    assert axe(shown.page, "color-contrast") == []
    shown.page.emulate_media(color_scheme="light")


def test_what_one_can_press_keeps_its_shape_in_forced_colours(shown: Shown) -> None:
    shown.page.emulate_media(forced_colors="active")

    assert shown.page.evaluate(SHAPELESS) == []
    shown.page.emulate_media(forced_colors="none")


def test_nothing_jumps_when_a_page_loads(shown: Shown) -> None:
    shift = """() => new Promise(done => {
        let sum = 0;
        new PerformanceObserver(list => list.getEntries().forEach(e => { sum += e.value; }))
            .observe({type: 'layout-shift', buffered: true});
        setTimeout(() => done(sum), 300);
    })"""
    shown.page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})

    shown.page.reload(wait_until="load")

    assert shown.page.evaluate(shift) < 0.01
