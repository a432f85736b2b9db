"""Partners, merchants, their API keys and this service's own signing keys."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    Table,
    Text,
    false,
    text,
)

from jay.db import UtcDateTime, metadata
from jay.partners.branding import Palette

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""What a partner's identity provider may sign with: asymmetric algorithms only (RFC 8725)."""

NAME_PATTERN = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
"""Names of partners and merchants appear in addresses and product ids."""

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
    # The colour as given, what pages use of it, and which logo there is: see jay/auth/look.py.
    Column("colour", Text),
    Column("palette", JSON(none_as_null=True)),
    Column("logo", JSON(none_as_null=True)),
    Column("created", UtcDateTime, nullable=False),
)

# Apart from the partners, which are read on every request.
partner_logos = Table(
    "partner_logos",
    metadata,
    Column("partner_id", Integer, ForeignKey("partners.id"), primary_key=True),
    Column("png", LargeBinary, nullable=False),
)

merchants = Table(
    "merchants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("lang", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("vat", Float(53)),
    # How the shipping costs of one order combine, see jay/products/shipping.py.
    Column("shipping_strategy", Text, nullable=False, server_default="MAX"),
    Column("shipping_scale", JSON, nullable=False, server_default=text("'[]'")),
    Column("add_product_webhook_url", Text),
    Column("update_products_webhook_url", Text),
    Column("order_webhook_url", Text),
    Column("order_email", Text),
    # The merchant's own token, which our webhooks to it carry: sealed, as it must be sent.
    Column("webhook_token", Text),
    Column("created", UtcDateTime, nullable=False),
    CheckConstraint("shipping_strategy IN ('SUM', 'MAX')", name="shipping_strategy"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("prefix", Text, primary_key=True),
    # A key has 256 random bits, so one round of SHA-256 is enough: nothing can be guessed.
    Column("key_hash", Text, nullable=False, unique=True),
    Column("partner_id", Integer, ForeignKey("partners.id")),
    Column("merchant_id", Integer, ForeignKey("merchants.id")),
    Column("demo", Boolean, nullable=False, server_default=false()),
    Column("created", UtcDateTime, nullable=False),
    Column("revoked", UtcDateTime),
    CheckConstraint("(partner_id IS NULL) <> (merchant_id IS NULL)", name="one_owner"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    # The private JWK as a JWE (RFC 7516) under a key derived from JAY_SECRET_KEY.
    Column("private_key", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    # A retired key still verifies the tokens that it has signed, but signs no more.
    Column("retired", UtcDateTime),
    # True for the one key that signs, else NULL: of two first starts at once, one makes the key.
    Column("active", Boolean, unique=True),
    CheckConstraint("active", name="active"),
)


def hash_secret(secret: str) -> str:
    """Return what is stored of a key or token: its SHA-256, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


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
    colour: str | None = None
    palette: Palette | None = None
    logo: dict[str, Any] | None = None

    def may_transfer_to(self, url: str) -> bool:
        """Tell whether a web shop URL is http(s) and on an origin that the partner registered."""
        return origin_of(url) in self.transfer_origins


@dataclass(frozen=True)
class Merchant:
    """A shop, as its API key names it. ``vat`` in percent, for products without one."""

    id: int
    name: str
    lang: str
    country: str
    currency: str
    vat: float | None
    shipping_strategy: str
    shipping_scale: tuple[dict[str, int], ...]


@dataclass(frozen=True)
class ApiKey:
    """An API key's owner: a partner or a merchant, never both."""

    prefix: str
    partner: Partner | None
    merchant: Merchant | None
    demo: bool
    revoked: datetime | None


def origin_of(url: str) -> str | None:
    """Return ``scheme://host[:port]`` of an http(s) URL in its normal form (RFC 6454).

    None for anything else, for URLs with a user name, and for those that a browser would read
    differently than this function does (white space, control characters, backslashes).
    """
    if re.search(r"[\s\\\x00-\x1f\x7f]", url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + ("" if port in {None, default} else f":{port}")
