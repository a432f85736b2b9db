"""Keep what editors want, the webhooks that are on their way, and the token they carry."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WAITING = sa.text("state = 'waiting'")
VARIANT = sa.text("main_id IS NOT NULL")


def upgrade() -> None:
    # A plain ALTER, also on SQLite: other tables refer to this one, so it must not be made anew.
    op.add_column("merchants", sa.Column("webhook_token", sa.Text(), nullable=True))
    op.create_table(
        "wanted_skus",
        sa.Column("merchant_id", sa.Integer(), nullable=False),
        sa.Column("lang", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("wanted", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_wanted_skus_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint(
            "merchant_id", "lang", "country", "sku", name=op.f("pk_wanted_skus")
        ),
    )
    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("merchant_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'failed')",
            name=op.f("ck_webhook_deliveries_state"),
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
            name=op.f("fk_webhook_deliveries_merchant_id_merchants"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    op.create_index(
        "ix_webhook_deliveries_due",
        "webhook_deliveries",
        ["merchant_id", "kind", "due", "id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_index(
        "ix_webhook_deliveries_subject",
        "webhook_deliveries",
        ["merchant_id", "kind", "subject", "id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_index("ix_webhook_deliveries_finished", "webhook_deliveries", ["finished"])
    op.drop_index("ix_products_main_id", "products")
    op.create_index(
        "ix_products_main_id",
        "products",
        ["main_id", "position"],
        sqlite_where=VARIANT,
        postgresql_where=VARIANT,
    )
    op.create_index(
        "ix_products_skus",
        "products",
        ["merchant_id", "lang", "country", "sku"],
        sqlite_where=sa.text("main_id IS NULL AND removed = 0"),
        postgresql_where=sa.text("main_id IS NULL AND NOT removed"),
    )


def downgrade() -> None:
    op.drop_index("ix_products_skus", "products")
    op.drop_index("ix_products_main_id", "products")
    op.create_index("ix_products_main_id", "products", ["main_id", "position"])
    op.drop_table("webhook_deliveries")
    op.drop_table("wanted_skus")
    op.drop_column("merchants", "webhook_token")
