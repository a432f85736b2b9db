"""``flask worker``: what this service does by itself, beside answering requests."""

import os
import signal
import threading

import click
from flask.cli import with_appcontext

from jay import db
from jay.ops import revision
from jay.outbox import delivery
from jay.web.commands import Command

PARENT_SECONDS = 1.0
"""How often it is looked whether the parent process still runs."""


@click.command("worker", cls=Command)
@click.option("--while", "parent", type=int, metavar="PID", help="End with this parent process.")
@with_appcontext
def worker(parent: int | None) -> None:
    """Deliver what is due to merchants and others, until told to stop.

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
    delivery.deliverer(delivery.write_log).run(stop)


def _stop_with(parent: int, stop: threading.Event) -> None:
    # Whose parent ends becomes another one's child; no number is ever looked up, or used again.
    while os.getppid() == parent:
        if stop.wait(PARENT_SECONDS):
            return
    stop.set()
