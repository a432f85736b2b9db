"""Let ``/readyz`` write a row."""

import sqlalchemy as sa
from alembic import op

from jay.db.types import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "readiness",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("checked", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_readiness"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("readiness")
