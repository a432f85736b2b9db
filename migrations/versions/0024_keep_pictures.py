"""The merchants' pictures: what was drawn, where it is from, what names it, and who fetches it."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "pictures",
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("colour", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("unused", _MOMENT),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_pictures")),
    )
    op.create_index("ix_pictures_unused", "pictures", ["unused"])
    op.create_table(
        "picture_sources",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("merchant_id", sa.Integer, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("need", sa.Integer, nullable=False),
        sa.Column("due", _MOMENT),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("etag", sa.Text),
        sa.Column("last_modified", sa.Text),
        sa.Column("digest", sa.Text),
        sa.Column("tried", _MOMENT),
        sa.Column("unused", _MOMENT),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_picture_sources")),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
            name=op.f("fk_picture_sources_merchant_id_merchants"),
        ),
        sa.ForeignKeyConstraint(
            ["digest"], ["pictures.digest"], name=op.f("fk_picture_sources_digest_pictures")
        ),
    )
    for name, columns in (
        ("due", ["host", "need", "due"]),
        ("merchant", ["merchant_id", "key"]),
        ("digest", ["digest"]),
        ("unused", ["unused"]),
    ):
        op.create_index(f"ix_picture_sources_{name}", "picture_sources", columns)
    op.create_table(
        "picture_uses",
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("product_id", "key", name=op.f("pk_picture_uses")),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
            name=op.f("fk_picture_uses_product_id_products"),
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_picture_uses_key", "picture_uses", ["key"])
    op.create_table(
        "picture_hosts",
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("lease", sa.Text),
        sa.Column("leased", _MOMENT),
        sa.Column("rests", _MOMENT, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_picture_hosts")),
    )
    op.create_table(
        "picture_sweeps",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("lease", sa.Text),
        sa.Column("leased", _MOMENT),
        sa.Column("due", _MOMENT, nullable=False),
        sa.Column("since", _MOMENT),
        sa.Column("position", sa.Text),
        sa.Column("begun", _MOMENT),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_picture_sweeps")),
    )


def downgrade() -> None:
    for table in ("picture_sweeps", "picture_hosts", "picture_uses", "picture_sources", "pictures"):
        op.drop_table(table)
