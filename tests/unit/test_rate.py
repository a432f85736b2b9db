"""Limits that are counted in memory."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from jay.errors import TooManyRequests
from jay.web import rates
from jay.web.counts import CALLERS_REMEMBERED, Counts
from jay.web.rates import Left, Rate
from tests.clock import MovedClock


@pytest.fixture
def rate() -> Rate:
    return Rate(MovedClock(), most=1)


def test_callers_are_counted_apart_however_long_their_names_are(rate: Rate) -> None:
    names = ["a", "b", "x" * 5000 + "1", "x" * 5000 + "2", "\ud800" * 100]

    for name in names:
        assert rate.take(name).passes

    for name in names:
        assert not rate.take(name).passes


def test_a_caller_takes_little_room_however_long_its_name_is(rate: Rate) -> None:
    tracemalloc.start()
    try:
        for number in range(10_000):
            rate.take(f"{number} {'x' * 5000}")
        taken, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken / 10_000 < 180


def test_a_flood_of_callers_takes_no_more_than_the_room_there_is() -> None:
    counts, item = Counts(MovedClock()), rates._item("limit", 1)

    for number in range(CALLERS_REMEMBERED + 10):
        counts.hit(item, str(number))

    assert counts.forget() == CALLERS_REMEMBERED


def test_callers_whose_minute_has_ended_take_no_room() -> None:
    clock = MovedClock()
    rate = Rate(clock, most=1)
    for number in range(100):
        rate.take(f"before-{number}")
    clock.move(60)

    for number in range(60):
        assert rate.take(f"after-{number}").passes

    assert len(rate._counts._windows) == 60


def test_a_minute_ends_with_the_clock_and_not_by_refused_requests() -> None:
    clock = MovedClock()
    rate = Rate(clock, most=2)
    for seconds, allowed in ((0, True), (30, True), (29, False), (1, True)):
        clock.move(seconds)
        assert rate.ask("a").passes == allowed
        assert rate.take("a").passes == allowed


def test_it_says_when_the_minute_ends() -> None:
    clock = MovedClock()
    rate = Rate(clock, most=2, name="polls")

    assert rate.take("a") == Left("polls", 2, requests=1, seconds=60, passes=True)
    clock.move(20.5)
    assert rate.take("a") == Left("polls", 2, requests=0, seconds=40, passes=True)
    with pytest.raises(TooManyRequests) as refused:
        rate.take("a").check()
    assert refused.value.told_headers == {"Retry-After": "40"}


def test_a_caller_with_a_limit_of_its_own_is_counted_by_it(rate: Rate) -> None:
    assert [rate.take("a", 3).passes for _ in range(4)] == [True, True, True, False]
    assert rate.take("b").passes


def test_the_headers_are_those_of_the_draft() -> None:
    counted = (
        Left("requests", 100, requests=7, seconds=12, passes=True),
        Left("user-requests", 10, requests=0, seconds=60, passes=False),
    )

    assert rates.headers_of(counted) == {
        "RateLimit-Policy": '"requests";q=100;w=60, "user-requests";q=10;w=60',
        "RateLimit": '"requests";r=7;t=12, "user-requests";r=0;t=60',
    }


def test_threads_at_once_pass_as_often_as_is_allowed() -> None:
    rate = Rate(MovedClock(), most=50)

    def passes(_number: int) -> bool:
        return rate.take("a").passes

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(passes, range(400))) == 50


class Together:
    """What all processes count together, without a Redis."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def add(self, _key: str, amount: int) -> tuple[int, float]:
        self.told.append(amount)
        return sum(self.told), 60.0


def passed_in(rates: list[Rate], clock: MovedClock, *, seconds: int, each: int) -> int:
    """Send so many requests a second to each process; return how many passed."""
    passed = 0
    for _ in range(seconds):
        passed += sum(rate.take("a").passes for rate in rates for _ in range(each))
        clock.move(1)
    return passed


def test_a_flood_over_many_processes_passes_for_a_second_at_most() -> None:
    clock, together = MovedClock(), Together()
    rates = [Rate(clock, most=1200, shared=together) for _ in range(100)]

    passed = passed_in(rates, clock, seconds=30, each=10)

    assert 1200 <= passed <= 1200 + 100 * 10


def test_who_is_told_of_costs_one_round_trip_a_second_and_who_asks_seldom_none() -> None:
    clock, together = MovedClock(), Together()
    rate = Rate(clock, most=12_000, shared=together)

    assert passed_in([rate], clock, seconds=30, each=2) == 60
    assert together.told == [60]  # a 200th is used up
    assert passed_in([rate], clock, seconds=20, each=5) == 100
    assert len(together.told) <= 1 + 20
    assert 160 - sum(together.told) <= 5
