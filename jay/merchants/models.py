"""Merchants: shops, with what holds for all of their products."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    Integer,
    Table,
    Text,
    text,
)

from jay.db.types import UtcDateTime, metadata

merchants = Table(
    "merchants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    # How people know it; None: by its name.
    Column("display_name", Text),
    Column("lang", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("currency", Text, nullable=False),
    # From when on, where it was another one before.
    Column("currency_since", UtcDateTime),
    # From when on it is known what products cost that were there then: microseconds since 1970
    # UTC. None: of all of them, always.
    Column("prices_since", BigInteger),
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
    # What our webhooks about orders are signed with, the newest first: sealed JSON.
    Column("order_secrets", Text),
    # A feed that is fetched from the merchant, as ``Feed`` has it.
    Column("feed", JSON(none_as_null=True)),
    # Who it is by law, as ``LEGAL_FIELDS`` name it; what was not told is absent.
    Column("legal", JSON(none_as_null=True)),
    Column("withdrawal_days", Integer, nullable=False, server_default=text("14")),
    # Who pays for sending goods back after a withdrawal: one of ``RETURN_COSTS``.
    Column("return_costs", Text, nullable=False, server_default="shopper"),
    # ISO 3166 codes; None: its own country.
    Column("delivery_countries", JSON(none_as_null=True)),
    # What the operator keeps of what is paid to it; None: as agreed with the partner.
    Column("fee_percent", Float(53)),
    # Of the payment provider, where its money goes.
    Column("stripe_account", Text),
    Column("created", UtcDateTime, nullable=False),
    # A row stays for good: ids of products begin with its name, which is never another one's.
    Column("removed", UtcDateTime),
    CheckConstraint("shipping_strategy IN ('SUM', 'MAX')", name="shipping_strategy"),
)


LEGAL_FIELDS = (
    *("name", "street", "house_number", "zip", "city", "country_code", "email"),
    *("phone", "register", "vat_id"),
)
NEEDED_FIELDS = ("name", "street", "zip", "city", "country_code", "email")
"""What has to be told of who sells; a house number may stand in the street."""

LEAST_WITHDRAWAL_DAYS = 14
"""So long a shopper can withdraw at least (Directive 2011/83/EU, 9)."""

RETURN_COSTS = ("merchant", "shopper")

EVERY_MINUTES = 24 * 60
LEAST_MINUTES = 15
MOST_MINUTES = 7 * 24 * 60
"""How often a feed is fetched."""

FEED_FORMATS = (
    *("csv", "jsonl", "awin", "google", "idealo", "magento2", "meta", "shopify", "woocommerce"),
)
"""What a feed may be said to be: those that jay/feeds knows."""


@dataclass(frozen=True)
class Feed:
    """A feed that is fetched from a merchant, and how it is to be read.

    The address may hold a secret. What is None is seen from the content, or the merchant's own.

    :ivar mapping: TOML that says what the columns mean, see jay/feeds/mapping.py.
    """

    url: str = field(repr=False)
    every_minutes: int = EVERY_MINUTES
    format: str | None = None
    encoding: str | None = None
    delimiter: str | None = None
    prices: str | None = None
    mapping: str | None = None
    media_url: str | None = None
    volatile: bool = False
    lang: str | None = None
    country: str | None = None

    def stored(self) -> dict[str, Any]:
        """Return it as the configuration keeps it: what says something."""
        return {name: value for name, value in asdict(self).items() if value not in {None, False}}


@dataclass(frozen=True)
class OrderSecret:
    """What webhooks about orders are signed with.

    :ivar until: so long it counts; None: until there is another one.
    """

    value: str = field(repr=False)
    until: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Tell whether webhooks are signed with it at a moment."""
        return self.until is None or now < self.until


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
    display_name: str | None = None
    removed: bool = False
    legal: Mapping[str, str] = field(default_factory=dict, hash=False)
    withdrawal_days: int = LEAST_WITHDRAWAL_DAYS
    return_costs: str = "shopper"
    delivery_countries: tuple[str, ...] | None = None

    @property
    def shown_name(self) -> str:
        """How people know it."""
        return self.display_name or self.name

    @property
    def delivers_to(self) -> tuple[str, ...]:
        """The countries that it delivers to, as ISO 3166 codes."""
        return self.delivery_countries or (self.country,)

    @property
    def lacks(self) -> list[str]:
        """What of ``NEEDED_FIELDS`` was not told."""
        return [name for name in NEEDED_FIELDS if not self.legal.get(name)]


def delivered_by_all(reached: Iterable[Collection[str]]) -> list[str]:
    """Return the countries that several merchants all deliver to, sorted.

    :param reached: the countries of each; none of none.
    """
    found = [set(countries) for countries in reached]
    return sorted(set.intersection(*found)) if found else []
