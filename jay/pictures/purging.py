"""Which pictures nobody needs any more: those that no product names, a grace time later.

What baskets show are pictures of products, so these stay as long as the baskets show them. What
orders show stays as long as orders do, which nothing deletes.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, exists, select, update

from jay.db import turns
from jay.pictures.models import picture_sources, picture_uses, pictures

KEPT_FOR = timedelta(days=30)
"""How long what is no longer named is kept: products come back, and pages stand open."""

LEFT_OVER_AFTER = timedelta(days=1)
"""How old a file without a row is when it belongs to nothing that is being stored."""

SHELVES = "0123456789abcdef"
"""The first letters of pictures' names: a transaction is about one of them."""

_source = picture_sources.c
_NAMED = exists().where(picture_uses.c.key == _source.key)
_FETCHED = exists().where(_source.digest == pictures.c.digest)


def mark_unused(connection: Connection, shelf: str, *, now: datetime) -> int:
    """Note since when the pictures of a shelf are used by nothing; return how many are new."""
    marked = (
        update(pictures)
        .where(
            pictures.c.digest >= shelf,
            pictures.c.digest < chr(ord(shelf) + 1),
            pictures.c.unused.is_(None),
            ~_FETCHED,
        )
        .values(unused=now)
    )
    turns.take(connection)
    return connection.execute(marked).rowcount


def unused_sources(now: datetime) -> ColumnElement[bool]:
    """Return the condition that no product has named an address for the grace time."""
    return and_(_source.unused <= now - KEPT_FOR, ~_NAMED)


def unused_pictures(now: datetime) -> ColumnElement[bool]:
    """Return the condition that nothing has used a picture for the grace time."""
    return and_(pictures.c.unused <= now - KEPT_FOR, pictures.c.ordered.is_(None), ~_FETCHED)


def known(connection: Connection, digests: Iterable[str]) -> set[str]:
    """Return those of the pictures of which there is a row."""
    query = select(pictures.c.digest).where(pictures.c.digest.in_(sorted(set(digests))))
    return set(connection.execute(query).scalars())
