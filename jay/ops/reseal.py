"""Sealing everything that is stored anew, after JAY_SECRET_KEY was changed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, or_, select, tuple_, update

from jay.auth.models import signing_keys
from jay.checkout.comfort import FIELDS, comfort_settings
from jay.checkout.comfort import seal_of as comfort_seal
from jay.checkout.contacts import contacts
from jay.checkout.contacts import seal_of as contact_seal
from jay.merchants.connectors import merchant_connectors
from jay.merchants.connectors import seal_of as connector_seal
from jay.merchants.models import merchants
from jay.merchants.service import token_seal
from jay.orders.models import orders
from jay.orders.service import seal_of as order_seal
from jay.orders.withdrawals import seal_of as withdrawal_seal
from jay.orders.withdrawals import withdrawals
from jay.sealing import Seal, WrongKey


@dataclass(frozen=True)
class Sealed:
    """A table with sealed columns, and how those of a row are sealed."""

    name: str
    table: Table
    columns: tuple[str, ...]
    seal: Callable[[Row[Any], str], Seal]


SEALED = (
    Sealed(
        "guest keys",
        signing_keys,
        ("private_key",),
        lambda _row, secret: Seal("guest keys", secret),
    ),
    Sealed(
        "webhook tokens and secrets",
        merchants,
        ("webhook_token", "order_secrets"),
        lambda row, secret: token_seal(row.id, secret),
    ),
    Sealed(
        "access to merchants' shops",
        merchant_connectors,
        ("credentials",),
        lambda row, secret: connector_seal(row.merchant_id, secret),
    ),
    Sealed(
        "comfort settings",
        comfort_settings,
        FIELDS,
        lambda row, secret: comfort_seal(row.partner_id, row.user_id, secret),
    ),
    Sealed(
        "names and addresses of orders",
        contacts,
        ("content",),
        lambda row, secret: contact_seal(row.order_no, secret),
    ),
    Sealed(
        "links to orders",
        orders,
        ("token",),
        lambda row, secret: order_seal(row.order_no, secret),
    ),
    Sealed(
        "withdrawals",
        withdrawals,
        ("content",),
        lambda row, secret: withdrawal_seal(row.id, secret),
    ),
)
"""Stored answers of requests are sealed with the clients' keys, too, and end in a day."""


@dataclass(frozen=True)
class Batch:
    """What has become of some rows; ``last`` is the key of the last one."""

    last: tuple[Any, ...]
    renewed: int
    unreadable: int


def reseal(
    write: Callable[[Callable[[Connection], Batch | None]], Batch | None],
    sealed: Sealed,
    *,
    secret: str,
    batch: int,
) -> Iterator[Batch]:
    """Seal what older secrets have sealed with the present one, in small transactions.

    It can be stopped at any moment and begun again; what is changed meanwhile is left as it is.

    :param write: runs its argument in a transaction.
    """
    after: tuple[Any, ...] | None = None
    while True:
        done = write(lambda connection: _some(connection, sealed, after, secret, batch))  # noqa: B023
        if done is None:
            return
        yield done
        after = done.last


def _some(
    connection: Connection,
    sealed: Sealed,
    after: tuple[Any, ...] | None,
    secret: str,
    batch: int,
) -> Batch | None:
    keys = list(sealed.table.primary_key.columns)
    columns = [sealed.table.c[name] for name in sealed.columns]
    query = select(sealed.table).where(or_(*(column.is_not(None) for column in columns)))
    if after is not None:
        query = query.where(tuple_(*keys) > tuple_(*after))
    rows = connection.execute(query.order_by(*keys).limit(batch)).all()
    if not rows:
        return None
    renewed = unreadable = 0
    for row in rows:
        seal = sealed.seal(row, secret)
        for column in columns:
            try:
                anew = None if row._mapping[column] is None else seal.renewed(row._mapping[column])
            except WrongKey:
                unreadable += 1
                continue
            if anew is not None:
                this = [key == row._mapping[key] for key in keys]
                # Only what it was read as: somebody may have set another one since.
                change = update(sealed.table).where(*this, column == row._mapping[column])
                renewed += connection.execute(change.values({column.name: anew})).rowcount
    return Batch(tuple(rows[-1]._mapping[key] for key in keys), renewed, unreadable)
