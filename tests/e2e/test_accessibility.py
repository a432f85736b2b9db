"""axe finds nothing: WCAG 2.2 A and AA, and its best practice."""

import pytest

from tests.e2e.states import LANGUAGES, STATES, State
from tests.e2e.tour import Tour


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.name)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_axe_finds_nothing(tour: Tour, state: State, lang: str) -> None:
    assert tour.visit(state, lang).violations == []
