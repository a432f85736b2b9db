"""Use cases around API keys."""

import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

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


def revoke_key(
    connection: Connection, prefix: str, *, now: datetime, at: datetime | None = None
) -> bool:
    """Revoke the API key with this prefix; False when there is none that is still valid.

    :param at: from when on; None means now. The last word counts, as long as it is valid.
    """
    revoke = update(api_keys).where(api_keys.c.prefix == prefix, _in_force(now))
    return connection.execute(revoke.values(revoked=at or now)).rowcount == 1


def replace_key(
    connection: Connection, prefix: str, *, now: datetime, until: datetime
) -> str | None:
    """Make a key that takes the place of another one, which is accepted until a moment.

    :returns: the new key; None when there is no valid one with this prefix that nothing ends yet.
    """
    old = (api_keys.c.prefix == prefix, api_keys.c.revoked.is_(None))
    owner = connection.execute(
        update(api_keys)
        .where(*old)
        .values(revoked=until)
        .returning(api_keys.c.partner_id, api_keys.c.merchant_id)
    ).one_or_none()
    if owner is None:
        return None
    return issue_key(connection, now=now, partner=owner.partner_id, merchant=owner.merchant_id)


def revoke_keys_of(
    connection: Connection,
    *,
    now: datetime,
    partner: int | None = None,
    merchant: int | None = None,
) -> int:
    """Revoke all API keys of a partner or a merchant; return how many were valid."""
    owner = (
        api_keys.c.partner_id == partner
        if partner is not None
        else api_keys.c.merchant_id == merchant
    )
    revoke = update(api_keys).where(owner, _in_force(now)).values(revoked=now)
    return connection.execute(revoke).rowcount


def _in_force(now: datetime) -> ColumnElement[bool]:
    return or_(api_keys.c.revoked.is_(None), api_keys.c.revoked > now)


def list_keys(
    connection: Connection, *, partner: str | None = None, merchant: str | None = None
) -> Sequence[Any]:
    """Return prefix, owner, created and revoked of every key, oldest first.

    :param partner: the name of the only one whose keys are listed; ``merchant`` likewise.
    """
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
    if partner is not None:
        query = query.where(partners.c.name == partner)
    if merchant is not None:
        query = query.where(merchants.c.name == merchant)
    return connection.execute(query).all()


def list_guest_keys(connection: Connection) -> Sequence[Any]:
    """Return id, created and retired of each key pair for guest tokens, oldest first."""
    query = select(signing_keys.c.kid, signing_keys.c.created, signing_keys.c.retired)
    return connection.execute(query.order_by(signing_keys.c.created)).all()


def demo_keys_in_force(connection: Connection, *, now: datetime) -> list[str]:
    """Return the prefixes of demo keys that still open the service."""
    query = select(api_keys.c.prefix).where(api_keys.c.demo, _in_force(now))
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
