"""``flask db`` and ``flask demo``."""

from pathlib import Path

import alembic.command
import alembic.config
import alembic.util
import click

from jay import db, web
from jay.config import make_data_dir
from jay.ops import demo, demo_catalogue, demo_viewer, purge
from jay.ops.lan import lan_address
from jay.web.commands import Commands

db_cli = Commands("db", help="The database.")
baskets_cli = Commands("baskets", help="Baskets and what belongs to them.")
demo_cli = Commands("demo", help="Demo data, for trying the product out.")


def alembic_config(url: str) -> alembic.config.Config:
    """Return the configuration of Alembic for a database URL."""
    config = alembic.config.Config()
    folder = Path(__file__).parents[2] / "migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["url"] = url
    return config


@db_cli.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database to the newest schema (or to REVISION). Run it before each new release."""
    make_data_dir(web.settings().data_dir)
    url = db.database().url.render_as_string(hide_password=False)
    try:
        alembic.command.upgrade(alembic_config(url), revision)
    except alembic.util.CommandError as error:
        raise click.ClickException(str(error)) from error


@demo_cli.command("load")
def load() -> None:
    """Load the demo partner, merchant and products, and print what to try."""
    if not web.settings().demo:
        raise click.ClickException("Demo data is for demo mode: set JAY_DEMO=1, or use `make run`.")
    public_url = web.settings().public_url
    keys = demo_viewer.key_set(web.settings().secret_key)
    products = demo_catalogue.products(public_url)
    with db.transaction() as connection:
        demo.load(connection, products, public_url=public_url, viewer_keys=keys, now=web.now())
    click.echo(demo.welcome(web.settings(), lan_address()))


@baskets_cli.command("purge")
@click.option(
    "--batch",
    default=1000,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Rows a transaction: small ones stand in nobody's way.",
)
@click.option(
    "--most",
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1),
    help="Rows of a kind at the most; run it again for the rest.",
)
def purge_baskets(batch: int, most: int) -> None:
    """Delete expired baskets, ended transfers and what else has served its time.

    It may be stopped at any moment and run again, while the service is running. Once a day is
    enough.
    """
    for expired in purge.EXPIRED:
        deleted = sum(purge.purge(db.write, expired, now=web.now(), batch=batch, most=most))
        click.echo(f"{expired.name}: {deleted}")
