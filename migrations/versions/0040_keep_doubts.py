"""What is doubtful about refunds in shops stays until an operator has attended to it."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("order_parts", sa.Column("doubts", sa.Text))


def downgrade() -> None:
    op.drop_column("order_parts", "doubts")
