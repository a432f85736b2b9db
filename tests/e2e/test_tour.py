"""The tour notices what no page may do: else the tests that rest on it prove little."""

import pytest

from tests.e2e.states import BY_NAME
from tests.e2e.tour import Tour, axe, measure, sizes_of

_STYLE = "document.querySelector('{}').style.cssText = '{}'"


@pytest.mark.parametrize(
    ("state", "fault", "noticed"),
    [
        ("phone-code", _STYLE.format("h1", "width: 800px; background: red"), "overflow"),
        ("phone-code", _STYLE.format(".lead", "font-size: 15px"), "small text"),
        ("phone-code", _STYLE.format(".button", "min-height: 0; padding: 0"), "small target"),
        ("phone-code", _STYLE.format(".lead", "margin-top: -30px"), "overlap"),
        ("tv-pending", _STYLE.format(".brand", "left: 10px"), "safe area"),
        ("tv-pending", _STYLE.format(".typed span", "font-size: 1.2rem"), "small text"),
        ("tv-pending", _STYLE.format(".typed strong", "font-size: 6rem"), "safe area"),
        ("tv-pending", _STYLE.format(".pair", "font-size: 3rem"), "cut off"),
        ("tv-pending", _STYLE.format(".code img", "height: 40vh"), "small code"),
        ("tv-pending", "document.querySelector('.pic img').src = '/static/none.svg'", "picture"),
    ],
)
def test_faults_of_a_layout_are_noticed(tour: Tour, state: str, fault: str, noticed: str) -> None:
    with tour.at(BY_NAME[state], "en") as (page, _visit):
        page.evaluate(fault)
        page.wait_for_load_state("networkidle")
        broken = measure(page, BY_NAME[state], sizes_of(BY_NAME[state])[0])

    assert any(noticed in rule for rule in broken), broken


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
