"""``flask db distribute``: the tables over several servers."""

import click
from flask.cli import with_appcontext
from sqlalchemy.exc import DBAPIError

from jay import db
from jay.db import distributing
from jay.db.database import driver_error
from jay.db.distributing import SHARDS, NotDistributable
from jay.db.types import metadata


@click.command("distribute")
@click.option(
    "--shards",
    type=click.IntRange(1, 1024),
    default=SHARDS,
    show_default=True,
    help="Into how many pieces each table falls: as many servers can share them at most.",
)
@with_appcontext
def distribute(shards: int) -> None:
    """Distribute the tables over several servers, where the database has Citus.

    Each row of a shopper by its routing key; what is of no shopper lies on every server. One table
    after the other: nobody can write into one while it is moved. It may be stopped at any moment
    and run again, also after an upgrade that has brought new tables. See docs/SCALING.md.
    """
    try:
        with db.database().engine.connect() as connection:
            there = distributing.distributed(connection)
            steps = distributing.plan(metadata.sorted_tables, there, shards)
            distributing.be_patient(connection)
            for step in steps:
                distributing.take(connection, step)
                click.echo(str(step))
            for table in distributing.leftovers(connection):
                distributing.clear(connection, table)
            connection.detach()  # what it may do is not what requests may
    except NotDistributable as error:
        raise click.ClickException(f"Nothing was distributed: {error}.") from error
    except DBAPIError as error:
        told = str(driver_error(error)).splitlines()[0]
        raise click.ClickException(f"It stopped, and can be run again: {told}.") from error
    click.echo(f"Distributed: {len(steps)} now, {len(there)} before.", err=True)


COMMANDS = (distribute,)
