"""Who a merchant is by law, where it delivers, and a hash of each legal text."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_TEXTS = sa.table(
    "legal_texts",
    *(sa.column(name) for name in ("owner", "owner_id", "kind", "lang", "version")),
    *(sa.column(name) for name in ("url", "text", "hash")),
)


def upgrade() -> None:
    op.add_column("merchants", sa.Column("legal", sa.JSON))
    op.add_column(
        "merchants",
        sa.Column("withdrawal_days", sa.Integer, nullable=False, server_default=sa.text("14")),
    )
    op.add_column(
        "merchants", sa.Column("return_costs", sa.Text, nullable=False, server_default="shopper")
    )
    op.add_column("merchants", sa.Column("delivery_countries", sa.JSON))
    op.add_column("merchants", sa.Column("stripe_account", sa.Text))
    op.add_column("legal_texts", sa.Column("hash", sa.Text))
    _hash_texts()


def _hash_texts() -> None:
    connection = op.get_bind()
    row = _TEXTS.c
    key = (row.owner, row.owner_id, row.kind, row.lang, row.version)
    keys = connection.execute(sa.select(*key)).all()
    for found in keys:  # one at a time: each may have 100 kB
        here = [column == value for column, value in zip(key, found, strict=True)]
        url, text = connection.execute(sa.select(row.url, row.text).where(*here)).one()
        if (told := url or text) is not None:
            hashed = hashlib.sha256(told.encode()).hexdigest()
            connection.execute(sa.update(_TEXTS).where(*here).values(hash=hashed))


def downgrade() -> None:
    op.drop_column("legal_texts", "hash")
    for name in (
        *("stripe_account", "delivery_countries", "return_costs", "withdrawal_days", "legal"),
    ):
        op.drop_column("merchants", name)
