"""``flask products pull``: feeds that are fetched from merchants, now and from then on."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext

from jay import db
from jay.feeds import pulls
from jay.feeds.mapping import MAX_FILE, read_mapping
from jay.feeds.models import FAILED, STOPPED, Pulled
from jay.feeds.options import reading_options
from jay.feeds.pulling import Puller, puller
from jay.feeds.running import say_pictures
from jay.feeds.sayings import Unusable, named_merchant, said_plainly
from jay.merchants import service as merchants
from jay.merchants.models import EVERY_MINUTES, LEAST_MINUTES, MOST_MINUTES, Feed, Merchant
from jay.net.addresses import origin_of


@click.command("pull")
@click.argument("merchant")
@click.argument("url", required=False)
@click.option(
    "--every",
    type=click.IntRange(LEAST_MINUTES, MOST_MINUTES),
    metavar="MINUTES",
    help="Keep URL and these options in the merchant's configuration: from now on, flask --app app"
    f" worker pulls it so often; {LEAST_MINUTES} to {MOST_MINUTES:,}.",
)
@click.option(
    "--stop", "ends", is_flag=True, help="Pull no more: take it out of the configuration."
)
@click.option("--anew", is_flag=True, help="Import it even if it has not changed since.")
@reading_options
@with_appcontext
def pull_products(
    *,
    merchant: str,
    url: str | None,
    every: int | None,
    ends: bool,
    anew: bool,
    mapping: Path | None,
    **reading: Any,
) -> None:
    """Fetch a feed of MERCHANT from URL and import it.

    URL is http or https; - asks for it, as other people on this machine can see arguments. Without
    URL it is the one of the configuration. What is in it is found as `products import` does it.

    The feed is downloaded whole before anything is stored, and only if it has changed. Refused
    rows are listed in a file that is named, and the exit status is 1 if there are any.
    """
    owner = named_merchant(merchant)
    if ends:
        if url or every:
            raise click.UsageError("--stop needs neither URL nor --every.")
        with db.transaction() as connection:
            merchants.keep_feed(connection, owner.id, None)
        click.echo(f"The feed of {merchant} is pulled no more.", err=True)
        return
    feed = _configured(owner) if url is None else _given(url, every, mapping, reading)
    if url is None and (every or mapping or any(reading.values())):
        raise click.UsageError("Give URL, too: options come with the address that they are about.")
    if every:
        with db.transaction() as connection:
            merchants.keep_feed(connection, owner.id, feed)
        click.echo(f"Kept: flask --app app worker pulls it every {every:,} minutes.", err=True)
    at_work = puller()
    sys.exit(_tell(at_work, owner, at_work.pull(owner.id, feed, anew=anew)))


def _given(url: str, every: int | None, mapping: Path | None, reading: dict[str, Any]) -> Feed:
    if url == "-":
        url = _asked()
    if origin_of(url) is None:
        raise click.BadParameter(
            "is not an http or https address without a user name", param_hint="URL"
        )
    text = None
    if mapping is not None:
        with said_plainly():
            read_mapping(mapping)
        text = mapping.read_bytes()[:MAX_FILE].decode()
    given = {name: value for name, value in reading.items() if value}
    return Feed(url, every or EVERY_MINUTES, mapping=text, **given)


def _asked() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("URL", hide_input=True, err=True)).strip()
    return sys.stdin.buffer.readline().decode("utf-8", "replace").strip()


def _configured(owner: Merchant) -> Feed:
    with db.reading() as connection:
        feed = merchants.feed_of(connection, owner.id)
    if feed is None:
        raise Unusable(f"{owner.name} has no feed in its configuration: give its URL.")
    return feed


def _tell(at_work: Puller, owner: Merchant, pulled: Pulled | None) -> int:
    """Say how it went; return the exit status."""
    if pulled is None:
        raise click.ClickException("Nothing was imported: another process is pulling it.")
    if pulled.state in {FAILED, STOPPED}:
        what = "Imported in part" if pulled.partly else "Nothing new was imported"
        raise Unusable(f"{what}: {pulled.told}")
    click.echo(pulled.told)
    say_pictures(owner)
    reports = at_work.reports(owner.name)
    for report, what in ((reports.refused, "refused rows"), (reports.notes, "left out values")):
        if report.path.exists():
            click.echo(f"The {what} and the reasons are in {report.path}", err=True)
    return 1 if pulled.refused else 0


@click.command("pulls")
@with_appcontext
def list_pulls() -> None:
    """List the feeds that are pulled, and how it went the last time."""
    with db.reading() as connection:
        rows = pulls.states(connection)
    head = f"{'MERCHANT':<21}{'MINUTES':>7}  {'LAST GOOD (UTC)':<18}{'NEXT (UTC)':<18}"
    click.echo(f"{head}{'STATE':<11}FROM")
    for row in rows:
        feed = Feed(**row.feed)
        # The rest of the address may hold a secret.
        where, state = origin_of(feed.url) or "", row.state or "new"
        click.echo(
            f"{row.name:<21}{feed.every_minutes:>7}  {_minute(row.succeeded):<18}"
            f"{_minute(row.due):<18}{'now' if row.leased else state:<11}{where}"
            + (f": {row.told}" if row.told else "")
        )


def _minute(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


COMMANDS: tuple[Any, ...] = (pull_products, list_pulls)
"""They are commands of ``flask products``."""
