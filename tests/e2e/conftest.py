"""Real services, and a real browser that is watched."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.clock import PATIENCE_SECONDS
from tests.conftest import new_postgres_database
from tests.e2e.chromium import started
from tests.e2e.service import Service, running
from tests.e2e.tour import Tour
from tests.e2e.watched import Screens


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service on SQLite."""
    with running(tmp_path_factory.mktemp("service")) as started:
        yield started


@pytest.fixture(scope="session")
def _postgres_service(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    url = new_postgres_database(postgres, "jay_e2e")
    with running(tmp_path_factory.mktemp("postgres_service"), database_url=url) as started:
        yield started


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def any_service(request: pytest.FixtureRequest) -> Service:
    """The service on each kind of database."""
    name = "service" if request.param == "sqlite" else "_postgres_service"
    found: Service = request.getfixturevalue(name)
    return found


@pytest.fixture(scope="session")
def _moved_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("moved_service")
    with running(folder, app="tests.e2e.moved_app:app") as started:
        yield started


@pytest.fixture
def moved_service(_moved_service: Service) -> Service:
    """A service whose clock the test can move; it shows the right time when the test begins."""
    _moved_service.move_clock(0)
    return _moved_service


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as playwright, started(playwright.chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def tour(_moved_service: Service, browser: Browser) -> Tour:
    """Every page in every state, visited once."""
    return Tour(_moved_service, browser)


@pytest.fixture
def screens(browser: Browser) -> Iterator[Screens]:
    """Televisions and phones; the test fails if one of them does anything wrong."""
    opened = Screens(browser)
    yield opened
    opened.close()
    assert opened.wrong == []
