"""Many products at once give the catalogue that one after the other gives; exports bring it."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, select

from jay import db
from jay.errors import SkuTaken
from jay.feeds import exporting
from jay.feeds.files import FeedFile
from jay.feeds.importing import put_of
from jay.feeds.readers import Record, json_lines
from jay.merchants import service as merchants
from jay.merchants.models import Merchant
from jay.products import feeding
from jay.products.bulk import Put, PutResult, VariantScope, put_many, remove_unseen
from jay.products.models import AS_OF, VOLATILE, brand_name, microseconds, normal_sku, products
from jay.products.search import search_text
from jay.products.texts import plain_text
from tests.clock import NOON
from tests.depth import few_or_all

_names = itertools.count()

SKUS = st.sampled_from(["A", "B", "C", "A-1", "A-2", "B-1"])
OFFERS: dict[str, Any] = {
    "stock_count": st.none() | st.integers(-1, 3),
    "price": st.integers(0, 3),
    "org_price": st.integers(0, 3),
}
MAIN_VOLATILE = st.fixed_dictionaries(
    {},
    optional={
        **OFFERS,
        "currency": st.sampled_from(["EUR", "GBP"]),
        "vat": st.none() | st.sampled_from([0.0, 19.0]),
        "shipping": st.none() | st.just({"shippingFlatRate": 490}),
    },
)
VARIANTS = st.fixed_dictionaries(
    {"sku": SKUS},
    optional={**OFFERS, "type": st.just("size"), "value": st.sampled_from(["M", "L"])},
)
PRODUCTS = st.fixed_dictionaries(
    {
        "sku": SKUS,
        "name": st.sampled_from(["Mug", "Ärmel", "Größe 3"]),
        "lang": st.sampled_from(["de", "de", "en"]),
        "country": st.just("DE"),
        "not_shoppable": st.booleans(),
        "volatile": MAIN_VOLATILE,
        "description": st.sampled_from([{}, {"brand": "B"}, {"brand": {"name": "C"}}]),
        "variants": st.lists(VARIANTS, max_size=3),
    }
)

EXAMPLES = settings(max_examples=few_or_all(12, 100))


def merchant_of(connection: Connection) -> Merchant:
    """Make another merchant, with an empty catalogue."""
    name = f"shop-{next(_names)}"
    identifier = merchants.add_merchant(
        connection, name=name, lang="de", country="DE", currency="EUR", now=NOON
    )
    return merchants.merchant_by_id(connection, identifier)


def one_by_one(
    connection: Connection, merchant: Merchant, given_: Sequence[Mapping[str, Any]]
) -> list[bool]:
    """Put the products one after the other; answer which were taken."""
    taken = []
    for product in given_:
        try:
            with connection.begin_nested():
                feeding.put_product(connection, merchant, now=NOON, **product)
            taken.append(True)
        except SkuTaken:
            taken.append(False)
    return taken


def in_bulk(
    connection: Connection, merchant: Merchant, given_: Sequence[Mapping[str, Any]]
) -> list[bool]:
    """Put them in as few batches as no SKU comes twice in one."""
    taken = []
    for batch in batches(given_):
        puts = [
            Put(one["sku"], one["lang"], one["country"], one, one["variants"], VariantScope.WHOLE)
            for one in batch
        ]
        outcomes = put_many(connection, merchant, puts, now=NOON)
        taken += [isinstance(outcome, PutResult) for outcome in outcomes]
    return taken


def batches(given_: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    batch: list[Mapping[str, Any]] = []
    skus: set[tuple[str, str]] = set()
    for product in given_:
        own = {
            (product["lang"], sku)
            for sku in (product["sku"], *(variant["sku"] for variant in product["variants"]))
        }
        if own & skus:
            yield batch
            batch, skus = [], set()
        batch.append(product)
        skus |= own
    yield batch


def catalogue(connection: Connection, merchant: Merchant) -> list[dict[str, Any]]:
    """Return what is stored, without what is each merchant's own."""
    query = select(products).where(products.c.merchant_id == merchant.id)
    rows = []
    for row in connection.execute(query.order_by(products.c.lang, products.c.sku)):
        values = dict(row._mapping)
        del values["merchant_id"]
        for name in ("id", "main_id"):
            if values[name] is not None:
                values[name] = values[name].removeprefix(merchant.name)
        rows.append(values)
    return rows


@EXAMPLES
@given(st.lists(PRODUCTS, max_size=8))
def test_bulk_gives_the_same_catalogue_as_one_by_one(
    app: Flask, given_: list[dict[str, Any]]
) -> None:
    with app.app_context(), db.transaction() as connection:
        one, other = merchant_of(connection), merchant_of(connection)

        taken = one_by_one(connection, one, given_)

        assert in_bulk(connection, other, given_) == taken
        assert catalogue(connection, other) == catalogue(connection, one)


@EXAMPLES
@given(st.lists(st.tuples(PRODUCTS, st.integers(0, 2), st.sampled_from(VariantScope)), max_size=10))
def test_whatever_moves_where_each_variant_has_a_main_product(
    app: Flask, given_: list[tuple[dict[str, Any], int, VariantScope]]
) -> None:
    """Parts and wholes, observed in any order, among them main products that become variants."""
    with app.app_context(), db.transaction() as connection:
        merchant = merchant_of(connection)
        for one, later, kind in given_:
            if kind is VariantScope.GROUP and not one["variants"]:
                continue
            put = Put(one["sku"], one["lang"], one["country"], one, one["variants"], kind)
            put_many(connection, merchant, [put], now=NOON, as_of=microseconds(NOON) + later)

            rows = {row["id"]: row for row in catalogue(connection, merchant)}
            there = {key: row for key, row in rows.items() if not row["removed"]}
            for row in there.values():
                if row["main_id"] is None:
                    family = [r["sku"] for r in there.values() if r["main_id"] == row["id"]]
                    brand = brand_name(row["description"])
                    found_by = search_text(
                        name=row["name"], brand=brand, sku=row["sku"], variants=family
                    )
                    assert sorted(row["search"].split()) == sorted(found_by.split())
                else:
                    assert there[row["main_id"]]["main_id"] is None
                    assert (row["name"], row["search"]) == (None, None)


@EXAMPLES
@given(st.lists(PRODUCTS, max_size=5), st.lists(PRODUCTS, max_size=5), st.booleans())
def test_what_was_observed_later_stays(
    app: Flask, later: list[dict[str, Any]], given_: list[dict[str, Any]], main_only: bool
) -> None:
    """Apart from products that nobody has described later, nothing of the later news changes."""
    if main_only:
        given_ = [{**one, "variants": []} for one in given_]
    with app.app_context(), db.transaction() as connection:
        merchant = merchant_of(connection)
        one_by_one(connection, merchant, later)
        before = {row["id"]: row for row in catalogue(connection, merchant)}
        early = microseconds(NOON - timedelta(hours=1))

        for batch in batches(given_):
            puts = [
                Put(
                    one["sku"],
                    one["lang"],
                    one["country"],
                    one,
                    one["variants"],
                    VariantScope.WHOLE,
                )
                for one in batch
            ]
            put_many(connection, merchant, puts, now=NOON, as_of=early)

        after = {row["id"]: row for row in catalogue(connection, merchant)}
        assert before.keys() <= after.keys()
        for identifier, row in before.items():
            kept = ["name", "description", "not_shoppable", "search", "removed", "position"]
            kept += [name for name in VOLATILE if row[AS_OF[name]] is not None]
            assert {name: after[identifier][name] for name in kept} == {
                name: row[name] for name in kept
            }
        described = {identifier for identifier, row in before.items() if row["main_id"] is None}
        for identifier in after.keys() - before.keys():
            assert after[identifier]["main_id"] not in described


@EXAMPLES
@given(st.lists(PRODUCTS, max_size=6), st.data())
def test_parts_in_any_order_give_the_same_catalogue_as_the_whole(
    app: Flask, given_: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Main products first, then their variants shuffled, over what an earlier import has left."""
    latest = {}
    for one in given_:
        latest[one["lang"], one["sku"]] = one
    as_of = microseconds(NOON) + 1
    with app.app_context(), db.transaction() as connection:
        whole, parted = merchant_of(connection), merchant_of(connection)
        for merchant in (whole, parted):
            one_by_one(connection, merchant, given_)
        before = catalogue(connection, whole)
        assert catalogue(connection, parted) == before
        again = [
            {**one, "variants": own[::2]}
            for one in latest.values()
            if (own := stored_variants(before, one)) is not None
        ]
        for one in again:
            put = Put(one["sku"], one["lang"], "DE", one, one["variants"], VariantScope.WHOLE)
            put_many(connection, whole, [put], now=NOON, as_of=as_of)

        parts = [Put(one["sku"], one["lang"], "DE", one, (), VariantScope.PART) for one in again]
        of_variants = [
            Put(one["sku"], one["lang"], "DE", None, [variant], VariantScope.PART)
            for one in again
            for variant in one["variants"]
        ]
        parts += data.draw(st.permutations(of_variants))
        size = data.draw(st.integers(1, 4))
        for start in range(0, len(parts), size):
            outcomes = put_many(
                connection, parted, parts[start : start + size], now=NOON, as_of=as_of
            )
            assert all(isinstance(outcome, PutResult) for outcome in outcomes), outcomes
        identifiers = [parted.name + row["id"] for row in before if row["main_id"]]
        remove_unseen(connection, parted, identifiers, now=NOON, as_of=as_of)

        assert set_wise(catalogue(connection, parted)) == set_wise(catalogue(connection, whole))


def stored_variants(
    rows: Sequence[Mapping[str, Any]], product: Mapping[str, Any]
) -> list[dict[str, Any]] | None:
    """Return the variants that are stored of a product, None if it is no main product."""
    identifier = f"/{product['lang']}-DE/{product['sku']}"
    if not any(row["id"] == identifier and row["main_id"] is None for row in rows):
        return None
    return [
        {"sku": row["sku"], "price": 7, "type": "size"}
        for row in rows
        if row["main_id"] == identifier
    ]


def set_wise(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the order of variants: here it is a random one."""
    return [
        {**row, "position": None, "search": sorted((row["search"] or "").split())} for row in rows
    ]


TEXT = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
SAID = TEXT.filter(lambda text: plain_text(text).strip())
"""What is not blank, not even without its HTML."""

LONG = st.sampled_from(["😀" * 20_000, 'He said: "no"\n\r\n,;\t' * 1000, "ß" * 20_000])
SKU = (
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
    .map(normal_sku)
    .filter(bool)
)
URL = st.sampled_from(["https://shop.example/a?b=ä", "http://a.example/😀"])
DESCRIPTION: dict[str, Any] = {
    "brand": TEXT | st.just({"name": "B", "logoUrl": "https://a.example/l.png"}),
    "subLine": st.none() | TEXT,
    "description": TEXT | LONG,
    "gender": st.sampled_from([1, {"code": 2}, {"code": 3, "label": "für alle"}]),
    "material": TEXT,
    "colour": st.none() | TEXT,
    "colourCode": st.integers(0, 0xFFFFFF),
    "fit": TEXT,
    "url": URL,
    "urlLabel": TEXT,
    "urlNote": TEXT,
    "urlImageUrl": URL,
    "orgPriceKind": st.sampled_from([None, "previous", "rrp"]),
    "basePrice": st.fixed_dictionaries(
        {"content": st.floats(0.001, 1_000_000), "unit": st.sampled_from(["kg", "m2"])}
    ),
    "manufacturer": st.fixed_dictionaries(
        {"name": SAID}, optional={"address": TEXT, "url": st.none() | URL}
    ),
    "responsiblePerson": st.just({"name": "R", "email": "r@shop.example"}),
    "gtin": st.sampled_from([None, "4006381333931"]),
    "mpn": TEXT,
    "safety": st.lists(st.fixed_dictionaries({"lang": st.just("de"), "text": SAID}), max_size=2),
    "withdrawalException": st.sampled_from(["none", "sealedMedia"]),
    "durabilityGuaranteeYears": st.none() | st.integers(1, 100),
    "images": st.lists(st.fixed_dictionaries({"url": URL}, optional={"copyrightText": TEXT})),
    "type": TEXT,
    "value": TEXT,
}
MOMENT = st.sampled_from(["2025-06-04T12:00:00Z", "2030-01-01T00:00:00.000001+02:00"])
SALE = st.fixed_dictionaries({"price": st.integers(0, 10)}, optional={"from": MOMENT}) | (
    st.fixed_dictionaries({"price": st.integers(0, 10), "until": MOMENT})
)
SHIPPING = st.sampled_from([None, {}, {"shippingScale": [{"start": 2}], "orderLimit": 3}])
WIRE = st.fixed_dictionaries(
    {"name": SAID},
    optional={
        **DESCRIPTION,
        "stockCount": st.none() | st.integers(-5, 2**31 - 1),
        "price": st.integers(0, 10**12),
        "orgPrice": st.integers(0, 10**12),
        "sale": SALE,
        "currency": st.sampled_from(["EUR", "€", "JPY"]),
        "vat": st.none() | st.floats(0, 1000),
        "lang": st.sampled_from(["de", "en"]),
        "shippingModel": SHIPPING,
        "notShoppable": st.booleans(),
    },
)
WIRE_VARIANT = st.fixed_dictionaries(
    {},
    optional={
        "stockCount": st.none() | st.integers(-5, 5),
        "price": st.integers(0, 5),
        "orgPrice": st.integers(0, 5),
        "sale": SALE,
        **DESCRIPTION,
        "currency": st.sampled_from(["EUR", "£"]),
        "vat": st.none() | st.floats(0, 1000),
        "shippingModel": SHIPPING,
    },
)


@settings(max_examples=few_or_all(8, 60))
@given(
    st.lists(SKU, unique=True, max_size=6),
    st.lists(WIRE, min_size=6, max_size=6),
    st.lists(st.lists(WIRE_VARIANT, max_size=2), min_size=6, max_size=6),
)
def test_an_export_brings_the_same_catalogue_into_an_empty_merchant(
    app: Flask,
    tmp_path: Path,
    skus: list[str],
    bodies: list[dict[str, Any]],
    variants: list[list[dict[str, Any]]],
) -> None:
    lines = [
        {
            **body,
            "sku": sku,
            "variants": [{"sku": f"{sku}/{n}", **variant} for n, variant in enumerate(some)],
        }
        for sku, body, some in zip(skus, bodies, variants, strict=False)
    ]
    with app.app_context(), db.transaction() as connection:
        one, other = merchant_of(connection), merchant_of(connection)
        taken = store(connection, one, [Record(1, body=line, whole=True) for line in lines])

        exported = exported_of(connection, one)
        path = tmp_path / "exported.jsonl"
        path.write_bytes(b"".join(exported))
        if exported:
            with FeedFile(path) as file:
                again = store(connection, other, list(json_lines(file)))
            assert again == [PutResult.ADDED] * len(exported)

        assert len(exported) == taken.count(PutResult.ADDED)
        assert catalogue(connection, other) == catalogue(connection, one)
        assert exported_of(connection, other) == exported


def exported_of(connection: Connection, merchant: Merchant) -> list[bytes]:
    return list(exporting.lines(lambda: nullcontext(connection), merchant))


def store(
    connection: Connection, merchant: Merchant, records: Sequence[Record]
) -> list[PutResult | str]:
    outcomes: list[PutResult | str] = []
    for record in records:
        put = put_of(record, merchant)
        assert isinstance(put, Put), put
        outcomes += put_many(connection, merchant, [put], now=NOON, as_of=microseconds(NOON))
    return outcomes
