"""Keep what is reserved of a product's stock, and what was sold since it was counted."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_OPEN = sa.text("sold_at IS NULL")


def upgrade() -> None:
    # A constant default: neither database writes the table anew for it.
    op.add_column(
        "products", sa.Column("taken", sa.Integer, nullable=False, server_default=sa.text("0"))
    )
    op.create_table(
        "stock_reservations",
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sold_at", sa.BigInteger),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
            name=op.f("fk_stock_reservations_product_id_products"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("product_id", "reference", name=op.f("pk_stock_reservations")),
    )
    op.create_index("ix_stock_reservations_reference", "stock_reservations", ["reference"])
    op.create_index(
        "ix_stock_reservations_expires",
        "stock_reservations",
        ["expires"],
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def downgrade() -> None:
    op.drop_table("stock_reservations")
    op.drop_column("products", "taken")
