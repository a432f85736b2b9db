"""Checkout sessions, what payment providers tell, and the embedded provider's payments."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_AMOUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_IS_ACTIVE = sa.text("state IN ('open', 'paying')")
_WAITS = sa.text("done IS NULL")


def upgrade() -> None:
    op.create_table(
        "checkout_sessions",
        sa.Column("routing_key", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("order_no", sa.Text, nullable=False),
        sa.Column("partner_id", sa.Integer, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("basket_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("test", sa.Boolean, nullable=False),
        sa.Column("lang", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.Column("shipping", _AMOUNT, nullable=False),
        sa.Column("tax", _AMOUNT, nullable=False),
        sa.Column("lines", sa.JSON, nullable=False),
        sa.Column("parts", sa.JSON, nullable=False),
        sa.Column("left_out", sa.JSON, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("intent_id", sa.Text),
        sa.Column("publishable_key", sa.Text),
        sa.Column("client_secret", sa.Text),
        sa.Column("payment_url", sa.Text),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("expires", _MOMENT, nullable=False),
        sa.Column("due", _MOMENT),
        sa.Column("asked", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("ended", _MOMENT),
        sa.PrimaryKeyConstraint("routing_key", "order_no", name=op.f("pk_checkout_sessions")),
    )
    op.create_index(
        "uq_checkout_sessions_active",
        "checkout_sessions",
        ["routing_key", "partner_id", "user_id"],
        unique=True,
        sqlite_where=_IS_ACTIVE,
        postgresql_where=_IS_ACTIVE,
    )
    op.create_index("ix_checkout_sessions_due", "checkout_sessions", ["due"])
    op.create_index("ix_checkout_sessions_ended", "checkout_sessions", ["ended"])
    op.create_table(
        "psp_notices",
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("intent_id", sa.Text),
        sa.Column("received", _MOMENT, nullable=False),
        sa.Column("due", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("done", _MOMENT),
        sa.PrimaryKeyConstraint("provider", "id", name=op.f("pk_psp_notices")),
    )
    op.create_index(
        "ix_psp_notices_due", "psp_notices", ["due"], sqlite_where=_WAITS, postgresql_where=_WAITS
    )
    op.create_index("ix_psp_notices_done", "psp_notices", ["done"])
    op.create_table(
        "sandbox_intents",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("captured", _AMOUNT, nullable=False, server_default=sa.text("0")),
        sa.Column("refunded", _AMOUNT, nullable=False, server_default=sa.text("0")),
        sa.Column("card", sa.Text),
        sa.Column("failure", sa.Text),
        sa.Column("lang", sa.Text, nullable=False),
        sa.Column("return_url", sa.Text, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sandbox_intents")),
    )
    op.create_table(
        "sandbox_refunds",
        sa.Column("intent_id", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.PrimaryKeyConstraint("intent_id", "reason", name=op.f("pk_sandbox_refunds")),
    )


def downgrade() -> None:
    for table in ("sandbox_refunds", "sandbox_intents", "psp_notices", "checkout_sessions"):
        op.drop_table(table)
