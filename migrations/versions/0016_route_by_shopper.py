"""Give all that belongs to a shopper one routing key, by which the tables can be distributed.

Baskets and comfort settings lie in the bucket of their partner and user, transfers in that of their
short code. A basket knows its latest transfer and whether it was claimed, so that no transfer is
looked for by its basket. Events of before lie in bucket 0: whose they were is not known.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

BUCKETS = 4096
OWNER = "partner_id || ' ' || user_id"
OWNED = ("baskets", "comfort_settings")
SECRETS = ("display_hash", "token_hash", "typed_hash")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = "claimed IS NULL AND cancelled IS NULL"


def upgrade() -> None:
    bucket = _bucket()
    for table in OWNED:
        op.add_column(table, sa.Column("routing_key", sa.Integer()))
        op.execute(f"UPDATE {table} SET routing_key = {bucket(OWNER)}")  # noqa: S608
    op.add_column("baskets", sa.Column("offer", sa.Text()))
    claimed = sa.Column("claimed", sa.Boolean(), server_default=sa.false(), nullable=False)
    op.add_column("baskets", claimed)
    op.execute(
        "UPDATE baskets SET offer = (SELECT t.code_hash FROM transfers t WHERE t.id ="
        " (SELECT max(u.id) FROM transfers u WHERE u.basket_id = baskets.id)),"
        " claimed = EXISTS (SELECT 1 FROM transfers t"
        " WHERE t.basket_id = baskets.id AND t.claimed IS NOT NULL)"
    )
    _transfers_know_where_baskets_lie(bucket)
    op.drop_index("uq_baskets_id", "baskets")
    for table in OWNED:
        with _another_key(table, "routing_key", "partner_id", "user_id") as batch:
            _required(batch, "routing_key")
    op.create_index("uq_baskets_id", "baskets", ["id", "routing_key"], unique=True)
    _index_secrets("routing_key")
    op.drop_index("uq_transfers_code_hash", "transfers")
    op.drop_index("ix_transfers_basket_id", "transfers")
    with _another_key("transfers", "routing_key", "code_hash") as batch:
        batch.drop_column("id")
        _required(batch, "routing_key")
        _required(batch, "basket_key")
    op.add_column("events", sa.Column("routing_key", sa.Integer(), server_default="0"))
    with _another_key("events", "routing_key", "id") as batch:
        _required(batch, "routing_key")
        batch.alter_column("id", existing_type=NUMBER, type_=sa.BigInteger())
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE events ALTER COLUMN id DROP DEFAULT")
        op.execute("DROP SEQUENCE events_id_seq")


def downgrade() -> None:
    # Their secrets are derived in another way: the screens have to ask for new codes.
    op.execute(f"UPDATE transfers SET cancelled = expires WHERE {OPEN}")  # noqa: S608
    op.create_index("ix_transfers_basket_id", "transfers", ["basket_id"])
    op.create_index("uq_transfers_code_hash", "transfers", ["code_hash"], unique=True)
    _index_secrets()
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    if on_postgresql:
        op.execute("ALTER TABLE transfers ADD COLUMN id BIGSERIAL NOT NULL")
        op.execute("CREATE SEQUENCE events_id_seq OWNED BY events.id")
        op.execute("ALTER TABLE events ALTER COLUMN id SET DEFAULT nextval('events_id_seq')")
        op.execute("SELECT setval('events_id_seq', coalesce(max(id), 0) + 1, false) FROM events")
    with _another_key("transfers", "id") as batch:
        batch.drop_column("routing_key")
        batch.drop_column("basket_key")
        if not on_postgresql:  # which numbers the rows by itself
            batch.add_column(sa.Column("id", sa.Integer(), nullable=False))
    with _another_key("events", "id") as batch:
        batch.alter_column("id", existing_type=sa.BigInteger(), type_=NUMBER)
    op.drop_column("events", "routing_key")
    op.drop_index("uq_baskets_id", "baskets")
    for table in OWNED:
        with _another_key(table, "partner_id", "user_id") as batch:
            batch.drop_column("routing_key")
            if table == "baskets":
                batch.drop_column("offer")
                batch.drop_column("claimed")
    op.create_index("uq_baskets_id", "baskets", ["id"], unique=True)


def _transfers_know_where_baskets_lie(bucket: Callable[[str], str]) -> None:
    for name in ("routing_key", "basket_key"):
        op.add_column("transfers", sa.Column(name, sa.Integer(), server_default="0"))
    found = "FROM baskets WHERE baskets.id = transfers.basket_id"
    op.execute(
        f"UPDATE transfers SET routing_key = {bucket('code_hash')},"  # noqa: S608
        f" basket_key = coalesce((SELECT baskets.routing_key {found}), 0)"
    )
    # That their basket is gone was told by not finding it.
    op.execute(
        f"UPDATE transfers SET cancelled = expires WHERE {OPEN}"  # noqa: S608
        f" AND NOT EXISTS (SELECT 1 {found})"
    )


def _bucket() -> Callable[[str], str]:
    """Return what writes the bucket of a text in SQL: the first two bytes of its SHA-256."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        digest = "sha256(convert_to({}, 'UTF8'))"
        two = f"get_byte({digest}, 0) * 256 + get_byte({digest}, 1)"
        return lambda text: f"({two.format(text, text)}) % {BUCKETS}"
    driver: Any = connection.connection.driver_connection
    driver.create_function("jay_bucket", 1, _bucket_of, deterministic=True)
    return "jay_bucket({})".format


def _bucket_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:2]) % BUCKETS


def _index_secrets(*more: str) -> None:
    for name in SECRETS:
        op.drop_index(f"uq_transfers_{name}", "transfers")
        op.create_index(f"uq_transfers_{name}", "transfers", [name, *more], unique=True)


@contextmanager
def _another_key(table: str, *columns: str) -> Iterator[BatchOperations]:
    """Give a table another primary key, together with other changes: SQLite copies it once."""
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(f"pk_{table}", type_="primary")
        yield batch
        batch.create_primary_key(f"pk_{table}", list(columns))


def _required(batch: BatchOperations, column: str) -> None:
    batch.alter_column(column, existing_type=sa.Integer(), nullable=False, server_default=None)
