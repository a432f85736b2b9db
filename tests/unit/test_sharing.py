"""Tests that share what is dear go to one worker."""

from pathlib import Path

import pytest

from tests import sharing

FILE = "tests/e2e/test_page_states.py::test_a_page_says_what_it_is_about"


@pytest.mark.parametrize("state", ["tv-pending", "phone-basket-undo", "docs-errors"])
def test_tests_of_a_state_share_its_page(state: str) -> None:
    nodeids = [
        f"tests/e2e/test_accessibility.py::test_axe_finds_nothing[de-{state}]",
        f"tests/e2e/test_budget.py::test_a_page_is_light[en-{state}]",
        f"tests/e2e/test_old_browsers.py::test_no_style_is_newer[{state}]",
        f"{FILE}[scripts-de-{state}]",
        f"{FILE}[no scripts-en-{state}]",
    ]

    expected = "screens" if state.startswith("tv-") else "phones"
    assert {sharing.group(nodeid) for nodeid in nodeids} == {expected}


def test_tests_of_a_running_service_share_it() -> None:
    nodeids = ("tests/e2e/test_logs.py::test_a[b]", "tests/e2e/test_concurrency.py::test_c")

    assert {sharing.group(nodeid) for nodeid in nodeids} == {"the service"}


def test_other_tests_share_what_their_file_makes() -> None:
    nodeid = "tests/api/test_cors.py::test_a[tests/e2e/test_logs.py]"

    assert sharing.group(nodeid) == "tests/api/test_cors.py"


def test_tests_of_properties_are_long_and_share_nothing() -> None:
    nodeid = "tests/property/test_bulk.py::test_a"

    assert sharing.group(nodeid) == nodeid


def test_the_files_that_are_named_are_there() -> None:
    folder = Path(__file__).parent.parent / "e2e"
    named = [*sharing.TOUR, *sharing.MOVED_TV, *sharing.MOVED_PHONE, *sharing.SERVICE]

    assert [name for name in named if not (folder / f"test_{name}.py").exists()] == []
    assert len(set(named)) == len(named)
