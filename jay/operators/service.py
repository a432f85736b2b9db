"""Use cases around operators and their sessions."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    delete,
    insert,
    select,
    update,
)

from jay.db.upsert import insert_into
from jay.merchants.models import merchants
from jay.operators.models import (
    _HASH_OF_NOBODY,
    CLOCKS_DIFFER,
    SESSION_LIFETIME,
    Account,
    Operator,
    operator_sessions,
    operators,
)
from jay.sealing import hash_secret


def add(
    connection: Connection, name: str, password_hash: str, *, merchant: int | None, now: datetime
) -> bool:
    """Make an account; False when there already is one with this name.

    :param merchant: the id of the only merchant whose products it sees; None: it sees all.
    """
    statement = (
        insert_into(connection, operators)
        .values(
            name=name,
            password_hash=password_hash,
            merchant_id=merchant,
            created=now,
            password_changed=now,
        )
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(operators.c.id)
    )
    return connection.execute(statement).first() is not None


def exists(connection: Connection, name: str) -> bool:
    """Tell whether there is an account with this name."""
    query = select(operators.c.id).where(operators.c.name == name)
    return connection.execute(query).first() is not None


def list_all(connection: Connection) -> Sequence[Any]:
    """Return name, merchant, created and password_changed of all accounts, by name."""
    query = select(
        operators.c.name,
        merchants.c.name.label("merchant"),
        operators.c.created,
        operators.c.password_changed,
    ).outerjoin(merchants, merchants.c.id == operators.c.merchant_id)
    return connection.execute(query.order_by(operators.c.name)).all()


def remove(connection: Connection, name: str) -> bool:
    """Remove an account and end its sessions; False when there is none."""
    return connection.execute(delete(operators).where(operators.c.name == name)).rowcount == 1


def change_password(
    connection: Connection, name: str, password_hash: str, *, now: datetime
) -> bool:
    """Give an account another password and end its sessions; False when there is none."""
    statement = (
        update(operators)
        .where(operators.c.name == name)
        .values(password_hash=password_hash, password_changed=now)
        .returning(operators.c.id)
    )
    found = connection.execute(statement).scalar()
    if found is None:
        return False
    connection.execute(delete(operator_sessions).where(operator_sessions.c.operator_id == found))
    return True


def account(connection: Connection, name: str) -> Account:
    """Return the account of a name; for an unknown name nobody's, which no password opens."""
    query = select(operators).where(operators.c.name == name)
    row = connection.execute(query).one_or_none()
    if row is None:
        return Account(None, _HASH_OF_NOBODY)
    return Account(Operator(row.id, row.name, row.merchant_id), row.password_hash)


def begin_session(connection: Connection, opened: Account, *, now: datetime) -> str | None:
    """Begin a session and return its token; None when the password was changed a moment ago."""
    if opened.operator is None:
        return None
    # Locked, so that a new password either comes first and refuses this, or ends this session.
    unchanged = (
        select(operators.c.id)
        .where(
            operators.c.id == opened.operator.id,
            operators.c.password_hash == opened.password_hash,
        )
        .with_for_update()
    )
    if connection.execute(unchanged).first() is None:
        return None
    token = secrets.token_urlsafe(32)
    connection.execute(
        insert(operator_sessions).values(
            token_hash=hash_secret(token), operator_id=opened.operator.id, created=now
        )
    )
    return token


def of_session(connection: Connection, token: str, *, now: datetime) -> Operator | None:
    """Return whose session this is; None when it has ended."""
    query = (
        select(operators.c.id, operators.c.name, operators.c.merchant_id)
        .join(operator_sessions, operator_sessions.c.operator_id == operators.c.id)
        .where(
            operator_sessions.c.token_hash == hash_secret(token),
            operator_sessions.c.created > now - SESSION_LIFETIME,
            # One that began while a clock was ahead would last longer than any other.
            operator_sessions.c.created <= now + CLOCKS_DIFFER,
        )
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Operator(row.id, row.name, row.merchant_id)


def end_session(connection: Connection, token: str) -> None:
    """End a session for good."""
    connection.execute(
        delete(operator_sessions).where(operator_sessions.c.token_hash == hash_secret(token))
    )
