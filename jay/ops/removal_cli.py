"""``flask partner remove`` and ``flask merchant remove``: they know all that belongs to one."""

from collections.abc import Callable

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection

from jay import db, web
from jay.merchants import service as merchants
from jay.ops import removal
from jay.ops.removal import MERCHANT, PARTNER, Owner
from jay.partners import service as partners
from jay.web.commands import name_of

Find = Callable[[Connection, str], int | None]

_yes = click.option("--yes", is_flag=True, help="Don't ask.")


@click.command("remove")
@click.argument("name", callback=name_of)
@_yes
@with_appcontext
def remove_partner(name: str, *, yes: bool) -> None:
    """Remove the streaming platform NAME, with its API keys and its viewers' baskets.

    It is told what goes, and asked. The keys stop working within five seconds. Events, which hold
    nothing personal, stay. The name can be registered again, for the same platform. It may be
    stopped at any moment and run again.
    """
    _remove(PARTNER, name, (partners.partner_id, partners.removed_partner_id), yes=yes)


@click.command("remove")
@click.argument("name", callback=name_of)
@_yes
@with_appcontext
def remove_merchant(name: str, *, yes: bool) -> None:
    """Remove the shop NAME, with its API keys and its products.

    It is told what goes, and asked. The keys stop working within five seconds. Baskets show that
    its products are gone. Events, which hold nothing personal, stay. The name can be registered
    again, for the same shop. It may be stopped at any moment and run again.
    """
    _remove(MERCHANT, name, (merchants.merchant_id, merchants.removed_merchant_id), yes=yes)


def _remove(owner: Owner, name: str, finders: tuple[Find, Find], *, yes: bool) -> None:
    there, removed = finders
    with db.reading() as connection:
        present = there(connection, name)
        # What was interrupted, or came in the last seconds, is taken out by the next run.
        identifier = present or removed(connection, name)
        goes = {} if identifier is None else removal.belongings(connection, owner, identifier)
    if identifier is None or (present is None and not goes):
        raise click.ClickException(f"There is no {owner.kind} {name!r}.")
    _tell(owner, name, goes)
    if not yes:
        click.confirm(f"Remove {owner.kind} {name}?", abort=True, err=True)
    with db.transaction() as connection:
        keys = removal.end(connection, owner, identifier, now=web.now())
    rows = removal.clear(db.write, owner, identifier)
    click.echo(
        f"{owner.kind.capitalize()} {name} removed: {keys:,} API keys revoked, {rows:,} rows"
        " deleted.",
        err=True,
    )


def _tell(owner: Owner, name: str, goes: dict[str, int]) -> None:
    click.echo(f"With the {owner.kind} {name} and its API keys goes:", err=True)
    for told, count in goes.items():
        click.echo(f"  {count:>10,} {told}", err=True)
    if not goes:
        click.echo("  nothing else", err=True)
