"""Limits against floods: requests, new guests, transfers, checkouts and polls a minute.

They are counted in memory, for nothing but the load, and shared through Redis where there is one:
see ``jay.web.counts``. Answers say what is left of them.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import ceil
from typing import NamedTuple

from flask import Flask, Response
from limits import RateLimitItemPerMinute

from jay.clock import Clock
from jay.config import Settings
from jay.errors import TooManyRequests
from jay.web.context import notes, this_app
from jay.web.counts import WINDOW_SECONDS, Counts, Shared
from jay.web.limits import SITE, networks_of

REQUESTS = "requests"
REQUESTS_OF_USER = "user-requests"
REFUSED_OF_ADDRESS = "refused-per-address"
GUESTS_OF_KEY = "guests"
GUESTS_OF_ADDRESS = "guests-per-address"
TRANSFERS = "transfers"
TRANSFERS_OF_ADDRESS = "transfers-per-address"
POLLS = "polls"
CHECKOUTS = "checkouts"
PICTURES = "pictures"
RETURNS = "returns"

OF_PARTNERS = (
    *(REQUESTS, REQUESTS_OF_USER, REFUSED_OF_ADDRESS, GUESTS_OF_KEY, GUESTS_OF_ADDRESS),
    *(TRANSFERS, TRANSFERS_OF_ADDRESS, CHECKOUTS),
)
"""The limits that a partner may have of its own."""

_SITE = "-of-site"


class Left(NamedTuple):
    """What a caller has left of a limit, as answers say it."""

    name: str
    most: int
    requests: int
    seconds: int
    passes: bool

    def check(self) -> "Left":
        """Return it where the request may pass.

        :raises TooManyRequests: it may not; it says how long to wait.
        """
        if not self.passes:
            raise TooManyRequests(wait=self.seconds)
        return self


class Rate:
    """At most ``most`` requests of a caller in a minute."""

    def __init__(
        self, clock: Clock, most: int, *, name: str = "limit", shared: Shared | None = None
    ) -> None:
        self.name = name
        self.most = most
        self._counts = Counts(clock, shared)

    def ask(self, caller: str, most: int | None = None) -> Left:
        """Return whether one more request would pass, and count nothing.

        :param most: instead of what everybody may do.
        """
        most = most or self.most
        return self._left(most, *self._counts.test(_item(self.name, most), caller))

    def take(self, caller: str, most: int | None = None) -> Left:
        """Count one request, and return whether it may pass.

        :param most: instead of what everybody may do.
        """
        most = most or self.most
        return self._left(most, *self._counts.hit(_item(self.name, most), caller))

    def forget(self) -> int:
        """Begin anew; return how many callers were known."""
        return self._counts.forget()

    def _left(self, most: int, count: int, seconds: float) -> Left:
        # Rounded up: who waits as long as it says must not come too early.
        return Left(self.name, most, max(0, most - count), max(1, ceil(seconds)), count <= most)


@lru_cache(1000)
def _item(name: str, most: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(most, namespace=name)


@lru_cache(1000)
def _policy(name: str, most: int) -> str:
    return f'"{name}";q={most};w={WINDOW_SECONDS}'


def headers_of(counted: Iterable[Left]) -> dict[str, str]:
    """Return what an answer says of its limits (draft-ietf-httpapi-ratelimit-headers-10).

    ``q`` requests are allowed in ``w`` seconds; ``r`` are left, and all are again in ``t`` seconds.
    """
    counted = tuple(counted)
    return {
        "RateLimit-Policy": ", ".join(_policy(one.name, one.most) for one in counted),
        "RateLimit": ", ".join(f'"{one.name}";r={one.requests};t={one.seconds}' for one in counted),
    }


def init_app(app: Flask, settings: Settings, clock: Clock) -> None:
    """Give the app its limits, and let answers say what is left of them."""
    shared = Shared(settings.redis_url, settings.secret_key) if settings.redis_url else None
    most = {
        REQUESTS: settings.requests_per_key,
        REQUESTS_OF_USER: settings.requests_per_user,
        **_of_address(REFUSED_OF_ADDRESS, settings.requests_per_user),
        GUESTS_OF_KEY: settings.guests_per_key,
        **_of_address(GUESTS_OF_ADDRESS, settings.guests_per_address),
        TRANSFERS: settings.transfers_per_user,
        **_of_address(TRANSFERS_OF_ADDRESS, settings.transfers_per_user),
        POLLS: settings.polls_per_screen,
        CHECKOUTS: settings.checkouts_per_user,
        PICTURES: settings.pictures_per_merchant,
        **_of_address(RETURNS, settings.checkouts_per_user),
    }
    app.extensions["jay.rates"] = {
        name: Rate(clock, number, name=name, shared=shared) for name, number in most.items()
    }

    @app.after_request
    def _tell(response: Response) -> Response:
        tally: Tally | None = notes().get("tally")
        if tally is not None and tally.counted:
            for name, value in headers_of(tally.counted.values()).items():
                response.headers.add(name, value)
        return response


def _of_address(rate: str, most: int) -> dict[str, int]:
    return {rate: most, rate + _SITE: most * SITE}


def go_by(limits: Mapping[str, int]) -> None:
    """Let the current request's partner have limits of its own."""
    _tally().limits = limits


def of_address(rate: str, address: str | None) -> list[tuple[str, str]]:
    """Return the budgets that a request from an address uses up: its own, and its site's."""
    return list(zip((rate, rate + _SITE), networks_of(address), strict=False))


class Tally:
    """What one request is counted for.

    :param rates: the app's.
    :ivar limits: its partner's own.
    :ivar counted: what is left of each limit, as the answer tells it.
    """

    __slots__ = ("_rates", "counted", "limits")

    def __init__(self, rates: Mapping[str, Rate]) -> None:
        self._rates = rates
        self.limits: Mapping[str, int] = {}
        self.counted: dict[str, Left] = {}

    def ask(self, budgets: Iterable[tuple[str, str]]) -> None:
        """Ask whether one more request of each of these rates and callers would pass.

        :raises TooManyRequests: one of them would not.
        """
        for rate, caller in budgets:
            left = self._rates[rate].ask(caller, self._own(rate))
            if not left.passes:
                self.counted[rate] = left
                left.check()

    def take(self, rate: str, caller: str) -> None:
        """Count one request of a caller.

        :raises TooManyRequests: the caller has used up this minute's requests.
        """
        left = self.counted[rate] = self._rates[rate].take(caller, self._own(rate))
        left.check()

    def take_all(self, budgets: Iterable[tuple[str, str]]) -> None:
        """Count one request of each of these rates and callers.

        :raises TooManyRequests: one of them has used up this minute's requests.
        """
        for rate, caller in budgets:
            self.take(rate, caller)

    def _own(self, rate: str) -> int | None:
        if not self.limits:
            return None
        whole = self.limits.get(rate.removesuffix(_SITE))
        return whole and (whole * SITE if rate.endswith(_SITE) else whole)


def ask(budgets: Iterable[tuple[str, str]]) -> None:
    """Ask for the current request, see ``Tally``."""
    _tally().ask(budgets)


def take(rate: str, caller: str) -> None:
    """Count the current request, see ``Tally``."""
    _tally().take(rate, caller)


def take_all(budgets: Iterable[tuple[str, str]]) -> None:
    """Count the current request, see ``Tally``."""
    _tally().take_all(budgets)


def _tally() -> Tally:
    noted = notes()
    found: Tally | None = noted.get("tally")
    if found is None:
        found = noted["tally"] = Tally(this_app().extensions["jay.rates"])
    return found
