"""However many shops a kiosk has: all can be seen and reached, in any font."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import create_engine, insert

from jay.partners.models import partners
from tests.depth import is_deep
from tests.e2e.service import Service, running
from tests.e2e.states import BY_NAME
from tests.e2e.tour import FONTS, SIZES, measure, write_in
from tests.e2e.watched import Screens

NAMES = ("Kiez", "Öffentlich-rechtlicher Heimatkanal", "חנות הספרים", "Film & Fernsehen Nord")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Service]:
    """A service of its own, with the demo's one shop."""
    with running(tmp_path) as service:
        yield service


def open_shops(service: Service, first: int, last: int) -> None:
    """Let further partners have a kiosk."""
    row = {"algorithms": [], "transfer_origins": [], "cors_origins": [], "kiosk": True}
    engine = create_engine(service.database_url)
    with engine.begin() as connection:
        for number in range(first, last + 1):
            name = f"{NAMES[number % len(NAMES)]} {number}"
            connection.execute(
                insert(partners).values(
                    name=f"shop-{number}", display_name=name, created=datetime.now(UTC), **row
                )
            )
    engine.dispose()


def seen_on_all_pages(page: Page) -> list[str]:
    """Leaf through with the remote control; return the shops in their order."""
    found: list[str] = []
    while True:
        for size in SIZES["tv"]:
            # A page breaks first where there is least room; a deep run tries all.
            every = is_deep() or size == min(SIZES["tv"])
            for font in FONTS if every else ["wide"]:
                write_in(page, font)
                assert measure(page, BY_NAME["kiosk-start"], size) == {}
        found += page.locator(".shop span").all_inner_texts()
        more = page.locator("#next")
        if not more.count():
            return found
        for _ in range(8):
            page.keyboard.press("ArrowRight")  # at the right end it leads on
            if more.evaluate("link => link === document.activeElement"):
                break
        before = page.url
        page.keyboard.press("Enter")
        expect(page).not_to_have_url(before)
        page.wait_for_load_state()


def test_with_1_2_3_7_and_30_shops_each_can_be_reached(own: Service, screens: Screens) -> None:
    page = screens.tv(own)
    page.goto(own.url + "/kiosk")
    expect(page).to_have_url(own.url + "/kiosk/demo")

    known = 1
    for count in (2, 3, 7, 30):
        open_shops(own, known + 1, count)
        known = count
        page.goto(own.url + "/kiosk")
        expect(page.locator(".shop").first).to_be_focused()
        found = seen_on_all_pages(page)
        assert len(set(found)) == len(found) == count


def test_down_from_the_wall_leads_to_the_code_and_not_to_what_empties(
    service: Service, screens: Screens
) -> None:
    wall = screens.tv(service)
    wall.goto(service.url + "/kiosk/demo")
    for number in range(8):
        wall.locator(".tile").nth(1).click()
        expect(wall.locator(".mini")).to_have_count(1)
        tile = wall.locator(".tile").nth(number)
        tile.focus()
        wall.keyboard.press("ArrowDown")
        if number < 4:
            wall.keyboard.press("ArrowDown")
        expect(wall.get_by_role("button", name="Code zeigen")).to_be_focused()
    wall.keyboard.press("ArrowLeft")
    expect(wall.get_by_role("link", name="Ändern")).to_be_focused()
