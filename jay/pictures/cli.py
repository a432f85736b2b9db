"""``flask products pictures``: how it stands with a merchant's pictures."""

import click
from flask.cli import with_appcontext

from jay import db
from jay.merchants.arguments import found_merchant
from jay.pictures import service
from jay.pictures.models import Reason, text_of
from jay.web.commands import Command

PAGE = 500


@click.command("pictures", cls=Command)
@click.argument("merchant")
@click.option("--all", "everything", is_flag=True, help="List those that are there, too.")
@click.option(
    "--most", default=100, show_default=True, type=click.IntRange(0), help="List at the most."
)
@with_appcontext
def pictures(merchant: str, *, everything: bool, most: int) -> None:
    """Say how many pictures of MERCHANT are shown, and list what is not there, and why.

    The worker fetches them; it tries again what failed.
    """
    with db.reading() as connection:
        owner = found_merchant(connection, merchant)
        counts = service.counts(connection, owner.id)
    click.echo(
        f"{counts.pop('shown', 0):,} shown, {counts.pop('waiting', 0):,} wait to be fetched."
    )
    for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
        click.echo(f"{count:>9,} {reason}: {text_of(Reason(reason))}")
    after: str | None = ""
    while after is not None and most > 0:
        with db.reading() as connection:
            states, after = service.states(
                connection, owner.id, after=after, limit=min(PAGE, most), failed=not everything
            )
        for state in states:
            click.echo(_line(state))
        most -= len(states)


def _line(state: service.State) -> str:
    told = state.reason or ("shown" if state.shown else "waits")
    if state.reason and state.shown:
        told += " (an older one is shown)"
    again = f", again {state.due:%Y-%m-%d %H:%M} UTC" if state.reason and state.due else ""
    used = state.products[0] if state.products else "no product"
    more = f" and {len(state.products) - 1} more" if len(state.products) > 1 else ""
    return f"{state.url}\n    {told}{again}; {used}{more}"


COMMANDS = (pictures,)
