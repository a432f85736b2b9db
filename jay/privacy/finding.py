"""Whose data it is: by partner and user id, by the number of an order, or by an e-mail address.

An account at a platform may be used by a household, and an address by several accounts. So each
question gets what surely belongs to it, and no more: an account everything that was done with it,
an address the purchases that were told it. What else it leads to is named, to be asked for.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Connection, Table, select, tuple_

from jay.checkout import contacts, order_rows
from jay.checkout.models import ACTIVE, SessionState, checkout_sessions
from jay.checkout.order_numbers import routing_key_of
from jay.db.routing import on_every_server, routing_key
from jay.orders import service as orders
from jay.orders.withdrawals import Unclear, Withdrawal, all_withdrawals
from jay.privacy.registry import NOBODY

_session = checkout_sessions.c


@dataclass(frozen=True)
class Account:
    """Somebody's account at a partner; a guest's, too."""

    partner_id: int
    user_id: str = field(repr=False)

    @property
    def routing_key(self) -> int:
        """Where all that belongs to it lies."""
        return routing_key(self.partner_id, self.user_id)


@dataclass(frozen=True)
class Traces:
    """What leads to a person's data.

    :ivar account: None where only an address or an order is asked about.
    :ivar bought: numbers of orders, and ``unpaid`` those of checkouts that led to none.
    :ivar running: numbers of checkouts that are not over.
    :ivar withdrawals: what the person has declared.
    :ivar others: accounts that the purchases were made with and that are not asked about.
    """

    account: Account | None
    bought: tuple[str, ...]
    unpaid: tuple[str, ...]
    running: tuple[str, ...]
    withdrawals: tuple[Withdrawal, ...]
    others: tuple[Account, ...]


def of_account(connection: Connection, account: Account, *, secret: str) -> Traces:
    """Return the traces of an account."""
    query = select(_session.order_no).where(*of(account)).order_by(_session.created)
    numbers = list(connection.execute(query).scalars())
    return _traces(connection, account, numbers, email=None, secret=secret)


def of_email(connection: Connection, email: str, *, secret: str) -> Traces:
    """Return the traces of an e-mail address."""
    numbers = contacts.with_email(connection, email, secret=secret)
    return _traces(connection, None, numbers, email=email, secret=secret)


def of_order(connection: Connection, order_no: str, *, secret: str) -> Traces | None:
    """Return the traces of the account that has placed an order; None where there is none.

    Where that account is forgotten it is the order alone.
    """
    if orders.find(connection, order_no) is None:
        return None
    this = order_rows.of_order(checkout_sessions, order_no)
    query = select(_session.partner_id, _session.user_id).where(*this)
    row = connection.execute(query).one_or_none()
    if row is None or row.user_id == NOBODY:
        return _traces(connection, None, [order_no], email=None, secret=secret)
    return of_account(connection, Account(row.partner_id, row.user_id), secret=secret)


def _traces(
    connection: Connection,
    account: Account | None,
    numbers: Collection[str],
    *,
    email: str | None,
    secret: str,
) -> Traces:
    keys = [(routing_key_of(number), number) for number in numbers]
    query = select(checkout_sessions).where(
        tuple_(_session.routing_key, _session.order_no).in_(keys)
    )
    rows = connection.execute(on_every_server(query.order_by(_session.created))).all()
    paid = [row.order_no for row in rows if row.state == SessionState.PAID]
    running = [row.order_no for row in rows if row.state in ACTIVE]
    made_with = {Account(row.partner_id, row.user_id) for row in rows if row.user_id != NOBODY}
    made_with -= {account}
    return Traces(
        account,
        tuple(paid),
        tuple(row.order_no for row in rows if row.order_no not in {*paid, *running}),
        tuple(running),
        tuple(_declared(connection, paid, email, secret=secret)),
        tuple(sorted(made_with, key=lambda one: (one.partner_id, one.user_id))),
    )


def _declared(
    connection: Connection, numbers: Collection[str], email: str | None, *, secret: str
) -> Iterable[Withdrawal]:
    """Yield what was declared by whom it is about: not what others have said of its orders."""
    for one in all_withdrawals(connection, secret=secret):
        said = one.said
        mine = one.order_no in numbers and one.unclear is not Unclear.EMAIL
        if mine and one.unclear is Unclear.CROWDED:
            # It was not compared, and may be anybody's.
            known = contacts.find(connection, str(one.order_no), secret=secret, locked=True).email
            mine = said is not None and _is_same(said.email, known)
        if mine or (said is not None and _is_same(said.email, email)):
            yield one


def _is_same(one: str, other: str | None) -> bool:
    return other is not None and one.casefold() == other.casefold()


def of(account: Account, table: Table = checkout_sessions) -> tuple[ColumnElement[bool], ...]:
    """Return what finds the rows of an account, in a table of accounts; else its checkouts."""
    row = table.c
    return (
        row.routing_key == account.routing_key,
        row.partner_id == account.partner_id,
        row.user_id == account.user_id,
    )
