"""Phone pages, and those of the catalogue, at 200 % text and in any shape of screen."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.chromium import started
from tests.e2e.states import BY_NAME, LANGUAGES, Visitor
from tests.e2e.tour import Tour

STATES = ("phone-claim", "phone-basket", "phone-code")
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
    const clips = getComputedStyle(element).overflowX !== 'visible';
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


def opened(tour: Tour, browser: Browser, state: str, size: tuple[int, int], **more: Any) -> Page:
    width, height = size
    context = browser.new_context(
        locale=LANGUAGES["de"], viewport={"width": width, "height": height}, **more
    )
    page = context.new_page()
    tour.service.move_clock(0)
    BY_NAME[state].lead(Visitor(tour.service, page, "de", tour._known))
    tour.service.move_clock(0)
    return page


@pytest.mark.parametrize("state", [*STATES, *LISTS])
def test_nothing_is_lost_at_twice_the_size_of_text(
    tour: Tour, large_text: Browser, state: str
) -> None:
    page = opened(tour, large_text, state, SIZES[0])
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") == 32

    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(CUT_OFF) == [], (width, height)
        assert page.evaluate(BAR) <= 0.34, (width, height)
    page.context.close()


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_lost_in_any_shape_of_screen(tour: Tour, browser: Browser, state: str) -> None:
    page = opened(tour, browser, state, SIZES[0])

    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(CUT_OFF) == [], (width, height)
    page.context.close()


@pytest.mark.parametrize(
    ("state", "action"), [("phone-claim", "#take .button"), ("phone-code", "#code .button")]
)
def test_what_there_is_to_do_is_in_view(
    tour: Tour, browser: Browser, state: str, action: str
) -> None:
    page = opened(tour, browser, state, SIZES[0])

    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        box = page.locator(action).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= height, (width, height)
        if state == "phone-code":
            field = page.locator("#user_code").bounding_box()
            assert field is not None
            assert box["y"] - (field["y"] + field["height"]) <= 48, (width, height)
    page.context.close()


@pytest.mark.parametrize("state", STATES)
def test_nothing_jumps_when_a_page_loads(tour: Tour, browser: Browser, state: str) -> None:
    page = opened(tour, browser, state, SIZES[0])
    shift = """() => new Promise(done => {
        let sum = 0;
        new PerformanceObserver(list => list.getEntries().forEach(e => { sum += e.value; }))
            .observe({type: 'layout-shift', buffered: true});
        setTimeout(() => done(sum), 300);
    })"""

    page.reload(wait_until="load")

    assert page.evaluate(shift) < 0.01
    page.context.close()
