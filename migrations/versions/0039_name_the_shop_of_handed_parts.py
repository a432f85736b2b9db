"""Which shop a part lies in: not only of which kind it is."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("handed_parts", sa.Column("address", sa.Text, nullable=False, server_default=""))
    # What was handed over since the shop was connected lies there; of the rest nobody knows.
    op.execute(
        "UPDATE handed_parts SET address = merchant_connectors.address FROM merchant_connectors"
        " WHERE merchant_connectors.merchant_id = handed_parts.merchant_id"
        " AND merchant_connectors.kind = handed_parts.kind"
        " AND merchant_connectors.connected <= handed_parts.handed"
    )


def downgrade() -> None:
    op.drop_column("handed_parts", "address")
