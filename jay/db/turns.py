"""Turns of those who write to what is on every server (Citus), one after the other.

There a statement that changes a row holds its whole table, and those that this one refers to, in an
order of the engine's: products, their merchants and what is reserved of them, each statement from
another end. Two that have nothing to do with each other would wait for each other until one is
given up. They have to wait anyway, so they do it before they hold anything.
"""

from sqlalchemy import Connection, text

from jay.db.prepared import execute

_KNOWN = "on_every_server"
_LOCK = "SELECT count(*), pg_advisory_xact_lock(1784772984) FROM readiness"
"""A lock of ours alone, asked for of a small table that is on every server, so that the engine
numbers the transaction before it waits: all without a number are one to it, and who waits between
two of them would be given up after two seconds, as if there were a deadlock."""
_FOLLOW = "SELECT pg_advisory_xact_lock(%(number)s)"


def take(connection: Connection) -> None:
    """Wait for the turn to write to what is on every server; it ends with the transaction.

    On one server nobody waits: a row is locked there, and no table. A connection learns once
    where it leads to; those that are open while tables are distributed learn it with the next one.
    Comes after what is a shopper's own, and before everything of the catalogue, its pictures and
    imports, and the outbox.

    :raises sqlalchemy.exc.OperationalError: it took too long.
    """
    if is_distributed(connection):
        execute(connection, _LOCK)


def follow(connection: Connection, hashed: str) -> None:
    """Wait for who has made what bears a name, or be the one that others wait for.

    A transaction of several servers ends on one after the other: whoever waited for its row on the
    first may not find yet what it has made on the second. This ends when it has ended on all.

    :param hashed: the hash of the name, in hexadecimal digits.
    """
    if is_distributed(connection):
        number = int.from_bytes(bytes.fromhex(hashed)[:8], signed=True)
        execute(connection, _FOLLOW, {"number": number})


def is_distributed(connection: Connection) -> bool:
    """Tell whether the tables lie on several servers, as far as the connection has learnt it."""
    if connection.dialect.name != "postgresql":
        return False
    known = connection.info.get(_KNOWN)
    if known is None:
        query = text("SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')")
        known = connection.info[_KNOWN] = bool(connection.scalar(query))
    return bool(known)
