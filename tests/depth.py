"""How much is tried: ``make test`` the same few examples each time, ``make test-deep`` all.

A deep run draws its examples at random and prints the seed that repeats it. It also runs on both
databases what touches no SQL, which a plain run does on one of them (``one_database``), and all
cases of a test that has several, which a plain run tries on the two databases in turn.
"""

import random
from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

SEED = 20250915
"""What a plain run always begins with."""

Run = TypeVar("Run", bound=Hashable)

Case = tuple[Hashable, ...]
"""What a test is given: a value, or several that go together, from each list of them."""

MANY = 2
"""From so many cases on, a plain run tries each case of a test on one database."""

KINDS = ("sqlite", "postgresql")
MADE_FOR_EACH = ("database_url", "new_database_url", "empty_database_url", "any_service")
OF_DATABASES = (*MADE_FOR_EACH, "service")
"""Fixtures that are there for each kind of database."""

_run = {"deep": False, "seed": SEED}


def add_options(parser: pytest.Parser) -> None:
    """Add ``--deep``; the seed is Hypothesis's own option."""
    parser.addoption("--deep", action="store_true", help="try all examples, drawn at random")


def configure(config: pytest.Config) -> None:
    """Choose how much this run tries, before any test is read."""
    config.addinivalue_line(
        "markers", "one_database: no SQL of ours is in it, so that one database is enough"
    )
    seed = config.getoption("--hypothesis-seed")
    _run["deep"] = config.getoption("--deep")
    _run["seed"] = int(seed) if seed is not None else SEED
    settings.register_profile(
        "jay",
        derandomize=seed is None,
        database=None,
        deadline=None,
        print_blob=True,
        # Slow is what a busy machine is; and each example brings its own state.
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("jay")


def is_deep() -> bool:
    """Tell whether this run tries all."""
    return _run["deep"]


def few_or_all(few: int, many: int) -> int:
    """Return how many examples this run tries."""
    return many if is_deep() else few


def chance(number: int = 0) -> random.Random:
    """Return a source of what is drawn without Hypothesis, another one for each number."""
    return random.Random(f"{_run['seed']} {number}")


def told(config: pytest.Config) -> list[str]:
    """Say how a deep run can be repeated."""
    if not is_deep():
        return []
    return [f"seed {_run['seed']}: repeat it with make test-deep SEED={_run['seed']}"]


def on_one_database(metafunc: pytest.Metafunc) -> None:
    """Run a test that is marked with ``one_database`` on SQLite alone."""
    if is_deep() or not metafunc.definition.get_closest_marker("one_database"):
        return
    chosen = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    for name in MADE_FOR_EACH:
        if name in metafunc.fixturenames and name not in chosen:
            only = pytest.mark.parametrize(name, ["sqlite"], indirect=True)
            metafunc.definition.add_marker(only)


def left_out(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return what a plain run leaves out of the tests that run on both databases."""
    runs = []
    for item in items if not is_deep() else []:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            kinds = [item.callspec.params.get(name) for name in OF_DATABASES]
            kind = str(next((kind for kind in kinds if kind in KINDS), None))
            runs.append((item.nodeid.partition("[")[0], case_of(item), kind, item))
    return in_turn(runs)


def case_of(item: pytest.Function) -> Case:
    """Return what each ``parametrize`` of a test gives it here, but for the database."""
    params = {
        name: id(value)
        for name, value in item.callspec.params.items()
        if name not in OF_DATABASES or value not in KINDS
    }
    case: list[Hashable] = []
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0]
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
        case.append(tuple(params.pop(name) for name in names if name in params))
    return (*case, *params.values())  # the last are those of fixtures


def in_turn(runs: Iterable[tuple[str, Case, str, Run]]) -> set[Run]:
    """Leave out one of the two databases for each case of a test with many, in turn.

    So such a test runs on both databases, each of its cases on one, and each value on both where
    there are others beside it: turns go by the sum of the values' numbers.

    :param runs: the test, its case, the kind of database, and what is left out or not.
    """
    tests: dict[str, dict[Case, dict[str, Run]]] = {}
    for test, case, kind, run in runs:
        tests.setdefault(test, {}).setdefault(case, {})[kind] = run
    many = [
        cases
        for cases in tests.values()
        if len(cases) >= MANY and all(len(on) == 2 for on in cases.values())
    ]
    return {
        on["postgresql" if number % 2 else "sqlite"]
        for cases in many
        for number, on in zip(_sums(list(cases)), cases.values(), strict=True)
    }


def _sums(cases: Sequence[Case]) -> list[int]:
    """Return for each case the sum of its values' numbers, in the order in which they come."""
    numbered = [
        {value: number for number, value in enumerate(dict.fromkeys(values))}
        for values in zip(*cases, strict=True)
    ]
    return [sum(map(dict.__getitem__, numbered, case)) for case in cases]
