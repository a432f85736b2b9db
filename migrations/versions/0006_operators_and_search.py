"""Give operators accounts, and let products be found by words."""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH = 2_000
MAX_BYTES = 1_700

products = sa.table(
    "products",
    sa.column("id", sa.Text()),
    sa.column("main_id", sa.Text()),
    sa.column("sku", sa.Text()),
    sa.column("position", sa.Integer()),
    sa.column("removed", sa.Boolean()),
    sa.column("name", sa.Text()),
    sa.column("description", sa.JSON()),
    sa.column("search", sa.Text()),
)


def upgrade() -> None:
    op.create_table(
        "operators",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_changed", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_operators_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("name", name=op.f("uq_operators_name")),
    )
    op.create_table(
        "operator_sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("operator_id", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"],
            ["operators.id"],
            name=op.f("fk_operator_sessions_operator_id_operators"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_operator_sessions")),
    )
    op.create_index("ix_operator_sessions_created", "operator_sessions", ["created"])
    op.create_index("ix_operator_sessions_operator_id", "operator_sessions", ["operator_id"])
    op.add_column("products", sa.Column("search", sa.Text(), nullable=True))
    _fill()
    op.create_index(
        "ix_products_catalogue",
        "products",
        ["search", "id", "merchant_id", "lang", "country", "not_shoppable"],
        sqlite_where=sa.text("search IS NOT NULL"),
        postgresql_where=sa.text("search IS NOT NULL"),
    )


def _fill() -> None:
    connection, after = op.get_bind(), ""
    query = (
        sa.select(products.c.id, products.c.sku, products.c.name, products.c.description)
        .where(products.c.main_id.is_(None), products.c.id > sa.bindparam("after"))
        .order_by(products.c.id)
        .limit(BATCH)
    )
    change = sa.update(products).where(products.c.id == sa.bindparam("key"))
    while rows := connection.execute(query, {"after": after}).all():
        skus: dict[str, list[str]] = {row.id: [row.sku] for row in rows}
        variants = (
            sa.select(products.c.main_id, products.c.sku)
            .where(products.c.main_id.in_(list(skus)), ~products.c.removed)
            .order_by(products.c.main_id, products.c.position)
        )
        for variant in connection.execute(variants):
            skus[variant.main_id].append(variant.sku)
        texts = [
            {"key": row.id, "text": _text(row.name, _brand(row.description), *skus[row.id])}
            for row in rows
        ]
        connection.execute(change.values(search=sa.bindparam("text")), texts)
        after = rows[-1].id


def _brand(description: dict[str, object] | None) -> str:
    brand = (description or {}).get("brand") or ""
    return str(brand["name"] if isinstance(brand, dict) else brand)


def _text(*parts: str | None) -> str:
    # As jay/products/search.py writes it at the time of this migration.
    text = " ".join(filter(None, map(_fold, parts)))
    return text.encode("utf-8", "replace")[:MAX_BYTES].decode("utf-8", "ignore")


def _fold(part: str | None) -> str:
    letters = unicodedata.normalize("NFKD", part or "")
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(plain.casefold().split())


def downgrade() -> None:
    op.drop_index("ix_products_catalogue", "products")
    op.drop_column("products", "search")
    op.drop_table("operator_sessions")
    op.drop_table("operators")
