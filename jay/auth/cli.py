"""``flask key`` and ``flask guest-key``."""

from datetime import UTC, datetime, timedelta

import click

from jay import db, web
from jay.auth import service
from jay.auth.guards import doorkeeper
from jay.auth.models import GUEST_TOKEN_LIFETIME
from jay.config import ConfigError
from jay.merchants import service as merchants
from jay.partners import service as partners
from jay.web.commands import Commands

key_cli = Commands("key", help="API keys of partners and merchants.")

OVERLAP = timedelta(days=7)
"""For so long a key that is replaced is still accepted."""

guest_key_cli = Commands("guest-key", help="The key pairs that sign guest tokens.")


@key_cli.command("issue")
@click.option("--partner", help="Name of the partner: the key opens the Basket API.")
@click.option("--merchant", help="Name of the merchant: the key opens the Product Data API.")
def issue_key(partner: str | None, merchant: str | None) -> None:
    """Make an API key and print it, this once.

    Only its hash is kept: a lost key can't be shown again, only revoked and replaced.
    """
    if (partner is None) == (merchant is None):
        raise click.UsageError("Give either --partner NAME or --merchant NAME.")
    with db.transaction() as connection:
        if partner is not None:
            owner = {"partner": partners.partner_id(connection, partner)}
        else:
            owner = {"merchant": merchants.merchant_id(connection, merchant or "")}
        if None in owner.values():
            raise click.ClickException(f"There is no {next(iter(owner))} {partner or merchant!r}.")
        key = service.issue_key(connection, now=web.now(), **owner)
    click.echo(key)  # only now: what is printed is in force


@key_cli.command("list")
@click.option("--partner", help="Name of the partner whose keys to list; else all.")
@click.option("--merchant", help="Name of the merchant whose keys to list; else all.")
def list_keys(partner: str | None, merchant: str | None) -> None:
    """List API keys by their prefix, with owner and state."""
    now = web.now()
    with db.reading() as connection:
        rows = service.list_keys(connection, partner=partner, merchant=merchant)
    click.echo(f"{'PREFIX':<14}{'OWNER':<50} {'ISSUED (UTC)':<19}STATE")
    for row in rows:
        owner = f"partner {row.partner}" if row.partner else f"merchant {row.merchant}"
        click.echo(
            f"{row.prefix:<14}{owner:<50} {row.created:%Y-%m-%d %H:%M}   {_state(row.revoked, now)}"
        )


def _state(revoked: datetime | None, now: datetime) -> str:
    if revoked is None:
        return "valid"
    return f"{'revoked' if revoked <= now else 'valid until'} {revoked:%Y-%m-%d %H:%M}"


_MOMENT = click.DateTime(("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%SZ"))


def _later(value: datetime, option: str) -> datetime:
    """Return a moment in UTC that is still to come.

    :raises click.BadParameter: it is over.
    """
    moment, now = value.replace(tzinfo=UTC), web.now()
    if moment <= now:
        raise click.BadParameter(f"is over: it is {now:%Y-%m-%d %H:%M} UTC", param_hint=option)
    return moment


@key_cli.command("replace")
@click.argument("prefix")
@click.option(
    "--until",
    type=_MOMENT,
    metavar="'YYYY-MM-DD HH:MM'",
    help=f"Until when the old key is accepted, in UTC. Default: {OVERLAP.days} days from now.",
)
def replace_key(prefix: str, until: datetime | None) -> None:
    """Make a new API key for the owner of the one that begins with PREFIX, and print it, this once.

    Both work until a moment, so that every app and server can change over; then the old one stops.
    `key revoke` ends it earlier, or with --at later.
    """
    now = web.now()
    end = _later(until, "--until") if until else now + OVERLAP
    with db.transaction() as connection:
        key = service.replace_key(connection, prefix, now=now, until=end)
        if key is None:
            raise click.ClickException(
                f"There is no valid key with the prefix {prefix!r} that is not replaced yet."
            )
    click.echo(key)  # only now: what is printed is in force
    click.echo(f"Key {prefix} is accepted until {end:%Y-%m-%d %H:%M} UTC.", err=True)


@key_cli.command("revoke")
@click.argument("prefix")
@click.option(
    "--at",
    type=_MOMENT,
    metavar="'YYYY-MM-DD HH:MM'",
    help="Until when it is still accepted, in UTC. Default: it ends now.",
)
def revoke_key(prefix: str, at: datetime | None) -> None:
    """Revoke the API key that begins with PREFIX, as `key list` shows it.

    It stops working within five seconds and can't be brought back.
    """
    end = _later(at, "--at") if at else None
    with db.transaction() as connection:
        if not service.revoke_key(connection, prefix, now=web.now(), at=end):
            raise click.ClickException(f"There is no valid key with the prefix {prefix!r}.")
    when = f"; it is accepted until {end:%Y-%m-%d %H:%M} UTC" if end else ""
    click.echo(f"Key {prefix} revoked{when}.", err=True)


@guest_key_cli.command("rotate")
def rotate_guest_key() -> None:
    """Make a new key pair for guest tokens.

    Every process signs with it within a minute. Tokens that the old one signed stay valid until
    they expire; `guest-key list` tells when an old key is of no more use.
    """
    try:
        with db.transaction() as connection:
            kid = doorkeeper().tokens.guest_keys.rotate(connection, now=web.now())
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    click.echo(kid)


@guest_key_cli.command("revoke")
@click.argument("kid")
def revoke_guest_key(kid: str) -> None:
    """Let all guest tokens that KID has signed open nothing any more, within two minutes.

    For a key that others may know. Its guests lose their baskets: what they see next is as new. If
    it is the key that signs, a new one is made first; other processes sign with the old one for up
    to a minute, so `guest-key rotate` a minute earlier spares those guests.
    """
    try:
        with db.transaction() as connection:
            keys = doorkeeper().tokens.guest_keys
            found = keys.revoke(connection, kid, now=web.now())
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    if not found:
        raise click.ClickException(f"There is no guest key {kid}.")


@guest_key_cli.command("list")
def list_guest_keys() -> None:
    """List the key pairs that sign or verify guest tokens."""
    with db.reading() as connection:
        rows = service.list_guest_keys(connection)
    click.echo(f"{'KEY':<30}{'MADE (UTC)':<19}STATE")
    for row in rows:
        until = row.retired and row.retired + GUEST_TOKEN_LIFETIME
        state = f"verifies until {until:%Y-%m-%d %H:%M}" if until else "signs"
        click.echo(f"{row.kid:<30}{row.created:%Y-%m-%d %H:%M}   {state}")
