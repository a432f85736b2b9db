"""Use cases around API keys."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from jay.auth.models import ApiKey, api_keys, signing_keys
from jay.merchants.models import merchants
from jay.merchants.service import merchant_by_id
from jay.partners.models import partners
from jay.partners.service import partner_by_id
from jay.sealing import hash_secret

PREFIX_LENGTH = 11
"""A key's first characters name it in lists and in ``key revoke``: ``jay_`` and seven more."""


def issue_key(
    connection: Connection,
    *,
    now: datetime,
    partner: int | None = None,
    merchant: int | None = None,
) -> str:
    """Make an API key for a partner or a merchant; only its hash is kept.

    :returns: the key, which can't be read again.
    """
    key = "jay_" + secrets.token_urlsafe(32)
    store_key(connection, key, key[:PREFIX_LENGTH], partner=partner, merchant=merchant, now=now)
    return key


def store_key(
    connection: Connection,
    key: str,
    prefix: str,
    *,
    now: datetime,
    partner: int | None = None,
    merchant: int | None = None,
    demo: bool = False,
) -> None:
    """Store the hash of an API key."""
    connection.execute(
        insert(api_keys).values(
            prefix=prefix,
            key_hash=hash_secret(key),
            partner_id=partner,
            merchant_id=merchant,
            demo=demo,
            created=now,
        )
    )


def revoke_key(connection: Connection, prefix: str, *, now: datetime) -> bool:
    """Revoke the API key with this prefix; False when there is none that is still valid."""
    result = connection.execute(
        update(api_keys)
        .where(api_keys.c.prefix == prefix, api_keys.c.revoked.is_(None))
        .values(revoked=now)
    )
    return result.rowcount == 1


def list_keys(connection: Connection) -> Sequence[Any]:
    """Return prefix, kind, owner, created and revoked of every key, oldest first."""
    query = (
        select(
            api_keys.c.prefix,
            partners.c.name.label("partner"),
            merchants.c.name.label("merchant"),
            api_keys.c.created,
            api_keys.c.revoked,
        )
        .outerjoin(partners, partners.c.id == api_keys.c.partner_id)
        .outerjoin(merchants, merchants.c.id == api_keys.c.merchant_id)
        .order_by(api_keys.c.created, api_keys.c.prefix)
    )
    return connection.execute(query).all()


def list_guest_keys(connection: Connection) -> Sequence[Any]:
    """Return id, created and retired of each key pair for guest tokens, oldest first."""
    query = select(signing_keys.c.kid, signing_keys.c.created, signing_keys.c.retired)
    return connection.execute(query.order_by(signing_keys.c.created)).all()


def demo_keys_in_force(connection: Connection) -> list[str]:
    """Return the prefixes of demo keys that still open the service."""
    query = select(api_keys.c.prefix).where(api_keys.c.demo, api_keys.c.revoked.is_(None))
    return list(connection.execute(query).scalars())


def find_key(connection: Connection, key_hash: str) -> ApiKey | None:
    """Return the API key with this hash and its owner."""
    key = connection.execute(select(api_keys).where(api_keys.c.key_hash == key_hash)).one_or_none()
    if key is None:
        return None
    partner = merchant = None
    if key.partner_id is not None:
        partner = partner_by_id(connection, key.partner_id)
    else:
        merchant = merchant_by_id(connection, key.merchant_id)
    return ApiKey(key.prefix, partner, merchant, key.demo, key.revoked)
