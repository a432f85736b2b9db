"""The lowest price before a reduction, by hand and against a model that looks at every moment."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jay.products.models import microseconds
from jay.products.price_merging import MOST_KEPT, merged
from jay.products.prices import Home, State, Timeline, closed
from tests.clock import NOON
from tests.depth import few_or_all

EUR = Home("EUR")


def day(number: float) -> int:
    return microseconds(NOON + timedelta(days=number))


def told(since: float, price: int | None, org: int | None = None, **more: Any) -> State:
    return State(day(since), None, price, org_price=org, **more)


def states(*each: State) -> list[State]:
    """Let each hold until the next one begins."""
    ends = [one.since for one in each[1:]]
    return [*(one._replace(until=end) for one, end in zip(each, ends, strict=False)), each[-1]]


def lowest(own: list[State], main: list[State] | None = None, *, home: Home = EUR) -> int | None:
    return Timeline(own, main or [], home).lowest_before_reduction(day(0))


SALE = {"sale_price": 80, "sale_from": day(-3), "sale_until": day(1)}


@pytest.mark.parametrize(
    ("before", "found"),
    [
        # What the feed calls its price before is none while nobody has seen that.
        ([told(-1, 80, 100)], None),
        ([told(-50, 100), told(-1, 80, 100)], 100),
        # It tells of 100; 90 was asked in between.
        ([told(-50, 100), told(-20, 90), told(-10, 100), told(-1, 80, 100)], 90),
        # The 30 days are counted from when the reduction began, and not from today.
        ([told(-90, 60), told(-60, 100), told(-29, 80, 100)], 100),
        ([told(-90, 60), told(-58, 100), told(-29, 80, 100)], 60),
        ([told(-90, 60), told(-59, 100), told(-29, 80, 100)], 100),
        # In steps it began with the first one; a step up is another reduction.
        ([told(-50, 100), told(-9, 80, 100), told(-1, 60, 100)], 100),
        ([told(-50, 100), told(-9, 60, 100), told(-1, 80, 100)], 60),
        # A price that was lowered in silence is the lowest when the reduction is told of.
        ([told(-50, 100), told(-9, 80), told(-1, 80, 100)], 80),
        ([told(-50, 100), told(-1, 80)], None),
        # Nobody has sold it for a week.
        ([told(-50, 100), told(-9, None), told(-1, 80, 100)], 100),
        # A recommended price is no reduction; a sale is, whatever is recommended.
        ([told(-50, 100), told(-1, 80, 120, rrp=True)], None),
        ([told(-50, 100, 120, rrp=True, **SALE)], 100),
        # A sale begins and ends by itself.
        ([told(-50, 100, **SALE)], 100),
        ([told(-50, 100, sale_price=80, sale_until=day(-1))], None),
        ([told(-50, 100, sale_price=80, sale_from=day(1))], None),
        ([told(-50, 100, sale_price=70, sale_until=day(-20)), told(-3, 80, 100)], 70),
        ([told(-50, 100, sale_price=100)], None),
        # Other money is another price.
        ([told(-50, 10, currency="USD"), told(-9, 100, currency="EUR"), told(-1, 80, 100)], 100),
        ([told(-50, 100, currency="USD"), told(-1, 80, 100)], None),
    ],
)
def test_the_lowest_price_is_that_of_30_days_before_the_reduction_began(
    before: list[State], found: int | None
) -> None:
    assert lowest(states(*before)) == found


@pytest.mark.parametrize(("began", "found"), [(-369, 100), (-370, None), (-385, None)])
def test_a_reduction_that_goes_on_longer_than_is_remembered_is_told_of_no_more(
    began: int, found: int | None
) -> None:
    assert lowest(states(told(-500, 100), told(began, 80, 100))) == found


def test_of_two_states_of_one_moment_the_one_that_still_holds_counts() -> None:
    own = [told(-9, 100)._replace(until=day(-1)), told(-1, 90)._replace(until=day(-1))]

    assert lowest([told(-1, 80, 100), *own]) == 100


def test_a_variant_has_the_history_of_its_product_while_it_has_its_price() -> None:
    main = states(told(-50, 100), told(-1, 80, 100))

    assert lowest([told(-50, None)], main) == 100
    assert lowest(states(told(-50, None), told(-9, 70), told(-5, None)), main) == 70
    assert lowest([told(-1, None)], main) is None
    assert lowest(states(told(-50, 90), told(-2, 70, 90)), main) == 90
    assert lowest([told(-50, None, rrp=True)], main) is None


def test_what_was_asked_in_the_shops_currency_of_before_does_not_count() -> None:
    own = states(told(-50, 100), told(-5, 90), told(-1, 80, 100))

    assert lowest(own, home=Home("CHF", day(-9))) == 90
    assert lowest(own, home=Home("CHF", day(-1))) is None


@pytest.mark.parametrize(
    ("since", "known", "found"),
    [
        (-40, -40, 100),
        (-31, -31, 100),
        (-30.9, -30.9, None),
        (-9, -9, None),
        # A clock was late.
        (-9, -8.9, None),
        # It came later: all it has cost is known.
        (-8.9, -9, 100),
    ],
)
def test_what_was_there_before_prices_were_kept_needs_30_days_of_them(
    since: float, known: float, found: int | None
) -> None:
    own = states(told(since, 100), told(-1, 80, 100))

    assert lowest(own, home=Home("EUR", prices_since=day(known))) == found


def test_a_clock_that_was_ahead_leaves_a_moment_of_what_it_has_told() -> None:
    row = closed("mug", day(300), day(0), (100, *[None] * 6))

    assert (row["since"], row["until"], row["price"]) == (day(0) - 1, day(0), 100)
    assert closed("mug", None, day(0), (100, *[None] * 6))["since"] == day(0) - 1


# --- against a model that looks at every hour

HOURS = st.integers(-45 * 24, 24)
OFFERS = st.builds(
    State,
    since=HOURS,
    until=st.none(),
    price=st.none() | st.integers(1, 6),
    sale_price=st.none() | st.integers(1, 6),
    sale_from=st.none() | HOURS,
    sale_until=st.none() | HOURS,
    org_price=st.none() | st.integers(1, 6),
    currency=st.sampled_from([None, None, "EUR", "USD"]),
    rrp=st.sampled_from([None, None, True, False]),
)


def hour(number: int) -> int:
    return microseconds(NOON + timedelta(hours=number))


def in_time(one: State) -> State:
    moments = ("since", "sale_from", "sale_until")
    given_ = {name: getattr(one, name) for name in moments}
    return one._replace(**{name: at if at is None else hour(at) for name, at in given_.items()})


def listed(offers: list[State]) -> list[State]:
    """Return offers as history has them: the last one of each moment, none in the future."""
    found = {one.since: in_time(one) for one in offers if one.since <= 0}
    return states(*(found[at] for at in sorted(found))) if found else []


class Model:
    """Looks at the price of each hour."""

    def __init__(self, own: list[State], main: list[State]) -> None:
        self.own, self.main = own, main

    def at(self, number: int) -> tuple[int, str, bool] | None:
        own, main = self._holding(self.own, number), self._holding(self.main, number)
        if own is None or (own.price is None and main is None):
            return None
        by = own if own.price is not None else main
        if by is None or by.price is None:
            return None
        money = own.currency or (main.currency if main else None) or "EUR"
        rrp = own.rrp if own.rrp is not None else bool(main and main.rrp)
        first, end = by.sale_from or hour(-9999), by.sale_until or hour(9999)
        if by.sale_price and by.sale_price < by.price and first <= hour(number) < end:
            return by.sale_price, money, True
        return by.price, money, bool(by.org_price and by.org_price > by.price and not rrp)

    def lowest(self) -> int | None:
        now = self.at(0)
        if now is None or not now[2]:
            return None
        began = 0
        while (before := self.at(began - 1)) is not None:
            after = self.at(began)
            assert after is not None
            if not before[2] or before[1] != after[1] or before[0] < after[0]:
                break
            began -= 1
        prices = [self.at(number) for number in range(began - 30 * 24, began)]
        return min((one[0] for one in prices if one and one[1] == now[1]), default=None)

    @staticmethod
    def _holding(states_: list[State], number: int) -> State | None:
        there = [one for one in states_ if one.since <= hour(number)]
        return there[-1] if there else None


@settings(max_examples=few_or_all(60, 2_000))
@given(own=st.lists(OFFERS, max_size=6), main=st.lists(OFFERS, max_size=3))
def test_intervals_say_what_a_look_at_every_hour_says(own: list[State], main: list[State]) -> None:
    mine, of_main = listed(own), listed(main)

    found = Timeline(mine, of_main, EUR).lowest_before_reduction(hour(0))

    assert found == Model(mine, of_main).lowest()


# --- what is merged says the same


def every_quarter(*prices: tuple[int, int | None]) -> list[State]:
    """Let prices, and what they are compared with, hold 15 minutes each, the last one until now."""
    first = -len(prices) / 96
    return states(*(told(first + at / 96, *price) for at, price in enumerate(prices)))


def told_when_merged(own: list[State]) -> tuple[int | None, int]:
    few = merged(own[:-1])
    return lowest([*few, own[-1]]), len(few)


@pytest.mark.parametrize("compared", [None, 2000])
def test_a_price_that_changes_all_the_time_leaves_few_and_the_lowest_one(
    compared: int | None,
) -> None:
    cheap = [(500, compared)] * 96
    prices = [(1000 + at * 7919 % 500, compared) for at in range(33 * 96)]
    own = every_quarter(*cheap, *prices, (999, 1500))

    found, count = told_when_merged(own)

    # What was asked more than 30 days before is not dragged along.
    assert (found, lowest(own)) == (1000, 1000)
    assert count < MOST_KEPT / 2


def test_a_reduction_in_many_steps_still_counts_from_its_first_one() -> None:
    steps = [(9000 - at, 12_000) for at in range(40 * 96)]
    own = every_quarter(*[(10_000, None)] * 96, (9500, None), *steps, (4000, 12_000))

    found, count = told_when_merged(own)

    assert (found, lowest(own)) == (9500, 9500)
    assert count < MOST_KEPT


@settings(max_examples=few_or_all(60, 2_000))
@given(own=st.lists(OFFERS, min_size=2, max_size=9), main=st.lists(OFFERS, max_size=9))
def test_what_is_merged_misses_at_most_where_in_a_day_something_was_asked(
    own: list[State], main: list[State]
) -> None:
    whole = [states_until_now(listed(own)), states_until_now(listed(main))]
    few = [[*merged(each[:-1]), *each[-1:]] if len(each) > 1 else each for each in whole]

    true, told_ = (Timeline(*each, EUR).lowest_before_reduction(hour(0)) for each in (whole, few))

    assert (told_ is None) == (true is None)
    assert told_ is None or true is None or told_ <= true


def states_until_now(each: list[State]) -> list[State]:
    there = [one for one in each if one.since < hour(0)]
    return states(*(one._replace(until=None) for one in there)) if there else []
