"""Keep prices above 2^31 minor units: 25 million rupiah are no more than a sofa costs."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _change(sa.BigInteger())


def downgrade() -> None:
    _change(sa.Integer())


def _change(kind: sa.types.TypeEngine[int]) -> None:
    # SQLite's integers have as many bytes as their values need.
    if op.get_bind().dialect.name != "sqlite":
        for column in ("price", "org_price"):
            op.alter_column("products", column, type_=kind)
