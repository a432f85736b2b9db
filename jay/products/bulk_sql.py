"""The statements around the storing of products: what is there, what moves, what goes."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    bindparam,
    func,
    select,
    true,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from jay.db.prepared import Prepared, TextsInJson, among
from jay.merchants.models import merchants
from jay.products.models import products
from jay.products.prices import STATE

INDEXED = ("search", "not_shoppable", "removed", "main_id", "position")
"""What a description changes and an index holds."""


class listed(among):  # noqa: N801 - it stands for an operator
    """``among`` for long lists: PostgreSQL uses the index, whatever it knows of the table."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[str], name: str) -> None:
        super().__init__(column, name)
        self.listed = bindparam(name, type_=TextsInJson())


@compiles(listed, "postgresql")
def _listed_on_postgresql(element: listed, compiler: SQLCompiler, **kwargs: Any) -> str:
    column, texts = (compiler.process(part, **kwargs) for part in (element.column, element.listed))
    return f"{column} = ANY (ARRAY(SELECT json_array_elements_text(({texts})::json)))"


LOCK_MERCHANT = Prepared(
    select(merchants.c.id)
    .where(merchants.c.id == bindparam("merchant"), merchants.c.removed.is_(None))
    .with_for_update(key_share=True)
)
LOCK = Prepared(
    select(products.c.id)
    .where(listed(products.c.id, "ids"))
    .order_by(products.c.id)
    .with_for_update(key_share=True)
)
_PRICED_AT = ("priced_since", "price_as_of", "org_price_as_of", "currency_as_of")
LOOK_UP = Prepared(
    select(
        *(
            products.c[name]
            for name in ("id", "described_as_of", "taken", *INDEXED, *_PRICED_AT, *STATE)
        ),
    )
    .where(listed(products.c.id, "ids"))
    .order_by(products.c.id)
    .with_for_update(key_share=True)
)
"""What is there of products that are to be written.

They are locked: their prices stay so, and nobody buys of them.
"""

FAMILIES = Prepared(
    select(*(products.c[name] for name in ("main_id", "id", "sku", "position", "described_as_of")))
    .where(listed(products.c.main_id, "ids"), ~products.c.removed)
    .order_by(products.c.main_id, products.c.position)
)
DESCRIBED = Prepared(
    select(*(products.c[name] for name in ("id", "sku", "name", "description", "search"))).where(
        listed(products.c.id, "ids")
    )
)
GROUPS = Prepared(
    select(
        *(products.c[name] for name in ("id", "sku", "lang", "country", "name", "description")),
        *(products.c[name] for name in ("not_shoppable", "variant_type", "variant_value")),
    ).where(listed(products.c.id, "ids"))
)
_child = products.alias("child")
REMOVE_ABANDONED = Prepared(
    update(products)
    .where(
        listed(products.c.id, "ids"),
        ~products.c.removed,
        ~products.c.stock_set,
        products.c.main_id.is_(None),
        func.coalesce(products.c.described_as_of, 0) < bindparam("as_of"),
        ~select(_child.c.id)
        .where(_child.c.main_id == products.c.id, ~_child.c.removed)
        .correlate(products)
        .exists(),
    )
    .values(removed=true(), search=None, updated=bindparam("now", type_=products.c.updated.type))
)
"""Takes out main products that have lost their last variant, and were never sold themselves."""

SET_SEARCH = Prepared(
    update(products).where(products.c.id == bindparam("key")).values(search=bindparam("found_by"))
)
REMOVE = Prepared(
    update(products)
    .where(listed(products.c.id, "ids"))
    .values(removed=true(), updated=bindparam("now", type_=products.c.updated.type))
)
FORGET = Prepared(
    update(products)
    .where(listed(products.c.id, "ids"))
    .values(search=None, described_as_of=bindparam("as_of", type_=BigInteger))
)
_main = products.alias("main")
REMOVE_UNSEEN = Prepared(
    update(products)
    .where(
        listed(products.c.id, "ids"),
        ~products.c.removed,
        func.coalesce(products.c.described_as_of, 0) < bindparam("as_of"),
        products.c.main_id.in_(
            select(_main.c.id).where(_main.c.described_as_of == bindparam("as_of"))
        ),
    )
    .values(removed=true(), updated=bindparam("now", type_=products.c.updated.type))
    .returning(products.c.main_id)
)
