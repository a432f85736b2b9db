"""Counting requests of a minute: in this process, and in Redis together with all others.

Each process counts for itself and tells Redis in lots, which are smaller the nearer a caller is to
its limit, and each second while the caller goes on: who stays far below it costs no round trip, and
who comes near to it is counted exactly, on however many processes its requests are.
Where Redis is gone, each process goes on with what it knows.
"""

import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from typing import Any

import structlog
from limits import RateLimitItem
from limits.storage import RedisStorage

from jay.clock import Clock, timer

log = structlog.get_logger()

CALLERS_REMEMBERED = 32_000
"""Of each limit, by 0.2 KB each. Who is forgotten in a flood of others begins anew."""

WINDOW_SECONDS = 60
LOTS = 20
"""A lot is this part of what a caller has left."""

TOLD_AFTER_SECONDS = 1.0
"""How long what is less than a lot is kept."""

FEW = 200
"""Who has used less than this part of its limit in a process costs no round trip there."""

ANSWER_SECONDS = 0.25
"""How long Redis may take: a limit is not worth more of a shopper's time."""

LEFT_ALONE_SECONDS = 5.0
"""How long Redis is not asked after it has failed."""


class Shared:
    """The counts of all processes, in Redis.

    :param url: ``redis://``, ``rediss://`` or ``redis+unix://``.
    :param secret: for the names of callers: users, addresses and screens are nobody's business.
    """

    def __init__(self, url: str, secret: str, *, monotonic: Callable[[], float] = time.monotonic):
        # By name: it takes 0.1 s, which who has no Redis does not pay.
        backoff, retry = import_module("redis.backoff"), import_module("redis.retry")
        self._storage = RedisStorage(
            url,
            key_prefix="jay",
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=retry.Retry(backoff.NoBackoff(), 0),
        )
        self._redis: Any = self._storage.get_connection()
        self._secret = secret.encode()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asked_again = 0.0
        self._gone = False

    def add(self, key: str, amount: int) -> tuple[int, float] | None:
        """Add to a count; return it and the seconds until it ends, or None where Redis is gone."""
        with self._lock:
            now = self._monotonic()
            if now < self._asked_again:
                return None
            if self._gone:
                # One asks whether it is back, the others go on without.
                self._asked_again = now + LEFT_ALONE_SECONDS
        name = hmac.digest(self._secret, key.encode("utf-8", "surrogatepass"), "sha256").hex()
        try:
            count = self._storage.incr(name, WINDOW_SECONDS, amount)
            left = self._redis.pttl(self._storage.prefixed_key(name)) / 1000
        except self._storage.base_exceptions as error:
            self._lose(error)
            return None
        self._find()
        return count, left

    def _lose(self, error: Exception) -> None:
        with self._lock:
            self._asked_again = self._monotonic() + LEFT_ALONE_SECONDS
            known, self._gone = self._gone, True
        if not known:
            reason = type(error).__name__
            log.warning("limits are counted in each process: Redis is gone", reason=reason)

    def _find(self) -> None:
        if not self._gone:
            return
        with self._lock:
            self._gone, self._asked_again = False, 0.0
        log.info("limits are counted in Redis again")


@dataclass(slots=True)
class Window:
    """What a caller has used of its minute.

    :ivar ends: by the timer.
    :ivar told: counted by all processes, as far as this one knows.
    :ivar untold: counted here since.
    :ivar since: when that began, by the timer; 0 with the window itself.
    :ivar shared: whether all processes know of the caller.
    """

    ends: float
    told: int = 0
    untold: int = 0
    since: float = 0.0
    shared: bool = False

    def is_to_be_told(self, most: int, now: float) -> bool:
        """Tell whether the others are to know now what was counted here."""
        if self.told > most:  # who is refused anyway need not be told about
            return False
        if self.untold >= (most - self.told) // LOTS:
            return True
        since = self.since or self.ends - WINDOW_SECONDS
        return now - since >= TOLD_AFTER_SECONDS and (self.shared or self.untold >= most // FEW)


class Counts:
    """The counts of one limit, for so many callers at most and by the clock of the app.

    The library's own storage knows neither: a flood from ever new addresses would fill the memory.
    It also costs several times as much, on each request.
    """

    def __init__(self, clock: Clock, shared: Shared | None = None) -> None:
        self._lock = threading.Lock()
        self._timer = timer(clock)
        self._shared = shared
        # In the order in which they began, and so in about that in which they end. By the hash of
        # caller and limit, which differs in each process: names would take more room than counts.
        self._windows: dict[int, Window] = {}

    def hit(self, item: RateLimitItem, caller: str) -> tuple[int, float]:
        """Count a request; return how many there are, and how many seconds the minute still has."""
        most = item.amount
        key = _key(caller, most)
        with self._lock:
            now = self._timer()
            window = self._windows.get(key)
            if window is None or window.ends <= now:
                window = self._begin(key, now)
            window.untold += 1
            count, left = window.told + window.untold, window.ends - now
            if self._shared is None or not window.is_to_be_told(most, now):
                return count, left
            amount, window.untold, window.since = window.untold, 0, now
            window.told += amount
        found = self._shared.add(item.key_for(caller), amount)
        with self._lock:
            if found is None:
                window.told -= amount
                window.untold += amount
                return count, left
            window.told, window.shared = max(window.told, found[0]), True
            window.ends = self._timer() + found[1]
        # Those that other threads have counted meanwhile come after this one.
        return found[0], max(0.0, found[1])

    def test(self, item: RateLimitItem, caller: str) -> tuple[int, float]:
        """Return what ``hit`` would, and count nothing."""
        with self._lock:
            now = self._timer()
            window = self._windows.get(_key(caller, item.amount))
            if window is None or window.ends <= now:
                return 1, float(WINDOW_SECONDS)
            return window.told + window.untold + 1, window.ends - now

    def forget(self) -> int:
        """Forget all counts and return how many there were."""
        with self._lock:
            forgotten = len(self._windows)
            self._windows.clear()
            return forgotten

    def _begin(self, key: int, now: float) -> Window:
        windows = self._windows
        windows.pop(key, None)
        # Two for each that comes: those that have ended never become more than the others.
        for oldest in list(islice(windows, 2)):
            if len(windows) >= CALLERS_REMEMBERED or windows[oldest].ends <= now:
                del windows[oldest]
        window = windows[key] = Window(now + WINDOW_SECONDS)
        return window


def _key(caller: str, most: int) -> int:
    # Of 60 bits, which take the least room.
    return hash((caller, most)) & 0xFFF_FFFF_FFFF_FFFF
