"""What merchants' webhooks about orders are signed with."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("merchants", sa.Column("order_secrets", sa.Text))


def downgrade() -> None:
    op.drop_column("merchants", "order_secrets")
