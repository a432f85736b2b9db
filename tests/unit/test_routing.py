"""The routing key: every table of shoppers has one, and nothing is unique without it."""

from collections import Counter

import pytest
from sqlalchemy import Index, MetaData, Table, UniqueConstraint

from jay.auth.models import User
from jay.baskets.models import Basket
from jay.db.routing import BUCKETS, ROUTED_BY, routing_key
from jay.db.types import metadata
from jay.sealing import hash_secret
from jay.transfers.models import Secrets, routing_key_of, typed_token
from tests.clock import NOON
from tests.statements import not_routed

ON_EVERY_SERVER = {
    "merchant_connectors",
    *("partners", "merchants", "api_keys", "signing_keys", "products", "wanted_skus"),
    "price_history",
    *("stock_reservations", "legal_texts", "psp_notices", "sandbox_intents", "sandbox_refunds"),
    *("sandbox_transfers", "sandbox_reversals"),
    *("pictures", "picture_sources", "picture_uses", "picture_hosts", "picture_sweeps"),
    *("partner_logos", "product_imports", "feed_pulls", "outbox", "outbox_addresses"),
    *("operators", "operator_sessions", "readiness"),
}
"""Small, or changed by operators and feeds: of no shopper."""


def unique_keys(table: Table) -> dict[str, set[str]]:
    """Return the columns of everything in a table that is unique, by name."""
    constraints = [c for c in table.constraints if isinstance(c, UniqueConstraint)]
    indexes = [index for index in table.indexes if index.unique]
    found = {str(each.name): {c.name for c in each.columns} for each in (*constraints, *indexes)}
    return {**found, "primary key": {column.name for column in table.primary_key.columns}}


def without_its_key(tables: dict[str, Table]) -> list[str]:
    return [
        f"{name}: {unique}"
        for name, key in ROUTED_BY.items()
        for unique, columns in unique_keys(tables[name]).items()
        if key not in columns
    ]


def test_every_table_is_of_shoppers_or_on_every_server() -> None:
    assert set(metadata.tables) == {*ROUTED_BY, *ON_EVERY_SERVER}


def test_nothing_in_a_table_of_shoppers_is_unique_without_its_key() -> None:
    assert without_its_key(dict(metadata.tables)) == []


def test_a_unique_index_without_the_key_is_noticed() -> None:
    altered = MetaData()
    tables = {name: metadata.tables[name].to_metadata(altered) for name in ROUTED_BY}
    Index("uq_baskets_version", tables["baskets"].c.version, unique=True)
    tables["tries"].append_constraint(UniqueConstraint("since", name="uq_tries_since"))

    assert without_its_key(tables) == ["baskets: uq_baskets_version", "tries: uq_tries_since"]


def test_what_belongs_to_a_user_lies_in_one_place() -> None:
    user = User(7, "alice", guest=False, basket=None, expires=0)
    basket = Basket.new(user, now=NOON)

    assert basket.routing_key == user.routing_key == routing_key(7, "alice")
    assert routing_key(7, "alice") != routing_key(8, "alice")


def test_the_key_never_changes() -> None:
    # Rows lie where it says: another result loses them.
    assert routing_key(1, "alice") == 2167
    assert routing_key(2, "Zoë") == 3385
    assert routing_key("ab" * 32) == 1818


def test_users_are_spread_evenly_and_share_their_places() -> None:
    spread = Counter(routing_key(1, f"user-{number}") for number in range(100_000))

    assert set(spread) <= set(range(BUCKETS))
    assert len(spread) == BUCKETS
    assert max(spread.values()) < 3 * 100_000 / BUCKETS


def test_each_secret_of_a_transfer_leads_to_where_it_lies() -> None:
    for _ in range(50):
        drawn = Secrets.fresh()
        code_hash = hash_secret(drawn.user_code)
        typed = typed_token(code_hash, "secret")

        expected = routing_key(code_hash)
        assert drawn.routing_key == expected
        assert routing_key_of(drawn.jay_token) == routing_key_of(typed) == expected


@pytest.mark.parametrize("token", ["", "x", "\0", "\ud800", "0" * 25, "zzz" + "a" * 22, "ü" * 25])
def test_whatever_is_sent_as_a_token_leads_somewhere(token: str) -> None:
    assert 0 <= routing_key_of(token) < BUCKETS


# --- what watches the statements of the API tests


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM baskets WHERE baskets.routing_key = ? AND baskets.id = ?",
        'SELECT * FROM tries WHERE tries."key" = %(key)s::VARCHAR FOR UPDATE',
        "INSERT INTO events (routing_key, id) VALUES (?, ?)",
        "UPDATE transfers SET pair=? WHERE transfers.routing_key = ? AND (a = ? OR b = ?)",
        "WITH stored AS (UPDATE baskets SET version=1 WHERE baskets.routing_key = %(k)s"
        " RETURNING 1) INSERT INTO events (routing_key, id) SELECT 1, 2 FROM stored",
        "SELECT * FROM products WHERE products.id = ?",
        "SELECT /* of before the routing key */ * FROM baskets WHERE baskets.id = ?",
        "SELECT /* on every server */ * FROM order_parts WHERE order_parts.merchant_id = ?",
    ],
)
def test_a_statement_that_names_the_key_passes(sql: str) -> None:
    assert not_routed(sql) == ()


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("SELECT * FROM baskets WHERE baskets.id = ?", "baskets"),
        ("SELECT * FROM baskets\nWHERE baskets.id = ? FOR UPDATE", "baskets"),
        ("SELECT * FROM baskets WHERE baskets.routing_key = ? OR baskets.id = ?", "baskets"),
        ("SELECT * FROM baskets WHERE baskets.id = ? OR baskets.routing_key = ?", "baskets"),
        ("SELECT * FROM baskets WHERE baskets.routing_key > ?", "baskets"),
        ("SELECT * FROM transfers WHERE transfers.routing_key = baskets.routing_key", "transfers"),
        ("UPDATE transfers SET routing_key=? WHERE transfers.code_hash = ?", "transfers"),
        ("DELETE FROM comfort_settings", "comfort_settings"),
        ("INSERT INTO events (id, kind) VALUES (?, ?)", "events"),
        (
            "SELECT EXISTS (SELECT 1 FROM baskets WHERE baskets.id = transfers.basket_id)"
            " FROM transfers WHERE transfers.routing_key = ?",
            "baskets",
        ),
        (
            "SELECT * FROM baskets JOIN baskets AS other ON true WHERE baskets.routing_key = ?",
            "baskets",
        ),
        (
            "UPDATE idempotency_keys SET lease=? WHERE idempotency_keys.lease = ?",
            "idempotency_keys",
        ),
    ],
)
def test_a_statement_that_does_not_is_noticed(sql: str, table: str) -> None:
    assert not_routed(sql) == (table,)
