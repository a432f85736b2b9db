"""Many products at once: the same catalogue as one ``put_product`` after the other, faster.

A batch is a handful of statements: look who owns the SKUs, write the main products, write the
variants, take out variants that are no longer listed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

import orjson
from sqlalchemy import Connection, Row

from jay.auth.models import Merchant
from jay.db import Conflict
from jay.products.bulk_sql import EMPTY, Statements, in_order, statements
from jay.products.feeding import take_turn
from jay.products.models import AS_OF, VOLATILE, brand_name, product_id
from jay.products.search import search_text


class Kind(Enum):
    """What a ``Put`` says about the variants that it does not list."""

    WHOLE = "there are no others"
    PART = "others may come in further parts"
    GROUP = "as PART, and the main product is described by the first part alone"


class Outcome(Enum):
    """What has become of a ``Put``; a refused one answers with the reason, a string."""

    ADDED = "added"
    UPDATED = "updated"


@dataclass(slots=True)
class Put:
    """A product, or a part of one, as it is to be written.

    ``main`` has ``name``, ``not_shoppable``, ``volatile`` and ``description`` as ``put_product``
    takes them; None for a part that only brings variants.
    """

    sku: str
    lang: str
    country: str
    main: Mapping[str, Any] | None
    variants: Sequence[Mapping[str, Any]] = field(default=())
    kind: Kind = Kind.WHOLE


MAX_VARIANTS = 50

REPEATED = "A variant's SKU is there twice, or is that of its main product."
TAKEN = "The SKU {} belongs to another product."
NO_MAIN = "The main product {} does not come before its variant."
TOO_MANY = f"A product has at most {MAX_VARIANTS} variants."


def put_many(
    connection: Connection, merchant: Merchant, puts: Sequence[Put], *, now: datetime, as_of: int
) -> list[Outcome | str]:
    """Write products with their variants; answer for each what has become of it.

    No SKU may come twice, but for the main product of several parts. What was observed later than
    ``as_of`` stays.

    :param as_of: when it was observed, in microseconds since 1970 UTC.
    :raises Conflict: a product is not what it was looked up as; try again.
    """
    take_turn(connection, merchant)
    batch = _Batch(connection, merchant, as_of)
    batch.look_up(puts)
    outcomes = [batch.add(put) for put in puts]
    batch.write(now)
    return outcomes


class _Batch:
    """Rows that are collected and then written together."""

    def __init__(self, connection: Connection, merchant: Merchant, as_of: int) -> None:
        self.connection = connection
        self.merchant = merchant
        self.as_of = as_of
        self.prefixes: dict[tuple[str, str], str] = {}
        self.stored: dict[str, Row[Any]] = {}
        self.counted: dict[str, tuple[int, int]] = {}  # by main id: variants, next position
        self.mains: dict[str, dict[str, Any]] = {}
        self.variants: dict[str, dict[str, Any]] = {}
        self.whole: list[str] = []
        self.families: dict[str, list[str]] = {}  # by main id: SKUs of its variants
        self.grown: set[str] = set()  # mains that are not written here, but get variants

    def look_up(self, puts: Sequence[Put]) -> None:
        """Read what is there under the ids of the batch; it is our turn, so that it stays so."""
        ids = {self._id(put, put.sku) for put in puts}
        ids |= {self._id(put, variant["sku"]) for put in puts for variant in put.variants}
        given = {"ids": _json(sorted(ids))}
        self.stored = {
            row.id: row for row in self.connection.execute(_sql(self.connection).look_up, given)
        }
        parted = {self._id(put, put.sku) for put in puts if put.kind is not Kind.WHOLE}
        parted &= self.stored.keys()
        if not parted:
            return
        given = {"ids": _json(sorted(parted))}
        for row in self.connection.execute(_sql(self.connection).families, given):
            self.families.setdefault(row.main_id, []).append(row.sku)
            if row.described_as_of == self.as_of:
                count, last = self.counted.get(row.main_id, (0, 0))
                self.counted[row.main_id] = count + 1, max(last, row.position + 1)

    def add(self, put: Put) -> Outcome | str:
        """Take a product into the batch, unless a rule is against it."""
        main = self._id(put, put.sku)
        ids = [self._id(put, variant["sku"]) for variant in put.variants]
        refusal = self._refusal(put, main, ids)
        if refusal is not None:
            return refusal
        stored = self.stored.get(main)
        described = stored and stored.described_as_of
        late = described is not None and described > self.as_of
        if put.main is not None and not (
            put.kind is Kind.GROUP and (main in self.mains or described == self.as_of)
        ):
            self.mains[main] = self._main_row(put, main)
        if put.kind is Kind.WHOLE and stored and not late:
            self.whole.append(main)
        if ids:
            self._add_variants(put, main, ids, late=late)
        own = main if put.main is not None and put.kind is not Kind.GROUP else ids[0]
        return Outcome.UPDATED if own in self.stored else Outcome.ADDED

    def _add_variants(self, put: Put, main: str, ids: Sequence[str], *, late: bool) -> None:
        count, position = self.counted.get(main, (0, 0))
        for identifier, variant in zip(ids, put.variants, strict=True):
            there = self.stored.get(identifier)
            if late and (there is None or there.removed):
                continue  # who described the product later knows better which variants there are
            again = there and put.kind is not Kind.WHOLE and self._seen(there)
            self._relate(put, main, variant["sku"])
            self.variants[identifier] = self._variant_row(
                put, main, identifier, variant, there.position if again and there else position
            )
            if not again:
                count, position = count + 1, position + 1
        self.counted[main] = count, position

    def _relate(self, put: Put, main: str, sku: str) -> None:
        family = self.families.setdefault(main, [])
        if put.kind is Kind.WHOLE or sku not in family:
            family.append(sku)
            if main not in self.mains:
                self.grown.add(main)

    def _refusal(self, put: Put, main: str, ids: Sequence[str]) -> str | None:
        stored = self.stored.get(main)
        if (stored and stored.main_id is not None) or main in self.variants:
            return TAKEN.format(put.sku)
        return self._variants_refusal(put, main, ids) if ids else None

    def _variants_refusal(self, put: Put, main: str, ids: Sequence[str]) -> str | None:
        if len({main, *ids}) <= len(ids):
            return REPEATED
        if put.main is None and main not in self.stored and main not in self.mains:
            return NO_MAIN.format(put.sku)
        for identifier, variant in zip(ids, put.variants, strict=True):
            there = self.stored.get(identifier)
            # A main product stays one, and a variant stays with its main product.
            if (there and there.main_id != main) or identifier in self.mains:
                return TAKEN.format(variant["sku"])
        before = 0 if put.kind is Kind.WHOLE else self.counted.get(main, (0, 0))[0]
        if before + len(ids) <= MAX_VARIANTS:
            return None
        new = sum(not (i in self.stored and self._seen(self.stored[i])) for i in ids)
        return TOO_MANY if new and before + new > MAX_VARIANTS else None

    def _seen(self, row: Row[Any]) -> bool:
        return bool(row.described_as_of == self.as_of and not row.removed)

    def _id(self, put: Put, sku: str) -> str:
        locale = put.lang, put.country
        prefix = self.prefixes.get(locale)
        if prefix is None:
            prefix = self.prefixes[locale] = product_id(self.merchant.name, *locale, "")
        return prefix + sku

    def _main_row(self, put: Put, identifier: str) -> dict[str, Any]:
        assert put.main is not None  # noqa: S101 - for the type checker
        row = {
            "id": identifier,
            "sku": put.sku,
            "lang": put.lang,
            "country": put.country,
            "name": put.main["name"],
            "not_shoppable": put.main["not_shoppable"],
            "description": put.main["description"],
            "described_as_of": self.as_of,
        }
        self._observe(row, put.main["volatile"])
        return row

    def _variant_row(
        self, put: Put, main: str, identifier: str, variant: Mapping[str, Any], position: int
    ) -> dict[str, Any]:
        row = {
            "id": identifier,
            "sku": variant["sku"],
            "lang": put.lang,
            "country": put.country,
            "main_id": main,
            "position": position,
            "variant_type": variant.get("type"),
            "variant_value": variant.get("value"),
            "described_as_of": self.as_of,
        }
        self._observe(row, variant)
        return row

    def _observe(self, row: dict[str, Any], volatile: Mapping[str, Any]) -> None:
        for name, as_of in _STAMPS:
            if name in volatile:
                row[name] = volatile[name]
                row[as_of] = self.as_of
        if "stock_count" in volatile:
            row["stock_set"] = True

    def write(self, now: datetime) -> None:
        """Write the rows of the batch."""
        for main, row in self.mains.items():
            row["search"] = _search_text(row, self.families.get(main, ()))
        # A variant refers to its main product, so these come first.
        rows = [*self.mains.values(), *self.variants.values()]
        if rows and self._upsert(rows, now) != len(rows):
            raise Conflict
        if self.whole:
            given = {
                "mains": _json(sorted(self.whole)),
                "listed": _json(sorted(self.variants)),
                "as_of": self.as_of,
                "now": now,
            }
            self.connection.execute(_sql(self.connection).remove_others, given)
        if grown := self.grown - self.mains.keys():
            refresh_search(self.connection, grown)

    def _upsert(self, rows: list[dict[str, Any]], now: datetime) -> int:
        sql = _sql(self.connection)
        if self.connection.dialect.name == "postgresql":
            given = {"rows": _json(rows), "merchant": self.merchant.id, "now": now}
            statement = sql.upsert.execution_options(preserve_rowcount=True)
            return self.connection.execute(statement, given).rowcount
        moment = sql.moment(now)
        base = EMPTY | {"merchant_id": self.merchant.id, "created": moment, "updated": moment}
        filled = []
        for row in rows:
            for name in ("shipping", "description"):
                if row.get(name) is not None:
                    row[name] = _json(row[name])
            filled.append(in_order(base | row))
        # Straight to the driver: SQLAlchemy would look at each value again.
        options = {"preserve_rowcount": True}
        return self.connection.exec_driver_sql(
            str(sql.upsert), filled, execution_options=options
        ).rowcount


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
    take_turn(connection, merchant)
    given = {"ids": _json(sorted(identifiers)), "as_of": as_of, "now": now}
    removed = connection.execute(_sql(connection).remove_unseen, given).all()
    if removed:
        refresh_search(connection, {row.main_id for row in removed})
    return len(removed)


def refresh_search(connection: Connection, mains: Iterable[str]) -> None:
    """Write again what these main products are found by, from what is stored of them."""
    sql = _sql(connection)
    given = {"ids": _json(sorted(mains))}
    families: dict[str, list[str]] = {}
    for row in connection.execute(sql.families, given):
        families.setdefault(row.main_id, []).append(row.sku)
    changed = [
        {"found_by": found_by, "identifier": row.id}
        for row in connection.execute(sql.described, given)
        if (found_by := _search_text(row._asdict(), families.get(row.id, ()))) != row.search
    ]
    if changed:
        connection.execute(sql.set_search, changed)


def _search_text(main: Mapping[str, Any], variants: Iterable[str]) -> str:
    brand = brand_name(main["description"] or {})
    return search_text(name=main["name"], brand=brand, sku=main["sku"], variants=variants)


def _sql(connection: Connection) -> Statements:
    return statements(connection.dialect.name)


_STAMPS = tuple((name, AS_OF[name]) for name in VOLATILE)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
