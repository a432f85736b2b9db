"""Use cases of the catalogue: the feed writes, baskets and pages read."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from jay.auth.models import Merchant, merchants
from jay.errors import SkuTaken
from jay.prepared import Prepared
from jay.products.models import VOLATILE, Product, product_id, products
from jay.products.shipping import ShippingModel

SKUS_PER_PAGE = 1000

_main = products.alias("main")


def _own_or_main(name: str) -> Any:
    return func.coalesce(products.c[name], _main.c[name]).label(name)


_SALES_VIEW = (
    select(
        products.c.id,
        products.c.sku,
        products.c.merchant_id,
        merchants.c.name.label("merchant"),
        products.c.lang,
        products.c.country,
        products.c.main_id,
        _own_or_main("name"),
        products.c.variant_type,
        products.c.variant_value,
        products.c.stock_set,
        products.c.stock_count,
        _main.c.stock_count.label("main_stock_count"),
        products.c.price,
        products.c.org_price,
        _main.c.price.label("main_price"),
        _main.c.org_price.label("main_org_price"),
        func.coalesce(products.c.currency, _main.c.currency, merchants.c.currency).label(
            "currency"
        ),
        func.coalesce(products.c.vat, _main.c.vat, merchants.c.vat, 0.0).label("vat"),
        products.c.shipping,
        _main.c.shipping.label("main_shipping"),
        products.c.not_shoppable,
        _main.c.not_shoppable.label("main_not_shoppable"),
        products.c.description,
        _main.c.description.label("main_description"),
    )
    .join_from(products, merchants, merchants.c.id == products.c.merchant_id)
    .outerjoin(_main, _main.c.id == products.c.main_id)
    .where(~products.c.removed)
)


_FIND = Prepared(_SALES_VIEW.where(products.c.id == bindparam("id")))


def _product(row: Any) -> Product:
    price, org_price = row.price, row.org_price
    if price is None:
        price, org_price = row.main_price, row.main_org_price
    return Product(
        id=row.id,
        sku=row.sku,
        merchant_id=row.merchant_id,
        merchant=row.merchant,
        lang=row.lang,
        country=row.country,
        main_id=row.main_id,
        name=row.name,
        variant_type=row.variant_type,
        variant_value=row.variant_value,
        stock_count=row.stock_count if row.stock_set else row.main_stock_count,
        price=price,
        org_price=price if org_price is None else org_price,
        currency=row.currency,
        vat=row.vat,
        shipping=ShippingModel.from_wire(row.shipping or row.main_shipping),
        not_shoppable=bool(row.not_shoppable or row.main_not_shoppable),
        description=row.description or row.main_description or {},
    )


def find(connection: Connection, identifier: str) -> Product | None:
    """Return the product or variant with this id as it is sold now."""
    if "\0" in identifier:
        return None  # PostgreSQL can't store it, nor even be asked for it
    row = _FIND.one_or_none(connection, {"id": identifier})
    return None if row is None else _product(row)


def find_many(connection: Connection, identifiers: Iterable[str]) -> dict[str, Product]:
    """Return those of the products that exist, by id, with one query."""
    wanted = list(identifiers)
    if not wanted:
        return {}
    rows = connection.execute(_SALES_VIEW.where(products.c.id.in_(wanted)))
    return {row.id: _product(row) for row in rows}


def variants_of(connection: Connection, main_ids: Iterable[str]) -> dict[str, list[Product]]:
    """Return the variants of these main products, in their merchant's order, with one query."""
    wanted = list(main_ids)
    found: dict[str, list[Product]] = {main: [] for main in wanted}
    if wanted:
        query = _SALES_VIEW.where(products.c.main_id.in_(wanted)).order_by(products.c.position)
        for row in connection.execute(query):
            found[row.main_id].append(_product(row))
    return found


def wall(
    connection: Connection, *, lang: str, country: str, offset: int, limit: int
) -> tuple[list[Product], int]:
    """Return one page of the products that a kiosk offers, and how many there are in all."""
    offered = and_(
        products.c.main_id.is_(None),
        ~products.c.not_shoppable,
        products.c.lang == lang,
        products.c.country == country,
    )
    count = connection.execute(
        select(func.count()).select_from(products).where(offered, ~products.c.removed)
    ).scalar_one()
    query = _SALES_VIEW.where(offered).order_by(products.c.created, products.c.id)
    rows = connection.execute(query.offset(offset).limit(limit))
    return [_product(row) for row in rows], count


def put_product(
    connection: Connection,
    merchant: Merchant,
    *,
    now: datetime,
    sku: str,
    name: str,
    variants: Sequence[Mapping[str, Any]] = (),
    lang: str | None = None,
    country: str | None = None,
    not_shoppable: bool = False,
    volatile: Mapping[str, Any],
    description: Mapping[str, Any],
) -> dict[str, Any]:
    """Add a product with all its variants, or replace its description and variant set.

    Volatile fields that are absent keep the value that they have ("not set").

    :param volatile: any of ``stock_count, price, org_price, currency, vat, shipping``.
    :param description: the descriptive fields, named as on the wire.
    :returns: ``{"productId": ..., "variants": [{"sku": ..., "productId": ...}]}``
    :raises SkuTaken: a variant's SKU repeats, or is the SKU of another product.
    """
    lang, country = lang or merchant.lang, country or merchant.country
    skus = [variant["sku"] for variant in variants]
    if len({sku, *skus}) <= len(skus):
        raise SkuTaken
    main = product_id(merchant.name, lang, country, sku)
    locale = {"merchant_id": merchant.id, "lang": lang, "country": country}
    _check_owners(connection, locale, sku, skus, main)
    fields = {"name": name, "not_shoppable": not_shoppable, "description": dict(description)}
    _upsert(connection, {"id": main, "sku": sku, **locale, **fields, **_stored(volatile)}, now=now)
    ids = []
    for position, variant in enumerate(variants):
        identifier = product_id(merchant.name, lang, country, variant["sku"])
        given = {key: variant[key] for key in VOLATILE if key in variant}
        _upsert(
            connection,
            {
                "id": identifier,
                "sku": variant["sku"],
                **locale,
                "main_id": main,
                "position": position,
                "variant_type": variant.get("type"),
                "variant_value": variant.get("value"),
                **_stored(given),
            },
            now=now,
        )
        ids.append({"sku": variant["sku"], "productId": identifier})
    connection.execute(
        update(products)
        .where(products.c.main_id == main, products.c.sku.not_in(skus), ~products.c.removed)
        .values(removed=True, updated=now)
    )
    return {"productId": main, "variants": ids}


def _check_owners(
    connection: Connection, locale: Mapping[str, Any], sku: str, skus: Sequence[str], main: str
) -> None:
    query = select(products.c.sku, products.c.main_id).where(
        products.c.sku.in_([sku, *skus]),
        *(products.c[name] == value for name, value in locale.items()),
    )
    for row in connection.execute(query):
        # A main product stays one, and a variant stays with its main product.
        if row.main_id != (None if row.sku == sku else main):
            raise SkuTaken


def _stored(volatile: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in volatile.items() if name in VOLATILE}
    if "stock_count" in columns:
        columns["stock_set"] = True
    return columns


def _upsert(connection: Connection, row: dict[str, Any], *, now: datetime) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"main_id": None, **row, "removed": False, "updated": now}
    keep = {"id", "sku", "merchant_id", "lang", "country"}
    statement = dialect.insert(products).values(created=now, **row)
    statement = statement.on_conflict_do_update(
        index_elements=["id"],
        set_={name: value for name, value in row.items() if name not in keep},
        # Checked before, but two calls at once may give one variant to two products.
        where=products.c.main_id.is_not_distinct_from(statement.excluded.main_id),
    )
    if connection.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 0:
        raise SkuTaken


def update_volatile(
    connection: Connection,
    merchant: Merchant,
    *,
    now: datetime,
    items: Sequence[Mapping[str, Any]],
    shared: Mapping[str, Any],
    lang: str | None = None,
    country: str | None = None,
) -> dict[str, Any]:
    """Update stock, prices and the like of main products and variants, by SKU.

    Absent fields stay as they are; of a SKU that comes twice, the last one counts.

    :param items: ``{"sku", "stock_count"?, "price"?, "org_price"?}`` each.
    :param shared: ``currency``, ``vat`` and ``shipping`` for all of them, where given.
    :returns: ``{"updated": n, "unknownSkus": [...]}``
    """
    lang, country = lang or merchant.lang, country or merchant.country
    latest = {item["sku"]: item for item in items}
    unknown = []
    # Rows are locked in one order by everybody, so that parallel feeds can't deadlock.
    for sku in sorted(latest):
        values = _stored({**shared, **latest[sku]})
        statement = (
            update(products)
            .where(
                products.c.id == product_id(merchant.name, lang, country, sku),
                products.c.merchant_id == merchant.id,
                ~products.c.removed,
            )
            .values(**values, updated=now)
        )
        if connection.execute(statement).rowcount == 0:
            unknown.append(sku)
    return {
        "updated": len(latest) - len(unknown),
        "unknownSkus": [sku for sku in latest if sku in set(unknown)],
    }


def list_skus(
    connection: Connection,
    merchant: Merchant,
    *,
    lang: str | None = None,
    country: str | None = None,
    after: tuple[str, str, str] | None = None,
) -> tuple[list[dict[str, Any]], tuple[str, str, str] | None]:
    """Return one page of the SKUs of a merchant's main products, in blocks per locale.

    :param after: lang, country and SKU of the last entry of the page before.
    :returns: the blocks, and where the next page begins, None on the last one.
    """
    position = tuple_(products.c.lang, products.c.country, products.c.sku)
    query = select(products.c.lang, products.c.country, products.c.sku).where(
        products.c.merchant_id == merchant.id, products.c.main_id.is_(None), ~products.c.removed
    )
    if lang:
        query = query.where(products.c.lang == lang)
    if country:
        query = query.where(products.c.country == country)
    if after is not None:
        query = query.where(position > tuple_(*after))
    query = query.order_by(products.c.lang, products.c.country, products.c.sku)
    rows = connection.execute(query.limit(SKUS_PER_PAGE + 1)).all()
    blocks: dict[tuple[str, str], list[str]] = {}
    for row in rows[:SKUS_PER_PAGE]:
        blocks.setdefault((row.lang, row.country), []).append(row.sku)
    page = [
        {"skus": skus, "lang": lang, "country": country} for (lang, country), skus in blocks.items()
    ]
    if len(rows) <= SKUS_PER_PAGE:
        return page, None
    last = rows[SKUS_PER_PAGE - 1]
    return page, (last.lang, last.country, last.sku)


def change_config(
    connection: Connection, merchant: Merchant, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Change those fields of a merchant's configuration that are given; return all of it."""
    if changes:
        connection.execute(update(merchants).where(merchants.c.id == merchant.id).values(**changes))
    row = connection.execute(select(merchants).where(merchants.c.id == merchant.id)).one()
    return {name: getattr(row, name) for name in CONFIG_FIELDS}


CONFIG_FIELDS = (
    "shipping_strategy",
    "shipping_scale",
    "vat",
    "add_product_webhook_url",
    "update_products_webhook_url",
    "order_webhook_url",
    "order_email",
)
