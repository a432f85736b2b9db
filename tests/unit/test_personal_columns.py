"""The registry of personal data: each column has a rule, or is declared to be of nobody."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Column, MetaData, Table, Text

from jay import create_app  # noqa: F401 - all tables are known then
from jay.db.types import metadata
from jay.ops.purge import EXPIRED
from jay.ops.removal import MERCHANT
from jay.privacy.registry import (
    IMPERSONAL,
    PERSONAL,
    VOUCHER_YEARS,
    By,
    Rule,
    kept_until,
    let_go_before,
)


def undecided(tables: MetaData) -> set[str]:
    """Return the columns of which the registry says nothing."""
    return {
        f"{table.name}.{column.name}"
        for table in tables.tables.values()
        for column in table.columns
        if column.name not in PERSONAL.get(table.name, {})
        and column.name not in IMPERSONAL.get(table.name, "").split()
    }


def test_every_column_has_a_rule_or_is_of_nobody() -> None:
    assert undecided(metadata) == set()


def test_a_column_without_a_rule_is_found() -> None:
    tables = MetaData()
    Table("baskets", tables, Column("user_id", Text), Column("nickname", Text))
    Table("friends", tables, Column("name", Text))
    assert undecided(tables) == {"baskets.nickname", "friends.name"}


def test_nothing_stands_there_twice_or_is_not_there_any_more() -> None:
    declared = [
        *(f"{table}.{column}" for table, columns in PERSONAL.items() for column in columns),
        *(
            f"{table}.{column}"
            for table, columns in IMPERSONAL.items()
            for column in columns.split()
        ),
    ]
    assert len(declared) == len(set(declared))
    there = {f"{table.name}.{one.name}" for table in metadata.tables.values() for one in table.c}
    assert set(declared) <= there


def test_what_others_see_to_is_among_what_they_delete() -> None:
    purged = {expired.table.name for expired in EXPIRED}
    removed = {each.table.name for each in MERCHANT.belongings} | {"merchants", "operator_sessions"}
    for table, columns in PERSONAL.items():
        for rule in columns.values():
            assert rule.by is not By.PURGE or table in purged
            assert rule.by is not By.REMOVAL or table in removed
            assert (rule.rule is Rule.LOCK) == (rule.years is not None)


@pytest.mark.parametrize(
    ("made", "until"),
    [
        (datetime(2026, 1, 1, 12, tzinfo=UTC), 2035),
        (datetime(2026, 12, 31, 9, tzinfo=UTC), 2035),
        # By then it is the next year in some places, and so it is kept for one more.
        (datetime(2026, 12, 31, 23, tzinfo=UTC), 2036),
    ],
)
def test_it_is_kept_for_full_years_from_the_end_of_the_year_on(made: datetime, until: int) -> None:
    end = kept_until(made, VOUCHER_YEARS)
    assert end == datetime(until, 1, 1, tzinfo=UTC)
    assert made < let_go_before(end, VOUCHER_YEARS)
    assert made >= let_go_before(end - timedelta(seconds=1), VOUCHER_YEARS)
