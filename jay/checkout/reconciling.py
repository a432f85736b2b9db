"""What the worker does for the checkout: webhooks, late payments, sessions whose time is over.

Any number of processes may do so at the same time: each step is decided by one conditional UPDATE.
What fails is tried again at its next moment, and keeps nothing else from being done.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog
from flask import Flask, current_app

from jay import db, web
from jay.checkout import flow, notices, sessions
from jay.checkout.models import ACTIVE
from jay.errors import CheckoutPaying, JayError
from jay.products import stock

log = structlog.get_logger()
T = TypeVar("T")

POLL_SECONDS = 0.5
AT_ONCE = 20


def reconciler() -> Callable[[threading.Event], None]:
    """Return what does all that is due on the current app until it is told to stop."""
    return repeated("checkout", once)


def repeated(
    what: str, work: Callable[[], bool], *, every: float = POLL_SECONDS
) -> Callable[[threading.Event], None]:
    """Return what does some work on the current app again and again until it is told to stop.

    :param work: tells whether there may be more to be done at once.
    :param every: seconds between two times, where there is not.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            busy = False
            try:
                with app.app_context():
                    busy = work()
            except JayError as error:
                log.warning(f"{what} waits", error=error.constant(), reason=str(error.__cause__))
            except Exception:
                # The outbox and the feeds go on in this process, and so does this in a moment.
                log.exception(f"{what} failed")
            if not busy:
                stop.wait(every)

    return run


def once() -> bool:
    """Do what is due now, a few of each.

    :returns: whether there may be more.
    """
    now = web.now()
    with db.reading() as connection:
        waiting = notices.waits(connection, now=now)
        late = sessions.due(connection, limit=AT_ONCE, now=now)
        overdue = stock.is_overdue(connection, now=now)
    taken = db.write(notices.take, limit=AT_ONCE, now=now) if waiting else []
    for notice in taken:
        _guarded("webhook", notice.id, _hear, notice)
    for order_no in late:
        _guarded("payment", order_no, _ask, order_no)
    if overdue:
        db.write(stock.end_overdue, now=now)
    return AT_ONCE in {len(taken), len(late)}


def _guarded(what: str, name: str, work: Callable[[T], None], given: T) -> None:
    try:
        work(given)
    except CheckoutPaying:
        pass  # it is known only later how that ends; it is asked again
    except JayError as error:
        log.warning(f"{what} waits", name=name, error=error.constant())
    except Exception:
        # One that can't be dealt with must not keep the others waiting, now and for ever.
        log.exception(f"{what} failed", name=name)


def _hear(notice: notices.Waiting) -> None:
    if notice.intent_id is not None:
        flow.settle_intent(notice.intent_id, test=notice.test)
    db.write(notices.done, notice, now=web.now())


def _ask(order_no: str) -> None:
    """Ask the provider about a session of which no webhook has told, or whose time is over."""
    now = web.now()
    with db.reading() as connection:
        session = sessions.find(connection, order_no)
    if session is None or not db.write(sessions.ask_later, session, now=now):
        return
    state = flow.settle(order_no)
    if state in ACTIVE and session.expires <= now:
        flow.stop(session)
