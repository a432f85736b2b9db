"""In which order the tables are distributed over several servers, and what is left to be done."""

import pytest

from jay.db.distributing import NotDistributable, plan
from jay.db.routing import ROUTED_BY
from jay.db.types import metadata

TABLES = metadata.sorted_tables
DONE = {table.name: ROUTED_BY.get(table.name) for table in TABLES}


def test_every_table_is_distributed_once_by_its_key() -> None:
    steps = plan(TABLES, {})

    assert {step.table: step.key for step in steps} == DONE
    assert len(steps) == len(DONE)


def test_what_is_referred_to_is_there_before() -> None:
    order = [step.table for step in plan(TABLES, {})]

    for table in TABLES:
        for key in table.foreign_keys:
            if key.column.table is not table:
                assert order.index(key.column.table.name) < order.index(table.name)


def test_no_table_of_shoppers_is_referred_to_by_one_that_is_elsewhere() -> None:
    # Citus refuses such a key: its two ends can lie on different servers.
    for table in TABLES:
        for key in table.foreign_keys:
            there = key.column.table.name
            if there in ROUTED_BY:
                assert ROUTED_BY[table.name] == ROUTED_BY[there]
                assert table.name in ROUTED_BY


def test_what_is_routed_by_the_same_number_lies_together() -> None:
    statements = {step.table: step.sql for step in plan(TABLES, {}, shards=8)}

    assert statements["baskets"] == (
        "SELECT create_distributed_table('baskets', 'routing_key',"
        " colocate_with => 'none', shard_count => 8)"
    )
    for table, key in ROUTED_BY.items():
        if table != "baskets":
            together = "'baskets'" if key == "routing_key" else "'none', shard_count => 8"
            assert f"colocate_with => {together})" in statements[table]
    assert statements["partners"] == "SELECT create_reference_table('partners')"


def test_it_goes_on_where_it_was_stopped() -> None:
    steps = plan(TABLES, {})

    for done in range(len(steps) + 1):
        there = {step.table: step.key for step in steps[:done]}
        assert plan(TABLES, there) == steps[done:]


@pytest.mark.parametrize(
    ("table", "key", "told"),
    [
        ("baskets", "id", "the table baskets lies by id, and has to lie by routing_key"),
        (
            "baskets",
            None,
            "the table baskets lies on every server, and has to lie by routing_key",
        ),
        (
            "partners",
            "id",
            "the table partners is distributed by id, and has to be on every server",
        ),
    ],
)
def test_what_lies_otherwise_is_told(table: str, key: str | None, told: str) -> None:
    with pytest.raises(NotDistributable, match=told):
        plan(TABLES, {**DONE, table: key})


def test_tables_of_others_are_left_alone() -> None:
    assert plan(TABLES, {**DONE, "alembic_version": None, "visits": "day"}) == []
