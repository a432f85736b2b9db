"""API keys, and this service's own signing keys."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    false,
)

from jay.db.routing import routing_key
from jay.db.types import UtcDateTime, metadata
from jay.merchants.models import Merchant
from jay.partners.models import Partner

GUEST_TOKEN_LIFETIME = timedelta(days=30)

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
    # From when on it opens nothing; of one that is being replaced that moment is still to come.
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


@dataclass(frozen=True, slots=True)
class User:
    """Who a bearer token speaks for.

    ``basket`` is set for a credential that came out of a transfer: it opens that one basket as
    long as it exists. Everybody else opens the basket of their own user id.
    """

    partner_id: int
    user_id: str
    guest: bool
    basket: str | None
    expires: float
    basket_key: int | None = None
    """The routing key of ``basket``; None in a credential of before there were any."""
    routing_key: int = field(init=False)
    """Where all that belongs to this user id lies."""

    def __post_init__(self) -> None:
        # Told once: a verified token, and its user, are remembered over many requests.
        object.__setattr__(self, "routing_key", routing_key(self.partner_id, self.user_id))

    @property
    def basket_of_partner(self) -> tuple[int, str | None]:
        """Which basket a credential of a transfer opens."""
        return self.partner_id, self.basket


@dataclass(frozen=True)
class ApiKey:
    """An API key's owner: a partner or a merchant, never both."""

    prefix: str
    partner: Partner | None
    merchant: Merchant | None
    demo: bool
    revoked: datetime | None

    def opens(self, now: datetime) -> bool:
        """Tell whether it has not been revoked by now."""
        return self.revoked is None or self.revoked > now
