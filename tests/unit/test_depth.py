"""What a plain run leaves out, and that it leaves no test and no case out altogether."""

from itertools import product

import pytest

from tests.depth import MANY, in_turn

KINDS = ("sqlite", "postgresql")


def runs(cases: int, kinds: tuple[str, ...] = KINDS) -> list[tuple[str, int, str, str]]:
    return [("test", case, kind, f"{kind}-{case}") for kind, case in product(kinds, range(cases))]


@pytest.mark.parametrize("cases", [MANY, MANY + 1, 100])
def test_each_case_of_many_runs_on_one_database_and_the_test_on_both(cases: int) -> None:
    all_runs = runs(cases)
    out = in_turn(all_runs)
    left = [(case, kind) for _test, case, kind, run in all_runs if run not in out]

    assert sorted(case for case, _kind in left) == list(range(cases))
    assert {kind for _case, kind in left} == set(KINDS)


def test_few_cases_run_on_both() -> None:
    assert in_turn(runs(MANY - 1)) == set()


@pytest.mark.parametrize("kind", ["postgresql", "None"])
def test_cases_of_one_database_or_none_all_run(kind: str) -> None:
    assert in_turn(runs(100, (kind,))) == set()
