"""Of what was sold and has come back whole, no row stays: what is left there is nothing."""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM stock_reservations WHERE count = 0")


def downgrade() -> None:
    pass  # a row of nothing says nothing
