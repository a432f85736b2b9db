"""Products as their merchant has described them, one by one or all of them in order."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select, tuple_

from jay.db.prepared import Prepared
from jay.merchants.models import Merchant
from jay.products.bulk_sql import listed
from jay.products.models import SALE, product_id, products

PAGE = 500
Position = tuple[str, str, str]
"""Language, country and SKU."""

START: Position = ("", "", "")

_KEY = (products.c.lang, products.c.country, products.c.sku)
_FIELDS = (
    *("id", "main_id", "sku", "name", "lang", "country", "not_shoppable", "description"),
    *("variant_type", "variant_value", "stock_set", "stock_count", "price", "org_price", *SALE),
    *("currency", "vat", "vat_as_of", "shipping", "shipping_as_of"),
)
_SELECT = select(*(products.c[name] for name in _FIELDS)).where(~products.c.removed)
_PAGE = Prepared(
    _SELECT.where(
        products.c.merchant_id == bindparam("merchant"),
        products.c.main_id.is_(None),
        tuple_(*_KEY) > tuple_(bindparam("lang"), bindparam("country"), bindparam("sku")),
    )
    .order_by(*_KEY)
    .limit(PAGE)
)
_ONE = Prepared(_SELECT.where(products.c.id == bindparam("id")))
_VARIANTS = Prepared(
    _SELECT.where(listed(products.c.main_id, "mains")).order_by(
        products.c.main_id, products.c.position
    )
)


class Described(NamedTuple):
    """A main product and its variants, as rows with the fields by the names of the columns.

    What is None was not set, but for a stock with ``stock_set``: that one is without limit.
    """

    main: Any
    variants: Sequence[Any]


def page(
    connection: Connection, merchant: Merchant, after: Position
) -> tuple[list[Described], Position | None]:
    """Return the next products of a merchant, and where to go on; None at the end.

    :param after: ``START``, or what was returned before.
    """
    lang, country, sku = after
    given = {"merchant": merchant.id, "lang": lang, "country": country, "sku": sku}
    mains = _PAGE.all(connection, given)
    if not mains:
        return [], None
    last = mains[-1]
    return _with_variants(connection, mains), (last.lang, last.country, last.sku)


def find(
    connection: Connection, merchant: Merchant, lang: str | None, country: str | None, sku: str
) -> Described | None:
    """Return the product with this SKU; for a variant's SKU, the product that it belongs to."""
    identifier = product_id(merchant.name, lang or merchant.lang, country or merchant.country, sku)
    row = None if "\0" in sku else _ONE.one_or_none(connection, {"id": identifier})
    if row is not None and row.main_id is not None:
        row = _ONE.one_or_none(connection, {"id": row.main_id})
    return None if row is None else _with_variants(connection, [row])[0]


def _with_variants(connection: Connection, mains: Iterable[Any]) -> list[Described]:
    families: dict[str, list[Any]] = {main.id: [] for main in mains}
    for row in _VARIANTS.all(connection, {"mains": list(families)}):
        families[row.main_id].append(row)
    return [Described(main, families[main.id]) for main in mains]
