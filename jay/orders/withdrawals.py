"""Withdrawals: declared by anybody, without an account, and acknowledged whatever they say.

What a declaration says of the order is compared with what is known. Where it fits, the parts it is
about are withdrawn from at once; where it does not, it is kept for the operator to look at. Who has
declared it is told the same in both cases, so that nothing can be found out by trying.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import orjson
import structlog
from sqlalchemy import (
    JSON,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    Row,
    Table,
    Text,
    case,
    delete,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)

from jay.checkout import contacts
from jay.checkout.order_numbers import routing_key_of, typed_order_no
from jay.db.routing import NOWHERE, on_every_server
from jay.db.types import OpenEnum, UtcDateTime, metadata, read_known
from jay.db.upsert import insert_into
from jay.orders import events, service
from jay.orders.events import of_part
from jay.orders.models import (
    REFUND_WITHIN,
    Actor,
    Happening,
    OrderPart,
    PartNo,
    PartState,
    order_parts,
)
from jay.outbox import mails
from jay.outbox import service as outbox
from jay.outbox.models import KEPT_FOR
from jay.products.search import fold
from jay.sealing import Seal, WrongKey, hash_secret
from jay.web.limits import LONGEST_WINDOW, Limit

AT_ONCE = 1000
"""How many are read at a time where each has to be opened."""

ACKNOWLEDGED = "withdrawal.acknowledged"
"""The kind of mail that answers a declaration."""

_MAILS_OF_RECIPIENT = Limit("withdrawals of recipient", 5, LONGEST_WINDOW)
"""So many in a day, whoever sends them: nobody can have us flood a mailbox."""

log = structlog.get_logger()

_IS_OPEN = text("closed IS NULL")
_OVER = (PartState.CANCELLED, PartState.RETURNED)

withdrawals = Table(
    "withdrawals",
    metadata,
    # That of its order; that of nothing where there is no such order.
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("id", Text, primary_key=True),
    Column("order_no", Text),
    # The numbers of the parts that were withdrawn from.
    Column("parts", JSON, nullable=False),
    # Why somebody has to look at it; None where all was clear.
    Column("unclear", Text),
    # Who has declared what: sealed.
    Column("content", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("received", UtcDateTime, nullable=False),
    # When nobody had to look at it any more.
    Column("closed", UtcDateTime),
    # Since when it is kept for the books alone, as its person is forgotten, and until when.
    Column("locked", UtcDateTime),
    Column("ends", UtcDateTime),
    Index("ix_withdrawals_ends", "ends"),
    Index("ix_withdrawals_open", "received", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
)
_row = withdrawals.c


class Unclear(OpenEnum):
    """Why a declaration has to be looked at."""

    UNKNOWN = "unknown"
    """There is no such order."""
    EMAIL = "email"
    """The order was placed with another e-mail address."""
    PRODUCTS = "products"
    """None of the order's products is named as the declaration names them."""
    CROWDED = "crowded"
    """It was not compared with the order: too many named it at that moment."""


class NoneNamed(Exception):
    """A declaration names none of the products of some parts, or can't be read any more."""


@dataclass(frozen=True)
class Declaration:
    """What somebody declares, as it was typed.

    :ivar number: of an order, or of a part of it.
    :ivar products: which ones; empty: all of them.
    """

    name: str = field(repr=False)
    email: str = field(repr=False)
    number: str
    products: str = field(repr=False)

    def identifier(self, nonce: str) -> str:
        """Return what it is known by: sent twice from one page, it is one declaration."""
        return hash_secret("\0".join([nonce, self.name, self.email, self.number, self.products]))


@dataclass(frozen=True)
class Withdrawal:
    """A declaration that has arrived.

    :ivar said: None where it was sealed with a lost secret.
    :ivar locked: since when it is kept for the books alone: nobody else reads it.
    """

    routing_key: int
    id: str
    order_no: str | None
    parts: Sequence[int]
    unclear: Unclear | None
    said: Declaration | None
    lang: str
    received: datetime
    closed: datetime | None
    locked: datetime | None = None
    ends: datetime | None = None


def declare(
    connection: Connection,
    said: Declaration,
    identifier: str,
    *,
    lang: str,
    secret: str,
    now: datetime,
    compare: bool = True,
    busy: bool = False,
) -> datetime:
    """Take a declaration, withdraw from what it is clearly about, and acknowledge it by mail.

    :param compare: with the order that it names; else somebody has to look at it.
    :param busy: only what withdraws from a contract is acknowledged by mail.
    :returns: when it arrived: at the first time, if it comes again.
    """
    order_no, only = _number(said.number)
    key = NOWHERE if order_no is None else routing_key_of(order_no)
    stored = connection.execute(
        insert_into(connection, withdrawals)
        .values(
            routing_key=key,
            id=identifier,
            order_no=order_no,
            parts=[],
            content=seal_of(identifier, secret).close(orjson.dumps(asdict(said))),
            lang=lang,
            received=now,
        )
        .on_conflict_do_nothing()
        .returning(_row.id)
    ).one_or_none()
    if stored is None:
        query = select(_row.received).where(*_named(key, identifier))
        received: datetime = connection.execute(query).scalar_one()
        return received
    unclear, parts = (
        _apply(connection, said, order_no, only, secret=secret, now=now)
        if compare
        else (Unclear.CROWDED, [])
    )
    connection.execute(
        update(withdrawals)
        .where(*_named(key, identifier))
        .values(parts=parts, unclear=unclear, closed=None if unclear else now)
    )
    if parts or (not busy and _may_be_mailed(connection, said, secret=secret, now=now)):
        _acknowledge(connection, key, identifier, now=now)
    return now


def _may_be_mailed(
    connection: Connection, said: Declaration, *, secret: str, now: datetime
) -> bool:
    """Count a mail to somebody who may be a stranger to us: whom it names has not asked for it.

    What withdraws from a contract is always acknowledged. Anything else is kept, and was shown with
    date and time; it is no more than somebody's claim that it is their address.
    """
    recipient = said.email.casefold()
    may = _MAILS_OF_RECIPIENT.has_room(connection, recipient, secret=secret, now=now)
    if not may:
        log.warning("withdrawal not acknowledged by mail", reason="too many to one address")
    return may


def number_of(typed: str) -> str | None:
    """Return the number of the order that somebody means; None where it is none."""
    return _number(typed)[0]


def _number(typed: str) -> tuple[str | None, int | None]:
    part_no = PartNo.typed(typed)
    if part_no is not None:
        return part_no.order_no, part_no.number
    return typed_order_no(typed), None


def _apply(
    connection: Connection,
    said: Declaration,
    order_no: str | None,
    only: int | None,
    *,
    secret: str,
    now: datetime,
) -> tuple[Unclear | None, list[int]]:
    order = None if order_no is None else service.find(connection, order_no)
    if order is None:
        return Unclear.UNKNOWN, []
    # Who is forgotten can still withdraw.
    known = contacts.find(connection, order.order_no, secret=secret, locked=True).email
    if known is None or known.casefold() != said.email.casefold():
        return Unclear.EMAIL, []
    parts = service.parts_of(connection, order)
    meant = [part for part in parts if only is None or part.number == only]
    if not meant:
        return Unclear.UNKNOWN, []
    named = _named_in(meant, said.products)
    if not named:
        return Unclear.PRODUCTS, []
    return None, _withdraw_from(connection, named, declared=now, now=now)


_Pieces = Mapping[str, int] | None
"""So many of a part, by position; None: all of it."""


def _named_in(parts: Sequence[OrderPart], products: str) -> list[tuple[OrderPart, _Pieces]]:
    """Return the parts that a text is about, and which pieces; one without words is about all."""
    if not products:
        return [(part, None) for part in parts]
    found = [(part, _lines_named(part, products)) for part in parts]
    return [(part, lines) for part, lines in found if lines]


def _withdraw_from(
    connection: Connection,
    named: Sequence[tuple[OrderPart, _Pieces]],
    *,
    declared: datetime,
    now: datetime,
) -> list[int]:
    return [
        part.number
        for part, lines in named
        if withdraw(connection, part, lines, declared=declared, now=now)
    ]


def _lines_named(part: OrderPart, products: str) -> dict[str, int]:
    """Return which lines of a part a text names, and how many pieces there are, by position."""
    said = fold(products)
    return {
        str(line.position): line.ordered - line.cancelled
        for line in part.lines
        if line.ordered > line.cancelled
        and (fold(line.name) in said or fold(line.sku) in said.split())
    }


def withdraw(
    connection: Connection,
    part: OrderPart,
    lines: _Pieces,
    *,
    declared: datetime,
    now: datetime,
) -> bool:
    """Withdraw from a part: its money is due in 14 days, and its merchant is told.

    :param lines: pieces by position; None: all of it, once.
    :param declared: when the declaration arrived, from which the 14 days count (BGB 357). Of
        several the earliest counts, also where nothing was left to withdraw from.
    :returns: whether there was anything to withdraw from.
    """
    row = order_parts.c
    due = literal(declared + REFUND_WITHIN, row.refund_due.type)
    sooner = or_(row.refund_due.is_(None), row.refund_due > due)
    # Whoever withdraws at the same time waits here, and sees then what was recorded.
    locked = (
        update(order_parts)
        .where(*of_part(order_parts, part.part_no), row.state.not_in(_OVER))
        .values(
            refund_due=case((sooner, due), else_=row.refund_due),
            changed=case((sooner, literal(now, row.changed.type)), else_=row.changed),
        )
    )
    if connection.execute(locked).rowcount != 1:
        return False
    if lines is None:
        current = service.find_part(connection, part.part_no)
        if current is None or current.withdrawn_whole:
            return False
    told: dict[str, Any] = {} if lines is None else {"lines": dict(lines)}
    events.record(connection, part.part_no, Happening.WITHDRAWN, Actor.SHOPPER, told, now=now)
    return True


def assign(
    connection: Connection,
    found: Withdrawal,
    order_no: str,
    part_nos: Sequence[PartNo],
    *,
    whole: bool = False,
    now: datetime,
) -> list[int] | None:
    """Withdraw from what the operator has found out that a declaration is about, and close it.

    Where it names products, it is about these alone. It belongs to that order from then on, as one
    that was clear does: with the parts that were withdrawn from, kept and locked with the order,
    and acknowledged by mail if it was not before.

    :param whole: all of these parts, whatever it names.
    :returns: the numbers of the parts that were withdrawn from by this; None where somebody else
        has closed it meanwhile, and nothing was done.
    :raises NoneNamed: it can't be told which products of these parts it is about.
    """
    named = _named(found.routing_key, found.id)
    # It stays where it lies, so that the mail that is under way finds it.
    mine = update(withdrawals).where(*named, _row.closed.is_(None))
    values = {"order_no": order_no, "unclear": None, "closed": now}
    if connection.execute(mine.values(**values)).rowcount != 1:
        return None
    parts = [part for one in part_nos if (part := service.find_part(connection, one)) is not None]
    if not whole and found.said is None:
        raise NoneNamed
    meant = _named_in(parts, "" if whole or found.said is None else found.said.products)
    if parts and not meant:
        raise NoneNamed
    done = _withdraw_from(connection, meant, declared=found.received, now=now)
    connection.execute(update(withdrawals).where(*named).values(parts=done))
    recent = found.received > now - KEPT_FOR  # what was told before is not known any more
    if done and recent and not outbox.about(connection, found.id, [ACKNOWLEDGED]):
        _acknowledge(connection, found.routing_key, found.id, now=now)
    return done


def _acknowledge(connection: Connection, key: int, identifier: str, *, now: datetime) -> None:
    lane = mails.lane_of(identifier)
    outbox.enqueue(connection, ACKNOWLEDGED, {identifier: str(key)}, lane=lane, now=now)


def close(connection: Connection, found: Withdrawal, *, now: datetime) -> None:
    """Note that nobody has to look at a declaration any more."""
    connection.execute(
        update(withdrawals)
        .where(*_named(found.routing_key, found.id), _row.closed.is_(None))
        .values(closed=now)
    )


def find(
    connection: Connection, routing_key: int, identifier: str, *, secret: str
) -> Withdrawal | None:
    """Return a declaration; None where there is none."""
    query = select(withdrawals).where(*_named(routing_key, identifier))
    row = connection.execute(query).one_or_none()
    return None if row is None else _withdrawal(row, secret)


def list_withdrawals(
    connection: Connection, *, open_only: bool, most: int, secret: str
) -> list[Withdrawal]:
    """Return declarations, the newest first.

    :param open_only: those that somebody has to look at.
    """
    query = select(withdrawals).order_by(_row.received.desc(), _row.id).limit(most)
    if open_only:
        query = query.where(_row.closed.is_(None))
    return [_withdrawal(row, secret) for row in connection.execute(on_every_server(query))]


def unclear_ones(connection: Connection, *, most: int) -> list[tuple[str, str | None]]:
    """Return what somebody has to look at, id and why, the oldest first."""
    query = select(_row.id, _row.unclear).where(_row.closed.is_(None))
    query = query.order_by(_row.received, _row.id).limit(most)
    return [(one, why) for one, why in connection.execute(on_every_server(query))]


def all_withdrawals(connection: Connection, *, secret: str) -> Iterator[Withdrawal]:
    """Yield every declaration, a batch at a time, locked ones too."""
    key = (_row.routing_key, _row.id)
    after: tuple[int, str] | None = None
    while True:
        query = select(withdrawals).order_by(*key).limit(AT_ONCE)
        if after is not None:
            query = query.where(tuple_(*key) > tuple_(*after))
        rows = connection.execute(on_every_server(query)).all()
        yield from (_withdrawal(row, secret) for row in rows)
        if len(rows) < AT_ONCE:
            return
        after = rows[-1].routing_key, rows[-1].id


def lock(connection: Connection, found: Withdrawal, *, until: datetime, now: datetime) -> bool:
    """Show a declaration to nobody any more but the books, until it is erased.

    :returns: whether it was not locked before.
    """
    named = _named(found.routing_key, found.id)
    statement = update(withdrawals).where(*named, _row.locked.is_(None))
    return connection.execute(statement.values(locked=now, ends=until)).rowcount == 1


def erase(connection: Connection, found: Withdrawal) -> bool:
    """Erase a declaration.

    :returns: whether it was there.
    """
    named = _named(found.routing_key, found.id)
    return connection.execute(delete(withdrawals).where(*named)).rowcount == 1


def _withdrawal(row: Row[Any], secret: str) -> Withdrawal:
    try:
        said = read_known(Declaration, orjson.loads(seal_of(row.id, secret).open(row.content)))
    except WrongKey:
        said = None
    return Withdrawal(
        row.routing_key,
        row.id,
        row.order_no,
        row.parts,
        None if row.unclear is None else Unclear(row.unclear),
        said,
        row.lang,
        row.received,
        row.closed,
        row.locked,
        row.ends,
    )


def seal_of(identifier: str, secret: str) -> Seal:
    """Return what seals a declaration, and no other one."""
    return Seal("withdrawal", secret, identifier)


def _named(routing_key: int, identifier: str) -> tuple[ColumnElement[bool], ...]:
    return _row.routing_key == routing_key, _row.id == identifier
