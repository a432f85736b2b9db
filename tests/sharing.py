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

MOVED_TV = ("hour_on_screen", "kiosk_leaves_nothing", "kiosk_taps", "qr_robust", "tour")
MOVED_PHONE = ("changed_set_up", "phone_shapes", "tv_keeps_its_head")
"""The files of the service whose clock can be moved, with the tour of the same screens."""

SERVICE = (
    *("catalogue", "concurrency", "demo_shop", "docs", "feed_writers", "focus", "forwarded"),
    *("kiosk_shops", "logs", "many_threads", "phone_taps", "purchase", "readme", "tv_to_phone"),
    *("two_devices", "watched"),
)
"""The files of the service whose clock is right, on either database."""

SHARED = ("screens", "the service", "phones")
"""What is too dear to be started by each worker, in the order in which it is begun: each of three
workers has one of them."""

_FILES = {
    f"tests/e2e/test_{name}.py": group
    for names, group in (
        (MOVED_TV, "screens"),
        (MOVED_PHONE, "phones"),
        (SERVICE, "the service"),
        (TOUR, "screens"),  # what is not about one state
    )
    for name in names
}
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
    path = nodeid.partition("::")[0]
    of_tour = _ID_OF_TOUR.match(nodeid)
    if of_tour and not of_tour["state"].startswith(("tv-", "kiosk-")):
        return "phones"
    if path.startswith("tests/property/"):
        return nodeid  # each is long, and shares nothing
    return _FILES.get(path, path)


def order(items: list[pytest.Item]) -> None:
    """Begin the long ones first."""
    items.sort(key=lambda item: (_folder(item), _turn(group(item.nodeid))))


def _folder(item: pytest.Item) -> int:
    return FOLDERS.index(item.path.relative_to(TESTS).parts[0])


def _turn(name: str) -> int:
    return SHARED.index(name) if name in SHARED else len(SHARED)
