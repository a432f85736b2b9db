"""Remember when each field of a product was observed, so that late news can't turn time back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COLUMNS = (
    "stock_as_of",
    "price_as_of",
    "org_price_as_of",
    "currency_as_of",
    "vat_as_of",
    "shipping_as_of",
    "described_as_of",
)


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("products", sa.Column(column, sa.BigInteger(), nullable=True))


def downgrade() -> None:
    for column in reversed(COLUMNS):
        op.drop_column("products", column)
