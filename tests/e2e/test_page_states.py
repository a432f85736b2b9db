"""Every page in every state: on every screen, in three fonts, in both languages, with and without
JavaScript."""

from typing import Any

import pytest

from tests.e2e.states import BY_NAME, LANGUAGES, STATES, TV_STATES, State
from tests.e2e.tour import FONTS, SIZES, Tour, write_in

LEFT_SIDE = (".brand", "h1", ".lead", ".goods", ".goods li", ".stage > .sum")

every_state = pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
every_language = pytest.mark.parametrize("lang", LANGUAGES)
with_and_without_scripts = pytest.mark.parametrize(
    "scripts", [True, False], ids=["scripts", "no scripts"]
)


@every_state
@every_language
@with_and_without_scripts
def test_a_page_says_what_it_is_about(
    tour: Tour, state: State, lang: str, *, scripts: bool
) -> None:
    visit = tour.visit(state, lang, scripts=scripts)

    assert (visit.status, visit.headline) == (state.status, state.headline(lang))
    assert visit.wrong == []


@every_state
@every_language
@with_and_without_scripts
def test_nothing_on_a_page_is_too_small_or_cut_off_or_in_the_way(
    tour: Tour, state: State, lang: str, *, scripts: bool
) -> None:
    broken = tour.visit(state, lang, scripts=scripts).broken

    assert not any(broken.values()), broken


@every_language
@pytest.mark.parametrize("size", SIZES["tv"], ids=str)
def test_a_change_of_state_moves_nothing_on_the_left(
    tour: Tour, lang: str, size: tuple[int, int]
) -> None:
    boxes: dict[str, list[Any]] = {font: [] for font in FONTS}
    for name in TV_STATES:
        with tour.at(BY_NAME[f"tv-{name}"], lang) as (page, _visit):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            for font in FONTS:
                write_in(page, font)
                boxes[font].append([page.locator(part).first.bounding_box() for part in LEFT_SIDE])

    for font in FONTS:
        assert boxes[font] == [boxes[font][0]] * len(TV_STATES), font
