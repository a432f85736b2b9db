"""Every page in every state, on every screen, in both languages, with and without JavaScript."""

import pytest

from tests.e2e.states import LANGUAGES, STATES, State
from tests.e2e.tour import Tour

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
