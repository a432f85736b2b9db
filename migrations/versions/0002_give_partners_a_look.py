"""Give partners a look: a colour with what is derived from it, and a logo."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Plain ALTERs, also on SQLite: other tables refer to this one, so it must not be made anew.
    op.add_column("partners", sa.Column("colour", sa.Text(), nullable=True))
    op.add_column("partners", sa.Column("palette", sa.JSON(), nullable=True))
    op.add_column("partners", sa.Column("logo", sa.JSON(), nullable=True))
    op.create_table(
        "partner_logos",
        sa.Column("partner_id", sa.Integer(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name=op.f("fk_partner_logos_partner_id_partners")
        ),
        sa.PrimaryKeyConstraint("partner_id", name=op.f("pk_partner_logos")),
    )


def downgrade() -> None:
    op.drop_table("partner_logos")
    for column in ("logo", "palette", "colour"):
        op.drop_column("partners", column)
