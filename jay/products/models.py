"""The catalogue: products, their variants, and what may be bought."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    FromClause,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from jay.db.types import UtcDateTime, metadata
from jay.errors import NotShoppable, OrderLimit, OutOfStock
from jay.products.shipping import ShippingModel

MAX_VARIANTS = 50
"""How many variants a product may have."""

VOLATILE = ("stock_count", "price", "org_price", "currency", "vat", "shipping")
"""The fields that ``PATCH /v1/shops/products`` changes."""

SALE = ("sale_price", "sale_from", "sale_until")
"""A sale for a time: these are written whenever the price is."""

AS_OF = {
    "stock_count": "stock_as_of",
    "price": "price_as_of",
    "org_price": "org_price_as_of",
    "currency": "currency_as_of",
    "vat": "vat_as_of",
    "shipping": "shipping_as_of",
    "description": "described_as_of",
}
"""The column that tells when a field was observed."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far a merchant's clock may be ahead of ours."""

# SQLite's integers have as many bytes as their values need.
AMOUNT = BigInteger().with_variant(Integer(), "sqlite")

# Main products and variants share one table: the feed addresses both by SKU, baskets by id.
products = Table(
    "products",
    metadata,
    Column("id", Text, primary_key=True),
    Column("merchant_id", Integer, ForeignKey("merchants.id"), nullable=False),
    Column("sku", Text, nullable=False),
    Column("lang", Text, nullable=False),
    Column("country", Text, nullable=False),
    # None for a main product.
    Column("main_id", Text, ForeignKey("products.id", ondelete="CASCADE")),
    Column("position", Integer, nullable=False, server_default=text("0")),
    Column("variant_type", Text),
    Column("variant_value", Text),
    # Volatile fields. What a variant does not set, it takes from its main product; stock_set
    # tells "without limit" (true and None) from "not set" (false).
    Column("stock_count", Integer),
    Column("stock_set", Boolean, nullable=False, server_default=false()),
    # How many of them are reserved, or were sold since they were counted: see stock.py.
    Column("taken", Integer, nullable=False, server_default=text("0")),
    Column("price", AMOUNT),
    Column("org_price", AMOUNT),
    # What it costs instead of its price from one moment to another, each in microseconds since
    # 1970 in UTC, None without end. It comes and goes with the price.
    Column("sale_price", AMOUNT),
    Column("sale_from", BigInteger),
    Column("sale_until", BigInteger),
    # From when on it costs that, by our clock; what it cost before is in prices.py.
    Column("priced_since", BigInteger),
    Column("currency", Text),
    Column("vat", Float(53)),
    Column("shipping", JSON(none_as_null=True)),
    # Descriptive fields, of main products only; named as on the wire.
    Column("name", Text),
    Column("not_shoppable", Boolean, nullable=False, server_default=false()),
    Column("description", JSON(none_as_null=True)),
    # Whether ``org_price`` is a recommended price, as the description says.
    Column("rrp", Boolean),
    # Pictures that the merchant has sent itself: position and address. Descriptions leave them.
    Column("own_images", JSON(none_as_null=True)),
    # What a main product is found and sorted by, see jay/products/search.py; None for a variant.
    Column("search", Text),
    # A variant that its merchant no longer lists: kept, so that its id is never given away again.
    Column("removed", Boolean, nullable=False, server_default=false()),
    # When each volatile field, and the description, were observed by the merchant: microseconds
    # since 1970 in UTC; None where it was never said. Older news than these are not written.
    *(Column(name, BigInteger) for name in AS_OF.values()),
    Column("created", UtcDateTime, nullable=False),
    Column("updated", UtcDateTime, nullable=False),
    UniqueConstraint("merchant_id", "lang", "country", "sku"),
    # Of variants alone: SQLite would take it to look for main products, which nearly all rows are.
    Index(
        "ix_products_main_id",
        *("main_id", "position"),
        sqlite_where=text("main_id IS NOT NULL"),
        postgresql_where=text("main_id IS NOT NULL"),
    ),
    # A merchant's list of SKUs, see jay/products/listing.py.
    Index(
        "ix_products_skus",
        *("merchant_id", "lang", "country", "sku"),
        sqlite_where=text("main_id IS NULL AND removed = 0"),
        postgresql_where=text("main_id IS NULL AND NOT removed"),
    ),
    # The kiosk's wall.
    Index(
        "ix_products_wall",
        *("lang", "country", "created", "id"),
        sqlite_where=text("main_id IS NULL"),
        postgresql_where=text("main_id IS NULL"),
    ),
    # The catalogue's pages: sorted, and with all that most of its filters ask for, so that even
    # a search in vain is one pass over this index.
    Index(
        "ix_products_catalogue",
        *("search", "id", "merchant_id", "lang", "country", "not_shoppable"),
        sqlite_where=text("search IS NOT NULL"),
        postgresql_where=text("search IS NOT NULL"),
    ),
)

stock_reservations = Table(
    "stock_reservations",
    metadata,
    # The product whose stock it is: for a variant without a stock of its own, its main product.
    Column("product_id", Text, ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    # What it is reserved for: a checkout.
    Column("reference", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    # When it runs out by itself.
    Column("expires", UtcDateTime, nullable=False),
    # Microseconds since 1970 in UTC; None while it is only reserved.
    Column("sold_at", BigInteger),
    Index("ix_stock_reservations_reference", "reference"),
    Index(
        "ix_stock_reservations_expires",
        "expires",
        sqlite_where=text("sold_at IS NULL"),
        postgresql_where=text("sold_at IS NULL"),
    ),
)


def available(table: FromClause) -> ColumnElement[int | None]:
    """Return how many pieces of a product can be bought now; NULL is without limit."""
    return table.c.stock_count - table.c.taken


def product_id(merchant: str, lang: str, country: str, sku: str) -> str:
    """Build the id that clients treat as opaque, for example ``demo-shop/de-DE/MUG-1``."""
    return f"{merchant}/{lang}-{country}/{sku}"


def normal_sku(text: str) -> str:
    """Write a SKU as it is compared: without blanks of any kind at its ends, composed (NFC).

    Spreadsheets and exports add blanks that nobody sees, and two ways to write an umlaut.
    """
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFC", text.strip(_BLANKS))


_BLANKS = "".join(c for c in map(chr, range(0x10000)) if c.isspace()) + (
    "\u180e\u200b\u200c\u200d\u2060\ufeff"
)
"""White space, and what has no width at all."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """Write a moment as the ``AS_OF`` columns have it: microseconds since 1970 in UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def is_news(known: int | None, as_of: int | None) -> bool:
    """Tell whether what was observed then takes the place of what is there.

    :param known: what the ``AS_OF`` column says; None: nothing was observed so far.
    :param as_of: None: it counts whatever is there.
    """
    return as_of is None or known is None or as_of >= known


def moment_of(as_of: int) -> datetime:
    """Return the moment that ``microseconds`` has written.

    Some of the years 1 and 9999 elsewhere lie beyond what can be written in UTC: they are its ends.
    """
    try:
        return _EPOCH + timedelta(microseconds=as_of)
    except OverflowError:
        early = as_of < 0
        return datetime.min.replace(tzinfo=UTC) if early else datetime.max.replace(tzinfo=UTC)


class NotYetObserved(ValueError):
    """News is said to have been observed further ahead than clocks differ."""


def observed(as_of: datetime, *, now: datetime) -> int:
    """Return when news was observed, as ``microseconds``; a little in the future means now.

    :raises NotYetObserved: it is further ahead than clocks differ.
    """
    if as_of > now + CLOCKS_DIFFER:
        raise NotYetObserved
    return microseconds(min(as_of, now))


def brand_name(description: Mapping[str, Any]) -> str:
    """Return the brand's name, in whichever of its two forms the merchant has sent it."""
    brand = description.get("brand") or ""
    return brand["name"] if isinstance(brand, dict) else brand


class Product(NamedTuple):
    """A main product or variant as it is sold now, with what it takes from its main product.

    ``price`` and ``org_price`` in minor units of ``currency``, tax included; ``vat`` in percent;
    ``stock_count`` is what is available, what others have reserved left out; None means without
    limit. ``stock_id`` is the product whose stock it is, as a variant may have none of its own.
    """

    id: str
    sku: str
    merchant_id: int
    merchant: str
    lang: str
    country: str
    main_id: str | None
    name: str
    variant_type: str | None
    variant_value: str | None
    stock_count: int | None
    stock_id: str
    price: int | None
    org_price: int | None
    currency: str
    vat: float
    shipping: ShippingModel
    not_shoppable: bool
    description: Mapping[str, Any]
    seller: str = ""
    """How people know the merchant."""
    rrp: bool = False
    """Whether ``org_price`` is a recommended price, and no price of the merchant's own."""
    lowest_price: int | None = None
    """The lowest price of the 30 days before it was reduced; None: it isn't, or nobody knows."""

    @property
    def struck_price(self) -> int | None:
        """What it is cheaper than before, as may be told: only with history (PAngV 11)."""
        if self.price is None or self.lowest_price is None or self.lowest_price <= self.price:
            return None
        return self.lowest_price

    @property
    def recommended_price(self) -> int | None:
        """The recommended price, where it is higher: to be named so, and not as a reduction."""
        if not self.rrp or self.price is None or self.org_price is None:
            return None
        return self.org_price if self.org_price > self.price else None

    @property
    def out_of_stock(self) -> bool:
        """Whether the merchant has none at the moment."""
        return self.stock_count is not None and self.stock_count <= 0

    @property
    def buyable(self) -> bool:
        """Whether it can be put into a cart at the moment."""
        return not self.not_shoppable and self.price is not None and not self.out_of_stock

    @property
    def image_url(self) -> str | None:
        """The first picture's address."""
        images = self.description.get("images") or ()
        return images[0]["url"] if images else None

    @property
    def brand_name(self) -> str:
        """The brand's name."""
        return brand_name(self.description)

    def check_orderable(self, count: int) -> None:
        """Check that ``count`` pieces may be put into a cart.

        :raises NotShoppable: it is for looking at only, or has no price yet.
        :raises OutOfStock: there is none at the moment.
        :raises OrderLimit: the merchant accepts fewer per order.
        """
        if self.not_shoppable or self.price is None:
            raise NotShoppable
        if self.out_of_stock:
            raise OutOfStock
        limit = self.shipping.order_limit
        if limit and count > limit:
            raise OrderLimit(limit)


class Variant(NamedTuple):
    """What sets a variant apart from its main product; the numbers as in ``Product``."""

    main_id: str
    id: str
    variant_type: str | None
    variant_value: str | None
    price: int | None
    org_price: int | None
    stock_count: int | None
    lowest_price: int | None = None


class StoredProduct(NamedTuple):
    """A product that was stored: its id, and the SKU and id of each of its variants."""

    id: str
    variants: Sequence[tuple[str, str]]


class Updated(NamedTuple):
    """What has become of an update of stock and prices.

    :ivar updated: known products, without those of which every given field was stale.
    :ivar stale: fields that were skipped, as newer news of them is stored.
    """

    updated: int
    unknown_skus: Sequence[str]
    stale: int


class SkuBlock(NamedTuple):
    """The SKUs of one language and country, in their order."""

    lang: str
    country: str
    skus: Sequence[str]
