"""In which mode a provider tells, the ways to pay that it offers, and shares in the sandbox."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_AMOUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column(
        "psp_notices", sa.Column("test", sa.Boolean, nullable=False, server_default=sa.true())
    )
    op.add_column("checkout_sessions", sa.Column("methods", sa.JSON))
    op.create_table(
        "sandbox_transfers",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("intent_id", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.Column("reversed", _AMOUNT, nullable=False, server_default=sa.text("0")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_transfers")),
    )
    op.create_index("ix_sandbox_transfers_intent_id", "sandbox_transfers", ["intent_id"])
    op.create_table(
        "sandbox_reversals",
        sa.Column("transfer_id", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", "reason", name=op.f("pk_sandbox_reversals")),
    )


def downgrade() -> None:
    op.drop_table("sandbox_reversals")
    op.drop_table("sandbox_transfers")
    op.drop_column("checkout_sessions", "methods")
    op.drop_column("psp_notices", "test")
