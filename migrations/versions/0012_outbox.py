"""Let the outbox hold what is no webhook, and remember which addresses fail."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WAITING = sa.text("state = 'waiting'")
KEPT = (
    "id, kind, merchant_id, subject, key, body, state, created, since, due, attempts, lease,"
    " reason, finished"
)


def upgrade() -> None:
    _create("outbox", sa.Column("lane", sa.Text(), nullable=False), merchant_nullable=True)
    # Ids and leases stay: what is on its way at this moment is recorded by who sends it.
    lane = "merchant_id || '/' || kind"
    op.execute(
        f"INSERT INTO outbox ({KEPT}, lane) SELECT {KEPT}, {lane} FROM webhook_deliveries"  # noqa: S608
    )
    _go_on_counting("outbox")
    op.drop_table("webhook_deliveries")
    _indexes("outbox", "lane")
    op.create_index("ix_outbox_merchant_id", "outbox", ["merchant_id"])
    op.create_table(
        "outbox_addresses",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Integer(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("rests_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("probed_until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
            name=op.f("fk_outbox_addresses_merchant_id_merchants"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_outbox_addresses")),
    )
    op.create_index("ix_outbox_addresses_merchant_id", "outbox_addresses", ["merchant_id"])


def downgrade() -> None:
    op.drop_table("outbox_addresses")
    _create("webhook_deliveries", merchant_nullable=False)
    op.execute(
        f"INSERT INTO webhook_deliveries ({KEPT}) SELECT {KEPT} FROM outbox"  # noqa: S608
        " WHERE merchant_id IS NOT NULL"
    )
    _go_on_counting("webhook_deliveries")
    op.drop_table("outbox")
    _indexes("webhook_deliveries", "merchant_id", "kind")


def _create(table: str, *more: sa.Column[str], merchant_nullable: bool) -> None:
    op.create_table(
        table,
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *more,
        sa.Column("merchant_id", sa.Integer(), nullable=merchant_nullable),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'delivered', 'failed')", name=op.f(f"ck_{table}_state")
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"], ["merchants.id"], name=op.f(f"fk_{table}_merchant_id_merchants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )


def _indexes(table: str, *lane: str) -> None:
    for name, columns in {"due": ["due", "id"], "subject": ["subject", "id"]}.items():
        op.create_index(
            f"ix_{table}_{name}",
            table,
            [*lane, *columns],
            sqlite_where=WAITING,
            postgresql_where=WAITING,
        )
    op.create_index(f"ix_{table}_finished", table, ["finished"])


def _go_on_counting(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"  # noqa: S608
            f" (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
        )
