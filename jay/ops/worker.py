"""``flask worker``: what this service does by itself, beside answering requests."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import click
import structlog
from flask.cli import with_appcontext

from jay import db, web
from jay.baskets.pictured import sweep_guests
from jay.checkout import reconciling
from jay.connectors import polling
from jay.db import standby
from jay.feeds import pulling
from jay.ops import clocks, operator_mails, revision
from jay.orders import refunding
from jay.outbox import delivery
from jay.pictures import filling
from jay.web.commands import Command

log = structlog.get_logger()

PARENT_SECONDS = 1.0
"""How often it is looked whether the parent process still runs."""

GUESTS = ("guests", sweep_guests)
"""Baskets know pictures, but pictures no baskets."""


@click.command("worker", cls=Command)
@click.option("--while", "parent", type=int, metavar="PID", help="End with this parent process.")
@with_appcontext
def worker(parent: int | None) -> None:
    """Deliver what is due to merchants and others, and pull their feeds, until told to stop.

    It logs what it does. Any number may run at the same time, on any number of machines; one that
    is killed loses nothing. Ctrl-C or SIGTERM lets it finish what it has begun.
    """
    if revision.is_outdated(db.database()):
        raise click.ClickException(f"Cannot start: {revision.OUTDATED}")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if parent is not None:
        threading.Thread(target=_stop_with, args=(parent, stop), daemon=True).start()
    works = (
        delivery.deliverer(delivery.write_log).run,
        pulling.puller(pulling.write_log).run,
        reconciling.reconciler(),
        filling.filler(GUESTS).run,
        reconciling.repeated("refunds", refunding.once),
        reconciling.repeated("shops", polling.once),
        _clocks(),
        *([_alarms()] if web.settings().operator_email else []),
        *([reconciling.repeated("heartbeat", _beat)] if web.settings().database_read_url else []),
    )
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(_until_stopped, work, stop) for work in works]
        for one in as_completed(running):
            one.result()


def _clocks() -> Callable[[threading.Event], None]:
    """Return what lets moments of a wrong clock count as now, once it is right."""
    watch = clocks.Watch()

    def once() -> bool:
        now = web.now()
        if watch.is_due(now=now):
            for ahead in clocks.AHEAD:
                rows = db.write(clocks.set_right, ahead, now=now)
                if rows:
                    log.warning(
                        "moments of the future count as now", table=ahead.table.name, rows=rows
                    )
        return False

    return reconciling.repeated("clocks", once)


def _alarms() -> Callable[[threading.Event], None]:
    return reconciling.repeated("alarms", operator_mails.once, every=operator_mails.LOOKED_EVERY)


def _beat() -> bool:
    with db.transaction() as connection:
        standby.beat(connection, now=web.now())
    return False


def _until_stopped(work: Callable[[threading.Event], None], stop: threading.Event) -> None:
    try:
        work(stop)
    finally:
        # Where one can't go on, the process ends, for whoever runs it to start it anew.
        stop.set()


def _stop_with(parent: int, stop: threading.Event) -> None:
    # Whose parent ends becomes another one's child; no number is ever looked up, or used again.
    while os.getppid() == parent:
        if stop.wait(PARENT_SECONDS):
            return
    stop.set()
