"""Every page in every state: on every screen, in three fonts, in both languages, with and without
JavaScript. A deep run looks at all combinations."""

from typing import Any

import pytest

from tests.depth import is_deep
from tests.e2e.states import BY_NAME, LANGUAGES, TV_STATES, State
from tests.e2e.tour import FONTS, SHAPELESS, SIZES, Tour, every_look, write_in

LEFT_SIDE = (".brand", "h1", ".lead", ".goods", ".goods li", ".stage > .sum")
BOXES = """parts => parts.map(part => {
  const {x, y, width, height} = document.querySelector(part).getBoundingClientRect();
  return [x, y, width, height];
})"""


@every_look
def test_a_page_says_what_it_is_about(
    tour: Tour, state: State, lang: str, *, scripts: bool
) -> None:
    visit = tour.visit(state, lang, scripts=scripts)

    assert (visit.status, visit.headline) == (state.status, state.headline(lang))
    assert visit.wrong == []


@every_look
def test_nothing_on_a_page_is_too_small_or_cut_off_or_in_the_way(
    tour: Tour, state: State, lang: str, *, scripts: bool
) -> None:
    broken = tour.visit(state, lang, scripts=scripts).broken

    assert not any(broken.values()), broken


@pytest.mark.parametrize("lang", LANGUAGES if is_deep() else ["de"])
def test_a_change_of_state_moves_nothing_on_the_left(tour: Tour, lang: str) -> None:
    boxes: dict[Any, list[Any]] = {(size, font): [] for size in SIZES["tv"] for font in FONTS}
    for name in TV_STATES:
        with tour.at(BY_NAME[f"tv-{name}"], lang) as (page, _visit):
            for (size, font), found in boxes.items():
                page.set_viewport_size({"width": size[0], "height": size[1]})
                write_in(page, font)
                found.append(page.evaluate(BOXES, LEFT_SIDE))

    for look, found in boxes.items():
        assert found == [found[0]] * len(TV_STATES), look


@pytest.mark.parametrize("name", ["kiosk-wall-filled", "kiosk-picked", "catalogue-login"])
def test_what_one_can_press_keeps_its_shape_in_forced_colours(tour: Tour, name: str) -> None:
    with tour.at(BY_NAME[name], "de", forced_colors="active") as (page, _visit):
        assert page.evaluate("matchMedia('(forced-colors: active)').matches")
        assert page.evaluate(SHAPELESS) == []
