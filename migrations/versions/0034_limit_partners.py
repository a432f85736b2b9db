"""A partner's own limits: requests a minute, by the name of the limit."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("partners", sa.Column("limits", sa.JSON(none_as_null=True)))


def downgrade() -> None:
    op.drop_column("partners", "limits")
