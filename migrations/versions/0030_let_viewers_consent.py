"""Consent to stored payments, and a household's PIN."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_COLUMNS = ("consent_version", "consent_at", "pin_hash", "pin_tries", "pin_tried")


def upgrade() -> None:
    for column in (
        sa.Column("consent_version", sa.Text),
        sa.Column("consent_at", sa.DateTime(timezone=True)),
        sa.Column("pin_hash", sa.Text),
        sa.Column("pin_tries", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("pin_tried", sa.DateTime(timezone=True)),
    ):
        op.add_column("comfort_settings", column)


def downgrade() -> None:
    for name in reversed(_COLUMNS):
        op.drop_column("comfort_settings", name)
