"""Who buys and where it goes: everything personal of a checkout and its order, sealed in one row.

It stands under the order number beside the session, and nowhere else: neither the session nor the
order, no event and no message repeats it. What was never paid is erased after a few days.
"""

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime

import orjson
from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    Table,
    Text,
    delete,
    select,
    tuple_,
    update,
)

from jay.checkout.addresses import NOBODY, Address, Contact
from jay.checkout.models import UNPAID_KEPT_FOR
from jay.checkout.order_numbers import routing_key_of
from jay.checkout.order_rows import bound, of_bound_order, of_order
from jay.db.prepared import Prepared
from jay.db.routing import on_every_server
from jay.db.types import UtcDateTime, metadata, read_known
from jay.db.upsert import insert_into
from jay.sealing import Seal, WrongKey

contacts = Table(
    "contacts",
    metadata,
    # With its session; the order number says it, too.
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("order_no", Text, primary_key=True),
    Column("content", Text, nullable=False),
    # When it is erased; None once it belongs to an order.
    Column("ends", UtcDateTime),
    # Since when it is kept for the books alone, as its person is forgotten.
    Column("locked", UtcDateTime),
    Index("ix_contacts_ends", "ends"),
)

_row = contacts.c

_THIS = of_bound_order(contacts)
_FIND = Prepared(select(_row.content, _row.locked).where(*_THIS))
_KEEP = Prepared(update(contacts).where(*_THIS).values(ends=None))

AT_ONCE = 1000
"""How many are read at a time where each has to be opened."""


def put(
    connection: Connection, order_no: str, contact: Contact, *, secret: str, now: datetime
) -> None:
    """Store who buys, instead of who was stored before; whether it is erased stays as it is."""
    content = seal_of(order_no, secret).close(orjson.dumps(asdict(contact)))
    values = {
        "routing_key": routing_key_of(order_no),
        "order_no": order_no,
        "content": content,
        "ends": now + UNPAID_KEPT_FOR,
    }
    connection.execute(
        insert_into(connection, contacts)
        .values(**values)
        .on_conflict_do_update(
            index_elements=["routing_key", "order_no"], set_={"content": content}
        )
    )


def find(connection: Connection, order_no: str, *, secret: str, locked: bool = False) -> Contact:
    """Return who buys; ``NOBODY`` where it was not said, or was sealed with a lost secret.

    :param locked: also what is kept for the books alone; else that is as if it was not there.
    """
    found = _FIND.one_or_none(connection, bound(order_no))
    if found is None or (found.locked is not None and not locked):
        return NOBODY
    return _opened(order_no, found.content, secret)


def find_all(
    connection: Connection, order_nos: Collection[str], *, secret: str
) -> dict[str, Contact]:
    """Return who buys, by order number, for orders that may lie anywhere."""
    keys = [(routing_key_of(order_no), order_no) for order_no in order_nos]
    where = tuple_(_row.routing_key, _row.order_no).in_(keys)
    query = select(_row.order_no, _row.content).where(where, _row.locked.is_(None))
    found = {
        row.order_no: _opened(row.order_no, row.content, secret)
        for row in connection.execute(on_every_server(query))
    }
    return {order_no: found.get(order_no, NOBODY) for order_no in order_nos}


def _opened(order_no: str, content: str, secret: str) -> Contact:
    try:
        stored = orjson.loads(seal_of(order_no, secret).open(content))
    except WrongKey:
        return NOBODY
    return Contact(
        stored["email"],
        *(
            None if stored[name] is None else read_known(Address, stored[name])
            for name in _ADDRESSES
        ),
    )


_ADDRESSES = ("billing", "shipping")


def keep(connection: Connection, order_no: str) -> None:
    """Keep it for as long as the order is kept, which has been made."""
    _KEEP.rowcount(connection, bound(order_no))


def lock(connection: Connection, order_no: str, *, until: datetime, now: datetime) -> bool:
    """Show it to nobody any more but the books, until it is erased.

    :returns: whether there was any that was not locked.
    """
    statement = update(contacts).where(*of_order(contacts, order_no), _row.locked.is_(None))
    return connection.execute(statement.values(locked=now, ends=until)).rowcount == 1


def locked_since(connection: Connection, order_no: str) -> tuple[datetime, datetime] | None:
    """Return since when and until when it is locked; None where it is not."""
    query = select(_row.locked, _row.ends).where(
        *of_order(contacts, order_no), _row.locked.is_not(None)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.locked, row.ends)


def erase(connection: Connection, order_no: str) -> bool:
    """Erase it.

    :returns: whether there was any.
    """
    return connection.execute(delete(contacts).where(*of_order(contacts, order_no))).rowcount == 1


def with_email(connection: Connection, email: str, *, secret: str) -> list[str]:
    """Return the order numbers of all that this address was told for, locked or not.

    It is sealed, and there is nothing to find it by: each is opened, a batch at a time.
    """
    found: list[str] = []
    after: tuple[int, str] | None = None
    key = (_row.routing_key, _row.order_no)
    while True:
        query = select(*key, _row.content).order_by(*key).limit(AT_ONCE)
        if after is not None:
            query = query.where(tuple_(*key) > tuple_(*after))
        rows = connection.execute(on_every_server(query)).all()
        for row in rows:
            known = _opened(row.order_no, row.content, secret).email
            if known is not None and known.casefold() == email.casefold():
                found.append(row.order_no)
        if len(rows) < AT_ONCE:
            return found
        after = rows[-1].routing_key, rows[-1].order_no


def seal_of(order_no: str, secret: str) -> Seal:
    """Return what seals the contact of an order, and of no other one."""
    return Seal("contact", secret, order_no)
