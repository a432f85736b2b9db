"""Keep which feeds are fetched from merchants, and how it went."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("merchants", sa.Column("feed", sa.JSON))
    op.create_table(
        "feed_pulls",
        sa.Column("merchant_id", sa.Integer, nullable=False),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease", sa.Text),
        sa.Column("leased", sa.DateTime(timezone=True)),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.Column("as_of", sa.BigInteger),
        sa.Column("state", sa.Text),
        sa.Column("told", sa.Text),
        sa.Column("succeeded", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f("fk_feed_pulls_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint("merchant_id", name=op.f("pk_feed_pulls")),
    )


def downgrade() -> None:
    op.drop_table("feed_pulls")
    op.drop_column("merchants", "feed")
