"""A real picture server, the real worker and a real browser: pictures, or a reason for each."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route
from sqlalchemy import create_engine, select

from jay.pictures.models import Reason, picture_sources
from tests.clock import PATIENCE_SECONDS
from tests.demo import flask_command
from tests.e2e.actors import DEMO_BASKET_KEY, DEMO_SHOP_KEY, Merchant, TvApp
from tests.e2e.service import Service, running
from tests.e2e.watched import Screens
from tests.picture_server import odd_kinds, serving_pictures
from tests.servers import ROOT

MOST_MEMORY = 300_000_000
LOOK_SECONDS = 0.05

NOTE_SHIFTS = """
window.shifts = 0;
new PerformanceObserver(list => list.getEntries().forEach(one => { window.shifts += one.value; }))
  .observe({type: "layout-shift", buffered: true});
"""
LOADED = """() => [...document.images].filter(one => /\\/media\\//.test(one.currentSrc))
  .map(one => [one.currentSrc.split("/").pop(), one.complete && one.naturalWidth > 0])"""


class Worker:
    """``flask worker``, and the most memory that it and what it starts have had."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.most = 0
        self._over = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", "worker"],
            cwd=ROOT,
            env={**os.environ, **environ},
            stderr=subprocess.DEVNULL,
        )
        self._watch = threading.Thread(target=self._look)
        self._watch.start()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.most = max(self.most, sum(map(_memory, _family(self._process.pid))))

    def stop(self) -> None:
        self._over.set()
        self._watch.join()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(PATIENCE_SECONDS)
        finally:
            self._process.kill()
            self._process.wait()


def _family(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _memory(pid: int) -> int:
    """Return the bytes that a process has; what it shares is parted among those that share it."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


@pytest.fixture
def own_service(tmp_path: Path) -> Iterator[Service]:
    """A service of its own: the products of this test are on nobody else's wall."""
    with running(tmp_path) as started:
        yield started


def how_it_stands(service: Service) -> dict[str, tuple[str | None, str | None]]:
    engine = create_engine(service.database_url)
    with engine.connect() as connection:
        rows = connection.execute(select(picture_sources)).all()
    engine.dispose()
    return {row.url.rpartition("/")[2]: (row.digest, row.reason) for row in rows}


def worked_off(service: Service, most: int) -> tuple[dict[str, tuple[str | None, str | None]], int]:
    """Run the worker until it is known of so many pictures how they stand; and its memory."""
    # What it must know of the service: the demo's own drawings are not fetched.
    worker = Worker({**service.environ, "PORT": service.url.rpartition(":")[2]})
    pause, stands = threading.Event(), how_it_stands(service)
    try:
        # Some make it wait on purpose, one after the other.
        for _ in range(int(5 * PATIENCE_SECONDS / LOOK_SECONDS)):
            stands = how_it_stands(service)
            if len(stands) == most and all(any(one) for one in stands.values()):
                break
            pause.wait(LOOK_SECONDS)
    finally:
        worker.stop()
    return stands, worker.most


def old_engine(route: Route) -> None:
    """Answer with the page as one that knows neither <picture> nor srcset sees it."""
    answer = route.fetch()
    body = answer.text().replace("<source ", "<unknown ").replace(" srcset=", " data-unknown=")
    route.fulfill(response=answer, body=body)


def test_each_odd_kind_is_a_picture_on_every_page_or_has_its_reason(
    own_service: Service, screens: Screens
) -> None:
    merchant = Merchant(own_service, DEMO_SHOP_KEY)
    with serving_pictures() as server:
        kinds = odd_kinds(server)
        products = {}
        for name, (url, _reason) in kinds.items():
            images = [{"url": url}]
            made = merchant.post(name, name, price=500, stockCount=9, images=images)
            products[name] = made[name]
        shown = [name for name, (_url, reason) in kinds.items() if reason is None]
        missing = [name for name in kinds if name not in shown]
        basket = TvApp(own_service, DEMO_BASKET_KEY).guest(
            *((products[name], 2) for name in (*missing, *shown)[-19:])
        )
        stands, memory = worked_off(own_service, len(kinds))

    expected = {name: reason for name, (_url, reason) in kinds.items()}
    assert {name: reason and Reason(reason) for name, (_, reason) in stands.items()} == expected
    assert memory < MOST_MEMORY
    print(f"the worker had {memory / 1e6:.0f} MB at the most")
    told = flask_command(own_service.environ, "products", "pictures", "demo-shop")
    for name in missing:
        assert f"{kinds[name][0]}\n    {expected[name]}" in told

    tv, phone = screens.tv(own_service), screens.phone(own_service)
    for page in (tv, phone):
        page.add_init_script(NOTE_SHIFTS)
    offer = basket.transfer()
    names = {str(stands[name][0]) for name in shown}
    tv.goto(offer["displayUrl"])
    seen = {"tv": pictures_of(tv)}
    phone.goto(offer["url"])
    seen["claim"] = pictures_of(phone)
    phone.locator("main form .button").first.click()
    phone.wait_for_url("**/basket")
    seen["basket"] = pictures_of(phone)
    assert {name for page in seen.values() for name in page} <= names
    assert seen["basket"] == names
    assert seen["tv"] <= names

    # An engine of 2014: one JPEG each, without asking for anything else first.
    old = screens.tv(own_service)
    asked: list[str] = []
    old.on("request", lambda one: asked.append(one.url) if "/media/" in one.url else None)
    old.route("**/tv/**", old_engine)
    old.goto(offer["displayUrl"])
    pictures_of(old)
    assert sorted(asked) == sorted(set(asked))
    assert {url.rpartition(".")[2] for url in asked} <= {"jpg"}
    screens.close()
    assert screens.wrong == []


def pictures_of(page: Page) -> set[str]:
    """Return which pictures a page shows, whole; nothing has moved while they came."""
    page.evaluate("document.querySelectorAll('img').forEach(one => { one.loading = 'eager'; })")
    page.wait_for_load_state("networkidle")
    found = page.evaluate(LOADED)
    assert [name for name, whole in found if not whole] == []
    assert page.evaluate("window.shifts || 0") == 0
    return {name.partition("-")[0] for name, _whole in found}
