"""What becomes of a basket that was taken over, for the screen that it was taken from."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("transfers", sa.Column("purchase", sa.Text))


def downgrade() -> None:
    op.drop_column("transfers", "purchase")
