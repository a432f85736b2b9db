"""``flask key`` and ``flask guest-key``."""

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
def list_keys() -> None:
    """List all API keys by their prefix, with owner and state."""
    with db.reading() as connection:
        rows = service.list_keys(connection)
    click.echo(f"{'PREFIX':<14}{'OWNER':<33} {'ISSUED (UTC)':<19}STATE")
    for row in rows:
        owner = f"partner {row.partner}" if row.partner else f"merchant {row.merchant}"
        state = f"revoked {row.revoked:%Y-%m-%d %H:%M}" if row.revoked else "valid"
        click.echo(f"{row.prefix:<14}{owner:<33} {row.created:%Y-%m-%d %H:%M}   {state}")


@key_cli.command("revoke")
@click.argument("prefix")
def revoke_key(prefix: str) -> None:
    """Revoke the API key that begins with PREFIX, as `key list` shows it.

    It stops working within five seconds and can't be brought back.
    """
    with db.transaction() as connection:
        if not service.revoke_key(connection, prefix, now=web.now()):
            raise click.ClickException(f"There is no valid key with the prefix {prefix!r}.")
    click.echo(f"Key {prefix} revoked.", err=True)


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
