"""Withdrawals: what was declared, sealed, and whether somebody has to look at it."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_IS_OPEN = sa.text("closed IS NULL")


def upgrade() -> None:
    op.create_table(
        "withdrawals",
        sa.Column("routing_key", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("order_no", sa.Text),
        sa.Column("parts", sa.JSON, nullable=False),
        sa.Column("unclear", sa.Text),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("lang", sa.Text, nullable=False),
        sa.Column("received", _MOMENT, nullable=False),
        sa.Column("closed", _MOMENT),
        sa.PrimaryKeyConstraint("routing_key", "id", name=op.f("pk_withdrawals")),
    )
    op.create_index(
        "ix_withdrawals_open",
        "withdrawals",
        ["received"],
        sqlite_where=_IS_OPEN,
        postgresql_where=_IS_OPEN,
    )


def downgrade() -> None:
    op.drop_table("withdrawals")
