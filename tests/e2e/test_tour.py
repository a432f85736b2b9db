"""The tour notices what no page may do: else the tests that rest on it prove little."""

import pytest

from tests import sharing
from tests.e2e.states import BY_NAME
from tests.e2e.tour import FONTS, Tour, axe, measure, sizes_of, write_in

_NO_PICTURE = (
    "new Promise(done => { const image = document.querySelector('.pic img');"
    " image.onerror = () => done(); image.src = '/static/none.svg'; })"
)
_STYLE = "document.querySelector('{}').style.cssText = '{}'"


@pytest.mark.parametrize(
    ("state", "fault", "noticed"),
    [
        ("phone-code", _STYLE.format("h1", "width: 800px; background: red"), "overflow"),
        ("phone-code", _STYLE.format(".lead", "font-size: 15px"), "small text"),
        ("phone-code", _STYLE.format(".button", "min-height: 0; padding: 0"), "small target"),
        ("phone-code", _STYLE.format(".lead", "margin-top: -30px"), "overlap"),
        (
            "phone-basket-saved",
            _STYLE.format(".texts .text:last-child", "width: 50px"),
            "broken word",
        ),
        ("phone-basket-foreign-names", _STYLE.format(".name", "text-align: right"), "ragged"),
        ("tv-pending", _STYLE.format(".brand", "left: 10px"), "safe area"),
        ("tv-pending", _STYLE.format(".typed span", "font-size: 1.2rem"), "small text"),
        ("tv-pending", _STYLE.format(".typed strong", "font-size: 6rem"), "safe area"),
        ("tv-pending", _STYLE.format(".pair", "top: 40rem"), "overlap"),
        ("tv-pending", _STYLE.format(".code img", "height: 40vh"), "small code"),
        ("tv-pending", _NO_PICTURE, "picture"),
    ],
)
def test_faults_of_a_layout_are_noticed(tour: Tour, state: str, fault: str, noticed: str) -> None:
    with tour.at(BY_NAME[state], "en") as (page, _visit):
        page.evaluate(fault)
        page.wait_for_load_state("networkidle")
        broken = measure(page, BY_NAME[state], sizes_of(BY_NAME[state])[0])

    assert any(noticed in rule for rule in broken), broken


def test_the_fonts_that_pages_are_measured_in_are_installed(tour: Tour) -> None:
    width = "Math.max(...[...document.querySelectorAll('h1 span')].map(e => e.offsetWidth))"
    widths = []
    with tour.at(BY_NAME["kiosk-start"], "en") as (page, _visit):
        page.evaluate("document.querySelector('h1 span').style.display = 'inline-block'")
        for font in FONTS:
            write_in(page, font)
            widths.append(page.evaluate(width))

    assert widths == sorted(set(widths)), widths  # narrow, common, wide


@pytest.mark.parametrize(
    ("fault", "noticed"),
    [
        ("document.querySelector('main').append(new Image())", "image-alt"),
        (_STYLE.format(".lead", "color: #aaa"), "color-contrast"),
        ("document.documentElement.removeAttribute('lang')", "html-has-lang"),
    ],
)
def test_barriers_are_noticed(tour: Tour, fault: str, noticed: str) -> None:
    with tour.at(BY_NAME["phone-code"], "en") as (page, _visit):
        page.evaluate(fault)
        found = axe(page)

    assert any(line.startswith(noticed) for line in found), found


def test_each_state_is_visited_by_one_worker(request: pytest.FixtureRequest) -> None:
    groups: dict[str, set[str]] = {}
    for item in request.session.items:
        if item.path.stem.removeprefix("test_") in sharing.TOUR and hasattr(item, "callspec"):
            state = item.callspec.params.get("state")
            if state is not None:
                groups.setdefault(state.name, set()).add(sharing.group(item.nodeid))

    assert {name: found for name, found in groups.items() if len(found) > 1} == {}


def test_what_is_dear_is_started_for_those_that_share_it(request: pytest.FixtureRequest) -> None:
    found: dict[str, set[str]] = {"the clock is moved": set(), "the clock is right": set()}
    for item in request.session.items:
        asked = set(getattr(item, "fixturenames", ()))
        if item.path.stem == "test_tv_to_phone":
            continue  # for two of its tests the clock is moved, the others count shops and partners
        if "_moved_service" in asked:
            found["the clock is moved"].add(sharing.group(item.nodeid))
        elif asked & {"service", "any_service"} and item.path.stem != "test_idempotency_crash":
            found["the clock is right"].add(sharing.group(item.nodeid))

    assert found["the clock is moved"] <= {"screens", "phones"}
    assert found["the clock is right"] <= {"the service"}
