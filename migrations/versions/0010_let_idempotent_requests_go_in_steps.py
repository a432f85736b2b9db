"""Let requests with an idempotency key go in steps: a lease, and how far they have come."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("idempotency_keys") as table:
        table.alter_column("answer", existing_type=sa.Text(), nullable=True)
        table.add_column(sa.Column("progress", sa.Text()))
        table.add_column(sa.Column("lease", sa.Text()))
        table.add_column(sa.Column("leased_until", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.execute("DELETE FROM idempotency_keys WHERE answer IS NULL")
    with op.batch_alter_table("idempotency_keys") as table:
        for name in ("progress", "lease", "leased_until"):
            table.drop_column(name)
        table.alter_column("answer", existing_type=sa.Text(), nullable=False)
