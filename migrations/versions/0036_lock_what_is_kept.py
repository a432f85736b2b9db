"""Lock what has to be kept of people who are forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("contacts", sa.Column("locked", _MOMENT))
    op.add_column("withdrawals", sa.Column("locked", _MOMENT))
    op.add_column("withdrawals", sa.Column("ends", _MOMENT))
    op.create_index("ix_withdrawals_ends", "withdrawals", ["ends"])


def downgrade() -> None:
    op.drop_index("ix_withdrawals_ends", "withdrawals")
    op.drop_column("withdrawals", "ends")
    op.drop_column("withdrawals", "locked")
    op.drop_column("contacts", "locked")
