"""Who buys and where it goes, sealed, under the order number."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("routing_key", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("order_no", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("routing_key", "order_no", name=op.f("pk_contacts")),
    )
    op.create_index("ix_contacts_ends", "contacts", ["ends"])


def downgrade() -> None:
    op.drop_table("contacts")
