"""A process that delivers webhooks is killed in the middle: another one takes over."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from jay.db.database import Database
from jay.merchants.models import merchants
from jay.outbox.models import DELIVERED, LEASE, outbox
from tests.clock import PATIENCE_SECONDS
from tests.demo import flask_command
from tests.e2e.service import SECRET
from tests.receiver import Receiver, receiving
from tests.servers import ROOT


class Operator:
    """An operator's machine: its environment, its clock, and the processes that it starts."""

    def __init__(self, folder: Path, url: str) -> None:
        self._clock = folder / "clock"
        self.move_clock(0)
        self.database = Database(url)
        self._environ = {
            "JAY_DATABASE_URL": url,
            "JAY_DATA_DIR": str(folder),
            "JAY_SECRET_KEY": SECRET,
            "JAY_DEMO": "1",
            "JAY_TEST_CLOCK": str(self._clock),
        }

    def run(self, *words: str) -> str:
        return flask_command(self._environ, *words)

    def move_clock(self, seconds: float) -> None:
        draft = self._clock.with_suffix(".draft")
        draft.write_text(str(seconds))
        draft.replace(self._clock)  # at once: a process never reads a half-written number

    @contextlib.contextmanager
    def watching(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run ``webhooks deliver --watch`` until the block ends, or the test ends it."""
        command = ("webhooks", "deliver", "--watch")
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "tests.e2e.moved_app", *command],
            cwd=ROOT,
            env={**os.environ, **self._environ},
            stdout=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE_SECONDS)

    def states(self) -> list[str]:
        with self.database.reading() as connection:
            return list(connection.execute(select(outbox.c.state)).scalars())


@pytest.fixture
def operator(new_database_url: str, tmp_path: Path) -> Iterator[Operator]:
    made = Operator(tmp_path, new_database_url)
    made.run("merchant", "add", "mugshop")
    yield made
    made.database.dispose()


@pytest.fixture
def receiver(operator: Operator) -> Iterator[Receiver]:
    with receiving() as running:
        with operator.database.transaction() as connection:
            connection.execute(update(merchants).values(add_product_webhook_url=running.url))
        yield running


def test_a_killed_process_loses_nothing(operator: Operator, receiver: Receiver) -> None:
    receiver.answer_with(503)
    operator.run("products", "want", "mugshop", "MUG-1")
    receiver.arrived.clear()
    receiver.answer_when_released()
    operator.move_clock(3600)

    with operator.watching() as first:
        assert receiver.arrived.wait(PATIENCE_SECONDS)
        os.kill(first.pid, signal.SIGKILL)
        first.wait(PATIENCE_SECONDS)
    receiver.arrived.clear()
    receiver.answer_with(200)
    operator.move_clock(3600 + LEASE.total_seconds())

    with operator.watching() as second:
        assert receiver.arrived.wait(PATIENCE_SECONDS)
        second.send_signal(signal.SIGTERM)  # it finishes what it has begun
        assert second.wait(PATIENCE_SECONDS) == 0

    assert operator.states() == [DELIVERED]
    assert len({request.headers["Webhook-Id"] for request in receiver.requests}) == 1
    assert len(receiver.requests) == 3


@pytest.mark.one_database
def test_the_worker_pulls_feeds_beside(operator: Operator, receiver: Receiver) -> None:
    feed = {"url": receiver.url, "every_minutes": 60}
    with operator.database.transaction() as connection:
        connection.execute(update(merchants).values(feed=feed))

    with operator.watching() as process:
        assert receiver.arrived.wait(PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_SECONDS) == 0
    assert [request.method for request in receiver.requests] == ["GET"]


@pytest.mark.one_database
def test_told_to_stop_a_process_finishes_what_it_has_begun(
    operator: Operator, receiver: Receiver
) -> None:
    receiver.answer_with(503)
    operator.run("products", "want", "mugshop", "MUG-1")
    receiver.arrived.clear()
    receiver.answer_when_released()
    receiver.statuses = [200]
    operator.move_clock(3600)
    with operator.watching() as process:
        assert receiver.arrived.wait(PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)
        receiver.release.set()

        assert process.wait(PATIENCE_SECONDS) == 0
    assert operator.states() == [DELIVERED]
