"""Use cases of the catalogue: what is sold, as baskets and pages read it."""

from collections import namedtuple
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal_column,
    or_,
    outerjoin,
    select,
    true,
    union_all,
)

from jay.db.prepared import Prepared, among
from jay.merchants.models import merchants
from jay.products.models import Product, Variant, available, microseconds, products
from jay.products.price_history import lowest
from jay.products.shipping import ShippingModel

_main = products.alias("main")


_NOW = bindparam("now", type_=BigInteger)


def _on_sale(table: FromClause) -> ColumnElement[bool]:
    return and_(
        table.c.sale_price < table.c.price,
        func.coalesce(table.c.sale_from, _NOW) <= _NOW,
        or_(table.c.sale_until.is_(None), table.c.sale_until > _NOW),
    )


def _price(table: FromClause) -> ColumnElement[Any]:
    """Return what something costs at ``now``."""
    return case((_on_sale(table), table.c.sale_price), else_=table.c.price)


def _org_price(table: FromClause) -> ColumnElement[Any]:
    """Return what something cost before, at ``now``: during a sale at least its price."""
    before = func.coalesce(table.c.org_price, table.c.price)
    return case((_on_sale(table), before), else_=table.c.org_price)


def _own_or_main(name: str) -> Any:
    return func.coalesce(products.c[name], _main.c[name]).label(name)


_SALES_VIEW = (
    select(
        products.c.id,
        products.c.sku,
        products.c.merchant_id,
        merchants.c.name.label("merchant"),
        func.coalesce(merchants.c.display_name, merchants.c.name).label("seller"),
        products.c.lang,
        products.c.country,
        products.c.main_id,
        _own_or_main("name"),
        products.c.variant_type,
        products.c.variant_value,
        products.c.stock_set,
        available(products).label("stock_count"),
        available(_main).label("main_stock_count"),
        _price(products).label("price"),
        _org_price(products).label("org_price"),
        _price(_main).label("main_price"),
        _org_price(_main).label("main_org_price"),
        func.coalesce(products.c.rrp, _main.c.rrp).label("rrp"),
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
        products.c.own_images,
        _main.c.own_images.label("main_own_images"),
    )
    # There is always a merchant. As an inner join, PostgreSQL would begin with the merchants and
    # look at all products of each where it does not know yet how many there are.
    .outerjoin_from(products, merchants, merchants.c.id == products.c.merchant_id)
    .outerjoin(_main, _main.c.id == products.c.main_id)
    .where(~products.c.removed, merchants.c.removed.is_(None))
)

_SOLD = _SALES_VIEW.where(products.c.id == bindparam("sold_id")).subquery("sold")
_SoldRow = namedtuple("_SoldRow", _SOLD.c.keys())  # type: ignore[misc]
_FIND = Prepared(_SALES_VIEW.where(products.c.id == bindparam("id")))
_MANY = _SALES_VIEW.where(among(products.c.id, "ids"))
_FIND_MANY = Prepared(_MANY)
_variant = products.alias("variant")
_HAS_VARIANTS = exists().where(_variant.c.main_id == products.c.id, ~_variant.c.removed)
_FIND_MANY_WITH_CHOICES = Prepared(_MANY.add_columns(_HAS_VARIANTS.label("has_variants")))
# A main product with a value of its own is one of its variants, the first one. Said as IS NULL,
# PostgreSQL would look at the whole index of main products where it does not know how many it has.
_IS_MAIN = func.coalesce(products.c.main_id, products.c.id) == products.c.id
_IS_CHOICE = and_(_IS_MAIN, products.c.variant_value.is_not(None))
_OF_MAINS = (
    select(
        products.c.main_id,
        products.c.id,
        products.c.variant_type,
        products.c.variant_value,
        func.coalesce(_price(products), _price(_main)).label("price"),
        case(
            (products.c.price.is_(None), func.coalesce(_org_price(_main), _main.c.price)),
            else_=func.coalesce(_org_price(products), products.c.price),
        ).label("org_price"),
        case((products.c.stock_set, available(products)), else_=available(_main)).label(
            "stock_count"
        ),
        products.c.position,
    )
    .join_from(products, _main, _main.c.id == products.c.main_id)
    # Said of both sides of the join: PostgreSQL would read all of the other one.
    .where(among(products.c.main_id, "mains"), among(_main.c.id, "mains"), ~products.c.removed)
)
_MAINS_THEMSELVES = select(
    products.c.id,
    products.c.id,
    products.c.variant_type,
    products.c.variant_value,
    _price(products),
    func.coalesce(_org_price(products), products.c.price),
    available(products),
    literal_column("-1"),
).where(among(products.c.id, "mains"), _IS_CHOICE, ~products.c.removed)
_BOTH = union_all(_OF_MAINS, _MAINS_THEMSELVES).subquery()
_CHOICES = Prepared(
    select(*list(_BOTH.c)[:-1]).order_by(_BOTH.c.position),
)


def _product(row: Any) -> Product:
    price, org_price = row.price, row.org_price
    if price is None:
        price, org_price = row.main_price, row.main_org_price
    return Product(
        id=row.id,
        sku=row.sku,
        merchant_id=row.merchant_id,
        merchant=row.merchant,
        seller=row.seller,
        lang=row.lang,
        country=row.country,
        main_id=row.main_id,
        name=row.name,
        variant_type=row.variant_type,
        variant_value=row.variant_value,
        stock_count=row.stock_count if row.stock_set else row.main_stock_count,
        stock_id=row.id if row.stock_set else row.main_id or row.id,
        price=price,
        org_price=price if org_price is None else org_price,
        currency=row.currency,
        vat=row.vat,
        # An empty model is one: it costs nothing.
        shipping=ShippingModel.from_wire(
            row.main_shipping if row.shipping is None else row.shipping
        ),
        not_shoppable=bool(row.not_shoppable or row.main_not_shoppable),
        description=with_own_images(
            _described(row.description, row.main_description),
            row.own_images or row.main_own_images,
        ),
        rrp=bool(row.rrp),
    )


def _products(connection: Connection, rows: Iterable[Any], now: datetime) -> list[Product]:
    """Return products as they are sold now, those that are reduced with what they cost before."""
    found = [_product(row) for row in rows]
    before = _lowest(connection, found, now)
    return [one._replace(lowest_price=before[one.id]) if one.id in before else one for one in found]


def _lowest(
    connection: Connection, found: Iterable[Product | Variant], now: datetime
) -> dict[str, int]:
    reduced = {
        one.id: one.main_id
        for one in found
        if one.price is not None and one.org_price is not None and one.org_price > one.price
    }
    return lowest(connection, reduced, now=now)


def _described(own: Mapping[str, Any] | None, main: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what describes a product; of a variant, what it says itself and else its product."""
    return {**main, **own} if own and main else own or main or {}


def with_own_images(
    description: Mapping[str, Any], own: Sequence[Mapping[str, Any]] | None
) -> Mapping[str, Any]:
    """Return a description with the pictures that the merchant has sent itself.

    One in place of another keeps what is said of that, such as whose it is.

    :param own: with their positions, from 1 on; one behind the last comes behind it.
    """
    if not own:
        return description
    images = list(description.get("images") or ())
    for one in sorted(own, key=lambda one: one["position"]):
        place = one["position"] - 1
        named = images[place] if place < len(images) else {}
        images[place : place + 1] = [{**named, "url": one["url"]}]
    return {**description, "images": images}


def find(connection: Connection, identifier: str, *, now: datetime) -> Product | None:
    """Return the product or variant with this id as it is sold now."""
    if "\0" in identifier:
        return None  # PostgreSQL can't store it, nor even be asked for it
    row = _FIND.one_or_none(connection, {"id": identifier, "now": microseconds(now)})
    return None if row is None else _products(connection, [row], now)[0]


def beside(query: "Select[Any]", table: FromClause) -> Prepared:
    """Return a query for one row of a table and, beside it, a product: one round trip for both.

    Its row is a pair of the row and of what ``from_beside`` takes, its parameters are those of the
    query and of ``sought``.
    """
    row = namedtuple("Row", query.selected_columns.keys())  # type: ignore[misc]
    width = len(row._fields)
    joined = query.select_from(outerjoin(table, _SOLD, true()))
    return Prepared(
        # Both have an id, and more of one name.
        joined.add_columns(*(column.label(f"sold_{column.key}") for column in _SOLD.c)),
        lambda *values: (row._make(values[:width]), _SoldRow._make(values[width:])),
    )


def sought(identifier: str, *, now: datetime) -> dict[str, Any]:
    """Return the parameters that name the product of ``beside``."""
    # PostgreSQL can't be asked for a NUL; no product has an empty id, either.
    return {"sold_id": "" if "\0" in identifier else identifier, "now": microseconds(now)}


def from_beside(connection: Connection, row: Any, *, now: datetime) -> Product | None:
    """Return the product that was found as it is sold now, or None if there is no such product."""
    return None if row.id is None else _products(connection, [row], now)[0]


def find_many(
    connection: Connection, identifiers: Iterable[str], *, now: datetime
) -> dict[str, Product]:
    """Return those of the products that exist, by id.

    It is one query, and one more if any is reduced: for what it cost before.
    """
    rows = _rows(connection, _FIND_MANY, identifiers, now)
    return {one.id: one for one in _products(connection, rows, now)}


def find_with_choices(
    connection: Connection, identifiers: Iterable[str], *, now: datetime
) -> tuple[dict[str, Product], dict[str, list[Variant]]]:
    """Return what ``find_many`` does, and ``choices_of`` those that come in variants.

    Where none does, no query asks for any.
    """
    rows = _rows(connection, _FIND_MANY_WITH_CHOICES, identifiers, now)
    found = {one.id: one for one in _products(connection, rows, now)}
    mains = dict.fromkeys(
        row.main_id or row.id
        for row in rows
        if row.has_variants or row.main_id is not None or row.variant_value is not None
    )
    return found, choices_of(connection, mains, now=now)


def _rows(
    connection: Connection, query: Prepared, identifiers: Iterable[str], now: datetime
) -> list[Any]:
    # PostgreSQL can't be asked for a NUL.
    wanted = [identifier for identifier in identifiers if "\0" not in identifier]
    return query.all(connection, {"ids": wanted, "now": microseconds(now)}) if wanted else []


def variants_of(
    connection: Connection, main_ids: Iterable[str], *, now: datetime
) -> dict[str, list[Product]]:
    """Return the variants of these main products, in their merchant's order.

    A main product that is one of its variants comes first.
    """
    wanted = list(main_ids)
    found: dict[str, list[Product]] = {main: [] for main in wanted}
    if wanted:
        themselves = and_(products.c.id.in_(wanted), _IS_CHOICE)
        query = _SALES_VIEW.where(or_(products.c.main_id.in_(wanted), themselves))
        order = products.c.main_id.is_not(None), products.c.position
        rows = connection.execute(query.order_by(*order), {"now": microseconds(now)})
        for product in _products(connection, rows, now):
            found[product.main_id or product.id].append(product)
    return found


def choices_of(
    connection: Connection, main_ids: Iterable[str], *, now: datetime
) -> dict[str, list[Variant]]:
    """Return the variants as ``variants_of``, with nothing but what sets each apart."""
    wanted = list(main_ids)
    found: dict[str, list[Variant]] = {main: [] for main in wanted}
    if wanted:
        given = {"mains": wanted, "now": microseconds(now)}
        variants = [Variant(*row) for row in _CHOICES.all(connection, given)]
        before = _lowest(connection, variants, now)
        for one in variants:
            found[one.main_id].append(one._replace(lowest_price=before.get(one.id)))
    return found
