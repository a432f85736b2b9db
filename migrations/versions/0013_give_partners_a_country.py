"""Let a partner say in which country it sells: the language of a page picks texts only."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Kiosks have shown German offers so far, but for whoever chose English.
    op.add_column("partners", sa.Column("country", sa.Text, nullable=False, server_default="DE"))


def downgrade() -> None:
    op.drop_column("partners", "country")
