"""Delivering what is due: any number of processes may do it at the same time.

A lane, which is as a rule what goes to one address, sends one by one in each process, and the lanes
take turns: a slow server keeps one of the threads busy and none of the other lanes.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from flask import Flask, current_app

from jay import db, web
from jay.clock import Clock
from jay.config import Settings
from jay.db.database import Database
from jay.errors import Busy, JayError
from jay.net.client import Client
from jay.outbox import service
from jay.outbox.kinds import MessageKind, MessageKinds
from jay.outbox.mails import MAIL
from jay.outbox.models import DeliveryResult, Message
from jay.outbox.service import Moved, Recorded, Resting, Taken
from jay.outbox.transports import Transport
from jay.outbox.transports.calls import CALLS, Caller
from jay.outbox.transports.http import Sender
from jay.outbox.transports.mail import Mailbox, Mailer
from jay.outbox.webhooks import HTTP

log = structlog.get_logger()

PARALLEL = 8
"""How many lanes of a process send at the same time."""

POLL_SECONDS = 1.0
"""How often it is looked for what has become due."""

MOVED_AT_ONCE = 200
"""So many messages of a lane leave by another one until others have their turn."""

LOOKED_AGAIN_AFTER = timedelta(seconds=10)
"""How long this process leaves a resting lane alone: its address may be another one by then."""

RECORD_SECONDS, RECORD_PAUSE_SECONDS = 10.0, 0.25
"""How long it is tried to record what was sent, and the pause between two tries: an attempt with
that, and with the last wait for the database, must be over before its lease is."""

AT_ONCE_SECONDS = 15.0
"""How long a command goes on with what it has put in; the rest is for the worker."""


@dataclass(frozen=True)
class Attempt:
    """An attempt that was made.

    :ivar state: what the message is in now; None when another sender has taken it over, or it was
        taken back.
    :ivar rests_until: when its address may be tried again; None when at once.
    """

    message: Message
    outcome: DeliveryResult
    state: str | None
    rests_until: datetime | None
    seconds: float


class Deliverer:
    """Delivers what is due.

    :param transports: the ways out, by name.
    :param kinds: of messages; others are left alone.
    :param report: is told of each attempt.
    :param jitter: draws from 0 to 1, for the waits between attempts.
    """

    def __init__(
        self,
        database: Database,
        transports: Mapping[str, Transport],
        kinds: MessageKinds,
        *,
        clock: Clock,
        secret: str,
        report: Callable[[Attempt], None] = lambda _attempt: None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._transports = transports
        # What has no way out waits for a program that knows one: mails, for a mail server.
        self._kinds = {name: one for name, one in kinds.items() if one.transport in transports}
        self._clock = clock
        self._secret = secret
        self._report = report
        self._jitter = jitter

    def run(self, stop: threading.Event | None = None) -> None:
        """Deliver what is due, and with ``stop`` also what becomes due until it is set.

        :raises Busy: the database can't be reached; with ``stop`` it is waited for instead.
        """
        pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="outbox")
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
                log.warning("messages have to wait", reason=error.constant())
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

    def try_at_once(self, lane: str) -> None:
        """Deliver what is due in one lane, for a while and up to the first standstill."""
        end = time.monotonic() + AT_ONCE_SECONDS
        while time.monotonic() < end:
            attempt = self.attempt(lane)
            if not isinstance(attempt, Attempt) or attempt.rests_until is not None:
                return

    def attempt(self, lane: str) -> Attempt | Resting | None:
        """Take a message of the lane, send it and record how it went; None when none is due."""
        taken = self._take(lane)
        if not isinstance(taken, Taken):
            return taken
        # Nothing slow is inside of a transaction: taken, then sent, then recorded.
        began = time.perf_counter()
        outcome = self._send(taken)
        seconds = time.perf_counter() - began
        recorded = self._record(taken, outcome)
        attempt = Attempt(
            taken.message,
            outcome,
            None if recorded is None else recorded.state,
            None if recorded is None else recorded.rests_until,
            seconds,
        )
        self._report(attempt)
        return attempt

    def _take(self, lane: str) -> Taken | Resting | None:
        """Take the next message of the lane that still leaves by it."""
        for _ in range(MOVED_AT_ONCE):
            with self._database.transaction() as connection:
                taken = service.take(
                    connection, lane, self._kinds, secret=self._secret, now=self._clock()
                )
            if not isinstance(taken, Moved):
                return taken
        return None

    def _record(self, taken: Taken, outcome: DeliveryResult) -> Recorded | None:
        """Record how it went, though the database is busy: what is forgotten is sent once more.

        What was recorded is nobody's any more, so that it is recorded once in any case.
        """
        end = time.monotonic() + RECORD_SECONDS
        while True:
            try:
                with self._database.transaction() as connection:
                    return service.record(
                        connection, taken, outcome, now=self._clock(), jitter=self._jitter
                    )
            except Busy:
                if time.monotonic() >= end:
                    raise
            time.sleep(RECORD_PAUSE_SECONDS)

    def _send(self, taken: Taken) -> DeliveryResult:
        if isinstance(taken.destination, DeliveryResult):
            return taken.destination
        transport = self._transports[taken.kind.transport]
        try:
            return transport.send(taken.message, taken.destination, now=self._clock())
        except Exception as error:
            # One that can't be written must not end the worker, again and again.
            log.exception("message not written", id=taken.message.id, kind=taken.message.kind)
            return DeliveryResult(failure=f"it can't be written: {type(error).__name__}")


class _Lanes:
    """Which lanes are being worked on, and which ones rest."""

    def __init__(self) -> None:
        self.active: dict[Future[Attempt | Resting | None], str] = {}
        self._resting: dict[str, datetime] = {}

    def may_go(self, lane: str, now: datetime) -> bool:
        """Tell whether the lane is neither being worked on nor resting."""
        return lane not in self.active.values() and self._resting.get(lane, now) <= now

    def give_back(self) -> None:
        """Forget the lanes whose turn has not come yet."""
        self.active = {future: lane for future, lane in self.active.items() if not future.cancel()}

    def hold(self, lane: str, result: Attempt | Resting | None, now: datetime) -> None:
        """Let the lane rest where going on is of no use."""
        self._resting.pop(lane, None)
        if result is None:
            # Another process has been quicker, so it is at work here.
            self._resting[lane] = now + timedelta(seconds=POLL_SECONDS)
            return
        until = result.until if isinstance(result, Resting) else result.rests_until
        if until is None and isinstance(result, Attempt) and result.outcome.hold:
            until = now + LOOKED_AGAIN_AFTER
        if until is not None:
            self._resting[lane] = min(until, now + LOOKED_AGAIN_AFTER)


def init_app(app: Flask, kinds: Iterable[MessageKind]) -> None:
    """Tell the app which kinds of messages there are."""
    app.extensions["jay.outbox"] = {kind.name: kind for kind in kinds}


def transports_of(client: Client, settings: Settings | None = None) -> dict[str, Transport]:
    """Return the ways out of the house; none for mails where there is no mail server."""
    ways: dict[str, Transport] = {HTTP: Sender(client), CALLS: Caller(client)}
    if settings is not None and settings.mail_server is not None:
        ways[MAIL] = Mailer(settings.mail_server, settings.mail_from)
    elif settings is not None and settings.demo:
        ways[MAIL] = Mailbox(settings.mail_folder, settings.mail_from)
    return ways


def deliverer(report: Callable[[Attempt], None] = lambda _attempt: None) -> Deliverer:
    """Return what delivers for the current app.

    :param report: is told of each attempt.
    """
    settings = web.settings()
    return Deliverer(
        db.database(),
        transports_of(Client(settings.reachable), settings),
        current_app.extensions["jay.outbox"],
        clock=web.clock(),
        secret=settings.secret_key,
        report=report,
    )


def write_log(attempt: Attempt) -> None:
    """Log an attempt: neither the address, which may hold a secret, nor what was sent."""
    message = attempt.message
    arrived = attempt.outcome.failure is None
    (log.info if arrived else log.warning)(
        "message delivered" if arrived else "message failed",
        id=message.id,
        merchant=message.merchant,
        kind=message.kind,
        attempt=message.attempts,
        state=attempt.state or "no longer this process's",
        reason=attempt.outcome.failure,
        ms=round(attempt.seconds * 1000),
    )
