"""Merchants' shops that orders are put into, and what lies there."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "merchant_connectors",
        sa.Column("merchant_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("credentials", sa.Text, nullable=False),
        sa.Column("connected", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
            name=op.f("fk_merchant_connectors_merchant_id_merchants"),
        ),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_merchant_connectors")),
    )
    op.create_table(
        "handed_parts",
        sa.Column("routing_key", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("order_no", sa.Text, nullable=False),
        sa.Column("part", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("shop_id", sa.Text, nullable=False),
        sa.Column("seen", sa.JSON, nullable=False),
        sa.Column("problem", sa.Text),
        sa.Column("handed", _MOMENT, nullable=False),
        sa.Column("due", _MOMENT),
        sa.PrimaryKeyConstraint("routing_key", "order_no", "part", name=op.f("pk_handed_parts")),
    )
    op.create_index("ix_handed_parts_due", "handed_parts", ["due"])
    op.create_index("ix_handed_parts_merchant", "handed_parts", ["merchant_id"])


def downgrade() -> None:
    op.drop_table("handed_parts")
    op.drop_table("merchant_connectors")
