"""Keep how many notes an import has written, so that a killed one goes on without doubles."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = ("notes", "notes_bytes")


def upgrade() -> None:
    for name in COLUMNS:
        column = sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
        op.add_column("product_imports", column)


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("product_imports", name)
