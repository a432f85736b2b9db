"""Pictures that a merchant has sent itself, by their position."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("products", sa.Column("own_images", sa.JSON))


def downgrade() -> None:
    op.drop_column("products", "own_images")
