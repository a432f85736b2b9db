"""``flask products import`` and ``flask products export``: the catalogue without writing code."""

import gzip
import os
import secrets
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
from flask.cli import with_appcontext

from jay import db, web
from jay.feeds import checkpoints, exporting, importing
from jay.feeds.files import FeedFile
from jay.feeds.mapping import read_mapping
from jay.feeds.options import reading_options
from jay.feeds.running import check_all, import_all, stopwatch
from jay.feeds.sayings import Unusable, named_merchant, said_plainly
from jay.feeds.sources import Reading, Source
from jay.merchants.models import Merchant
from jay.products.models import microseconds


def _moment(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise click.BadParameter("is not a moment with its time zone, as 2026-11-22T06:00:00Z")
    return moment


@click.command("import")
@click.argument("merchant")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@reading_options
@click.option(
    "--as-of",
    callback=_moment,
    metavar="MOMENT",
    help="When the content was true, as 2026-11-22T06:00:00Z; default: now. Prices, stock and"
    " descriptions that were sent later than that stay.",
)
@click.option("--restart", is_flag=True, help="Begin anew instead of going on after a stop.")
@click.option("--dry-run", is_flag=True, help="Check each row by itself and write nothing.")
@with_appcontext
def import_products(
    *,
    merchant: str,
    file: Path,
    format: str | None,
    encoding: str | None,
    delimiter: str | None,
    prices: str | None,
    mapping: Path | None,
    media_url: str | None,
    volatile: bool,
    lang: str | None,
    country: str | None,
    as_of: datetime | None,
    restart: bool,
    dry_run: bool,
) -> None:
    """Put the products of FILE into the catalogue of MERCHANT.

    FILE is CSV, a spreadsheet (xlsx), JSON Lines, a Google Merchant feed or an export of Shopify,
    WooCommerce, Magento 2, Meta, idealo or Awin, also packed with gzip or zip; docs/IMPORT.md has
    the columns. Each product is stored as
    POST /v1/shops/products does it; products that FILE does not have stay.

    It may be stopped at any moment: the same command goes on where it was. Refused rows are
    listed in FILE.refused.csv, and the exit status is 1 if there are any.
    """
    owner = named_merchant(merchant)
    owner_here = importing.with_locale(owner, lang, country)
    clock = web.clock()
    observed = as_of or clock()
    if observed > clock():
        raise click.BadParameter("is in the future", param_hint="--as-of")
    with said_plainly(), FeedFile(file, alone=not dry_run, encoding=encoding) as feed:
        meant = read_mapping(mapping) if mapping else None
        reading = Reading(delimiter, prices, meant, media_url or "", volatile)
        source = Source(feed, format, reading)
        for note in source.notes:
            click.echo(note, err=True)
        source.survey()
        if dry_run:
            refused = check_all(source, owner_here, observed, clock)
        else:
            how = (
                encoding,
                delimiter,
                prices,
                mapping and mapping.read_bytes(),
                media_url,
                volatile,
            )
            options = (source.format, *how, lang, country, as_of and as_of.isoformat())
            fingerprint = feed.fingerprint(*options)
            with db.transaction() as connection:
                started, given_up = checkpoints.begin(
                    connection,
                    owner,
                    fingerprint=fingerprint,
                    file=file.name,
                    as_of=microseconds(observed),
                    now=clock(),
                    restart=restart,
                )
            if given_up:
                click.echo(
                    f"An earlier import of {file.name} was stopped, and the file or the options"
                    " have changed since: this one begins anew.",
                    err=True,
                )
            refused = import_all(source, owner_here, started, clock)
    sys.exit(1 if refused else 0)


@click.command("export")
@click.argument("merchant")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--gzip", "packed", is_flag=True, help="Pack it; a FILE that ends in .gz always is.")
@with_appcontext
def export_products(*, merchant: str, file: Path | None, packed: bool) -> None:
    """Write the products of MERCHANT to FILE, or print them, as JSON Lines.

    Each line is a product with its variants as POST /v1/shops/products takes it, so that `products
    import` brings the same catalogue back. FILE appears when it is complete.
    """
    owner = named_merchant(merchant)
    elapsed = stopwatch(web.clock())
    if file is None or str(file) == "-":
        count = _write(sys.stdout.buffer, owner, packed=packed)
    else:
        draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        try:
            with draft.open("xb") as out:
                count = _write(out, owner, packed=packed or file.suffix == ".gz")
                out.flush()
                os.fsync(out.fileno())
            draft.replace(file)
        except OSError as error:
            raise Unusable(f"{file} can't be written: {error.strerror}.") from error
        finally:
            draft.unlink(missing_ok=True)
    click.echo(f"{count:,} products in {elapsed():.1f} s.", err=True)


def _write(out: BinaryIO, owner: Merchant, *, packed: bool) -> int:
    if packed:
        # No time of day inside: the same catalogue gives the same file.
        with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as unpacked:
            return _write(cast("BinaryIO", unpacked), owner, packed=False)
    count = 0
    for line in exporting.lines(db.reading, owner):
        out.write(line)
        count += 1
    return count


COMMANDS: tuple[Any, ...] = (import_products, export_products)
"""They are commands of ``flask products``."""
