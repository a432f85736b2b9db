"""Tests that share what is dear go to one worker."""

from pathlib import Path

import pytest

from tests import sharing

FILE = "tests/e2e/test_page_states.py::test_a_page_says_what_it_is_about"


@pytest.mark.parametrize(
    "nodeid",
    [
        "tests/e2e/test_accessibility.py::test_axe_finds_nothing[de-tv-pending]",
        "tests/e2e/test_budget.py::test_a_page_is_light[en-tv-pending]",
        "tests/e2e/test_old_browsers.py::test_no_style_is_newer[tv-pending]",
        f"{FILE}[scripts-de-tv-pending]",
        f"{FILE}[no scripts-en-tv-pending]",
    ],
)
def test_tests_of_a_state_share_its_page(nodeid: str) -> None:
    assert sharing.group(nodeid) == "tour of tv-pending"


def test_browser_tests_share_what_their_file_starts() -> None:
    nodeids = ("tests/e2e/test_logs.py::test_a[b]", "tests/e2e/test_logs.py::test_c")

    assert {sharing.group(nodeid) for nodeid in nodeids} == {"tests/e2e/test_logs.py"}


def test_other_tests_share_nothing() -> None:
    nodeid = "tests/api/test_cors.py::test_a[tests/e2e/test_logs.py]"

    assert sharing.group(nodeid) == nodeid


def test_the_files_of_the_tour_are_there() -> None:
    folder = Path(__file__).parent.parent / "e2e"

    assert [name for name in sharing.TOUR if not (folder / f"test_{name}.py").exists()] == []
