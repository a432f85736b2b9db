"""Use cases around partners."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from jay.db.prepared import Prepared
from jay.db.types import read_known
from jay.db.upsert import add_named
from jay.partners.branding import Logo, Palette, palette_of
from jay.partners.models import HOME, Partner, partner_logos, partners

_BY_ID = Prepared(select(partners).where(partners.c.id == bindparam("partner")))


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
    country: str = HOME,
    test_payments: bool = False,
    colour: str | None = None,
    logo: Logo | None = None,
    limits: Mapping[str, int] | None = None,
) -> int:
    """Register a streaming platform and return its id.

    :param country: ISO 3166-1; whose offers its kiosk shows.
    :param test_payments: whether all its checkouts are in the payment provider's test mode.
    :param colour: as ``look.read_colour`` returns it.
    :param limits: requests a minute instead of what everybody may do, by ``rates.OF_PARTNERS``.
    """
    values = {
        "display_name": display_name or name,
        "issuer": issuer,
        "audience": audience,
        "jwks": jwks,
        "jwks_url": jwks_url,
        "algorithms": list(algorithms),
        "transfer_origins": list(transfer_origins),
        "cors_origins": list(cors_origins),
        "kiosk": kiosk,
        "country": country,
        "test_payments": test_payments,
        "limits": dict(limits) if limits else None,
        "created": now,
        "removed": None,
    }
    identifier = add_named(connection, partners, name, values)
    change_partner(connection, identifier, {"colour": colour, "logo": logo})
    return identifier


def change_partner(connection: Connection, partner: int, changes: Mapping[str, Any]) -> None:
    """Change what ``add_partner`` takes, except for the name; what is absent stays.

    :param changes: ``logo`` is a ``Logo``; None takes away what may be absent.
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


def partner_id(connection: Connection, name: str) -> int | None:
    """Return the id of the partner with this name."""
    query = select(partners.c.id).where(partners.c.name == name, partners.c.removed.is_(None))
    return connection.execute(query).scalar()


def removed_partner_id(connection: Connection, name: str) -> int | None:
    """Return the id of a partner that had this name and was removed."""
    query = select(partners.c.id).where(partners.c.name == name, partners.c.removed.is_not(None))
    return connection.execute(query).scalar()


def remove_partner(connection: Connection, partner: int, *, now: datetime) -> None:
    """Let a partner be one no more: nothing of its set-up is left but its name."""
    change_partner(
        connection,
        partner,
        {
            **dict.fromkeys(("issuer", "audience", "jwks", "jwks_url", "colour", "logo", "limits")),
            **{name: [] for name in ("algorithms", "transfer_origins", "cors_origins")},
            "kiosk": False,
            "test_payments": False,
            "fee_percent": 0,
            "removed": now,
        },
    )


def partner_by_name(connection: Connection, name: str) -> Partner | None:
    """Return the partner with this name."""
    query = select(partners).where(partners.c.name == name, partners.c.removed.is_(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else _partner(row)


def partner_by_id(connection: Connection, identifier: int) -> Partner:
    """Return the partner with this id, a removed one, too."""
    return _partner(_BY_ID.one(connection, {"partner": identifier}))


def all_partners(connection: Connection) -> list[Partner]:
    """Return all partners, by name."""
    query = select(partners).where(partners.c.removed.is_(None)).order_by(partners.c.name)
    return [_partner(row) for row in connection.execute(query)]


def kiosk_partners(connection: Connection) -> list[Partner]:
    """Return the partners whose products may be picked at a kiosk, by name."""
    there = (partners.c.kiosk, partners.c.removed.is_(None))
    query = select(partners).where(*there).order_by(partners.c.display_name)
    return [_partner(row) for row in connection.execute(query)]


def cors_origins(connection: Connection) -> frozenset[str]:
    """Return the origins of all partners' web apps."""
    query = select(partners.c.cors_origins).where(partners.c.removed.is_(None))
    rows = connection.execute(query).scalars()
    return frozenset(origin for origins in rows for origin in origins)


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
        country=row.country,
        test_payments=row.test_payments,
        fee_percent=row.fee_percent,
        colour=row.colour,
        palette=read_known(Palette, row.palette) if row.palette else None,
        logo=row.logo,
        limits=row.limits or {},
        created=row.created,
        removed=row.removed,
    )
