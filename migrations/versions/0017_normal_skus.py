"""Write SKUs that were stored with blanks at their ends, or decomposed, as they are sent today.

Product ids end with the SKU, so these rows get another one: it is changed in baskets, too.
Where the row of today's writing is there already, that one stays and the older one is taken out,
but of a removed one and one that is sold, the one that is sold stays. In a basket the two become
one entry with the larger count, as when baskets are merged.
"""

import unicodedata
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_BLANKS = "".join(c for c in map(chr, range(0x10000)) if c.isspace()) + (
    "\u180e\u200b\u200c\u200d\u2060\ufeff"
)
_STREAMED = {"yield_per": 10_000}
"""Catalogues and baskets are many, and nearly none of them are concerned."""

_SAME = ("partner_id", "user_id", "routing_key")


def upgrade() -> None:
    connection = op.get_bind()
    tables = sa.MetaData()
    tables.reflect(connection, only=("products", "wanted_skus", "baskets"))
    renamed = _rename_products(connection, tables.tables["products"])
    if renamed:
        _rename_in_baskets(connection, tables.tables["baskets"], renamed)
    _rename_wishes(connection, tables.tables["wanted_skus"])


def downgrade() -> None:
    """Nothing is lost by what they are called now."""


def _normal(sku: str) -> str:
    return unicodedata.normalize("NFC", sku.strip(_BLANKS))


def _rename_products(connection: sa.Connection, products: sa.Table) -> dict[str, str]:
    """Return the new ids by the old ones."""
    known = products.c.id, products.c.sku, products.c.removed, products.c.updated
    odd = [
        row
        for row in connection.execute(sa.select(*known), execution_options=_STREAMED)
        if (normal := _normal(row.sku)) and normal != row.sku
    ]
    if not odd:
        return {}
    # Of several that become one, the one that is sold and was changed last stays.
    odd.sort(key=lambda row: (row.removed, -row.updated.timestamp()))
    renamed = {row.id: row.id.removesuffix(row.sku) + _normal(row.sku) for row in odd}
    taken = _there(connection, products, renamed.values())
    copied = [column.name for column in products.columns if column.name not in {"id", "sku"}]
    for row in odd:
        new = renamed[row.id]
        mine = products.c.id == row.id
        if new in taken and (row.removed or not taken[new]):
            connection.execute(sa.update(products).where(mine).values(removed=True, search=None))
            continue
        if new in taken:  # removed, and so a place for the one that is sold
            taken[new] = False
            old = products.alias("old")
            values = {
                name: sa.select(old.c[name]).where(old.c.id == row.id).scalar_subquery()
                for name in copied
            }
            there = products.c.id == new
            connection.execute(sa.update(products).where(there).values(values))
            continue
        taken[new] = row.removed
        names = sa.literal(new), sa.literal(_normal(row.sku))
        copy = sa.select(*names, *(products.c[name] for name in copied)).where(mine)
        connection.execute(sa.insert(products).from_select(["id", "sku", *copied], copy))
    for old, new in renamed.items():
        connection.execute(sa.update(products).where(products.c.main_id == old).values(main_id=new))
    for row in odd:
        connection.execute(sa.delete(products).where(products.c.id == row.id))
    _search_anew(connection, products, set(renamed.values()))
    return renamed


def _there(connection: sa.Connection, products: sa.Table, ids: Iterable[str]) -> dict[str, bool]:
    """Return which of the ids are there, and whether they are removed."""
    found: dict[str, bool] = {}
    for identifier in set(ids):
        query = sa.select(products.c.id, products.c.removed).where(products.c.id == identifier)
        found |= {row.id: bool(row.removed) for row in connection.execute(query)}
    return found


def _search_anew(connection: sa.Connection, products: sa.Table, ids: set[str]) -> None:
    """Write again what the main products of these are found by: the SKUs are in it."""
    of_variants = sa.select(products.c.main_id).where(products.c.id == sa.bindparam("key"))
    mains = {connection.execute(of_variants, {"key": one}).scalar() or one for one in ids}
    names = ("id", "sku", "name", "description", "search")
    for main in mains:
        query = sa.select(*(products.c[name] for name in names)).where(products.c.id == main)
        row = connection.execute(query).one()
        if row.search is None:
            continue
        variants = (
            sa.select(products.c.sku)
            .where(products.c.main_id == main, ~products.c.removed)
            .order_by(products.c.position)
        )
        brand = (row.description or {}).get("brand") or ""
        named = brand.get("name", "") if isinstance(brand, dict) else str(brand)
        words = (row.name or "", named, row.sku, *connection.execute(variants).scalars())
        written = _folded(" ".join(words)).encode("utf-8", "replace")[:1_700]
        found_by = written.decode("utf-8", "ignore")
        connection.execute(sa.update(products).where(products.c.id == main).values(search=found_by))


def _folded(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.replace("\0", " "))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split())


def _rename_in_baskets(
    connection: sa.Connection, baskets: sa.Table, renamed: dict[str, str]
) -> None:
    key = [baskets.c[name] for name in _SAME]
    changed = []
    every = sa.select(*key, baskets.c.entries)
    for row in connection.execute(every, execution_options=_STREAMED):
        entries = _with_new_ids(row.entries, renamed)
        if entries is not None:
            changed.append((row, entries))
    for row, entries in changed:
        same = [column == getattr(row, column.name) for column in key]
        values = {"entries": entries, "version": baskets.c.version + 1}
        connection.execute(sa.update(baskets).where(*same).values(**values))


def _with_new_ids(entries: list[Any], renamed: dict[str, str]) -> list[Any] | None:
    """Return the entries with the new ids, each once; None where nothing changes.

    Of two that become one, the larger count stays where it is: a cart wins over what is saved.
    """
    if not any(entry["id"] in renamed for entry in entries):
        return None
    kept: dict[str, Any] = {}
    for entry in sorted(entries, key=lambda entry: _rank(entry, renamed)):
        kept.setdefault(renamed.get(entry["id"], entry["id"]), entry)
    ids = {id(entry): identifier for identifier, entry in kept.items()}
    return [{**entry, "id": ids[id(entry)]} for entry in entries if id(entry) in ids]


def _rank(entry: dict[str, Any], renamed: dict[str, str]) -> tuple[int, bool, bool]:
    return -entry["count"], not entry.get("checkout"), entry["id"] in renamed


def _rename_wishes(connection: sa.Connection, wishes: sa.Table) -> None:
    for row in connection.execute(sa.select(wishes)).all():
        normal = _normal(row.sku)
        if normal == row.sku or not normal:
            continue
        given = row._asdict()
        place = [wishes.c[name] == given[name] for name in ("merchant_id", "lang", "country")]
        connection.execute(sa.delete(wishes).where(*place, wishes.c.sku == row.sku))
        there = sa.select(wishes.c.sku).where(*place, wishes.c.sku == normal)
        if connection.execute(there).scalar() is None:
            connection.execute(sa.insert(wishes).values({**given, "sku": normal}))
