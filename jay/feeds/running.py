"""An import as a person sees it: how far it is, what stopped it, and what has become of it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

import click

from jay import db
from jay.clock import Clock, timer
from jay.errors import Busy, OutcomeUnknown
from jay.feeds import importing, preview
from jay.feeds.checkpoints import Import, TakenOver
from jay.feeds.progress import Progress
from jay.feeds.report import Refusal, Report, Reports
from jay.feeds.sources import Source
from jay.feeds.unpacking import UnusableFile
from jay.merchants.models import Merchant
from jay.pictures import standing
from jay.products.models import moment_of

INTERRUPTED = 130  # as a shell reports Ctrl-C


@dataclass
class _Running:
    """An import under way: how far it is, and what the person sees of it."""

    done: Import
    progress: Progress


def import_all(source: Source, owner: Merchant, started: Import, clock: Clock) -> int:
    """Import what is left of a file; return how many rows were refused.

    :raises UnusableFile: the file has no products, or can't be read to its end.
    """
    file = source.file
    reports = Reports.beside(file.path)
    reports.refused.check(started.report_bytes)
    reports.notes.check(started.notes_bytes)
    if started.records:
        click.echo(
            f"Going on after line {started.line:,} with the import of"
            f" {started.begun:%Y-%m-%d %H:%M} UTC; --restart would begin anew.",
            err=True,
        )
    elapsed = stopwatch(clock)
    progress = Progress(sys.stderr, file.path.name, file.size, elapsed, rows=started.records)
    running = _Running(started, progress)
    with _stops_explained(running):
        for running.done in importing.run(
            db.write,
            owner,
            started,
            source.records(owner.country, moment_of(started.as_of), owner.currency),
            reports,
            clock=clock,
            still_valid=file.check_unchanged,
            ahead=not db.database().is_sqlite,
        ):
            progress.show(file.position, running.done.records, running.done.refused)
        if not running.done.records:
            raise UnusableFile(f"{file.path} has no products.")
        removed = importing.finish(db.write, owner, running.done, parted=source.parted, clock=clock)
        progress.clear()
    done = running.done
    _summary(source, done, elapsed(), before=started.records)
    _say_passed_over(source)
    if removed:
        click.echo(f"{removed:,} variants that the file has no more were removed.")
    if done.notes:
        click.echo(
            f"Of {done.notes:,} rows something was left out; why is in {reports.notes.path}",
            err=True,
        )
    if not source.volatile:
        _say_without_stock(owner, done)
    say_pictures(owner)
    if done.refused:
        click.echo(f"The refused rows and their reasons are in {reports.refused.path}", err=True)
        if source.parted:
            click.echo("As rows were refused, no variant was removed.", err=True)
    return done.refused


def _say_without_stock(owner: Merchant, done: Import) -> None:
    count = importing.without_stock(db.reading, owner, done)
    if count:
        click.echo(
            f"Stock not set for {count:,} of its products and variants: they are sold without"
            " limit."
        )


def say_pictures(owner: Merchant) -> None:
    """Say how it stands with the merchant's pictures, which the worker fetches."""
    with db.reading() as connection:
        line = standing.told(connection, owner.id)
    if line is not None:
        click.echo(line)


@contextmanager
def _stops_explained(running: _Running) -> Iterator[None]:
    """Say what is stored and how to go on, whatever stops the import."""
    try:
        yield
    except KeyboardInterrupt:
        _stop(running, "Stopped.", INTERRUPTED)
    except Busy as error:
        # Of the rows after those that are done; going on finds out by itself.
        _stop(running, error.message, 1, known=not isinstance(error, OutcomeUnknown))
    except TakenOver:
        running.progress.clear()
        raise click.ClickException(
            "Another process has taken this import over and goes on with it."
        ) from None
    except UnusableFile as error:
        running.progress.clear()
        raise UnusableFile(f"{error} {running.done.so_far()}") from error


def _stop(running: _Running, why: str, status: int, *, known: bool = True) -> NoReturn:
    running.progress.clear()
    stored = running.done.so_far() if known or running.done.records else ""
    click.echo(
        f"{why} {stored} The same command goes on from there; with --restart it begins anew.",
        err=True,
    )
    sys.exit(status)


def stopwatch(clock: Clock) -> Callable[[], float]:
    """Return what answers the seconds since now."""
    elapsed = timer(clock)
    start = elapsed()
    return lambda: elapsed() - start


SHOWN = 10
"""Products that a dry run shows as they would be stored."""


def check_all(source: Source, owner: Merchant, at: datetime, clock: Clock) -> int:
    """Check each row by itself and show the first ones; return how many would be refused.

    :param at: when the content was true.
    :raises UnusableFile: the file has no products, or can't be read to its end.
    """
    report = Report.beside(source.file.path, "dry-run")
    report.check(0)
    progress = Progress(sys.stderr, source.file.path.name, source.file.size, stopwatch(clock))
    rows = refused = length = 0
    shown: list[str] = []
    for batch in importing.check(source.records(owner.country, at, owner.currency), owner):
        refusals = [
            Refusal(record.line, record.sku, put) for record, put in batch if isinstance(put, str)
        ]
        if refusals:
            length = report.write(refusals, length)
        rows += len(batch)
        refused += len(refusals)
        for record, put in batch[: SHOWN - len(shown)]:
            if not isinstance(put, str):
                shown.append(preview.written(record, put, owner))
        progress.show(source.file.position, rows, refused)
    progress.clear()
    if not rows:
        raise UnusableFile(f"{source.file.path} has no products.")
    for text in shown:
        click.echo(text)
    click.echo(
        f"Amounts are read in {source.in_units} units; those that name no currency are in"
        f" {source.currency or owner.currency}."
    )
    if source.ignored:
        click.echo(f"Not read: {', '.join(source.ignored)}.")
    _say_passed_over(source)
    click.echo(
        f"{source.file.path.name} ({source.format}): {rows:,} rows, {refused:,} would be refused."
        " Nothing was written."
    )
    if refused:
        click.echo(f"They and their reasons are in {report.path}", err=True)
    return refused


def _say_passed_over(source: Source) -> None:
    if source.passed_over:
        click.echo(
            f"{source.passed_over:,} rows were passed over: they are not sold by themselves."
        )


def _summary(source: Source, done: Import, seconds: float, *, before: int) -> None:
    speed = (done.records - before) / seconds if seconds else 0.0
    click.echo(
        f"{source.file.path.name} ({source.format}): {done.records:,} rows: {done.added:,} added,"
        f" {done.updated:,} updated, {done.refused:,} refused;"
        f" {seconds:.1f} s, {speed:,.0f} rows/s."
    )
