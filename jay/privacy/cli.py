"""``flask customer``, and what ``flask orders`` has of it: export, forget, and the kept voucher."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import click
import orjson
from flask.cli import with_appcontext
from sqlalchemy import Connection

from jay import db, web
from jay.checkout.order_numbers import grouped, typed_order_no
from jay.net.emails import normal_email
from jay.orders import service as orders
from jay.orders.models import Order, PartNo
from jay.partners import service as partners
from jay.privacy import exporting, finding, forgetting
from jay.privacy.finding import Account, Traces
from jay.privacy.forgetting import Done, NotYet, PurchaseRunning
from jay.web.commands import Commands
from jay.web.schema import camel_case

customer_cli = Commands("customer", help="What is held of a person: handed out, or forgotten.")

_RUNNING = (
    "A purchase of this person is not over yet. Cancel it, or wait for half an hour, and run this"
    " again."
)


@dataclass(frozen=True)
class Asked:
    """Whose data a command is about."""

    about: dict[str, str]
    traces: Traces
    order_no: str | None = None


_WHO = (
    click.option("--partner", help="Name of the streaming platform; goes with --user."),
    click.option("--user", help="The user's id at the platform; a guest's, too."),
    click.option("--order", "number", help="Number of an order of the person, in any spelling."),
    click.option("--email", help="The address that purchases were told."),
)


def _who(command: Callable[..., Any]) -> Callable[..., Any]:
    return reduce(lambda made, option: option(made), reversed(_WHO), command)


def _asked(partner: str | None, user: str | None, number: str | None, email: str | None) -> Asked:
    given = [partner is not None or user is not None, number is not None, email is not None]
    if sum(given) != 1 or (partner is None) != (user is None):
        raise click.UsageError("Give --partner and --user, or --order, or --email.")
    secret = web.settings().secret_key
    with db.reading() as connection:
        if number is not None:
            order = _order(connection, number)
            found = finding.of_order(connection, order.order_no, secret=secret)
            if found is None:
                raise click.ClickException(f"There is no order {number!r}.")
            return Asked({"order": order.order_no}, found, order.order_no)
        if email is not None:
            address = normal_email(email)
            if address is None:
                raise click.BadParameter("is no e-mail address", param_hint="--email")
            return Asked({"email": address}, finding.of_email(connection, address, secret=secret))
        account = _account(connection, partner or "", user or "")
        traces = finding.of_account(connection, account, secret=secret)
        return Asked({"partner": partner or "", "user": user or ""}, traces)


def _account(connection: Connection, partner: str, user: str) -> Account:
    # Of one that was removed, orders are still there.
    found = partners.partner_id(connection, partner) or partners.removed_partner_id(
        connection, partner
    )
    if found is None:
        raise click.ClickException(f"There is no partner {partner!r}.")
    if not user:
        raise click.BadParameter("must not be empty", param_hint="--user")
    return Account(found, user)


def _order(connection: Connection, number: str) -> Order:
    part_no = PartNo.typed(number)
    order_no = typed_order_no(number) if part_no is None else part_no.order_no
    order = None if order_no is None else orders.find(connection, order_no)
    if order is None:
        raise click.ClickException(f"There is no order {number!r}.")
    return order


@customer_cli.command("export")
@_who
@click.option(
    "--to",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file, which only you can read; else it is printed.",
)
def export_customer(target: Path | None, **who: Any) -> None:
    """Write all that is held of a person as JSON (GDPR 15 and 20), and nothing of others.

    An account gets what was done with it; an address the purchases that were told it; a number
    the account that has placed that order. What is locked is in it, too.
    """
    asked = _asked(**who)
    with db.reading() as connection:
        found = exporting.export(
            connection,
            asked.traces,
            about=asked.about,
            secret=web.settings().secret_key,
            now=web.now(),
        )
    text = _written(found)
    if target is None:
        click.echo(text.decode(), nl=False)
    else:
        _write(target, text)
    _name_others(asked)


def _written(found: Any) -> bytes:
    return orjson.dumps(_named(found), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _named(found: Any) -> Any:
    """Give all that is in a document the names that the APIs give it."""
    if isinstance(found, dict):
        return {camel_case(name): _named(value) for name, value in found.items()}
    return [_named(one) for one in found] if isinstance(found, list) else found


def _write(target: Path, text: bytes) -> None:
    try:
        target.touch(mode=0o600, exist_ok=False)
        target.write_bytes(text)
    except FileExistsError as error:
        raise click.ClickException(f"{target} is there already.") from error
    except OSError as error:
        raise click.ClickException(f"{target} can't be written: {error.strerror}.") from error
    click.echo(f"Written to {target}.", err=True)


@customer_cli.command("forget")
@_who
@click.option("--yes", is_flag=True, help="Don't ask.")
def forget_customer(*, yes: bool, **who: Any) -> None:
    """Forget a person: say what is deleted, what has to be kept, why, and until when.

    Baskets, transfers, stored payments (at the payment provider, too), consents, PINs, parcels'
    numbers and reasons of refunds are deleted. Names, addresses and payments of orders are locked:
    neither a page nor the API shows them, `orders voucher` does; `baskets purge` deletes them once
    the law lets them go. Orders that are being carried out stay until they are over. It may be
    stopped at any moment and run again.
    """
    asked = _asked(**who)
    if not yes:
        told = ", ".join(f"{name} {value}" for name, value in asked.about.items())
        count = len(asked.traces.bought)
        click.confirm(f"Forget {told}, with {count} orders?", abort=True, err=True)
    done = _tell(forgetting.forget(asked.traces, last=asked.order_no))
    if not done:
        click.echo("Nothing is held.", err=True)
    _name_others(asked)


def _tell(steps: Iterator[Done]) -> int:
    count = 0
    try:
        for done in steps:
            click.echo(done.told)
            count += 1
    except PurchaseRunning as error:
        raise click.ClickException(_RUNNING) from error
    except NotYet as error:
        raise click.ClickException(
            f"The payment provider could not delete the customer: {error} Run this again."
        ) from error
    return count


def _name_others(asked: Asked) -> None:
    if not asked.traces.others:
        return
    with db.reading() as connection:
        names = {
            one: partners.partner_by_id(connection, one.partner_id).name
            for one in asked.traces.others
        }
    click.echo("These purchases were made with accounts that others may share:", err=True)
    for account, name in names.items():
        click.echo(f"  --partner {name} --user {account.user_id}", err=True)


@click.command("forget")
@click.argument("number")
@with_appcontext
def forget_order(number: str) -> None:
    """Forget who has placed the order NUMBER, in any spelling.

    What has to be kept is locked; it is said until when. One that is being carried out is refused.
    """
    with db.reading() as connection:
        order = _order(connection, number)
        traces = finding.of_order(connection, order.order_no, secret=web.settings().secret_key)
        withdrawn = () if traces is None else _about(traces, order.order_no)
        why = forgetting.unfinished(connection, order.order_no)
    if why is not None:
        raise click.ClickException(
            f"{grouped(order.order_no)} is being carried out: {why}. Run this again afterwards."
        )
    only = Traces(None, (order.order_no,), (), (), withdrawn, ())
    _tell(forgetting.forget(only))


def _about(traces: Traces, order_no: str) -> tuple[Any, ...]:
    return tuple(one for one in traces.withdrawals if one.order_no == order_no)


@click.command("voucher")
@click.argument("number")
@with_appcontext
def show_voucher(number: str) -> None:
    """Print what the books need of the order NUMBER as JSON, also when it is locked."""
    secret = web.settings().secret_key
    with db.reading() as connection:
        order = _order(connection, number)
        traces = finding.of_order(connection, order.order_no, secret=secret)
        withdrawn = () if traces is None else _about(traces, order.order_no)
        found = exporting.voucher(connection, order, withdrawn, secret=secret)
    click.echo(_written(found).decode(), nl=False)


COMMANDS = (forget_order, show_voucher)
