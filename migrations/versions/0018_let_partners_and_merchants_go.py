"""Let partners and merchants be removed, and merchants have a name for people."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a server default, adding a column does not write the table anew.
    op.add_column("partners", sa.Column("removed", sa.DateTime(timezone=True)))
    op.add_column("merchants", sa.Column("removed", sa.DateTime(timezone=True)))
    op.add_column("merchants", sa.Column("display_name", sa.Text))


def downgrade() -> None:
    op.drop_column("merchants", "display_name")
    op.drop_column("merchants", "removed")
    op.drop_column("partners", "removed")
