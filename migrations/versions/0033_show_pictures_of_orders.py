"""What orders show of their lines, and which pictures stay for it."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pictures", sa.Column("ordered", sa.DateTime(timezone=True)))
    op.add_column("order_lines", sa.Column("picture", sa.JSON))


def downgrade() -> None:
    op.drop_column("order_lines", "picture")
    op.drop_column("pictures", "ordered")
