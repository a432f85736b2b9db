"""Limits against floods: new guests, transfers, checkouts and polls a minute, in each process.

They are counted in memory, for nothing but the load: that costs no query.
"""

import hashlib
import threading
from collections.abc import Iterable

from cachetools import TTLCache
from flask import Flask, current_app
from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from jay.clock import Clock, timer
from jay.config import Settings
from jay.errors import TooManyRequests
from jay.web.limits import SITE, networks_of

GUESTS_OF_KEY = "guests of key"
GUESTS_OF_ADDRESS = "guests of address"
TRANSFERS = "transfers"
TRANSFERS_OF_ADDRESS = "transfers of address"
POLLS = "polls"
CHECKOUTS = "checkouts"
RETURNS = "returns from a payment"

_SITE = " of site"

CALLERS_REMEMBERED = 100_000
LONGEST_CALLER = 64
"""Characters of a caller that are remembered as they are."""


class Memory(Storage):
    """Counts in this process, for so many callers at most and by the clock of the app.

    The library's own storage knows neither: a flood from ever new addresses would fill the memory.

    :param seconds: how long a count lives; the same for all of them.
    """

    STORAGE_SCHEME = None
    base_exceptions = ()

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._timer = timer(clock)
        self._seconds = seconds
        self._counts: TTLCache[str, tuple[list[int], float]] = TTLCache(
            CALLERS_REMEMBERED, seconds, timer=self._timer
        )

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to a count and return it; a refused request moves nothing into the future."""
        with self._lock:
            known = self._counts.get(key)
            if known is None:
                known = self._counts[key] = ([0], self._timer() + self._seconds)
            known[0][0] += amount
            return known[0][0]

    def get(self, key: str) -> int:
        """Return a count."""
        with self._lock:
            known = self._counts.get(key)
            return 0 if known is None else known[0][0]

    def get_expiry(self, key: str) -> float:
        """Return when a count ends, in seconds of the timer."""
        with self._lock:
            known = self._counts.get(key)
            return self._timer() if known is None else known[1]

    def check(self) -> bool:
        """Tell that counting works: memory is there."""
        return True

    def reset(self) -> int:
        """Forget all counts and return how many there were."""
        with self._lock:
            forgotten = len(self._counts)
            self._counts.clear()
            return forgotten

    def clear(self, key: str) -> None:
        """Forget a count."""
        with self._lock:
            self._counts.pop(key, None)


class Rate:
    """At most ``most`` requests of a caller in a minute, in each process."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._most = RateLimitItemPerMinute(most)
        self._storage = Memory(clock, self._most.get_expiry())
        self._limiter = FixedWindowRateLimiter(self._storage)

    def ask(self, caller: str) -> None:
        """Ask whether one more request would pass, and count nothing.

        :raises TooManyRequests: the caller has used up this minute's requests.
        """
        if not self._limiter.test(self._most, _short(caller)):
            raise TooManyRequests

    def take(self, caller: str) -> None:
        """Count one request.

        :raises TooManyRequests: the caller has used up this minute's requests.
        """
        if not self._limiter.hit(self._most, _short(caller)):
            raise TooManyRequests

    def forget(self) -> None:
        """Begin anew."""
        self._storage.reset()


def _short(caller: str) -> str:
    """Return a name to remember a caller by: screens may have any, however long."""
    if len(caller) <= LONGEST_CALLER:
        return caller
    return hashlib.sha256(caller.encode("utf-8", "surrogatepass")).hexdigest()


def init_app(app: Flask, settings: Settings, clock: Clock) -> None:
    """Give the app its limits."""
    app.extensions["jay.rates"] = {
        GUESTS_OF_KEY: Rate(clock, settings.guests_per_key),
        **_of_address(GUESTS_OF_ADDRESS, clock, settings.guests_per_address),
        TRANSFERS: Rate(clock, settings.transfers_per_user),
        **_of_address(TRANSFERS_OF_ADDRESS, clock, settings.transfers_per_user),
        POLLS: Rate(clock, settings.polls_per_screen),
        CHECKOUTS: Rate(clock, settings.checkouts_per_user),
        **_of_address(RETURNS, clock, settings.checkouts_per_user),
    }


def _of_address(rate: str, clock: Clock, most: int) -> dict[str, Rate]:
    return {rate: Rate(clock, most), rate + _SITE: Rate(clock, most * SITE)}


def of_address(rate: str, address: str | None) -> list[tuple[str, str]]:
    """Return the budgets that a request from an address uses up: its own, and its site's."""
    return list(zip((rate, rate + _SITE), networks_of(address), strict=False))


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
