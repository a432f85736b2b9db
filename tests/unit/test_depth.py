"""What a plain run leaves out, and that it leaves no test and no case out altogether."""

from itertools import product

import pytest

from tests.depth import MANY, Case, case_of, in_turn

KINDS = ("sqlite", "postgresql")


def runs(*values: int, kinds: tuple[str, ...] = KINDS) -> list[tuple[str, Case, str, str]]:
    cases = list(product(*map(range, values)))
    return [("test", case, kind, f"{kind}-{case}") for kind, case in product(kinds, cases)]


@pytest.mark.parametrize("cases", [MANY, MANY + 1, 100])
def test_each_case_of_many_runs_on_one_database_and_the_test_on_both(cases: int) -> None:
    all_runs = runs(cases)
    out = in_turn(all_runs)
    left = [(case, kind) for _test, case, kind, run in all_runs if run not in out]

    assert sorted(case for case, _kind in left) == [(number,) for number in range(cases)]
    assert {kind for _case, kind in left} == set(KINDS)


def test_each_value_of_several_runs_on_both() -> None:
    all_runs = runs(2, 4)
    out = in_turn(all_runs)
    left = [(case, kind) for _test, case, kind, run in all_runs if run not in out]

    for place, values in enumerate((2, 4)):
        met = {(case[place], kind) for case, kind in left}
        assert met == set(product(range(values), KINDS))


@pytest.mark.parametrize("database_url", ["sqlite"], ids=["sqlite"])
@pytest.mark.parametrize("c, d", [(0, "x"), (0, "y")])  # noqa: PT006
@pytest.mark.parametrize(("a", "b"), [(0, "x"), (1, "y")])
def test_values_that_go_together_are_one(
    *, request: pytest.FixtureRequest, a: int, b: str, c: int, d: str, database_url: str
) -> None:
    assert database_url
    assert set(case_of(request.node)) - {()} == {(id(a), id(b)), (id(c), id(d))}


def test_a_test_of_one_case_runs_on_both() -> None:
    assert in_turn(runs(MANY - 1)) == set()


@pytest.mark.parametrize("kind", ["postgresql", "None"])
def test_cases_of_one_database_or_none_all_run(kind: str) -> None:
    assert in_turn(runs(100, kinds=(kind,))) == set()
