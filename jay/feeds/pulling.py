"""Fetching merchants' feeds when they are due: any number of processes may do it at the same time.

A feed is downloaded whole into a file before any of it is stored, and imported as ``products
import`` does it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from jay import db, web
from jay.clock import Clock, iso
from jay.db.database import Database
from jay.errors import JayError
from jay.feeds import checkpoints, importing, pulls
from jay.feeds.checkpoints import Import, TakenOver
from jay.feeds.downloading import Downloaded, NoFeed, download
from jay.feeds.files import FeedFile
from jay.feeds.mapping import mapping_of
from jay.feeds.models import FAILED, IMPORTED, LEASE, UNCHANGED, Pulled, observed
from jay.feeds.pulls import Pull
from jay.feeds.report import Report, Reports
from jay.feeds.sources import Reading, Source
from jay.feeds.unpacking import UnusableFile
from jay.merchants.models import Feed
from jay.net.client import Client
from jay.products.models import microseconds, moment_of

log = structlog.get_logger()

LOOK_SECONDS = 5.0
"""How often it is looked for what has become due."""

RENEWED_AFTER = LEASE / 5
"""How old a lease becomes before it is renewed."""

FOLDER = "feeds"
"""In the data directory: what is being downloaded, and the reports of the last imports."""

FAULT = "a fault of this service, which its log describes"


Reporting = Callable[[Pull, Pulled, datetime], None]


class _Stopped(Exception):
    """This process was told to stop."""


class Puller:
    """Fetches and imports feeds.

    :param folder: for the files and the reports.
    :param report: is told of each pull, how it went, and when the feed is due again.
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

    def run(self, stop: threading.Event) -> None:
        """Pull each feed that is due or becomes it, until told to stop."""
        self._stop = stop
        while not stop.is_set():
            try:
                self.pull_due()
            except JayError as error:
                log.warning("feeds have to wait", reason=error.constant())
            stop.wait(LOOK_SECONDS)

    def pull_due(self) -> list[Pulled]:
        """Pull each feed that is due now, one after the other; return how it went."""
        with self._database.reading() as connection:
            due = pulls.due_merchants(connection, now=self._clock())
        return [pulled for merchant in due if (pulled := self.pull(merchant)) is not None]

    def pull(self, merchant: int, feed: Feed | None = None, *, anew: bool = False) -> Pulled | None:
        """Pull a merchant's feed, if no other process does.

        :param feed: this one at once, instead of that of the configuration when it is due.
        :param anew: whatever was imported before.
        :returns: None when it is not due, another process is at it, or this one is told to stop.
        """
        if self._stop.is_set():
            return None
        pull = self._database.write(pulls.take, merchant, now=self._clock(), feed=feed)
        if pull is None:
            return None
        began = self._clock()
        try:
            pulled = self._pulled(replace(pull, etag=None, last_modified=None) if anew else pull)
            due = self._database.write(pulls.record, pull, pulled, began=began, now=self._clock())
        except (_Stopped, KeyboardInterrupt):
            self._database.write(pulls.let_go, pull)
            return None
        except JayError:
            # If this can't be written either, the lease runs out.
            with suppress(JayError):
                self._database.write(pulls.let_go, pull)
            raise
        except TakenOver:
            log.warning("feed taken over", merchant=pull.merchant.name)
            return None
        self._report(pull, pulled, due)
        return pulled

    def reports(self, merchant: str) -> Reports:
        """Return the reports of a merchant's last import."""
        refused, notes = (self._folder / f"{merchant}.{kind}.csv" for kind in ("refused", "notes"))
        return Reports(Report(refused), Report(notes))

    def _pulled(self, pull: Pull) -> Pulled:
        try:
            with self._file(pull) as path:
                return self._import(pull, path, self._alive(pull))
        except NoFeed as error:
            return Pulled(FAILED, f"{error}", wait=error.wait)
        except UnusableFile as error:
            return Pulled(FAILED, str(error))
        except OSError as error:
            return Pulled(FAILED, f"it can't be kept here: {error.strerror}")
        except (JayError, TakenOver, _Stopped):
            raise
        except Exception:
            # Else one feed would end this process again and again, and keep the others waiting.
            log.exception("feed met a fault", merchant=pull.merchant.name)
            return Pulled(FAILED, FAULT)

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
            if self._stop.is_set():
                raise _Stopped
            if (now := self._clock()) - renewed >= RENEWED_AFTER:
                self._database.write(pulls.renew, pull, now=now)
                renewed = now

        return alive

    def _import(self, pull: Pull, path: Path, alive: Callable[[], None]) -> Pulled:
        began = self._clock()
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
        importer = _Importer(self._database, pull, path, as_of, self.reports(pull.merchant.name))
        try:
            done, removed = importer.run(self._clock, alive)
        except UnusableFile as error:
            # The path means nothing to who reads it later.
            raise UnusableFile(str(error).replace(str(path), "the feed")) from error
        return _imported(found, done, removed, as_of, volatile=pull.feed.volatile)


@dataclass(frozen=True)
class _Importer:
    database: Database
    pull: Pull
    path: Path
    as_of: int
    reports: Reports

    def run(self, clock: Clock, alive: Callable[[], None]) -> tuple[Import, int]:
        """Import the file from its beginning; return what became of it.

        :returns: and how many variants were taken out.
        """
        feed, merchant = self.pull.feed, self.pull.merchant
        owner = importing.with_locale(merchant, feed.lang, feed.country)
        mapping = feed.mapping and mapping_of("own", feed.mapping, "the mapping")
        reading = Reading(
            feed.delimiter, feed.prices, mapping or None, feed.media_url or "", feed.volatile
        )
        with FeedFile(self.path, encoding=feed.encoding) as file:
            source = Source(file, feed.format, reading)
            source.survey()
            started, _ = self.database.write(
                checkpoints.begin,
                merchant,
                fingerprint=file.fingerprint("pulled", feed.stored()),
                file=FOLDER,
                as_of=self.as_of,
                now=clock(),
                restart=True,
            )
            for report in self.reports:
                report.check(0)

            def still_valid() -> None:
                file.check_unchanged()
                alive()

            imported = importing.run(
                self.database.write,
                owner,
                started,
                source.records(owner.country, moment_of(started.as_of), owner.currency),
                self.reports,
                clock=clock,
                still_valid=still_valid,
            )
            done = next(iter(deque(imported, maxlen=1)), started)
            if not done.records:
                raise UnusableFile(f"{self.path} has no products.")
            return done, importing.finish(
                self.database.write, owner, done, parted=source.parted, clock=clock
            )


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
    return Pulled(IMPORTED, told, done.refused, known.etag, known.last_modified, as_of)


def write_log(pull: Pull, pulled: Pulled, due: datetime) -> None:
    """Log how it went: never the address, which may hold a secret."""
    (log.warning if pulled.state == FAILED else log.info)(
        "feed pulled",
        merchant=pull.merchant.name,
        state=pulled.state,
        told=pulled.told,
        next=iso(due),
    )


def puller(report: Reporting = lambda _pull, _pulled, _due: None) -> Puller:
    """Return what pulls feeds for the current app.

    :param report: is told of each pull.
    """
    settings = web.settings()
    client = Client(settings.reachable)
    folder = settings.data_dir / FOLDER
    return Puller(db.database(), client, folder, clock=web.clock(), report=report)
