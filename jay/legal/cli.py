"""``flask legal``: imprint, privacy policy, terms and accessibility statement."""

from pathlib import Path

import click
from sqlalchemy import Connection

from jay import db, web
from jay.i18n import LANGUAGES
from jay.legal import service
from jay.legal.models import (
    MAX_BYTES,
    PAGES_KINDS,
    PARTNER,
    THE_OPERATOR,
    Kind,
    Notice,
    Owner,
)
from jay.net.addresses import origin_of
from jay.partners.service import partner_id
from jay.web.commands import A_LANGUAGE, Commands, known

legal_cli = Commands("legal", help="Imprint, privacy policy and the like, in the foot of pages.")

_kind = click.argument(
    "kind", metavar="KIND", type=click.Choice([str(kind) for kind in PAGES_KINDS])
)
_partner = click.option(
    "--partner", help="Name of the partner on whose pages it stands; else the operator's, on all."
)
_lang = click.option(
    "--lang",
    required=True,
    callback=known(LANGUAGES, A_LANGUAGE),
    help="ISO 639 code of its language.",
)


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and origin_of(value) is None:
        raise click.BadParameter("is not an http or https URL")
    return value


@legal_cli.command("set")
@_kind
@_lang
@_partner
@click.option("--url", callback=_address, help="Where it is to be read.")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with its text: plain or simple Markdown in UTF-8, at most 100 kB.",
)
def set_text(kind: str, lang: str, partner: str | None, url: str | None, file: Path | None) -> None:
    """Let a text of this KIND be the current one: an address, or the text itself.

    The kinds are imprint, privacy, terms and accessibility.
    It stands in the foot of every page for phones within seconds, and at the short address that
    TVs and kiosks show. What a partner says of itself stands instead of what the operator says.
    Each change is a version of its own, and what was shown before is kept.
    """
    if (url is None) == (file is None):
        raise click.UsageError("Give either --url or --file.")
    text = None if file is None else _read(file)
    with db.transaction() as connection:
        owner = _owner(connection, partner)
        version = service.put(
            connection, owner, Kind(kind), lang, url=url, text=text, now=web.now()
        )
    click.echo(f"{kind} ({lang}) of {_whose(partner)} is now version {version}.", err=True)


@legal_cli.command("list")
@_partner
def list_texts(partner: str | None) -> None:
    """List the texts that are in force, of the operator or of a partner."""
    with db.reading() as connection:
        found = service.current(connection, [_owner(connection, partner)])
    click.echo(f"{'KIND':<15}{'LANG':<6}{'VERSION':<9}{'SINCE (UTC)':<18}WHERE")
    order = list(Kind)
    for notice in sorted(found, key=lambda each: (order.index(each.kind), each.lang)):
        since = f"{notice.created:%Y-%m-%d %H:%M}"
        where = notice.url or "its text is kept here"
        click.echo(f"{notice.kind:<15}{notice.lang:<6}{notice.version:<9}{since:<18}{where}")


@legal_cli.command("show")
@_kind
@_lang
@_partner
def show_text(kind: str, lang: str, partner: str | None) -> None:
    """Print the text of this KIND that is in force, or its address."""
    with db.reading() as connection:
        notice = _current(connection, kind, lang, partner)
        text = service.text_of(connection, notice)
    click.echo(notice.url or text)


@legal_cli.command("remove")
@_kind
@_lang
@_partner
def remove_text(kind: str, lang: str, partner: str | None) -> None:
    """Show the text of this KIND no more; what was shown before is kept."""
    with db.transaction() as connection:
        owner = _current(connection, kind, lang, partner).owner
        service.put(connection, owner, Kind(kind), lang, url=None, text=None, now=web.now())
    click.echo(f"{kind} ({lang}) of {_whose(partner)} is shown no more.", err=True)


def _current(connection: Connection, kind: str, lang: str, partner: str | None) -> Notice:
    for notice in service.current(connection, [_owner(connection, partner)]):
        if (notice.kind, notice.lang) == (kind, lang):
            return notice
    raise click.ClickException(f"There is no {kind} ({lang}) of {_whose(partner)}.")


def _owner(connection: Connection, partner: str | None) -> Owner:
    if partner is None:
        return THE_OPERATOR
    identifier = partner_id(connection, partner)
    if identifier is None:
        raise click.ClickException(f"There is no partner {partner!r}.")
    return Owner(PARTNER, identifier)


def _whose(partner: str | None) -> str:
    return "the operator" if partner is None else f"partner {partner}"


def _read(file: Path) -> str:
    if file.stat().st_size > MAX_BYTES:
        raise click.ClickException(f"{file} is larger than 100 kB.")
    try:
        text = file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{file} is not in UTF-8.") from error
    if not text.strip() or "\0" in text:
        raise click.ClickException(f"{file} holds no text.")
    return text
