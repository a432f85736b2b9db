"""Limits that are counted in memory."""

import pytest

from jay.errors import TooManyRequests
from jay.web.limits import LONGEST_CALLER, Rate
from tests.clock import MovedClock


@pytest.fixture
def rate() -> Rate:
    return Rate(MovedClock(), most=1)


def test_callers_are_counted_apart_however_long_their_names_are(rate: Rate) -> None:
    names = ["a", "b", "x" * 5000 + "1", "x" * 5000 + "2", "\ud800" * 100]

    for name in names:
        rate.take(name)

    for name in names:
        with pytest.raises(TooManyRequests):
            rate.take(name)


def test_a_long_name_takes_no_more_room_than_a_short_one(rate: Rate) -> None:
    rate.take("x" * 5000)

    assert all(len(name) <= LONGEST_CALLER for name in rate._counts)
