"""Delivering what is due: any number of processes may do it at the same time.

A lane, which is a merchant's address for one kind of webhook, sends one by one in each process,
and the lanes take turns: a slow server keeps one of the threads busy and none of the other lanes.
"""

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from jay import db, web
from jay.clock import Clock
from jay.db.database import Database
from jay.errors import JayError
from jay.merchants.service import open_webhook_token
from jay.net.client import Client
from jay.outbox import service
from jay.outbox.models import LONGEST_WAIT, Delivery, Lane, Outcome
from jay.outbox.transports.http import Sender
from jay.sealing import WrongKey

log = structlog.get_logger()

PARALLEL = 8
"""How many lanes of a process send at the same time."""

POLL_SECONDS = 1.0
"""How often it is looked for what has become due."""

HELD = timedelta(seconds=10)
"""How long a lane rests when its server can't be reached."""

AT_ONCE_SECONDS = 15.0
"""How long a command goes on with what it has put in; the rest is for ``webhooks deliver``."""


@dataclass(frozen=True)
class Attempt:
    """An attempt that was made.

    :ivar state: what the delivery is in now; None when another sender has taken it over, or it was
        taken back.
    """

    delivery: Delivery
    outcome: Outcome
    state: str | None
    seconds: float


class Deliverer:
    """Delivers what is due.

    :param report: is told of each attempt.
    :param jitter: draws from 0 to 1, for the waits between attempts.
    """

    def __init__(
        self,
        database: Database,
        sender: Sender,
        *,
        clock: Clock,
        secret: str,
        report: Callable[[Attempt], None] = lambda _attempt: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._sender = sender
        self._clock = clock
        self._secret = secret
        self._report = report
        self._jitter = jitter

    def run(self, stop: threading.Event | None = None) -> None:
        """Deliver what is due, and with ``stop`` also what becomes due until it is set.

        :raises Busy: the database can't be reached; with ``stop`` it is waited for instead.
        """
        pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="webhook")
        try:
            self._work(_Lanes(), pool, stop)
        finally:
            pool.shutdown(cancel_futures=True)

    def _work(
        self, lanes: "_Lanes", pool: ThreadPoolExecutor, stop: threading.Event | None
    ) -> None:
        while True:
            try:
                if stop is None or not stop.is_set():
                    self._fill(lanes, pool)
                else:
                    lanes.give_back()
                if lanes.active:
                    self._collect(lanes)
                    continue
            except JayError as error:
                if stop is None:
                    raise
                log.warning("webhooks have to wait", reason=error.constant())
                stop.wait(POLL_SECONDS)
                continue
            if stop is None or stop.wait(POLL_SECONDS):
                return

    def _fill(self, lanes: "_Lanes", pool: ThreadPoolExecutor) -> None:
        now = self._clock()
        with self._database.reading() as connection:
            due = service.lanes_with_due(connection, now=now)
        for lane in due:
            if lanes.may_go(lane, now):
                lanes.active[pool.submit(self.attempt, lane)] = lane

    def _collect(self, lanes: "_Lanes") -> None:
        done, _ = wait(lanes.active, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        # All of them leave before the first error is raised, so that none is asked twice.
        finished = [(future, lanes.active.pop(future)) for future in done]
        for future, lane in finished:
            lanes.hold(lane, future.result(), self._clock())

    def try_at_once(self, lane: Lane) -> None:
        """Deliver what is due in one lane, for a while and up to the first standstill."""
        end = time.monotonic() + AT_ONCE_SECONDS
        while time.monotonic() < end:
            attempt = self.attempt(lane)
            if attempt is None or attempt.outcome.hold:
                return

    def attempt(self, lane: Lane) -> Attempt | None:
        """Take a delivery of the lane, send it and record how it went; None when none is due."""
        with self._database.transaction() as connection:
            delivery = service.take(connection, lane, now=self._clock())
        if delivery is None:
            return None
        # Nothing slow is inside of a transaction: taken, then sent, then recorded.
        began = time.perf_counter()
        outcome = self._send(delivery)
        seconds = time.perf_counter() - began
        with self._database.transaction() as connection:
            state = service.record(
                connection, delivery, outcome, now=self._clock(), jitter=self._jitter
            )
        attempt = Attempt(delivery, outcome, state, seconds)
        self._report(attempt)
        return attempt

    def _send(self, delivery: Delivery) -> Outcome:
        if delivery.url is None:
            return Outcome(failure="its configuration names no address any more", final=True)
        headers = {
            "User-Agent": "Jay-Basket",
            "Webhook-Id": delivery.key,
            "Idempotency-Key": delivery.key,
        }
        if delivery.body is not None:
            headers["Content-Type"] = "application/json"
        if delivery.sealed_token is not None:
            try:
                headers["X-API-Key"] = open_webhook_token(
                    delivery.sealed_token, delivery.merchant_id, secret=self._secret
                )
            except WrongKey:
                return Outcome(
                    failure="its token was sealed with another JAY_SECRET_KEY: set it again",
                    hold=True,
                )
        return self._sender.send(
            delivery.kind.method, delivery.url, headers, delivery.body, now=self._clock()
        )


class _Lanes:
    """Which lanes are being worked on, and which ones rest."""

    def __init__(self) -> None:
        self.active: dict[Future[Attempt | None], Lane] = {}
        self._resting: dict[Lane, datetime] = {}

    def may_go(self, lane: Lane, now: datetime) -> bool:
        """Tell whether the lane is neither being worked on nor resting."""
        return lane not in self.active.values() and self._resting.get(lane, now) <= now

    def give_back(self) -> None:
        """Forget the lanes whose turn has not come yet."""
        self.active = {future: lane for future, lane in self.active.items() if not future.cancel()}

    def hold(self, lane: Lane, attempt: Attempt | None, now: datetime) -> None:
        """Let the lane rest where going on is of no use."""
        self._resting.pop(lane, None)
        if attempt is None:
            # Another process has been quicker, so it is at work here.
            self._resting[lane] = now + timedelta(seconds=POLL_SECONDS)
        elif attempt.outcome.hold:
            asked = min(attempt.outcome.wait or timedelta(), LONGEST_WAIT)
            self._resting[lane] = now + max(HELD, asked)


def deliverer(report: Callable[[Attempt], None] = lambda _attempt: None) -> Deliverer:
    """Return what delivers for the current app.

    :param report: is told of each attempt.
    """
    settings = web.settings()
    return Deliverer(
        db.database(),
        Sender(Client(settings.reachable)),
        clock=web.clock(),
        secret=settings.secret_key,
        report=report,
    )


def write_log(attempt: Attempt) -> None:
    """Log an attempt: neither the address, which may hold a secret, nor what was sent."""
    delivery = attempt.delivery
    arrived = attempt.outcome.failure is None
    (log.info if arrived else log.warning)(
        "webhook delivered" if arrived else "webhook failed",
        id=delivery.id,
        merchant=delivery.merchant,
        kind=delivery.kind.name,
        attempt=delivery.attempts,
        state=attempt.state or "no longer this process's",
        reason=attempt.outcome.failure,
        ms=round(attempt.seconds * 1000),
    )
