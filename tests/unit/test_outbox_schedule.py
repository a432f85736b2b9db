"""When a webhook is tried again, and when it is given up."""

from datetime import datetime, timedelta

import pytest

from jay.outbox.models import (
    FIRST_WAIT,
    GIVEN_UP_AFTER,
    LEASE,
    LONGEST_WAIT,
    DeliveryResult,
    Destination,
    Message,
    Schedule,
)
from jay.outbox.transports.http import TOTAL_SECONDS
from tests.clock import NOON

FAILED = DeliveryResult(failure="answered 500")


def message(attempts: int = 1) -> Message:
    return Message(
        id=1,
        kind="add-product",
        lane="1/add-product",
        merchant_id=1,
        merchant="mugshop",
        subject="de-DE/MUG-1",
        key="key",
        body="{}",
        since=NOON,
        attempts=attempts,
    )


def wait(
    attempts: int, outcome: DeliveryResult = FAILED, *, now: datetime = NOON, jitter: float = 1.0
) -> timedelta:
    due = message(attempts).next_due(outcome, Schedule(), now=now, jitter=lambda: jitter)
    assert due is not None
    return due - now


def test_the_waits_double_from_ten_seconds_to_six_hours() -> None:
    longest = [wait(attempts).total_seconds() for attempts in range(1, 16)]

    assert longest[:5] == [10, 20, 40, 80, 160]
    assert longest[-4:] == [20480, 21600, 21600, 21600]
    assert (FIRST_WAIT.total_seconds(), LONGEST_WAIT.total_seconds()) == (10, 21600)


def test_a_wait_is_drawn_from_all_of_its_range() -> None:
    assert [wait(4, jitter=drawn).total_seconds() for drawn in (0, 0.25, 1)] == [0, 20, 80]


def test_a_thousand_attempts_overflow_nothing() -> None:
    assert wait(1000) == LONGEST_WAIT


def test_a_server_may_ask_for_a_longer_wait_but_not_for_a_shorter_one() -> None:
    asked = DeliveryResult(failure="answered 503", hold=True, wait=timedelta(seconds=60))

    assert wait(1, asked).total_seconds() == 60
    assert wait(5, asked).total_seconds() == 160


def test_a_server_can_not_ask_for_more_than_the_longest_wait() -> None:
    asked = DeliveryResult(failure="answered 429", hold=True, wait=timedelta(days=300))

    assert wait(1, asked) == LONGEST_WAIT


def test_the_last_attempt_is_after_three_days() -> None:
    late = NOON + GIVEN_UP_AFTER - timedelta(seconds=1)

    assert wait(30, now=late) == timedelta(seconds=1)
    end = NOON + GIVEN_UP_AFTER
    assert message(31).next_due(FAILED, Schedule(), now=end, jitter=lambda: 0.5) is None


def test_what_is_final_is_given_up_at_once() -> None:
    final = DeliveryResult(failure="answered 410", final=True)

    assert message().next_due(final, Schedule(), now=NOON, jitter=lambda: 0.5) is None


def test_a_lease_outlives_an_attempt() -> None:
    assert LEASE.total_seconds() > 2 * TOTAL_SECONDS


@pytest.mark.parametrize("secret", ["hunter2", "user.example"])
def test_a_destination_shows_neither_its_address_nor_its_token(secret: str) -> None:
    url = "https://user.example/?secret=hunter2"

    assert secret not in repr(Destination(url, headers={"X-API-Key": "hunter2"}))
