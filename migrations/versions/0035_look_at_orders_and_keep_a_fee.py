"""What an operator has to look at in orders, and the fee that the operator keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_NEEDED = sa.text("attention IS NOT NULL")


def upgrade() -> None:
    op.add_column("order_parts", sa.Column("attention", sa.Text))
    op.create_index(
        "ix_order_parts_attention",
        "order_parts",
        ["created", "order_no", "number"],
        sqlite_where=_NEEDED,
        postgresql_where=_NEEDED,
    )
    op.add_column("merchants", sa.Column("fee_percent", sa.Float(53)))
    op.add_column(
        "partners", sa.Column("fee_percent", sa.Float(53), nullable=False, server_default="0")
    )


def downgrade() -> None:
    op.drop_column("partners", "fee_percent")
    op.drop_column("merchants", "fee_percent")
    op.drop_index("ix_order_parts_attention", "order_parts")
    op.drop_column("order_parts", "attention")
