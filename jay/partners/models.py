"""Partners: streaming platforms, with what their tokens are checked against."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
)

from jay.db.types import UtcDateTime, metadata
from jay.net.addresses import frame_source_of, origin_of
from jay.partners.branding import Palette

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""What a partner's identity provider may sign with: asymmetric algorithms only (RFC 8725)."""

HOME = "DE"
"""The country of a partner that names none."""

partners = Table(
    "partners",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("issuer", Text),
    Column("audience", Text),
    # The public keys as a JWK set (RFC 7517), or the URL of one.
    Column("jwks", JSON(none_as_null=True)),
    Column("jwks_url", Text),
    Column("algorithms", JSON, nullable=False),
    Column("transfer_origins", JSON, nullable=False),
    Column("cors_origins", JSON, nullable=False),
    Column("kiosk", Boolean, nullable=False, server_default=false()),
    # Whose offers its kiosk shows, ISO 3166-1: the language of a page picks texts only.
    Column("country", Text, nullable=False, server_default=HOME),
    # Whether nothing that is bought by its users is paid with real money.
    Column("test_payments", Boolean, nullable=False, server_default=false()),
    # What the operator keeps of what its users pay, where nothing is agreed with the merchant.
    Column("fee_percent", Float(53), nullable=False, server_default="0"),
    # The colour as given, what pages use of it, and which logo there is: see jay/auth/look.py.
    Column("colour", Text),
    Column("palette", JSON(none_as_null=True)),
    Column("logo", JSON(none_as_null=True)),
    # Requests a minute instead of what everybody may do, by the name of the limit.
    Column("limits", JSON(none_as_null=True)),
    Column("created", UtcDateTime, nullable=False),
    # A row stays for good, so that its id and its name, which events and old tokens bear, are
    # never another one's. Who registers the name again has it back, empty.
    Column("removed", UtcDateTime),
)

# Apart from the partners, which are read on every request.
partner_logos = Table(
    "partner_logos",
    metadata,
    Column("partner_id", Integer, ForeignKey("partners.id"), primary_key=True),
    Column("png", LargeBinary, nullable=False),
)


@dataclass(frozen=True)
class Partner:
    """A streaming platform, as its API key names it."""

    id: int
    name: str
    display_name: str
    issuer: str | None
    audience: str | None
    jwks: dict[str, Any] | None
    jwks_url: str | None
    algorithms: tuple[str, ...]
    transfer_origins: tuple[str, ...]
    kiosk: bool
    cors_origins: tuple[str, ...] = ()
    country: str = HOME
    test_payments: bool = False
    fee_percent: float = 0
    colour: str | None = None
    palette: Palette | None = None
    logo: dict[str, Any] | None = None
    limits: Mapping[str, int] = field(default_factory=dict)
    created: datetime | None = None
    removed: datetime | None = None

    @cached_property
    def trust(self) -> str:
        """What its tokens are checked against, in short: with it, each verified token ends."""
        told = (self.name, self.issuer, self.audience, self.jwks, self.jwks_url, self.algorithms)
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    @property
    def frame_sources(self) -> tuple[str, ...]:
        """Who may show this partner's TV pages in a frame: its apps, as a policy names them."""
        return tuple(dict.fromkeys(frame_source_of(origin) for origin in self.cors_origins))

    def may_transfer_to(self, url: str) -> bool:
        """Tell whether a web shop URL is http(s) and on an origin that the partner registered."""
        return origin_of(url) in self.transfer_origins
