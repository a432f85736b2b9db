"""Fetching the merchants' pictures: any number of processes may do it at the same time.

A server is asked by one process at a time, one picture after the other; what is drawn meanwhile
keeps it waiting, not asked. A picture's files are stored before the row that names them, so that
whatever ends this process leaves no half of one.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import datetime

import structlog
from sqlalchemy import Connection

from jay import db, web
from jay.clock import Clock
from jay.db import turns
from jay.db.database import Database
from jay.errors import JayError
from jay.net.client import Client
from jay.pictures import leases, service
from jay.pictures.fetching import fetch
from jay.pictures.leases import ASKS_FOR_REST, Host, LeaseLost, Outcome, Source
from jay.pictures.models import Reason, Unusable, digest_of
from jay.pictures.reading import Reader
from jay.pictures.showing import store
from jay.pictures.store import Store, StoreAway
from jay.pictures.sweeping import SWEEPS, Step, Sweeps

log = structlog.get_logger()

LOOK_SECONDS = 2.0
"""How often it is looked for what has become due."""

HOSTS_AT_ONCE = 3
"""Servers that one process asks at the same time."""

DRAWN_AT_ONCE = 2
STORE_REST_SECONDS = 30.0
"""So long nothing is fetched after the store was away: it could not be kept."""

BATCH_SECONDS = 60.0
"""After so long a server is let go of, whatever is left of its batch; a part of the lease."""


class Filler:
    """Finds what is to be fetched, fetches and draws it.

    :param own: how the addresses of this service's own files begin.
    :param sweeps: what finds them, in the order of need.
    """

    def __init__(
        self,
        database: Database,
        client: Client,
        store: Store,
        *,
        own: str,
        clock: Clock,
        sweeps: Sweeps = SWEEPS,
    ) -> None:
        self._database = database
        self._client = client
        self._store = store
        self._own = own
        self._clock = clock
        self._sweeps = sweeps
        self._stop = threading.Event()
        self._readers: queue.Queue[Reader] = queue.Queue()
        self._store_away_until = 0.0

    def run(self, stop: threading.Event) -> None:
        """Fetch each picture that is due or becomes it until told to stop."""
        self._stop = stop
        with self._drawing(), ThreadPoolExecutor(1 + HOSTS_AT_ONCE, "pictures") as pool:
            works = [self.sweep, *([self.fill] * HOSTS_AT_ONCE)]
            for one in as_completed([pool.submit(self._again_and_again, each) for each in works]):
                one.result()

    def _again_and_again(self, work: Callable[[], bool]) -> None:
        while not self._stop.is_set():
            busy = False
            try:
                busy = work()
            except JayError as error:
                log.warning("pictures have to wait", reason=error.constant())
            except LeaseLost:
                log.warning("pictures taken over")
            except Exception:
                # What else this process does goes on, and so does this in a moment.
                log.exception("pictures met a fault")
            if not busy:
                self._stop.wait(LOOK_SECONDS)

    def fill_due(self) -> None:
        """Find all there is to fetch now, and fetch it."""
        with self._drawing():
            while self.sweep():
                pass
            while self.fill():
                pass

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        readers = [Reader() for _ in range(DRAWN_AT_ONCE)]
        for reader in readers:
            self._readers.put(reader)
        try:
            yield
        finally:
            self._readers = queue.Queue()
            for reader in readers:
                reader.close()

    def sweep(self) -> bool:
        """Look for what is to be fetched, a little; tell whether there is more."""
        results = [self._database.write(self._sweep, name, step) for name, step in self._sweeps]
        return any(results)

    def _sweep(self, connection: Connection, name: str, step: Step) -> bool:
        now = self._clock()
        sweep = leases.take_sweep(connection, name, now=now)
        if sweep is None:
            return False
        more = step(connection, sweep, own=self._own, now=now)
        if more:
            leases.let_go_of_sweep(connection, sweep)
        return more

    def fill(self) -> bool:
        """Fetch a few pictures from one server; tell whether there was anything due."""
        if time.monotonic() < self._store_away_until:
            return False
        host = self._database.write(leases.take_host, now=self._clock())
        if host is None:
            return False
        with self._database.reading() as connection:
            sources = leases.due_of(connection, host, now=self._clock())
        outcomes = self._fetched(sources)
        self._database.write(self._record, host, outcomes, self._clock())
        if outcomes:
            counted = Counter(str(each.reason or "FINE") for each in outcomes)
            log.info("pictures fetched", host=host.name, **counted)
        return True

    def _fetched(self, sources: Sequence[Source]) -> list[Outcome]:
        """Fetch one after the other, and draw the one while the next is fetched."""
        asking, enough = threading.Lock(), threading.Event()
        end = time.monotonic() + BATCH_SECONDS

        def one(source: Source) -> Outcome | None:
            with asking:
                if enough.is_set() or self._stop.is_set() or time.monotonic() > end:
                    return None
                outcome, content = self._fetch(source)
                if outcome.reason in ASKS_FOR_REST:
                    enough.set()
            if content is None:
                return outcome
            drawn = self._drawn(outcome, content)
            if drawn.reason is Reason.STORE_AWAY:
                enough.set()
            return drawn

        with ThreadPoolExecutor(DRAWN_AT_ONCE) as pool:
            return [each for each in pool.map(one, sources) if each is not None]

    def _fetch(self, source: Source) -> tuple[Outcome, bytes | None]:
        known = source.digest is not None
        try:
            found = fetch(
                self._client,
                source.url,
                etag=source.etag if known else None,
                last_modified=source.last_modified if known else None,
                now=self._clock(),
            )
        except Unusable as error:
            return Outcome(source, error.reason, wait=error.wait), None
        except Exception:
            # Else one picture would be met again and again, and keep the others waiting.
            log.exception("picture met a fault", key=source.key)
            return Outcome(source, Reason.OUR_FAULT), None
        outcome = Outcome(source, etag=found.etag, last_modified=found.last_modified)
        return outcome, found.content

    def _drawn(self, outcome: Outcome, content: bytes) -> Outcome:
        source = outcome.source
        try:
            with self._database.reading() as connection:
                known = service.find_digest(connection, digest_of(content))
            if known is not None:
                return Outcome(source, None, known, 0, outcome.etag, outcome.last_modified)
            reader = self._readers.get()
            try:
                drawn = reader.read(content)
            finally:
                self._readers.put(reader)
            for name, file in drawn.files.items():
                self._store.put(name, file)
        except Unusable as error:
            return Outcome(source, error.reason)
        except StoreAway as error:
            log.warning("the store of pictures is away", reason=str(error))
            self._store_away_until = time.monotonic() + STORE_REST_SECONDS
            return Outcome(source, Reason.STORE_AWAY)
        except Exception:
            log.exception("picture met a fault", key=source.key)
            return Outcome(source, Reason.OUR_FAULT)
        size = sum(map(len, drawn.files.values()))
        return Outcome(source, None, drawn.picture, size, outcome.etag, outcome.last_modified)

    def _record(
        self, connection: Connection, host: Host, outcomes: Sequence[Outcome], now: datetime
    ) -> None:
        turns.take(connection)
        for outcome in outcomes:
            if outcome.picture is not None and outcome.size:
                service.store_picture(connection, outcome.picture, outcome.size, now=now)
        # What was there and is no more is fetched again: it stays due.
        lost = service.missing(
            connection, {each.picture.digest for each in outcomes if each.picture is not None}
        )
        kept = [one for one in outcomes if one.picture is None or one.picture.digest not in lost]
        leases.record(connection, host, kept, now=now)


def filler(*more: tuple[str, Step]) -> Filler:
    """Return what fetches pictures for the current app.

    :param more: what finds pictures of which the products don't tell.
    """
    settings = web.settings()
    return Filler(
        db.database(),
        Client(settings.reachable),
        store(),
        own=f"{settings.public_url}/static/",
        clock=web.clock(),
        sweeps=(*more, *SWEEPS),
    )
