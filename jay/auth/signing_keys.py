"""The stored key pairs that sign guest tokens, sealed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from jay.auth.models import signing_keys


def rows(connection: Connection) -> list[Any]:
    """Return all keys, oldest first."""
    return list(connection.execute(select(signing_keys).order_by(signing_keys.c.created)))


def retire(connection: Connection, *, now: datetime) -> None:
    """Let the active key sign no more."""
    connection.execute(
        update(signing_keys).where(signing_keys.c.active).values(retired=now, active=None)
    )


def store(connection: Connection, kid: str, sealed: str, *, now: datetime) -> None:
    """Store a new key as the active one.

    :raises IntegrityError: there is an active one.
    """
    row = {"kid": kid, "private_key": sealed, "created": now, "active": True}
    connection.execute(insert(signing_keys).values(row))


def remove(connection: Connection, kid: str) -> bool:
    """Remove a retired key, with which its tokens end; return whether there was one."""
    found = delete(signing_keys).where(signing_keys.c.kid == kid, signing_keys.c.active.is_(None))
    return connection.execute(found).rowcount == 1
