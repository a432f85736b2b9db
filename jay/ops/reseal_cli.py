"""``flask secret``: changing JAY_SECRET_KEY."""

import click

from jay import db, web
from jay.ops import reseal as resealing
from jay.web.commands import Commands

secret_cli = Commands("secret", help="The secret that seals what is stored.")


@secret_cli.command("reseal")
@click.option(
    "--batch",
    default=500,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Rows a transaction: small ones stand in nobody's way.",
)
def reseal(batch: int) -> None:
    """Seal everything stored with JAY_SECRET_KEY that one of JAY_SECRET_KEY_OLD has sealed.

    It may be stopped at any moment and run again, while the service is running with both. When
    nothing is left that cannot be opened, the old one is needed for 30 more days, by credentials
    that phones and shops hold.
    """
    unreadable = 0
    for sealed in resealing.SEALED:
        renewed = 0
        for done in resealing.reseal(
            db.database().write, sealed, secret=web.settings().secret_key, batch=batch
        ):
            renewed += done.renewed
            unreadable += done.unreadable
        click.echo(f"{sealed.name}: {renewed:,} sealed anew")
    if unreadable:
        raise click.ClickException(
            f"{unreadable:,} can't be opened by JAY_SECRET_KEY nor by one of JAY_SECRET_KEY_OLD."
        )
