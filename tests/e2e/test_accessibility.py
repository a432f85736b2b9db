"""axe finds nothing: WCAG 2.2 A and AA, and its best practice."""

from tests.e2e.states import State
from tests.e2e.tour import Tour, every_page_checked_for_barriers


@every_page_checked_for_barriers
def test_axe_finds_nothing(tour: Tour, state: State, lang: str) -> None:
    assert tour.visit(state, lang).violations == []
