"""Forgetting somebody, step by step: each is a transaction of its own, and the next run goes on.

Checkouts and orders are parted from their account last, and the one that was asked about after all
others: until then a run that was stopped finds by it what is left.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jay import db, web
from jay.checkout import contacts, flow
from jay.checkout.order_numbers import grouped
from jay.errors import PaymentProviderUnavailable, PaymentRefused, PaymentUnavailable
from jay.orders import service as orders
from jay.orders.withdrawals import Withdrawal
from jay.outbox.transports.mail import file_name
from jay.privacy import erasing
from jay.privacy.erasing import Customer, PurchaseRunning, StillNeeded, unfinished
from jay.privacy.finding import Account, Traces
from jay.privacy.registry import WHY_KEPT

__all__ = ["NotYet", "PurchaseRunning", "forget", "forget_order", "unfinished"]


class NotYet(Exception):
    """The provider could not be asked: what is stored there has not been deleted yet."""


@dataclass(frozen=True)
class Done:
    """What a step has led to, in words for the operator."""

    told: str


_WORDS = {
    "baskets": "basket",
    "transfers": "transfers to a phone or web shop",
    "contacts": "name, addresses and e-mail",
    "movements": "reasons of refunds",
    "order_parcels": "numbers of parcels",
    "outbox": "messages that wait or were kept",
}


def forget(traces: Traces, *, last: str | None = None) -> Iterator[Done]:
    """Forget what traces lead to.

    :param last: the order that was asked about.
    :raises PurchaseRunning: a checkout is not over; before anything has been done, as a rule.
    :raises NotYet: the provider can't be asked; run it again.
    """
    if traces.running:
        raise PurchaseRunning
    if traces.account is not None:
        gone = db.write(erasing.forget_account, traces.account)
        yield from _counted("Deleted", gone)
        yield from _forget_customer(traces.account)
    for one in traces.withdrawals:
        yield from _forget_withdrawal(one)
    for number in traces.unpaid:
        if db.write(erasing.forget_checkout, number):
            yield Done(f"Deleted: name, addresses and e-mail of a checkout without order, {number}")
    for number in sorted(traces.bought, key=lambda one: one == last):
        yield from forget_order(number)


def _forget_withdrawal(found: Withdrawal) -> Iterable[Done]:
    try:
        with db.reading() as connection:
            why = erasing.needed(connection, found)
        if why is not None:
            raise StillNeeded(why)
        _delete_files(found.id)
        if db.write(erasing.forget_withdrawal, found, now=web.now()):
            yield Done("Locked or deleted: a withdrawal that was declared")
    except StillNeeded as kept:
        yield Done(f"Kept: withdrawal {found.id[:12]}: {kept}. Run this again afterwards.")


def forget_order(number: str) -> Iterator[Done]:
    """Forget who has placed an order; one that is still being carried out stays as it is."""
    name = grouped(number)
    with db.reading() as connection:
        order = orders.find(connection, number)
        why = erasing.unfinished(connection, number)
    if order is None:
        return
    secret = web.settings().secret_key
    try:
        if why is not None:
            raise StillNeeded(why)
        _delete_files(number)
        gone = db.write(erasing.forget_order, order, secret=secret, now=web.now())
    except StillNeeded as kept:
        yield Done(f"Kept: {name}, as it is being carried out: {kept}. Run this again afterwards.")
        return
    yield from _counted(f"{name}: deleted", gone)
    with db.reading() as connection:
        locked = contacts.locked_since(connection, number)
    if locked is not None:
        until = locked[1]
        yield Done(
            f"{name}: name, addresses, e-mail and payment are locked, and will be deleted on"
            f" {until:%Y-%m-%d} ({WHY_KEPT}); its page is closed"
        )
    else:
        yield Done(f"{name}: its page is closed, and nobody's name is known")


def _forget_customer(account: Account) -> Iterable[Done]:
    with db.reading() as connection:
        customer = erasing.customer_of(connection, account, secret=web.settings().secret_key)
    if customer is None:
        return
    yield from _at_provider(customer)
    if db.write(erasing.forget_customer, account, customer):
        yield Done("Deleted: stored payment, consent and PIN")


def _at_provider(customer: Customer) -> Iterable[Done]:
    if customer.stored is not None and customer.number is None:
        yield Done(
            "The customer's number at the payment provider was sealed with another JAY_SECRET_KEY:"
            " delete the customer there by hand"
        )
    if customer.number is None:
        return
    try:
        psp = flow.provider()
        modes = [test for test in (False, True) if psp.is_ready(test=test)]
        found = [psp.forget_customer(customer.number, test=test) for test in modes]
    except (PaymentProviderUnavailable, PaymentRefused, PaymentUnavailable) as error:
        raise NotYet(error.message) from error
    told = "Deleted at" if any(found) else "There is no such customer at"
    yield Done(f"{told} the payment provider: {psp.name}")


def _delete_files(subject: str) -> None:
    """Delete mails that a demo without a mail server has written; first them, then their rows."""
    folder: Path = web.settings().mail_folder
    with db.reading() as connection:
        rows = erasing.messages_about(connection, subject)
    for row in rows:
        (folder / file_name(row.id, row.key)).unlink(missing_ok=True)


def _counted(what: str, gone: dict[str, int]) -> Iterable[Done]:
    told = [f"{count} {_WORDS[table]}" for table, count in gone.items() if count]
    if told:
        yield Done(f"{what}: {', '.join(told)}")
