"""Orders: their parts, lines, parcels and events, the ledger, and what money is to be moved."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_AMOUNT = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_IS_DUE = sa.text("due IS NOT NULL")


def _place() -> tuple[sa.Column[int], sa.Column[str]]:
    return (
        sa.Column("routing_key", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("order_no", sa.Text, nullable=False),
    )


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False, server_default=sa.text("0"))


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, autoincrement=False, nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("routing_key", "order_no", *columns, name=op.f(f"pk_{table}"))


def _check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def upgrade() -> None:
    op.create_table(
        "orders",
        *_place(),
        sa.Column("partner_id", sa.Integer, nullable=False),
        sa.Column("test", sa.Boolean, nullable=False),
        sa.Column("lang", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("intent_id", sa.Text, nullable=False),
        sa.Column("method", sa.Text),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        _key("orders"),
    )
    op.create_index("uq_orders_token_hash", "orders", ["routing_key", "token_hash"], unique=True)
    op.create_index("ix_orders_created", "orders", ["created"])
    op.create_table(
        "order_parts",
        *_place(),
        _number("number"),
        sa.Column("merchant_id", sa.Integer, nullable=False),
        sa.Column("merchant", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="new"),
        sa.Column("goods", _AMOUNT, nullable=False),
        sa.Column("shipping", _AMOUNT, nullable=False),
        sa.Column("tax", _AMOUNT, nullable=False),
        sa.Column("texts", sa.JSON, nullable=False),
        sa.Column("refund_due", _MOMENT),
        _count("events"),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("changed", _MOMENT, nullable=False),
        _key("order_parts", "number"),
        _check(
            "order_parts",
            "state",
            "state IN ('new', 'accepted', 'shipped', 'delivered', 'cancelled', 'returned')",
        ),
    )
    for name, columns in (
        ("merchant", ["created", "order_no", "number"]),
        ("state", ["state", "created", "order_no", "number"]),
        ("changed", ["changed"]),
    ):
        op.create_index(f"ix_order_parts_{name}", "order_parts", ["merchant_id", *columns])
    op.create_table(
        "order_lines",
        *_place(),
        _number("part"),
        _number("position"),
        sa.Column("product_id", sa.Text, nullable=False),
        sa.Column("stock_id", sa.Text, nullable=False),
        sa.Column("sku", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("variant", sa.Text),
        sa.Column("described", sa.JSON, nullable=False),
        sa.Column("price", _AMOUNT, nullable=False),
        sa.Column("vat", sa.Float(53), nullable=False),
        sa.Column("tax", _AMOUNT, nullable=False),
        sa.Column("ordered", sa.Integer, nullable=False),
        *map(_count, ("shipped", "cancelled", "returned", "refunded")),
        _key("order_lines", "part", "position"),
        _check("order_lines", "left", "shipped + cancelled <= ordered"),
        _check("order_lines", "returned", "returned <= shipped"),
        _check("order_lines", "refunded", "refunded <= ordered"),
    )
    op.create_table(
        "order_parcels",
        *_place(),
        _number("part"),
        _number("number"),
        sa.Column("carrier", sa.Text),
        sa.Column("tracking_number", sa.Text),
        sa.Column("url", sa.Text),
        _key("order_parcels", "part", "number"),
    )
    op.create_table(
        "order_events",
        *_place(),
        _number("part"),
        _number("number"),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
        _key("order_events", "part", "number"),
    )
    op.create_table(
        "ledger",
        *_place(),
        _number("part"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        _key("ledger", "part", "kind", "reference"),
        _check("ledger", "kind", "kind IN ('charge', 'refund', 'transfer', 'reversal', 'fee')"),
    )
    op.create_table(
        "movements",
        *_place(),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("part", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("amount", _AMOUNT, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="reserved"),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("lines", sa.JSON),
        sa.Column("follows", sa.Text),
        sa.Column("provider_id", sa.Text),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("due", _MOMENT),
        _count("attempts"),
        sa.Column("ended", _MOMENT),
        _key("movements", "id"),
        _check("movements", "amount", "amount > 0"),
        _check("movements", "state", "state IN ('reserved', 'made', 'failed')"),
    )
    op.create_index(
        "ix_movements_due", "movements", ["due"], sqlite_where=_IS_DUE, postgresql_where=_IS_DUE
    )


def downgrade() -> None:
    for table in (
        *("movements", "ledger", "order_events", "order_parcels", "order_lines"),
        *("order_parts", "orders"),
    ):
        op.drop_table(table)
