"""``flask webhooks``: what merchants are told, and what has become of it."""

from collections import Counter
from typing import cast

import click

from jay import db, web
from jay.merchants.arguments import found_merchant
from jay.outbox import delivery, service
from jay.outbox.models import DELIVERED, FAILED, STATES, WAITING
from jay.web.commands import Commands

MOST_ID = 2**63 - 1
"""What the databases can count."""

webhooks_cli = Commands("webhooks", help="What merchants' servers are told.")


@webhooks_cli.command("deliver")
@click.option("--watch", is_flag=True, help="The same as: flask --app app worker.")
def deliver(*, watch: bool) -> None:
    """Send the webhooks that are due.

    What fails is tried again after 10 seconds, 20, 40 and so on up to 6 hours, each time after a
    random part of it, for three days; an address at which nothing arrives rests as a whole, up to
    half an hour. Any number of processes may do it at the same time, and one that is killed loses
    nothing.
    """
    if watch:
        context = click.get_current_context()
        root = context.find_root()
        worker = cast("click.Group", root.command).get_command(root, "worker")
        context.invoke(cast("click.Command", worker))
        return
    states: Counter[str | None] = Counter()

    def report(attempt: delivery.Attempt) -> None:
        states[attempt.state] += 1
        if attempt.outcome.failure:
            one = attempt.message
            told = f"{one.id}: {one.merchant}, {one.kind} {one.subject}"
            click.echo(f"{told}: {attempt.outcome.failure}", err=True)

    delivery.deliverer(report).run()
    click.echo(
        f"{states[DELIVERED]} delivered, {states[WAITING]} to be tried again,"
        f" {states[FAILED]} given up."
    )


@webhooks_cli.command("list")
@click.option("--merchant", help="Name of the merchant; else of all.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(STATES),
    help="Which ones; may be given several times. Default: waiting and failed.",
)
@click.option(
    "--most",
    default=100,
    show_default=True,
    type=click.IntRange(1, MOST_ID),
    help="Lines at the most.",
)
def list_webhooks(merchant: str | None, states: tuple[str, ...], most: int) -> None:
    """List webhooks that wait or have failed, the newest first, with the last reason."""
    with db.reading() as connection:
        rows = service.list_messages(
            connection,
            states=states or (WAITING, FAILED),
            merchant=None if merchant is None else found_merchant(connection, merchant).id,
            most=most,
        )
    click.echo(f"{'ID':<8}{'MERCHANT':<21} {'KIND':<16}{'STATE':<10}{'AT (UTC)':<20}TRIED  ABOUT")
    for row in rows:
        at = row.finished or row.due
        whose = row.merchant or "-"
        click.echo(
            f"{row.id:<8}{whose:<21} {row.kind:<16}{row.state:<10}{at:%Y-%m-%d %H:%M:%S} "
            f"{row.attempts:>5}  {row.subject}" + (f": {row.reason}" if row.reason else "")
        )


@webhooks_cli.command("retry")
@click.argument("identifiers", nargs=-1, type=click.IntRange(1, MOST_ID), metavar="[ID]...")
@click.option("--merchant", help="All that failed or wait of the merchant with this name.")
def retry(identifiers: tuple[int, ...], merchant: str | None) -> None:
    """Begin anew with the webhooks ID, as `webhooks list` shows them.

    They are due at once, and are tried for three days again. Those that have arrived, or are being
    sent at this moment, stay as they are.
    """
    if bool(identifiers) == (merchant is not None):
        raise click.UsageError("Give either IDs or --merchant NAME.")
    with db.transaction() as connection:
        if merchant is not None:
            begun = service.retry(
                connection, now=web.now(), merchant=found_merchant(connection, merchant).id
            )
        else:
            begun = service.retry(connection, now=web.now(), ids=identifiers)
    if left := sorted(set(identifiers) - set(begun)):
        click.echo(
            f"Not waiting and not failed: {', '.join(str(number) for number in left)}.", err=True
        )
    if not begun:
        raise SystemExit(1)
    click.echo(f"{len(begun)} due now. Next: flask --app app webhooks deliver", err=True)
