"""Limits that are counted in memory."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from jay.errors import TooManyRequests
from jay.web.rates import CALLERS_REMEMBERED, LONGEST_CALLER, Memory, Rate
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

    assert all(
        len(name) <= LONGEST_CALLER + len("LIMITER//1/1/minute") for name in remembered(rate)
    )


def test_a_flood_of_callers_takes_no_more_than_the_room_there_is() -> None:
    memory = Memory(MovedClock(), 60)

    for number in range(CALLERS_REMEMBERED + 10):
        memory.incr(str(number), 60)

    assert memory.reset() == CALLERS_REMEMBERED


def test_a_minute_ends_with_the_clock_and_not_by_refused_requests() -> None:
    clock = MovedClock()
    rate = Rate(clock, most=2)
    for seconds, allowed in ((0, True), (30, True), (29, False), (1, True)):
        clock.move(seconds)
        if allowed:
            rate.ask("a")
            rate.take("a")
        else:
            with pytest.raises(TooManyRequests):
                rate.ask("a")
            with pytest.raises(TooManyRequests):
                rate.take("a")


def test_it_says_when_the_minute_ends() -> None:
    clock = MovedClock()
    memory = Memory(clock, 60)
    memory.incr("a", 60)
    clock.move(20)
    memory.incr("a", 60)

    assert memory.get_expiry("a") - clock().timestamp() == 40
    memory.clear("a")
    assert memory.get("a") == 0
    assert memory.get_expiry("a") == clock().timestamp()


def test_threads_at_once_pass_as_often_as_is_allowed() -> None:
    rate = Rate(MovedClock(), most=50)

    def passes(_number: int) -> bool:
        try:
            rate.take("a")
        except TooManyRequests:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(passes, range(400))) == 50


def remembered(rate: Rate) -> list[str]:
    return list(rate._storage._counts)
