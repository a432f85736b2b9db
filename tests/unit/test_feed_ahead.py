"""The next part of a feed is made while one is in use: in order, one at a time, and no further."""

import threading
from collections.abc import Iterator
from contextlib import closing
from contextvars import ContextVar

import pytest

from jay.feeds.ahead import one_ahead
from tests.clock import PATIENCE_SECONDS


def test_the_next_item_is_taken_while_one_is_in_use() -> None:
    taken = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        taken.set()
        yield 2

    with closing(one_ahead(items())) as numbers:
        assert next(numbers) == 1
        assert taken.wait(PATIENCE_SECONDS)
        assert list(numbers) == [2]


def test_the_first_item_is_taken_where_an_interrupt_is_met() -> None:
    here, taken_in = threading.current_thread(), list[threading.Thread]()

    def items() -> Iterator[int]:
        for number in range(3):
            taken_in.append(threading.current_thread())
            yield number

    assert list(one_ahead(items())) == [0, 1, 2]
    assert [thread is here for thread in taken_in] == [True, False, False]


def test_items_come_in_order_and_only_one_is_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(200):
            taken.append(number)
            yield number

    for number, item in enumerate(one_ahead(items())):
        assert item == number
        assert len(taken) <= number + 2


def test_what_taking_an_item_raises_is_raised_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    numbers = one_ahead(items())
    assert next(numbers) == 1
    with pytest.raises(KeyError, match="broken"):
        next(numbers)


def test_who_stops_in_the_middle_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())

    with closing(one_ahead(iter(range(1000)))) as numbers:
        next(numbers)

    assert set(threading.enumerate()) <= before


def test_items_are_taken_in_the_context_of_who_asks() -> None:
    said: ContextVar[str] = ContextVar("said", default="nothing")
    said.set("hello")

    assert list(one_ahead(said.get() for _ in range(3))) == ["hello"] * 3
