"""Which tests share a worker, and in which order they are begun.

What is dear to make (a service, a browser, a page in some state) is made once a worker. So tests
that need the same go to the same one. pytest-xdist has the mark ``xdist_group`` for that, which it
writes into the ids of tests; pytest 9.2 and later compute these, and so the mark has no effect.
"""

import re
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# In the order in which they are begun: the long ones first, so that all cores end together.
FOLDERS = ("property", "e2e", "api", "cli", "service", "unit")
TESTS = Path(__file__).parent

TOUR = ("accessibility", "budget", "old_browsers", "page_states")
"""The files whose tests ask about every page in every state (``tests/e2e/tour.py``)."""

_ID_OF_TOUR = re.compile(
    rf"tests/e2e/test_(?:{'|'.join(TOUR)})\.py::\w+"
    r"\[(?:(?:no )?scripts-)?(?:(?:de|en)-)?(?P<state>[\w-]+)\]"
)


class Sharing(LoadScopeScheduling):
    """Gives a worker all tests of a group, one group after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def scheduler(config: pytest.Config, log: Producer) -> Sharing:
    """Return what hands the tests out."""
    config.option.loadscopereorder = False  # the order is that of ``order``
    return Sharing(config, log)


def group(nodeid: str) -> str:
    """Return the name of what a test shares with others, or its own."""
    of_tour = _ID_OF_TOUR.match(nodeid)
    if of_tour:
        return f"tour of {of_tour['state']}"
    path = nodeid.partition("::")[0]
    return path if path.startswith("tests/e2e/") else nodeid


def order(items: list[pytest.Item]) -> None:
    """Begin the long ones first."""
    items.sort(key=lambda item: FOLDERS.index(item.path.relative_to(TESTS).parts[0]))
