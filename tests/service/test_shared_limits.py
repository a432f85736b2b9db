"""Limits that several processes count together in Redis, and each for itself where it is gone."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from structlog.testing import capture_logs

from jay.clock import system_clock
from jay.web import counts
from jay.web.counts import LEFT_ALONE_SECONDS, Shared
from jay.web.rates import Rate
from tests.servers import Redis, redis_server, stopped

SECRET = "a secret of 32 bytes, for tests only"


class Seconds:
    """A monotonic clock that stands still."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def running() -> Iterator[Redis]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(running: Redis) -> Iterator[Redis]:
    yield running
    if running.process.poll() is not None:
        running.start()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def process(redis: Redis, most: int, seconds: Seconds, name: str = "polls") -> Rate:
    """Return what one process counts with."""
    shared = Shared(redis.url, SECRET, monotonic=seconds)
    return Rate(system_clock, most, name=name, shared=shared)


def passed(rates: list[Rate], many: int) -> int:
    """Send requests to all in turn, and return how many may pass."""
    return sum(rates[number % len(rates)].take("alice").passes for number in range(many))


@pytest.mark.parametrize("most", [1, 7, 30, 400])
def test_processes_count_together_and_exactly_near_the_limit(
    redis: Redis, seconds: Seconds, most: int
) -> None:
    rates = [process(redis, most, seconds, f"together-{most}") for _ in range(3)]

    through = passed(rates, 2 * most + 10)

    # Each may let one more pass than it should: what the others have just counted.
    assert most <= through <= most + 2


def test_a_flood_on_many_threads_of_two_processes_is_stopped(
    redis: Redis, seconds: Seconds
) -> None:
    rates = [process(redis, 100, seconds, "flood") for _ in range(2)]

    with ThreadPoolExecutor(16) as pool:
        through = sum(pool.map(lambda n: rates[n % 2].take("alice").passes, range(1000)))

    assert 100 <= through <= 116


def test_who_stays_far_below_the_limit_costs_no_round_trip(
    redis: Redis, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate, told = process(redis, 1200, seconds, "seldom"), list[int]()
    monkeypatch.setattr(rate._counts._shared, "add", lambda _key, amount: told.append(amount))

    assert all(rate.take("alice").passes for _ in range(59))
    assert told == []
    rate.take("alice")
    assert told == [60]


def test_redis_holds_no_name_of_a_caller(redis: Redis, seconds: Seconds) -> None:
    rate = process(redis, 5, seconds, "names")
    rate.take("alice@example.com")
    shared = rate._counts._shared
    assert shared is not None

    keys = shared._storage.get_connection().keys("*")

    assert keys
    assert not any(b"alice" in key for key in keys)


def test_where_redis_is_killed_each_process_goes_on_with_what_it_knows(
    redis: Redis, seconds: Seconds
) -> None:
    rates = [process(redis, 20, seconds, "killed") for _ in range(2)]
    assert passed(rates, 10) == 10
    redis.kill()

    with capture_logs() as logs:
        through = passed(rates[:1], 40)

    # It had counted five itself, and had heard of four of the five of the other one.
    assert 10 <= through <= 15
    told = [entry["event"] for entry in logs]
    assert told == ["limits are counted in each process: Redis is gone"]
    assert logs[0]["log_level"] == "warning"


def test_redis_that_is_back_is_told_what_was_counted_meanwhile(
    redis: Redis, seconds: Seconds
) -> None:
    ours, theirs = (process(redis, 20, seconds, "back") for _ in range(2))
    redis.kill()
    assert passed([ours], 15) == 15
    redis.start()
    assert passed([ours], 1) == 1  # it is left alone for a while

    with capture_logs() as logs:
        seconds.now += LEFT_ALONE_SECONDS
        assert passed([ours], 1) == 1

    assert [entry["event"] for entry in logs] == ["limits are counted in Redis again"]
    assert passed([theirs], 10) in {3, 4}


def test_redis_that_stands_still_is_asked_once(
    redis: Redis, seconds: Seconds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "ANSWER_SECONDS", 0.1)
    rate = process(redis, 1000, seconds, "still")
    rate.take("first")
    with stopped(redis.process.pid), capture_logs() as logs:
        callers = [f"caller-{number}" for number in range(200)]
        few = process(redis, 2, seconds, "still-few")
        assert all(few.take(caller).passes for caller in callers)
    assert len(logs) == 1
    os.kill(redis.process.pid, signal.SIGCONT)
