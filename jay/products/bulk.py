"""How products are stored: one or many, described anew, moved between groups, taken out.

A batch is a handful of statements: look at what is there under its ids, decide, write the rows,
take out variants that are no longer listed. Who stores descriptions has the merchant locked, so
that what was looked at stays so; stock and prices change meanwhile, each guarded by its own time of
observation. Rows are locked in the order of their ids by everybody, so that feeds never deadlock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection

from jay.db import turns
from jay.errors import ApiKeyRevoked
from jay.merchants.models import Merchant
from jay.products import bulk_sql as sql
from jay.products import stock
from jay.products.former_prices import drop_from_rows, drop_of_variants
from jay.products.groups import common_description, common_name, own_description
from jay.products.models import (
    AS_OF,
    MAX_VARIANTS,
    SALE,
    VOLATILE,
    StoredProduct,
    brand_name,
    microseconds,
    product_id,
)
from jay.products.repricing import keep_prices
from jay.products.search import search_text
from jay.products.upserting import upsert
from jay.products.wanted import fulfilled


class VariantScope(Enum):
    """What a ``Put`` says about the variants that it does not list."""

    WHOLE = "there are no others"
    PART = "others may come in further parts"
    GROUP = "as PART, and each part describes a member of a group: see groups.py"


class PutResult(Enum):
    """What has become of a ``Put``; a refused one answers with the reason, a string."""

    ADDED = "added"
    UPDATED = "updated"


@dataclass(slots=True)
class Put:
    """A product, or a part of one, as it is to be written.

    ``main`` has ``name``, ``not_shoppable``, ``volatile`` (any of ``VOLATILE``) and
    ``description`` (its fields as on the wire); None for a part that only brings variants.
    ``variants`` have ``sku``, ``type``, ``value``, the volatile fields by the names of their
    columns, and what of the ``description`` is different.
    """

    sku: str
    lang: str
    country: str
    main: Mapping[str, Any] | None
    variants: Sequence[Mapping[str, Any]] = field(default=())
    kind: VariantScope = VariantScope.WHOLE


REPEATED = "The SKU {} is there twice: each variant needs one of its own."
VARIANT_OF = "The SKU {} is a variant of {}."
OWN_PRODUCT = "The SKU {} is a product of its own."
HAS_VARIANTS = "The SKU {} is a product with variants of its own, such as {}."
NO_MAIN = "The main product {} does not come before its variant."
TOO_MANY = f"A product has at most {MAX_VARIANTS} variants."

_REPLACED = ("currency", "vat", "shipping")
"""What a variant no longer has when its description does not say it: it is its main product's."""


def lock_merchant(connection: Connection, merchant: Merchant) -> None:
    """Wait until nobody else stores descriptions of this merchant, and keep others waiting.

    Comes before everything else in a transaction that adds, moves or takes out products: those
    that are new can't be locked themselves. Updates of prices and stock don't wait for it.

    :raises ApiKeyRevoked: the merchant was removed while this was on its way.
    """
    turns.take(connection)
    if sql.LOCK_MERCHANT.one_or_none(connection, {"merchant": merchant.id}) is None:
        raise ApiKeyRevoked("The shop was removed.")


def put_many(
    connection: Connection,
    merchant: Merchant,
    puts: Sequence[Put],
    *,
    now: datetime,
    as_of: int | None = None,
) -> list[PutResult | str]:
    """Write products with their variants; answer for each what has become of it.

    No SKU may come twice, but for the main product of several parts. A product may become a
    variant, or one of another product, and back: it stays the same row. Only what one description
    says in two ways is refused. Wishes for what is stored end.

    :param as_of: when it was observed, in microseconds since 1970 UTC: what was observed later
        stays. None means now, and it counts whatever is stored.
    """
    lock_merchant(connection, merchant)
    batch = _Batch(connection, merchant, puts, now=now, as_of=as_of)
    outcomes = [batch.add(put) for put in puts]
    batch.write(now)
    batch.fulfil(
        put for put, outcome in zip(puts, outcomes, strict=True) if isinstance(outcome, PutResult)
    )
    return outcomes


class _Child(NamedTuple):
    """A variant in its family."""

    sku: str
    position: int
    described_as_of: int


class _Batch:
    """What is there under the ids of a batch, and the rows that are to be written over it."""

    def __init__(
        self,
        connection: Connection,
        merchant: Merchant,
        puts: Sequence[Put],
        *,
        now: datetime,
        as_of: int | None,
    ) -> None:
        self.connection = connection
        self.merchant = merchant
        self.prefixes: dict[tuple[str, str], str] = {}
        self.ids = {id(put): self._ids(put) for put in puts}
        ids = {main for main, _ in self.ids.values()}
        ids.update(*(variants for _, variants in self.ids.values() if variants))
        given = {"ids": list(ids)}
        self.alone = as_of is None
        self.as_of = microseconds(now) if as_of is None else as_of
        self.replaced = dict.fromkeys(map(AS_OF.__getitem__, _REPLACED), self.as_of)
        self.stored = {row.id: row for row in sql.LOOK_UP.all(connection, given)}
        self.parent: dict[str, str] = {}  # of live variants
        self.families: dict[str, dict[str, _Child]] = {}  # by main id, live variants in order
        self.seen: set[str] = set()  # what this import has described already
        self._look_around()
        # The main products of groups that this import has begun to describe.
        self.groups = self._groups_of(puts)
        self.mains: dict[str, dict[str, Any]] = {}
        self.variants: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()  # variants that are no longer listed
        self.changed: set[str] = set()  # main products whose variants change
        # Which fields of those that an offer says are stored, and with which stamps.
        self.news: dict[tuple[str, ...], tuple[tuple[str, ...], dict[str, Any]]] = {}
        self.positions: dict[str, int] = {}  # by main id, of the next variant of a part

    def _look_around(self) -> None:
        mains = []
        for row in self.stored.values():
            if row.removed:
                continue
            if row.main_id is None:
                mains.append(row.id)
            else:
                self.parent[row.id] = row.main_id
            if row.described_as_of == self.as_of and not self.alone:
                self.seen.add(row.id)
        if mains:
            for main, identifier, sku, position, described in sql.FAMILIES.all(
                self.connection, {"ids": mains}
            ):
                family = self.families.setdefault(main, {})
                family[identifier] = _Child(sku, position, described or 0)
                self.parent[identifier] = main

    def _groups_of(self, puts: Sequence[Put]) -> dict[str, dict[str, Any]]:
        mains = {self.ids[id(put)][0] for put in puts if put.kind is VariantScope.GROUP} & self.seen
        if not mains:
            return {}
        return {
            row.id: row._asdict() | {"described_as_of": self.as_of}
            for row in sql.GROUPS.all(self.connection, {"ids": list(mains)})
        }

    def _ids(self, put: Put) -> tuple[str, list[str]]:
        """Return the ids of a product and its variants."""
        prefix, variants = self._prefix(put), put.variants
        return prefix + put.sku, [prefix + one["sku"] for one in variants] if variants else []

    def _prefix(self, put: Put) -> str:
        locale = put.lang, put.country
        prefix = self.prefixes.get(locale)
        if prefix is None:
            prefix = self.prefixes[locale] = product_id(self.merchant.name, *locale, "")
        return prefix

    def add(self, put: Put) -> PutResult | str:
        """Take a product into the batch, unless a rule is against it."""
        main, ids = self.ids[id(put)]
        refusal = self._refusal(put, main, ids)
        if refusal is not None:
            return refusal
        late = self._is_later(main)
        if put.main is not None:
            self._add_main(put, main)
        if put.kind is VariantScope.WHOLE and not late:
            self._drop_others(main, ids)
        if ids:
            self._add_variants(put, main, ids, late=late)
        own = (
            main
            if put.main is not None and (put.kind is not VariantScope.GROUP or not ids)
            else ids[0]
        )
        return PutResult.UPDATED if own in self.stored else PutResult.ADDED

    def _refusal(self, put: Put, main: str, ids: Sequence[str]) -> str | None:
        parent = self.parent.get(main)
        if parent is not None and (put.main is None or main in self.seen or self._is_later(main)):
            return VARIANT_OF.format(put.sku, self._sku(put, parent))
        if not ids:
            return None
        if len({main, *ids}) <= len(ids):
            return REPEATED.format(_repeated([put.sku, *(one["sku"] for one in put.variants)]))
        if put.main is None and not self._is_main(main):
            return NO_MAIN.format(put.sku)
        for identifier, variant in zip(ids, put.variants, strict=True):
            refusal = self._variant_refusal(put, main, identifier, variant["sku"], ids)
            if refusal is not None:
                return refusal
        return self._too_many(put, main, ids)

    def _variant_refusal(
        self, put: Put, main: str, identifier: str, sku: str, ids: Sequence[str]
    ) -> str | None:
        parent = self.parent.get(identifier)
        if identifier in self.seen and parent != main:
            if parent is None:
                return OWN_PRODUCT.format(sku)
            return VARIANT_OF.format(sku, self._sku(put, parent))
        if parent is None and identifier in self.families:
            for child, (child_sku, _, described) in self.families[identifier].items():
                if child not in (main, *ids) and (self.alone or described >= self.as_of):
                    return HAS_VARIANTS.format(sku, child_sku)
        return None

    def _too_many(self, put: Put, main: str, ids: Sequence[str]) -> str | None:
        if put.kind is VariantScope.WHOLE:
            return TOO_MANY if len(ids) > MAX_VARIANTS else None
        if len(self.families.get(main, ())) + len(ids) <= MAX_VARIANTS:
            return None
        before = len(self._listed(main))
        if before + len(ids) <= MAX_VARIANTS:
            return None
        new = sum(one not in self.seen for one in ids)
        return TOO_MANY if new and before + new > MAX_VARIANTS else None

    def _listed(self, main: str) -> list[_Child]:
        """Return the variants that this import has listed so far."""
        family = self.families.get(main, {})
        return [child for child in family.values() if child.described_as_of == self.as_of]

    def _is_main(self, identifier: str) -> bool:
        if identifier in self.mains:
            return True
        there = self.stored.get(identifier)
        return there is not None and not there.removed and identifier not in self.parent

    def _is_later(self, identifier: str) -> bool:
        there = self.stored.get(identifier)
        return self._is_later_than(there and there.described_as_of)

    def _is_later_than(self, described: int | None) -> bool:
        return not self.alone and (described or 0) > self.as_of

    def _sku(self, put: Put, identifier: str) -> str:
        return identifier.removeprefix(self._prefix(put))

    def _add_main(self, put: Put, main: str) -> None:
        if put.kind is VariantScope.GROUP and main in self.seen:
            self._add_member(put, main)
            return
        self._leave(main)
        self.mains[main] = self._main_row(put, main)
        self._is_seen(main)

    def _add_member(self, put: Put, main: str) -> None:
        """Keep what another member of a group has in common with the ones before."""
        assert put.main is not None  # noqa: S101 - for the type checker
        if self._is_later(main):
            return
        before = self.mains.get(main) or self.groups[main]
        row = before | {
            "name": common_name(before["name"], put.main["name"]),
            "description": common_description(before["description"], put.main["description"]),
        }
        if not put.variants:  # it is the product itself
            row["variant_type"], row["variant_value"] = put.main["type"], put.main["value"]
            row |= self._observed(put.main["volatile"])
        if row != before:
            self.mains[main] = row

    def _leave(self, identifier: str) -> None:
        """Take a variant out of its family; it becomes something else."""
        parent = self.parent.pop(identifier, None)
        if parent is not None:
            self.families.get(parent, {}).pop(identifier, None)
            self.changed.add(parent)

    def _is_seen(self, identifier: str) -> None:
        self.gone.discard(identifier)
        if not self.alone:
            self.seen.add(identifier)

    def _drop_others(self, main: str, ids: Sequence[str]) -> None:
        family = self.families.get(main, {})
        for child in [one for one in family if one not in ids]:
            if not self._is_later_than(family[child].described_as_of):
                del family[child], self.parent[child]
                self.gone.add(child)

    def _add_variants(self, put: Put, main: str, ids: Sequence[str], *, late: bool) -> None:
        family = self.families.setdefault(main, {})
        whole = put.kind is VariantScope.WHOLE
        position = 0 if whole else self._next_position(main)
        for identifier, variant in zip(ids, put.variants, strict=True):
            if late and identifier not in family:
                continue  # who described the product later knows better which variants there are
            row = self._variant_row(put, main, identifier, variant)
            self.variants[identifier] = row
            if self._is_later(identifier):
                continue  # what it costs may be news; what it is isn't
            if not whole and identifier in self.seen:
                row["position"] = family[identifier].position
            else:
                row["position"], position = position, position + 1
            self._join(family, main, row)
        if whole:
            self.positions.pop(main, None)
        else:
            self.positions[main] = position

    def _next_position(self, main: str) -> int:
        known = self.positions.get(main)
        if known is None:
            return max((one.position + 1 for one in self._listed(main)), default=0)
        return known

    def _join(self, family: dict[str, _Child], main: str, row: Mapping[str, Any]) -> None:
        identifier: str = row["id"]
        if self.parent.get(identifier) != main:
            self._leave(identifier)
            if identifier in self.families:
                # Left over from the time when it was a product with variants.
                for child in self.families.pop(identifier):
                    if self.parent.get(child) == identifier:
                        del self.parent[child]
                        self.gone.add(child)
            self.changed.add(main)
            self.parent[identifier] = main
        family[identifier] = _Child(row["sku"], row["position"], self.as_of)
        self._is_seen(identifier)

    def _main_row(self, put: Put, identifier: str) -> dict[str, Any]:
        assert put.main is not None  # noqa: S101 - for the type checker
        return {
            "id": identifier,
            "sku": put.sku,
            "lang": put.lang,
            "country": put.country,
            "name": put.main["name"],
            "not_shoppable": put.main["not_shoppable"],
            "variant_type": put.main.get("type"),
            "variant_value": put.main.get("value"),
            "description": put.main["description"],
            "described_as_of": self.as_of,
            **self._observed(put.main["volatile"]),
        }

    def _variant_row(
        self, put: Put, main: str, identifier: str, variant: Mapping[str, Any]
    ) -> dict[str, Any]:
        return {
            "id": identifier,
            "sku": variant["sku"],
            "lang": put.lang,
            "country": put.country,
            "main_id": main,
            "variant_type": variant.get("type"),
            "variant_value": variant.get("value"),
            "description": self._own_description(put, main, variant),
            "described_as_of": self.as_of,
            **self.replaced,
            **self._observed(variant),
        }

    def _own_description(self, put: Put, main: str, variant: Mapping[str, Any]) -> Any:
        if put.kind is not VariantScope.GROUP or put.main is None:
            return variant.get("description")
        product = self.mains.get(main) or self.groups.get(main) or {}
        return own_description(put.main["description"], product.get("description") or {})

    def _observed(self, volatile: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is said of stock and prices, and the stamps that go with it."""
        said = tuple(volatile)
        news = self.news.get(said)
        if news is None:
            names = tuple(name for name in VOLATILE if name in said)
            stamps: dict[str, Any] = {AS_OF[name]: self.as_of for name in names}
            if "stock_count" in said:
                stamps["stock_set"] = True
            news = self.news[said] = names, stamps
        names, stamps = news
        row = {**volatile, **stamps} if names == said else _only(names, volatile) | stamps
        if "price" in volatile and (sale := volatile.get("sale")):
            row |= dict(zip(SALE, (sale["price"], sale["from"], sale["until"]), strict=True))
        return row

    def write(self, now: datetime) -> None:
        """Write the rows of the batch."""
        for main, row in self.mains.items():
            family = self.families.get(main, {})
            row["search"] = _search_text(row, (child.sku for child in family.values()))
        # A variant refers to its main product, so these come first.
        rows = [*self.mains.values(), *self.variants.values()]
        others = {
            main
            for main in self.changed
            if main not in self.variants and (main not in self.mains or self._is_later(main))
        }
        if self.gone or others:
            ids = {*self.gone, *others, *self.mains, *self.variants}
            sql.LOCK.all(self.connection, {"ids": list(ids)})
        if rows:
            as_of = None if self.alone else self.as_of
            told_otherwise = drop_from_rows(
                self.connection, rows, self.stored, default=self.merchant.currency, as_of=as_of
            )
            drop_of_variants(
                self.connection,
                told_otherwise,
                but={row["id"] for row in rows},
                now=now,
                stamp=self.as_of,
                always=self.alone,
            )
            keep_prices(self.connection, rows, self.stored, now=now, as_of=as_of)
            recounted = [row["id"] for row in rows if "stock_count" in row and self._is_taken(row)]
            upsert(
                self.connection,
                rows,
                self.stored,
                merchant=self.merchant.id,
                now=now,
                always=self.alone,
            )
            stock.counted(self.connection, recounted, as_of=self.as_of)
        if self.gone:
            sql.REMOVE.rowcount(self.connection, {"ids": list(self.gone), "now": now})
        if others:
            refresh_search(self.connection, others)
            if not self.alone:
                given = {"ids": list(others), "as_of": self.as_of, "now": now}
                sql.REMOVE_ABANDONED.rowcount(self.connection, given)

    def _is_taken(self, row: Mapping[str, Any]) -> bool:
        there = self.stored.get(row["id"])
        return there is not None and there.taken != 0

    def fulfil(self, puts: Iterable[Put]) -> None:
        """End the wishes for what has come."""
        skus: dict[tuple[str, str], list[str]] = {}
        for put in puts:
            there = skus.setdefault((put.lang, put.country), [])
            if put.main is not None:
                there.append(put.sku)
            there += [variant["sku"] for variant in put.variants]
        for (lang, country), listed in skus.items():
            fulfilled(self.connection, self.merchant, lang, country, listed)


def _only(names: Iterable[str], of: Mapping[str, Any]) -> dict[str, Any]:
    return {name: of[name] for name in names}


def _repeated(skus: Sequence[str]) -> str:
    return next(sku for place, sku in enumerate(skus) if sku in skus[:place])


def remove_unseen(
    connection: Connection,
    merchant: Merchant,
    identifiers: Sequence[str],
    *,
    now: datetime,
    as_of: int,
) -> int:
    """Take out those of the variants whose main product was described then, but they were not.

    :returns: how many there were.
    """
    lock_merchant(connection, merchant)
    sql.LOCK.all(connection, {"ids": list(identifiers)})
    given = {"ids": list(identifiers), "as_of": as_of, "now": now}
    removed = sql.REMOVE_UNSEEN.all(connection, given)
    if removed:
        refresh_search(connection, {row.main_id for row in removed})
    return len(removed)


def remove(
    connection: Connection,
    merchant: Merchant,
    lang: str | None,
    country: str | None,
    sku: str,
    *,
    now: datetime,
) -> StoredProduct | None:
    """Take a product with its variants, or one variant, out of the catalogue.

    Its rows stay, so that its id is never given away and it comes back as it was.

    :returns: what was taken out; None when it was not there.
    """
    prefix = product_id(merchant.name, lang or merchant.lang, country or merchant.country, "")
    lock_merchant(connection, merchant)
    found = {row.id: row for row in sql.LOOK_UP.all(connection, {"ids": [prefix + sku]})}
    row = found.get(prefix + sku)
    if row is None or row.removed:
        return None
    family = sql.FAMILIES.all(connection, {"ids": [row.id]})
    ids = [row.id, *(child.id for child in family)]
    sql.LOCK.all(connection, {"ids": [*ids, row.main_id or row.id]})
    sql.REMOVE.rowcount(connection, {"ids": ids, "now": now})
    # What was observed before this does not bring it back.
    sql.FORGET.rowcount(connection, {"ids": ids, "as_of": microseconds(now)})
    if row.main_id is not None:
        refresh_search(connection, [row.main_id])
    return StoredProduct(row.id, [(child.sku, child.id) for child in family])


def refresh_search(connection: Connection, mains: Iterable[str]) -> None:
    """Write again what these main products are found by, from what is stored of them."""
    given = {"ids": list(mains)}
    families: dict[str, list[str]] = {}
    for row in sql.FAMILIES.all(connection, given):
        families.setdefault(row.main_id, []).append(row.sku)
    changed = [
        {"found_by": found_by, "key": row.id}
        for row in sql.DESCRIBED.all(connection, given)
        if row.search is not None
        and (found_by := _search_text(row._asdict(), families.get(row.id, ()))) != row.search
    ]
    if changed:
        sql.SET_SEARCH.many(connection, changed, {})


def _search_text(main: Mapping[str, Any], variants: Iterable[str]) -> str:
    brand = brand_name(main["description"] or {})
    return search_text(name=main["name"], brand=brand, sku=main["sku"], variants=variants)
