"""``flask operator``: who may log in to look behind the service."""

import sys

import click

from jay import db, web
from jay.merchants.arguments import found_merchant
from jay.operators import models as operator_models
from jay.operators import service as operators
from jay.web.commands import Commands, name_of

operator_cli = Commands("operator", help="People who log in to look at products and orders.")


@operator_cli.command("add")
@click.argument("name", callback=name_of)
@click.option("--merchant", help="Name of the only merchant whose products it sees; else all.")
def add_operator(name: str, merchant: str | None) -> None:
    """Make an account NAME, which logs in at /login.

    The password is asked for, or read from the first line of standard input. It has at least 12
    characters, and only a slow hash of it is kept.
    """
    with db.reading() as connection:
        if operators.exists(connection, name):
            raise click.ClickException(_there_is(name))
        only = None if merchant is None else found_merchant(connection, merchant).id
    # Asked for and hashed before the transaction: both take their time.
    hashed = _asked_password()
    with db.transaction() as connection:
        if not operators.add(connection, name, hashed, merchant=only, now=web.now()):
            raise click.ClickException(_there_is(name))
    sees = f"the products of {merchant}" if merchant else "the products of all merchants"
    click.echo(
        f"Operator {name} added, who sees {sees} at {web.settings().public_url}/catalogue", err=True
    )


@operator_cli.command("list")
def list_operators() -> None:
    """List all accounts, with what they see."""
    with db.reading() as connection:
        rows = operators.list_all(connection)
    click.echo(f"{'NAME':<41}{'SEES':<50}{'MADE (UTC)':<19}PASSWORD OF (UTC)")
    for row in rows:
        sees = f"merchant {row.merchant}" if row.merchant else "all merchants"
        click.echo(
            f"{row.name:<41}{sees:<50}{row.created:%Y-%m-%d %H:%M}"
            f"   {row.password_changed:%Y-%m-%d %H:%M}"
        )


@operator_cli.command("password")
@click.argument("name", callback=name_of)
def change_password(name: str) -> None:
    """Give the account NAME another password. It is logged out everywhere at once.

    The password is asked for, or read from the first line of standard input.
    """
    with db.reading() as connection:
        if not operators.exists(connection, name):
            raise click.ClickException(f"There is no operator {name!r}.")
    hashed = _asked_password()
    with db.transaction() as connection:
        if not operators.change_password(connection, name, hashed, now=web.now()):
            raise click.ClickException(f"There is no operator {name!r}.")
    click.echo(f"The password of {name} is changed, and nobody is logged in as {name}.", err=True)


@operator_cli.command("remove")
@click.argument("name", callback=name_of)
def remove_operator(name: str) -> None:
    """Remove the account NAME. It is logged out everywhere at once."""
    with db.transaction() as connection:
        if not operators.remove(connection, name):
            raise click.ClickException(f"There is no operator {name!r}.")
    click.echo(f"Operator {name} removed.", err=True)


def _there_is(name: str) -> str:
    return f"There is already an operator {name!r}; `operator password` changes its password."


def _asked_password() -> str:
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        # Bytes: which letters they are must not depend on this machine's locale.
        typed = sys.stdin.buffer.readline()
        password = typed.decode("utf-8", "surrogateescape").rstrip("\r\n")
    try:
        return operator_models.hash_password(password)
    except operator_models.UnusablePassword as error:
        raise click.ClickException(str(error)) from error
