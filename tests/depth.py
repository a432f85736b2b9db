"""How much is tried: ``make test`` the same few examples each time, ``make test-deep`` all.

A deep run draws its examples at random and prints the seed that repeats it. It also runs on both
databases what touches no SQL, which a plain run does on one of them (``one_database``).
"""

import random

import pytest
from hypothesis import HealthCheck, settings

SEED = 20250915
"""What a plain run always begins with."""

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
    if "database_url" not in metafunc.fixturenames or is_deep():
        return
    chosen = any(
        mark.args[0] == "database_url" for mark in metafunc.definition.iter_markers("parametrize")
    )
    if metafunc.definition.get_closest_marker("one_database") and not chosen:
        only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
        metafunc.definition.add_marker(only)
