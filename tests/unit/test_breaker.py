"""A server that does not answer holds one thread."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from jay.db.breaker import Breaker
from jay.errors import Busy


@pytest.fixture
def breaker() -> Breaker:
    """One that is open."""
    made = Breaker()
    assert made.enter() is False
    made.leave(answers=False, tried=False)
    return made


def elsewhere(breaker: Breaker) -> bool:
    """Enter it as another thread does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(breaker.enter).result()


def test_nobody_is_kept_from_a_server_that_answers() -> None:
    breaker = Breaker()

    assert [elsewhere(breaker) for _ in range(3)] == [False] * 3


def test_one_tries_and_the_others_are_told_at_once(breaker: Breaker) -> None:
    assert breaker.enter() is True
    for _ in range(3):
        with pytest.raises(Busy) as raised:
            elsewhere(breaker)
        assert "not answered" in str(raised.value.__cause__)
    assert breaker.enter() is False  # a second connection of who tries


@pytest.mark.parametrize(("answers", "then"), [(True, False), (False, True), (None, True)])
def test_how_a_try_ends_decides(breaker: Breaker, *, answers: bool | None, then: bool) -> None:
    breaker.leave(answers=answers, tried=breaker.enter())

    assert elsewhere(breaker) is then  # whether that is a try again


def test_the_next_one_tries_when_a_try_has_ended(breaker: Breaker) -> None:
    breaker.leave(answers=False, tried=breaker.enter())

    assert elsewhere(breaker) is True
    with pytest.raises(Busy):
        breaker.enter()


def test_who_was_on_the_way_before_and_is_answered_closes_it(breaker: Breaker) -> None:
    breaker.enter()
    breaker.leave(answers=True, tried=False)

    assert elsewhere(breaker) is False


def test_an_answer_closes_it_though_who_tries_has_not_ended(breaker: Breaker) -> None:
    tried = breaker.enter()
    breaker.close()

    assert elsewhere(breaker) is False

    breaker.leave(answers=False, tried=False)  # it hangs again
    assert elsewhere(breaker) is True
    breaker.leave(answers=None, tried=tried)
    with pytest.raises(Busy):  # the end of the first is not that of the second
        breaker.enter()
