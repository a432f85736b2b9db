"""The basket: all its rules, in a plain class that is built and tested without a database.

A basket is one row: its key, its entries as one JSON value and a version. Reading is one look-up,
writing one update, the limits hold by construction, and the ETag is the version.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB

from jay.auth.models import User
from jay.db.routing import routing_key
from jay.db.types import UtcDateTime, metadata
from jay.errors import CartFull, NotInBasket, ProductNotFound, SavedFull
from jay.partners.models import Partner
from jay.products.models import Product

MAX_CART_PRODUCTS = 20
MAX_SAVED_PRODUCTS = 200
MAX_SAVED_AFTER_MERGES = 500
"""What a merge or an undo may lead to: what was never refused is not refused in the end."""
MAX_COUNT = 999
REMOVE = -1
"""The count that removes a product."""

USER_LIFETIME = timedelta(days=365)
"""From the last change of a registered user's basket on."""
GUEST_LIFETIME = timedelta(days=30)
"""From the creation of a guest's basket on."""

# The dot is in no basket's id, so no other entity tag begins like this.
_UNTOUCHED = "0."

baskets = Table(
    "baskets",
    metadata,
    # That of partner and user, see ``routing_key``.
    Column("routing_key", Integer, primary_key=True, autoincrement=False),
    Column("partner_id", Integer, ForeignKey("partners.id"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    # Opaque and random: credentials that come out of a transfer name the basket by it, so they
    # say nothing about the user, and end when the basket is deleted.
    Column("id", Text, nullable=False),
    Column("guest", Boolean, nullable=False),
    Column("entries", JSON().with_variant(JSONB(), "postgresql"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("last_changed", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    # The short code's hash of its latest transfer, which names that one's row.
    Column("offer", Text),
    # Whether another device has taken it over.
    Column("claimed", Boolean, nullable=False, server_default=false()),
    Index("uq_baskets_id", "id", "routing_key", unique=True),
    Index("ix_baskets_expires", "expires"),
)


class List(Enum):
    """The lists of a basket; a product is in one of them at most."""

    CART = "what the user plans to buy"
    SAVED = "what the user wants to remember"
    CHECKOUT = "what the user is paying for at the moment"


@dataclass(slots=True)
class Entry:
    """A product in the basket: in the cart with a count, or saved with 0.

    ``price`` (minor units) and ``currency`` are those of the moment when it was put in, so that
    pages can tell of a change. What counts is always the catalogue's price.
    """

    product_id: str
    count: int
    price: int | None = None
    currency: str | None = None
    in_checkout: bool = False
    """Whether a checkout has it at the moment: then it is in that list, and in no other."""

    @property
    def list(self) -> List:
        """Where it is."""
        if self.in_checkout:
            return List.CHECKOUT
        return List.CART if self.count > 0 else List.SAVED


def entry_from(stored: Mapping[str, Any]) -> Entry:
    """Read an entry as it is stored."""
    return Entry(
        stored["id"],
        stored["count"],
        stored["price"],
        stored["currency"],
        stored.get("checkout", False),
    )


class Basket:
    """One user's basket: cart, saved and checkout lists.

    The entries are kept in the order in which they came to their list; an entry's count says
    which list that is, so no product can be in both.
    """

    def __init__(
        self,
        *,
        partner_id: int,
        user_id: str,
        guest: bool,
        now: datetime,
        bucket: int | None = None,
        identifier: str | None = None,
        entries: list[dict[str, Any]] | None = None,
        version: int = 0,
        stored_version: int | None = None,
        stored_id: str | None = None,
        created: datetime | None = None,
        last_changed: datetime | None = None,
        offer: str | None = None,
        claimed: bool = False,
    ) -> None:
        self.partner_id = partner_id
        self.user_id = user_id
        self.routing_key = routing_key(partner_id, user_id) if bucket is None else bucket
        self.guest = guest
        self.id = identifier or secrets.token_urlsafe(16)
        # Nobody has put anything in: there is no row, or that of an expired one.
        self.untouched = identifier is None or version == 0
        self.version = version
        # The version of the stored row, None when there is none yet.
        self.stored_version = stored_version
        # And its id: a basket that was deleted and begun anew counts its versions from 1 again.
        self.stored_id = stored_id
        self.created = created or now
        self.last_changed = last_changed or now
        # Its latest transfer, and whether a device has it through one: the transfers' business.
        self.offer = offer
        self.claimed = claimed
        self._entries = {stored["id"]: entry_from(stored) for stored in entries or ()}
        # What the last merge had no room for: told once, and not stored.
        self.dropped: list[Entry] = []

    @classmethod
    def new(
        cls,
        user: User,
        *,
        now: datetime,
        version: int = 0,
        stored_version: int | None = None,
        stored_id: str | None = None,
    ) -> "Basket":
        """Make a user's empty basket.

        :param stored_version: with ``stored_id``, those of the expired one whose place it takes.
        :param version: that of the expired one, as versions only grow.
        """
        return cls(
            partner_id=user.partner_id,
            user_id=user.user_id,
            guest=user.guest,
            now=now,
            bucket=user.routing_key,
            version=version,
            stored_version=stored_version,
            stored_id=stored_id,
        )

    @classmethod
    def from_row(cls, row: Any) -> "Basket":
        """Make the basket that a row of ``baskets`` holds."""
        return cls(
            partner_id=row.partner_id,
            user_id=row.user_id,
            guest=row.guest,
            now=row.last_changed,
            bucket=row.routing_key,
            identifier=row.id,
            entries=row.entries,
            version=row.version,
            stored_version=row.version,
            stored_id=row.id,
            created=row.created,
            last_changed=row.last_changed,
            offer=row.offer,
            claimed=row.claimed,
        )

    @classmethod
    def alive(cls, row: Any, now: datetime) -> "Basket | None":
        """Make the basket that a row holds; None where there is none, or an expired one."""
        return None if row is None or row.expires <= now else cls.from_row(row)

    def emptied(self, *, now: datetime) -> "Basket":
        """Return the empty basket that its owner has once this one is deleted."""
        return Basket(partner_id=self.partner_id, user_id=self.user_id, guest=self.guest, now=now)

    @property
    def cart(self) -> list[Entry]:
        """The products that the user plans to buy."""
        return self._of(List.CART)

    @property
    def saved(self) -> list[Entry]:
        """The products that the user wants to remember."""
        return self._of(List.SAVED)

    @property
    def checkout(self) -> list[Entry]:
        """The products that the user is paying for at the moment."""
        return self._of(List.CHECKOUT)

    def lists(self) -> tuple[list[Entry], list[Entry], list[Entry]]:
        """Return cart, saved list and checkout, in one pass."""
        cart, saved, checkout = list[Entry](), list[Entry](), list[Entry]()
        for entry in self._entries.values():
            (checkout if entry.in_checkout else cart if entry.count > 0 else saved).append(entry)
        return cart, saved, checkout

    def _of(self, wanted: List) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.list is wanted]

    @property
    def expires(self) -> datetime:
        """The moment from which on the basket is gone."""
        if self.guest:
            return self.created + GUEST_LIFETIME
        return self.last_changed + USER_LIFETIME

    @property
    def etag(self) -> str:
        """The strong entity tag of this state; an untouched basket's changes each second."""
        if self.untouched:
            return f"{_UNTOUCHED}{int(self.last_changed.timestamp())}"
        return f"{self.id}-{self.version}"

    def matches(self, etags: Collection[str]) -> bool:
        """Tell whether one of the entity tags, or ``*``, names this state."""
        if self.untouched and any(tag.startswith(_UNTOUCHED) for tag in etags):
            return True
        return "*" in etags or self.etag in etags

    def __contains__(self, product_id: str) -> bool:
        return product_id in self._entries

    def entry(self, product_id: str) -> Entry | None:
        """Return the entry of a product."""
        return self._entries.get(product_id)

    def assign(
        self, product_id: str, count: int, product: Product | None, *, now: datetime
    ) -> None:
        """Put a product in or overwrite it: a count puts it in the cart, 0 saves, -1 removes.

        A lower count than the one in the cart is always allowed. What is in checkout comes to the
        cart or the saved list again, as whoever does this wants it there; what is being paid for
        stays what it was.

        :param product: the product as it is sold now, None when the catalogue has none. One that
            is in the basket already can still be saved or removed then.
        :raises ProductNotFound: NotShoppable, OutOfStock, OrderLimit, CartFull, SavedFull
        """
        if count == REMOVE:
            self._entries.pop(product_id, None)
            self.touch(now)
            return
        known = self._entries.get(product_id)
        # The way back below a limit that fell, or out of what is sold no more, is always open.
        if known is None or (count > 0 and count >= known.count):
            if product is None:
                raise ProductNotFound
            if count > 0:
                product.check_orderable(count)
        if known is not None and known.list is (List.CART if count > 0 else List.SAVED):
            known.count = count
        else:
            self._check_room(count)
            # Anew at the end: the order is that in which products came to a list.
            self._entries.pop(product_id, None)
            self._entries[product_id] = Entry(product_id, count)
        entry = self._entries[product_id]
        if product is not None:
            entry.price, entry.currency = product.price, product.currency
        elif known is not None:
            entry.price, entry.currency = known.price, known.currency
        self.touch(now)

    def update(
        self, product_id: str, count: int | None, product: Product | None, *, now: datetime
    ) -> None:
        """Change a product that is in the basket; None changes nothing.

        :raises NotInBasket: it is in neither list; and everything that ``assign`` raises.
        """
        if product_id not in self:
            raise NotInBasket
        if count is not None:
            self.assign(product_id, count, product, now=now)

    def remove(self, product_id: str, *, now: datetime) -> None:
        """Take a product out of both lists.

        :raises NotInBasket: it is in neither.
        """
        self.update(product_id, REMOVE, None, now=now)

    def put_back(self, entry: Entry, *, place: int, now: datetime) -> None:
        """Put back what was taken out a moment ago, whatever the catalogue says now.

        It comes to its list again, at its place. Where the cart has filled up meanwhile it is
        saved, beyond the saved list's limit if need be.

        :param place: how many entries of its list stood before it.
        """
        if entry.count > 0 and len(self.cart) >= MAX_CART_PRODUCTS:
            entry, place = replace(entry, count=0), len(self.saved)
        entries = list(self._entries.values())
        same_list = [e for e in entries if e.list is entry.list]
        at = entries.index(same_list[place]) if place < len(same_list) else len(entries)
        entries.insert(at, entry)
        self._entries = {e.product_id: e for e in entries}
        self._drop_oldest_saved()
        self.touch(now)

    def exchange(self, product_id: str, product: Product, *, now: datetime) -> None:
        """Replace a product by another one, such as another size of it, at the same place.

        Where the other one is in the same list already, the two become one and their counts add up.

        :raises NotInBasket: NotShoppable, OutOfStock, OrderLimit
        """
        old, known = self._entries.get(product_id), self._entries.get(product.id)
        if old is None:
            raise NotInBasket
        count = old.count
        if count > 0:
            if known is not None and not known.in_checkout:
                count = min(count + known.count, MAX_COUNT)
            product.check_orderable(count)
        entry = Entry(product.id, count, product.price, product.currency)
        self._entries.pop(product.id, None)
        self._entries = {
            e.product_id: e
            for e in (entry if e is old else e for e in self._entries.values() if e is not known)
        }
        self.touch(now)

    def take_in(self, entries: Iterable[Entry], *, now: datetime) -> None:
        """Take in another basket's entries after a log-in.

        A product in both keeps the larger count. What does not fit the cart is saved, beyond the
        saved list's limit if need be, but never beyond ``MAX_SAVED_AFTER_MERGES``: the oldest go
        (contract, merge), and ``dropped`` tells which.
        """
        for entry in entries:
            known = self._entries.get(entry.product_id)
            in_cart = known is not None and known.list is List.CART
            count = max(entry.count, known.count if known is not None else 0)
            if known is not None and known.in_checkout and count == known.count:
                continue  # it is being paid for, and that is as many as anybody wants
            if count > 0 and not in_cart and len(self.cart) >= MAX_CART_PRODUCTS:
                count = 0
            if known is not None and not known.in_checkout and in_cart == (count > 0):
                known.count = count  # it came to this list before, and keeps its place
                continue
            self._entries.pop(entry.product_id, None)
            self._entries[entry.product_id] = Entry(
                entry.product_id, count, entry.price, entry.currency
            )
        self.dropped = self._drop_oldest_saved()
        self.touch(now)

    def check_out(self, product_ids: Collection[str], *, now: datetime) -> None:
        """Move products from the cart to checkout (contract, checkout: Start)."""
        for entry in [e for e in self.cart if e.product_id in product_ids]:
            del self._entries[entry.product_id]
            self._entries[entry.product_id] = replace(entry, in_checkout=True)
        self.touch(now)

    def end_checkout(self, *, bought: bool, now: datetime) -> None:
        """Let the products in checkout leave, or go back to the cart; where it is full, be saved.

        What was taken out of checkout meanwhile stays where it is.
        """
        for entry in self.checkout:
            del self._entries[entry.product_id]
            if not bought:
                room = len(self.cart) < MAX_CART_PRODUCTS
                back = replace(entry, in_checkout=False, count=entry.count if room else 0)
                self._entries[entry.product_id] = back
        self._drop_oldest_saved()
        self.touch(now)

    def _drop_oldest_saved(self) -> list[Entry]:
        saved = self.saved
        gone = saved[: max(0, len(saved) - MAX_SAVED_AFTER_MERGES)]
        for entry in gone:
            del self._entries[entry.product_id]
        return gone

    def stored_entries(self) -> list[dict[str, Any]]:
        """Return the entries as they are stored."""
        return [
            {"id": e.product_id, "count": e.count, "price": e.price, "currency": e.currency}
            | ({"checkout": True} if e.in_checkout else {})
            for e in self._entries.values()
        ]

    def touch(self, now: datetime) -> None:
        """Note a change: the version grows and ``last_changed`` is now."""
        self.version += 1
        self.untouched = False
        # The clocks of two processes may differ: a later change never looks older.
        self.last_changed = max(now, self.last_changed)

    def _check_room(self, count: int) -> None:
        if count > 0 and len(self.cart) >= MAX_CART_PRODUCTS:
            raise CartFull
        if count == 0 and len(self.saved) >= MAX_SAVED_PRODUCTS:
            raise SavedFull


def row_of(basket: Basket) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that names a basket's row."""
    return (
        baskets.c.routing_key == basket.routing_key,
        baskets.c.partner_id == basket.partner_id,
        baskets.c.user_id == basket.user_id,
    )


@dataclass(frozen=True)
class Grant:
    """Someone who may open a basket: decided in the transaction, from which
    credentials are made after it."""

    partner: Partner
    user_id: str
    since: datetime
    basket: Basket
    claimed: bool = False

    @property
    def opens(self) -> str | None:
        """The one basket that its credentials open: where it lies, and its id.

        None for a guest's own, which open the guest's.
        """
        return f"{self.basket.routing_key} {self.basket.id}" if self.claimed else None


@dataclass(frozen=True)
class Guest:
    """A guest's credentials and the basket that they open."""

    user: User
    token: str
    expires: datetime
    basket: Basket


def new_user_id() -> str:
    """Return a guest user id: 128 random bits."""
    return "g-" + secrets.token_urlsafe(16)
