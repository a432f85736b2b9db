"""Use cases around partners, merchants and their API keys."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from jay.auth.models import (
    ApiKey,
    Merchant,
    Partner,
    api_keys,
    hash_secret,
    merchants,
    partner_logos,
    partners,
    signing_keys,
)
from jay.partners.branding import Logo, Palette, palette_of
from jay.sealing import Seal

PREFIX_LENGTH = 11
"""A key's first characters name it in lists and in ``key revoke``: ``jay_`` and seven more."""


def add_partner(
    connection: Connection,
    *,
    name: str,
    now: datetime,
    display_name: str | None = None,
    issuer: str | None = None,
    audience: str | None = None,
    jwks: dict[str, Any] | None = None,
    jwks_url: str | None = None,
    algorithms: Sequence[str] = (),
    transfer_origins: Sequence[str] = (),
    cors_origins: Sequence[str] = (),
    kiosk: bool = False,
    colour: str | None = None,
    logo: Logo | None = None,
) -> int:
    """Register a streaming platform and return its id.

    :param colour: as ``look.read_colour`` returns it.
    """
    row = {
        "name": name,
        "display_name": display_name or name,
        "issuer": issuer,
        "audience": audience,
        "jwks": jwks,
        "jwks_url": jwks_url,
        "algorithms": list(algorithms),
        "transfer_origins": list(transfer_origins),
        "cors_origins": list(cors_origins),
        "kiosk": kiosk,
        "created": now,
    }
    statement = insert(partners).values(row).returning(partners.c.id)
    identifier = int(connection.execute(statement).scalar_one())
    change_look(connection, identifier, {"colour": colour, "logo": logo})
    return identifier


def change_look(connection: Connection, partner: int, changes: Mapping[str, Any]) -> None:
    """Change how a partner looks on pages.

    :param changes: any of ``display_name``, ``colour`` and ``logo`` (a ``Logo``); the last two can
        be taken away with None.
    """
    values = dict(changes)
    if "colour" in values:
        colour = values["colour"]
        values["palette"] = palette_of(colour).stored() if colour else None
    if "logo" in values:
        logo: Logo | None = values["logo"]
        connection.execute(delete(partner_logos).where(partner_logos.c.partner_id == partner))
        if logo is not None:
            connection.execute(insert(partner_logos).values(partner_id=partner, png=logo.png))
        values["logo"] = logo and logo.stored()
    connection.execute(update(partners).where(partners.c.id == partner).values(**values))


def logo_of(connection: Connection, partner: Partner) -> bytes | None:
    """Return a partner's logo, a PNG."""
    query = select(partner_logos.c.png).where(partner_logos.c.partner_id == partner.id)
    return connection.execute(query).scalar()


def add_merchant(
    connection: Connection, *, name: str, lang: str, country: str, currency: str, now: datetime
) -> int:
    """Register a shop and return its id. The locale is the default of its products."""
    row = {"name": name, "lang": lang, "country": country, "currency": currency, "created": now}
    statement = insert(merchants).values(row).returning(merchants.c.id)
    return int(connection.execute(statement).scalar_one())


def partner_id(connection: Connection, name: str) -> int | None:
    """Return the id of the partner with this name."""
    return connection.execute(select(partners.c.id).where(partners.c.name == name)).scalar()


def partner_by_name(connection: Connection, name: str) -> Partner | None:
    """Return the partner with this name."""
    row = connection.execute(select(partners).where(partners.c.name == name)).one_or_none()
    return None if row is None else _partner(row)


def partner_by_id(connection: Connection, identifier: int) -> Partner:
    """Return the partner with this id."""
    return _partner(connection.execute(select(partners).where(partners.c.id == identifier)).one())


def kiosk_partners(connection: Connection) -> list[Partner]:
    """Return the partners whose products may be picked at a kiosk, by name."""
    query = select(partners).where(partners.c.kiosk).order_by(partners.c.display_name)
    return [_partner(row) for row in connection.execute(query)]


def cors_origins(connection: Connection) -> frozenset[str]:
    """Return the origins of all partners' web apps."""
    rows = connection.execute(select(partners.c.cors_origins)).scalars()
    return frozenset(origin for origins in rows for origin in origins)


def merchant_id(connection: Connection, name: str) -> int | None:
    """Return the id of the merchant with this name."""
    return connection.execute(select(merchants.c.id).where(merchants.c.name == name)).scalar()


def merchant_names(connection: Connection, *, most: int, only: int | None = None) -> list[str]:
    """Return names of merchants in their order.

    :param only: the id of the one that may be seen; None: all.
    """
    query = select(merchants.c.name).order_by(merchants.c.name).limit(most)
    if only is not None:
        query = query.where(merchants.c.id == only)
    return list(connection.execute(query).scalars())


def merchant_by_name(connection: Connection, name: str) -> Merchant | None:
    """Return the merchant with this name and its configuration as it is now."""
    row = connection.execute(select(merchants).where(merchants.c.name == name)).one_or_none()
    return None if row is None else _merchant(row)


def merchant_by_id(connection: Connection, merchant: int) -> Merchant:
    """Return a merchant with its configuration as it is now."""
    return _merchant(connection.execute(select(merchants).where(merchants.c.id == merchant)).one())


def keep_webhook_token(
    connection: Connection, merchant: int, token: str | None, *, secret: str
) -> None:
    """Keep the token that webhooks to a merchant carry, sealed; None takes it away.

    :param secret: this service's own, from which the key of the seal is derived.
    """
    sealed = None if token is None else _token_seal(merchant, secret).close(token.encode())
    change = update(merchants).where(merchants.c.id == merchant)
    connection.execute(change.values(webhook_token=sealed))


def has_webhook_token(connection: Connection, merchant: int) -> bool:
    """Tell whether webhooks to a merchant carry a token."""
    query = select(merchants.c.webhook_token.is_not(None)).where(merchants.c.id == merchant)
    return bool(connection.execute(query).scalar_one())


def open_webhook_token(sealed: str, merchant: int, *, secret: str) -> str:
    """Return the token that webhooks to a merchant carry.

    :raises WrongKey: it was sealed with another secret, or for another merchant.
    """
    return _token_seal(merchant, secret).open(sealed).decode()


def _token_seal(merchant: int, secret: str) -> Seal:
    return Seal("webhook token", secret, str(merchant))


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


def _partner(row: Row[Any]) -> Partner:
    return Partner(
        id=row.id,
        name=row.name,
        display_name=row.display_name,
        issuer=row.issuer,
        audience=row.audience,
        jwks=row.jwks,
        jwks_url=row.jwks_url,
        algorithms=tuple(row.algorithms),
        transfer_origins=tuple(row.transfer_origins),
        cors_origins=tuple(row.cors_origins),
        kiosk=row.kiosk,
        colour=row.colour,
        palette=Palette(**row.palette) if row.palette else None,
        logo=row.logo,
    )


def _merchant(row: Row[Any]) -> Merchant:
    return Merchant(
        id=row.id,
        name=row.name,
        lang=row.lang,
        country=row.country,
        currency=row.currency,
        vat=row.vat,
        shipping_strategy=row.shipping_strategy,
        shipping_scale=tuple(row.shipping_scale),
    )
