"""``flask db`` and ``flask demo``."""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import click
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from jay import db, web
from jay.auth.tokens import MAX_USER_ID_LENGTH
from jay.config import Settings, make_data_dir
from jay.ops import demo, demo_catalogue, demo_viewer, purge, removal
from jay.ops.lan import lan_address
from jay.ops.revision import MIGRATIONS
from jay.pictures import tidying
from jay.privacy import erasing
from jay.web.commands import Commands

if TYPE_CHECKING:
    from alembic.config import Config

db_cli = Commands("db", help="The database.")
baskets_cli = Commands("baskets", help="Baskets and what belongs to them.")
demo_cli = Commands("demo", help="Demo data, for trying the product out.")


def alembic_config(url: str) -> "Config":
    """Return the configuration of Alembic for a database URL."""
    # By name: it takes a fifth of the time to start, which the service does not pay.
    config: Config = import_module("alembic.config").Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["url"] = url
    return config


@db_cli.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database to the newest schema (or to REVISION). Run it before each new release."""
    _upgrade(revision)


def _upgrade(revision: str) -> None:
    make_data_dir(web.settings().data_dir)
    url = db.database().url.render_as_string(hide_password=False)
    try:
        import_module("alembic.command").upgrade(alembic_config(url), revision)
    except import_module("alembic.util").CommandError as error:
        raise click.ClickException(str(error)) from error


@demo_cli.command("load")
@click.option("--upgrade", "upgraded", is_flag=True, help="Bring the database up to date first.")
def load(*, upgraded: bool) -> None:
    """Load the demo partner, merchant and products, and print what to try.

    They only go where nothing was set up yet, or a demo was.
    """
    settings = web.settings()
    if not settings.demo:
        raise click.ClickException("Demo data is for demo mode: set JAY_DEMO=1, or use `make run`.")
    make_data_dir(settings.data_dir)
    with db.reading() as connection:
        if not demo.is_at_home(connection):
            raise click.ClickException(
                f"Demo data does not go into {_where(settings)}, where something else was set up:"
                " its keys are published. Unset JAY_DATABASE_URL and JAY_DATA_DIR, or name a new"
                " data directory, such as JAY_DATA_DIR=var."
            )
    if upgraded:
        _upgrade("head")
    products = demo_catalogue.products(settings.public_url)
    with db.transaction() as connection:
        demo.load(
            connection,
            products,
            public_url=settings.public_url,
            viewer_keys=demo_viewer.key_set(settings.secret_key),
            now=web.now(),
        )
    click.echo(demo.welcome(settings, lan_address()))


@demo_cli.command("token")
@click.argument("user")
def token(user: str) -> None:
    """Print a bearer token for USER, as the demo partner's identity provider signs it.

    With the demo's API key it opens the basket of that user for 12 hours.
    """
    if not web.settings().demo:
        raise click.ClickException("Tokens of the demo are for demo mode: set JAY_DEMO=1.")
    if not 0 < len(user) <= MAX_USER_ID_LENGTH or not user.isprintable():
        raise click.ClickException("A user id has 1 to 255 characters, none of them invisible.")
    click.echo(demo_viewer.token(web.settings().secret_key, user, now=web.now()))


@demo_cli.command("remove")
@click.option("--yes", is_flag=True, help="Don't ask.")
def remove(*, yes: bool) -> None:
    """Take the demo data out again, wholly: partner, merchant, keys, products, baskets, events.

    What else was set up stays. It may be stopped at any moment and run again.
    """
    with db.reading() as connection:
        found = demo.owners(connection)
        counts = [removal.belongings(connection, *each) for each in found]
    if not found:
        raise click.ClickException("There is no demo data.")
    click.echo(f"From {_where(web.settings())} the demo goes, with its keys and:", err=True)
    for told, count in (item for each in counts for item in each.items()):
        click.echo(f"  {count:>10,} {told}", err=True)
    if not yes:
        click.confirm("Remove the demo data?", abort=True, err=True)
    with db.transaction() as connection:
        for owner, identifier in found:
            removal.end(connection, owner, identifier, now=web.now())
    for owner, identifier in found:
        removal.clear(db.write, owner, identifier)
    with db.transaction() as connection:
        demo.forget(connection, found)
    click.echo("Demo data removed.", err=True)


def _where(settings: Settings) -> str:
    """Name the database without its password."""
    return make_url(settings.database_url).render_as_string(hide_password=True)


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

    Orders go when their vouchers need not be kept any more, after eight full years.

    It may be stopped at any moment and run again, while the service is running. Once a day is
    enough.
    """
    tidying.mark_unused()
    for expired in purge.EXPIRED:
        deleted = sum(purge.purge(db.write, expired, now=web.now(), batch=batch, most=most))
        click.echo(f"{expired.name}: {deleted}")
    orders = erasing.purge_orders(db.write, _read, now=web.now(), batch=batch, most=most)
    click.echo(f"orders: {sum(orders)}")
    click.echo(f"files of pictures: {tidying.delete_leftovers()}")


def _read(work: Callable[[Connection], list[str]]) -> list[str]:
    with db.reading() as connection:
        return work(connection)
