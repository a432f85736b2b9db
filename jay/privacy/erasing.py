"""The steps of forgetting, each in one transaction and none harmful when it is done again.

What is replaced, and by what, the registry says.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, or_, select, update

from jay.baskets.models import baskets
from jay.checkout import contacts
from jay.checkout.comfort import FIELDS, comfort_settings, seal_of
from jay.checkout.contacts import contacts as contacts_table
from jay.checkout.models import ACTIVE, checkout_sessions
from jay.checkout.order_rows import of_order
from jay.connectors.handed import handed_parts
from jay.db import turns
from jay.db.routing import on_every_server
from jay.orders import service as orders
from jay.orders import withdrawals
from jay.orders.models import (
    MovementState,
    Order,
    OrderPart,
    PartState,
    ledger,
    movements,
    order_events,
    order_lines,
    order_parcels,
    order_parts,
)
from jay.orders.models import (
    orders as orders_table,
)
from jay.orders.withdrawals import Withdrawal
from jay.outbox.models import WAITING, outbox
from jay.privacy.finding import Account, of
from jay.privacy.registry import (
    DRAWN,
    LETTER_YEARS,
    NOBODY,
    VOUCHER_YEARS,
    kept_until,
    let_go_before,
    replacements,
)
from jay.sealing import WrongKey, hash_secret
from jay.transfers.models import transfers

_OVER = (PartState.SHIPPED, PartState.DELIVERED, PartState.CANCELLED, PartState.RETURNED)


class PurchaseRunning(Exception):
    """A checkout of this account is not over: its basket and address are needed."""


class StillNeeded(Exception):
    """It can't be forgotten yet; why is said in words for the operator."""


@dataclass(frozen=True)
class Customer:
    """What is stored of an account to pay with.

    :ivar stored: the sealed number, as it is stored; ``number`` what the provider knows it by,
        None where there is none, or it was sealed with a lost secret.
    """

    stored: str | None
    number: str | None


# --- an account ---


def forget_account(connection: Connection, account: Account) -> dict[str, int]:
    """Delete basket and transfers of an account.

    What is stored to pay with can't be used any more; its row stays until the provider has deleted
    the customer, too (``forget_customer``). Checkouts are parted from it one by one: until then
    they are found by it.

    :returns: how many rows of a table that concerned.
    :raises PurchaseRunning: a checkout is not over, and nothing has been changed.
    """
    # Who starts a checkout locks the basket first: it has been started before this, or will not be.
    gone = connection.execute(
        delete(baskets).where(*of(account, baskets)).returning(baskets.c.id)
    ).scalars()
    basket_ids = list(gone)
    connection.execute(
        update(comfort_settings)
        .where(*of(account, comfort_settings))
        .values(payment_token=None, consent_version=None, consent_at=None, pin_hash=None)
    )
    session = checkout_sessions.c
    active = select(session.order_no).where(*of(account), session.state.in_(ACTIVE)).limit(1)
    if connection.execute(active.with_for_update()).one_or_none() is not None:
        raise PurchaseRunning
    known = set(
        connection.execute(select(session.basket_id).where(*of(account)).distinct()).scalars()
    )
    ways = _delete_transfers(connection, account, {*basket_ids, *known} - {NOBODY})
    return {"baskets": len(basket_ids), "transfers": ways}


def _delete_transfers(connection: Connection, account: Account, basket_ids: set[str]) -> int:
    row = transfers.c
    by_basket = and_(row.basket_key == account.routing_key, row.basket_id.in_(basket_ids))
    mine = and_(
        row.partner_id == account.partner_id, or_(by_basket, row.claimed_by == account.user_id)
    )
    query = on_every_server(select(row.routing_key, row.code_hash).where(mine))
    found = connection.execute(query).all()
    for one in found:
        connection.execute(
            delete(transfers).where(
                row.routing_key == one.routing_key, row.code_hash == one.code_hash
            )
        )
    return len(found)


def customer_of(connection: Connection, account: Account, *, secret: str) -> Customer | None:
    """Return what is stored of an account to pay with; None where nothing is."""
    query = select(comfort_settings.c.customer_id).where(*of(account, comfort_settings))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    try:
        seal = seal_of(account.partner_id, account.user_id, secret)
        number = None if row.customer_id is None else seal.open(row.customer_id).decode()
    except WrongKey:
        number = None
    return Customer(row.customer_id, number)


def forget_customer(connection: Connection, account: Account, customer: Customer) -> bool:
    """Delete what is stored to pay with, once the provider has done so, too.

    :returns: whether it was there; not where something else has been stored meanwhile.
    """
    same = comfort_settings.c.customer_id.is_not_distinct_from(customer.stored)
    rest = [comfort_settings.c[name].is_(None) for name in FIELDS if name != "customer_id"]
    statement = delete(comfort_settings).where(*of(account, comfort_settings), same, *rest)
    return connection.execute(statement).rowcount == 1


def forget_checkout(connection: Connection, order_no: str) -> bool:
    """Erase who wanted to buy, of a checkout that led to no order.

    :returns: whether something was known.
    :raises PurchaseRunning: it is not over.
    """
    session = checkout_sessions.c
    named = of_order(checkout_sessions, order_no)
    query = select(session.state).where(*named).with_for_update()
    if connection.execute(query).scalar() in ACTIVE:
        raise PurchaseRunning
    connection.execute(_part_from_account(order_no))
    return contacts.erase(connection, order_no)


def _part_from_account(order_no: str) -> Any:
    changed = update(checkout_sessions).values(replacements("checkout_sessions"))
    named = of_order(checkout_sessions, order_no)
    return changed.where(*named, checkout_sessions.c.state.not_in(ACTIVE))


# --- an order ---


def unfinished(connection: Connection, order_no: str) -> str | None:
    """Return why an order's data is still needed to carry it out; None where it is not."""
    order = orders.find(connection, order_no)
    for part in [] if order is None else orders.parts_of(connection, order):
        if (why := _unfinished(connection, part)) is not None:
            return f"{part.part_no} {why}"
    return None


def _unfinished(connection: Connection, part: OrderPart) -> str | None:
    told = outbox.c.subject == str(part.part_no)
    query = select(outbox.c.id).where(told, outbox.c.state == WAITING).limit(1)
    if connection.execute(query).one_or_none() is not None:
        return "has something that its merchant is to be told yet"
    if part.state not in _OVER:
        return f"is {part.state}: it has neither been shipped nor cancelled"
    if any(one.state is MovementState.RESERVED for one in part.refunds):
        return "has a refund that is on its way"
    # What went back before is goodwill, and pays for no withdrawal.
    if part.still_due is not None:
        return f"was withdrawn from, and is to be refunded until {part.still_due:%Y-%m-%d}"
    if part.attention is not None:
        return "has to be looked at: orders list --attention"
    return None


def forget_order(
    connection: Connection, order: Order, *, secret: str, now: datetime
) -> dict[str, int]:
    """Lock what has to be kept of an order, and delete or replace the rest.

    A test is nothing that has to be kept.

    :returns: how many rows of a table that concerned; those of before are not counted again.
    :raises StillNeeded: it is being carried out, and nothing has been changed.
    """
    number = order.order_no
    connection.execute(_part_from_account(number))
    done: dict[str, int] = {}
    if order.test:
        done["contacts"] = int(contacts.erase(connection, number))
    else:
        until = kept_until(order.created, VOUCHER_YEARS)
        contacts.lock(connection, number, until=until, now=now)
    # Whoever has its link: it leads nowhere any more.
    token = orders.new_token(order.routing_key)
    drawn = {
        "token_hash": hash_secret(token),
        "token": orders.seal_of(number, secret).close(token.encode()),
    }
    replaced = replacements("orders")
    values = {name: drawn[name] if value is DRAWN else value for name, value in replaced.items()}
    connection.execute(update(orders_table).where(*of_order(orders_table, number)).values(values))
    # Whatever happens to a part locks it first: it has been told before this, or will be after it.
    locked = select(order_parts.c.number).where(*of_order(order_parts, number))
    connection.execute(locked.with_for_update())
    if (why := unfinished(connection, number)) is not None:
        raise StillNeeded(why)
    reasons = update(movements).where(*of_order(movements, number), movements.c.reason.is_not(None))
    done["movements"] = connection.execute(reasons.values(replacements("movements"))).rowcount
    parcels = delete(order_parcels).where(*of_order(order_parcels, number))
    done["order_parcels"] = connection.execute(parcels).rowcount
    done["outbox"] = _delete_messages(connection, number)
    return done


def needed(connection: Connection, found: Withdrawal) -> str | None:
    """Return why a declaration has to stay readable; None where it does not."""
    if found.closed is None:
        return "nobody has looked at it yet"
    told = select(outbox.c.id).where(outbox.c.subject == found.id, outbox.c.state == WAITING)
    if connection.execute(told.limit(1)).one_or_none() is not None:
        return "its acknowledgement has not been sent yet"
    return None if found.order_no is None else unfinished(connection, found.order_no)


def forget_withdrawal(connection: Connection, found: Withdrawal, *, now: datetime) -> bool:
    """Lock a declaration, or erase it where it is a letter about no order.

    :returns: whether that was still to be done.
    :raises StillNeeded: and nothing has been changed.
    """
    if (why := needed(connection, found)) is not None:
        raise StillNeeded(why)
    _delete_messages(connection, found.id)
    if found.order_no is None or not found.parts:
        return withdrawals.erase(connection, found)
    until = kept_until(found.received, LETTER_YEARS)
    return withdrawals.lock(connection, found, until=until, now=now)


# --- what was said ---


def messages_about(connection: Connection, subject: str) -> Sequence[Any]:
    """Return what is said or was about an order, its parts, or a declaration, by mail or other."""
    query = select(outbox).where(_about(subject)).order_by(outbox.c.id)
    return connection.execute(query).all()


def _delete_messages(connection: Connection, subject: str) -> int:
    turns.take(connection)
    # Who is sending one at this moment records it no more.
    return connection.execute(delete(outbox).where(_about(subject))).rowcount


def _about(subject: str) -> ColumnElement[bool]:
    part = outbox.c.subject.startswith(f"{subject}-", autoescape=True)
    return or_(outbox.c.subject == subject, part)


# --- what is over ---

_OF_ORDERS: tuple[Table, ...] = (
    *(checkout_sessions, contacts_table, orders_table, order_parts, order_lines, movements),
    *(order_parcels, order_events, ledger, handed_parts),
)
"""In the order in which everybody locks them."""


def erase_orders(connection: Connection, numbers: Sequence[str], *, letters: bool = False) -> int:
    """Delete orders with all that belongs to them; return how many.

    :param letters: withdrawals, too, which may have to be kept for longer.
    """
    erased = 0
    for table in (*_OF_ORDERS, *([withdrawals.withdrawals] if letters else [])):
        count = connection.execute(delete(table).where(table.c.order_no.in_(numbers))).rowcount
        erased += count if table is orders_table else 0
    return erased


def orders_let_go(connection: Connection, *, most: int, now: datetime) -> list[str]:
    """Return the numbers of orders whose vouchers need not be kept any more, the oldest first."""
    row = orders_table.c
    query = select(row.order_no).where(row.created < let_go_before(now, VOUCHER_YEARS))
    query = on_every_server(query.order_by(row.created).limit(most))
    return list(connection.execute(query).scalars())


def purge_orders(
    write: Callable[[Callable[[Connection], int]], int],
    read: Callable[[Callable[[Connection], list[str]]], list[str]],
    *,
    now: datetime,
    batch: int,
    most: int,
) -> Iterator[int]:
    """Delete the orders that need not be kept any more, in batches; yield how many each time.

    :param write: runs its argument in a transaction, and ``read`` in one that only reads.
    """
    left = most
    while left > 0:
        size = min(batch, left)
        numbers = read(lambda connection: orders_let_go(connection, most=size, now=now))  # noqa: B023
        if not numbers:
            return
        left -= len(numbers)
        yield write(lambda connection: erase_orders(connection, numbers))  # noqa: B023
