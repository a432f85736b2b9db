"""Keep what products have cost: a reduction may only be told of with what was asked before.

What is there begins its history now: what it has cost before, nobody has written down. So for the
products of merchants who are there, this moment is kept.

On PostgreSQL the descriptions are read before the table is changed, a range of ids at a time: from
then on until the end nobody else reads it. What the programs of before write meanwhile is as what
they write afterwards: they know no recommended prices.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_AMOUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

AT_ONCE = 5_000
"""Products whose descriptions are read by one statement."""


def upgrade() -> None:
    now = (datetime.now(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    if on_postgresql:
        _read_kinds(op.get_bind())
    # PostgreSQL keeps a default of before with the rows that are there, and writes none of them.
    default = str(now) if on_postgresql else None
    op.add_column("products", sa.Column("priced_since", sa.BigInteger, server_default=default))
    op.add_column("products", sa.Column("rrp", sa.Boolean))
    if on_postgresql:
        op.alter_column("products", "priced_since", server_default=None)
        op.execute("UPDATE products SET rrp = k.rrp FROM kinds k WHERE products.id = k.id")
    else:
        op.execute(f"UPDATE products SET priced_since = {now}")  # noqa: S608 - a number
        kind = "json_extract(description, '$.orgPriceKind')"
        said = f"description IS NOT NULL AND {kind} IS NOT NULL"
        op.execute(f"UPDATE products SET rrp = ({kind} = 'rrp') WHERE {said}")  # noqa: S608
    op.add_column("merchants", sa.Column("currency_since", sa.DateTime(timezone=True)))
    op.add_column("merchants", sa.Column("prices_since", sa.BigInteger))
    op.execute(f"UPDATE merchants SET prices_since = {now}")  # noqa: S608 - a number
    op.create_table(
        "price_history",
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("price", _AMOUNT),
        sa.Column("sale_price", _AMOUNT),
        sa.Column("sale_from", sa.BigInteger),
        sa.Column("sale_until", sa.BigInteger),
        sa.Column("org_price", _AMOUNT),
        sa.Column("currency", sa.Text),
        sa.Column("rrp", sa.Boolean),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
            name=op.f("fk_price_history_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "since", name=op.f("pk_price_history")),
    )
    op.create_index("ix_price_history_until", "price_history", ["until"])


def _read_kinds(connection: sa.Connection) -> None:
    connection.exec_driver_sql("CREATE TEMP TABLE kinds (id text, rrp boolean) ON COMMIT DROP")
    kind = "description ->> 'orgPriceKind'"
    read = sa.text(
        f"INSERT INTO kinds SELECT id, {kind} = 'rrp' FROM products"  # noqa: S608 - from above
        f" WHERE id > :after AND id <= :last AND description IS NOT NULL AND {kind} IS NOT NULL"
    )
    for after, last in _ranges(connection, AT_ONCE):
        connection.execute(read, {"after": after, "last": last})


def _ranges(connection: sa.Connection, most: int) -> Iterator[tuple[str, str]]:
    """Yield ranges of ids, the first one left out, that hold so many products at most."""
    after = ""
    ids = "SELECT id FROM products WHERE id > :after ORDER BY id LIMIT :most"
    query = sa.text(f"SELECT max(id) FROM ({ids}) AS one_range")  # noqa: S608 - from above
    while last := connection.execute(query, {"after": after, "most": most}).scalar_one():
        yield after, last
        after = last


def downgrade() -> None:
    op.drop_table("price_history")
    op.drop_column("merchants", "prices_since")
    op.drop_column("merchants", "currency_since")
    op.drop_column("products", "rrp")
    op.drop_column("products", "priced_since")
