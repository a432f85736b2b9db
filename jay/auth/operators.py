"""Operators: people who log in to look behind the service. Accounts, passwords and sessions.

A session is a random token in the person's cookie, of which only the hash is stored. So it ends
for good at logout, when its account is removed, and when the password changes.
"""

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from werkzeug.security import check_password_hash, generate_password_hash

from jay.auth.models import hash_secret, merchants
from jay.db import UtcDateTime, insert_into, metadata

LEAST_PASSWORD = 12
MOST_PASSWORD = 1024
SESSION_LIFETIME = timedelta(hours=12)

# 32 MiB and three rounds: what OWASP recommends where Argon2 is not at hand.
_METHOD = "scrypt:32768:8:3"
# Nobody's: checking a password against it takes as long as against a real one, and always fails.
_HASH_OF_NOBODY = f"{_METHOD}${'0' * 16}${'0' * 128}"

operators = Table(
    "operators",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    # None sees everything, else the catalogue of this merchant alone.
    Column("merchant_id", Integer, ForeignKey("merchants.id")),
    Column("created", UtcDateTime, nullable=False),
    Column("password_changed", UtcDateTime, nullable=False),
)

operator_sessions = Table(
    "operator_sessions",
    metadata,
    # A token has 256 random bits, so one round of SHA-256 is enough.
    Column("token_hash", Text, primary_key=True),
    Column("operator_id", Integer, ForeignKey("operators.id", ondelete="CASCADE"), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Index("ix_operator_sessions_operator_id", "operator_id"),
    Index("ix_operator_sessions_created", "created"),
)


class UnusablePassword(ValueError):
    """This can't be a password; the message is a sentence that says why."""


@dataclass(frozen=True)
class Operator:
    """A person with an account. ``merchant_id`` None sees the products of all merchants."""

    id: int
    name: str
    merchant_id: int | None


@dataclass(frozen=True)
class Account:
    """An operator and what its password is checked against."""

    operator: Operator | None
    password_hash: str

    def opens_with(self, password: str) -> bool:
        """Tell whether this is the password. Slow on purpose: not for inside a transaction."""
        typed = _normal(password)
        same = check_password_hash(self.password_hash, typed[:MOST_PASSWORD])
        # HMAC, on which scrypt stands, can't tell a key from one with NULs behind it.
        return same and len(typed) <= MOST_PASSWORD and "\0" not in typed


def hash_password(password: str) -> str:
    """Return what is stored of a password: slow to compute, and different each time.

    :raises UnusablePassword: it is too short, far too long, holds a NUL, or was no UTF-8.
    """
    if re.search("[\ud800-\udfff]", password):
        # Bytes that mean no letter: a browser would never send the same.
        raise UnusablePassword("A password is written in UTF-8.")
    password = _normal(password)
    if len(password) < LEAST_PASSWORD:
        raise UnusablePassword(f"A password has at least {LEAST_PASSWORD} characters.")
    if len(password) > MOST_PASSWORD:
        raise UnusablePassword(f"A password has at most {MOST_PASSWORD} characters.")
    if "\0" in password:
        raise UnusablePassword("A password holds no NUL character.")
    return generate_password_hash(password, _METHOD)


def _normal(password: str) -> str:
    # Keyboards differ in how they write the same letter (NIST SP 800-63B, 3.1.1.2).
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()


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
        )
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Operator(row.id, row.name, row.merchant_id)


def end_session(connection: Connection, token: str) -> None:
    """End a session for good."""
    connection.execute(
        delete(operator_sessions).where(operator_sessions.c.token_hash == hash_secret(token))
    )
