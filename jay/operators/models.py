"""Operators and their passwords."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
)
from werkzeug.security import check_password_hash, generate_password_hash

from jay.db.types import UtcDateTime, metadata

LEAST_PASSWORD = 12
MOST_PASSWORD = 1024
SESSION_LIFETIME = timedelta(hours=12)
CLOCKS_DIFFER = timedelta(seconds=5)
"""Of the machines that serve the pages."""

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
