"""Fetching merchants' feeds when they are due: any number of processes may do it at the same time.

A feed is downloaded whole into a file before any of it is stored, and imported as ``products
import`` does it. A process pulls a few at once, so that a slow server keeps nobody else waiting.
Each is held by a lease, which is renewed in the transaction of whatever is stored: who has lost it
stores nothing more.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from jay import db, web
from jay.clock import Clock, iso
from jay.db import turns
from jay.db.database import Database
from jay.errors import JayError, OutcomeUnknown
from jay.feeds import checkpoints, importing, pulls
from jay.feeds.checkpoints import Import, TakenOver
from jay.feeds.downloading import Downloaded, NoFeed, download
from jay.feeds.files import FeedFile
from jay.feeds.mapping import mapping_of
from jay.feeds.models import FAILED, IMPORTED, LEASE, STOPPED, UNCHANGED, Pulled, observed
from jay.feeds.pulls import Pull
from jay.feeds.report import Report, Reports
from jay.feeds.sources import Reading, Source
from jay.feeds.unpacking import UnusableFile
from jay.merchants.models import Feed
from jay.net.addresses import origin_of
from jay.net.client import Client
from jay.products.models import microseconds, moment_of

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""How often it is looked for what has become due."""

AT_ONCE = 4
"""Feeds that one process pulls at the same time, each from another server."""

RENEWED_AFTER = LEASE / 5
"""How old a lease becomes before it is renewed."""

FOLDER = "feeds"
"""In the data directory: what is being downloaded, and the reports of the last imports."""

FAULT = "a fault of this service, which its log describes"


Reporting = Callable[[Pull, Pulled, datetime | None], None]


class _Stopped(Exception):
    """This process was told to stop."""


class Puller:
    """Fetches and imports feeds.

    :param folder: for the files and the reports.
    :param report: is told of each pull, how it went, and when the feed is due again; None where it
        was not that of the configuration.
    """

    def __init__(
        self,
        database: Database,
        client: Client,
        folder: Path,
        *,
        clock: Clock,
        report: Reporting = lambda _pull, _pulled, _due: None,
    ) -> None:
        self._database = database
        self._client = client
        self._folder = folder
        self._clock = clock
        self._report = report
        self._stop = threading.Event()
        self._servers: set[str] = set()
        self._guard = threading.Lock()

    def run(self, stop: threading.Event) -> None:
        """Pull each feed that is due or becomes it, a few at once, until told to stop."""
        self._stop = stop
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="feeds") as pool:
            for one in as_completed([pool.submit(self._work) for _ in range(AT_ONCE)]):
                one.result()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                pulled = None
                try:
                    pulled = next(self._pulls(), None)
                except JayError as error:
                    log.warning("feeds have to wait", reason=error.constant())
                if pulled is None:
                    self._stop.wait(LOOK_SECONDS)
        finally:
            # Where one can't go on, the process ends, for whoever runs it to start it anew.
            self._stop.set()

    def pull_due(self) -> list[Pulled]:
        """Pull each feed that is due now, one after the other; return how it went."""
        return list(self._pulls())

    def _pulls(self) -> Iterator[Pulled]:
        """Pull what is due now, the longest due first, from servers that no other thread asks."""
        with self._database.reading() as connection:
            due = pulls.due_feeds(connection, now=self._clock())
        for merchant, feed in due:
            with self._alone_at(origin_of(feed.url) or "") as alone:
                pulled = self.pull(merchant) if alone else None
            if pulled is not None:
                yield pulled

    @contextmanager
    def _alone_at(self, server: str) -> Iterator[bool]:
        """Tell whether no other thread asks this server, and keep others from it meanwhile."""
        with self._guard:
            alone = server not in self._servers
            self._servers.add(server)
        try:
            yield alone
        finally:
            if alone:
                with self._guard:
                    self._servers.discard(server)

    def pull(self, merchant: int, feed: Feed | None = None, *, anew: bool = False) -> Pulled | None:
        """Pull a merchant's feed, if no other process does.

        :param feed: this one at once, instead of that of the configuration when it is due.
        :param anew: whatever was imported before.
        :returns: None when it is not due, or another process is at it.
        :raises Busy: the database is; then the feed rests until the lease runs out.
        """
        if self._stop.is_set():
            return None
        pull = self._database.write(pulls.take, merchant, now=self._clock(), feed=feed)
        if pull is None:
            return None
        began = self._clock()
        pulled = self._pulled(replace(pull, etag=None, last_modified=None) if anew else pull)
        if pulled.state == STOPPED:
            self._database.write(pulls.let_go, pull)
            return pulled
        try:
            due = self._database.write(pulls.record, pull, pulled, began=began, now=self._clock())
        except TakenOver:
            return self._taken_over(pull)
        self._report(pull, pulled, due)
        return pulled

    def _taken_over(self, pull: Pull) -> Pulled:
        log.warning("feed taken over", merchant=pull.merchant.name)
        return Pulled(STOPPED, "Another process has taken it over and goes on with it.")

    def reports(self, merchant: str) -> Reports:
        """Return the reports of a merchant's last import."""
        refused, notes = (self._folder / f"{merchant}.{kind}.csv" for kind in ("refused", "notes"))
        return Reports(Report(refused), Report(notes))

    def _pulled(self, pull: Pull) -> Pulled:
        importer = _Importer(self._database, pull, self._clock)
        try:
            with self._file(pull) as path:
                return self._import(importer, path, self._alive(pull))
        except NoFeed as error:
            return Pulled(FAILED, f"{error}", wait=error.wait)
        except TakenOver:
            return self._taken_over(pull)
        except (_Stopped, KeyboardInterrupt):
            return replace(importer.failed("This process was stopped."), state=STOPPED)
        except (UnusableFile, OSError, JayError) as error:
            failed = importer.failed(*_why(error))
            return replace(failed, partly=failed.partly or isinstance(error, OutcomeUnknown))
        except Exception:
            # Else one feed would end this process again and again, and keep the others waiting.
            log.exception("feed met a fault", merchant=pull.merchant.name)
            return importer.failed(FAULT)

    @contextmanager
    def _file(self, pull: Pull) -> Iterator[Path]:
        """Have a place for a download, and nothing there afterwards."""
        name = pull.merchant.name
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._folder.glob(f"{name}.*.feed"):  # by a process that was killed
            left.unlink(missing_ok=True)
        path = self._folder / f"{name}.{pull.lease}.feed"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _alive(self, pull: Pull) -> Callable[[], None]:
        """Return what keeps the lease, and ends the work when this process is told to stop."""
        renewed = self._clock()

        def alive() -> None:
            nonlocal renewed
            self._end_if_stopped()
            if (now := self._clock()) - renewed >= RENEWED_AFTER:
                self._database.write(pulls.renew, pull, now=now)
                renewed = now

        return alive

    def _end_if_stopped(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _import(self, importer: "_Importer", path: Path, alive: Callable[[], None]) -> Pulled:
        pull, began = importer.pull, self._clock()
        found = download(
            self._client,
            pull.feed.url,
            path,
            etag=pull.etag,
            last_modified=pull.last_modified,
            now=began,
            alive=alive,
        )
        if not found.is_new:
            return Pulled(UNCHANGED, "It has not changed since.")
        before = None if pull.as_of is None else moment_of(pull.as_of)
        as_of = microseconds(observed(found.modified, before, began=began))
        reports = self.reports(pull.merchant.name)
        try:
            done, removed = importer.run(path, as_of, reports, alive, self._end_if_stopped)
        except UnusableFile as error:
            # The path means nothing to who reads it later.
            said, plain = (
                text.replace(str(path), "the feed") for text in (str(error), error.plain)
            )
            raise UnusableFile(said, plain=plain) from error
        return _imported(found, done, removed, as_of, volatile=pull.feed.volatile)


@dataclass
class _Importer:
    """Imports what was fetched, as long as the lease is this process's.

    :ivar done: how far it is; None before it has begun.
    """

    database: Database
    pull: Pull
    clock: Clock
    done: Import | None = None

    def write(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run work in a transaction that renews the lease.

        :raises TakenOver: the lease has passed to another process, and nothing was written.
        """

        def fenced(connection: Connection) -> Any:
            turns.take(connection)  # the lease is on every server, too: it is not held meanwhile
            pulls.renew(connection, self.pull, now=self.clock())
            return work(connection, *args, **kwargs)

        return self.database.write(fenced)

    def failed(self, why: str, plain: str | None = None) -> Pulled:
        """Return that it came to no end, and what was stored before.

        :param plain: why, in our own words alone.
        """
        partly = self.done is not None and self.done.records > 0
        told, kept = (
            f"{text.rstrip('.')}. {self.done.so_far()}" if partly and self.done else text
            for text in (why, plain or why)
        )
        return Pulled(FAILED, told, kept, partly)

    def run(
        self,
        path: Path,
        as_of: int,
        reports: Reports,
        alive: Callable[[], None],
        going_on: Callable[[], None],
    ) -> tuple[Import, int]:
        """Import the file from its beginning; return what became of it.

        :param alive: keeps the lease; what it raises ends the import.
        :param going_on: does so without the database.
        :returns: and how many variants were taken out.
        """
        feed, merchant = self.pull.feed, self.pull.merchant
        owner = importing.with_locale(merchant, feed.lang, feed.country)
        mapping = feed.mapping and mapping_of("own", feed.mapping, "the mapping")
        reading = Reading(
            feed.delimiter, feed.prices, mapping or None, feed.media_url or "", feed.volatile
        )
        with FeedFile(path, encoding=feed.encoding, alive=alive) as file:
            source = Source(file, feed.format, reading)
            source.survey()
            started, _ = self.write(
                checkpoints.begin,
                merchant,
                fingerprint=file.fingerprint("pulled", feed.stored()),
                file=FOLDER,
                as_of=as_of,
                now=self.clock(),
                restart=True,
            )
            for report in reports:
                report.check(0)
            ahead = not self.database.is_sqlite
            if ahead:
                # Each batch renews the lease, and holds its row while the next one is read: who
                # reads would wait for the very transaction that waits for what it reads.
                file.alive = going_on

            def still_valid() -> None:
                file.check_unchanged()
                alive()

            done = started
            for done in importing.run(
                self.write,
                owner,
                started,
                source.records(owner.country, moment_of(started.as_of), owner.currency),
                reports,
                clock=self.clock,
                still_valid=still_valid,
                ahead=ahead,
            ):
                self.done = done
            if not done.records:
                raise UnusableFile(f"{path} has no products.")
            parted = source.parted
            removed = importing.finish(
                self.write, owner, done, parted=parted, clock=self.clock, alive=alive
            )
            return done, removed


def _why(error: UnusableFile | OSError | JayError) -> tuple[str, str]:
    """Say why a feed was not imported, and the same in our own words alone."""
    if isinstance(error, UnusableFile):
        return str(error), error.plain
    if isinstance(error, OSError):
        return (f"it can't be kept here: {error.strerror}",) * 2
    return (error.message,) * 2


def _imported(
    found: Downloaded, done: Import, removed: int, as_of: int, *, volatile: bool
) -> Pulled:
    told = (
        f"{done.records:,} rows: {done.added:,} added, {done.updated:,} updated,"
        f" {done.refused:,} refused."
    )
    if removed:
        told += f" {removed:,} variants that the feed has no more were removed."
    # News of what comes later is refused only until it is there: it has to be told again.
    known = (
        found if not (volatile and done.refused) else replace(found, etag=None, last_modified=None)
    )
    return Pulled(
        IMPORTED,
        told,
        refused=done.refused,
        etag=known.etag,
        last_modified=known.last_modified,
        as_of=as_of,
    )


def write_log(pull: Pull, pulled: Pulled, due: datetime | None) -> None:
    """Log how it went: never the address, which may hold a secret, and nothing of the feed."""
    (log.warning if pulled.state == FAILED else log.info)(
        "feed pulled",
        merchant=pull.merchant.name,
        state=pulled.state,
        told=pulled.kept or pulled.told,
        next=due and iso(due),
    )


def puller(report: Reporting = lambda _pull, _pulled, _due: None) -> Puller:
    """Return what pulls feeds for the current app.

    :param report: is told of each pull.
    """
    settings = web.settings()
    client = Client(settings.reachable)
    folder = settings.data_dir / FOLDER
    return Puller(db.database(), client, folder, clock=web.clock(), report=report)
