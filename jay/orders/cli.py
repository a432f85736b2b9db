"""``flask orders``: what was bought, and what becomes of it. Nothing personal is shown."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import click
from sqlalchemy import Connection

from jay import db, i18n, web
from jay.checkout import flow
from jay.checkout.order_numbers import grouped, typed_order_no
from jay.errors import JayError
from jay.merchants.arguments import found_merchant
from jay.orders import checking, events, ledger, refunding, service, steps
from jay.orders.handover import messages_about
from jay.orders.looking import look_at
from jay.orders.models import Actor, Order, OrderPart, PartNo, PartState
from jay.outbox import service as outbox
from jay.outbox.models import DELIVERED, FAILED
from jay.web.commands import Commands

LANG = "en"

SANDBOX = "sandbox"
"""At which no money moves."""

orders_cli = Commands("orders", help="What was bought, and what becomes of it.")


def _parts_named(connection: Connection, number: str) -> list[OrderPart]:
    """Return the parts that a number names, of an order or of a part, in any spelling."""
    part_no, order_no = PartNo.typed(number), typed_order_no(number)
    if part_no is not None:
        part = service.find_part(connection, part_no)
        found = [] if part is None else [part]
    else:
        order = None if order_no is None else service.find(connection, order_no)
        found = [] if order is None else service.parts_of(connection, order)
    if not found:
        raise click.ClickException(f"There is no order {number!r}.")
    return found


def _one_part(connection: Connection, number: str) -> PartNo:
    found = _parts_named(connection, number)
    if len(found) > 1:
        told = ", ".join(f"{part.part_no} ({part.merchant})" for part in found)
        raise click.ClickException(f"This order has several parts, name one: {told}")
    return found[0].part_no


def _done(work: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """Do a step, and say in words why it is refused."""
    try:
        return db.write(work, *args, **more)
    except steps.NotInPart as error:
        raise click.ClickException("One of these SKUs is not in this part.") from error
    except JayError as error:
        raise click.ClickException(error.message) from error


@orders_cli.command("list")
@click.option("--merchant", help="Name of the merchant; else of all.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([str(state) for state in PartState]),
    help="Which ones; may be given several times.",
)
@click.option("--attention", is_flag=True, help="Only those that somebody has to look at.")
@click.option("--parked", is_flag=True, help="Only those of which a merchant could not be told.")
@click.option(
    "--most",
    default=100,
    show_default=True,
    type=click.IntRange(1, 10_000),
    help="How many parts to list, the newest.",
)
def list_orders(
    merchant: str | None,
    states: tuple[str, ...],
    *,
    attention: bool,
    parked: bool,
    most: int,
) -> None:
    """List parts of orders, one a merchant, the newest first."""
    with db.reading() as connection:
        owner = None if merchant is None else found_merchant(connection, merchant)
        parts, _ = service.list_parts(
            connection,
            merchant=owner,
            states=[PartState(one) for one in states],
            attention=attention,
            most=most,
        )
        told = [(part, _hand_over(connection, part)) for part in parts]
    click.echo(f"{'PART':<17}{'MERCHANT':<21} {'STATE':<11}{'ORDERED (UTC)':<18}{'PAID':>12}  TOLD")
    for part, handed in told:
        if parked and handed != FAILED:
            continue
        paid = i18n.money(part.total, part.order.currency, LANG)
        test = "  test" if part.order.test else ""
        click.echo(
            f"{part.part_no!s:<17}{part.merchant:<21} {part.state:<11}"
            f"{part.order.created:%Y-%m-%d %H:%M}  {paid:>12}  {handed}{test}"
        )
        if part.attention is not None:
            click.echo(f"  {look_at(part.attention)}")


@orders_cli.command("attended")
@click.argument("number")
def attended(number: str) -> None:
    """Note that nobody has to look at the part NUMBER any more."""
    with db.transaction() as connection:
        part_no = _one_part(connection, number)
        events.attend(connection, part_no, None)
    click.echo(f"{part_no}: done.", err=True)


def _hand_over(connection: Connection, part: OrderPart) -> str:
    """Say whether the merchant has been told of all that has happened."""
    states = {row.state for row in messages_about(connection, part.part_no)}
    if not states:
        return "pulls"
    return next((state for state in (FAILED, "waiting") if state in states), DELIVERED)


@orders_cli.command("show")
@click.argument("number")
def show_order(number: str) -> None:
    """Show an order, or one part of it, by its NUMBER in any spelling.

    Who has bought it is not shown.
    """
    with db.reading() as connection:
        parts = _parts_named(connection, number)
        _show(parts[0].order)
        for part in parts:
            sums = ledger.sums_of_part(connection, part.part_no)
            messages = messages_about(connection, part.part_no)
            _show_part(part, {str(kind): amount for kind, amount in sums.items()}, messages)


def _show(order: Order) -> None:
    paid = i18n.money(order.amount, order.currency, LANG)
    click.echo(
        f"{grouped(order.order_no)}, {order.created:%Y-%m-%d %H:%M} UTC, {paid} by"
        f" {order.method or 'an unknown method'} at {order.provider} ({order.intent_id})"
        + (", only a test" if order.test else "")
    )


def _show_part(part: OrderPart, sums: dict[str, int], messages: Iterable[Any]) -> None:
    def money(amount: int) -> str:
        return i18n.money(amount, part.order.currency, LANG)

    click.echo(f"\n{part.part_no} {part.merchant}: {part.state}, {money(part.total)}")
    for line in part.lines:
        counts = f"{line.shipped} shipped, {line.cancelled} cancelled, {line.returned} returned"
        name = line.name if line.variant is None else f"{line.name}, {line.variant}"
        click.echo(f"  {line.ordered} x {line.sku} ({name}) at {money(line.price)}: {counts}")
    for event in part.events:
        click.echo(f"  {event.at:%Y-%m-%d %H:%M} {event.kind} by {event.by}")
    for refund in part.refunds:
        click.echo(f"  refund {refund.id}: {money(refund.amount)}, {refund.state}")
    if part.still_due is not None:
        click.echo(f"  to be refunded until {part.still_due:%Y-%m-%d}")
    if part.attention is not None:
        click.echo(f"  to look at: {look_at(part.attention)}")
    for doubt in part.doubts:
        click.echo(f"  in doubt: {doubt}")
    click.echo("  ledger: " + ", ".join(f"{kind} {money(one)}" for kind, one in sums.items()))
    for row in messages:
        reason = f": {row.reason}" if row.reason else ""
        click.echo(f"  message {row.id} {row.kind}: {row.state}, tried {row.attempts}{reason}")


@orders_cli.command("retry")
@click.argument("number", required=False)
@click.option("--merchant", help="All that was not delivered to the merchant with this name.")
def retry(number: str | None, merchant: str | None) -> None:
    """Tell the merchant of the order or part NUMBER anew: what has failed, or waits."""
    if (number is None) == (merchant is None):
        raise click.UsageError("Give either NUMBER or --merchant NAME.")
    with db.transaction() as connection:
        if merchant is not None:
            owner = found_merchant(connection, merchant)
            begun = outbox.retry(connection, now=web.now(), merchant=owner.id)
        else:
            ids = [
                row.id
                for part in _parts_named(connection, number or "")
                for row in messages_about(connection, part.part_no)
            ]
            begun = outbox.retry(connection, now=web.now(), ids=ids)
    if not begun:
        raise click.ClickException("Nothing waits and nothing has failed.")
    click.echo(f"{len(begun)} due now. Next: flask --app app webhooks deliver", err=True)


@orders_cli.command("cancel")
@click.argument("number")
@click.option("--keep-stock", is_flag=True, help="Let nothing of it be sold again.")
def cancel(number: str, *, keep_stock: bool) -> None:
    """Cancel what has not been shipped of the part NUMBER, and send back what was paid for it."""
    with db.reading() as connection:
        part_no = _one_part(connection, number)
    _done(
        steps.cancel,
        part_no,
        None,
        merchant=None,
        by=Actor.OPERATOR,
        restock=not keep_stock,
        now=web.now(),
    )
    refunding.settle(part_no.order_no)
    click.echo(f"{part_no} cancelled.", err=True)


@orders_cli.command("refund")
@click.argument("number")
@click.option("--amount", type=click.IntRange(1), help="Minor units; else all that is left.")
@click.option("--reason", required=True, help="Why; the shopper does not see it.")
def refund(number: str, amount: int | None, reason: str) -> None:
    """Send money of the part NUMBER back to the shopper."""
    with db.reading() as connection:
        part_no = _one_part(connection, number)
    reserved = _done(
        steps.refund,
        part_no,
        amount,
        None,
        reason=reason,
        merchant=None,
        by=Actor.OPERATOR,
        now=web.now(),
    )
    refunding.settle(part_no.order_no)
    with db.reading() as connection:
        part = service.find_part(connection, part_no)
    made = next(one for one in part.refunds if one.id == reserved.id) if part else reserved
    click.echo(f"Refund {made.id} of {part_no}: {made.state}.", err=True)


@orders_cli.command("reconcile")
@click.option(
    "--days",
    default=30,
    show_default=True,
    type=click.IntRange(1, 3660),
    help="The provider is asked about payments of so many days.",
)
def reconcile(days: int) -> None:
    """Compare orders, ledger and provider; tell what differs, and change nothing."""
    with db.reading() as connection:
        wrong = [f"{one}: paid, without order" for one in checking.paid_without_order(connection)]
        wrong += [
            f"{one}: an order without payment"
            for one in checking.orders_without_payment(connection)
        ]
        wrong += [
            f"{PartNo(order_no, number)}: charged {difference:+d} of what it costs"
            for order_no, number, difference in checking.unbalanced_parts(connection)
        ]
        claims = checking.claims(connection, since=web.now() - timedelta(days=days))
    asked = 0
    for claim in claims:
        psp = flow.provider()
        if claim.provider != psp.name:
            if not claim.charged and claim.provider != SANDBOX:
                wrong.append(f"{claim.order_no}: ended here, look at {claim.provider} yourself")
            continue
        asked += 1
        found = psp.find(claim.intent_id, test=claim.test)
        wrong += [f"{claim.order_no}: {told}" for told in claim.differences(found)]
    for told in wrong:
        click.echo(told)
    click.echo(f"{asked} payments compared, {len(wrong)} differences.", err=True)
    if wrong:
        raise SystemExit(1)
