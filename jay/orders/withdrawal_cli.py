"""``flask orders withdrawals``: what shoppers have declared, and what somebody has to look at."""

import click
from flask.cli import with_appcontext

from jay import db, web
from jay.checkout.order_numbers import typed_order_no
from jay.orders import service, withdrawals
from jay.orders.looking import why_unclear
from jay.orders.models import PartNo
from jay.orders.withdrawals import Withdrawal

MOST = 1000


@click.command("withdrawals")
@click.option("--all", "everything", is_flag=True, help="Those that are done, too.")
@with_appcontext
def list_withdrawals(*, everything: bool) -> None:
    """List the withdrawals that somebody has to look at, the newest first.

    What is clear is withdrawn from at once. The law counts from the moment that is shown here.
    """
    with db.reading() as connection:
        found = withdrawals.list_withdrawals(
            connection, open_only=not everything, most=MOST, secret=web.settings().secret_key
        )
    for one in found:
        click.echo(f"{one.id}  {one.received:%Y-%m-%d %H:%M:%S} UTC  {_outcome(one)}")
        if one.locked is not None:
            click.echo("  locked: its person is forgotten")
            continue
        if one.said is None:
            click.echo("  sealed with another JAY_SECRET_KEY")
            continue
        click.echo(f"  {one.said.number}: {one.said.name} <{one.said.email}>")
        if one.said.products:
            click.echo(f"  {one.said.products}")
    if not found:
        click.echo("Nothing to look at.", err=True)


@click.command("withdraw")
@click.argument("identifier", metavar="ID")
@click.argument("number")
@click.option("--whole", is_flag=True, help="All of it, whichever products are named.")
@with_appcontext
def assign(identifier: str, number: str, *, whole: bool) -> None:
    """Withdraw from the order or part NUMBER, which the withdrawal ID is about.

    Where it names products, only from these. The 14 days for the refund count from when it arrived.
    """
    found, part_no = _found(identifier), PartNo.typed(number)
    order_no = typed_order_no(number) if part_no is None else part_no.order_no
    with db.transaction() as connection:
        order = None if order_no is None else service.find(connection, order_no)
        if order is None:
            raise click.ClickException(f"There is no order {number!r}.")
        meant = [
            part.part_no
            for part in service.parts_of(connection, order)
            if part_no is None or part.part_no == part_no
        ]
        if not meant:
            raise click.ClickException(f"The order has no part {number!r}.")
        try:
            done = withdrawals.assign(
                connection, found, order.order_no, meant, whole=whole, now=web.now()
            )
        except withdrawals.NoneNamed as error:
            raise click.ClickException(
                f"The withdrawal names no product of {number!r}, or can't be read. To withdraw from"
                " all of it, say --whole."
            ) from error
    if done is None:
        raise click.ClickException("Somebody else has closed it meanwhile.")
    told = ", ".join(f"{order.order_no}-{one}" for one in done)
    click.echo(f"Withdrawn from: {told or 'nothing that was left'}.", err=True)


@click.command("close-withdrawal")
@click.argument("identifier", metavar="ID")
@with_appcontext
def close(identifier: str) -> None:
    """Note that nobody has to look at the withdrawal ID any more."""
    with db.transaction() as connection:
        withdrawals.close(connection, _found(identifier), now=web.now())
    click.echo("Done.", err=True)


def _found(identifier: str) -> Withdrawal:
    with db.reading() as connection:
        listed = withdrawals.list_withdrawals(
            connection, open_only=True, most=MOST, secret=web.settings().secret_key
        )
    for one in listed:
        if one.id == identifier:
            return one
    raise click.ClickException(f"There is no withdrawal {identifier!r} that is open.")


def _outcome(one: Withdrawal) -> str:
    if one.unclear is not None and one.closed is None:
        return f"to look at: {why_unclear(one.unclear)}"
    if one.parts:
        return "withdrawn from " + ", ".join(f"{one.order_no}-{part}" for part in one.parts)
    return "done"


COMMANDS = (list_withdrawals, assign, close)
