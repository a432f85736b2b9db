"""Limits against floods: new guests, transfers and polls a minute, in each process."""

from collections.abc import Iterable

from flask import Flask, current_app

from jay.clock import Clock
from jay.config import Settings
from jay.web.limits import Rate

GUESTS_OF_KEY = "guests of key"
GUESTS_OF_ADDRESS = "guests of address"
TRANSFERS = "transfers"
POLLS = "polls"


def init_app(app: Flask, settings: Settings, clock: Clock) -> None:
    """Give the app its limits."""
    app.extensions["jay.rates"] = {
        GUESTS_OF_KEY: Rate(clock, settings.guests_per_key),
        GUESTS_OF_ADDRESS: Rate(clock, settings.guests_per_address),
        TRANSFERS: Rate(clock, settings.transfers_per_user),
        POLLS: Rate(clock, settings.polls_per_screen),
    }


def take(rate: str, caller: str) -> None:
    """Count one request of a caller.

    :raises TooManyRequests: the caller has used up this minute's requests.
    """
    current_app.extensions["jay.rates"][rate].take(caller)


def ask(budgets: Iterable[tuple[str, str]]) -> None:
    """Ask whether one more request of each of these rates and callers would pass.

    :raises TooManyRequests: one of them would not.
    """
    for rate, caller in budgets:
        current_app.extensions["jay.rates"][rate].ask(caller)


def take_all(budgets: Iterable[tuple[str, str]]) -> None:
    """Count one request of each of these rates and callers.

    :raises TooManyRequests: one of them has used up this minute's requests.
    """
    for rate, caller in budgets:
        take(rate, caller)
